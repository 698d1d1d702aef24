/* supervise/svcwait.h - has a service reached what svc's letters asked for?
 *
 * The letters are those sent, in order.  Which state they lead to:
 *   x last wish   supervise itself has ended
 *   d             down
 *   u, o          up; with d, t or k before or after: up as a new process
 *   t, k          a new process, or down where supervise will not restart it
 * Other letters (h, a, p, ...) ask for nothing that can be waited for. */
#ifndef SUPERVISE_SVCWAIT_H
#define SUPERVISE_SVCWAIT_H

#include "supervise/status.h"

/* before: the status read before the letters were sent; now: the latest.
 * running: is supervise there at all? */
bool svcwait_reached(const char *letters, const struct status *before,
    const struct status *now, bool running);

#endif
