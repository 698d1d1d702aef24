/* drive - inject messages through a sendmail command and watch them arrive.
 *
 * drive -u uid -g gid -c injectors -n messages -b bodyfile -t seconds
 *     -m mailboxfile sendmail
 *
 * The mailbox file has lines "address directory"; messages go to the
 * addresses in turn, each by one `sendmail -i -f sender address' with the body
 * file on 0, `injectors' of them at a time.  A message has arrived when a name
 * appears in one of the directories.  As root it sets the watches, then it
 * becomes uid:gid for good.  Prints one line of JSON; exit 0 when every
 * message was taken and arrived in time, 1 when not, 111 on trouble.
 *
 * One process, so that both systems compared pay the same for it. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUCKET_MS 100
#define BUCKETS 12000           /* twenty minutes */
#define INJECTORS_MAX 1000
#define MAILBOXES_MAX 1000

struct slot { pid_t pid; double start; };

struct drive {
	const char *sendmail, *body;
	char *rcpt[MAILBOXES_MAX];
	size_t nrcpt;
	int watch;              /* the mailboxes' inotify descriptor */
	long want, injectors, limit;
	long started, taken, refused, arrived;
	long arrived_at_end;    /* when the last sendmail had ended */
	double t0, t_inject, t_first, t_last;
	struct slot slot[INJECTORS_MAX];
	double *took;           /* milliseconds of each sendmail */
	long in[BUCKETS], out[BUCKETS];
};

static void
die(const char *what)
{
	fprintf(stderr, "drive: fatal: unable to %s: %s\n", what,
	    strerror(errno));
	exit(111);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static long
number(const char *s)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (*s == '\0' || *end != '\0' || n < 0) {
		fprintf(stderr, "drive: fatal: not a number: %s\n", s);
		exit(100);
	}
	return n;
}

/* The newest pid of this pid namespace. */
static long
last_pid(void)
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
bucket(const struct drive *d)
{
	size_t b = (size_t)((now() - d->t0) * 1000 / BUCKET_MS);

	return b < BUCKETS ? b : BUCKETS - 1;
}

static void
start_one(struct drive *d, struct slot *slot)
{
	const char *rcpt = d->rcpt[(size_t)d->started % d->nrcpt];
	char *const argv[] = { (char *)(uintptr_t)d->sendmail,
	    (char *)(uintptr_t)"-i", (char *)(uintptr_t)"-f",
	    (char *)(uintptr_t)"sender", (char *)(uintptr_t)rcpt, NULL };
	extern char **environ;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, d->body, O_RDONLY, 0);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	slot->start = now();
	errno = posix_spawn(&slot->pid, d->sendmail, &fa, &attr, argv,
	    environ);
	if (errno != 0)
		die("run sendmail");
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&attr);
	d->started++;
}

static void
count_arrivals(struct drive *d)
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
				die("watch the mailboxes");
			}
			if (ev.len == 0)
				continue;
			d->arrived++;
			d->out[bucket(d)]++;
			d->t_last = now() - d->t0;
			if (d->t_first == 0)
				d->t_first = d->t_last;
		}
	}
}

