/* scan.c - what svscan does.
 *
 * Every five seconds, and at once on HUP, it looks at the directory: each
 * subdirectory gets a supervise, and one in s/log gets another with a pipe
 * between the two.  svscan keeps both ends of the pipe, so what a service has
 * said stays there whoever of the two is restarted.  A supervise that ended is
 * started again at the next look.
 *
 * The stop, on TERM or INT:
 *   1. every service's supervise gets "dx": TERM and CONT to the service, and
 *      supervise ends after it;
 *   2. when that supervise is gone svscan closes its writing end, the last
 *      one, and sends "cx" to the logger's supervise: the logger, were it
 *      paused, goes on, reads what is left, sees the end, ends;
 *   3. a logger that still runs after a while with nothing left to read (some
 *      process of the service holds the pipe) gets "d";
 *   4. when no supervise is left svscan is done.
 * Nothing is killed: a service that takes its time has it.
 *
 * As process 1 it also reaps whatever it inherits.  Every supervise leads a
 * session of its own, so a terminal's ^C reaches svscan alone, which then
 * stops the services in order.
 *
 * Trusts: whoever can write the service directory. */
#include "supervise/scan.h"

#include "supervise/status.h"
#include "supervise/tool.h"

#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_TICK_MS 200        /* between two looks while stopping */
#define LOGGER_GRACE_MS 3000    /* for a logger that misses its end of file */
#define UNREACHABLE_MS 10000    /* for a supervise without control fifo */

struct logpath {
	char s[SCAN_NAME + 4];
};

static const char *
log_path(struct logpath *out, const char *name)
{
	(void)snprintf(out->s, sizeof out->s, "%s/log", name);
	return out->s;
}

void
scan_open(struct scan *s)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0};

	*s = (struct scan){.slots = mem_alloc(SCAN_MAX, sizeof *s->slots)};
	s->signals = sig_open(signals);
	if (s->signals < 0)
		tool_die(111, "unable to watch signals");
}

/* --- starting --- */

static void
start(struct scan_child *c, const char *what, const char *dir, const char *arg,
    int in, int out)
{
	const char *const argv[] = {"supervise", arg, NULL};
	const struct proc_fd fds[] = {{in, 0}, {out, 1}, {2, 2}};
	const struct proc_spawn sp = {.argv = argv, .dir = dir, .fds = fds,
	    .nfds = 3, .new_session = true};

	if (c->pid == 0 && proc_spawn(&sp, &c->pid) < 0) {
		c->pid = 0;
		tool_warn("unable to start supervise %s", what);
	}
}

static struct scan_slot *
find(struct scan *s, const struct stat *st)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->slots[i].service.dev == st->st_dev &&
		    s->slots[i].service.ino == st->st_ino)
			return &s->slots[i];
	return NULL;
}

static struct scan_slot *
add(struct scan *s, const char *name, const struct stat *st)
{
	struct scan_slot slot = {.pipe = {-1, -1},
	    .service = {.dev = st->st_dev, .ino = st->st_ino}};
	struct logpath path;
	struct stat lst;

	if (s->n == SCAN_MAX) {
		log_warn("unable to start %s: running too many services",
		    name);
		return NULL;
	}
	if (stat(log_path(&path, name), &lst) == 0) {
		if (S_ISDIR(lst.st_mode)) {
			if (proc_pipe(&slot.pipe[0], &slot.pipe[1]) < 0) {
				tool_warn("unable to create pipe for %s",
				    name);
				return NULL;
			}
			slot.logged = true;
			slot.logger.dev = lst.st_dev;
			slot.logger.ino = lst.st_ino;
		}
	} else if (errno != ENOENT) {
		tool_warn("unable to stat %s", path.s);
		return NULL;
	}
	s->slots[s->n] = slot;
	return &s->slots[s->n++];
}

static void
look_at(struct scan *s, const char *name)
{
	struct scan_slot *slot;
	struct logpath path;
	struct stat st;

	if (name[0] == '.' || strlen(name) >= SCAN_NAME)
		return;
	if (stat(name, &st) < 0) {
		tool_warn("unable to stat %s", name);
		return;
	}
	if (!S_ISDIR(st.st_mode))
		return;
	if ((slot = find(s, &st)) == NULL &&
	    (slot = add(s, name, &st)) == NULL)
		return;
	memcpy(slot->name, name, strlen(name) + 1);
	slot->seen = true;
	start(&slot->service, name, NULL, name, 0,
	    slot->logged ? slot->pipe[1] : 1);
	if (slot->logged)
		start(&slot->logger, log_path(&path, name), name, "log",
		    slot->pipe[0], 1);
}

/* Forgets what has neither a directory nor a supervise any more. */
static void
forget(struct scan *s)
{
	for (size_t i = 0; i < s->n;) {
		struct scan_slot *slot = &s->slots[i];

		if (slot->seen || slot->service.pid != 0 ||
		    slot->logger.pid != 0) {
			i++;
			continue;
		}
		if (slot->logged) {
			(void)close(slot->pipe[0]);
			(void)close(slot->pipe[1]);
		}
		*slot = s->slots[--s->n];
	}
}

