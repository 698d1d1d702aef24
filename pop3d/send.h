/* pop3d/send.h - a message from its file to the wire (1939:3).
 *
 * What is sent is the file, byte for byte, but for this: an LF that has no CR
 * before it gets one, a last line without LF gets CR LF, and a line that
 * begins with a dot gets a second one.  Without these dots that is what
 * box_size counts.  Lines have any length; NULs, bare CRs and bytes above 127
 * are as they are.
 *
 *	file	Subject: x LF LF .dot LF a CR b LF last
 *	wire	Subject: x CR LF CR LF ..dot CR LF a CR b CR LF last CR LF
 *		. CR LF */
#ifndef POP3D_SEND_H
#define POP3D_SEND_H

#include "pop3d/out.h"

#define SEND_PIECE 65536                /* bytes that are read at once */
#define SEND_ALL UINT64_MAX

enum send_status {
	SEND_OK,
	SEND_CHANGED,                   /* it shrank or grew meanwhile */
	SEND_UNREADABLE,                /* errno */
};

/* The file from where fd is: for TOP the header, the empty line and so many
 * lines after it, or SEND_ALL.  With the final dot when the result is SEND_OK,
 * else without an end.  size: what the file had when it was opened.  Whether
 * it left is out's to say. */
__attribute__((warn_unused_result))
enum send_status send_message(struct out *, int fd, uint64_t size,
    uint64_t lines, char piece[SEND_PIECE]);

/* The same for bytes that come in parts: {.lines = ...}, any number of
 * send_part, and send_end. */
struct send {
	uint64_t lines;                 /* of the body, that are still wanted */
	bool body;                      /* the header is over */
	bool begun, cr;                 /* there was something of a line; the
	                                 * last byte of it is CR */
	bool text;                      /* and it was not that CR alone */
	bool done;                      /* nothing more is wanted */
};
void send_part(struct send *, struct out *, const char *s, size_t n);
void send_end(struct send *, struct out *);

#endif
