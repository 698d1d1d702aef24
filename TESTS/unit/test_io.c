/* test_io.c - reading in pieces of every size, maxima to the byte, deadlines
 * on both sides, descriptors that say EAGAIN, peers that go away. */
#include "lib/io.h"

#include "lib/proc.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

static struct io io;

/* A descriptor from which the bytes come in pieces, one a read: each piece is
 * a packet. */
static int
feed(const char *s, size_t n, size_t piece)
{
	int a, b, big = 1 << 20;

	assert_int_equal(sock_pair(SOCK_SEQPACKET, &a, &b), 0);
	(void)setsockopt(b, SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
	for (size_t i = 0; i < n; i += piece) {
		size_t k = n - i < piece ? n - i : piece;

		assert_int_equal(send(b, s + i, k, MSG_DONTWAIT), (ssize_t)k);
	}
	(void)close(b);
	return a;
}

#define LINES "first\n\nthird line\nno end"

static void
test_getdelim_every_split(void **state)
{
	static const char *const want[] = {"first", "", "third line"};
	size_t n = sizeof LINES - 1;

	(void)state;
	for (size_t piece = 1; piece <= n; piece++) {
		int fd = feed(LINES, n, piece);
		struct str s = {0};

		io_init(&io, fd, -1, piece % 2 ? IO_FOREVER : 1000);
		for (size_t i = 0; i < N_OF(want); i++) {
			str_clear(&s);
			assert_int_equal(io_getdelim(&io, &s, '\n', 10),
			    IO_OK);
			assert_string_equal(str_c(&s), want[i]);
		}
		str_clear(&s);
		assert_int_equal(io_getdelim(&io, &s, '\n', 10), IO_EOF);
		assert_string_equal(str_c(&s), "no end");
		assert_int_equal(io_getdelim(&io, &s, '\n', 10), IO_EOF);
		assert_string_equal(str_c(&s), "no end");
		assert_int_equal(io.nread, n);
		str_free(&s);
		(void)close(fd);
	}
}

/* A record of exactly max bytes is fine, one more is not; what came before in
 * out stays; the rest can still be read. */
static void
test_getdelim_max(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= 8; piece++) {
		int fd = feed("abc\nabcd\n", 9, piece);
		struct str s = {0};

		io_init(&io, fd, -1, IO_FOREVER);
		str_cats(&s, "+");
		assert_int_equal(io_getdelim(&io, &s, '\n', 3), IO_OK);
		assert_string_equal(str_c(&s), "+abc");
		assert_int_equal(io_getdelim(&io, &s, '\n', 3), IO_TOOLONG);
		assert_string_equal(str_c(&s), "+abcabc");
		assert_int_equal(io_getdelim(&io, &s, '\n', 3), IO_OK);
		assert_string_equal(str_c(&s), "+abcabcd");
		assert_int_equal(io_getdelim(&io, &s, '\n', 3), IO_EOF);
		str_free(&s);
		(void)close(fd);
	}
}

/* Records longer than the buffer, split so that the delimiter falls on both
 * sides of every boundary. */
static void
test_getdelim_long(void **state)
{
	(void)state;
	for (size_t len = IO_BUF - 2; len <= IO_BUF + 2; len++) {
		char *big = malloc(2 * len + 2);
		struct str s = {0};
		int fd;

		assert_non_null(big);
		memset(big, 'x', 2 * len + 2);
		big[len] = big[2 * len + 1] = '\0';
		fd = feed(big, 2 * len + 2, 5000);
		io_init(&io, fd, -1, IO_FOREVER);
		for (int i = 0; i < 2; i++) {
			str_clear(&s);
			assert_int_equal(io_getdelim(&io, &s, '\0', len),
			    IO_OK);
			assert_int_equal(s.len, len);
		}
		assert_int_equal(io_getdelim(&io, &s, '\0', len), IO_EOF);
		(void)close(fd);
		free(big);
		str_free(&s);
	}
}

static void
test_get(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= 10; piece++)
		for (size_t n = 1; n <= 11; n++) {
			int fd = feed("0123456789", 10, piece);
			char buf[16] = "";
			size_t at = 0, got;
			enum io_status st;

			io_init(&io, fd, -1, IO_FOREVER);
			while ((st = io_get(&io, buf + at, n, &got)) == IO_OK) {
				assert_in_range(got, 1, n);
				at += got;
			}
			assert_int_equal(st, IO_EOF);
			assert_int_equal(got, 0);
			assert_string_equal(buf, "0123456789");
			(void)close(fd);

			fd = feed("0123456789", 10, piece);
			io_init(&io, fd, -1, IO_FOREVER);
			memset(buf, 0, sizeof buf);
			assert_int_equal(io_getall(&io, buf, n),
			    n <= 10 ? IO_OK : IO_EOF);
			if (n <= 10)
				assert_memory_equal(buf, "0123456789", n);
			(void)close(fd);
		}
}

