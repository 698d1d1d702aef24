/* test_maildirsize.c - quota texts; the file maildirsize read, believed, made
 * anew, appended to, and broken in every way. */
#include "mail/maildirsize.h"

#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static char dir[] = "/tmp/unit-maildirsize.XXXXXX";

static const struct {
	const char *text;
	int r;
	uint64_t bytes, count;
	const char *normal;
} quotas[] = {
	{"NOQUOTA", 0, 0, 0, "NOQUOTA"},
	{"noquota", 0, 0, 0, "NOQUOTA"},
	{"NO", 0, 0, 0, "NOQUOTA"},
	{"5000", 0, 5000, 0, "5000S"},
	{"5000S", 0, 5000, 0, "5000S"},
	{"5000s", 0, 5000, 0, "5000S"},
	{"10K", 0, 10240, 0, "10240S"},
	{"10KB", 0, 10240, 0, "10240S"},
	{"10KS", 0, 10240, 0, "10240S"},
	{"10kbs", 0, 10240, 0, "10240S"},
	{"1M", 0, 1048576, 0, "1048576S"},
	{"1MB", 0, 1048576, 0, "1048576S"},
	{"1MBS", 0, 1048576, 0, "1048576S"},
	{"100C", 0, 0, 100, "100C"},
	{"5000S,100C", 0, 5000, 100, "5000S,100C"},
	{"100C,5000S", 0, 5000, 100, "5000S,100C"},
	{"100C,5000", 0, 5000, 100, "5000S,100C"},
	{"10M,100C", 0, 10485760, 100, "10485760S,100C"},
	{"10737418240S,100000C", 0, 10737418240, 100000,
	    "10737418240S,100000C"},
	{"0", 0, 0, 0, "NOQUOTA"},
	{"0S,0C", 0, 0, 0, "NOQUOTA"},
	{"0S,7C", 0, 0, 7, "7C"},
	{"9223372036854775807S", 0, INT64_MAX, 0, "9223372036854775807S"},
	{"9223372036854775808S", -1, 0, 0, NULL},
	{"18446744073709551615", -1, 0, 0, NULL},
	{"18446744073709551616", -1, 0, 0, NULL},
	{"9007199254740992M", -1, 0, 0, NULL},
	{"18446744073709551615C", -1, 0, 0, NULL},
	{"", -1, 0, 0, NULL},
	{"S", -1, 0, 0, NULL},
	{"10G", -1, 0, 0, NULL},
	{"10KC", -1, 0, 0, NULL},
	{"10KK", -1, 0, 0, NULL},
	{"10B", -1, 0, 0, NULL},
	{"-1", -1, 0, 0, NULL},
	{"+1", -1, 0, 0, NULL},
	{" 1", -1, 0, 0, NULL},
	{"1 ", -1, 0, 0, NULL},
	{"1S,", -1, 0, 0, NULL},
	{",1S", -1, 0, 0, NULL},
	{"1S,2S", -1, 0, 0, NULL},
	{"1C,2C", -1, 0, 0, NULL},
	{"1S,2C,3S", -1, 0, 0, NULL},
	{"1S2C", -1, 0, 0, NULL},
	{"1.5M", -1, 0, 0, NULL},
	{"NQ", -1, 0, 0, NULL},
};

static void
test_quota_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(quotas); i++) {
		struct quota q = {7, 7};
		struct str out = {0};

		if (quota_parse(quotas[i].text, strlen(quotas[i].text),
		    &q) != quotas[i].r)
			fail_msg("quota \"%s\"", quotas[i].text);
		assert_int_equal(q.bytes, quotas[i].bytes);
		assert_int_equal(q.count, quotas[i].count);
		if (quotas[i].r == 0) {
			quota_cat(&out, &q);
			assert_string_equal(str_c(&out), quotas[i].normal);
		}
		str_free(&out);
	}
	{
		struct quota q;

		assert_int_equal(quota_parse("1\0S", 3, &q), -1);
		assert_int_equal(errno, EINVAL);
	}
}