static void
look(struct scan *s)
{
	struct dirent *d;
	DIR *dp = opendir(".");

	if (dp == NULL) {
		tool_warn("unable to read directory");
		return;
	}
	for (size_t i = 0; i < s->n; i++)
		s->slots[i].seen = false;
	for (;;) {
		errno = 0;
		if ((d = readdir(dp)) == NULL)
			break;
		look_at(s, d->d_name);
	}
	if (errno != 0)
		tool_warn("unable to read directory");
	else
		forget(s);
	(void)closedir(dp);
}

/* --- stopping --- */

/* A directory at path, if it is the one the child was started in. */
static int
open_if(const char *path, const struct scan_child *c)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && st.st_dev == c->dev &&
	    st.st_ino == c->ino)
		return fd;
	(void)close(fd);
	errno = ENOENT;
	return -1;
}

/* Letters to a supervise, whose directory may have been renamed or taken out
 * of ours since.  0, or -1 with errno. */
static int
tell(const struct scan_child *c, const char *path, const char *letters)
{
	char proc[64];
	int dir, fd;
	ssize_t w;

	(void)snprintf(proc, sizeof proc, "/proc/%ld/cwd", (long)c->pid);
	dir = open_if(path, c);
	if (dir < 0)
		dir = open_if(proc, c);
	if (dir < 0)
		return -1;
	fd = status_open_control(dir);
	(void)close(dir);
	if (fd < 0)
		return -1;
	w = write(fd, letters, strlen(letters));
	(void)close(fd);
	return w < 0 ? -1 : 0;
}

/* One that has just been started has no fifo yet: tried until it has.  One
 * that never gets one is not obeyed by its service either way. */
static void
tell_exit(const struct scan *s, struct scan_child *c, const char *path,
    const char *letters)
{
	int64_t now = clock_mono_ms();

	if (tell(c, path, letters) == 0) {
		c->told = true;
	} else if (now - s->stop_ms > UNREACHABLE_MS) {
		tool_warn("unable to control supervise %s, ending it", path);
		(void)kill(c->pid, SIGTERM);
		c->told = c->pushed = true;
	}
	c->told_ms = now;
}

static bool
pipe_is_empty(int fd)
{
	int n;

	return ioctl(fd, FIONREAD, &n) == 0 && n == 0;
}

/* True when nothing of the slot runs any more. */
static bool
stop_slot(const struct scan *s, struct scan_slot *slot)
{
	struct scan_child *c = &slot->logger;
	struct logpath path;

	if (slot->service.pid != 0) {
		if (!slot->service.told)
			tell_exit(s, &slot->service, slot->name, "dx");
		return false;
	}
	if (slot->logged && slot->pipe[1] >= 0) {
		(void)close(slot->pipe[1]);
		slot->pipe[1] = -1;
	}
	if (c->pid == 0)
		return true;
	(void)log_path(&path, slot->name);
	if (!c->told)
		tell_exit(s, c, path.s, "cx");
	else if (!c->pushed && pipe_is_empty(slot->pipe[0]) &&
	    clock_mono_ms() - c->told_ms > LOGGER_GRACE_MS)
		c->pushed = tell(c, path.s, "d") == 0;
	return false;
}

static bool
stop_all(const struct scan *s)
{
	bool done = true;

	for (size_t i = 0; i < s->n; i++)
		done = stop_slot(s, &s->slots[i]) && done;
	return done;
}

/* --- both --- */

static void
reap(struct scan *s)
{
	pid_t pid;
	int status;

	while ((pid = proc_reap(&status)) > 0) {
		for (size_t i = 0; i < s->n; i++) {
			if (s->slots[i].service.pid == pid)
				s->slots[i].service.pid = 0;
			if (s->slots[i].logger.pid == pid)
				s->slots[i].logger.pid = 0;
		}
	}
}

static void
take_signals(struct scan *s)
{
	int sig;

	while ((sig = sig_next(s->signals)) != 0) {
		if (sig == SIGHUP) {
			s->look_ms = clock_mono_ms();
		} else if (sig != SIGCHLD && !s->stopping) {
			s->stopping = true;
			s->stop_ms = clock_mono_ms();
		}
	}
	reap(s);
}

void
scan_run(struct scan *s)
{
	struct pollfd p = {.fd = s->signals, .events = POLLIN};

	s->look_ms = clock_mono_ms();
	for (;;) {
		int64_t now = clock_mono_ms(), wait = STOP_TICK_MS;

		if (s->stopping) {
			if (stop_all(s))
				return;
		} else {
			if (now >= s->look_ms) {
				look(s);
				s->look_ms = now + SCAN_GAP_MS;
			}
			wait = s->look_ms - now;
		}
		(void)poll(&p, 1, (int)wait);
		take_signals(s);
	}
}
