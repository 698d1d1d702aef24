/* TESTS/bench/load.h - what the bench's drivers share: the clock, the watch
 * over mailboxes, counts, the line of JSON they end with.
 *
 * One driver is one process, so that both systems compared pay the same. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define BUCKET_MS 100
#define BUCKETS 12000           /* twenty minutes */
#define MAILBOXES_MAX 1000

struct load {
	char *rcpt[MAILBOXES_MAX];
	size_t nrcpt;
	int watch;              /* the mailboxes' inotify descriptor, or -1 */
	long want, limit;       /* messages, seconds */
	long started, taken, refused, arrived;
	long arrived_at_end;    /* when the last one had been taken */
	double t0, t_inject, t_first, t_last;
	double *took;           /* milliseconds of each taken one */
	long in[BUCKETS], out[BUCKETS];
};

void load_die(const char *what);        /* with errno; exit 111 */
double load_now(void);
long load_number(const char *);         /* exit 100 when it is none */
long load_last_pid(void);               /* the newest of this pid namespace */

/* As root: reads "address directory" lines; a directory "-" is not watched. */
void load_open(struct load *, const char *mailboxes);
const char *load_next_rcpt(const struct load *);
void load_taken(struct load *, double ms);
void load_refused(struct load *);
void load_arrived(struct load *);
void load_count_arrivals(struct load *);
bool load_done(const struct load *);    /* or out of time */
/* pids: processes made meanwhile; extra: more JSON members or "". */
void load_report(struct load *, long pids, const char *extra);

#endif
