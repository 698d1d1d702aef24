/* smtpd/message.h - a message on its way into the queue: size and hops are
 * counted, and for submissions the header is completed (6409:8).
 *
 * Nothing is held but the beginning of a header line. */
#ifndef SMTPD_MESSAGE_H
#define SMTPD_MESSAGE_H

#include "lib/str.h"
#include "mail/qsubmit.h"
#include "smtpd/decode.h"

enum message_where {
	MESSAGE_NAME,           /* in the name of a field, held back */
	MESSAGE_VALUE,          /* in a field that is passed on */
	MESSAGE_SKIP,           /* in one that is dropped */
	MESSAGE_BODY,
};

struct message {
	struct qsubmit q;
	struct decode decode;
	bool complete;                  /* add Date and Message-ID, drop Bcc */
	const char *id_host;            /* for Message-ID */
	unsigned number;                /* of the message in its session */
	enum message_where where;
	size_t nname;
	char name[80];                  /* of a field; longer is no field */
	bool any_field, have_date, have_id, dropped;
	unsigned hops;                  /* Received and Delivered-To, count */
	uint64_t size, max;             /* bytes; max 0: no limit */
	bool too_big, too_many_hops;
};

/* Allocated; the queue is open when ->q.fail is 0. */
struct message *message_open(void);
/* A decode_sink. */
void message_put(void *message, const char *bytes, size_t n);
/* The end of the data: a header without body is completed. */
void message_end(struct message *);
/* Closes the queue and frees.  What qsubmit_close says. */
__attribute__((warn_unused_result))
int message_close_take(struct message *, struct str *text);
/* Nothing is queued. */
void message_drop_take(struct message *);

#endif
