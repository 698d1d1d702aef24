/* test_netstring.c - the reader of netstrings with every read split at every
 * size, nested ones, deadlines, and the writer. */
#include "mail/netstring.h"

#include "TESTS/unit/unit.h"

#include "lib/sock.h"
#include "lib/tai.h"

#include <sys/socket.h>

#define WIRE(s) (s), sizeof(s) - 1

/* A reader of s, which comes in pieces. */
static int
open_pieces(struct io *io, const char *s, size_t n, size_t piece)
{
	int a, b;

	assert_int_equal(sock_pair(SOCK_SEQPACKET, &a, &b), 0);
	for (size_t at = 0; at < n; at += piece)
		assert_true(send(b, s + at, n - at < piece ? n - at : piece,
		    MSG_DONTWAIT) >= 0);
	assert_int_equal(close(b), 0);
	io_init(io, a, -1, 1000);
	return a;
}

static const struct {
	const char *wire;
	size_t n;
	enum netstring_status want;
	const char *text;       /* of NETSTRING_OK */
} cases[] = {
	{WIRE("0:,"), NETSTRING_OK, ""},
	{WIRE("5:hello,"), NETSTRING_OK, "hello"},
	{WIRE("12:hello world!,"), NETSTRING_OK, "hello world!"},
	{WIRE("3:,:,,"), NETSTRING_OK, ",:,"},
	{WIRE("5:hello,6:next"), NETSTRING_OK, "hello"},
	{WIRE(""), NETSTRING_END, NULL},
	{WIRE(":,"), NETSTRING_BAD, NULL},
	{WIRE(" 5:hello,"), NETSTRING_BAD, NULL},
	{WIRE("+5:hello,"), NETSTRING_BAD, NULL},
	{WIRE("-1:,"), NETSTRING_BAD, NULL},
	{WIRE("05:hello,"), NETSTRING_BAD, NULL},
	{WIRE("00:,"), NETSTRING_BAD, NULL},
	{WIRE("5 :hello,"), NETSTRING_BAD, NULL},
	{WIRE("0x5:hello,"), NETSTRING_BAD, NULL},
	{WIRE("5a:hello,"), NETSTRING_BAD, NULL},
	{WIRE("5:hello;"), NETSTRING_BAD, NULL},
	{WIRE("5:hell,"), NETSTRING_IO, NULL},
	{WIRE("4:hello,"), NETSTRING_BAD, NULL},
	{WIRE("\0005:hello,"), NETSTRING_BAD, NULL},
	{WIRE("5;hello,"), NETSTRING_BAD, NULL},
	{WIRE("5"), NETSTRING_IO, NULL},
	{WIRE("5:"), NETSTRING_IO, NULL},
	{WIRE("5:hel"), NETSTRING_IO, NULL},
	{WIRE("5:hello"), NETSTRING_IO, NULL},
	{WIRE("1000000000:x"), NETSTRING_HUGE, NULL},
	{WIRE("18446744073709551617:x"), NETSTRING_HUGE, NULL},
	{WIRE("999999999:x"), NETSTRING_IO, NULL},
	{WIRE("13:hello, world,,"), NETSTRING_LONG, NULL},
};

static void
test_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		for (size_t piece = 1; piece <= cases[i].n + 1; piece++) {
			static struct io io;
			struct netreader r;
			struct str s = {0};
			int fd = open_pieces(&io, cases[i].wire, cases[i].n,
			    piece);

			netreader_init(&r, &io);
			str_cats(&s, "old");
			assert_int_equal(netreader_str(&r, &s, 12),
			    cases[i].want);
			if (cases[i].text != NULL)
				assert_string_equal(str_c(&s), cases[i].text);
			str_free(&s);
			assert_int_equal(close(fd), 0);
		}
}

