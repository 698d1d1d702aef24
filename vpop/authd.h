/* vpop/authd.h - the service behind HOME/run/auth.
 *
 * One process takes all connections and never waits for one; workers, forked
 * when there is something to ask, hold the store and hash passwords.  A
 * connection is one question.  Whatever goes wrong, here or in a worker or in
 * the store, the connection is closed without an answer. */
#ifndef VPOP_AUTHD_H
#define VPOP_AUTHD_H

#include "vpop/authd_work.h"

#include <stddef.h>
#include <stdint.h>

#define AUTHD_WORKERS 8
#define AUTHD_QUICK 2           /* of them never have a password to check, so
                                 * that deliveries are not kept waiting */
#define AUTHD_LISTENERS 4
#define AUTHD_TRUSTED 8
#define AUTHD_ASK_MS 10000      /* for the question to arrive */
#define AUTHD_ANSWER_MS 25000   /* from the question to its answer */
#define AUTHD_LIST_MS 600000    /* for a list of all accounts */
#define AUTHD_SPARE_MS 300000   /* an idle worker stays */
#define AUTHD_GOOD_MS 60000     /* what was right is believed */
#define AUTHD_BAD_MS 10000      /* what was refused */
#define AUTHD_RESOLVE_MS 1000   /* aliases may be files edited by hand */
#define AUTHD_USER_SHARE 3      /* wrong passwords a minute for one user, from
                                 * anywhere: this times those of an address */

struct authd_config {
	const int *listeners;
	size_t nlisteners;
	int signals;            /* TERM, INT, HUP, CHLD */
	struct authd_world world;
	/* Besides root and vpopmail, who may say whom he asks for
	 * (TCPREMOTEIP); root and vpopmail may list all accounts. */
	uid_t trusted[AUTHD_TRUSTED];
	size_t ntrusted;
	size_t clients_max, clients_uid_max;
	int64_t ask_ms, answer_ms, spare_ms;
};

/* Serves until SIGTERM; exit code.  HUP reads the settings anew. */
int authd_run(const struct authd_config *);

#endif
