/* queue/qrepair.h - is this a sound queue, and if not, make it one.
 *
 * The services must be stopped.  What is found is reported one by one; with
 * fix it is also cured.  Nothing that could be mail is ever deleted: what
 * makes no sense goes to damaged/, a directory per message.  Deleted are only
 * submissions that never were acknowledged and are older than QUEUE_OSSIFIED
 * seconds, and marks without a message.
 *
 * Checked: the directories with their owners and modes, locks and trigger,
 * one file system; for every message: number = inode, the right subdirectory
 * (so also a queue of another split, or with a split todo), owner and mode,
 * an envelope that parses, and the sums of both files when it has them;
 * leftovers of interrupted submissions; whatever else lies about. */
#ifndef QUEUE_QREPAIR_H
#define QUEUE_QREPAIR_H

#include "lib/str.h"

#include <sys/types.h>

struct qrepair_finding {
	const char *path;       /* relative to the queue */
	const char *what;       /* "its inode number is 9912" */
	const char *fix;        /* "renamed"; NULL: nothing a tool can do */
};

struct qrepair {
	/* set by the caller */
	bool fix;
	uid_t uid_queue, uid_send, uid_remote;  /* qmailq, qmails, qmailr */
	gid_t gid;                              /* qmail */
	int64_t now;
	void (*report)(void *arg, const struct qrepair_finding *);
	void *arg;
	/* results */
	uint64_t nmess;         /* messages in S4 or S5 */
	uint64_t found;         /* findings */
	uint64_t left;          /* of these without a cure, or not cured */
	uint64_t aside;         /* messages carried to damaged/ */
};

/* HOME/queue is the working directory.  0: all was looked at; -1: trouble
 * stopped it, why names the object and the reason; run it again. */
__attribute__((warn_unused_result))
int qrepair_run(struct qrepair *, struct str *why);

#endif