/* What is too long is skipped whole: the next one is read. */
static void
test_long_is_skipped(void **state)
{
	static struct io io;
	struct netreader r;
	struct str s = {0}, wire = {0};
	int fd;

	(void)state;
	str_cats(&wire, "2500:");
	for (int i = 0; i < 2500; i++)
		str_catc(&wire, ',');
	str_cats(&wire, ",2:ok,");
	fd = open_pieces(&io, wire.s, wire.len, 999);
	netreader_init(&r, &io);
	assert_int_equal(netreader_str(&r, &s, 2499), NETSTRING_LONG);
	assert_int_equal(s.len, 0);
	assert_int_equal(netreader_str(&r, &s, 2), NETSTRING_OK);
	assert_string_equal(str_c(&s), "ok");
	assert_int_equal(netreader_str(&r, &s, 2), NETSTRING_END);
	assert_int_equal(close(fd), 0);
	str_free(&s);
	str_free(&wire);
}

static const struct {
	const char *wire;
	size_t n;
	enum netstring_status want;
	unsigned inner;
} nests[] = {
	{WIRE("0:,"), NETSTRING_OK, 0},
	{WIRE("4:1:a,,"), NETSTRING_OK, 1},
	{WIRE("7:1:a,0:,,"), NETSTRING_OK, 2},
	{WIRE("3:1:a,"), NETSTRING_BAD, 0},     /* its comma is outside */
	{WIRE("4:2:a,,"), NETSTRING_BAD, 0},
	{WIRE("5:1:a,,"), NETSTRING_BAD, 1},    /* one byte is left over */
	{WIRE("4:9999:,"), NETSTRING_BAD, 0},
	{WIRE("2:99"), NETSTRING_BAD, 0},       /* a head that does not end */
	{WIRE("4:1:a,;"), NETSTRING_BAD, 1},
	{WIRE("8:1:a,"), NETSTRING_IO, 1},
	{WIRE("14:1:a,"), NETSTRING_IO, 1},
};

static enum netstring_status
read_nest(struct netreader *r, unsigned *inner)
{
	struct str s = {0};
	enum netstring_status st;
	uint64_t len;

	*inner = 0;
	st = netreader_head(r, &len);
	if (st != NETSTRING_OK)
		return st;
	netreader_enter(r, len);
	while (r->left > 0) {
		st = netreader_str(r, &s, 100);
		if (st != NETSTRING_OK) {
			str_free(&s);
			return st;
		}
		++*inner;
	}
	str_free(&s);
	return netreader_leave(r);
}

static void
test_nested(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(nests); i++)
		for (size_t piece = 1; piece <= nests[i].n + 1; piece++) {
			static struct io io;
			struct netreader r;
			unsigned inner;
			int fd = open_pieces(&io, nests[i].wire, nests[i].n,
			    piece);

			netreader_init(&r, &io);
			assert_int_equal(read_nest(&r, &inner), nests[i].want);
			assert_int_equal(inner, nests[i].inner);
			assert_int_equal(close(fd), 0);
		}
}

/* A deadline that is over ends the reading though bytes are there. */
static void
test_deadline(void **state)
{
	static struct io io;
	struct netreader r;
	struct str s = {0};
	int fd = open_pieces(&io, WIRE("2:ok,"), 5);

	(void)state;
	netreader_init(&r, &io);
	r.until = clock_mono_ms() - 1;
	assert_int_equal(netreader_str(&r, &s, 2), NETSTRING_IO);
	assert_int_equal(r.fail, IO_TIMEOUT);
	assert_int_equal(close(fd), 0);
	str_free(&s);
}

static void
test_writer(void **state)
{
	static const uint64_t lens[] = {0, 9, 10, 99, 100, 12345};
	struct str s = {0};

	(void)state;
	netstring_cat(&s, "hello", 5);
	netstring_cat(&s, "", 0);
	assert_string_equal(str_c(&s), "5:hello,0:,");
	for (size_t i = 0; i < N_OF(lens); i++) {
		struct str body = {0};

		str_clear(&s);
		for (uint64_t k = 0; k < lens[i]; k++)
			str_catc(&body, 'x');
		netstring_cat(&s, str_c(&body), body.len);
		assert_int_equal(netstring_size(lens[i]), s.len);
		str_free(&body);
	}
	assert_int_equal(netstring_size(999999999), 999999999 + 11);
	str_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_split),
		cmocka_unit_test(test_long_is_skipped),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
