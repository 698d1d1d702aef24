/* superv.c - start ./run, restart it, obey the control fifo.
 *
 * The states are few: the service is up (status.pid != 0), down, or down and
 * due for a start.  Starts are a second apart, so a run script that ends at
 * once does not eat the machine; after a fork that failed they are a minute
 * apart.  Commands are obeyed meanwhile.  Every change is written to
 * supervise/status at once.
 *
 * Invariant after superv_open: no heap, no new descriptors that stay open.  A
 * machine without memory keeps its supervise processes and what they know.
 * Trusts: whoever can write supervise/control, and ./run. */
#include "supervise/superv.h"

#include "supervise/tool.h"

#include "lib/fs.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define START_GAP_MS 1000       /* between two starts */
#define FORK_GAP_MS 60000       /* after no process could be made */

static void
announce(const struct superv *s)
{
	const char *file;

	if (status_write(&s->status, &file) < 0)
		tool_warn("unable to write %s/%s", s->dir, file);
}

/* The directory `supervise' may be a link to a place that does not exist
 * yet, as on a machine whose /run was emptied by a restart. */
static void
make_directory(const char *dir)
{
	char target[4096];
	struct stat st;
	ssize_t n;

	if (mkdir("supervise", 0700) == 0)
		return;
	if (errno != EEXIST)
		tool_die(111, "unable to create %s/supervise", dir);
	if (stat("supervise", &st) == 0)
		return;
	n = readlink("supervise", target, sizeof target);
	if (n <= 0 || (size_t)n >= sizeof target)
		tool_die(111, "unable to stat %s/supervise", dir);
	target[n] = '\0';
	if (mkdir(target, 0700) < 0)
		tool_die(111, "unable to create %s/supervise (link to %s)",
		    dir, target);
}

static int
open_fifo(const char *dir, const char *path)
{
	struct stat st;
	int fd;

	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		tool_die(111, "unable to create %s/%s", dir, path);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		tool_die(111, "unable to read %s/%s", dir, path);
	if (!S_ISFIFO(st.st_mode))
		die(111, "unable to read %s/%s: not a fifo", dir, path);
	return fd;
}

void
superv_open(struct superv *s, const char *dir)
{
	static const int signals[] = {SIGCHLD, 0};
	struct stat st;

	*s = (struct superv){.dir = dir, .status.want = 'u', .due = true};
	s->signals = sig_open(signals);
	if (s->signals < 0)
		tool_die(111, "unable to watch signals for %s", dir);
	if (chdir(dir) < 0)
		tool_die(111, "unable to chdir to %s", dir);
	if (stat("down", &st) == 0) {
		s->status.want = 'd';
		s->due = false;
	} else if (errno != ENOENT) {
		tool_die(111, "unable to stat %s/down", dir);
	}
	make_directory(dir);
	s->lock = fs_lock("supervise/lock", 0600, false);
	if (s->lock < 0)
		tool_die(111, "unable to acquire %s/supervise/lock", dir);
	s->control = open_fifo(dir, "supervise/control");
	/* Our own writer: without one the reader would see an endless EOF. */
	s->control_writer = status_open_control(AT_FDCWD);
	if (s->control_writer < 0)
		tool_die(111, "unable to write %s/supervise/control", dir);
	s->status.since = tai_now();
	announce(s);
	/* Last: who finds a reader here finds everything else in place. */
	s->ok = open_fifo(dir, "supervise/ok");
}

/* What proc_spawn says when the kernel had no process to give. */
static bool
fork_failed(int err)
{
	return err == EAGAIN || err == ENOMEM;
}

