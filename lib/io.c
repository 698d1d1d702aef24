/* lib/io.c - buffered descriptors; see io.h.
 *
 * Invariant: rpos <= rlen <= IO_BUF, wlen < IO_BUF between calls.  A deadline
 * is per wait, not per call: who needs a total keeps its own clock. */
#include "lib/io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

void
io_init(struct io *io, int rfd, int wfd, int timeout_ms)
{
	io->rfd = rfd;
	io->wfd = wfd;
	io->timeout = timeout_ms;
	io->rfail = io->wfail = IO_OK;
	io->rpos = io->rlen = io->wlen = 0;
	io->nread = io->nwritten = 0;
}

static enum io_status
wait_for(int fd, short events, int timeout)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int r = poll(&p, 1, timeout);

		if (r > 0)
			return IO_OK;
		if (r == 0)
			return IO_TIMEOUT;
		if (errno != EINTR)
			return IO_ERROR;
	}
}

static enum io_status
fill(struct io *io)
{
	assert(io->rfd >= 0);
	if (io->rfail != IO_OK)
		return io->rfail;
	/* Told once; what the peer said before it left can still be read. */
	if (io->wlen > 0 && io_flush(io) != IO_OK)
		return io->wfail;
	io->rpos = io->rlen = 0;
	for (;;) {
		ssize_t n;

		if (io->timeout != IO_FOREVER) {
			enum io_status st =
			    wait_for(io->rfd, POLLIN, io->timeout);

			if (st != IO_OK)
				return io->rfail = st;
		}
		n = read(io->rfd, io->rbuf, sizeof io->rbuf);
		if (n > 0) {
			io->rlen = (size_t)n;
			io->nread += (size_t)n;
			return IO_OK;
		}
		if (n == 0)
			return io->rfail = IO_EOF;
		if (errno == EAGAIN) {
			enum io_status st =
			    wait_for(io->rfd, POLLIN, io->timeout);

			if (st != IO_OK)
				return io->rfail = st;
		} else if (errno != EINTR) {
			return io->rfail = IO_ERROR;
		}
	}
}

enum io_status
io_getdelim(struct io *io, struct str *out, char delim, size_t max)
{
	size_t had = 0;

	for (;;) {
		const char *p;
		size_t n;

		if (io->rpos == io->rlen) {
			enum io_status st = fill(io);

			if (st != IO_OK)
				return st;
		}
		p = io->rbuf + io->rpos;
		n = bytes_chr(p, io->rlen - io->rpos, delim);
		if (n > max - had) {
			str_catb(out, p, max - had);
			io->rpos += max - had;
			return IO_TOOLONG;
		}
		str_catb(out, p, n);
		had += n;
		io->rpos += n;
		if (io->rpos < io->rlen) {
			io->rpos++;
			return IO_OK;
		}
	}
}

enum io_status
io_get(struct io *io, void *buf, size_t n, size_t *got)
{
	*got = 0;
	if (io->rpos == io->rlen) {
		enum io_status st = fill(io);

		if (st != IO_OK)
			return st;
	}
	if (n > io->rlen - io->rpos)
		n = io->rlen - io->rpos;
	memcpy(buf, io->rbuf + io->rpos, n);
	io->rpos += n;
	*got = n;
	return IO_OK;
}

enum io_status
io_getall(struct io *io, void *buf, size_t n)
{
	char *p = buf;

	while (n > 0) {
		size_t got;
		enum io_status st = io_get(io, p, n, &got);

		if (st != IO_OK)
			return st;
		p += got;
		n -= got;
	}
	return IO_OK;
}

enum io_status
io_slurp(struct io *io, struct str *out, size_t max)
{
	size_t had = 0;

	for (;;) {
		size_t n;

		if (io->rpos == io->rlen) {
			enum io_status st = fill(io);

			if (st != IO_OK)
				return st == IO_EOF ? IO_OK : st;
		}
		n = io->rlen - io->rpos;
		if (n > max - had) {
			str_catb(out, io->rbuf + io->rpos, max - had);
			io->rpos += max - had;
			return IO_TOOLONG;
		}
		str_catb(out, io->rbuf + io->rpos, n);
		had += n;
		io->rpos = io->rlen;
	}
}

size_t
io_peek(const struct io *io, const char **out)
{
	*out = io->rbuf + io->rpos;
	return io->rlen - io->rpos;
}

enum io_status
io_fill(struct io *io)
{
	return io->rpos < io->rlen ? IO_OK : fill(io);
}

void
io_skip(struct io *io, size_t n)
{
	assert(n <= io->rlen - io->rpos);
	io->rpos += n;
}

/* With a deadline no write may block, not even on a blocking descriptor: what
 * poll calls writable takes PIPE_BUF bytes at once (a pipe has a free page, a
 * socket more). */
static enum io_status
write_out(struct io *io, const char *p, size_t n)
{
	while (n > 0) {
		size_t k = n;
		ssize_t w;

		if (io->timeout != IO_FOREVER) {
			enum io_status st =
			    wait_for(io->wfd, POLLOUT, io->timeout);

			if (st != IO_OK)
				return io->wfail = st;
			if (k > PIPE_BUF)
				k = PIPE_BUF;
		}
		w = write(io->wfd, p, k);
		if (w >= 0) {
			p += w;
			n -= (size_t)w;
			io->nwritten += (size_t)w;
		} else if (errno == EAGAIN) {
			enum io_status st =
			    wait_for(io->wfd, POLLOUT, io->timeout);

			if (st != IO_OK)
				return io->wfail = st;
		} else if (errno != EINTR) {
			return io->wfail = IO_ERROR;
		}
	}
	return IO_OK;
}

enum io_status
io_flush(struct io *io)
{
	size_t n = io->wlen;

	if (io->wfail != IO_OK)
		return io->wfail;
	io->wlen = 0;
	return write_out(io, io->wbuf, n);
}

enum io_status
io_put(struct io *io, const void *bytes, size_t n)
{
	assert(io->wfd >= 0);
	if (io->wfail != IO_OK)
		return io->wfail;
	if (n >= IO_BUF - io->wlen) {
		if (io_flush(io) != IO_OK)
			return io->wfail;
		if (n >= IO_BUF)
			return write_out(io, bytes, n);
	}
	if (n > 0)
		memcpy(io->wbuf + io->wlen, bytes, n);
	io->wlen += n;
	return IO_OK;
}

enum io_status
io_puts(struct io *io, const char *cstr)
{
	return io_put(io, cstr, strlen(cstr));
}

int
fd_write_all(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w >= 0) {
			p += w;
			n -= (size_t)w;
		} else if (errno == EAGAIN) {
			if (wait_for(fd, POLLOUT, IO_FOREVER) != IO_OK)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

int
fd_nonblock(int fd)
{
	int fl = fcntl(fd, F_GETFL);

	return fl < 0 ? -1 : fcntl(fd, F_SETFL, fl | O_NONBLOCK);
}

void
fd_close(int fd)
{
	int e = errno;

	(void)close(fd);
	errno = e;
}
