/* test_stamp.c - labels in front of lines: put there, and turned into local
 * time, with every read cut at every size. */
#include "supervise/stamp.h"

#include "TESTS/unit/unit.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define OUT_MAX 4096

/* Runs one of the two over in, given in reads of step bytes: each packet of a
 * SOCK_SEQPACKET socket is one read.  The output, with a NUL. */
static void
run(int (*work)(struct io *), const char *in, size_t n, size_t step, char *out)
{
	static struct io io;
	size_t len = 0;
	ssize_t got;
	int sv[2], p[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	assert_int_equal(pipe(p), 0);
	for (size_t at = 0; at < n; at += step) {
		size_t part = n - at < step ? n - at : step;

		assert_int_equal(send(sv[1], in + at, part, 0), part);
	}
	(void)close(sv[1]);
	io_init(&io, sv[0], p[1], IO_FOREVER);
	assert_int_equal(work(&io), 0);
	(void)close(sv[0]);
	(void)close(p[1]);
	while ((got = read(p[0], out + len, OUT_MAX - 1 - len)) > 0)
		len += (size_t)got;
	out[len] = '\0';
	(void)close(p[0]);
}

static const struct {
	const char *in, *want;
} locals[] = {
	{"", ""},
	{"one\ntwo\n", "one\ntwo\n"},
	{"one\ntwo", "one\ntwo"},
	/* 0x37c219bf is 10 + 935467445 seconds after 1970, UTC */
	{"@4000000037c219bf2ef02e94 mark\n",
	    "1999-08-24 04:04:05.787492500 mark\n"},
	{"@4000000037c219bf2ef02e94\n", "1999-08-24 04:04:05.787492500\n"},
	{"@4000000037c219bf2ef02e94", "1999-08-24 04:04:05.787492500"},
	{"@400000008000000a00000001x", "2038-01-19 03:14:08.000000001x"},
	{" @4000000037c219bf2ef02e94 a\n", " @4000000037c219bf2ef02e94 a\n"},
	{"a @4000000037c219bf2ef02e94\n", "a @4000000037c219bf2ef02e94\n"},
	{"@4000000037c219bf2ef02e9 short\n",
	    "@4000000037c219bf2ef02e9 short\n"},
	{"@4000000037C219BF2EF02E94 upper\n",
	    "@4000000037C219BF2EF02E94 upper\n"},
	{"@\n@\n@x\n", "@\n@\n@x\n"},
	{"@@4000000037c219bf2ef02e94\n", "@@4000000037c219bf2ef02e94\n"},
	{"\n\n@4000000037c219bf2ef02e94\n\n",
	    "\n\n1999-08-24 04:04:05.787492500\n\n"},
	/* a year the calendar does not hold stays a label */
	{"@bfffffffffffffff00000000 x\n", "@bfffffffffffffff00000000 x\n"},
};

static void
test_local(void **state)
{
	char out[OUT_MAX];

	(void)state;
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	tzset();
	for (size_t i = 0; i < N_OF(locals); i++) {
		size_t n = strlen(locals[i].in);

		for (size_t step = 1; step <= n + 1; step++) {
			run(stamp_to_local, locals[i].in, n, step, out);
			assert_string_equal(out, locals[i].want);
		}
	}
}

static bool
is_label(const char *s)
{
	if (*s++ != '@')
		return false;
	for (int i = 0; i < 24; i++)
		if (strchr("0123456789abcdef", *s++) == NULL)
			return false;
	return *s == ' ';
}

static void
test_add(void **state)
{
	static const char in[] = "one\n\n@three\nfour";
	static const char *const lines[] = {"one\n", "\n", "@three\n", "four"};
	char out[OUT_MAX];

	(void)state;
	for (size_t step = 1; step <= sizeof in; step++) {
		const char *p = out;

		run(stamp_add, in, sizeof in - 1, step, out);
		for (size_t i = 0; i < N_OF(lines); i++) {
			assert_true(is_label(p));
			p += STAMP_LEN;
			assert_memory_equal(p, lines[i], strlen(lines[i]));
			p += strlen(lines[i]);
		}
		assert_int_equal(*p, '\0');
	}
}

static void
test_label_is_now(void **state)
{
	time_t before = time(NULL), stamp;
	char out[OUT_MAX];
	struct tai t;

	(void)state;
	run(stamp_add, "x\n", 2, 2, out);
	assert_int_equal(tai_scan_label(&t, out, strlen(out)), 25);
	stamp = tai_unix(&t);
	assert_true(stamp >= before && stamp <= time(NULL));
}

static void
test_format(void **state)
{
	struct tai t = {UINT64_C(0x4000000037c219bf), 0x2ef02e94};
	char out[STAMP_LEN];

	(void)state;
	stamp_format(out, &t);
	assert_memory_equal(out, "@4000000037c219bf2ef02e94 ", STAMP_LEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_label_is_now),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
