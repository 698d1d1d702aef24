/* supervise/record.h - recordio's lines: one for each line of a packet.
 *
 *	1234 < EHLO example.org?	? stands for a byte that does not print
 *	1234 > 250-mx.exam+		the packet ended within a line
 *	1234 > [EOF]
 *
 * A space at the end (not shown) means that the line was complete. */
#ifndef SUPERVISE_RECORD_H
#define SUPERVISE_RECORD_H

#include "lib/str.h"

#define RECORD_TEXT 300         /* bytes of a packet in one line: with the rest
                                 * of the line less than _POSIX_PIPE_BUF, so a
                                 * pipe takes it whole */

/* Appends the lines for one packet; n is 0 at the end of the input.  mark is
 * '<' for what the program reads, '>' for what it writes. */
void record_cat(struct str *out, uint64_t pid, char mark, const char *s,
    size_t n);

#endif
