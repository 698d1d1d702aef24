/* tls/pump.c - bytes between a TLS peer and a program; see pump.h.
 *
 * Each direction has one buffer and ends by itself: close_notify of the peer
 * shuts the plain side for writing, the program's end of file becomes our
 * close_notify.  A direction waits when its receiver does, so neither side can
 * make this process hold more than two buffers. */
#include "tls/pump.h"

#include "lib/str.h"
#include "lib/tai.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct half {
	char *buf;                      /* PUMP_BUF bytes */
	size_t at, n;                   /* what is still to be written */
	bool eof, done;                 /* of the source; passed on as well */
};

struct flow {
	struct pump *p;
	struct half in, out;            /* from the peer, to the peer */
	bool want_write;                /* libssl waits for the network */
	bool gone;                      /* the program closed both ways */
	bool left;                      /* and left something unread */
	int64_t until;                  /* ms, for the rest of what it said
	                                 * before it ended; 0: it is there */
	enum pump_end end;
};

const char *
pump_end_text(enum pump_end e)
{
	static const char *const text[] = {
		[PUMP_CLOSED] = "closed", [PUMP_TRUNCATED] = "truncated",
		[PUMP_BROKEN] = "broken", [PUMP_RESET] = "reset",
		[PUMP_LEFT] = "left", [PUMP_STUCK] = "stuck",
		[PUMP_IDLE] = "idle",
	};

	return text[e];
}

