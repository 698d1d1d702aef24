/* remote/deliver.h - a message to recipients of one host: route, addresses,
 * sessions, one after the other until every recipient has its verdict.
 *
 *	route (routes.h) or MX (mxlist.h)  ->  addresses, at most five
 *	a race of one host's addresses (lib/tcp.h)
 *	policy (tlspolicy.h), session (smtp.h), transaction (transaction.h)
 *	4yz and lost sessions: the next host; at most two sessions
 *
 * A host that refuses to talk, or refuses the sender, for good is an answer
 * for good only when every host that was tried says so. */
#ifndef REMOTE_DELIVER_H
#define REMOTE_DELIVER_H

#include "remote/job.h"
#include "remote/smtp.h"

#define DELIVER_SESSIONS_MAX 2  /* count, in one delivery */

/* s is {0} with fd -1, or a session kept from an earlier delivery to the same
 * host, which is used as long as it works.  Afterwards s->open says whether it
 * may be kept. */
void deliver(struct smtp *s, const struct remote_config *, const char *host,
    struct job *);

#endif
