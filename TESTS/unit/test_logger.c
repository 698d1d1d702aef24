/* test_logger.c - multilog's actions over lines cut at every size, and what
 * its script may say. */
#include "supervise/logger.h"

#include "supervise/stamp.h"

#include "lib/fs.h"
#include "lib/sig.h"

#include "TESTS/unit/unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char top[] = "/tmp/test_logger.XXXXXX";

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static int
setup(void **state)
{
	(void)state;
	memcpy(top + sizeof top - 7, "XXXXXX", 6);
	return mkdtemp(top) == NULL || chdir(top) < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	return chdir("/") < 0 ? -1 : nftw(top, remove_one, 8,
	    FTW_DEPTH | FTW_PHYS);
}

static void
expect(const char *path, const char *want, size_t n)
{
	struct str s = {0};

	if (fs_read(path, &s, 1 << 20) < 0)
		fail_msg("%s is not there", path);
	assert_int_equal(s.len, n);
	assert_memory_equal(str_c(&s), want, n);
	str_free(&s);
}

#define SCRIPT(...) ((char *[]){__VA_ARGS__, NULL})
#define A(text) ((char[]){text})

/* The lines, and per script which of them ./log gets. */
static const char lines[] = "alpha\nbeta\n\nalpha beta\n+gamma\nlast";
static const struct {
	const char *actions[4];
	const char *want;
} selections[] = {
	{{NULL}, "alpha\nbeta\n\nalpha beta\n+gamma\nlast\n"},
	{{"-*"}, ""},
	{{"-alpha"}, "beta\n\nalpha beta\n+gamma\nlast\n"},
	{{"-alpha*"}, "beta\n\n+gamma\nlast\n"},
	{{"-*", "+alpha"}, "alpha\n"},
	{{"-*", "+alpha*", "-*beta"}, "alpha\n"},
	{{"-*", "++gamma"}, "+gamma\n"},
	{{"-*", "+"}, "\n"},
	{{"-*", "+last"}, "last\n"},
};

static void
test_selection(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(selections); i++) {
		for (size_t step = 1; step <= sizeof lines; step++) {
			char *script[6];
			char copies[4][16], dir[] = "./log";
			struct logger l;
			size_t n = 0;

			for (; n < 4 && selections[i].actions[n]; n++) {
				(void)snprintf(copies[n], sizeof copies[n],
				    "%s", selections[i].actions[n]);
				script[n] = copies[n];
			}
			script[n] = dir;
			script[n + 1] = NULL;
			logger_open(&l, script);
			for (size_t at = 0; at < sizeof lines - 1;
			    at += step) {
				size_t part = sizeof lines - 1 - at;

				logger_feed(&l, lines + at,
				    part < step ? part : step);
				if (at % 3 == 0)
					logger_settle(&l);
			}
			logger_close(&l);
			expect("log/current", selections[i].want,
			    strlen(selections[i].want));
			assert_int_equal(unlink("log/current"), 0);
		}
	}
}

/* Patterns see 1000 bytes, the log all of them; cut anywhere. */
static void
test_long_lines(void **state)
{
	char in[3 * 1002 + 1], *p = in;

	(void)state;
	for (size_t n = 999; n <= 1001; n++) {
		memset(p, 'a', n);
		p[n - 1] = 'b';
		p[n] = '\n';
		p += n + 1;
	}
	for (size_t step = 1; step <= 3100; step = step < 4 ? step + 1 :
	    step * 2 - 3) {
		struct logger l;
		size_t total = (size_t)(p - in);

		/* a line whose b is the 1001st byte shows none */
		logger_open(&l, SCRIPT(A("-*"), A("+*b"), A("./log")));
		for (size_t at = 0; at < total; at += step)
			logger_feed(&l, in + at, total - at < step ?
			    total - at : step);
		logger_close(&l);
		expect("log/current", in, 1000 + 1001);
		assert_int_equal(unlink("log/current"), 0);
		logger_open(&l, SCRIPT(A("./log")));
		for (size_t at = 0; at < total; at += step)
			logger_feed(&l, in + at, total - at < step ?
			    total - at : step);
		logger_close(&l);
		expect("log/current", in, total);
		assert_int_equal(unlink("log/current"), 0);
	}
}

static void
test_status_file(void **state)
{
	char want[LOGGER_STATUS];
	struct logger l;

	(void)state;
	logger_open(&l, SCRIPT(A("-*"), A("+s*"), A("=st")));
	logger_feed(&l, "s1\nother\n", 9);
	logger_settle(&l);
	memset(want, '\n', sizeof want);
	memcpy(want, "s1", 2);
	expect("st", want, sizeof want);
	logger_feed(&l, "s3\ns2 longer\nx\ns", 16);
	logger_settle(&l);
	memcpy(want, "s2 longer", 9);
	expect("st", want, sizeof want);
	logger_close(&l);               /* completes the line "s" */
	memset(want, '\n', sizeof want);
	want[0] = 's';
	expect("st", want, sizeof want);
	/* a longer file is cut */
	assert_int_equal(truncate("st", 5000), 0);
	logger_open(&l, SCRIPT(A("=st")));
	logger_feed(&l, "s\n", 2);
	logger_close(&l);
	expect("st", want, sizeof want);
}

