/* queue/qlock.h - keeping the services out while a tool changes the queue.
 *
 * lock/sendmutex is held by qmail-send (and whoever else schedules this
 * queue, historical tools included), lock/queued by the queue service.  A
 * service that finds its lock taken does not start; supervise tries again. */
#ifndef QUEUE_QLOCK_H
#define QUEUE_QLOCK_H

#include "lib/str.h"

#define QLOCK_SEND "lock/sendmutex"
#define QLOCK_QUEUED "lock/queued"

enum qlock_status {
	QLOCK_TAKEN,            /* ours until the descriptor is closed */
	QLOCK_BUSY,             /* another process has it */
	QLOCK_TROUBLE,          /* why says what is wrong */
};

/* HOME/queue is the working directory.  A missing lock file is made, and
 * belongs to the owner of the directory owner_like then. */
__attribute__((warn_unused_result))
enum qlock_status qlock_take(const char *path, const char *owner_like,
    int *fd_out, struct str *why);

#endif