static void
test_slurp(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= 5; piece++)
		for (size_t max = 0; max <= 6; max++) {
			int fd = feed("01234", 5, piece);
			struct str s = {0};

			io_init(&io, fd, -1, IO_FOREVER);
			assert_int_equal(io_slurp(&io, &s, max),
			    max < 5 ? IO_TOOLONG : IO_OK);
			assert_int_equal(s.len, max < 5 ? max : 5);
			if (s.len)
				assert_memory_equal(s.s, "01234", s.len);
			if (max >= 5)
				assert_int_equal(io_slurp(&io, &s, 0), IO_OK);
			str_free(&s);
			(void)close(fd);
		}
}

static void
test_peek(void **state)
{
	int fd = feed("abcdef", 6, 3);
	const char *p;
	char c;

	(void)state;
	io_init(&io, fd, -1, IO_FOREVER);
	assert_int_equal(io_peek(&io, &p), 0);
	assert_int_equal(io_getall(&io, &c, 1), IO_OK);
	assert_int_equal(io_peek(&io, &p), 2);
	assert_memory_equal(p, "bc", 2);
	(void)close(fd);
}

static void
test_read_timeout(void **state)
{
	int r, w;
	int64_t t;
	char c;

	(void)state;
	for (int nonblock = 0; nonblock < 2; nonblock++) {
		assert_int_equal(proc_pipe(&r, &w), 0);
		if (nonblock)
			assert_int_equal(fd_nonblock(r), 0);
		io_init(&io, r, -1, 50);
		t = clock_mono_ms();
		assert_int_equal(io_getall(&io, &c, 1), IO_TIMEOUT);
		assert_in_range(clock_mono_ms() - t, 49, 5000);
		/* the side stays failed, though there is something now */
		assert_int_equal(write(w, "x", 1), 1);
		t = clock_mono_ms();
		assert_int_equal(io_getall(&io, &c, 1), IO_TIMEOUT);
		assert_in_range(clock_mono_ms() - t, 0, 40);
		(void)close(r);
		(void)close(w);
	}
}

/* A timeout of 0 takes what is there and waits for nothing. */
static void
test_timeout_zero(void **state)
{
	int fd = feed("x", 1, 1), r, w;
	char c;

	(void)state;
	io_init(&io, fd, -1, 0);
	assert_int_equal(io_getall(&io, &c, 1), IO_OK);
	assert_int_equal(io_getall(&io, &c, 1), IO_EOF);
	(void)close(fd);
	assert_int_equal(proc_pipe(&r, &w), 0);
	io_init(&io, r, -1, 0);
	assert_int_equal(io_getall(&io, &c, 1), IO_TIMEOUT);
	(void)close(r);
	(void)close(w);
}

/* Nobody reads: the write must give up, on a blocking descriptor as well, and
 * on a pipe as on a socket. */
static void
test_write_timeout(void **state)
{
	static char block[20000];

	(void)state;
	for (int how = 0; how < 4; how++) {
		enum io_status st;
		int64_t t;
		int a, b;

		if (how & 1)
			assert_int_equal(sock_pair(SOCK_STREAM, &a, &b), 0);
		else
			assert_int_equal(proc_pipe(&a, &b), 0);
		if (how & 2)
			assert_int_equal(fd_nonblock(b), 0);
		io_init(&io, -1, b, 50);
		t = clock_mono_ms();
		alarm(20);
		do
			st = io_put(&io, block, sizeof block);
		while (st == IO_OK && clock_mono_ms() - t < 10000);
		alarm(0);
		assert_int_equal(st, IO_TIMEOUT);
		assert_int_equal(io_flush(&io), IO_TIMEOUT);
		assert_int_equal(io_puts(&io, "x"), IO_TIMEOUT);
		assert_true(io.nwritten > 0);
		(void)close(a);
		(void)close(b);
	}
}

/* A slow reader on a full non-blocking pipe: every byte arrives, in order. */
static void
test_write_eagain(void **state)
{
	enum { N = 300000 };
	static unsigned char out[N], in[N + 1000];
	static const int timeout[] = {IO_FOREVER, 10000};

	(void)state;
	for (int i = 0; i < N; i++)
		out[i] = (unsigned char)(i * 7 + i / 256);
	for (size_t v = 0; v < 3; v++) {
		int r, w, status;
		size_t at = 0;
		ssize_t n;
		pid_t pid;

		assert_int_equal(proc_pipe(&r, &w), 0);
		assert_int_equal(fd_nonblock(w), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			enum io_status st = IO_OK;

			(void)close(r);
			if (v == 2)
				_exit(fd_write_all(w, out, N) < 0);
			io_init(&io, -1, w, timeout[v]);
			for (size_t i = 0; i < N && st == IO_OK; i += 1000)
				st = io_put(&io, out + i, 1000);
			if (st == IO_OK)
				st = io_flush(&io);
			_exit(st != IO_OK || io.nwritten != N);
		}
		(void)close(w);
		(void)usleep(20000);
		while (at <= N && (n = read(r, in + at, 1000)) > 0) {
			at += (size_t)n;
			if (at % 50000 < 1000)
				(void)usleep(1000);
		}
		assert_int_equal(at, N);
		assert_memory_equal(in, out, N);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		(void)close(r);
	}
}