static void
test_quota_numbers(void **state)
{
	const struct quota q = {1000, 10}, none = {0, 0}, c = {0, 3};

	(void)state;
	assert_false(quota_exceeded(&q, 1000, 10));
	assert_true(quota_exceeded(&q, 1001, 1));
	assert_true(quota_exceeded(&q, 1, 11));
	assert_false(quota_exceeded(&q, -5, -5));
	assert_false(quota_exceeded(&none, INT64_MAX, INT64_MAX));
	assert_true(quota_exceeded(&c, 0, 4));
	assert_int_equal(quota_percent(&q, 899, 1), 89);
	assert_int_equal(quota_percent(&q, 900, 1), 90);
	assert_int_equal(quota_percent(&q, 1, 9), 90);
	assert_int_equal(quota_percent(&q, 500, 10), 100);
	assert_int_equal(quota_percent(&q, INT64_MAX, 0), 1000);
	assert_int_equal(quota_percent(&none, 100, 100), 0);
	assert_int_equal(quota_percent(&q, -1, -1), 0);
}

#define FILE_(text) (text), sizeof(text) - 1

static const struct {
	const char *text;
	size_t n;
	enum maildirsize_status st;
	int64_t bytes, count;
	size_t lines;
} files[] = {
	{FILE_("1000S,10C\n120 3\n"), MAILDIRSIZE_OK, 120, 3, 1},
	{FILE_("1000S,10C\n120 3\n-20 -1\n40 1\n"), MAILDIRSIZE_OK, 140, 3, 3},
	/* courier's padding */
	{FILE_("1000S\n         120            3\n"), MAILDIRSIZE_OK, 120, 3,
	    1},
	{FILE_("1000S\n120 3  \n"), MAILDIRSIZE_OK, 120, 3, 1},
	/* a quota nobody understands, with a sum that one does */
	{FILE_("what\n120 3\n"), MAILDIRSIZE_OK, 120, 3, 1},
	{FILE_("\n120 3\n"), MAILDIRSIZE_OK, 120, 3, 1},
	{FILE_("1000S\n0 0\n"), MAILDIRSIZE_OK, 0, 0, 1},
	{FILE_(""), MAILDIRSIZE_BAD, 0, 0, 0},
	{FILE_("1000S"), MAILDIRSIZE_BAD, 0, 0, 0},
	{FILE_("1000S\n"), MAILDIRSIZE_BAD, 0, 0, 0},
	{FILE_("1000S\n120 3"), MAILDIRSIZE_BAD, 0, 0, 0},
	{FILE_("1000S\n120 3\n12"), MAILDIRSIZE_BAD, 0, 0, 1},
	{FILE_("1000S\n120 3\n\0\0\0\0"), MAILDIRSIZE_BAD, 0, 0, 1},
	{FILE_("1000S\n120\0 3\n"), MAILDIRSIZE_BAD, 0, 0, 0},
	{FILE_("1000S\n120\n"), MAILDIRSIZE_BAD, 0, 0, 0},
	{FILE_("1000S\n120 x\n"), MAILDIRSIZE_BAD, 0, 0, 0},
	{FILE_("1000S\n120 3 4\n"), MAILDIRSIZE_BAD, 0, 0, 0},
	{FILE_("1000S\n120 3\n\n"), MAILDIRSIZE_BAD, 0, 0, 1},
	{FILE_("1000S\n--1 3\n"), MAILDIRSIZE_BAD, 0, 0, 0},
	{FILE_("1000S\n120 3\n-121 0\n"), MAILDIRSIZE_BAD, 0, 0, 2},
	{FILE_("1000S\n120 3\n0 -4\n"), MAILDIRSIZE_BAD, 0, 0, 2},
	{FILE_("1S\n9223372036854775807 1\n1 1\n"), MAILDIRSIZE_BAD, 0, 0, 1},
	{FILE_("1S\n9223372036854775808 1\n"), MAILDIRSIZE_BAD, 0, 0, 0},
};

static void
test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(files); i++) {
		struct maildirsize m;

		if (maildirsize_parse(files[i].text, files[i].n, &m) !=
		    files[i].st)
			fail_msg("file %zu", i);
		assert_int_equal(m.bytes, files[i].bytes);
		assert_int_equal(m.count, files[i].count);
		assert_int_equal(m.lines, files[i].lines);
		assert_int_equal(m.size, files[i].n);
	}
}

