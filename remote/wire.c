/* remote/wire.c - buffered non-blocking SMTP connection; see wire.h.  The
 * peer is not trusted; nothing here looks at what it says. */
#include "remote/wire.h"

#include "lib/io.h"
#include "lib/tai.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

int
wire_init(struct wire *w, int fd)
{
	w->fd = fd;
	w->wfail = WIRE_OK;
	w->ended = w->listening = false;
	w->olen = w->ipos = w->ilen = 0;
	return fd_nonblock(fd);
}

/* Waits for one of the events until end (of clock_mono_ms). */
static enum wire_status
wait_until(int fd, short events, int64_t end, short *got)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int64_t left = end - clock_mono_ms();
		int r = poll(&p, 1, left > 0 ? (int)left : 0);

		if (r > 0) {
			*got = p.revents;
			return WIRE_OK;
		}
		if (r == 0)
			return WIRE_TIMEOUT;
		if (errno != EINTR)
			return WIRE_ERROR;
	}
}

static bool
is_gone(int e)
{
	return e == ECONNRESET || e == EPIPE || e == ECONNABORTED;
}

/* Reads what is there. */
static enum wire_status
take_in(struct wire *w)
{
	ssize_t n;

	if (w->ipos > 0) {
		memmove(w->in, w->in + w->ipos, w->ilen - w->ipos);
		w->ilen -= w->ipos;
		w->ipos = 0;
	}
	if (w->ilen == sizeof w->in)
		return WIRE_OK;
	n = read(w->fd, w->in + w->ilen, sizeof w->in - w->ilen);
	if (n > 0)
		w->ilen += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		w->ended = true;
	if (n < 0 && w->ended && !is_gone(errno))
		return WIRE_ERROR;
	return WIRE_OK;
}

static enum wire_status
send_all(struct wire *w, const char *s, size_t n, int timeout_ms)
{
	int64_t end = clock_mono_ms() + timeout_ms;

	while (n > 0) {
		short want = POLLOUT, got;
		enum wire_status st;
		ssize_t k;

		if (w->listening && wire_disturbed(w))
			return WIRE_HEARD;
		k = write(w->fd, s, n);
		if (k >= 0) {
			s += k;
			n -= (size_t)k;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return is_gone(errno) ? WIRE_EOF : WIRE_ERROR;
		if (!w->ended && w->ilen - w->ipos < sizeof w->in)
			want = POLLOUT | POLLIN;
		st = wait_until(w->fd, want, end, &got);
		if (st != WIRE_OK)
			return st;
		if ((want & POLLIN) != 0 && (got & POLLIN) != 0)
			(void)take_in(w);
	}
	return WIRE_OK;
}

enum wire_status
wire_flush(struct wire *w, int timeout_ms)
{
	size_t n = w->olen;

	if (w->wfail == WIRE_OK && n > 0) {
		w->olen = 0;
		w->wfail = send_all(w, w->out, n, timeout_ms);
	}
	return w->wfail;
}

enum wire_status
wire_put(struct wire *w, const void *bytes, size_t n, int timeout_ms)
{
	const char *s = bytes;

	while (n > 0 && w->wfail == WIRE_OK) {
		size_t k = sizeof w->out - w->olen;

		if (k > n)
			k = n;
		memcpy(w->out + w->olen, s, k);
		w->olen += k;
		s += k;
		n -= k;
		if (w->olen == sizeof w->out)
			(void)wire_flush(w, timeout_ms);
	}
	return w->wfail;
}

enum wire_status
wire_puts(struct wire *w, const char *s, int timeout_ms)
{
	return wire_put(w, s, strlen(s), timeout_ms);
}

enum wire_status
wire_reply(struct wire *w, struct reply *out, int timeout_ms)
{
	enum wire_status sent = wire_flush(w, timeout_ms);
	int64_t end = clock_mono_ms() + (sent == WIRE_OK ? timeout_ms : 0);

	reply_clear(out);
	for (;;) {
		enum reply_status rs;
		size_t used;
		short got;

		rs = reply_feed(out, w->in + w->ipos, w->ilen - w->ipos,
		    &used);
		w->ipos += used;
		if (rs == REPLY_DONE)
			return WIRE_OK;
		if (rs == REPLY_BAD)
			return WIRE_BAD;
		if (w->ended)
			return sent != WIRE_OK ? sent : WIRE_EOF;
		if (wait_until(w->fd, POLLIN, end, &got) != WIRE_OK)
			return sent != WIRE_OK ? sent : WIRE_TIMEOUT;
		if (take_in(w) != WIRE_OK)
			return WIRE_ERROR;
	}
}

bool
wire_disturbed(struct wire *w)
{
	short got;

	if (w->ended || w->ipos < w->ilen)
		return true;
	return wait_until(w->fd, POLLIN, 0, &got) == WIRE_OK;
}
