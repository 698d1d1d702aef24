/* rspawn/rspawn.c - the spawning loop; see rspawn.h and pool.h.
 *
 * The number of a delivery is in use from its command to the queueing of its
 * report. */
#include "rspawn/rspawn.h"

#include "lib/io.h"
#include "lib/proc.h"
#include "lib/sig.h"
#include "rspawn/pool.h"

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

void
rspawn_flush(struct rspawn *rs)
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
say(struct rspawn *rs, unsigned delnum, const struct str *text,
    const char *notes)
{
	unsigned version = rs->cfg->stay ? 2 : 1;

	spawn_cat_report(&rs->out, version, delnum, str_c(text), text->len);
	if (version == 2)
		spawn_cat_notes(&rs->out, notes);
}

static void
say_not(struct rspawn *rs, unsigned delnum, const char *what,
    const char *reason)
{
	struct str text = {0};

	str_catf(&text, "Z%s: %s. (#4.3.0)\n", what, reason);
	say(rs, delnum, &text, "");
	str_free(&text);
}

static void
forget(struct rspawn *rs, unsigned delnum)
{
	map_del_id(&rs->by_delnum, delnum);
	rs->running--;
}

void
rspawn_say(struct rspawn *rs, unsigned delnum, const struct str *text,
    const char *notes)
{
	forget(rs, delnum);
	say(rs, delnum, text, notes);
}

void
rspawn_refuse(struct rspawn *rs, unsigned delnum, const char *what,
    const char *reason)
{
	forget(rs, delnum);
	say_not(rs, delnum, what, reason);
}

static void
on_signal(struct loop_watch *w, uint32_t got)
{
	struct rspawn *rs = w->owner;
	int status;
	pid_t pid;

	(void)got;
	while (sig_next(w->fd) != 0)
		continue;
	while ((pid = proc_reap(&status)) > 0) {
		single_ended(rs, pid, status);
		pool_ended(rs, pid, status);
	}
	rspawn_flush(rs);
}

int
rspawn_open_message(const struct rspawn *rs, const struct str *messid,
    const char **reason)
{
	struct stat st;
	int fd;

	*reason = "not a message number";
	if (!spawn_messid_ok(messid))
		return -1;
	fd = open(str_c(messid),
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

static void
command(struct rspawn *rs)
{
	const struct str *rcpt = &rs->cmd.rcpt;
	unsigned delnum = rs->cmd.delnum;
	size_t at = bytes_rchr(str_c(rcpt), rcpt->len, '@');

	if (delnum >= rs->cfg->max ||
	    map_get_id(&rs->by_delnum, delnum) != NULL) {
		say_not(rs, delnum, "Unable to start a delivery",
		    delnum >= rs->cfg->max ?
		    "its number is too large" : "its number is in use");
		return;
	}
	if (at == rcpt->len) {
		say_not(rs, delnum, "Unable to start a delivery",
		    "the recipient has no host");
		return;
	}
	map_set_id(&rs->by_delnum, delnum, rs);
	rs->running++;
	if (rs->cfg->stay)
		pool_add(rs, str_c(rcpt) + at + 1);
	else
		single_start(rs, str_c(rcpt) + at + 1);
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
		pool_broken_off(rs);
		rspawn_flush(rs);
		return;
	}
	while (at < (size_t)n) {
		switch (spawn_command_parse(&rs->cmd, rs->cfg->stay ?
		    2 : 1, buf + at, (size_t)n - at, &used)) {
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
	rspawn_flush(rs);
}

/* Writable, or the reader is gone: at an ordinary end it closes both pipes,
 * and either may be seen first.  With deliveries running it is a loss. */
static void
on_reports(struct loop_watch *w, uint32_t got)
{
	struct rspawn *rs = w->owner;

	if (rs->out.len > 0) {
		rspawn_flush(rs);
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
	if (cfg->stay)
		spawn_cat_hello2(&rs.out, cfg->max);
	else
		spawn_cat_hello(&rs.out, cfg->max);
	rspawn_flush(&rs);
	while (rs.fail == 0 &&
	    !(rs.ended && rs.running == 0 && rs.out.len == 0))
		if (loop_run(&rs.loop, -1) < 0)
			rs.fail = errno;
	if (rs.fail != 0) {
		errno = rs.fail;
		return -1;
	}
	pool_free(&rs);
	(void)close(rs.signals.fd);
	(void)close(rs.loop.ep);
	spawn_command_free(&rs.cmd);
	map_free(&rs.by_delnum);
	map_free(&rs.by_pid);
	str_free(&rs.out);
	return 0;
}
