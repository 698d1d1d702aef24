/* rspawn/rspawn.c - the spawning loop; see rspawn.h.
 *
 * A delivery is over when its process has ended and its pipe was read as far
 * as it was filled then: a grandchild that keeps the pipe open holds nothing
 * up.  Its slot lives from the command to the queueing of the report.
 *
 *	command -> open message -> spawn -> pipe bytes -> wait status -> report
 *
 * Every failure on the way is a report with Z for that delivery alone. */
#include "rspawn/rspawn.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/map.h"
#include "lib/proc.h"
#include "lib/sig.h"
#include "mail/limits.h"
#include "mail/spawnproto.h"
#include "rspawn/report.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FDS_OURS 32             /* descriptors that are not deliveries' */
#define TCPTO_SIZE 1024         /* bytes: 64 records of 16 */
#define READ_SIZE 4096          /* bytes a read */

struct rspawn {
	const struct rspawn_config *cfg;
	struct loop loop;
	struct loop_watch commands, reports, signals;
	struct spawn_command cmd;
	struct map by_delnum, by_pid;
	unsigned running;
	struct str out;         /* reports on their way, from sent on */
	size_t sent;
	bool ended;             /* no more commands */
	int fail;               /* errno of a pipe, ends the loop */
};

struct delivery {
	struct rspawn *rs;
	unsigned delnum;
	pid_t pid;
	struct loop_watch pipe; /* fd -1 after its end */
	struct report report;
};

unsigned
rspawn_capacity(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return 1;
	rl.rlim_cur = rl.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur <= FDS_OURS)
		return 1;
	if (rl.rlim_cur - FDS_OURS > SPAWN_WIDE_MAX)
		return SPAWN_WIDE_MAX;
	return (unsigned)(rl.rlim_cur - FDS_OURS);
}

int
rspawn_clear_tcpto(const char *path)
{
	static const char zeros[TCPTO_SIZE];
	int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC), r = -1;

	if (fd < 0)
		return -1;
	if (ftruncate(fd, 0) == 0 && fd_write_all(fd, zeros, sizeof zeros) == 0)
		r = 0;
	(void)close(fd);
	return r;
}

static void
send_reports(struct rspawn *rs)
{
	while (rs->sent < rs->out.len) {
		ssize_t n = write(rs->cfg->report_fd, rs->out.s + rs->sent,
		    rs->out.len - rs->sent);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN)
				rs->fail = errno;
			break;
		}
		rs->sent += (size_t)n;
	}
	if (rs->sent == rs->out.len) {
		str_clear(&rs->out);
		rs->sent = 0;
	}
	loop_want(&rs->loop, &rs->reports, rs->out.len > 0 ? LOOP_WRITE : 0);
}

static void
say(struct rspawn *rs, unsigned delnum, const struct str *text)
{
	spawn_cat_report(&rs->out, true, delnum, str_c(text), text->len);
}

/* The delivery never began. */
static void
refuse(struct rspawn *rs, const char *what, const char *reason)
{
	struct str text = {0};

	str_catf(&text, "Z%s: %s. (#4.3.0)\n", what, reason);
	say(rs, rs->cmd.delnum, &text);
	str_free(&text);
}

static void
delivery_finish_take(struct delivery *d, int status)
{
	struct rspawn *rs = d->rs;
	struct str text = {0};

	report_end(&d->report, status, &text);
	say(rs, d->delnum, &text);
	map_del_id(&rs->by_delnum, d->delnum);
	map_del_id(&rs->by_pid, (uint64_t)d->pid);
	rs->running--;
	if (d->pipe.fd >= 0) {
		loop_del(&rs->loop, &d->pipe);
		(void)close(d->pipe.fd);
	}
	report_free(&d->report);
	str_free(&text);
	free(d);
}

