/* send/wish.h - wishes about delivery reports, as a message in the queue has
 * them: records that follow F in info/S/N, and the same bytes in memory.
 *
 *	M text NUL                      of the message (mail/dsn.h)
 *	N l OFFSET SP text NUL          of the recipient whose record begins at
 *	N r OFFSET SP text NUL          that byte of local/S/N or remote/S/N
 *
 * n instead of N: its delay was reported.  In the order of the offsets.
 * Programs of old read no further than F.  Worked example:
 *	Fa@x\0 MRET=HDRS\0 Nl5 NOTIFY=NEVER\0 nr0 NOTIFY=DELAY\0 */
#ifndef SEND_WISH_H
#define SEND_WISH_H

#include "lib/str.h"

struct wish {
	size_t at;              /* offset of the recipient in its list */
	size_t rec;             /* offset of the N record in the bytes */
	size_t text;            /* offset of its text */
	unsigned notify;        /* enum dsn_notify, 0: not said */
};
struct wishes {                 /* of the recipients of one channel */
	struct wish *v;
	size_t n;
};

void wish_cat_message(struct str *, const char *text);          /* "": none */
void wish_cat_rcpt(struct str *, int channel, uint64_t at, const char *text);
/* The text of the M record, "" without one. */
const char *wish_message_peek(const struct str *bytes);
/* Of one channel; what is not a record ends them. */
void wish_index(struct wishes *out, const struct str *bytes, int channel);
void wish_free(struct wishes *);
/* Of the recipient at that offset, or NULL. */
const struct wish *wish_find(const struct wishes *, size_t at);
/* Its text; "" for NULL. */
const char *wish_text_peek(const struct str *bytes, const struct wish *);

#endif