static void
test_read_eagain(void **state)
{
	int r, w, status;
	char buf[6] = "";
	pid_t pid;

	(void)state;
	assert_int_equal(proc_pipe(&r, &w), 0);
	assert_int_equal(fd_nonblock(r), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			(void)usleep(5000);
			if (write(w, &"hello"[i], 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	io_init(&io, r, -1, IO_FOREVER);
	assert_int_equal(io_getall(&io, buf, 5), IO_OK);
	assert_string_equal(buf, "hello");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(r);
	(void)close(w);
}

/* A question is flushed before its answer is waited for. */
static void
test_flush_before_read(void **state)
{
	char buf[8];
	int a, b;

	(void)state;
	assert_int_equal(sock_pair(SOCK_STREAM, &a, &b), 0);
	assert_int_equal(send(b, "late", 4, 0), 4);
	io_init(&io, a, a, 1000);
	assert_int_equal(io_getall(&io, buf, 2), IO_OK);
	assert_int_equal(io_puts(&io, "ask"), IO_OK);
	/* what is buffered needs no waiting, so no flush either */
	assert_int_equal(io_getall(&io, buf, 2), IO_OK);
	assert_int_equal(recv(b, buf, sizeof buf, MSG_DONTWAIT), -1);
	assert_int_equal(send(b, "x", 1, 0), 1);
	assert_int_equal(io_getall(&io, buf, 1), IO_OK);
	assert_int_equal(recv(b, buf, sizeof buf, MSG_DONTWAIT), 3);
	assert_memory_equal(buf, "ask", 3);
	(void)close(a);
	(void)close(b);
}

/* A peer answers and closes while we still write: the failure is told once,
 * and then the answer can be read. */
static void
test_answer_after_epipe(void **state)
{
	char c;
	int a, b;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(sock_pair(SOCK_SEQPACKET, &a, &b), 0);
	assert_int_equal(send(b, "!", 1, 0), 1);
	(void)close(b);
	io_init(&io, a, a, 1000);
	assert_int_equal(io_puts(&io, "more"), IO_OK);
	assert_int_equal(io_getall(&io, &c, 1), IO_ERROR);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(io_puts(&io, "more"), IO_ERROR);
	assert_int_equal(io_getall(&io, &c, 1), IO_OK);
	assert_int_equal(c, '!');
	assert_int_equal(io_getall(&io, &c, 1), IO_EOF);
	assert_int_equal(fd_write_all(a, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	(void)close(a);
	(void)signal(SIGPIPE, SIG_DFL);
}

static void
test_put_sizes(void **state)
{
	static char out[3 * IO_BUF], in[3 * IO_BUF];

	(void)state;
	for (size_t i = 0; i < sizeof out; i++)
		out[i] = (char)(i % 251);
	for (size_t first = IO_BUF - 2; first <= IO_BUF + 1; first++)
		for (size_t second = 0; second <= IO_BUF + 1;
		    second += second < 3 ? 1 : IO_BUF - 3) {
			int r, w;

			assert_int_equal(proc_pipe(&r, &w), 0);
			io_init(&io, -1, w, IO_FOREVER);
			assert_int_equal(io_put(&io, out, first), IO_OK);
			assert_int_equal(io_put(&io, out + first, second),
			    IO_OK);
			assert_int_equal(io_flush(&io), IO_OK);
			assert_int_equal(io_flush(&io), IO_OK);
			assert_int_equal(io.nwritten, first + second);
			(void)close(w);
			assert_int_equal(read(r, in, sizeof in),
			    (ssize_t)(first + second));
			assert_memory_equal(in, out, first + second);
			(void)close(r);
		}
}

static void
test_bad_descriptors(void **state)
{
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int r, w;
	char c;

	(void)state;
	io_init(&io, dir, -1, 1000);
	assert_int_equal(io_getall(&io, &c, 1), IO_ERROR);
	assert_int_equal(errno, EISDIR);
	io_init(&io, -1, full, 1000);
	assert_int_equal(io_puts(&io, "x"), IO_OK);
	assert_int_equal(io_flush(&io), IO_ERROR);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(fd_write_all(full, "x", 1), -1);
	assert_int_equal(fd_write_all(full, "", 0), 0);
	assert_int_equal(proc_pipe(&r, &w), 0);
	(void)close(r);
	(void)close(w);
	io_init(&io, r, w, 1000);
	assert_int_equal(io_getall(&io, &c, 1), IO_ERROR);
	assert_int_equal(errno, EBADF);
	assert_int_equal(fd_nonblock(r), -1);
	(void)close(dir);
	(void)close(full);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_getdelim_every_split),
		cmocka_unit_test(test_getdelim_max),
		cmocka_unit_test(test_getdelim_long),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_slurp),
		cmocka_unit_test(test_peek),
		cmocka_unit_test(test_read_timeout),
		cmocka_unit_test(test_timeout_zero),
		cmocka_unit_test(test_write_timeout),
		cmocka_unit_test(test_write_eagain),
		cmocka_unit_test(test_read_eagain),
		cmocka_unit_test(test_flush_before_read),
		cmocka_unit_test(test_answer_after_epipe),
		cmocka_unit_test(test_put_sizes),
		cmocka_unit_test(test_bad_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
