/* remote/reply.h - SMTP replies, read from any split of bytes (5321:4.2).
 *
 *	250-mx.example.org\r\n250 SIZE 1000\r\n	-> code 250, and in text
 *	"250-mx.example.org\n250 SIZE 1000\n"
 *
 * The peer may be anybody: text holds at most REPLY_TEXT_MAX bytes, no
 * control characters but LF, and valid UTF-8; what does not fit is dropped,
 * and a reply that does not end is REPLY_BAD. */
#ifndef REMOTE_REPLY_H
#define REMOTE_REPLY_H

#include "lib/str.h"

#define REPLY_TEXT_MAX 5000     /* bytes kept, as ever */
#define REPLY_LINE_MAX 4096     /* bytes of a line; 5321:4.5.3.1.5 says 512 */
#define REPLY_LINES_MAX 1000    /* count */

enum reply_status {
	REPLY_MORE,             /* feed on */
	REPLY_DONE,             /* whole */
	REPLY_BAD,              /* no reply: leave this connection */
};

struct reply {
	unsigned code;          /* 200..599; 0 until a line was whole */
	struct str text;        /* the lines, cleaned and cut, LF after each */
	struct str line;        /* the unfinished one */
	size_t lines;
};

/* Eats up to the end of the reply; *used says how much. */
enum reply_status reply_feed(struct reply *, const char *s, size_t n,
    size_t *used);
void reply_clear(struct reply *);       /* for the next one */
void reply_free(struct reply *);

/* 2, 3, 4 or 5. */
unsigned reply_class(const struct reply *);
/* The enhanced code of the first line, "5.1.1" (3463:2), if it has one of the
 * reply's own class: its length, and *out where it begins; else 0. */
size_t reply_enhanced(const struct reply *, const char **out);
/* Appends s without control characters and without what is no UTF-8. */
void reply_cat_clean(struct str *out, const char *s, size_t n);

#endif
