/* pop3d/out.c - replies on their way to the client; see out.h.
 *
 * A socket is written to without waiting first, because it mostly has room.
 * Anything else (a terminal, a pipe) is waited for, and given no more than it
 * takes at once: its flags are not ours to change. */
#include "pop3d/out.h"

#include "lib/tai.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static_assert(OUT_NUMBER == sizeof "18446744073709551615" - 1, "any uint64_t");

void
out_init(struct out *o, int fd, int timeout_ms)
{
	int one = 1;

	o->fd = fd;
	o->timeout_ms = timeout_ms;
	o->is_socket = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
	    sizeof one) == 0 || errno != ENOTSOCK;
}

static enum io_status
wait_until(int fd, int64_t until)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		int64_t left = until - clock_mono_ms();
		int r = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (r > 0)
			return IO_OK;
		if (r == 0)
			return IO_TIMEOUT;
		if (errno != EINTR)
			return IO_ERROR;
	}
}

static ssize_t
write_some(struct out *o, const char *p, size_t n)
{
	if (o->is_socket)
		return send(o->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(o->fd, p, n < PIPE_BUF ? n : PIPE_BUF);
}

void
out_flush(struct out *o)
{
	int64_t until = clock_mono_ms() + o->timeout_ms;
	const char *p = o->buf;
	size_t n = o->len;
	bool wait = !o->is_socket;

	o->len = 0;
	while (n > 0 && o->fail == IO_OK) {
		ssize_t w;

		if (wait && (o->fail = wait_until(o->fd, until)) != IO_OK)
			return;
		w = write_some(o, p, n);
		if (w >= 0) {
			p += w;
			n -= (size_t)w;
			o->total += (size_t)w;
		} else if (errno != EAGAIN && errno != EINTR) {
			o->fail = IO_ERROR;
		}
		wait = true;
	}
}

void
out_put(struct out *o, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n >= OUT_MAX - o->len) {
		size_t k = OUT_MAX - o->len;

		memcpy(o->buf + o->len, p, k);
		o->len = OUT_MAX;
		out_flush(o);
		p += k;
		n -= k;
	}
	if (n > 0)
		memcpy(o->buf + o->len, p, n);
	o->len += n;
}

void
out_putu(struct out *o, uint64_t n)
{
	char digits[OUT_NUMBER];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	out_put(o, digits + at, sizeof digits - at);
}

uint64_t
out_mark(const struct out *o)
{
	return o->total + o->len;
}

bool
out_back(struct out *o, uint64_t mark)
{
	if (o->fail != IO_OK || mark < o->total)
		return false;
	assert(mark - o->total <= o->len);
	o->len = (size_t)(mark - o->total);
	return true;
}
