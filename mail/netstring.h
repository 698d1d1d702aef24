/* mail/netstring.h - netstrings, "5:hello,", as QMTP and QMQP are made of:
 * reading them from anybody, also nested, and writing them.
 *
 * Strict: the length is decimal digits only, no leading zero, at most
 * NETSTRING_DIGITS of them; the comma must be there; what is inside another
 * netstring must end within it.  Nothing is allocated for a length that was
 * only announced.
 *
 *	struct netreader r;
 *	netreader_init(&r, &io);
 *	netreader_head(&r, &len);		"5:"
 *	netreader_get(&r, buf, len, &got);	up to len bytes, again
 *	netreader_comma(&r);			","
 *
 * Within an outer one: netreader_enter(&r, len) after its head, then heads,
 * bytes and commas of the inner ones until r.left is 0, then netreader_leave,
 * which reads the outer comma. */
#ifndef MAIL_NETSTRING_H
#define MAIL_NETSTRING_H

#include "lib/io.h"
#include "lib/str.h"

#define NETSTRING_DIGITS 9      /* count: below 10^9 bytes */
#define NETSTRING_MAX 999999999u        /* bytes */

enum netstring_status {
	NETSTRING_OK,
	NETSTRING_END,          /* end of input before the first digit,
	                         * not within another one */
	NETSTRING_BAD,          /* no netstring, or it runs over the outer one */
	NETSTRING_HUGE,         /* more digits than are taken */
	NETSTRING_LONG,         /* over the caller's maximum; skipped whole */
	NETSTRING_IO,           /* the input failed or ended early: ->fail */
};

struct netreader {
	struct io *io;
	int64_t until;          /* of clock_mono_ms: no wait goes past it; 0:
	                         * the io's own timeout alone */
	bool nested;
	uint64_t left;          /* bytes of the outer netstring still to come */
	enum io_status fail;
};

void netreader_init(struct netreader *, struct io *);
enum netstring_status netreader_head(struct netreader *, uint64_t *len_out);
/* 1..n bytes of what a head announced; the caller counts. */
enum netstring_status netreader_get(struct netreader *, char *buf, size_t n,
    size_t *got);
enum netstring_status netreader_comma(struct netreader *);
/* A whole one into *out, which is replaced. */
enum netstring_status netreader_str(struct netreader *, struct str *out,
    size_t max);
/* From here to netreader_leave there are only len bytes. */
void netreader_enter(struct netreader *, uint64_t len);
enum netstring_status netreader_leave(struct netreader *);

void netstring_cat(struct str *, const void *bytes, size_t n);
/* Only "LEN:", for bytes that are written by the caller, who adds ",". */
void netstring_cat_head(struct str *, uint64_t len);
/* Bytes of the netstring around len bytes. */
uint64_t netstring_size(uint64_t len);

#endif
