/* mail/qsubmit.c - the client side of the queue; see qsubmit.h.
 *
 * Two carriers behind one face: our service's socket, or a QMAILQUEUE program
 * with its pipes.  Invariant: after the first trouble ->fail holds its code,
 * nothing more is written, and close returns that code unless the service or
 * program had a better one. */
#include "mail/qsubmit.h"

#include "lib/proc.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "mail/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_FD 6               /* where a program puts its own words */
#define TEXT_FD_OLD 4

void
qsubmit_fail(struct qsubmit *q, int code)
{
	if (q->fail == 0)
		q->fail = code;
	q->state = QSUBMIT_FAILED;
}

static void
put32(char *p, size_t n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (char)(unsigned char)(n >> (24 - 8 * i));
}

/* A service that is being restarted is waited for. */
static int
connect_patiently(void)
{
	int64_t until = clock_mono_ms() + QSUBMIT_WAIT_MS;

	for (;;) {
		int fd = sock_connect(QSUBMIT_SOCKET, SOCK_STREAM,
		    QSUBMIT_WAIT_MS);
		int e = errno;

		if (fd >= 0 || (e != ENOENT && e != ECONNREFUSED &&
		    e != EAGAIN) || clock_mono_ms() >= until)
			return fd;
		(void)poll(NULL, 0, 100);
	}
}

static void
open_program(struct qsubmit *q, const char *program)
{
	const char *argv[] = {program, NULL};
	int mr, mw, er, ew, tr, tw;

	if (proc_pipe(&mr, &mw) < 0) {
		qsubmit_fail(q, QX_NOMEM);
		return;
	}
	if (proc_pipe(&er, &ew) < 0) {
		(void)close(mr);
		(void)close(mw);
		qsubmit_fail(q, QX_NOMEM);
		return;
	}
	if (proc_pipe(&tr, &tw) < 0) {
		(void)close(mr);
		(void)close(mw);
		(void)close(er);
		(void)close(ew);
		qsubmit_fail(q, QX_NOMEM);
		return;
	}
	{
		struct proc_fd fds[] = {{mr, 0}, {er, 1}, {2, 2},
		    {tw, TEXT_FD_OLD}, {tw, TEXT_FD}};
		struct proc_spawn sp = {.argv = argv, .dir = HOME_DIR,
		    .fds = fds, .nfds = sizeof fds / sizeof fds[0]};

		/* Three dialects of "where do my own words go". */
		if (setenv("ERROR_FD", "4", 1) < 0 ||
		    setenv("CUSTOM_ERR_FD", "4", 1) < 0 ||
		    proc_spawn(&sp, &q->pid) < 0) {
			q->pid = 0;
			qsubmit_fail(q, QX_EXEC);
		}
	}
	(void)close(mr);
	(void)close(er);
	(void)close(tw);
	q->mfd = mw;
	q->efd = ew;
	q->tfd = tr;
	q->qp = (uint64_t)q->pid;
}

void
qsubmit_open(struct qsubmit *q)
{
	const char *program = getenv("QMAILQUEUE");

	q->state = QSUBMIT_BODY;
	q->fail = 0;
	q->fd = q->mfd = q->efd = q->tfd = -1;
	q->pid = 0;
	q->addressed = false;
	q->nhold = 0;
	q->qp = (uint64_t)getpid();
	if (program != NULL && *program != '\0') {
		open_program(q, program);
		return;
	}
	q->fd = connect_patiently();
	if (q->fd < 0)
		qsubmit_fail(q, QX_QUEUE);
}

/* To the service, without SIGPIPE.  The service may have answered (and
 * closed) early: then the answer says more than EPIPE does. */
static void
send_raw(struct qsubmit *q, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = send(q->fd, p, n, MSG_NOSIGNAL);

		if (w >= 0) {
			p += w;
			n -= (size_t)w;
		} else if (errno != EINTR) {
			qsubmit_fail(q, QX_QUEUE);
			return;
		}
	}
}

