/* test_pop3_send.c - a message from its file to the wire. */
#include "pop3d/send.h"

#include "TESTS/unit/pop3_fake.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define S(text) text, sizeof text - 1

static struct out out;
static char piece[SEND_PIECE];

static void
begin(int wfd)
{
	memset(&out, 0, sizeof out);
	out_init(&out, wfd, 1000);
}

/* All that arrived in a file in memory. */
static void
gather(struct str *into)
{
	char buf[65536];
	ssize_t n;
	off_t at = 0;

	out_flush(&out);
	assert_int_equal(out.fail, IO_OK);
	while ((n = pread(out.fd, buf, sizeof buf, at)) > 0) {
		str_catb(into, buf, (size_t)n);
		at += n;
	}
	assert_int_equal(into->len, out.total);
	(void)close(out.fd);
}

static const struct {
	const char *file;
	size_t n;
	uint64_t lines;
	const char *wire;
	size_t wn;
} cases[] = {
	{S(""), SEND_ALL, S(".\r\n")},
	{S("\n"), SEND_ALL, S("\r\n.\r\n")},
	{S("a"), SEND_ALL, S("a\r\n.\r\n")},
	{S("a\n"), SEND_ALL, S("a\r\n.\r\n")},
	{S("a\r\n"), SEND_ALL, S("a\r\n.\r\n")},
	{S("a\r"), SEND_ALL, S("a\r\r\n.\r\n")},
	{S("\r"), SEND_ALL, S("\r\r\n.\r\n")},
	{S("\r\n"), SEND_ALL, S("\r\n.\r\n")},
	{S("\n\r\n\r\r\n"), SEND_ALL, S("\r\n\r\n\r\r\n.\r\n")},
	{S("a\rb\n"), SEND_ALL, S("a\rb\r\n.\r\n")},
	{S("a\r.b\n"), SEND_ALL, S("a\r.b\r\n.\r\n")},
	{S("."), SEND_ALL, S("..\r\n.\r\n")},
	{S(".\n"), SEND_ALL, S("..\r\n.\r\n")},
	{S(".\r\n"), SEND_ALL, S("..\r\n.\r\n")},
	{S(".\r.\n"), SEND_ALL, S("..\r.\r\n.\r\n")},
	{S("..\n...x\n.\n"), SEND_ALL, S("...\r\n....x\r\n..\r\n.\r\n")},
	{S("a\n.b\r\n.c"), SEND_ALL, S("a\r\n..b\r\n..c\r\n.\r\n")},
	{S("\0\n.\0\n\0"), SEND_ALL, S("\0\r\n..\0\r\n\0\r\n.\r\n")},
	{S("\xff\x80\n\xc3\xb1"), SEND_ALL, S("\xff\x80\r\n\xc3\xb1\r\n.\r\n")},

	/* TOP */
	{S("h: 1\nh: 2\n\nb1\nb2\n"), 0, S("h: 1\r\nh: 2\r\n\r\n.\r\n")},
	{S("h: 1\n\nb1\nb2\n"), 1, S("h: 1\r\n\r\nb1\r\n.\r\n")},
	{S("h: 1\n\nb1\nb2\n"), 2, S("h: 1\r\n\r\nb1\r\nb2\r\n.\r\n")},
	{S("h: 1\n\nb1\nb2\n"), 3, S("h: 1\r\n\r\nb1\r\nb2\r\n.\r\n")},
	{S("h: 1\n\nb1\nb2"), 9, S("h: 1\r\n\r\nb1\r\nb2\r\n.\r\n")},
	{S("h: 1\r\n\r\nb1\r\nb2\r\n"), 1, S("h: 1\r\n\r\nb1\r\n.\r\n")},
	{S("h: 1\n\n\n\nb3\n"), 1, S("h: 1\r\n\r\n\r\n.\r\n")},
	{S("h: 1\n\n.b\nc\n"), 1, S("h: 1\r\n\r\n..b\r\n.\r\n")},
	{S("\nb1\nb2\n"), 1, S("\r\nb1\r\n.\r\n")},
	{S("h: 1\nh: 2\n"), 5, S("h: 1\r\nh: 2\r\n.\r\n")},
	{S("h: 1"), 0, S("h: 1\r\n.\r\n")},
	{S(""), 0, S(".\r\n")},
	/* a CR CR LF and a CR x LF are no empty lines */
	{S("h\n\r\r\ni\n\nb\n"), 0, S("h\r\n\r\r\ni\r\n\r\n.\r\n")},
	{S("h\n\rx\ni\n\nb\n"), 0, S("h\r\n\rx\r\ni\r\n\r\n.\r\n")},
	{S("h\n \ni\n\nb\n"), 0, S("h\r\n \r\ni\r\n\r\n.\r\n")},
	{S("h\n.\ni\n\nb\n"), 0, S("h\r\n..\r\ni\r\n\r\n.\r\n")},
};

