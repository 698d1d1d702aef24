/* test_svtools.c - the small parts of the chain tools: environments, files of
 * variables, limits, error words, readproctitle's line. */
#include "supervise/envfiles.h"
#include "supervise/limit.h"
#include "supervise/title.h"
#include "supervise/tool.h"

#include "TESTS/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES(text) (text), sizeof(text) - 1

static const struct {
	const char *file;
	size_t n;
	bool set;
	const char *value;
} values[] = {
	{BYTES(""), false, ""},
	{BYTES("\n"), true, ""},
	{BYTES("a"), true, "a"},
	{BYTES("a b\n"), true, "a b"},
	{BYTES("a \t \nsecond\n"), true, "a"},
	{BYTES(" \t"), true, ""},
	{BYTES("  lead\n"), true, "  lead"},
	{BYTES("a\0b\0\n"), true, "a\nb\n"},
	{BYTES("a\0 \n"), true, "a\n"},
};

static void
test_envfiles_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(values); i++) {
		struct str file = {0}, out = {0};

		str_catb(&file, values[i].file, values[i].n);
		str_cats(&out, "old");
		assert_int_equal(envfiles_value(&file, &out), values[i].set);
		assert_string_equal(str_c(&out), values[i].value);
		str_free(&file);
		str_free(&out);
	}
}

static const char *
lookup(const struct toolenv *e, const char *name)
{
	const char *found = NULL;
	size_t n = strlen(name);

	for (size_t i = 0; e->v[i] != NULL; i++)
		if (strncmp(e->v[i], name, n) == 0 && e->v[i][n] == '=') {
			assert_null(found);     /* never twice */
			found = e->v[i] + n + 1;
		}
	return found;
}

static void
test_toolenv(void **state)
{
	char *env[] = {(char[]){"A=1"}, (char[]){"AB=2"}, (char[]){"A=3"},
	    NULL};
	char **saved = environ;
	struct toolenv e;

	(void)state;
	environ = env;
	toolenv_init(&e);
	environ = saved;
	toolenv_set(&e, "A", "new");
	assert_string_equal(lookup(&e, "A"), "new");
	assert_string_equal(lookup(&e, "AB"), "2");
	toolenv_set(&e, "AB", NULL);
	assert_null(lookup(&e, "AB"));
	toolenv_set_uint(&e, "UID", 4294967295u);
	assert_string_equal(lookup(&e, "UID"), "4294967295");
	for (int i = 0; i < 200; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "V%d", i);
		toolenv_set(&e, name, name);
	}
	assert_string_equal(lookup(&e, "V199"), "V199");
	assert_string_equal(lookup(&e, "V0"), "V0");
	assert_int_equal(e.n, 202);
	toolenv_free(&e);
}

static void
test_toolenv_of_nothing(void **state)
{
	char *env[] = {NULL};
	char **saved = environ;
	struct toolenv e;

	(void)state;
	environ = env;
	toolenv_init(&e);
	environ = saved;
	assert_null(e.v[0]);
	toolenv_free(&e);
}

static void
test_limit_parse(void **state)
{
	rlim_t r;

	(void)state;
	assert_true(limit_parse("0", &r));
	assert_true(r == 0);
	assert_true(limit_parse("3000000", &r));
	assert_true(r == 3000000);
	assert_true(limit_parse("=", &r));
	assert_true(r == RLIM_INFINITY);
	assert_false(limit_parse("", &r));
	assert_false(limit_parse("10k", &r));
	assert_false(limit_parse("-1", &r));
	assert_false(limit_parse("==", &r));
	assert_false(limit_parse("99999999999999999999", &r));
}

/* Soft limits only, and never above the hard one. */
static void
test_limit_set(void **state)
{
	struct rlimit before, r;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(limit_set('o', 64), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
	assert_true(r.rlim_cur == 64 && r.rlim_max == before.rlim_max);
	assert_int_equal(limit_set('o', RLIM_INFINITY), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
	assert_true(r.rlim_cur == before.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(limit_set('z', 1), -1);
	assert_int_equal(errno, EINVAL);
}

static void
test_title(void **state)
{
	static const char in[] = "fatal error xyz\nwarn\0ing abc\n";

	(void)state;
	for (size_t step = 1; step <= sizeof in; step++) {
		char line[] = "....................", one[] = ".....";

		for (size_t at = 0; at < sizeof in - 1; at += step) {
			size_t n = sizeof in - 1 - at;

			title_add(line, 20, in + at, n < step ? n : step);
			title_add(one, 5, in + at, n < step ? n : step);
		}
		assert_string_equal(line, "... xyz\nwarning abc\n");
		assert_string_equal(one, "...c\n");
	}
}

static void
test_words(void **state)
{
	(void)state;
	assert_string_equal(tool_error_text(ENOENT), "file does not exist");
	assert_string_equal(tool_error_text(EWOULDBLOCK),
	    "temporary failure");
	assert_string_equal(tool_error_text(ELOOP), "symbolic link loop");
	assert_string_equal(tool_error_text(EDOM), strerror(EDOM));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envfiles_value),
		cmocka_unit_test(test_toolenv),
		cmocka_unit_test(test_toolenv_of_nothing),
		cmocka_unit_test(test_limit_parse),
		cmocka_unit_test(test_limit_set),
		cmocka_unit_test(test_title),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
