/* tai64n - put the time in front of every line.
 * Runs as:  whoever starts it, in a pipe.
 * Trusts:   nothing: lines are bytes.
 * Exits:    0 at the end of input, 111 when it cannot read or write. */
#include "supervise/stamp.h"

int
main(void)
{
	struct io io;

	io_init(&io, 0, 1, IO_FOREVER);
	return stamp_add(&io) < 0 ? 111 : 0;
}
