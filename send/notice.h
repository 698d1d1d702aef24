/* send/notice.h - reports to senders who said what they want to be told:
 * multipart/report (RFC 3462) with a part for people, one for programs
 * (status.h) and the message or its header. */
#ifndef SEND_NOTICE_H
#define SEND_NOTICE_H

#include "lib/str.h"
#include "mail/qsubmit.h"

#include <stdbool.h>
#include <stdint.h>

struct bounce {                 /* being submitted; of bounce.c */
	struct qsubmit q;
	struct str to, from, host;
	bool doubled;           /* the bounce of a bounce */
};

/* All of the message, header fields first, into b->q.  -1 when the message it
 * is about cannot be read; that is logged. */
__attribute__((warn_unused_result))
int notice_put(struct bounce *b, uint64_t id, const char *sender,
    const char *params, const struct str *paragraphs);
/* The paragraphs about failures, as QSBMF wants them. */
void notice_put_plain(struct bounce *b, const struct str *paragraphs);

/* bounce.c: pieces that both formats have. */
void bounce_cat_header(struct str *, const struct bounce *,
    const char *subject);
void bounce_cat_failed(struct str *, const struct bounce *);
void bounce_cat_return_path(struct str *, const char *sender);

#endif
