/* test_header.c - fields and where a header ends, with every read split at
 * every size; limits; names. */
#include "mail/header.h"

#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#define WIRE(s) s, sizeof(s) - 1

static const struct {
	const char *wire;
	size_t len;
	bool drop_cr;
	enum header_status end;
	const char *fields;     /* "ID field" joined, each ending in '|' */
	const char *rest;       /* the line in the way, then the body */
} cases[] = {
	{WIRE(""), false, HEADER_EOF, "", ""},
	{WIRE("\n"), false, HEADER_END, "", ""},
	{WIRE("\nbody\n"), false, HEADER_END, "", "body\n"},
	{WIRE("To: a\n"), false, HEADER_EOF, "To[ a]|", ""},
	{WIRE("To: a"), false, HEADER_EOF, "To[ a]|", ""},
	{WIRE("To: a\n\n\nx"), false, HEADER_END, "To[ a]|", "\nx"},
	{WIRE("to: a\nX-Y: b\nCC:\n\n"), false, HEADER_END,
	    "To[ a]|[ b]|Cc[]|", ""},
	{WIRE("To: a,\n b,\n\tc\nCc: d\n\n"), false, HEADER_END,
	    "To[ a,\n b,\n\tc]|Cc[ d]|", ""},
	{WIRE("To: a\n \n b\n\nx"), false, HEADER_END,
	    "To[ a\n \n b]|", "x"},
	{WIRE("To \t: a\n\n"), false, HEADER_END, "To[ a]|", ""},
	{WIRE("From joe Mon\nFrom : a\nTo: b\n\n"), false, HEADER_END,
	    "[joe Mon]|From[ a]|To[ b]|", ""},
	{WIRE("To: a\nno field\nx\n"), false, HEADER_BODY, "To[ a]|",
	    "no field\nx\n"},
	{WIRE(" To: a\n"), false, HEADER_BODY, "", " To: a\n"},
	{WIRE("hello\n"), false, HEADER_BODY, "", "hello\n"},
	{WIRE("hello"), false, HEADER_BODY, "", "hello\n"},
	{WIRE(": x\n"), false, HEADER_BODY, "", ": x\n"},
	{WIRE("T\303\266: x\n"), false, HEADER_BODY, "", "T\303\266: x\n"},
	{WIRE("To: a\r\n\r\nb\r\n"), true, HEADER_END, "To[ a]|", "b\r\n"},
	{WIRE("To: a\r\n\r\nb\r\n"), false, HEADER_BODY, "To[ a\r]|",
	    "\r\nb\r\n"},
	{WIRE("To: a\r\r\n\r\n"), true, HEADER_END, "To[ a]|", ""},
	{WIRE("To: a\r\n b\r\n\n"), true, HEADER_END, "To[ a\n b]|", ""},
	{WIRE("X: a\0b\n\n"), false, HEADER_END, "[ a_b]|", ""},
	{WIRE("Message-id:<x>\nRESENT-to:y\n\n"), false, HEADER_END,
	    "Message-ID[<x>]|Resent-To[y]|", ""},
};

/* Sends the bytes in pieces; each piece is one read. */
static void
open_pieces(struct io *io, const char *s, size_t n, size_t piece)
{
	int fd[2];
	int size = 1 << 20;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	(void)setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	while (n > 0) {
		size_t m = n < piece ? n : piece;

		assert_int_equal(send(fd[1], s, m, 0), (ssize_t)m);
		s += m;
		n -= m;
	}
	(void)close(fd[1]);
	io_init(io, fd[0], -1, 1000);
}

static void
collect(struct header *h, struct str *out, enum header_status *end)
{
	size_t n;
	const char *v;

	while ((*end = header_next(h)) == HEADER_FIELD) {
		assert_int_equal(h->field.s[h->field.len - 1], '\n');
		v = header_value(h, &n);
		str_cats(out, header_name(h->id));
		str_catc(out, '[');
		for (size_t i = 0; i < n; i++)
			str_catc(out, v[i] == '\0' ? '_' : v[i]);
		str_cats(out, "]|");
	}
}

