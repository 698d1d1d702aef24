/* test_qsubmit.c - queueing through a QMAILQUEUE program: real programs
 * (shell scripts), every exit code, the dialects of own words.  The service
 * itself is tested by the scenarios. */
#include "mail/limits.h"
#include "mail/qsubmit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "TESTS/unit/home.h"

static char dir[] = "/tmp/test_qsubmit.XXXXXX";
static char script[64];
static bool have_home;

static int
setup(void **state)
{
	(void)state;
	have_home = unit_make_home();
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(script, sizeof script, "%s/queue", dir);
	return setenv("QMAILQUEUE", script, 1);
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(script);
	return rmdir(dir);
}

static void
program(const char *text)
{
	FILE *f = fopen(script, "w");

	assert_non_null(f);
	assert_true(fprintf(f, "#!/bin/sh\n%s\n", text) > 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(script, 0700), 0);
}

static int
submit(struct str *text)
{
	struct qsubmit q;

	qsubmit_open(&q);
	qsubmit_puts(&q, "a: b\n");
	qsubmit_puts(&q, "\nbody\n");
	qsubmit_from(&q, "s@x");
	qsubmit_params(&q, "RET=HDRS");         /* programs do not see it */
	qsubmit_to(&q, "r@y");
	qsubmit_rcpt_params(&q, "NOTIFY=NEVER");
	qsubmit_to(&q, "t@z");
	return qsubmit_close(&q, text);
}

static void
test_bytes(void **state)
{
	struct str why = {0}, cmd = {0};

	(void)state;
	if (!have_home)         /* programs run from there */
		skip();
	str_catf(&cmd, "cat >%s/m; cat <&1 >%s/e", dir, dir);
	program(str_c(&cmd));
	assert_int_equal(submit(&why), 0);
	str_clear(&cmd);
	str_catf(&cmd, "printf 'a: b\\n\\nbody\\n' | cmp - %s/m && "
	    "printf 'Fs@x\\0Tr@y\\0Tt@z\\0\\0' | cmp - %s/e; r=$?; "
	    "rm -f %s/m %s/e; exit $r", dir, dir, dir, dir);
	program(str_c(&cmd));
	assert_int_equal(submit(&why), 0);
	str_free(&cmd);
	str_free(&why);
}

static const struct {
	const char *program;
	int code;
	const char *text;
} cases[] = {
	{"cat >/dev/null; exit 31", 31,
	    "mail server permanently rejected message"},
	{"cat >/dev/null; exit 53", 53,
	    "unable to write the queue (disk full?)"},
	{"cat >/dev/null; exit 33", 33, "permanently rejected"},
	{"cat >/dev/null; exit 99", 99, "temporarily rejected"},
	{"cat >/dev/null; printf 'Dno spam here' >&6; exit 82", 31,
	    "no spam here"},
	{"cat >/dev/null; printf 'Zcome back' >&4; exit 82", 71, "come back"},
	{"cat >/dev/null; printf 'Dx y' >&$ERROR_FD; exit 88", 31, "x y"},
	{"cat >/dev/null; printf 'Zx y' >&$CUSTOM_ERR_FD; exit 88", 71,
	    "x y"},
	{"cat >/dev/null; printf 'D' >&6; exit 82", 71,
	    "mail server temporarily rejected message"},
	{"cat >/dev/null; printf 'Qwhat' >&6; exit 82", 71,
	    "mail server temporarily rejected message"},
	{"cat >/dev/null; kill -9 $$", 81, "internal bug"},
};

static void
test_codes(void **state)
{
	struct str why = {0};

	(void)state;
	if (!have_home)
		skip();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		program(cases[i].program);
		assert_int_equal(submit(&why), cases[i].code);
		assert_string_equal(str_c(&why), cases[i].text);
	}
	str_free(&why);
}

/* One that is not there, and one that ends before it has read. */
static void
test_no_program(void **state)
{
	struct str why = {0};
	struct qsubmit q;
	char big[100000];

	(void)state;
	(void)unlink(script);
	assert_int_equal(submit(&why), 120);
	if (have_home) {
		program("exit 0");
		memset(big, 'x', sizeof big);
		qsubmit_open(&q);
		for (int i = 0; i < 20; i++)
			qsubmit_put(&q, big, sizeof big);
		qsubmit_from(&q, "");
		/* It said 0 without having read: not believed. */
		assert_int_not_equal(qsubmit_close(&q, &why), 0);
	}
	str_free(&why);
}

static void
test_long_address(void **state)
{
	struct str why = {0}, addr = {0};
	struct qsubmit q;

	(void)state;
	if (!have_home)
		skip();
	program("cat >/dev/null; cat <&1 >/dev/null; exit 54");
	for (int i = 0; i < ADDR_MAX; i++)
		str_catc(&addr, 'a');
	qsubmit_open(&q);
	qsubmit_from(&q, str_c(&addr));
	qsubmit_to(&q, str_c(&addr));
	assert_int_equal(qsubmit_close(&q, &why), 54);
	str_catc(&addr, 'a');
	qsubmit_open(&q);
	qsubmit_from(&q, "");
	qsubmit_to(&q, str_c(&addr));
	assert_int_not_equal(qsubmit_close(&q, &why), 0);
	str_free(&addr);
	str_free(&why);
}

static void
test_table(void **state)
{
	(void)state;
	assert_true(qx_permanent(11));
	assert_true(qx_permanent(40));
	assert_true(qx_permanent(115));
	assert_false(qx_permanent(41));
	assert_false(qx_permanent(10));
	assert_false(qx_permanent(0));
	assert_string_equal(qx_text(120),
	    "unable to start the queueing program");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_no_program),
		cmocka_unit_test(test_long_address),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests_name("qsubmit", tests, setup, teardown);
}