static void
test_names(void **state)
{
	(void)state;
	assert_int_equal(maildirsize_name_bytes("1.2.host,S=44"), 44);
	assert_int_equal(maildirsize_name_bytes("1.2.host,S=44:2,S"), 44);
	assert_int_equal(maildirsize_name_bytes("1.host,S=44,W=46:2,"), 44);
	assert_int_equal(maildirsize_name_bytes("1.2.host"), -1);
	assert_int_equal(maildirsize_name_bytes("1.2.host,S="), -1);
	assert_int_equal(maildirsize_name_bytes("1.2.host,S=4x"), -1);
	assert_int_equal(maildirsize_name_bytes("1.host:2,S=44"), -1);
	assert_int_equal(maildirsize_name_bytes("1,S=x,S=5"), 5);
	assert_int_equal(maildirsize_name_bytes("1,S=99999999999999999999"),
	    -1);
}

/* -- with files -- */

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
make_maildir(const char *path)
{
	char sub[256];
	static const char *const names[] = {"", "/tmp", "/new", "/cur"};

	for (size_t i = 0; i < N_OF(names); i++) {
		(void)snprintf(sub, sizeof sub, "%s%s", path, names[i]);
		assert_int_equal(mkdir(sub, 0700), 0);
	}
}

/* The directories were changed long ago, or in this very tick. */
static void
settle(void)
{
	assert_int_equal(system("find M -type d -exec touch -d @1000000000 "
	    "{} +"), 0);
}

