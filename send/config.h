/* send/config.h - what qmail-send and qmail-todo know from control/. */
#ifndef SEND_CONFIG_H
#define SEND_CONFIG_H

#include "lib/map.h"
#include "lib/str.h"

enum { CHANNEL_LOCAL, CHANNEL_REMOTE, CHANNELS };

struct config {
	struct map locals, percenthack; /* domain -> anything */
	struct map vdoms;               /* key -> the prepend, owned here */
	struct str envnoathost;
	uint64_t lifetime;              /* seconds */
	uint64_t concurrency[CHANNELS];
};

/* Reads everything into out, which is {0}.  -1: a file could not be read; it
 * is logged, and out is {0} again, so that the old settings can stay. */
__attribute__((warn_unused_result))
int config_load(struct config *out);
void config_free(struct config *);

#endif
