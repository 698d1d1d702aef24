/* supervise/superv.h - the one service that a supervise process watches. */
#ifndef SUPERVISE_SUPERV_H
#define SUPERVISE_SUPERV_H

#include "supervise/status.h"

struct superv {
	const char *dir;        /* as it was named, for messages; borrowed */
	struct status status;   /* what the status file says */
	bool due;               /* to be started as soon as start_ms allows */
	bool again;             /* due because it ended, not by command */
	bool exiting;           /* `x': end when the service is down */
	int64_t start_ms;       /* monotonic; no start before */
	int control, control_writer, ok, lock, signals;
};

/* Changes into dir, takes its lock, makes supervise/ and the fifos.  Exits
 * 111 with a message when it cannot: then no service was started. */
void superv_open(struct superv *, const char *dir);

/* Watches the service until it was told to exit.  Allocates nothing. */
void superv_run(struct superv *);

#endif
