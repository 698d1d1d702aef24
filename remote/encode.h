/* remote/encode.h - base64 and quoted-printable (2045:6.7, 6.8), in pieces and
 * in lines. */
#ifndef REMOTE_ENCODE_H
#define REMOTE_ENCODE_H

#include "lib/str.h"

struct encode {
	unsigned char left[3];  /* base64: bytes that wait for a third one */
	size_t nleft;
	size_t column;
	char space;             /* quoted-printable: one that may be last */
};
/* Appends the encoding of s, lines ended by LF, of at most 76 columns. */
void encode_base64_feed(struct encode *, struct str *out, const char *s,
    size_t n);
void encode_base64_end(struct encode *, struct str *out);
/* Text; LF ends a line of it.  One that stops inside of a line ends in a soft
 * line end. */
void encode_qp_feed(struct encode *, struct str *out, const char *s,
    size_t n);
void encode_qp_end(struct encode *, struct str *out);

#endif