static void
send_chunk(struct qsubmit *q)
{
	size_t n = q->nhold;

	q->nhold = 0;
	if (n == 0)
		return;
	put32(q->hold, n);
	send_raw(q, q->hold, n + 4);
}

static void
send_program(struct qsubmit *q, int fd, const char *p, size_t n)
{
	/* SIGPIPE must not end the caller when the program ends early. */
	sigset_t pipe_set, old;
	struct timespec zero = {0};
	int r;

	(void)sigemptyset(&pipe_set);
	(void)sigaddset(&pipe_set, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &pipe_set, &old);
	r = fd_write_all(fd, p, n);
	if (r < 0)
		(void)sigtimedwait(&pipe_set, NULL, &zero);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		qsubmit_fail(q, QX_WRITE);
}

static void
flush_hold(struct qsubmit *q)
{
	if (q->state == QSUBMIT_FAILED)
		return;
	if (q->fd >= 0) {
		send_chunk(q);
	} else if (q->nhold > 0) {
		size_t n = q->nhold;

		q->nhold = 0;
		send_program(q, q->state == QSUBMIT_BODY ? q->mfd : q->efd,
		    q->hold + 4, n);
	}
}

static void
put(struct qsubmit *q, const char *p, size_t n)
{
	while (n > 0 && q->state != QSUBMIT_FAILED) {
		size_t room = sizeof q->hold - 4 - q->nhold;
		size_t k = n < room ? n : room;

		memcpy(q->hold + 4 + q->nhold, p, k);
		q->nhold += k;
		p += k;
		n -= k;
		if (q->nhold == sizeof q->hold - 4)
			flush_hold(q);
	}
}

void
qsubmit_put(struct qsubmit *q, const void *bytes, size_t n)
{
	if (q->state == QSUBMIT_ENVELOPE)
		qsubmit_fail(q, QX_BUG);
	put(q, bytes, n);
}

void
qsubmit_puts(struct qsubmit *q, const char *cstr)
{
	qsubmit_put(q, cstr, strlen(cstr));
}

/* The mark of 4 zero bytes goes out with the last chunk. */
static void
end_part(struct qsubmit *q)
{
	if (q->state == QSUBMIT_FAILED)
		return;
	if (q->fd >= 0) {
		size_t n = q->nhold;

		if (n == 0 || n + 8 > sizeof q->hold) {
			send_chunk(q);
			put32(q->hold, 0);
			send_raw(q, q->hold, 4);
			return;
		}
		put32(q->hold, n);
		put32(q->hold + 4 + n, 0);
		q->nhold = 0;
		send_raw(q, q->hold, n + 8);
		return;
	}
	flush_hold(q);
	if (q->state == QSUBMIT_BODY && q->mfd >= 0) {
		(void)close(q->mfd);
		q->mfd = -1;
	}
}

static void
to_envelope(struct qsubmit *q)
{
	if (q->state != QSUBMIT_BODY)
		return;
	end_part(q);
	if (q->state == QSUBMIT_BODY)
		q->state = QSUBMIT_ENVELOPE;
}

static void
put_address(struct qsubmit *q, char kind, const char *address)
{
	size_t n = strlen(address);

	to_envelope(q);
	if (n > ADDR_MAX) {
		qsubmit_fail(q, QX_ADDR_LONG);
		return;
	}
	q->addressed = true;
	put(q, &kind, 1);
	put(q, address, n + 1);
}

void
qsubmit_from(struct qsubmit *q, const char *sender)
{
	put_address(q, 'F', sender);
}

void
qsubmit_to(struct qsubmit *q, const char *rcpt)
{
	put_address(q, 'T', rcpt);
}

static void
put_params(struct qsubmit *q, char kind, const char *text)
{
	if (*text == '\0' || q->fd < 0)
		return;
	put(q, &kind, 1);
	put(q, text, strlen(text) + 1);
}

void
qsubmit_params(struct qsubmit *q, const char *text)
{
	put_params(q, 'M', text);
}

