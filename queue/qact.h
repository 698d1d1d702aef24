/* queue/qact.h - deleting, expiring, retrying, holding and releasing.
 *
 * Two ways to the same end.  While qmail-send runs it owns the messages: it
 * is asked (mail/qctl.h) and answers for each.  While it does not, its lock
 * is taken so that it cannot start, and the files say what it will do when it
 * does: mtimes for schedules, hold/N for holds.  HOME/queue is the working
 * directory.
 *
 * Removal without qmail-send, each step safe to stop after: bounce, local,
 * remote, info (an interrupted removal sends no bounce), hold, todo, intd
 * (from here on the message does not exist), mess last. */
#ifndef QUEUE_QACT_H
#define QUEUE_QACT_H

#include "lib/io.h"
#include "mail/qctl.h"

enum qact_status {
	QACT_DONE,
	QACT_REFUSED,           /* qmail-send said no; text says why */
	QACT_TROUBLE,           /* text names the object and the reason */
};

struct qact {
	bool online;            /* qmail-send runs and is asked */
	int lock, clean;                /* else its lock and qmail-clean's,
					 * or -1 */
	int sock;               /* the connection to it, or -1 */
	struct io io;
	uint64_t lifetime;      /* seconds; only for an expire of our own */
};

/* Finds out which way and prepares it.  lifetime: control/queuelifetime in
 * seconds.  -1: why says what is wrong. */
__attribute__((warn_unused_result))
int qact_open(struct qact *, const char *socket, uint64_t lifetime,
    struct str *why);
/* One request; id is ignored with QCTL_FLUSH.  *text is replaced: with DONE
 * something to add, or nothing.  After TROUBLE online, ask no more. */
__attribute__((warn_unused_result))
enum qact_status qact_do(struct qact *, enum qctl_verb, uint64_t id,
    struct str *text);
/* Syncs what was changed and lets qmail-send go on.  -1 with errno. */
__attribute__((warn_unused_result))
int qact_close(struct qact *);

#endif