/* In parts of size cut, the first one of first bytes. */
static void
in_parts(const char *s, size_t n, uint64_t lines, size_t first, size_t cut,
    struct str *into)
{
	struct send m = {.lines = lines};

	begin(memfd_create("wire", MFD_CLOEXEC));
	for (size_t i = 0; i < n;) {
		size_t k = i == 0 && first > 0 ? first : cut;

		k = k > n - i ? n - i : k;
		send_part(&m, &out, s + i, k);
		i += k;
	}
	send_end(&m, &out);
	gather(into);
}

static void
table_at_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		size_t n = cases[i].n;

		for (size_t first = 0; first <= n; first++)
			for (size_t cut = 1; cut <= n + 1; cut++) {
				struct str got = {0};

				in_parts(cases[i].file, n, cases[i].lines,
				    first, cut, &got);
				assert_int_equal(got.len, cases[i].wn);
				assert_memory_equal(str_c(&got),
				    cases[i].wire, got.len);
				str_free(&got);
			}
	}
}

/* The other side of the fuzz target is right about these. */
static void
table_and_model_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct str got = {0};

		pop3_fake_wire(&got, cases[i].file, cases[i].n,
		    cases[i].lines);
		assert_int_equal(got.len, cases[i].wn);
		assert_memory_equal(str_c(&got), cases[i].wire, got.len);
		str_free(&got);
	}
}

static enum send_status
send_file(const char *s, size_t n, uint64_t lines, struct str *into)
{
	int fd = pop3_fake_file(s, n);
	enum send_status st;

	begin(memfd_create("wire", MFD_CLOEXEC));
	st = send_message(&out, fd, n, lines, piece);
	gather(into);
	(void)close(fd);
	return st;
}

static void
files(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct str got = {0};

		assert_int_equal(send_file(cases[i].file, cases[i].n,
		    cases[i].lines, &got), SEND_OK);
		assert_int_equal(got.len, cases[i].wn);
		assert_memory_equal(str_c(&got), cases[i].wire, got.len);
		str_free(&got);
	}
}

/* What matters falls on, before and behind the end of a piece, and on the end
 * of the file. */
static void
ends_of_pieces(void **state)
{
	static const char *const marks[] = {"\n", "\r\n", "\n.", "\r\n.\r\n",
	    "\n\n", "\r\n\r\n", "\r", "\n.\n", "\n\nb\n"};
	static const size_t pieces[] = {8192, SEND_PIECE, 2 * SEND_PIECE};
	static char file[2 * SEND_PIECE + 64];
	static const uint64_t lines[] = {SEND_ALL, 0, 1};

	(void)state;
	for (size_t m = 0; m < N_OF(marks); m++)
		for (size_t p = 0; p < N_OF(pieces); p++)
			for (size_t at = pieces[p] - 6; at < pieces[p] + 3;
			    at++)
				for (size_t k = 0; k < 2 * N_OF(lines); k++) {
					struct str want = {0}, got = {0};
					size_t n = strlen(marks[m]);
					size_t all = at + n + (k & 1 ? 20 : 0);

					memset(file, 'x', sizeof file);
					memcpy(file + at, marks[m], n);
					pop3_fake_wire(&want, file, all,
					    lines[k / 2]);
					assert_int_equal(send_file(file, all,
					    lines[k / 2], &got), SEND_OK);
					assert_int_equal(got.len, want.len);
					assert_memory_equal(str_c(&got),
					    str_c(&want), got.len);
					str_free(&want);
					str_free(&got);
				}
}

static void
any_bytes(void **state)
{
	static const char alphabet[] = "\n\n\r..ab\0";
	static char file[3 * SEND_PIECE];
	uint64_t seed = 42;

	(void)state;
	for (size_t round = 0; round < 60; round++) {
		struct str want = {0}, got = {0};
		size_t n = round * sizeof file / 60;
		uint64_t lines = round % 3 == 0 ? SEND_ALL : round * 100;

		for (size_t i = 0; i < n; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			file[i] = alphabet[(seed >> 33) % (sizeof alphabet - 1)];
		}
		pop3_fake_wire(&want, file, n, lines);
		assert_int_equal(send_file(file, n, lines, &got), SEND_OK);
		assert_int_equal(got.len, want.len);
		assert_memory_equal(str_c(&got), str_c(&want), got.len);
		str_free(&want);
		str_free(&got);
	}
}

