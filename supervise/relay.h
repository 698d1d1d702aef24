/* supervise/relay.h - carrying bytes both ways between two pairs of
 * descriptors, and standing between a program and its peer.
 *
 *	peer -> from -> change -> to -> program        the first flow
 *	program -> from -> change -> to -> peer        the second
 *
 * One process, at most one read of RELAY_READ bytes held for each direction:
 * who does not read is not read from.  Neither side is trusted. */
#ifndef SUPERVISE_RELAY_H
#define SUPERVISE_RELAY_H

#include "lib/str.h"

#include <sys/types.h>

#define RELAY_READ 4096         /* bytes of one read */

struct relay_flow {
	int from, to;
	/* Appends to out what becomes of one read (n of RELAY_READ bytes at
	 * most), or of the end of the input: n is 0. */
	void (*change)(struct relay_flow *, const char *s, size_t n,
	    struct str *out);
	void *arg;
	bool keep_to;           /* leave `to' open when the input has ended */
	struct str held;        /* to be written; {0} at the start */
	size_t at;
	bool ended;             /* no more is read */
};

/* Until the second flow has ended, or can no longer be written.  When the
 * first one ends its `to' is closed (but see keep_to) and the second goes on.
 * Ignores SIGPIPE.  0, or -1 with errno when waiting failed. */
__attribute__((warn_unused_result))
int relay_run(struct relay_flow *in, struct relay_flow *out);

/* Becomes the program of argv with pipes as its 0 and 1, while a child of it
 * relays between those and the old 0 and 1 and ends when relay_run does.  The
 * program's process number is the caller's own.  Exits 111 when it cannot. */
_Noreturn void relay_program(char *const *argv, struct relay_flow *in,
    struct relay_flow *out);

#endif
