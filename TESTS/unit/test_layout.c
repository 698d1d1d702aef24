/* test_layout.c - names that may become a directory or be looked up, and
 * generations on the disk. */
#include "TESTS/unit/unit.h"

#include "tls/layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const struct {
	const char *name;
	size_t n;
	const char *star, *plain;       /* NULL: refused */
} names[] = {
#define N(s) s, sizeof(s) - 1
	{N("mx.example"), "mx.example", "mx.example"},
	{N("MX.Example"), "mx.example", "mx.example"},
	{N("a_b-c.1"), "a_b-c.1", "a_b-c.1"},
	{N("*.example"), "*.example", NULL},
	{N("*"), NULL, NULL},
	{N("*."), NULL, NULL},
	{N("**.a"), NULL, NULL},
	{N("a.*.b"), NULL, NULL},
	{N("x*.b"), NULL, NULL},
	{N(""), NULL, NULL},
	{N("."), NULL, NULL},
	{N(".."), NULL, NULL},
	{N("../a"), NULL, NULL},
	{N("a/b"), NULL, NULL},
	{N("a..b"), NULL, NULL},
	{N(".a"), NULL, NULL},
	{N("a."), NULL, NULL},
	{N("a b"), NULL, NULL},
	{N("a\0b"), NULL, NULL},
	{N("a\n"), NULL, NULL},
	{N("\xc3\xa9.example"), NULL, NULL},
	{N("a:ec"), NULL, NULL},
	{N("a%s"), NULL, NULL},
};

static void
check_name(const char *name, size_t n, bool star, const char *want)
{
	struct str s = {0};
	char *copy = malloc(n ? n : 1);

	memcpy(copy, name, n);
	assert_int_equal(layout_name(&s, copy, n, star), want ? 0 : -1);
	if (want != NULL)
		assert_string_equal(str_c(&s), want);
	else
		assert_int_equal(errno, EINVAL);
	free(copy);
	str_free(&s);
}

static void
test_names(void **state)
{
	char longest[LAYOUT_NAME + 1];

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		check_name(names[i].name, names[i].n, true, names[i].star);
		check_name(names[i].name, names[i].n, false, names[i].plain);
	}
	memset(longest, 'a', sizeof longest);
	check_name(longest, 254, false, NULL);
	longest[253] = '\0';
	check_name(longest, 253, false, longest);
}

static void
test_generations(void **state)
{
	char dir[] = "/tmp/unit-layout.XXXXXX";
	static const char *const bad[] = {"gen.", "gen.x", "gen.1x", "../gen.1",
	    "gen.99999999999999999999", "x"};
	uint64_t n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(layout_current(".", &n), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(layout_before(".", 100, &n), 0);
	assert_int_equal(n, 0);
	for (size_t i = 0; i < N_OF(bad); i++) {
		assert_int_equal(symlink(bad[i], "current"), 0);
		assert_int_equal(layout_current(".", &n), -1);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(unlink("current"), 0);
	}
	assert_int_equal(symlink("gen.12", "current"), 0);
	assert_int_equal(layout_current(".", &n), 0);
	assert_int_equal(n, 12);
	assert_int_equal(mkdir("gen.9", 0700), 0);
	assert_int_equal(mkdir("gen.11", 0700), 0);
	assert_int_equal(mkdir("gen.12", 0700), 0);
	assert_int_equal(mkdir("gen.x", 0700), 0);
	assert_int_equal(layout_before(".", 12, &n), 0);
	assert_int_equal(n, 11);
	assert_int_equal(layout_before(".", 11, &n), 0);
	assert_int_equal(n, 9);
	assert_int_equal(layout_before(".", 9, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(rmdir("gen.9"), 0);
	assert_int_equal(rmdir("gen.11"), 0);
	assert_int_equal(rmdir("gen.12"), 0);
	assert_int_equal(rmdir("gen.x"), 0);
	assert_int_equal(unlink("current"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_generations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
