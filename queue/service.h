/* queue/service.h - the queue service: many submitters, one commit. */
#ifndef QUEUE_SERVICE_H
#define QUEUE_SERVICE_H

#include <sys/types.h>

struct service_config {
	int listener;           /* HOME/run/queue, listening, non-blocking */
	int queue_dir;          /* HOME/queue, open; also the working directory */
	int signals;            /* from sig_open: SIGTERM ends it */
	uid_t uid_alias, uid_network, uid_bounce;
	size_t clients_max;     /* connections in all */
	size_t clients_uid_max; /* connections of one uid */
};

/* Serves until SIGTERM, then 0.  111 when the loop itself fails. */
int service_run(const struct service_config *);

#endif
