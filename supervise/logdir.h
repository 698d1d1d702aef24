/* supervise/logdir.h - one automatically rotated log.
 *
 * The directory holds:
 *   lock       flock'ed while a multilog writes here
 *   current    mode 0644 while in use, 0744 when complete and on disk
 *   previous   a full file that waits for its processor
 *   processed  what the processor has made of it; 0744: complete, on disk
 *   state      what the processor wrote to descriptor 5 last time
 *   newstate   what it writes there now
 *   @LABEL.s   an old file, complete and on disk; @LABEL.u: found unfinished
 *
 * Until logdir_open has returned every trouble exits 111.  After that trouble
 * is told, and tried again every LOGDIR_PAUSE_MS until it is over: no line is
 * ever dropped, the writer of the pipe waits. */
#ifndef SUPERVISE_LOGDIR_H
#define SUPERVISE_LOGDIR_H

#include "lib/str.h"

#include <sys/types.h>

#define LOGDIR_SIZE 99999u              /* bytes a file, unless told */
#define LOGDIR_SIZE_MIN 4096u
#define LOGDIR_SIZE_MAX 16777215u
#define LOGDIR_NUM 10u                  /* files, unless told */
#define LOGDIR_NUM_MIN 2u
#define LOGDIR_NEAR 2000u               /* a line that ends here is the last */
#define LOGDIR_PAUSE_MS 5000
#define LOGDIR_BUF 65536u               /* bytes held until logdir_flush */

struct logdir {
	const char *name;               /* borrowed, as all strings here */
	const char *processor;          /* shell command, NULL: none */
	uint64_t size;
	uint64_t num;
	bool ready;                     /* trouble pauses instead of exiting */
	int home;                       /* where we are: for the way back */
	int dirfd, lock, fd;
	uint64_t bytes;                 /* in current */
	bool waiting;                   /* previous is there to be processed */
	pid_t pid;                      /* of the processor, 0: none runs */
	int64_t retry_ms;               /* monotonic: when to run it again */
	char *buf;
	size_t len;
};

/* name, processor, size and num are set.  Creates, locks, repairs. */
void logdir_open(struct logdir *);
void logdir_put(struct logdir *, const char *bytes, size_t n);
void logdir_flush(struct logdir *);     /* current has it; not synced */
/* Starts a new file now, unless nothing is in current. */
void logdir_rotate(struct logdir *);

/* A child has ended: ours or not. */
void logdir_reaped(struct logdir *, pid_t pid, int status);
/* Runs the processor again when its time has come.  Milliseconds until this
 * wants to be called again, -1: never. */
int logdir_tick(struct logdir *);

/* Flushes, waits for the processor, leaves current complete and on disk. */
void logdir_close(struct logdir *);

#endif
