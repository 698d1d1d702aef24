/* queue/qmsg.h - one message on its way into the queue: states S1 to S4.
 *
 * All paths are relative to HOME/queue, which is the working directory.  The
 * rename into todo/ made by qmsg_publish makes the message visible; it is
 * acknowledged only after a sync of the file system that follows
 * (qmsg_sync).  Until the rename everything is ours to remove; from then on
 * qmail-todo may know the message, and its number is not ours any more. */
#ifndef QUEUE_QMSG_H
#define QUEUE_QMSG_H

#include "lib/hash.h"
#include "mail/qx.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum qmsg_stage { QMSG_NONE, QMSG_MESS, QMSG_TODO };

struct qmsg {
	enum qmsg_stage stage;
	uint64_t id;            /* the inode number of mess/S/N */
	int fd;                 /* mess/S/N while it is written, or -1 */
	uint64_t size;          /* bytes written */
	struct hash sum;
};

/* S1 to S2: mess/S/N exists and is empty. */
__attribute__((warn_unused_result))
enum qx qmsg_create(struct qmsg *);
/* Appends to the message: a and then b (b may be empty). */
__attribute__((warn_unused_result))
enum qx qmsg_body(struct qmsg *, const void *a, size_t na, const void *b,
    size_t nb);
/* S2 to S4.  records: F sender NUL {T recipient NUL}, without the end mark. */
__attribute__((warn_unused_result))
enum qx qmsg_publish(struct qmsg *, uid_t, pid_t, const char *records,
    size_t n);
/* Back to S1, before it is published: removes what this run made.  Back to
 * S3 afterwards: takes it out of todo/, the sweep removes the rest. */
void qmsg_discard(struct qmsg *);
/* Everything published is on the disk when it returns QX_OK: the messages,
 * the envelopes, and the directories that name them.  One syncfs. */
__attribute__((warn_unused_result))
enum qx qmsg_sync(int queue_dir_fd);

#endif
