/* remote/wire.h - the connection to a peer: large writes, replies read while
 * writing, a deadline for every wait.
 *
 * What is put is sent when WIRE_OUT bytes are together or a reply is waited
 * for.  While a write waits, what the peer says is read and kept, so that two
 * sides that both write never stand still; a peer that says more than WIRE_IN
 * bytes unasked is not listened to until its turn.  A deadline is for a whole
 * reply, or for a whole buffer to be taken: bytes that drip do not move it. */
#ifndef REMOTE_WIRE_H
#define REMOTE_WIRE_H

#include "remote/reply.h"

#include <stdbool.h>
#include <stddef.h>

#define WIRE_OUT 65536          /* bytes of a write */
#define WIRE_IN 16384           /* bytes read ahead */

enum wire_status {
	WIRE_OK,
	WIRE_EOF,               /* the peer has gone; also a reset */
	WIRE_TIMEOUT,
	WIRE_BAD,               /* what came is no reply */
	WIRE_HEARD,             /* it spoke while we sent: see listening */
	WIRE_ERROR,             /* errno */
};

struct wire {
	int fd;                 /* the caller's, made non-blocking */
	enum wire_status wfail; /* nothing more can be sent */
	bool ended;             /* nothing more will come */
	bool listening;         /* nothing is to be said by the peer now: when
	                         * it is all the same, or the peer has gone,
	                         * sending stops */
	size_t olen, ipos, ilen;
	char in[WIRE_IN], out[WIRE_OUT];
};

/* -1 with errno. */
__attribute__((warn_unused_result))
int wire_init(struct wire *, int fd);
enum wire_status wire_put(struct wire *, const void *bytes, size_t n,
    int timeout_ms);
enum wire_status wire_puts(struct wire *, const char *, int timeout_ms);
enum wire_status wire_flush(struct wire *, int timeout_ms);
/* Sends what was put, then reads one reply into *out.  When sending fails a
 * reply that is there already is still read. */
enum wire_status wire_reply(struct wire *, struct reply *out, int timeout_ms);
/* Has the peer said something that was not asked for, or gone?  Does not
 * wait. */
bool wire_disturbed(struct wire *);

#endif
