/* test_sandbox.c - what is given up is gone, what is kept works; each case in
 * a child, whose exit code is the number of the check that failed. */
#include "lib/sandbox.h"

#include "lib/fs.h"
#include "lib/proc.h"
#include "TESTS/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED false
#endif

static char tmp[] = "/tmp/unit-sandbox.XXXXXX";

#define CHECK(number, ok) do { if (!(ok)) _exit(number); } while (0)

static void
expect(void (*fn)(void *), void *arg)
{
	unit_dies(fn, arg, 0, "");
}

static void
privs(void *arg)
{
	(void)arg;
	CHECK(1, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	CHECK(2, sandbox_no_new_privs() == 0);
	CHECK(3, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(4, sandbox_no_new_privs() == 0);
	CHECK(5, sandbox_undumpable() == 0);
	CHECK(6, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
}

static void
test_privs(void **state)
{
	(void)state;
	expect(privs, NULL);
}

static void
limits(void *arg)
{
	const struct sandbox_limit l[] = {
		{RLIMIT_NOFILE, 20}, {RLIMIT_FSIZE, 1000}, {RLIMIT_NPROC, 0}};
	const struct sandbox_limit higher[] = {{RLIMIT_NOFILE, 100}};
	const struct sandbox_limit bad[] = {{12345, 0}};
	struct rlimit rl;

	(void)arg;
	rl = (struct rlimit){15, 30};
	CHECK(1, setrlimit(RLIMIT_NOFILE, &rl) == 0);
	CHECK(2, sandbox_limits(l, N_OF(l)) == 0);
	CHECK(3, getrlimit(RLIMIT_CORE, &rl) == 0);
	CHECK(4, rl.rlim_cur == 0 && rl.rlim_max == 0);
	CHECK(5, getrlimit(RLIMIT_NOFILE, &rl) == 0);
	CHECK(6, rl.rlim_cur == 15 && rl.rlim_max == 20);
	CHECK(7, getrlimit(RLIMIT_FSIZE, &rl) == 0);
	CHECK(8, rl.rlim_cur == 1000 && rl.rlim_max == 1000);
	CHECK(9, sandbox_limits(higher, 1) == 0);
	CHECK(10, getrlimit(RLIMIT_NOFILE, &rl) == 0);
	CHECK(11, rl.rlim_cur == 15 && rl.rlim_max == 20);
	CHECK(12, sandbox_limits(bad, 1) == -1 && errno == EINVAL);
	CHECK(13, sandbox_limits(NULL, 0) == 0);
}

static void
test_limits(void **state)
{
	(void)state;
	expect(limits, NULL);
}

static int
touch(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? -1 : close(fd);
}

static bool
refused(int r)
{
	return r < 0 && (errno == EACCES || errno == EXDEV || errno == EPERM);
}

/* tmp: r/file r/exec w/a w/b and a file beside them. */
static void
files(void *arg)
{
	static const char *const rd[] = {"r", NULL}, *const wr[] = {"w", NULL};
	static const char *const ex[] = {"/bin", "/usr", "/lib", "/lib64",
	    NULL};
	const char *argv[] = {"/bin/true", NULL}, *own[] = {"r/exec", NULL};
	struct sandbox_fs fs = {.read = rd, .write = wr, .exec = ex};
	int open_before = open("beside", O_RDWR | O_CLOEXEC), status;
	struct proc_spawn sp = {.argv = argv};
	struct str s = {0};
	pid_t pid;

	(void)arg;
	CHECK(1, sandbox_landlock(&fs, 0) == 0);
	CHECK(2, fs.bad == NULL && fs.abi >= 2);
	CHECK(3, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(4, write(open_before, "x", 1) == 1);
	CHECK(10, fs_read("r/file", &s, 100) == 0);
	CHECK(11, refused(touch("r/new")));
	CHECK(12, refused(open("r/file", O_WRONLY)));
	CHECK(13, refused(fs_read("beside", &s, 100)));
	CHECK(14, refused(fs_read("/etc/passwd", &s, 1 << 20)));
	CHECK(15, refused(open(".", O_RDONLY)));
	CHECK(16, refused(unlink("beside")));
	CHECK(17, refused(rename("beside", "w/a/stolen")));
	CHECK(18, refused(link("r/file", "w/a/linked")) || fs.abi < 2);
	if (fs.abi >= 3)
		CHECK(19, refused(truncate("r/file", 0)));
	CHECK(30, touch("w/a/x") == 0);
	CHECK(31, rename("w/a/x", "w/b/x") == 0);
	CHECK(32, link("w/b/x", "w/a/y") == 0 && unlink("w/a/y") == 0);
	CHECK(33, truncate("w/b/x", 5) == 0 && unlink("w/b/x") == 0);
	CHECK(34, mkdir("w/d", 0700) == 0 && fs_sync_dir("w/d") == 0);
	CHECK(35, rmdir("w/d") == 0);
	CHECK(36, fs_replace("w/a/f", "w/a/f.tmp", "x", 1, 0600) == 0);
	CHECK(37, unlink("w/a/f") == 0);
	CHECK(50, proc_spawn(&sp, &pid) == 0);
	CHECK(51, proc_wait(pid, &status) == 0 && status == 0);
	sp.argv = own;
	CHECK(52, proc_spawn(&sp, &pid) == -1 && errno == EACCES);
	str_free(&s);
}

static void
need_landlock(void)
{
	struct sandbox_fs fs = {0};
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(sandbox_landlock(&fs, 0) < 0 ? 100 : fs.abi);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 100);
	if (WEXITSTATUS(status) < 2)
		skip();
}

static void
test_files(void **state)
{
	(void)state;
	need_landlock();
	expect(files, NULL);
}

/* A rule may name a file; nothing named means nothing can be opened. */
static void
single_file(void *arg)
{
	static const char *const rd[] = {"r/file", NULL};
	static const char *const wr[] = {"beside", NULL};
	struct sandbox_fs fs = {.read = rd, .write = wr};
	struct sandbox_fs none = {0};
	struct str s = {0};
	int fd;

	(void)arg;
	CHECK(1, sandbox_landlock(&fs, 0) == 0);
	CHECK(2, fs_read("r/file", &s, 100) == 0);
	CHECK(3, refused(fs_read("r/exec", &s, 100)));
	fd = open("beside", O_RDWR | O_TRUNC);
	CHECK(4, fd >= 0);
	CHECK(5, sandbox_landlock(&none, 0) == 0);
	CHECK(6, refused(fs_read("r/file", &s, 100)));
	CHECK(7, refused(open("beside", O_RDWR)));
	CHECK(8, write(fd, "x", 1) == 1);
	str_free(&s);
}

static void
test_single_file(void **state)
{
	(void)state;
	need_landlock();
	expect(single_file, NULL);
}

/* A path that is not there is named, and nothing is closed. */
static void
missing(void *arg)
{
	static const char *const rd[] = {"r", "r/none", NULL};
	struct sandbox_fs fs = {.read = rd};
	struct str s = {0};

	(void)arg;
	CHECK(1, sandbox_landlock(&fs, 0) == -1);
	CHECK(2, errno == ENOENT && strcmp(fs.bad, "r/none") == 0);
	CHECK(3, fs_read("beside", &s, 100) == 0);
	str_free(&s);
}

static void
test_missing(void **state)
{
	(void)state;
	need_landlock();
	expect(missing, NULL);
}

static void
flags(void *arg)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sandbox_fs fs = {0};

	(void)arg;
	CHECK(1, tcp >= 0);
	CHECK(2, sandbox_landlock(&fs, SANDBOX_NO_TCP | SANDBOX_SCOPED) == 0);
	if (fs.abi >= 4) {
		CHECK(3, refused(bind(tcp, (struct sockaddr *)&sa,
		    sizeof sa)));
		CHECK(4, refused(connect(tcp, (struct sockaddr *)&sa,
		    sizeof sa)));
	}
	if (fs.abi >= 6) {
		CHECK(5, refused(kill(getppid(), 0)));
		CHECK(6, kill(getpid(), 0) == 0);
	}
}

static void
test_flags(void **state)
{
	(void)state;
	need_landlock();
	expect(flags, NULL);
}

static void
no_fds(void *arg)
{
	struct rlimit rl = {0, 0};
	struct sandbox_fs fs = {0};

	(void)arg;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	CHECK(1, sandbox_landlock(&fs, 0) == -1 && errno == EMFILE);
}

static void
test_no_fds(void **state)
{
	(void)state;
	need_landlock();
	expect(no_fds, NULL);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(tmp) == NULL || chdir(tmp) < 0 || mkdir("r", 0700) < 0 ||
	    mkdir("w", 0700) < 0 || mkdir("w/a", 0700) < 0 ||
	    mkdir("w/b", 0700) < 0 || touch("beside") < 0)
		return -1;
	return fs_replace("r/file", "r/t", "text", 4, 0600) < 0 ||
	    fs_replace("r/exec", "r/t", "#!/bin/true\n", 12, 0700) < 0 ? -1 :
	    0;
}

static int
teardown(void **state)
{
	static const char *const names[] = {"r/file", "r/exec", "r", "w/a",
	    "w/b", "w", "beside", tmp};
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++)
		bad |= remove(names[i]);
	return bad;
}

static void
calls(void *arg)
{
	static const int some[] = {SYS_write, SYS_exit_group, -1};

	(void)arg;
	CHECK(1, sandbox_calls(some) == 0);
	CHECK(2, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void
calls_kept(void *arg)
{
	static const int some[] = {SYS_write, SYS_getppid, SYS_exit_group,
	    -1};

	(void)arg;
	CHECK(1, sandbox_calls(some) == 0);
	CHECK(2, getppid() > 0);
	CHECK(3, write(2, "kept", 4) == 4);
}

static void
test_calls(void **state)
{
	char text[100];
	int status;

	(void)state;
	expect(calls_kept, NULL);
	/* prctl is not in the list: the end, but for sanitizers. */
	status = unit_child(calls, NULL, text, sizeof text);
	if (WIFSIGNALED(status))
		assert_int_equal(WTERMSIG(status), SIGSYS);
	else
		assert_true(status == 0 && SANITIZED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_privs),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_single_file),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_no_fds),
		cmocka_unit_test(test_calls),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
