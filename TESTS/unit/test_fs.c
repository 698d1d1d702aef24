/* test_fs.c - reading, replacing, locking: what is left after each failure. */
#include "lib/fs.h"

#include "lib/proc.h"
#include "TESTS/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

static char tmp[] = "/tmp/unit-fs.XXXXXX";

static size_t
count(const char *dir)
{
	DIR *d = opendir(dir);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n - 2;
}

static void
assert_file(const char *path, const char *want)
{
	struct str s = {0};

	assert_int_equal(fs_read(path, &s, 1000000), 0);
	assert_string_equal(str_c(&s), want);
	str_free(&s);
}

static void
test_read_max(void **state)
{
	static char bytes[10000];

	(void)state;
	memset(bytes, 'b', sizeof bytes);
	for (size_t n = 0; n <= sizeof bytes; n += n < 3 ? 1 : 1367) {
		struct str s = {0};

		assert_int_equal(fs_replace("f", "f.tmp", bytes, n, 0600), 0);
		str_cats(&s, "+");
		assert_int_equal(fs_read("f", &s, n), 0);
		assert_int_equal(s.len, n + 1);
		if (n > 0) {
			assert_int_equal(fs_read("f", &s, n - 1), -1);
			assert_int_equal(errno, EFBIG);
			assert_int_equal(s.len, n + 1); /* nothing added */
		}
		str_free(&s);
	}
	assert_int_equal(unlink("f"), 0);
}

static void
test_read_odd_files(void **state)
{
	struct str s = {0};
	int r, w;

	(void)state;
	assert_int_equal(fs_read("none", &s, 10), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fs_read(".", &s, 10), -1);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(fs_read("fifo", &s, 10), -1);  /* and at once */
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fs_read("/dev/zero", &s, 10), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(fs_read("loop", &s, 10), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(fs_read("fifo/x", &s, 10), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(proc_pipe(&r, &w), 0);
	assert_int_equal(fs_read_fd(r, &s, 10), -1);
	assert_int_equal(errno, EINVAL);
	(void)close(r);
	(void)close(w);
	assert_int_equal(fs_read_fd(r, &s, 10), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(s.len, 0);
	assert_int_equal(unlink("fifo") | unlink("loop"), 0);
	str_free(&s);
}

static void
test_replace(void **state)
{
	struct stat st;
	mode_t mask = umask(077);

	(void)state;
	assert_int_equal(fs_replace("f", "f.tmp", "one", 3, 0644), 0);
	assert_file("f", "one");
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(fs_replace("f", "f.tmp", "", 0, 0600), 0);
	assert_file("f", "");
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(count("."), 1);
	(void)umask(mask);
	assert_int_equal(unlink("f"), 0);
}

/* A leftover tmp of any kind is not written through. */
static void
test_replace_leftovers(void **state)
{
	(void)state;
	assert_int_equal(fs_replace("victim", "v.tmp", "safe", 4, 0600), 0);
	assert_int_equal(symlink("victim", "f.tmp"), 0);
	assert_int_equal(fs_replace("f", "f.tmp", "new", 3, 0600), 0);
	assert_file("f", "new");
	assert_file("victim", "safe");
	assert_int_equal(link("victim", "f.tmp"), 0);
	assert_int_equal(fs_replace("f", "f.tmp", "newer", 5, 0600), 0);
	assert_file("f", "newer");
	assert_file("victim", "safe");
	assert_int_equal(mkfifo("f.tmp", 0600), 0);
	assert_int_equal(fs_replace("f", "f.tmp", "last", 4, 0600), 0);
	assert_file("f", "last");
	assert_int_equal(mkdir("f.tmp", 0700), 0);
	assert_int_equal(fs_replace("f", "f.tmp", "never", 5, 0600), -1);
	assert_int_equal(errno, EISDIR);
	assert_file("f", "last");
	assert_int_equal(rmdir("f.tmp") | unlink("f") | unlink("victim"), 0);
}

static void
test_replace_failures(void **state)
{
	(void)state;
	assert_int_equal(fs_replace("none/f", "none/t", "x", 1, 0600), -1);
	assert_int_equal(errno, ENOENT);
	/* the rename fails: tmp goes, path stays */
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(fs_replace("d", "f.tmp", "x", 1, 0600), -1);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(count("."), 1);
	assert_int_equal(rmdir("d"), 0);
}

/* The disk is full (a file size limit stands for it). */
static void
replace_too_big(void *arg)
{
	static char bytes[100000];
	struct rlimit rl = {50000, 50000};

	(void)arg;
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)setrlimit(RLIMIT_FSIZE, &rl);
	if (fs_replace("f", "f.tmp", bytes, sizeof bytes, 0600) == 0)
		_exit(1);
	if (errno != EFBIG)
		_exit(2);
	rl = (struct rlimit){0, 0};
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	if (fs_replace("f", "f.tmp", "x", 1, 0600) == 0 || errno != EMFILE)
		_exit(3);
	if (fs_sync_dir(".") == 0 || errno != EMFILE)
		_exit(4);
	if (fs_lock("l", 0600, false) >= 0 || errno != EMFILE)
		_exit(5);
}

static void
test_replace_limits(void **state)
{
	(void)state;
	assert_int_equal(fs_replace("f", "f.tmp", "old", 3, 0600), 0);
	unit_dies(replace_too_big, NULL, 0, "");
	assert_file("f", "old");
	assert_int_equal(count("."), 1);
	assert_int_equal(unlink("f"), 0);
}

static void
test_sync(void **state)
{
	int fd = open(".", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(fs_sync_dir("."), 0);
	assert_int_equal(fs_sync_dir("none"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fs_sync_dir("/dev/null"), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(fs_sync_parent("x"), 0);
	assert_int_equal(fs_sync_parent("./x"), 0);
	assert_int_equal(fs_sync_parent("/x"), 0);
	assert_int_equal(fs_sync_parent("none/x"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fs_syncfs(fd), 0);
	(void)close(fd);
	assert_int_equal(fs_syncfs(fd), -1);
	assert_int_equal(errno, EBADF);
}

/* In a child, which shares the parent's open file until it closes it. */
static int
try_lock(int inherited)
{
	(void)close(inherited);
	if (fs_lock("lock", 0600, false) >= 0)
		return 1;
	if (errno != EWOULDBLOCK)
		return 2;
	return fs_lock("lock", 0600, true) < 0 ? 3 : 0;
}

static void
test_lock(void **state)
{
	int fd, status;
	struct stat st;
	pid_t pid;

	(void)state;
	fd = fs_lock("lock", 0600, false);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(try_lock(fd));
	(void)usleep(100000);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	(void)close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(fs_lock("none/lock", 0600, true), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(unlink("lock"), 0);
}

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(tmp) == NULL || chdir(tmp) < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	return chdir("/") < 0 ? -1 : rmdir(tmp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_max),
		cmocka_unit_test(test_read_odd_files),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_replace_leftovers),
		cmocka_unit_test(test_replace_failures),
		cmocka_unit_test(test_replace_limits),
		cmocka_unit_test(test_sync),
		cmocka_unit_test(test_lock),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