void
qsubmit_rcpt_params(struct qsubmit *q, const char *text)
{
	put_params(q, 'N', text);
}

void
qsubmit_envelope(struct qsubmit *q, const void *bytes, size_t n)
{
	to_envelope(q);
	put(q, bytes, n);
}

/* At most n bytes that arrive before the deadline; fewer at the end. */
static size_t
read_answer(int fd, char *buf, size_t n, int timeout, enum io_status *st)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t have = 0;

	*st = IO_OK;
	while (have < n) {
		ssize_t r;

		if (poll(&p, 1, timeout) == 0) {
			*st = IO_TIMEOUT;
			return have;
		}
		r = read(fd, buf + have, n - have);
		if (r > 0) {
			have += (size_t)r;
		} else if (r == 0) {
			*st = IO_EOF;
			return have;
		} else if (errno != EINTR) {
			*st = IO_ERROR;
			return have;
		}
	}
	return have;
}

static int
close_service(struct qsubmit *q, struct str *text)
{
	unsigned char head[2];
	char words[QTEXT_MAX];
	enum io_status st;
	int fail = q->fail;

	/* Our own failure: hang up, so that nothing is queued.  A failed
	 * write may mean that the service already said why. */
	if (fail != 0 && fail != QX_QUEUE)
		return fail;
	if (q->fd < 0)
		return QX_QUEUE;
	/* It may still wait for the rest: it must not wait for us. */
	if (fail != 0)
		(void)shutdown(q->fd, SHUT_WR);
	if (read_answer(q->fd, (char *)head, 2, QSUBMIT_ANSWER_MS, &st) < 2)
		return st == IO_TIMEOUT ? QX_TIMEOUT : QX_QUEUE;
	if (read_answer(q->fd, words, head[1], QSUBMIT_ANSWER_MS, &st) ==
	    head[1])
		str_catb(text, words, head[1]);
	if (fail != 0 && head[0] == 0)
		return fail;
	return head[0];
}

/* D or Z and words, from the pipe of a program that left with 82 or 88. */
static int
custom_words(int tfd, struct str *text)
{
	char words[QTEXT_MAX];
	enum io_status st;
	size_t n = read_answer(tfd, words, sizeof words, 0, &st);

	if (n <= 2 || (words[0] != 'D' && words[0] != 'Z'))
		return QX_TEMP;
	str_catb(text, words + 1, n - 1);
	return words[0] == 'D' ? QX_REFUSED : QX_TEMP;
}

static int
close_program(struct qsubmit *q, struct str *text)
{
	int status, code = q->fail;

	if (q->mfd >= 0)
		(void)close(q->mfd);
	if (q->efd >= 0)
		(void)close(q->efd);
	if (q->pid > 0) {
		if (proc_wait(q->pid, &status) < 0 || WIFSIGNALED(status))
			code = QX_BUG;
		else if (WEXITSTATUS(status) == QX_CUSTOM ||
		    WEXITSTATUS(status) == QX_CUSTOM2)
			code = custom_words(q->tfd, text);
		else if (WEXITSTATUS(status) != 0)
			code = WEXITSTATUS(status);
		else if (code != 0)
			code = QX_READ;         /* it lied, or we did */
	}
	if (q->tfd >= 0)
		(void)close(q->tfd);
	return code;
}

int
qsubmit_close(struct qsubmit *q, struct str *text)
{
	int code;

	str_clear(text);
	to_envelope(q);
	if (q->addressed)
		put(q, "", 1);
	end_part(q);
	if (q->pid > 0 || q->efd >= 0) {
		code = close_program(q, text);
	} else {
		code = close_service(q, text);
		if (q->fd >= 0)
			(void)close(q->fd);
	}
	q->fd = q->mfd = q->efd = q->tfd = -1;
	q->state = QSUBMIT_FAILED;
	if (code != 0 && text->len == 0)
		str_cats(text, qx_text(code));
	return code;
}

uint64_t
qsubmit_qp(const struct qsubmit *q)
{
	return q->qp;
}
