/* supervise/crlf.h - line ends of a byte stream that comes in pieces: pure
 * functions, the same result however the stream is cut. */
#ifndef SUPERVISE_CRLF_H
#define SUPERVISE_CRLF_H

#include "lib/str.h"

struct crlf {                   /* {0} at the start of a stream */
	bool cr;                /* the last byte was a CR */
};

/* Append what becomes of n bytes to out. */
void crlf_add(struct str *out, const char *s, size_t n);  /* CR before each LF */
/* A CR before each LF that has none. */
void crlf_fix(struct crlf *, struct str *out, const char *s, size_t n);
/* One CR before an LF goes; crlf_del_end gives back what was held. */
void crlf_del(struct crlf *, struct str *out, const char *s, size_t n);
void crlf_del_end(struct crlf *, struct str *out);

#endif
