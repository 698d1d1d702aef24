/* supervise/scan.h - one supervise for each service directory, and the end of
 * all of them in order. */
#ifndef SUPERVISE_SCAN_H
#define SUPERVISE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SCAN_MAX 1000           /* services */
#define SCAN_GAP_MS 5000        /* between two looks at the directory */
#define SCAN_NAME 256           /* NAME_MAX and its NUL */

/* A supervise process and the directory it runs in. */
struct scan_child {
	pid_t pid;              /* 0: none */
	dev_t dev;
	ino_t ino;
	bool told;              /* to exit, while stopping */
	bool pushed;            /* its program was told to end, too */
	int64_t told_ms;
};

struct scan_slot {
	char name[SCAN_NAME];   /* under which it was seen last */
	bool seen;              /* in the present look */
	bool logged;            /* has a log: pipe is open */
	struct scan_child service, logger;
	int pipe[2];
};

struct scan {
	struct scan_slot *slots;
	size_t n;
	bool stopping;
	int64_t stop_ms;        /* monotonic, when the stop began */
	int64_t look_ms;        /* when to look again */
	int signals;
};

/* In the directory of the services.  Exits 111 when it cannot start. */
void scan_open(struct scan *);
/* Until TERM or INT, and then until every supervise has ended. */
void scan_run(struct scan *);

#endif
