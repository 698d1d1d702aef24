/* relay.c - bytes both ways, a program between pipes; see relay.h.
 *
 * Descriptors stay blocking, because others may share them: nothing is read
 * before poll says so, and no more than PIPE_BUF bytes are written at a time
 * to what poll calls writable. */
#include "supervise/relay.h"

#include "supervise/tool.h"

#include "lib/proc.h"
#include "lib/sig.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

static bool
is_holding(const struct relay_flow *f)
{
	return f->at < f->held.len;
}

static bool
is_over(const struct relay_flow *f)
{
	return f->ended && !is_holding(f);
}

static void
give_up(struct relay_flow *f)
{
	f->ended = true;
	f->at = f->held.len;
}

static void
take(struct relay_flow *f)
{
	char buf[RELAY_READ];
	ssize_t n = read(f->from, buf, sizeof buf);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	str_clear(&f->held);
	f->at = 0;
	if (n <= 0) {
		f->ended = true;
		n = 0;
	}
	f->change(f, buf, (size_t)n, &f->held);
}

static void
give(struct relay_flow *f)
{
	size_t n = f->held.len - f->at;
	ssize_t w = write(f->to, f->held.s + f->at,
	    n > PIPE_BUF ? PIPE_BUF : n);

	if (w >= 0)
		f->at += (size_t)w;
	else if (errno != EINTR && errno != EAGAIN)
		give_up(f);
}

/* Writing goes first: reading waits until all is written. */
static void
watch(const struct relay_flow *f, struct pollfd *p)
{
	*p = (struct pollfd){.fd = -1};
	if (is_holding(f))
		*p = (struct pollfd){.fd = f->to, .events = POLLOUT};
	else if (!f->ended)
		*p = (struct pollfd){.fd = f->from, .events = POLLIN};
}

static void
act(struct relay_flow *f, const struct pollfd *p)
{
	if (p->fd < 0 || p->revents == 0)
		return;
	if (p->events == POLLOUT)
		give(f);
	else
		take(f);
}

int
relay_run(struct relay_flow *in, struct relay_flow *out)
{
	bool closed = in->keep_to;
	int r = 0;

	sig_ignore(SIGPIPE);
	while (!is_over(out)) {
		struct pollfd p[2];

		if (is_over(in) && !closed) {
			(void)close(in->to);
			closed = true;
		}
		watch(in, &p[0]);
		watch(out, &p[1]);
		if (poll(p, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			r = -1;
			break;
		}
		act(in, &p[0]);
		act(out, &p[1]);
	}
	str_free(&in->held);
	str_free(&out->held);
	return r;
}

/* The child has 0, 1, 2 and the two pipe ends, and nothing it was born with
 * beside: a caller's descriptor must not stay open here. */
static int
keep_only(int *a, int *b)
{
	int x = fcntl(*a, F_DUPFD, 5), y = fcntl(*b, F_DUPFD, 5);

	if (x < 0 || y < 0 || dup2(x, 3) < 0 || dup2(y, 4) < 0)
		return -1;
	*a = 3;
	*b = 4;
	return close_range(5, ~0U, 0);
}

void
relay_program(char *const *argv, struct relay_flow *in,
    struct relay_flow *out)
{
	int in_r, in_w, out_r, out_w;
	pid_t pid;

	tool_open_std();
	if (proc_pipe(&in_r, &in_w) < 0 || proc_pipe(&out_r, &out_w) < 0)
		tool_die(111, "unable to create pipe");
	if ((pid = proc_fork()) < 0)
		tool_die(111, "unable to fork");
	if (pid == 0) {
		in->from = 0;
		in->to = in_w;
		out->from = out_r;
		out->to = 1;
		if (keep_only(&in->to, &out->from) < 0)
			tool_die(111, "unable to copy descriptor");
		if (relay_run(in, out) < 0)
			tool_die(111, "unable to wait for data");
		_exit(0);
	}
	if (dup2(in_r, 0) < 0 || dup2(out_w, 1) < 0)
		tool_die(111, "unable to copy descriptor");
	tool_exec(argv, NULL);
}
