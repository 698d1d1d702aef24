/* send/config.h - what qmail-send and qmail-todo know from control/. */
#ifndef SEND_CONFIG_H
#define SEND_CONFIG_H

#include "control/route.h"

enum {
	CHANNEL_LOCAL = ROUTE_LOCAL,
	CHANNEL_REMOTE = ROUTE_REMOTE,
	CHANNELS
};

struct config {
	struct route route;
	uint64_t lifetime;              /* seconds */
	uint64_t concurrency[CHANNELS];
	uint64_t per_host;              /* remote deliveries, 0: no limit */
	uint64_t group;                 /* recipients a transaction, 1 .. */
};

/* Reads everything into out, which is {0}.  -1: a file could not be read; it
 * is logged, and out is {0} again, so that the old settings can stay. */
__attribute__((warn_unused_result))
int config_load(struct config *out);
void config_free(struct config *);

#endif
