/* local/worker.h - deliver message after message for one user.
 *
 * Packets of mail/localproto.h on descriptor 0.  Mail whose instructions name
 * only Maildirs is delivered here, as many messages at once as are waiting,
 * with shared syncs; everything else gets a child of its own, so that nobody
 * waits for somebody's slow program.  Ends at the end of its input, once what
 * has begun is finished.  Runs as the user; trusts qmail-lspawn. */
#ifndef LOCAL_WORKER_H
#define LOCAL_WORKER_H

#include "mail/localproto.h"

#include <sys/types.h>

#define WORKER_BATCH 64         /* messages that share their syncs */
#define WORKER_JOBS LOCALPROTO_JOBS     /* accepted and not yet reported */
#define WORKER_CHILDREN 64      /* deliveries with a process of their own */
#define WORKER_STEPS 8          /* Maildirs of one message in a batch */

/* Returns the exit code of the program. */
int worker_run(int sock, const char *user, const char *home,
    const char *aliasempty);

#endif
