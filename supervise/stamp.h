/* supervise/stamp.h - time stamps in front of lines, put there and read. */
#ifndef SUPERVISE_STAMP_H
#define SUPERVISE_STAMP_H

#include "lib/io.h"
#include "lib/tai.h"

#define STAMP_LEN 26            /* "@", 24 hex digits, a space */

/* The label and its space, into out. */
void stamp_format(char out[STAMP_LEN], const struct tai *);

/* Copies io's input to its output until the end, each line with the time at
 * which its first byte was seen.  What was read is written before more is
 * waited for.  0, or -1 with errno. */
__attribute__((warn_unused_result))
int stamp_add(struct io *);

/* Copies io's input to its output; a label that begins a line becomes local
 * time, "YYYY-MM-DD HH:MM:SS.nnnnnnnnn".  A line that begins with '@' and no
 * whole label, or a label past the calendar, stays as it is. */
__attribute__((warn_unused_result))
int stamp_to_local(struct io *);

#endif
