/* mail/header.h - the fields at the top of a message, one after another.
 *
 *	struct header h;
 *	header_init(&h, &in, LINE_MAX_HDR, HEADER_MAX);
 *	while ((st = header_next(&h)) == HEADER_FIELD)
 *		... h.id, h.field, header_value(&h) ...
 *
 * After HEADER_END or HEADER_BODY the input stands at the body, but for what
 * header_rest holds.  The peer may be anybody: memory is bounded by the two
 * limits. */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "lib/io.h"
#include "lib/str.h"

#include <stdbool.h>

/* X(ID, name) */
#define HEADER_TABLE(X)                                                       \
	X(APPARENTLY_TO, "Apparently-To")                                     \
	X(BCC, "Bcc")                                                         \
	X(CC, "Cc")                                                           \
	X(CONTENT_LENGTH, "Content-Length")                                   \
	X(DATE, "Date")                                                       \
	X(DELIVERED_TO, "Delivered-To")                                       \
	X(ERRORS_TO, "Errors-To")                                             \
	X(FROM, "From")                                                       \
	X(MAIL_FOLLOWUP_TO, "Mail-Followup-To")                               \
	X(MAIL_REPLY_TO, "Mail-Reply-To")                                     \
	X(MESSAGE_ID, "Message-ID")                                           \
	X(NOTICE_TO, "Notice-Requested-Upon-Delivery-To")                     \
	X(RECEIVED, "Received")                                               \
	X(REPLY_TO, "Reply-To")                                               \
	X(RESENT_BCC, "Resent-Bcc")                                           \
	X(RESENT_CC, "Resent-Cc")                                             \
	X(RESENT_DATE, "Resent-Date")                                         \
	X(RESENT_FROM, "Resent-From")                                         \
	X(RESENT_MESSAGE_ID, "Resent-Message-ID")                             \
	X(RESENT_REPLY_TO, "Resent-Reply-To")                                 \
	X(RESENT_SENDER, "Resent-Sender")                                     \
	X(RESENT_TO, "Resent-To")                                             \
	X(RETURN_PATH, "Return-Path")                                         \
	X(RETURN_RECEIPT_TO, "Return-Receipt-To")                             \
	X(SENDER, "Sender")                                                   \
	X(SUBJECT, "Subject")                                                 \
	X(TO, "To")

enum header_id {
	HEADER_OTHER,           /* a field with another name */
	HEADER_MBOX,            /* "From " line of an mbox, no colon in it */
#define X(id, name) HEADER_##id,
	HEADER_TABLE(X)
#undef X
	HEADER_ID_COUNT
};

enum header_status {
	HEADER_FIELD,           /* the next field is in ->field */
	HEADER_END,             /* an empty line, now read */
	HEADER_BODY,            /* a line that is no field: header_rest */
	HEADER_EOF,             /* the input ended with the header */
	HEADER_TOOLONG,         /* one field is over its limit */
	HEADER_TOOBIG,          /* all fields together are */
	HEADER_ERROR,           /* reading failed; errno */
};

struct header {
	struct io *in;
	size_t field_max, total_max, total;     /* bytes */
	bool drop_cr;           /* lose the CRs before each LF; off at first */
	bool ahead_full;        /* ahead holds a line not yet used */
	bool at_eof;
	struct str field;       /* with its line ends, LF at its end always */
	struct str ahead;
	enum header_id id;
	size_t name_len, value_off;     /* value_off: after the colon */
};

void header_init(struct header *, struct io *in, size_t field_max,
    size_t total_max);
__attribute__((warn_unused_result))
enum header_status header_next(struct header *);
/* The value, from after the colon to before the last LF; borrowed. */
const char *header_value(const struct header *, size_t *n_out);
/* The line that ended the header (HEADER_BODY), with LF; otherwise nothing. */
const char *header_rest(const struct header *, size_t *n_out);
void header_free(struct header *);

enum header_id header_lookup(const char *name, size_t n);
const char *header_name(enum header_id);        /* "" for OTHER and MBOX */
/* Length of the name if this line begins a field, else 0; *value_off is then
 * the index after the colon.  White space before the colon is obsolete syntax
 * (5322:4.5) and accepted. */
size_t header_scan_name(const char *line, size_t n, size_t *value_off);

#endif
