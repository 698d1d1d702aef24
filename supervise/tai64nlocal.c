/* tai64nlocal - turn the labels of tai64n into local time.
 * Runs as:  whoever reads a log.
 * Trusts:   TZ; nothing it reads.
 * Exits:    0 at the end of input, 111 when it cannot read or write. */
#include "supervise/stamp.h"

#include <time.h>

int
main(void)
{
	struct io io;

	tzset();
	io_init(&io, 0, 1, IO_FOREVER);
	return stamp_to_local(&io) < 0 ? 111 : 0;
}