/* True when there may be more now; at the end of the pipe it is closed. */
static bool
delivery_read(struct delivery *d)
{
	char buf[READ_SIZE];
	ssize_t n = d->pipe.fd < 0 ? -1 : read(d->pipe.fd, buf, sizeof buf);

	if (n > 0) {
		report_add(&d->report, buf, (size_t)n);
		return true;
	}
	if (d->pipe.fd < 0 || (n < 0 && errno == EAGAIN))
		return false;
	if (n < 0 && errno == EINTR)
		return true;
	loop_del(&d->rs->loop, &d->pipe);
	(void)close(d->pipe.fd);
	d->pipe.fd = -1;
	return false;
}

static void
on_pipe(struct loop_watch *w, uint32_t got)
{
	(void)got;
	(void)delivery_read(w->owner);
}

/* What the process left in its pipe is at most the pipe's size, so this ends
 * even when somebody else goes on writing. */
static void
drain(struct delivery *d)
{
	for (unsigned i = 0; i < 1024 && delivery_read(d); i++)
		continue;
}

static void
on_signal(struct loop_watch *w, uint32_t got)
{
	struct rspawn *rs = w->owner;
	struct delivery *d;
	int status;
	pid_t pid;

	(void)got;
	while (sig_next(w->fd) != 0)
		continue;
	while ((pid = proc_reap(&status)) > 0) {
		d = map_get_id(&rs->by_pid, (uint64_t)pid);
		if (d == NULL)
			continue;
		drain(d);
		delivery_finish_take(d, status);
	}
	send_reports(rs);
}

/* The message file, or -1 with the reason. */
static int
open_message(const struct rspawn *rs, const char **reason)
{
	struct stat st;
	int fd;

	*reason = "not a message number";
	if (!spawn_messid_ok(&rs->cmd.messid))
		return -1;
	fd = open(str_c(&rs->cmd.messid),
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	*reason = strerror(errno);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		*reason = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*reason = "not a regular file";
	else if (st.st_uid != rs->cfg->queue_uid)
		*reason = "not owned by the queue's user";
	else
		return fd;
	(void)close(fd);
	return -1;
}

/* Starts qmail-remote: its pid and the end of its pipe; -1 with errno. */
static int
start(const struct rspawn *rs, int message, const char *host, pid_t *pid,
    int *pipe_out)
{
	const char *argv[] = {rs->cfg->remote, host, str_c(&rs->cmd.sender),
	    str_c(&rs->cmd.rcpt), NULL};
	int r, w, e;

	if (proc_pipe(&r, &w) < 0)
		return -1;
	{
		struct proc_fd fds[] = {{message, 0}, {w, 1}, {2, 2}};
		struct proc_spawn sp = {.argv = argv, .fds = fds, .nfds = 3};

		if (fd_nonblock(r) == 0 && proc_spawn(&sp, pid) == 0) {
			(void)close(w);
			*pipe_out = r;
			return 0;
		}
	}
	e = errno;
	(void)close(r);
	(void)close(w);
	errno = e;
	return -1;
}

/* The process runs: nothing below may lose it. */
static void
adopt(struct rspawn *rs, pid_t pid, int fd)
{
	struct delivery *d = mem_alloc(1, sizeof *d);

	d->rs = rs;
	d->delnum = rs->cmd.delnum;
	d->pid = pid;
	d->pipe = (struct loop_watch){.fd = fd, .want = LOOP_READ,
	    .ready = on_pipe, .owner = d};
	map_set_id(&rs->by_delnum, d->delnum, d);
	map_set_id(&rs->by_pid, (uint64_t)pid, d);
	rs->running++;
	/* Unwatched it could fill its pipe and wait forever: it ends as one
	 * that crashed, before it has said anything to anybody. */
	if (loop_add(&rs->loop, &d->pipe) < 0) {
		log_sys("unable to watch delivery %u", d->delnum);
		(void)kill(pid, SIGKILL);
	}
}

static void
command(struct rspawn *rs)
{
	const struct str *rcpt = &rs->cmd.rcpt;
	const char *reason;
	size_t at = bytes_rchr(str_c(rcpt), rcpt->len, '@');
	int fd, message;
	pid_t pid;

	if (rs->cmd.delnum >= rs->cfg->max ||
	    map_get_id(&rs->by_delnum, rs->cmd.delnum) != NULL) {
		refuse(rs, "Unable to start a delivery",
		    rs->cmd.delnum >= rs->cfg->max ?
		    "its number is too large" : "its number is in use");
		return;
	}
	if (at == rcpt->len) {
		refuse(rs, "Unable to start a delivery",
		    "the recipient has no host");
		return;
	}
	message = open_message(rs, &reason);
	if (message < 0) {
		refuse(rs, "Unable to open the message", reason);
		return;
	}
	if (start(rs, message, str_c(rcpt) + at + 1, &pid, &fd) < 0)
		refuse(rs, "Unable to run qmail-remote", strerror(errno));
	else
		adopt(rs, pid, fd);
	(void)close(message);
}

static void
on_commands(struct loop_watch *w, uint32_t got)
{
	struct rspawn *rs = w->owner;
	char buf[READ_SIZE];
	ssize_t n = read(w->fd, buf, sizeof buf);
	size_t at = 0, used;

	(void)got;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (n < 0)
			rs->fail = errno;
		rs->ended = true;
		loop_del(&rs->loop, w);
		return;
	}
	while (at < (size_t)n) {
		switch (spawn_command_parse(&rs->cmd, true, buf + at,
		    (size_t)n - at, &used)) {
		case SPAWN_DONE:
			command(rs);
			spawn_command_next(&rs->cmd);
			break;
		case SPAWN_MORE:
			break;
		case SPAWN_BAD:
			rs->fail = EPROTO;
			return;
		}
		at += used;
	}
	send_reports(rs);
}

