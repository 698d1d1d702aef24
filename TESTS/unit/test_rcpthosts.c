/* test_rcpthosts.c - whose mail is taken, and what keeps that from being
 * known. */
#include "control/rcpthosts.h"

#include "TESTS/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char dir[] = "/tmp/test_rcpthosts.XXXXXX";

static void
path_of(char *path, size_t n, const char *file)
{
	(void)snprintf(path, n, "%s/%s", dir, file);
}

static void
put(const char *file, const char *text)
{
	char path[128];
	FILE *f;

	path_of(path, sizeof path, file);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
clear(void)
{
	static const char *const files[] = {"rcpthosts", "morercpthosts",
	    "morercpthosts.cdb", "morercpthosts.tmp"};
	char path[128];

	for (size_t i = 0; i < N_OF(files); i++) {
		path_of(path, sizeof path, files[i]);
		(void)unlink(path);
		(void)rmdir(path);
	}
}

static void
compile(void)
{
	const char *failed;

	assert_int_equal(rcpthosts_compile(&failed), 0);
}

static enum rcpthosts_status
find(const char *addr)
{
	struct rcpthosts r = {0};
	enum rcpthosts_status st;
	const char *failed;

	assert_int_equal(rcpthosts_load(&r, &failed), 0);
	st = rcpthosts_find(&r, addr, strlen(addr));
	rcpthosts_free(&r);
	return st;
}

static void
test_nothing(void **state)
{
	(void)state;
	clear();
	assert_int_equal(find("jo@example.org"), RCPTHOSTS_NO);
	assert_int_equal(find("jo@"), RCPTHOSTS_NO);
	assert_int_equal(find("@"), RCPTHOSTS_NO);
	assert_int_equal(find("postmaster"), RCPTHOSTS_YES);
	assert_int_equal(find(""), RCPTHOSTS_YES);
	put("rcpthosts", "");
	assert_int_equal(find("jo@example.org"), RCPTHOSTS_NO);
	assert_int_equal(find("jo@"), RCPTHOSTS_NO);
}

static const struct {
	const char *addr;
	enum rcpthosts_status want;
} cases[] = {
	{"jo@example.org", RCPTHOSTS_YES},
	{"jo@EXAMPLE.oRg", RCPTHOSTS_YES},
	{"jo@x.example.org", RCPTHOSTS_NO},
	{"jo@example.org.", RCPTHOSTS_NO},
	{"jo@example.or", RCPTHOSTS_NO},
	{"jo@xexample.org", RCPTHOSTS_NO},
	{"jo@a.b.sub.example", RCPTHOSTS_YES},
	{"jo@b.Sub.example", RCPTHOSTS_YES},
	{"jo@sub.example", RCPTHOSTS_NO},
	{"jo@.sub.example", RCPTHOSTS_YES},
	{"jo@example", RCPTHOSTS_NO},
	{"\"a@example.org\"@other", RCPTHOSTS_NO},
	{"jo%other@example.org", RCPTHOSTS_YES},
	{"jo@other@example.org", RCPTHOSTS_YES},
	{"jo@", RCPTHOSTS_NO},
	{"jo@#", RCPTHOSTS_NO},
	{"jo", RCPTHOSTS_YES},
	{"jo@m\xc3\xbcller.example", RCPTHOSTS_YES},
};

static const char lists[] =
    "# mine\nexample.org\t \n\n.sUb.example\nm\xc3\xbcller.example";

static void
test_list(void **state)
{
	(void)state;
	clear();
	put("rcpthosts", lists);
	for (size_t i = 0; i < N_OF(cases); i++)
		if (find(cases[i].addr) != cases[i].want)
			fail_msg("%s", cases[i].addr);
}

/* The same lists in the same words must answer the same. */
static void
test_more(void **state)
{
	(void)state;
	clear();
	put("morercpthosts", lists);
	assert_int_equal(find("jo@example.org"), RCPTHOSTS_NO);
	compile();
	for (size_t i = 0; i < N_OF(cases); i++)
		if (find(cases[i].addr) != cases[i].want)
			fail_msg("%s", cases[i].addr);
	put("rcpthosts", "first.example\n");
	assert_int_equal(find("jo@first.example"), RCPTHOSTS_YES);
	assert_int_equal(find("jo@example.org"), RCPTHOSTS_YES);
	assert_int_equal(find("jo@none.example"), RCPTHOSTS_NO);
}

static void
test_trouble(void **state)
{
	struct rcpthosts r = {0};
	const char *failed;
	char path[128];

	(void)state;
	clear();
	path_of(path, sizeof path, "rcpthosts");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(rcpthosts_load(&r, &failed), -1);
	assert_string_equal(failed, "rcpthosts");
	clear();
	put("rcpthosts", "first.example\n");
	put("morercpthosts.cdb", "short");
	errno = 0;
	assert_int_equal(rcpthosts_load(&r, &failed), -1);
	assert_int_equal(errno, EINVAL);
	assert_string_equal(failed, "morercpthosts.cdb");
	assert_null(r.more);
	/* Long enough to be opened; its tables lead outside the file. */
	{
		static char junk[2100];

		memset(junk, 'x', sizeof junk - 1);
		put("morercpthosts.cdb", junk);
	}
	assert_int_equal(find("jo@first.example"), RCPTHOSTS_YES);
	assert_int_equal(find("jo"), RCPTHOSTS_YES);
	assert_int_equal(find("jo@other.example"), RCPTHOSTS_TEMP);
}

static void
test_compile_trouble(void **state)
{
	const char *failed;
	char path[128];

	(void)state;
	clear();
	put("morercpthosts", "old.example\n");
	compile();
	path_of(path, sizeof path, "morercpthosts");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rcpthosts_compile(&failed), -1);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(failed, "read morercpthosts");
	assert_int_equal(find("jo@old.example"), RCPTHOSTS_YES);
	put("morercpthosts", "new.example\n");
	path_of(path, sizeof path, "morercpthosts.tmp");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(rcpthosts_compile(&failed), -1);
	assert_string_equal(failed, "write morercpthosts.cdb");
	assert_int_equal(find("jo@old.example"), RCPTHOSTS_YES);
	assert_int_equal(rmdir(path), 0);
	compile();
	assert_int_equal(find("jo@old.example"), RCPTHOSTS_NO);
	assert_int_equal(find("jo@new.example"), RCPTHOSTS_YES);
}

/* A session goes on with the table that it has opened. */
static void
test_replaced(void **state)
{
	struct rcpthosts r = {0};
	const char *failed;

	(void)state;
	clear();
	put("morercpthosts", "old.example\n");
	compile();
	assert_int_equal(rcpthosts_load(&r, &failed), 0);
	put("morercpthosts", "new.example\n");
	compile();
	assert_int_equal(rcpthosts_find(&r, "a@old.example", 13),
	    RCPTHOSTS_YES);
	rcpthosts_free(&r);
	assert_int_equal(find("a@old.example"), RCPTHOSTS_NO);
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
	clear();
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_more),
		cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_compile_trouble),
		cmocka_unit_test(test_replaced),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