/* The file is not what it was said to be. */
static void
changed_files(void **state)
{
	static char file[SEND_PIECE + 100];
	static const struct {
		size_t has, said;
	} sizes[] = {{10, 11}, {10, 9}, {0, 1}, {1, 0},
	    {SEND_PIECE, SEND_PIECE + 1}, {SEND_PIECE, SEND_PIECE - 1},
	    {SEND_PIECE + 100, SEND_PIECE}, {SEND_PIECE + 100, 10}};

	(void)state;
	memset(file, 'x', sizeof file);
	for (size_t i = 0; i < N_OF(sizes); i++) {
		int fd = pop3_fake_file(file, sizes[i].has);
		struct str got = {0};

		begin(memfd_create("wire", MFD_CLOEXEC));
		assert_int_equal(send_message(&out, fd, sizes[i].said,
		    SEND_ALL, piece), SEND_CHANGED);
		gather(&got);
		assert_null(strstr(str_c(&got), ".\r\n"));
		str_free(&got);
		(void)close(fd);
	}
}

static void
unreadable_files(void **state)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	(void)state;
	begin(memfd_create("wire", MFD_CLOEXEC));
	assert_int_equal(send_message(&out, fd, 10, SEND_ALL, piece),
	    SEND_UNREADABLE);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(out.len, 0);
	(void)close(fd);
	(void)close(out.fd);
}

/* ---- out ---- */

static void
numbers(void **state)
{
	struct str got = {0};

	(void)state;
	begin(memfd_create("wire", MFD_CLOEXEC));
	out_putu(&out, 0);
	out_puts(&out, " ");
	out_putu(&out, 9);
	out_puts(&out, " ");
	out_putu(&out, 10);
	out_puts(&out, " ");
	out_putu(&out, UINT64_MAX);
	gather(&got);
	assert_string_equal(str_c(&got), "0 9 10 18446744073709551615");
	str_free(&got);
}

/* A full buffer leaves, a byte less does not; what left cannot be had back. */
static void
full_buffer(void **state)
{
	static char text[OUT_MAX];
	uint64_t mark;

	(void)state;
	memset(text, 'x', sizeof text);
	begin(memfd_create("wire", MFD_CLOEXEC));
	out_put(&out, text, 10);
	mark = out_mark(&out);
	out_put(&out, text, OUT_MAX - 11);
	assert_int_equal(out.total, 0);
	assert_true(out_back(&out, mark));
	assert_int_equal(out.len, 10);
	out_put(&out, text, OUT_MAX - 10);
	assert_int_equal(out.total, OUT_MAX);
	assert_int_equal(out.len, 0);
	assert_false(out_back(&out, mark));
	out_put(&out, text, 5);
	mark = out_mark(&out);
	out_put(&out, text, OUT_MAX);
	assert_int_equal(out.total, 2 * OUT_MAX);
	assert_int_equal(out.len, 5);
	assert_false(out_back(&out, mark));
	(void)close(out.fd);
}

/* Who does not read has so much time, and then nothing is kept. */
static void
nobody_reads(void **state)
{
	static char text[OUT_MAX];
	int kinds[2][2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, kinds[0]), 0);
	assert_int_equal(pipe(kinds[1]), 0);
	for (size_t k = 0; k < 2; k++) {
		begin(kinds[k][1]);
		out.timeout_ms = 20;
		assert_int_equal(out.is_socket, k == 0);
		for (size_t i = 0; i < 100 && out.fail == IO_OK; i++)
			out_put(&out, text, sizeof text);
		assert_int_equal(out.fail, IO_TIMEOUT);
		assert_true(out.total > 0);
		out_put(&out, text, sizeof text);
		out_puts(&out, "more");
		out_flush(&out);
		assert_int_equal(out.fail, IO_TIMEOUT);
		assert_false(out_back(&out, out_mark(&out)));
		(void)close(kinds[k][0]);
		(void)close(kinds[k][1]);
	}
}

static void
nobody_is_there(void **state)
{
	int fd[2];

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	begin(fd[1]);
	(void)close(fd[0]);
	out_puts(&out, "x");
	out_flush(&out);
	assert_int_equal(out.fail, IO_ERROR);
	(void)close(fd[1]);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_at_every_cut),
		cmocka_unit_test(table_and_model_agree),
		cmocka_unit_test(files),
		cmocka_unit_test(ends_of_pieces),
		cmocka_unit_test(any_bytes),
		cmocka_unit_test(changed_files),
		cmocka_unit_test(unreadable_files),
		cmocka_unit_test(numbers),
		cmocka_unit_test(full_buffer),
		cmocka_unit_test(nobody_reads),
		cmocka_unit_test(nobody_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