static void
alerts(void *arg)
{
	char in[3 * 202];
	struct logger l;
	char *p = in;

	(void)arg;
	for (size_t n = 199; n <= 201; n++) {
		memset(p, 'a', n);
		p[n] = '\n';
		p += n + 1;
	}
	logger_open(&l, SCRIPT(A("e"), A("-*"), A("e")));
	logger_feed(&l, in, (size_t)(p - in));
	logger_close(&l);
}

static void
test_alerts(void **state)
{
	char want[1024], text[2048];
	char *p = want;

	(void)state;
	for (size_t n = 199; n <= 200; n++) {
		memset(p, 'a', n);
		p[n] = '\n';
		p += n + 1;
	}
	memset(p, 'a', 200);
	memcpy(p + 200, "...\n", 5);
	assert_int_equal(unit_child(alerts, NULL, text, sizeof text), 0);
	assert_string_equal(text, want);
}

static void
test_stamps(void **state)
{
	struct str s = {0};
	struct logger l;
	struct tai t;

	(void)state;
	logger_open(&l, SCRIPT(A("t"), A("-*"), A("+* b*"), A("./log")));
	logger_feed(&l, "a\nb1\n b\nb2", 10);
	logger_close(&l);
	assert_int_equal(fs_read("log/current", &s, 1000), 0);
	/* "* b": the star ends at the stamp's own space, so " b" fails */
	assert_int_equal(s.len, 2 * (STAMP_LEN + 3));
	assert_int_equal(tai_scan_label(&t, str_c(&s), s.len), 25);
	assert_memory_equal(str_c(&s) + 25, " b1\n@", 5);
	assert_memory_equal(str_c(&s) + s.len - 4, " b2\n", 4);
	str_free(&s);
}

/* Sizes and numbers hold for the logs that follow them. */
static void
test_settings(void **state)
{
	struct logger l;

	(void)state;
	logger_open(&l, SCRIPT(A("./a"), A("s1"), A("n1"), A("./b"),
	    A("s999999999"), A("n33"), A("!cat"), A("./c"), A("!"),
	    A("./d")));
	assert_int_equal(l.n, 4);
	assert_int_equal(l.actions[0].dir.size, 99999);
	assert_int_equal(l.actions[0].dir.num, 10);
	assert_null(l.actions[0].dir.processor);
	assert_int_equal(l.actions[1].dir.size, 4096);
	assert_int_equal(l.actions[1].dir.num, 2);
	assert_int_equal(l.actions[2].dir.size, 16777215);
	assert_int_equal(l.actions[2].dir.num, 33);
	assert_string_equal(l.actions[2].dir.processor, "cat");
	assert_null(l.actions[3].dir.processor);
	logger_feed(&l, "x\n", 2);
	logger_close(&l);
	expect("a/current", "x\n", 2);
	expect("d/current", "x\n", 2);
}

static void
open_script(void *script)
{
	struct logger l;

	logger_open(&l, script);
	_exit(l.n == 0 ? 0 : 1);
}

static void
test_odd_scripts(void **state)
{
	(void)state;
	unit_dies(open_script, SCRIPT(A("20")), 0,
	    "warning: ignoring unknown action 20\n");
	unit_dies(open_script, SCRIPT(A("e"), A("t")), 1,
	    "warning: ignoring unknown action t\n");
	unit_dies(open_script, SCRIPT(A("ssize 100000")), 0,
	    "warning: action ssize 100000 has no proper number\n");
	unit_dies(open_script, SCRIPT(A("n5x")), 0,
	    "warning: action n5x has no proper number\n");
	unit_dies(open_script, SCRIPT(A("=")), 100,
	    "fatal: action = names no file\n");
	unit_dies(open_script, SCRIPT(A("./a"), A("./a")), 111,
	    "fatal: unable to lock directory ./a: temporary failure\n");
}

/* TERM: the line is finished, and not a byte behind it is taken. */
static void
test_term(void **state)
{
	struct logger l;
	char rest[16];
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	logger_open(&l, SCRIPT(A("./log")));
	logger_feed(&l, "beg", 3);      /* within a line */
	assert_true(sig_open((const int[]){SIGTERM, 0}) >= 0);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(write(p[1], "un\nnext\n", 8), 8);
	assert_int_equal(logger_run(&l, p[0]), 0);
	logger_close(&l);
	expect("log/current", "begun\n", 6);
	assert_int_equal(read(p[0], rest, sizeof rest), 5);
	assert_memory_equal(rest, "next\n", 5);
	(void)close(p[0]);
	(void)close(p[1]);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_selection),
		T(test_long_lines),
		T(test_status_file),
		T(test_alerts),
		T(test_stamps),
		T(test_settings),
		T(test_odd_scripts),
		T(test_term),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
