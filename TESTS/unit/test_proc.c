/* test_proc.c - what a child is born with and what it is not, how a failed
 * start is told, and that nobody can make the parent wait.  The test runs
 * itself as the child ("report"), which says what it finds. */
#include "lib/proc.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/str.h"
#include "lib/tai.h"
#include "TESTS/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define SELF "/proc/self/exe"
#define STRANGER 54321                  /* a uid that runs nothing */

static int
report(void)
{
	struct sigaction sa;
	sigset_t mask;
	char dir[4096];

	for (int fd = 0; fd < 1100; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("fd %d;", fd);
	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int s = 1; s < 32; s++) {
		if (sigaction(s, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			printf("ignored %d;", s);
		if (sigismember(&mask, s) == 1)
			printf("blocked %d;", s);
	}
	if (getcwd(dir, sizeof dir) != NULL)
		printf("dir %s;", dir);
	if (getsid(0) == getpid())
		printf("leader;");
	if (getenv("MARK") != NULL)
		printf("mark %s;", getenv("MARK"));
	return fflush(stdout) != 0;
}

/* Runs it with one more descriptor, a pipe as its 1, and returns all it wrote
 * there. */
static void
run(struct proc_spawn sp, const struct proc_fd *fds, size_t nfds,
    struct str *out)
{
	struct proc_fd all[PROC_MAXFD];
	int r, w, status;
	char buf[500];
	ssize_t n;
	pid_t pid;

	assert_int_equal(proc_pipe(&r, &w), 0);
	if (nfds > 0)
		memcpy(all, fds, nfds * sizeof *fds);
	all[nfds] = (struct proc_fd){w, 1};
	sp.fds = all;
	sp.nfds = nfds + 1;
	if (proc_spawn(&sp, &pid) < 0)
		fail_msg("proc_spawn: %s", strerror(errno));
	(void)close(w);
	while ((n = read(r, buf, sizeof buf)) > 0)
		str_catb(out, buf, (size_t)n);
	(void)close(r);
	assert_int_equal(proc_wait(pid, &status), 0);
	assert_int_equal(status, 0);
}

static const char *const report_argv[] = {SELF, "report", NULL};

static size_t
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

/* Descriptors that every exec would inherit stay out, below, between and
 * above the given ones. */
static void
test_only_given_fds(void **state)
{
	static const int stray[] = {3, 5, 7, 9, 14, 30, 1000};
	const struct proc_fd fds[] = {{-1, 0}, {1, 6}, {-1, 4}};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool ours[N_OF(stray)];
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(stray); i++) {
		ours[i] = fcntl(stray[i], F_GETFD) < 0;
		if (ours[i])
			assert_int_equal(dup2(null, stray[i]), stray[i]);
	}
	run((struct proc_spawn){.argv = report_argv}, fds, N_OF(fds), &s);
	assert_memory_equal(str_c(&s), "fd 0;fd 1;fd 2;fd 4;fd 6;dir ", 29);
	str_clear(&s);
	run((struct proc_spawn){.argv = report_argv}, NULL, 0, &s);
	assert_memory_equal(str_c(&s), "fd 0;fd 1;fd 2;dir ", 19);
	for (size_t i = 0; i < N_OF(stray); i++)
		if (ours[i])
			(void)close(stray[i]);
	(void)close(null);
	str_free(&s);
}

/* Each target is the source of another; nothing is lost on the way. */
static void
test_swapped_fds(void **state)
{
	const char *argv[] = {"sh", "-c",
	    "read a <&4; read b <&5; read c <&6; echo $a$b$c", NULL};
	struct str s = {0};
	int r[3], w, saved[3];
	struct proc_fd fds[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		saved[i] = fcntl(4 + i, F_DUPFD_CLOEXEC, 50);
	for (int i = 0; i < 3; i++) {
		int fd;

		assert_int_equal(proc_pipe(&fd, &w), 0);
		assert_int_equal(dprintf(w, "%c\n", "xyz"[i]), 2);
		(void)close(w);
		r[i] = fcntl(fd, F_DUPFD_CLOEXEC, 60);
		(void)close(fd);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(dup2(r[i], 4 + i), 4 + i);
		(void)close(r[i]);
	}
	/* 4, 5, 6 hold x, y, z; the child has them turned round. */
	fds[0] = (struct proc_fd){4, 5};
	fds[1] = (struct proc_fd){5, 6};
	fds[2] = (struct proc_fd){6, 4};
	run((struct proc_spawn){.argv = argv}, fds, 3, &s);
	assert_string_equal(str_c(&s), "zxy\n");
	for (int i = 0; i < 3; i++) {
		(void)close(4 + i);
		if (saved[i] >= 0) {
			(void)dup2(saved[i], 4 + i);
			(void)close(saved[i]);
		}
	}
	str_free(&s);
}

static void
on_term(int s)
{
	(void)s;
}

static void
test_signals(void **state)
{
	struct sigaction sa, old;
	struct str s = {0}, want = {0};
	sigset_t block, before, after;

	(void)state;
	memset(&sa, 0, sizeof sa);
	sa.sa_handler = on_term;
	(void)sigaction(SIGTERM, &sa, &old);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGUSR1);
	(void)sigaddset(&block, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &block, NULL);
	(void)sigprocmask(SIG_SETMASK, NULL, &before);
	run((struct proc_spawn){.argv = report_argv}, NULL, 0, &s);
	(void)sigprocmask(SIG_SETMASK, NULL, &after);
	for (int i = 1; i < 32; i++)
		assert_int_equal(sigismember(&before, i),
		    sigismember(&after, i));
	str_catf(&want, "fd 0;fd 1;fd 2;ignored %d;dir ", SIGHUP);
	assert_memory_equal(str_c(&s), str_c(&want), want.len);
	/* the parent keeps its own */
	(void)sigaction(SIGTERM, NULL, &sa);
	assert_ptr_equal(sa.sa_handler, on_term);
	(void)sigaction(SIGPIPE, NULL, &sa);
	assert_ptr_equal(sa.sa_handler, SIG_IGN);
	(void)sigprocmask(SIG_UNBLOCK, &block, NULL);
	(void)sigaction(SIGTERM, &old, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
	str_free(&s);
	str_free(&want);
}

/* With SIGCHLD ignored the kernel reaps: the cause of a failed start must
 * still be told, and the child must be able to wait. */
static void
test_sigchld_ignored(void **state)
{
	const char *argv[] = {"/nonexistent", NULL};
	const char *sh[] = {"sh", "-c", "(exit 3); test $? = 3", NULL};
	struct proc_spawn sp = {.argv = argv, .path = argv[0]};
	struct str s = {0};
	int status;
	pid_t pid;

	(void)state;
	(void)signal(SIGCHLD, SIG_IGN);
	assert_int_equal(proc_spawn(&sp, &pid), -1);
	assert_int_equal(errno, ENOENT);
	(void)signal(SIGCHLD, SIG_DFL);
	run((struct proc_spawn){.argv = sh}, NULL, 0, &s);
	(void)signal(SIGCHLD, SIG_IGN);
	pid = proc_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct sigaction sa;

		(void)sigaction(SIGCHLD, NULL, &sa);
		_exit(sa.sa_handler != SIG_DFL);
	}
	(void)signal(SIGCHLD, SIG_DFL);
	assert_int_equal(proc_wait(pid, &status), 0);
	assert_int_equal(status, 0);
	str_free(&s);
}

static void
test_dir_env_session(void **state)
{
	const char *env[] = {"MARK=x y", NULL};
	struct str s = {0};

	(void)state;
	run((struct proc_spawn){.argv = report_argv, .dir = "/usr",
	    .envp = env, .new_session = true}, NULL, 0, &s);
	assert_string_equal(str_c(&s),
	    "fd 0;fd 1;fd 2;dir /usr;leader;mark x y;");
	str_free(&s);
}

static char tmp[] = "/tmp/unit-proc.XXXXXX";

static void
put_file(const char *name, const char *text, mode_t mode)
{
	struct str path = {0}, t = {0};

	str_catf(&path, "%s/%s", tmp, name);
	str_catf(&t, "%s.tmp", str_c(&path));
	assert_int_equal(fs_replace(str_c(&path), str_c(&t), text,
	    strlen(text), mode), 0);
	str_free(&path);
	str_free(&t);
}

static void
test_failed_starts(void **state)
{
	struct { const char *path; int want; } cases[] = {
		{"/nonexistent/x", ENOENT},
		{"noexec", EACCES},
		{"notprogram", ENOEXEC},
		{"nointerpreter", ENOENT},
		{"noexec/x", ENOTDIR},
		{"dir", EACCES},
	};
	size_t before = count_fds();

	(void)state;
	for (size_t i = 0; i < N_OF(cases) * 2; i++) {
		const char *argv[] = {"x", NULL};
		const char *name = cases[i / 2].path;
		struct proc_spawn sp = {.argv = argv, .drop = i % 2};
		struct str path = {0};
		pid_t pid;

		if (sp.drop && geteuid() != 0)
			continue;
		sp.uid = geteuid();
		sp.gid = getegid();
		str_catf(&path, name[0] == '/' ? "%s%s" : "%s/%s",
		    name[0] == '/' ? "" : tmp, name);
		sp.path = str_c(&path);
		errno = 0;
		assert_int_equal(proc_spawn(&sp, &pid), -1);
		assert_int_equal(errno, cases[i / 2].want);
		str_free(&path);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);        /* no zombie either */
	assert_int_equal(count_fds(), before);
}

static void
test_bad_requests(void **state)
{
	const char *argv[] = {"/bin/true", NULL};
	struct proc_fd many[PROC_MAXFD + 1], one;
	struct proc_spawn sp = {.argv = argv, .fds = &one, .nfds = 1};
	pid_t pid;

	(void)state;
	one = (struct proc_fd){0, PROC_MAXFD};
	assert_int_equal(proc_spawn(&sp, &pid), -1);
	assert_int_equal(errno, EBADF);
	one = (struct proc_fd){0, -1};
	assert_int_equal(proc_spawn(&sp, &pid), -1);
	assert_int_equal(errno, EBADF);
	one = (struct proc_fd){999, 0};
	assert_int_equal(proc_spawn(&sp, &pid), -1);
	assert_int_equal(errno, EBADF);
	for (int i = 0; i <= PROC_MAXFD; i++)
		many[i] = (struct proc_fd){-1, i < PROC_MAXFD ? i : 0};
	sp.fds = many;
	sp.nfds = PROC_MAXFD + 1;
	assert_int_equal(proc_spawn(&sp, &pid), -1);
	assert_int_equal(errno, EINVAL);
	sp = (struct proc_spawn){.argv = argv, .dir = "/nonexistent"};
	assert_int_equal(proc_spawn(&sp, &pid), -1);
	assert_int_equal(errno, ENOENT);
}

static void
test_all_fds(void **state)
{
	struct proc_fd fds[PROC_MAXFD - 1];
	struct str s = {0}, want = {0};

	(void)state;
	for (int i = 0; i < PROC_MAXFD - 1; i++)
		fds[i] = (struct proc_fd){-1, i == 0 ? 0 : i + 1};
	run((struct proc_spawn){.argv = report_argv}, fds, N_OF(fds), &s);
	for (int i = 0; i < PROC_MAXFD; i++)
		str_catf(&want, "fd %d;", i);
	str_cats(&want, "dir ");
	assert_memory_equal(str_c(&s), str_c(&want), want.len);
	str_free(&s);
	str_free(&want);
}

/* PATH as execvp reads it; a directory of that name is no program. */
/* What the child says before it executes comes before what the program says,
 * and the caller sees what it left in memory. */
struct said {
	int fd;
	pid_t pid;
};

PROC_IN_CHILD static void
say_pid(void *arg)
{
	struct said *s = arg;

	s->pid = getpid();
	(void)!write(s->fd, "first ", 6);
}

static void
test_before(void **state)
{
	static const char *const argv[] = {"/bin/sh", "-c", "echo $$", NULL};
	struct said said = {.pid = -1};
	struct proc_fd fds[1] = {{.to = 1}};
	struct proc_spawn sp = {.argv = argv, .path = "/bin/sh", .fds = fds,
	    .nfds = 1, .before = say_pid, .before_arg = &said};
	char want[64], got[64];
	int r, w, status;
	ssize_t n;
	pid_t pid;

	(void)state;
	assert_int_equal(proc_pipe(&r, &w), 0);
	fds[0].from = said.fd = w;
	assert_int_equal(proc_spawn(&sp, &pid), 0);
	assert_int_equal(said.pid, pid);
	assert_int_equal(proc_wait(pid, &status), 0);
	(void)snprintf(want, sizeof want, "first %d\n", (int)pid);
	n = read(r, got, sizeof got - 1);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, want);
	(void)close(r);
	(void)close(w);
}