static void
start(struct superv *s)
{
	static const char *const argv[] = {"./run", NULL};
	static const struct proc_fd fds[] = {{0, 0}, {1, 1}, {2, 2}};
	const struct proc_spawn sp = {.argv = argv, .path = "./run",
	    .fds = fds, .nfds = 3};
	pid_t pid;

	s->start_ms = clock_mono_ms() + START_GAP_MS;
	if (proc_spawn(&sp, &pid) < 0) {
		if (fork_failed(errno)) {
			tool_warn("unable to fork for %s, sleeping 60 seconds",
			    s->dir);
			s->start_ms += FORK_GAP_MS - START_GAP_MS;
		} else {
			tool_warn("unable to start %s/run", s->dir);
			/* Once means once, unless no process was made. */
			s->due = s->status.want != 0;
		}
		s->due = s->due && !s->exiting;
		return;
	}
	s->due = s->again = false;
	s->status.pid = pid;
	s->status.paused = false;
	s->status.since = tai_now();
	announce(s);
}

static void
start_if_due(struct superv *s)
{
	if (s->due && s->status.pid == 0 && clock_mono_ms() >= s->start_ms)
		start(s);
}

static void
send_signal(const struct superv *s, int signal)
{
	if (s->status.pid != 0)
		(void)kill(s->status.pid, signal);
}

/* Letters that only send a signal. */
static int
signal_of(char c)
{
	switch (c) {
	case 'a': return SIGALRM;
	case 'h': return SIGHUP;
	case 'i': return SIGINT;
	case 'k': return SIGKILL;
	case 't': return SIGTERM;
	case 'q': return SIGQUIT;
	case '1': return SIGUSR1;
	case '2': return SIGUSR2;
	case 'w': return SIGWINCH;
	default:  return 0;
	}
}

static void
obey(struct superv *s, char c)
{
	switch (c) {
	case 'u':
		s->status.want = 'u';
		s->due = s->status.pid == 0;
		s->again = false;
		start_if_due(s);
		break;
	case 'd':
		s->status.want = 'd';
		s->due = false;
		send_signal(s, SIGTERM);
		send_signal(s, SIGCONT);
		s->status.paused = false;
		break;
	case 'o':
		s->status.want = 0;
		s->due = s->status.pid == 0;
		s->again = false;
		start_if_due(s);
		break;
	case 'p':
		send_signal(s, SIGSTOP);
		s->status.paused = s->status.pid != 0;
		break;
	case 'c':
		send_signal(s, SIGCONT);
		s->status.paused = false;
		break;
	case 'x':
		s->exiting = true;
		/* A start that was asked for and is a moment away still
		 * happens; one that only follows the last one's end, or
		 * waits for the kernel to have processes again, does not. */
		if (s->again || s->start_ms - clock_mono_ms() > START_GAP_MS)
			s->due = false;
		break;
	default:
		if (signal_of(c) != 0)
			send_signal(s, signal_of(c));
		return;
	}
	announce(s);
}

static bool
finished(const struct superv *s)
{
	return s->exiting && s->status.pid == 0 && !s->due;
}

static void
reap(struct superv *s)
{
	pid_t pid;
	int status;

	while ((pid = proc_reap(&status)) > 0) {
		if (pid != s->status.pid)
			continue;       /* a stranger's orphan */
		s->status.pid = 0;
		s->status.paused = false;
		s->status.since = tai_now();
		s->due = s->again = s->status.want == 'u' && !s->exiting;
		announce(s);
	}
}

static int
pause_ms(const struct superv *s)
{
	int64_t left = s->start_ms - clock_mono_ms();

	if (!s->due || s->status.pid != 0)
		return -1;
	return left > 0 ? (int)left : 0;
}

void
superv_run(struct superv *s)
{
	struct pollfd p[2] = {
		{.fd = s->signals, .events = POLLIN},
		{.fd = s->control, .events = POLLIN},
	};
	char c;

	start_if_due(s);
	while (!finished(s)) {
		(void)poll(p, 2, pause_ms(s));
		while (sig_next(s->signals) != 0)
			;
		reap(s);
		/* One letter a turn: each sees what the last one did.  Before
		 * the next start, because the service that has just ended may
		 * have been told not to come back. */
		if (!finished(s) && read(s->control, &c, 1) == 1)
			obey(s, c);
		start_if_due(s);
	}
	announce(s);
}
