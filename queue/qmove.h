/* queue/qmove.h - giving messages new numbers, safely at every step.
 *
 * A message is its mess file and up to seven files of the same number.  After
 * a restore the mess file has another inode, the message needs its number,
 * and that number may be another message's old name.  So all that must move
 * are first carried out of the tree, each into a directory of its own, and
 * then back in under their numbers:
 *
 *	repair/N        message N on its way out; mess comes last
 *	repair/to.M     all of it is out, its number will be M
 *
 * What makes a message exist (todo/N, else info/S/N) leaves first and returns
 * last, the mess file the other way round, and a sync lies between all these
 * steps (ten for a repair, however many messages): a power cut at any moment
 * leaves a message either whole in its old place, or in a directory of which
 * the next run knows what to do, and never half a message that a service could
 * mistake for a whole one.  While repair/ exists the services do not start.
 *
 * Worked example: restored 4711 (inode 9912) and 9912 (inode 4711), both
 * preprocessed.  info/19/4711 -> repair/4711/info, info/22/9912 ->
 * repair/9912/info; sync; local and so on; sync; both mess files; sync;
 * repair/4711 -> repair/to.9912, repair/9912 -> repair/to.4711; sync;
 * repair/to.9912/mess -> mess/22/9912 and the other; sync; local and so on;
 * sync; both info files; sync; repair/ is removed; sync.
 *
 * No rename here ever replaces a file: what finds its place taken goes to
 * damaged/.  HOME/queue is the working directory. */
#ifndef QUEUE_QMOVE_H
#define QUEUE_QMOVE_H

#include "queue/qwalk.h"

struct qmove_set {
	uint64_t id;                    /* its number until now */
	uint64_t to;                    /* the inode number of its mess file */
	const struct qwalk_file *files; /* one of a kind, mess among them */
	size_t n;
};

struct qmove_parked;
struct qmove {
	int top;                        /* HOME/queue, for syncs */
	struct qmove_parked *parked;
	size_t nparked, cap;
	size_t naside;                  /* directories made in damaged/ */
};

/* Makes repair/ and takes up what an interrupted run left there: afterwards
 * the tree can be read.  All return -1 with a reason in why; then repair/
 * stays and the next run goes on. */
__attribute__((warn_unused_result))
int qmove_begin(struct qmove *, struct str *why);
__attribute__((warn_unused_result))
int qmove_park(struct qmove *, const struct qmove_set *, size_t n,
    struct str *why);
__attribute__((warn_unused_result))
int qmove_place(struct qmove *, struct str *why);
/* Carries files of one number to damaged/N (or N.1, N.2 ...) for good. */
__attribute__((warn_unused_result))
int qmove_aside(struct qmove *, const struct qwalk_file *, size_t n,
    struct str *why);
/* Removes repair/, which must be empty, and syncs.  Frees everything; call it
 * with ok false after a failure. */
__attribute__((warn_unused_result))
int qmove_end(struct qmove *, bool ok, struct str *why);

#endif