/* Writable, or the reader is gone: at an ordinary end it closes both pipes,
 * and either may be seen first.  With deliveries running it is a loss. */
static void
on_reports(struct loop_watch *w, uint32_t got)
{
	struct rspawn *rs = w->owner;

	if (rs->out.len > 0) {
		send_reports(rs);
	} else if ((got & LOOP_READ) != 0) {
		if (rs->running > 0)
			rs->fail = EPIPE;
		rs->ended = true;
	}
}

static int
rspawn_open(struct rspawn *rs)
{
	static const int signals[] = {SIGCHLD, 0};
	int fd;

	if (fd_nonblock(rs->cfg->command_fd) < 0 ||
	    fd_nonblock(rs->cfg->report_fd) < 0 ||
	    loop_init(&rs->loop) < 0)
		return -1;
	fd = sig_open(signals);
	if (fd < 0)
		return -1;
	rs->commands = (struct loop_watch){.fd = rs->cfg->command_fd,
	    .want = LOOP_READ, .ready = on_commands, .owner = rs};
	rs->reports = (struct loop_watch){.fd = rs->cfg->report_fd,
	    .ready = on_reports, .owner = rs};
	rs->signals = (struct loop_watch){.fd = fd, .want = LOOP_READ,
	    .ready = on_signal, .owner = rs};
	if (loop_add(&rs->loop, &rs->commands) < 0 ||
	    loop_add(&rs->loop, &rs->reports) < 0)
		return -1;
	return loop_add(&rs->loop, &rs->signals);
}

int
rspawn_run(const struct rspawn_config *cfg)
{
	struct rspawn rs = {.cfg = cfg};

	sig_ignore(SIGPIPE);
	if (rspawn_open(&rs) < 0)
		return -1;
	spawn_cat_hello(&rs.out, cfg->max);
	send_reports(&rs);
	while (rs.fail == 0 &&
	    !(rs.ended && rs.running == 0 && rs.out.len == 0))
		if (loop_run(&rs.loop, -1) < 0)
			rs.fail = errno;
	if (rs.fail != 0) {
		errno = rs.fail;
		return -1;
	}
	(void)close(rs.signals.fd);
	(void)close(rs.loop.ep);
	spawn_command_free(&rs.cmd);
	map_free(&rs.by_delnum);
	map_free(&rs.by_pid);
	str_free(&rs.out);
	return 0;
}
