/* test_control.c - control files, good and bad. */
#include "control/control.h"

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

static char dir[] = "/tmp/test_control.XXXXXX";

static void
path_of(char out[128], const char *file)
{
	(void)snprintf(out, 128, "%s/%s", dir, file);
}

static void
put(const char *file, const void *bytes, size_t n)
{
	char path[128];
	FILE *f;

	path_of(path, file);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void
drop(const char *file)
{
	char path[128];

	path_of(path, file);
	(void)unlink(path);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	control_set_dir(dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void
line(const char *bytes, size_t n, enum control_status want, const char *value)
{
	struct str s = {0};

	put("idhost", bytes, n);
	assert_int_equal(control_line(CONTROL_IDHOST, &s), want);
	if (value != NULL)
		assert_string_equal(str_c(&s), value);
	str_free(&s);
	drop("idhost");
}

static void
test_line(void **state)
{
	(void)state;
	line("a.b", 3, CONTROL_OK, "a.b");
	line("a.b\n", 4, CONTROL_OK, "a.b");
	line("a.b \t\nsecond\n", 13, CONTROL_OK, "a.b");
	line("", 0, CONTROL_OK, "");            /* there, and empty */
	line("\nx", 2, CONTROL_OK, "");
	line("a\0b\n", 4, CONTROL_TEMP, NULL);
}

static void
test_defaults(void **state)
{
	struct str s = {0};

	(void)state;
	assert_int_equal(control_line(CONTROL_IDHOST, &s), CONTROL_NONE);
	assert_int_equal(control_line(CONTROL_BOUNCEFROM, &s),
	    CONTROL_DEFAULT);
	assert_string_equal(str_c(&s), "MAILER-DAEMON");
	put("me", "mx.x.org\n", 9);
	assert_int_equal(control_line(CONTROL_IDHOST, &s), CONTROL_DEFAULT);
	assert_string_equal(str_c(&s), "mx.x.org");
	assert_int_equal(control_line(CONTROL_BADMAILFROM, &s), CONTROL_NONE);
	assert_int_equal(s.len, 0);
	drop("me");
	str_free(&s);
}

/* "Cannot be read" must never look like "not there". */
static void
test_unreadable(void **state)
{
	struct str s = {0};
	char path[128];
	uint64_t n = 5;

	(void)state;
	path_of(path, "locals");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(control_list(CONTROL_LOCALS, &s), CONTROL_TEMP);
	assert_int_equal(rmdir(path), 0);
	path_of(path, "queuelifetime");
	assert_int_equal(mkfifo(path, 0600), 0);        /* must not hang */
	assert_int_equal(control_number(CONTROL_QUEUELIFETIME, &n),
	    CONTROL_TEMP);
	assert_int_equal(n, 5);
	assert_int_equal(unlink(path), 0);
	path_of(path, "locals");
	assert_int_equal(symlink(path, path), 0);       /* ELOOP */
	assert_int_equal(control_list(CONTROL_LOCALS, &s), CONTROL_TEMP);
	assert_int_equal(unlink(path), 0);
	str_free(&s);
}

static void
number(const char *text, uint64_t want)
{
	uint64_t n = 0;

	put("queuelifetime", text, strlen(text));
	assert_int_not_equal(control_number(CONTROL_QUEUELIFETIME, &n),
	    CONTROL_TEMP);
	assert_int_equal(n, want);
	drop("queuelifetime");
}

static void
test_number(void **state)
{
	(void)state;
	number("300\n", 300);
	number("300 seconds\n", 300);
	number("0\n", 0);
	number("many\n", 604800);
	number("", 604800);
	number("-1\n", 604800);
	number("99999999999999999999999\n", 604800);
}

static void
test_list(void **state)
{
	static const char text[] =
	    "# comment\n\na.org  \n\t\n.b.org\t\n #no comment\nlast";
	struct str s = {0};

	(void)state;
	put("locals", text, sizeof text - 1);
	assert_int_equal(control_list(CONTROL_LOCALS, &s), CONTROL_OK);
	assert_int_equal(s.len, 6 + 7 + 13 + 5);
	assert_memory_equal(s.s, "a.org\0.b.org\0 #no comment\0last", s.len);
	/* Present but empty means none, not the default. */
	put("me", "mx\n", 3);
	put("locals", "", 0);
	assert_int_equal(control_list(CONTROL_LOCALS, &s), CONTROL_OK);
	assert_int_equal(s.len, 0);
	drop("locals");
	assert_int_equal(control_list(CONTROL_LOCALS, &s), CONTROL_DEFAULT);
	assert_memory_equal(s.s, "mx", 3);
	drop("me");
	str_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests_name("control", tests, setup, teardown);
}
