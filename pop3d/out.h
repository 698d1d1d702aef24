/* pop3d/out.h - replies on their way to the client.
 *
 * Everything is kept until the client waits for it, or OUT_MAX bytes are
 * there: a reply, and all replies to commands that came together, leave with
 * one system call and in as few segments as they fit.  A write that fails
 * fails for good: from there on nothing is kept and nothing leaves.
 *
 * A client that does not read has the session's timeout for OUT_MAX bytes,
 * however it trickles. */
#ifndef POP3D_OUT_H
#define POP3D_OUT_H

#include "lib/io.h"

#include <string.h>

#define OUT_MAX 65536                   /* bytes that leave at once */
#define OUT_NUMBER 20                   /* digits of the largest number */

struct out {
	int fd, timeout_ms;
	bool is_socket;
	enum io_status fail;            /* IO_OK until a write failed */
	uint64_t total;                 /* bytes that left */
	size_t len;                     /* < OUT_MAX between calls */
	char buf[OUT_MAX];              /* untouched until it is used */
};

/* *out must be zeroed.  A TCP connection sends at once from here on. */
void out_init(struct out *, int fd, int timeout_ms);
void out_put(struct out *, const void *bytes, size_t n);
static inline void
out_puts(struct out *o, const char *cstr)
{
	out_put(o, cstr, strlen(cstr));
}
void out_putu(struct out *, uint64_t);          /* decimal */
void out_flush(struct out *);

/* Takes back what was put since, if none of it has left: true, and it is as
 * if it had never been. */
uint64_t out_mark(const struct out *);
bool out_back(struct out *, uint64_t mark);

#endif
