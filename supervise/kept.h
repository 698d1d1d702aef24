/* supervise/kept.h - tcpserver -k: the program that is kept, and when another
 * copy of it takes over.
 *
 * All sessions of one template share its address layout and canaries, so none
 * serves for long: another one is started after KEPT_SESSIONS or KEPT_MS, when
 * the template says that it is out of date, and at once when a session was
 * ended by a signal.  While no template is ready, and whenever one fails,
 * connections are served as without -k. */
#ifndef SUPERVISE_KEPT_H
#define SUPERVISE_KEPT_H

#include "lib/keep.h"

#include <stdint.h>

#define KEPT_SESSIONS 1000      /* of one template, count */
#define KEPT_MS 600000          /* life of one template */
#define KEPT_AGAIN_MS 1000      /* between two starts */
#define KEPT_FAILED_MS 60000    /* after one that was of no use */

struct kept {
	const char *const *program;
	bool quiet;
	struct keep now;        /* serves */
	struct keep next;       /* was started, is not ready yet */
	unsigned used;          /* sessions of now */
	int64_t born;           /* of now, ms */
	int64_t again;          /* not started before, ms */
};

/* Starts the first template.  Trouble is logged (unless quiet), not fatal. */
void kept_open(struct kept *, const char *const *program, bool quiet);
/* Gives the connection to the template; see keep_give.  False: start the
 * program for it. */
__attribute__((warn_unused_result))
bool kept_give(struct kept *, int conn, const struct str *log,
    const char *const *env, pid_t *pid_out);
/* A child ended that was no session. */
void kept_ended(struct kept *, pid_t, int status);
/* A session was ended by a signal: perhaps somebody tries what the memory of
 * this template looks like. */
void kept_renew(struct kept *);
void kept_close(struct kept *);

#endif