/* What SSL_read or SSL_write did not do: waits, ends a side, or ends all. */
static void
ssl_trouble(struct flow *f, int r)
{
	switch (SSL_get_error(f->p->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		break;
	case SSL_ERROR_WANT_WRITE:
		f->want_write = true;
		break;
	case SSL_ERROR_ZERO_RETURN:
		f->in.eof = true;
		break;
	default:
		/* The program sees an end of file; the log, which. */
		f->end = f->p->net->eof ? PUMP_TRUNCATED :
		    f->p->net->error != 0 ? PUMP_RESET : PUMP_BROKEN;
		f->in.eof = true;
		f->out.done = true;
	}
	ERR_clear_error();
}

static bool
from_peer(struct flow *f)
{
	struct half *h = &f->in;
	int r;

	if (h->n > 0 || h->eof)
		return false;
	r = SSL_read(f->p->ssl, h->buf, PUMP_BUF);
	if (r <= 0) {
		ssl_trouble(f, r);
		return h->eof;
	}
	f->p->net->quiet = 0;
	f->p->in += (uint64_t)r;
	h->at = 0;
	h->n = (size_t)r;
	return true;
}

/* It closed both ways: nothing more is for it. */
static void
program_gone(struct flow *f)
{
	f->gone = true;
	f->left = f->in.n > 0;
	f->in.n = 0;
	f->in.eof = f->in.done = true;
}

static bool
to_program(struct flow *f)
{
	struct half *h = &f->in;
	ssize_t w;

	if (h->n > 0) {
		w = send(f->p->plain, h->buf + h->at, h->n,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (w < 0) {
			if (errno == EAGAIN || errno == EINTR)
				return false;
			program_gone(f);
			return true;
		}
		h->at += (size_t)w;
		h->n -= (size_t)w;
		return true;
	}
	if (!h->eof || h->done)
		return false;
	h->done = true;
	(void)shutdown(f->p->plain, SHUT_WR);
	return true;
}

static bool
from_program(struct flow *f)
{
	struct half *h = &f->out;
	ssize_t r;

	if (h->n > 0 || h->eof || h->done)
		return false;
	r = recv(f->p->plain, h->buf, PUMP_BUF, MSG_DONTWAIT);
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (r <= 0) {
		h->eof = true;
		return true;
	}
	h->at = 0;
	h->n = (size_t)r;
	return true;
}

static bool
to_peer(struct flow *f)
{
	struct half *h = &f->out;
	int r;

	if (h->done)
		return false;
	if (h->n > 0) {
		r = SSL_write(f->p->ssl, h->buf, (int)h->n);
		if (r <= 0) {
			ssl_trouble(f, r);
			return h->done;
		}
		f->p->out += h->n;
		h->n = 0;
		return true;
	}
	if (!h->eof)
		return false;
	r = SSL_shutdown(f->p->ssl);
	if (r < 0 && SSL_get_error(f->p->ssl, r) == SSL_ERROR_WANT_WRITE) {
		f->want_write = true;
		return false;
	}
	ERR_clear_error();
	h->done = true;
	(void)shutdown(f->p->net->fd, SHUT_WR);
	return true;
}

/* How long to wait.  Nobody but us watches a peer whose program has ended: it
 * must not keep this process by reading nothing, or a byte now and then. */
static int
patience(const struct flow *f)
{
	int64_t left;

	if (f->until == 0)
		return f->p->idle_ms;
	left = f->until - clock_mono_ms();
	return left > 0 ? (int)left : 0;
}

/* True: one side has something for us; false: nobody for that long. */
static bool
wait_both(struct flow *f)
{
	struct pollfd pf[2] = {{.fd = f->p->net->fd}, {.fd = f->p->plain}};
	int r;

	if (f->in.n == 0 && !f->in.eof)
		pf[0].events |= POLLIN;
	if (f->want_write)
		pf[0].events |= POLLOUT;
	if (f->out.n == 0 && !f->out.eof && !f->out.done)
		pf[1].events |= POLLIN;
	if (f->in.n > 0)
		pf[1].events |= POLLOUT;
	/* A hang-up is reported unasked, and would be again and again: the
	 * program's is of use twice, when it comes and when there is nothing
	 * more of what it said. */
	if (pf[0].events == 0)
		pf[0].fd = -1;
	if (pf[1].events == 0 && (f->gone || (f->until != 0 && !f->out.eof)))
		pf[1].fd = -1;
	do
		r = poll(pf, 2, patience(f));
	while (r < 0 && errno == EINTR);
	if (pf[1].revents & (POLLHUP | POLLERR)) {
		if (f->until == 0)
			f->until = clock_mono_ms() + f->p->rest_ms;
		if (f->out.eof && !f->gone)
			program_gone(f);
	}
	f->want_write = false;
	return r > 0;
}

/* The program is gone: what the peer still sends is read and dropped for a
 * moment, because a reset would take our last bytes with it. */
static void
linger(struct flow *f)
{
	int64_t until = clock_mono_ms() + f->p->linger_ms, left;
	struct pollfd pf = {.fd = f->p->net->fd, .events = POLLIN};

	while ((left = until - clock_mono_ms()) > 0 &&
	    poll(&pf, 1, (int)left) > 0) {
		ssize_t r = recv(pf.fd, f->in.buf, PUMP_BUF,
		    MSG_DONTWAIT);

		if (r == 0 || (r < 0 && errno != EAGAIN && errno != EINTR))
			return;
	}
}

static enum pump_end
run(struct flow *f)
{
	for (;;) {
		bool moved = from_peer(f);

		moved |= to_program(f);
		moved |= from_program(f);
		moved |= to_peer(f);
		if (f->in.done && f->out.done) {
			if (f->gone && f->end == PUMP_CLOSED) {
				linger(f);
				return f->left ? PUMP_LEFT : PUMP_CLOSED;
			}
			return f->end;
		}
		if (f->until != 0 && clock_mono_ms() >= f->until)
			return PUMP_STUCK;
		if (!moved && !wait_both(f) && f->until == 0)
			return PUMP_IDLE;
	}
}

enum pump_end
pump_run(struct pump *p)
{
	struct flow f = {.p = p, .end = PUMP_CLOSED};
	enum pump_end end;

	/* Not on the stack, which is cleared: few sessions ever touch more
	 * than the first page of each. */
	f.in.buf = mem_resize(NULL, PUMP_BUF, 1);
	f.out.buf = mem_resize(NULL, PUMP_BUF, 1);
	p->net->quiet = 0;
	p->net->quiet_max = PUMP_QUIET;
	end = run(&f);
	free(f.in.buf);
	free(f.out.buf);
	return end;
}