static void
reap(struct drive *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct slot *slot = NULL;

		for (long i = 0; i < d->injectors; i++)
			if (d->slot[i].pid == pid)
				slot = &d->slot[i];
		if (slot == NULL)
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
			d->took[d->taken++] = (now() - slot->start) * 1000;
			d->in[bucket(d)]++;
		} else
			d->refused++;
		slot->pid = 0;
		if (d->started < d->want)
			start_one(d, slot);
		/* With many injectors there is always one to reap. */
		count_arrivals(d);
	}
	if (d->t_inject == 0 && d->taken + d->refused == d->want) {
		d->t_inject = now() - d->t0;
		d->arrived_at_end = d->arrived;
	}
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
report(struct drive *d, long pids)
{
	struct rusage self;
	size_t last = bucket(d);

	qsort(d->took, (size_t)d->taken, sizeof *d->took, by_value);
	getrusage(RUSAGE_SELF, &self);
	printf("{\"taken\": %ld, \"refused\": %ld, \"arrived\": %ld, "
	    "\"arrived_at_end\": %ld, \"inject_s\": %.4f, \"first_s\": %.4f, "
	    "\"last_s\": %.4f, \"pids\": %ld, \"own_cpu_s\": %.4f, ",
	    d->taken, d->refused, d->arrived, d->arrived_at_end, d->t_inject,
	    d->t_first, d->t_last, pids,
	    (double)(self.ru_utime.tv_sec + self.ru_stime.tv_sec) +
	    (double)(self.ru_utime.tv_usec + self.ru_stime.tv_usec) / 1e6);
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

static void
read_mailboxes(struct drive *d, const char *path)
{
	char addr[512], dir[1024];
	FILE *f = fopen(path, "r");

	if (f == NULL)
		die("read the mailbox file");
	while (d->nrcpt < MAILBOXES_MAX &&
	    fscanf(f, "%511s %1023s", addr, dir) == 2) {
		if (inotify_add_watch(d->watch, dir, IN_CREATE | IN_MOVED_TO) < 0)
			die("watch a mailbox");
		if ((d->rcpt[d->nrcpt++] = strdup(addr)) == NULL)
			die("allocate");
	}
	fclose(f);
	if (d->nrcpt == 0) {
		fprintf(stderr, "drive: fatal: no mailbox in %s\n", path);
		exit(100);
	}
}

static void
run(struct drive *d)
{
	struct pollfd pfd[2] = { { d->watch, POLLIN, 0 }, { -1, POLLIN, 0 } };
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	pfd[1].fd = signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);
	if (pfd[1].fd < 0)
		die("make a signal descriptor");
	d->t0 = now();
	for (long i = 0; i < d->injectors && d->started < d->want; i++)
		start_one(d, &d->slot[i]);
	while (d->t_inject == 0 || d->arrived < d->taken) {
		struct signalfd_siginfo si;

		if (now() - d->t0 > (double)d->limit)
			break;
		if (poll(pfd, 2, 1000) < 0)
			die("poll");
		while (read(pfd[1].fd, &si, sizeof si) > 0)
			;
		count_arrivals(d);
		reap(d);
	}
}

int
main(int argc, char **argv)
{
	static struct drive d;
	const char *mailboxes = NULL;
	uid_t uid = 0;
	gid_t gid = 0;
	long before;
	int o;

	d.injectors = 1;
	d.want = 1;
	d.limit = 600;
	while ((o = getopt(argc, argv, "u:g:c:n:b:t:m:")) != -1)
		switch (o) {
		case 'u': uid = (uid_t)number(optarg); break;
		case 'g': gid = (gid_t)number(optarg); break;
		case 'c': d.injectors = number(optarg); break;
		case 'n': d.want = number(optarg); break;
		case 'b': d.body = optarg; break;
		case 't': d.limit = number(optarg); break;
		case 'm': mailboxes = optarg; break;
		default: return 100;
		}
	if (optind + 1 != argc || d.body == NULL || mailboxes == NULL ||
	    d.want < 1 || d.injectors < 1 || d.injectors > INJECTORS_MAX) {
		fprintf(stderr, "drive: usage: drive -u uid -g gid -c n -n n "
		    "-b body -t seconds -m mailboxes sendmail\n");
		return 100;
	}
	d.sendmail = argv[optind];
	d.took = calloc((size_t)d.want, sizeof *d.took);
	d.watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (d.took == NULL || d.watch < 0)
		die("start");
	read_mailboxes(&d, mailboxes);
	if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		die("become the sender");
	before = last_pid();
	run(&d);
	report(&d, last_pid() - before);
	return d.refused == 0 && d.arrived == d.want ? 0 : 1;
}
