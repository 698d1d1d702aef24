/* send/schedule.h - when a message is tried again.
 *
 * Next attempt: birth + (floor(sqrt(age)) + skip)^2, skip 10 local, 20 remote:
 * ages 0, 100, 400, 900... and 0, 400, 1600, 3600... seconds. */
#ifndef SEND_SCHEDULE_H
#define SEND_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

uint64_t schedule_isqrt(uint64_t);      /* floor of the square root */
/* All in seconds since 1970; a birth in the future counts as now. */
int64_t schedule_next(int channel, int64_t birth, int64_t now);
/* due, but no later than the schedule and retry seconds from now allow: what
 * was computed or written while the clock was ahead. */
int64_t schedule_clamp(int channel, int64_t birth, int64_t now,
    int64_t retry, int64_t due);
/* Is the next attempt the last one? */
bool schedule_dying(int64_t birth, int64_t now, uint64_t lifetime);

#endif