static void
test_path_search(void **state)
{
	const char *argv[] = {"prog-here", NULL}, *none[] = {"prog-no", NULL};
	const char *denied[] = {"noexec", NULL}, *dir[] = {"dir", NULL};
	struct proc_spawn sp = {0};
	struct str path = {0}, s = {0}, saved = {0};
	pid_t pid;

	(void)state;
	str_cats(&saved, getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
	str_catf(&path, "/nonexistent:%s/first:%s", tmp, tmp);
	assert_int_equal(setenv("PATH", str_c(&path), 1), 0);
	run((struct proc_spawn){.argv = argv}, NULL, 0, &s);
	assert_string_equal(str_c(&s), "ran\n");
	sp.argv = none;
	assert_int_equal(proc_spawn(&sp, &pid), -1);
	assert_int_equal(errno, ENOENT);
	sp.argv = denied;
	assert_int_equal(proc_spawn(&sp, &pid), -1);
	assert_int_equal(errno, EACCES);
	sp.argv = dir;
	assert_int_equal(proc_spawn(&sp, &pid), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(unsetenv("PATH"), 0);
	sp.argv = (const char *const[]){"true", NULL};
	str_clear(&s);
	run(sp, NULL, 0, &s);
	assert_int_equal(setenv("PATH", str_c(&saved), 1), 0);
	str_free(&path);
	str_free(&s);
	str_free(&saved);
}

static void
need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void
assert_line(const struct str *status, const char *line)
{
	if (strstr(str_c(status), line) == NULL)
		assert_string_equal(str_c(status), line);
}

static void
test_drop(void **state)
{
	const char *argv[] = {"cat", "/proc/self/status", NULL};
	const struct proc_fd fds[] = {{-1, 0}, {-1, 5}};
	struct str s = {0};

	(void)state;
	need_root();
	run((struct proc_spawn){.argv = argv, .drop = true, .uid = STRANGER,
	    .gid = STRANGER + 1, .dir = "/"}, fds, 2, &s);
	assert_line(&s, "\nUid:\t54321\t54321\t54321\t54321\n");
	assert_line(&s, "\nGid:\t54322\t54322\t54322\t54322\n");
	assert_line(&s, "\nGroups:\t54322 \n");
	assert_line(&s, "\nCapEff:\t0000000000000000\n");
	assert_line(&s, "\nSigBlk:\t0000000000000000\n");
	str_free(&s);
	s = (struct str){0};
	run((struct proc_spawn){.argv = report_argv, .drop = true}, fds, 2,
	    &s);
	assert_memory_equal(str_c(&s), "fd 0;fd 1;fd 2;fd 5;dir ", 24);
	str_free(&s);
}

/* Exits 0 when dropping is refused or done as it should be. */
static void
drop_twice(void *arg)
{
	const char *argv[] = {"/bin/true", NULL};
	struct proc_spawn sp = {.argv = argv, .drop = true};
	struct str s = {0};
	pid_t pid;

	(void)arg;
	if (proc_drop(STRANGER, STRANGER + 1) < 0)
		_exit(1);
	if (fs_read("/proc/self/status", &s, 65536) < 0 ||
	    strstr(str_c(&s), "\nUid:\t54321\t54321\t54321\t54321\n") == NULL ||
	    strstr(str_c(&s), "\nGid:\t54322\t54322\t54322\t54322\n") == NULL ||
	    strstr(str_c(&s), "\nGroups:\t54322 \n") == NULL)
		_exit(2);
	if (proc_drop(0, 0) == 0 || errno != EPERM)
		_exit(3);
	if (setuid(0) == 0 || setgid(0) == 0)
		_exit(4);
	if (proc_spawn(&sp, &pid) == 0 || errno != EPERM)
		_exit(5);
	sp.uid = STRANGER;
	sp.gid = STRANGER + 1;
	if (proc_spawn(&sp, &pid) == 0 || errno != EPERM)
		_exit(6);
	str_free(&s);
}

static void
test_proc_drop(void **state)
{
	char text[500];
	int status;

	(void)state;
	need_root();
	status = unit_child(drop_twice, NULL, text, sizeof text);
	assert_int_equal(status, 0);
}

/* Who becomes a user can be stopped by that user.  proc_spawn must come back
 * all the same: this hung the parent for ever when it slept in vfork. */
static void
test_stopped_by_its_user(void **state)
{
	const char *argv[] = {"/bin/true", NULL};
	struct proc_spawn sp = {.argv = argv, .drop = true, .uid = STRANGER,
	    .gid = STRANGER};
	struct pollfd p = {.events = POLLIN};
	pid_t enemy, pid;
	int status, w;
	int64_t t;

	(void)state;
	need_root();
	enemy = fork();
	assert_true(enemy >= 0);
	if (enemy == 0) {
		alarm(60);
		if (setgid(STRANGER) < 0 || setuid(STRANGER) < 0)
			_exit(1);
		for (;;)
			(void)kill(-1, SIGSTOP);
	}
	t = clock_mono_ms();
	for (int i = 0; i < 10; i++) {
		int r;

		assert_int_equal(proc_pipe(&p.fd, &w), 0);
		r = proc_spawn(&sp, &pid);
		/* Wherever it stands: what we close is closed. */
		(void)close(w);
		assert_int_equal(poll(&p, 1, 0), 1);
		(void)close(p.fd);
		if (r < 0)
			continue;
		(void)kill(pid, SIGKILL);
		assert_int_equal(proc_wait(pid, &status), 0);
	}
	assert_in_range(clock_mono_ms() - t, 0, 20000);
	(void)kill(enemy, SIGKILL);
	assert_int_equal(proc_wait(enemy, &status), 0);
}

/* A parent of 256 MB that has touched all of it. */
static void
test_big_parent(void **state)
{
	size_t size = (size_t)256 << 20;
	char *big = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const char *argv[] = {"/bin/true", NULL};
	size_t fds = count_fds();
	int status;
	pid_t pid;

	(void)state;
	assert_true(big != MAP_FAILED);
	memset(big, 1, size);
	for (int i = 0; i < 100; i++) {
		struct proc_spawn sp = {.argv = argv};

		assert_int_equal(proc_spawn(&sp, &pid), 0);
		assert_int_equal(proc_wait(pid, &status), 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count_fds(), fds);
	(void)munmap(big, size);
}

/* Exits 0 when every limit is told as an error. */
static void
under_limits(void *arg)
{
	const char *argv[] = {"/bin/true", NULL};
	struct proc_fd fd = {-1, 0};
	struct proc_spawn sp = {.argv = argv, .fds = &fd, .nfds = 1};
	struct rlimit rl;
	int status, r, w;
	pid_t pid;

	(void)arg;
	rl = (struct rlimit){PROC_MAXFD + 1, PROC_MAXFD + 1};
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	if (proc_spawn(&sp, &pid) < 0 || proc_wait(pid, &status) < 0 ||
	    status != 0)
		_exit(1);
	rl.rlim_cur = 8;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	if (proc_spawn(&sp, &pid) == 0 || (errno != EINVAL && errno != EMFILE))
		_exit(2);
	rl.rlim_cur = 0;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	if (proc_pipe(&r, &w) == 0 || errno != EMFILE)
		_exit(3);
	if (geteuid() != 0)
		return;
	rl = (struct rlimit){PROC_MAXFD + 1, PROC_MAXFD + 1};
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	rl = (struct rlimit){0, 0};
	(void)setrlimit(RLIMIT_NPROC, &rl);
	if (proc_drop(STRANGER, STRANGER) < 0)
		_exit(4);
	if (proc_spawn(&sp, &pid) == 0 || errno != EAGAIN)
		_exit(5);
	pid = proc_fork();
	if (pid == 0)
		_exit(0);
	if (pid > 0 || errno != EAGAIN)
		_exit(6);
}

static void
test_limits(void **state)
{
	char text[500];
	int status = unit_child(under_limits, NULL, text, sizeof text);

	(void)state;
	assert_int_equal(status, 0);
}

static void
test_reap(void **state)
{
	char buf[32];
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(proc_reap(&status), -1);
	assert_int_equal(errno, ECHILD);
	pid = proc_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (;;)
			(void)pause();
	}
	assert_int_equal(proc_reap(&status), 0);
	(void)kill(pid, SIGKILL);
	assert_int_equal(proc_wait(pid, &status), 0);
	assert_string_equal(proc_status_text(status, buf, sizeof buf),
	    "signal 9");
	assert_int_equal(proc_wait(pid, &status), -1);
	pid = proc_fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(255);
	while (proc_reap(&status) == 0)
		(void)usleep(1000);
	assert_string_equal(proc_status_text(status, buf, sizeof buf),
	    "exit code 255");
}

static void
exec_missing(void *arg)
{
	const char *argv[] = {"/nonexistent", NULL};

	(void)arg;
	proc_exec(argv, NULL);
	_exit(errno == ENOENT ? 42 : 1);
}

static void
exec_found(void *arg)
{
	const char *argv[] = {"sh", "-c", "echo $MARK >&2; exit 7", NULL};
	const char *envp[] = {"MARK=new", NULL};

	(void)arg;
	proc_exec(argv, envp);
}

static void
test_exec(void **state)
{
	(void)state;
	unit_dies(exec_missing, NULL, 42, "");
	unit_dies(exec_found, NULL, 7, "new\n");
}

static int
setup(void **state)
{
	struct str path = {0};

	(void)state;
	if (mkdtemp(tmp) == NULL || chmod(tmp, 0755) < 0)
		return -1;
	put_file("noexec", "#!/bin/sh\n", 0644);
	put_file("notprogram", "just text", 0755);
	put_file("nointerpreter", "#!/nonexistent/sh\n", 0755);
	put_file("prog-here", "#!/bin/sh\necho ran\n", 0755);
	str_catf(&path, "%s/dir", tmp);
	(void)mkdir(str_c(&path), 0755);
	str_clear(&path);
	str_catf(&path, "%s/first", tmp);
	(void)mkdir(str_c(&path), 0755);
	str_cats(&path, "/prog-here");
	(void)mkdir(str_c(&path), 0755);
	str_free(&path);
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = {"noexec", "notprogram",
	    "nointerpreter", "prog-here", "dir", "first/prog-here", "first",
	    ""};
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		struct str path = {0};

		str_catf(&path, "%s/%s", tmp, names[i]);
		bad |= remove(str_c(&path));
		str_free(&path);
	}
	return bad;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_given_fds),
		cmocka_unit_test(test_swapped_fds),
		cmocka_unit_test(test_all_fds),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_sigchld_ignored),
		cmocka_unit_test(test_dir_env_session),
		cmocka_unit_test(test_failed_starts),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_before),
		cmocka_unit_test(test_path_search),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_proc_drop),
		cmocka_unit_test(test_stopped_by_its_user),
		cmocka_unit_test(test_big_parent),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_reap),
		cmocka_unit_test(test_exec),
	};

	if (argc > 1 && strcmp(argv[1], "report") == 0)
		return report();
	return cmocka_run_group_tests(tests, setup, teardown);
}
