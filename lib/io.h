/* lib/io.h - buffered reading and writing of descriptors, with a maximum for
 * every read and a deadline for every wait.
 *
 * A struct io has a reading side, a writing side, or both; the descriptors
 * stay the caller's.  {0} is not valid; call io_init.  Blocking and
 * non-blocking descriptors both work: on EAGAIN it polls.  Before it waits to
 * read it flushes what was put; when that fails the read says so, once.  After
 * an error the side stays failed. */
#ifndef LIB_IO_H
#define LIB_IO_H

#include "lib/str.h"

#define IO_BUF 8192             /* bytes a side; two pages */
#define IO_FOREVER (-1)

enum io_status {
	IO_OK,
	IO_EOF,                 /* end of input, nothing (more) was read */
	IO_TOOLONG,             /* the maximum was reached first */
	IO_TIMEOUT,
	IO_ERROR,               /* errno says which */
};

struct io {
	int rfd, wfd;           /* -1: that side is not there */
	int timeout;            /* ms a wait may take, or IO_FOREVER */
	enum io_status rfail, wfail;
	size_t rpos, rlen, wlen;
	uint64_t nread, nwritten;       /* bytes in all, after buffering */
	char rbuf[IO_BUF], wbuf[IO_BUF];
};

void io_init(struct io *, int rfd, int wfd, int timeout_ms);

/* Appends to out up to and without delim; at most max bytes.  On IO_EOF out
 * may hold an unfinished record.  On IO_TOOLONG it holds the first max. */
enum io_status io_getdelim(struct io *, struct str *out, char delim,
    size_t max);
/* Reads 1..n bytes; *got is 0 unless IO_OK. */
enum io_status io_get(struct io *, void *buf, size_t n, size_t *got);
enum io_status io_getall(struct io *, void *buf, size_t n);    /* exactly n */
/* The rest of the input; IO_OK at its end.  On IO_TOOLONG out has max more. */
enum io_status io_slurp(struct io *, struct str *out, size_t max);
/* What is buffered now, without reading: borrowed until the next read. */
size_t io_peek(const struct io *, const char **out);
/* At most one wait, until something is buffered (at once when it is). */
enum io_status io_fill(struct io *);
void io_skip(struct io *, size_t n);    /* n of what io_peek showed is used */

enum io_status io_put(struct io *, const void *bytes, size_t n);
enum io_status io_puts(struct io *, const char *cstr);
enum io_status io_flush(struct io *);

/* Plain descriptors: all of it or an error.  write_all retries EINTR and
 * polls on EAGAIN.  0, or -1 with errno. */
__attribute__((warn_unused_result))
int fd_write_all(int fd, const void *bytes, size_t n);
__attribute__((warn_unused_result))
int fd_nonblock(int fd);
void fd_close(int fd);                          /* errno stays as it was */

#endif