static void
test_cases(void **state)
{
	struct str out = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		for (size_t piece = 1; piece <= cases[i].len + 1; piece++) {
			struct io io;
			struct header h;
			enum header_status end;
			const char *rest;
			size_t n;

			open_pieces(&io, cases[i].wire, cases[i].len, piece);
			header_init(&h, &io, 1000, 1000);
			h.drop_cr = cases[i].drop_cr;
			str_clear(&out);
			collect(&h, &out, &end);
			assert_string_equal(str_c(&out), cases[i].fields);
			assert_int_equal(end, cases[i].end);
			rest = header_rest(&h, &n);
			str_copyb(&out, rest, n);
			assert_int_equal(io_slurp(&io, &out, 1000), IO_OK);
			assert_string_equal(str_c(&out), cases[i].rest);
			header_free(&h);
			(void)close(io.rfd);
		}
	str_free(&out);
}

static enum header_status
end_of(const char *s, size_t field_max, size_t total_max, size_t *fields)
{
	struct io io;
	struct header h;
	enum header_status end;

	open_pieces(&io, s, strlen(s), 7);
	header_init(&h, &io, field_max, total_max);
	*fields = 0;
	while ((end = header_next(&h)) == HEADER_FIELD)
		(*fields)++;
	header_free(&h);
	(void)close(io.rfd);
	return end;
}

static void
test_limits(void **state)
{
	size_t n;

	(void)state;
	/* "To: a,\n b\n" is 10 bytes. */
	assert_int_equal(end_of("To: a,\n b\n\n", 10, 10, &n), HEADER_END);
	assert_int_equal(n, 1);
	assert_int_equal(end_of("To: a,\n b\n\n", 9, 99, &n), HEADER_TOOLONG);
	assert_int_equal(n, 0);
	assert_int_equal(end_of("To: a,\n b\n\n", 99, 9, &n), HEADER_TOOBIG);
	assert_int_equal(end_of("To: a\nCc: b\n\n", 6, 12, &n), HEADER_END);
	assert_int_equal(n, 2);
	assert_int_equal(end_of("To: a\nCc: b\n\n", 6, 11, &n), HEADER_TOOBIG);
	assert_int_equal(n, 1);
	assert_int_equal(end_of("To: aaaa\n\n", 6, 99, &n), HEADER_TOOLONG);
	/* No line end at all. */
	assert_int_equal(end_of("To: aaaaaaaaaaaaaaaaaaaaaaaa", 6, 99, &n),
	    HEADER_TOOLONG);
}

static void
test_read_error(void **state)
{
	struct io io;
	struct header h;

	(void)state;
	io_init(&io, open("/", O_RDONLY | O_CLOEXEC), -1, IO_FOREVER);
	header_init(&h, &io, 100, 100);
	assert_int_equal(header_next(&h), HEADER_ERROR);
	assert_int_equal(errno, EISDIR);
	header_free(&h);
	(void)close(io.rfd);
}

static void
test_names(void **state)
{
	size_t off;

	(void)state;
	for (int i = HEADER_MBOX + 1; i < HEADER_ID_COUNT; i++) {
		const char *name = header_name((enum header_id)i);

		assert_int_equal(header_lookup(name, strlen(name)), i);
	}
	assert_int_equal(header_lookup("bCC", 3), HEADER_BCC);
	assert_int_equal(header_lookup("bC", 2), HEADER_OTHER);
	assert_int_equal(header_lookup("", 0), HEADER_OTHER);
	assert_int_equal(header_scan_name("A: b", 4, &off), 1);
	assert_int_equal(off, 2);
	assert_int_equal(header_scan_name("A", 1, &off), 0);
	assert_int_equal(header_scan_name("A b: c", 6, &off), 0);
	assert_int_equal(header_scan_name("", 0, &off), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_read_error),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
