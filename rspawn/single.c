/* rspawn/single.c - a process for each delivery, as it always was, for
 * programs in qmail-remote's place that know nothing else; see pool.h.
 *
 * A delivery is over when its process has ended and its pipe was read as far
 * as it was filled then: a grandchild that keeps the pipe open holds nothing
 * up. */
#include "rspawn/pool.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "rspawn/report.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE 4096          /* bytes a read */

struct delivery {
	struct rspawn *rs;
	unsigned delnum;
	pid_t pid;
	struct loop_watch pipe; /* fd -1 after its end */
	struct report report;
};

static void
delivery_finish_take(struct delivery *d, int status)
{
	struct rspawn *rs = d->rs;
	struct str text = {0};

	report_end(&d->report, status, &text);
	map_del_id(&rs->by_pid, (uint64_t)d->pid);
	rspawn_say(rs, d->delnum, &text, "");
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

void
single_ended(struct rspawn *rs, pid_t pid, int status)
{
	struct delivery *d = map_get_id(&rs->by_pid, (uint64_t)pid);

	if (d == NULL)
		return;
	drain(d);
	delivery_finish_take(d, status);
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
	map_set_id(&rs->by_pid, (uint64_t)pid, d);
	/* Unwatched it could fill its pipe and wait forever: it ends as one
	 * that crashed, before it has said anything to anybody. */
	if (loop_add(&rs->loop, &d->pipe) < 0) {
		log_sys("unable to watch delivery %u", d->delnum);
		(void)kill(pid, SIGKILL);
	}
}

void
single_start(struct rspawn *rs, const char *host)
{
	const char *reason;
	int fd, message = rspawn_open_message(rs, &rs->cmd.messid, &reason);
	pid_t pid;

	if (message < 0) {
		rspawn_refuse(rs, rs->cmd.delnum, "Unable to open the message",
		    reason);
		return;
	}
	if (start(rs, message, host, &pid, &fd) < 0)
		rspawn_refuse(rs, rs->cmd.delnum, "Unable to run qmail-remote",
		    strerror(errno));
	else
		adopt(rs, pid, fd);
	(void)close(message);
}
