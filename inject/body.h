/* inject/body.h - the body as the queue wants it: LF line ends.
 *
 * CRs right before an LF or the end are dropped, a missing last LF is added,
 * and with dot_ends a line of one "." ends the body (sendmail without -i).
 * All other bytes, NUL and lone CR included, pass as they are. */
#ifndef INJECT_BODY_H
#define INJECT_BODY_H

#include "inject/sink.h"

#include <stdbool.h>
#include <stddef.h>

struct body {
	struct sink *out;
	bool dot_ends;
	bool ended;             /* by the dot: no more input matters */
	bool inside;            /* not at the beginning of a line */
	bool dot;               /* held back until the next byte is known, */
	size_t crs;             /* and so are this many CRs */
};

void body_init(struct body *, struct sink *out, bool dot_ends);
void body_feed(struct body *, const char *s, size_t n);
void body_finish(struct body *);        /* the input is over */

#endif
