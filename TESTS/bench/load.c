/* TESTS/bench/load.c - see load.h. */
#include "TESTS/bench/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void
load_die(const char *what)
{
	fprintf(stderr, "drive: fatal: unable to %s: %s\n", what,
	    strerror(errno));
	exit(111);
}

double
load_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

long
load_number(const char *s)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (*s == '\0' || *end != '\0' || n < 0) {
		fprintf(stderr, "drive: fatal: not a number: %s\n", s);
		exit(100);
	}
	return n;
}

long
load_last_pid(void)
{
	char buf[128];
	const char *space;
	int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof buf - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	space = strrchr(buf, ' ');
	return space == NULL ? 0 : strtol(space + 1, NULL, 10);
}

static size_t
bucket(const struct load *d)
{
	size_t b = (size_t)((load_now() - d->t0) * 1000 / BUCKET_MS);

	return b < BUCKETS ? b : BUCKETS - 1;
}

void
load_open(struct load *d, const char *mailboxes)
{
	char addr[512], dir[1024];
	FILE *f = fopen(mailboxes, "r");

	if (f == NULL)
		load_die("read the mailbox file");
	d->took = calloc((size_t)d->want, sizeof *d->took);
	d->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (d->took == NULL || d->watch < 0)
		load_die("start");
	while (d->nrcpt < MAILBOXES_MAX &&
	    fscanf(f, "%511s %1023s", addr, dir) == 2) {
		if (strcmp(dir, "-") != 0 && inotify_add_watch(d->watch, dir,
		    IN_CREATE | IN_MOVED_TO) < 0)
			load_die("watch a mailbox");
		if ((d->rcpt[d->nrcpt++] = strdup(addr)) == NULL)
			load_die("allocate");
	}
	fclose(f);
	if (d->nrcpt == 0) {
		fprintf(stderr, "drive: fatal: no mailbox in %s\n", mailboxes);
		exit(100);
	}
}

const char *
load_next_rcpt(const struct load *d)
{
	return d->rcpt[(size_t)d->started % d->nrcpt];
}

static void
ended(struct load *d)
{
	if (d->t_inject == 0 && d->taken + d->refused == d->want) {
		d->t_inject = load_now() - d->t0;
		d->arrived_at_end = d->arrived;
	}
}

void
load_taken(struct load *d, double ms)
{
	d->took[d->taken++] = ms;
	d->in[bucket(d)]++;
	ended(d);
}

void
load_refused(struct load *d)
{
	d->refused++;
	ended(d);
}

void
load_arrived(struct load *d)
{
	d->arrived++;
	d->out[bucket(d)]++;
	d->t_last = load_now() - d->t0;
	if (d->t_first == 0)
		d->t_first = d->t_last;
}

void
load_count_arrivals(struct load *d)
{
	static char buf[65536]
	    __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	while ((n = read(d->watch, buf, sizeof buf)) > 0) {
		for (char *p = buf; p < buf + n; ) {
			struct inotify_event ev;

			memcpy(&ev, p, sizeof ev);
			p += sizeof ev + ev.len;
			if (ev.mask & IN_Q_OVERFLOW) {
				errno = EOVERFLOW;
				load_die("watch the mailboxes");
			}
			if (ev.len != 0)
				load_arrived(d);
		}
	}
}

bool
load_done(const struct load *d)
{
	return (d->t_inject != 0 && d->arrived >= d->taken) ||
	    load_now() - d->t0 > (double)d->limit;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void
load_report(struct load *d, long pids, const char *extra)
{
	struct rusage self;
	size_t last = bucket(d);

	qsort(d->took, (size_t)d->taken, sizeof *d->took, by_value);
	getrusage(RUSAGE_SELF, &self);
	printf("{\"taken\": %ld, \"refused\": %ld, \"arrived\": %ld, "
	    "\"arrived_at_end\": %ld, \"inject_s\": %.4f, \"first_s\": %.4f, "
	    "\"last_s\": %.4f, \"pids\": %ld, \"own_cpu_s\": %.4f, %s",
	    d->taken, d->refused, d->arrived, d->arrived_at_end, d->t_inject,
	    d->t_first, d->t_last, pids,
	    (double)(self.ru_utime.tv_sec + self.ru_stime.tv_sec) +
	    (double)(self.ru_utime.tv_usec + self.ru_stime.tv_usec) / 1e6,
	    extra);
	printf("\"p50_ms\": %.2f, \"p99_ms\": %.2f, \"bucket_ms\": %d, ",
	    d->taken ? d->took[d->taken / 2] : 0,
	    d->taken ? d->took[d->taken * 99 / 100] : 0, BUCKET_MS);
	printf("\"in\": [");
	for (size_t i = 0; i <= last; i++)
		printf("%s%ld", i ? ", " : "", d->in[i]);
	printf("], \"out\": [");
	for (size_t i = 0; i <= last; i++)
		printf("%s%ld", i ? ", " : "", d->out[i]);
	printf("]}\n");
}
