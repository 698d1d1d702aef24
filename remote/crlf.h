/* remote/crlf.h - lines of the queue (LF) become lines of the wire (CR LF).
 *
 * A CR right before an LF, or at the end of the message, belongs to the line
 * end.  Every other CR becomes a space: it must not go out bare, and a line
 * end in its place would make header fields and ends of data out of text.  A
 * last line without LF gets its line end.  With dots, a line that begins with
 * "." gets another one (5321:4.5.2), so that no message can end itself.
 *
 * Nothing else is changed: NULs and lines over 998 bytes go as they are, and
 * what the peer thinks of them comes back as its reply. */
#ifndef REMOTE_CRLF_H
#define REMOTE_CRLF_H

#include <stdbool.h>
#include <stddef.h>

struct crlf {
	bool dots;
	bool inside;            /* not at the beginning of a line */
	bool cr;                /* a CR waits for what follows it */
	/* Gets the output, in pieces.  0, or -1 to have no more of it. */
	int (*put)(void *arg, const char *s, size_t n);
	void *arg;
};

/* 0, or -1 when put said so. */
__attribute__((warn_unused_result))
int crlf_feed(struct crlf *, const char *s, size_t n);
/* At the end of the message; "." and its line end are the caller's. */
__attribute__((warn_unused_result))
int crlf_end(struct crlf *);

#endif