static void
stir(const char *path)
{
	const struct timespec t[2] = {{time(NULL) + 1, 0},
	    {time(NULL) + 1, 0}};

	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void
slurp(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n = 0;

	if (f != NULL) {
		n = fread(out, 1, size - 1, f);
		(void)fclose(f);
	}
	out[n] = '\0';
}

static int
setup(void **state)
{
	(void)state;
	assert_int_equal(system("rm -rf M"), 0);
	make_maildir("M");
	put("M/new/1.a,S=100", "");             /* the name's size counts */
	put("M/cur/2.b:2,S", "12345");          /* the file's */
	put("M/cur/3.c,S=1000:2,ST", "");       /* deleted */
	put("M/cur/.hidden", "xxx");
	put("M/tmp/4.d,S=5000", "");
	make_maildir("M/.Sent");
	put("M/.Sent/maildirfolder", "");
	put("M/.Sent/cur/5.e,S=20:2,", "");
	make_maildir("M/.Trash");
	put("M/.Trash/cur/6.f,S=7000:2,", "");
	make_maildir("M/.Trash.Sub");
	put("M/.Trash.Sub/new/7.g,S=3", "");
	put("M/.file", "no folder");
	assert_int_equal(symlink("/", "M/.link"), 0);
	assert_int_equal(mkdir("M/cur/8.dir", 0700), 0);
	settle();
	return 0;
}

static void
test_count(void **state)
{
	int64_t bytes, count;
	bool steady;

	(void)state;
	assert_int_equal(maildirsize_count("M", &bytes, &count, &steady), 0);
	assert_int_equal(bytes, 100 + 5 + 20 + 3);
	assert_int_equal(count, 4);
	assert_true(steady);
	put("M/new/9.h,S=1", "");
	stir("M/new");
	assert_int_equal(maildirsize_count("M", &bytes, &count, &steady), 0);
	assert_int_equal(count, 5);
	assert_false(steady);
	assert_int_equal(maildirsize_count("none", &bytes, &count, &steady),
	    -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(maildirsize_count("M/.file", &bytes, &count,
	    &steady), -1);
}

static void
test_rebuild(void **state)
{
	const struct quota q = {1000, 0}, q2 = {1000, 50}, none = {0, 0};
	struct maildirsize m;
	char text[256];

	(void)state;
	assert_int_equal(maildirsize_read("M", &m), MAILDIRSIZE_NONE);
	assert_int_equal(maildirsize_get("M", &q, &m), 0);
	assert_int_equal(m.bytes, 128);
	slurp("M/maildirsize", text, sizeof text);
	assert_string_equal(text, "1000S\n128 4\n");
	/* Believed, though it is wrong. */
	put("M/maildirsize", "1000S\n500 9\n");
	assert_int_equal(maildirsize_get("M", &q, &m), 0);
	assert_int_equal(m.bytes, 500);
	/* Another quota. */
	assert_int_equal(maildirsize_get("M", &q2, &m), 0);
	assert_int_equal(m.bytes, 128);
	slurp("M/maildirsize", text, sizeof text);
	assert_string_equal(text, "1000S,50C\n128 4\n");
	/* Nonsense. */
	put("M/maildirsize", "1000S\nnonsense\n");
	assert_int_equal(maildirsize_get("M", &q, &m), 0);
	assert_int_equal(m.bytes, 128);
	/* A link is no such file, and not written through. */
	put("victim", "precious\n");
	assert_int_equal(unlink("M/maildirsize"), 0);
	assert_int_equal(symlink("../victim", "M/maildirsize"), 0);
	assert_int_equal(maildirsize_add("M", 1, 1), -1);
	assert_int_equal(maildirsize_get("M", &q, &m), 0);
	assert_int_equal(m.bytes, 128);
	slurp("victim", text, sizeof text);
	assert_string_equal(text, "precious\n");
	slurp("M/maildirsize", text, sizeof text);
	assert_string_equal(text, "1000S\n128 4\n");
	/* Nothing is left over. */
	assert_int_equal(system("test $(ls -A M/tmp | wc -l) = 1"), 0);
	/* No limits: no file. */
	assert_int_equal(maildirsize_rebuild("M", &none, &m), 0);
	assert_int_equal(maildirsize_read("M", &m), MAILDIRSIZE_NONE);
}

static void
test_unsteady(void **state)
{
	const struct quota q = {1000, 0};
	struct maildirsize m;

	(void)state;
	put("M/new/9.h,S=2", "");
	stir("M/new");
	/* Used, not kept. */
	assert_int_equal(maildirsize_get("M", &q, &m), 0);
	assert_int_equal(m.bytes, 130);
	assert_int_equal(maildirsize_read("M", &m), MAILDIRSIZE_NONE);
	settle();
	assert_int_equal(maildirsize_get("M", &q, &m), 0);
	assert_int_equal(maildirsize_read("M", &m), MAILDIRSIZE_OK);
	assert_int_equal(m.bytes, 130);
}

static void
test_add(void **state)
{
	const struct quota q = {100000, 0};
	struct maildirsize m;
	struct stat st;

	(void)state;
	/* Nothing there: nothing to note. */
	assert_int_equal(maildirsize_add("M", 5, 1), 0);
	assert_int_equal(maildirsize_read("M", &m), MAILDIRSIZE_NONE);
	assert_int_equal(maildirsize_get("M", &q, &m), 0);
	assert_int_equal(maildirsize_add("M", 5, 1), 0);
	assert_int_equal(maildirsize_add("M", -25, -1), 0);
	assert_int_equal(maildirsize_read("M", &m), MAILDIRSIZE_OK);
	assert_int_equal(m.bytes, 108);
	assert_int_equal(m.count, 4);
	assert_int_equal(m.lines, 3);
	/* A long one is made anew. */
	for (int i = 0; i < MAILDIRSIZE_MAX / 4; i++)
		assert_int_equal(maildirsize_add("M", 1, 0), 0);
	assert_int_equal(stat("M/maildirsize", &st), 0);
	assert_true(st.st_size >= MAILDIRSIZE_MAX);
	assert_int_equal(maildirsize_get("M", &q, &m), 0);
	assert_int_equal(m.bytes, 128);
	assert_int_equal(maildirsize_read("M", &m), MAILDIRSIZE_OK);
	assert_int_equal(m.lines, 1);
}

static void
test_fits(void **state)
{
	const struct quota q = {1000, 0}, c = {0, 5}, none = {0, 0};
	const struct timespec old[2] = {{1000, 0}, {1000, 0}};
	struct maildirsize m;
	bool over;

	(void)state;
	assert_int_equal(maildirsize_fits("none", &none, 1, 1, &m, &over), 0);
	assert_false(over);
	assert_int_equal(maildirsize_fits("none", &q, 1, 1, &m, &over), -1);
	assert_int_equal(maildirsize_fits("M", &q, 872, 1, &m, &over), 0);
	assert_false(over);
	assert_int_equal(maildirsize_fits("M", &q, 873, 1, &m, &over), 0);
	assert_true(over);
	assert_int_equal(maildirsize_fits("M", &c, 9999, 1, &m, &over), 0);
	assert_false(over);
	assert_int_equal(maildirsize_fits("M", &c, 1, 2, &m, &over), 0);
	assert_true(over);
	/* One line, and not old: believed. */
	put("M/maildirsize", "1000S\n999 9\n");
	assert_int_equal(maildirsize_fits("M", &q, 2, 1, &m, &over), 0);
	assert_true(over);
	/* Two: counted first. */
	put("M/maildirsize", "1000S\n999 9\n0 0\n");
	assert_int_equal(maildirsize_fits("M", &q, 2, 1, &m, &over), 0);
	assert_false(over);
	assert_int_equal(m.bytes, 128);
	/* Old. */
	put("M/maildirsize", "1000S\n999 9\n");
	assert_int_equal(utimensat(AT_FDCWD, "M/maildirsize", old, 0), 0);
	assert_int_equal(maildirsize_fits("M", &q, 2, 1, &m, &over), 0);
	assert_false(over);
	assert_int_equal(maildirsize_fits("M", &q, INT64_MAX, 1, &m, &over),
	    0);
	assert_true(over);
}

static void
test_quota_and_root(void **state)
{
	struct quota q;
	struct str root = {0};

	(void)state;
	assert_int_equal(maildirsize_quota("M", &q), 0);
	assert_false(quota_is_limited(&q));
	put("M/maildirsize", "77S,8C\nbroken");
	assert_int_equal(maildirsize_quota("M", &q), 0);
	assert_int_equal(q.bytes, 77);
	assert_int_equal(q.count, 8);
	assert_int_equal(maildirsize_root("M/", &root), 0);
	assert_string_equal(str_c(&root), "M/");
	assert_int_equal(maildirsize_root("./M/.Sent/", &root), 0);
	assert_string_equal(str_c(&root), "./M/");
	assert_int_equal(maildirsize_root("./M/.Trash", &root), 0);
	assert_string_equal(str_c(&root), "./M/.Trash/");
	assert_int_equal(maildirsize_root("/", &root), 0);
	assert_string_equal(str_c(&root), "/");
	str_free(&root);
}

/* Many writers append at once and some make it anew: what is left is a file
 * that makes sense and, counted again, the truth. */
static void
test_crowd(void **state)
{
	const struct quota q = {1000000, 0};
	struct maildirsize m;
	int status;

	(void)state;
	for (int p = 0; p < 4; p++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid > 0)
			continue;
		for (int i = 0; i < 50; i++) {
			char name[64];
			int fd;

			(void)snprintf(name, sizeof name,
			    "M/new/x%d.%d,S=10", p, i);
			fd = open(name, O_CREAT | O_WRONLY, 0600);
			if (fd < 0 || close(fd) < 0 ||
			    maildirsize_add("M", 10, 1) < 0 ||
			    maildirsize_get("M", &q, &m) < 0)
				_exit(1);
			if (i % 7 == 0 && maildirsize_rebuild("M", &q,
			    &m) < 0)
				_exit(1);
		}
		_exit(0);
	}
	for (int p = 0; p < 4; p++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	settle();
	assert_int_equal(maildirsize_read("M", &m) == MAILDIRSIZE_BAD, 0);
	assert_int_equal(maildirsize_rebuild("M", &q, &m), 0);
	assert_int_equal(m.bytes, 128 + 2000);
	assert_int_equal(m.count, 204);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quota_texts),
		cmocka_unit_test(test_quota_numbers),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup(test_count, setup),
		cmocka_unit_test_setup(test_rebuild, setup),
		cmocka_unit_test_setup(test_unsteady, setup),
		cmocka_unit_test_setup(test_add, setup),
		cmocka_unit_test_setup(test_fits, setup),
		cmocka_unit_test_setup(test_quota_and_root, setup),
		cmocka_unit_test_setup(test_crowd, setup),
	};
	int r;

	if (mkdtemp(dir) == NULL || chdir(dir) < 0)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	if (chdir("/") == 0) {
		char cmd[64];

		(void)snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
		if (system(cmd) != 0)
			r = 1;
	}
	return r;
}
