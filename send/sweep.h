/* send/sweep.h - finds what crashes left in mess/, a few entries at a time:
 * files older than QUEUE_OSSIFIED seconds with neither todo nor info.
 * HOME/queue is the working directory. */
#ifndef SEND_SWEEP_H
#define SEND_SWEEP_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

#define SWEEP_EVERY 76431       /* seconds */

struct sweep {
	DIR *dir;
	int at;                 /* split of mess, then idle */
	int64_t due;            /* clock_mono_ms */
};

/* Is mess/S/N of an id old, and without todo/N and info/S/N? */
bool sweep_leftover(uint64_t id, int64_t now);
void sweep_init(struct sweep *);
bool sweep_busy(const struct sweep *);
int64_t sweep_due(const struct sweep *);
/* found(arg, id) for each leftover. */
void sweep_step(struct sweep *, void (*found)(void *, uint64_t), void *arg);

#endif
