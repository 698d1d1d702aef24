/* test_logdir.c - rotated logs: where files end, how many stay, what a crash
 * leaves and what is made of it, and processors. */
#include "supervise/logdir.h"

#include "TESTS/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

static char top[] = "/tmp/test_logdir.XXXXXX";

static int
setup(void **state)
{
	(void)state;
	memcpy(top + sizeof top - 7, "XXXXXX", 6);
	return mkdtemp(top) == NULL || chdir(top) < 0 ? -1 : 0;
}

static void
empty(const char *dir)
{
	DIR *dp = opendir(dir);
	struct dirent *d;

	if (dp == NULL)
		return;
	while ((d = readdir(dp)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			(void)unlinkat(dirfd(dp), d->d_name, 0);
	(void)closedir(dp);
	(void)rmdir(dir);
}

static int
teardown(void **state)
{
	struct str path = {0};

	(void)state;
	str_cats(&path, top);
	str_cats(&path, "/log");
	empty(str_c(&path));
	str_free(&path);
	empty(top);
	return chdir("/");
}

static struct logdir
make(uint64_t size, uint64_t num, const char *processor)
{
	struct logdir d = {.name = "./log", .size = size, .num = num,
	    .processor = processor};

	logdir_open(&d);
	return d;
}

/* Ends d as a crash does: nothing sealed, the lock gone. */
static void
crash(struct logdir *d)
{
	(void)close(d->fd);
	(void)close(d->lock);
	(void)close(d->dirfd);
	(void)close(d->home);
	free(d->buf);
}

static void
put_file(const char *name, const char *text, mode_t mode)
{
	char path[300];
	int fd;

	(void)snprintf(path, sizeof path, "%s/log/%s", top, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

/* The file's bytes with a NUL, its mode; -1 when it is not there. */
static int
get_file(const char *name, struct str *out)
{
	char path[300], buf[4096];
	struct stat st;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof path, "%s/log/%s", top, name);
	str_clear(out);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	while ((n = read(fd, buf, sizeof buf)) > 0)
		str_catb(out, buf, (size_t)n);
	assert_int_equal(fstat(fd, &st), 0);
	(void)close(fd);
	return (int)(st.st_mode & 0777);
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_old(const struct dirent *d)
{
	return d->d_name[0] == '@';
}

/* The i-th oldest file: bytes in out, the code behind its label; NULL when
 * there are not so many. */
static const char *
old_file(size_t i, struct str *out)
{
	static char code[8];
	struct dirent **list;
	char path[300];
	int n;

	(void)snprintf(path, sizeof path, "%s/log", top);
	n = scandir(path, &list, is_old, by_name);
	assert_true(n >= 0);
	code[0] = '\0';
	for (int k = 0; k < n; k++) {
		if ((size_t)k == i) {
			const char *name = list[k]->d_name;

			assert_true(strlen(name) == 27);
			memcpy(code, name + 25, 3);
			assert_true(get_file(name, out) >= 0);
		}
		free(list[k]);
	}
	free(list);
	return code[0] != '\0' ? code : NULL;
}

static void
expect_old(size_t i, const char *code, const char *text)
{
	struct str s = {0};
	const char *got = old_file(i, &s);

	assert_non_null(got);
	assert_string_equal(got, code);
	assert_string_equal(str_c(&s), text);
	str_free(&s);
}

static void
expect_none(size_t i)
{
	struct str s = {0};

	assert_null(old_file(i, &s));
	str_free(&s);
}

static void
expect(const char *name, int mode, const char *text)
{
	struct str s = {0};

	assert_int_equal(get_file(name, &s), mode);
	assert_string_equal(str_c(&s), text);
	str_free(&s);
}

/* n bytes: lines of width with their newline, the rest without one. */
static void
put_lines(struct logdir *d, size_t n, size_t width)
{
	char line[8192];

	memset(line, 'x', sizeof line);
	line[width - 1] = '\n';
	for (; n >= width; n -= width)
		logdir_put(d, line, width);
	logdir_put(d, line, n);
}

static size_t
old_length(size_t i)
{
	struct str s = {0};
	size_t n;

	assert_non_null(old_file(i, &s));
	n = s.len;
	str_free(&s);
	return n;
}

/* A file of 5000 ends at the first newline in its last 2000 bytes: with
 * lines of 500, at 3000; with lines of 700, at 3500; without lines, at 5000.
 * It is the same however the bytes come in. */
static void
test_where_files_end(void **state)
{
	static const struct {
		size_t width, total, first, rest;
	} cases[] = {
		{500, 3000, 3000, 0},
		{500, 2999, 0, 2999},
		{700, 4200, 3500, 700},
		{3000, 3000, 3000, 0},
		{2999, 2999, 0, 2999},
		{4999, 6000, 4999, 1001},
		{5000, 6000, 5000, 1000},
		{6000, 6000, 5000, 1000},
		{8000, 7000, 5000, 2000},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		for (size_t step = 1; step < 8000; step = step * 3 + 1) {
			struct logdir d = make(5000, 10, NULL);
			char path[300];
			struct str cur = {0};

			for (size_t at = 0; at < cases[i].total; at += step) {
				char line[8192];
				size_t n = cases[i].total - at;

				if (n > step)
					n = step;
				for (size_t k = 0; k < n; k++)
					line[k] = (at + k + 1) %
					    cases[i].width == 0 ? '\n' : 'x';
				logdir_put(&d, line, n);
				logdir_flush(&d);
			}
			if (cases[i].first > 0)
				assert_int_equal(old_length(0),
				    cases[i].first);
			else
				expect_none(0);
			expect_none(1);
			assert_int_equal(get_file("current", &cur), 0644);
			assert_int_equal(cur.len, cases[i].rest);
			str_free(&cur);
			crash(&d);
			(void)snprintf(path, sizeof path, "%s/log", top);
			empty(path);
		}
	}
}

static void
test_number_of_files(void **state)
{
	struct logdir d = make(4096, 3, NULL);
	struct str s = {0};

	(void)state;
	for (int i = 0; i < 6; i++) {
		char line[32];

		(void)snprintf(line, sizeof line, "line %d\n", i);
		logdir_put(&d, line, 7);
		logdir_flush(&d);
		logdir_rotate(&d);
		logdir_rotate(&d);      /* empty: nothing happens */
	}
	/* three files in all: current and the two newest */
	expect_old(0, ".s", "line 4\n");
	expect_old(1, ".s", "line 5\n");
	expect_none(2);
	expect("current", 0644, "");
	logdir_close(&d);
	expect("current", 0744, "");
	str_free(&s);
}

static void
test_close_and_continue(void **state)
{
	struct logdir d = make(4096, 3, NULL);

	(void)state;
	logdir_put(&d, "one\n", 4);
	logdir_close(&d);
	expect("current", 0744, "one\n");
	d = make(4096, 3, NULL);
	expect("current", 0644, "one\n");
	logdir_put(&d, "two\n", 4);
	logdir_close(&d);
	expect("current", 0744, "one\ntwo\n");
	expect_none(0);
	/* a file that is full by a smaller limit is put aside at once */
	put_file("current", "", 0744);
	d = make(4096, 3, NULL);
	put_lines(&d, 2000, 100);
	logdir_flush(&d);
	expect_none(0);
	put_lines(&d, 100, 100);
	logdir_flush(&d);
	assert_int_equal(old_length(0), 2100);
	logdir_close(&d);
}

/* What was found, with which modes (0: absent), and what must come of it. */
static const struct {
	mode_t current, previous, processed, newstate;
	const char *processor;
	const char *old[3];             /* code and text, oldest first */
	const char *cur;
	const char *state;              /* NULL: as it was, "old" */
	bool waits;                     /* previous is to be processed */
} crashes[] = {
	{0644, 0, 0, 0, NULL, {".ucur"}, "", NULL, false},
	{0744, 0, 0, 0, NULL, {NULL}, "cur", NULL, false},
	{0744, 0744, 0, 0, NULL, {".sprev"}, "cur", NULL, false},
	{0644, 0744, 0, 0, NULL, {".sprev", ".ucur"}, "", NULL, false},
	{0644, 0644, 0, 0, NULL, {".uprev", ".ucur"}, "", NULL, false},
	{0644, 0744, 0644, 0644, "cat", {".sprev", ".ucur"}, "", "", false},
	{0644, 0744, 0, 0, "false", {".ucur"}, "", NULL, true},
	{0744, 0744, 0644, 0644, "cat", {NULL}, "cur", NULL, true},
	{0744, 0744, 0744, 0644, "cat", {".sdone"}, "cur", "new", false},
	{0644, 0744, 0744, 0644, "cat", {".sdone", ".ucur"}, "", "new",
	    false},
	{0744, 0, 0744, 0644, "cat", {".sdone"}, "cur", "new", false},
	{0744, 0, 0744, 0, "cat", {".sdone"}, "cur", NULL, false},
	{0, 0, 0744, 0, "cat", {".sdone"}, "", NULL, false},
	{0, 0, 0, 0, NULL, {NULL}, "", NULL, false},
};

static void
test_after_a_crash(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(crashes); i++) {
		struct str s = {0};
		struct logdir d;
		char path[300];

		assert_int_equal(mkdir("log", 0700), 0);
		put_file("state", "old", 0644);
		if (crashes[i].current)
			put_file("current", "cur", crashes[i].current);
		if (crashes[i].previous)
			put_file("previous", "prev", crashes[i].previous);
		if (crashes[i].processed)
			put_file("processed", "done", crashes[i].processed);
		if (crashes[i].newstate)
			put_file("newstate", "new", crashes[i].newstate);
		d = make(4096, 10, crashes[i].processor);
		for (size_t k = 0; k < 3; k++) {
			const char *want = crashes[i].old[k];
			char code[3];

			if (want == NULL) {
				expect_none(k);
				break;
			}
			memcpy(code, want, 2);
			code[2] = '\0';
			expect_old(k, code, want + 2);
		}
		expect("current", 0644, crashes[i].cur);
		expect("state", 0644,
		    crashes[i].state != NULL ? crashes[i].state : "old");
		assert_int_equal(d.waiting, crashes[i].waits);
		assert_int_equal(get_file("previous", &s) >= 0,
		    crashes[i].waits);
		if (!d.waiting) {
			assert_int_equal(get_file("processed", &s), -1);
			assert_int_equal(get_file("newstate", &s), -1);
		}
		str_free(&s);
		crash(&d);
		(void)snprintf(path, sizeof path, "%s/log", top);
		empty(path);
	}
}

static void
test_processor(void **state)
{
	struct logdir d = make(4096, 10,
	    "tr a-z A-Z; cat <&4 >&5; echo x >&5");

	(void)state;
	for (int i = 0; i < 3; i++) {
		logdir_put(&d, "some\n", 5);
		logdir_flush(&d);
		logdir_rotate(&d);      /* waits for the one before */
	}
	logdir_put(&d, "rest\n", 5);
	logdir_close(&d);               /* waits, too */
	for (size_t i = 0; i < 3; i++)
		expect_old(i, ".s", "SOME\n");
	expect_none(3);
	expect("state", 0644, "x\nx\nx\n");
	expect("current", 0744, "rest\n");
	expect("previous", -1, "");
	expect("processed", -1, "");
	expect("newstate", -1, "");
}

/* One that fails keeps what it was given, and its state. */
static void
test_processor_fails(void **state)
{
	struct logdir d = make(4096, 10, "echo y >&5; exit 1");
	int ms;

	(void)state;
	logdir_put(&d, "some\n", 5);
	logdir_flush(&d);
	logdir_rotate(&d);
	assert_true(d.waiting);
	assert_int_equal(logdir_tick(&d), -1);          /* it runs */
	for (int status; d.pid != 0;) {
		pid_t pid = waitpid(-1, &status, 0);

		logdir_reaped(&d, pid + 1, status);     /* a stranger */
		assert_true(d.pid != 0);
		logdir_reaped(&d, pid, status);
	}
	ms = logdir_tick(&d);
	assert_true(ms > 0 && ms <= LOGDIR_PAUSE_MS);
	expect("previous", 0744, "some\n");
	expect("state", 0644, "");
	expect_none(0);
	crash(&d);
	/* the next multilog takes it up, with another processor */
	d = make(4096, 10, "cat");
	assert_true(d.waiting);
	assert_int_equal(logdir_tick(&d), -1);
	logdir_close(&d);
	expect_old(0, ".s", "some\n");
	expect_none(1);
}

static void
open_here(void *arg)
{
	struct logdir d = {.name = arg, .size = 4096, .num = 2};

	logdir_open(&d);
}

static void
test_refusals(void **state)
{
	struct logdir d = make(4096, 2, NULL);
	char busy[] = "./log", nodir[] = "./log/lock", deep[] = "./a/b";

	(void)state;
	unit_dies(open_here, busy, 111,
	    "fatal: unable to lock directory ./log: temporary failure\n");
	unit_dies(open_here, nodir, 111,
	    "fatal: unable to open directory ./log/lock: not a directory\n");
	unit_dies(open_here, deep, 111,
	    "fatal: unable to create directory ./a/b: file does not exist\n");
	logdir_close(&d);
	assert_int_equal(unlink("log/current"), 0);
	assert_int_equal(mkfifo("log/current", 0600), 0);
	unit_dies(open_here, busy, 111, "./log/current");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_where_files_end),
		T(test_number_of_files),
		T(test_close_and_continue),
		T(test_after_a_crash),
		T(test_processor),
		T(test_processor_fails),
		T(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
