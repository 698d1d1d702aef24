/* lib/proc.c - processes; see proc.h.
 *
 * proc_spawn uses clone(CLONE_VM|CLONE_VFORK): the parent sleeps until the
 * child has executed, so errors come back through shared memory and a spawn
 * costs the same from a large parent as from a small one.  A child that
 * becomes another user could be stopped by that user just before it executes,
 * and the sleep would never end: there the memory is copied, errors come
 * through a pipe, and the wait is bounded.  The child runs on its own stack
 * and calls nothing but system calls before it executes. */
#include "lib/proc.h"

#include "lib/str.h"
#include "lib/tai.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK ((size_t)64 * 1024)
#define DROP_WAIT 100           /* ms for a child that became somebody else */

struct start {
	const struct proc_spawn *spec;
	char *const *argv;
	char *const *envp;
	const char *path;
	int report;                     /* pipe for errno, -1: shared memory */
	int error;
};

/* exec wants char *const *; the strings are not changed. */
static char *const *
vec(const char *const *v)
{
	union {
		const char *const *in;
		char *const *out;
	} u = {.in = v};

	return u.out;
}

/* No handler survives into a child; what the caller ignores stays ignored,
 * as across any exec, but for two: a program must not be born deaf to a closed
 * pipe, nor unable to wait for its own children. */
PROC_IN_CHILD static void
default_signals(void)
{
	struct sigaction sa, old;

	memset(&sa, 0, sizeof sa);
	sa.sa_handler = SIG_DFL;
	for (int s = 1; s < NSIG; s++)
		if (s != SIGKILL && s != SIGSTOP &&
		    sigaction(s, NULL, &old) == 0 &&
		    old.sa_handler != SIG_IGN && old.sa_handler != SIG_DFL)
			(void)sigaction(s, &sa, NULL);
	(void)sigaction(SIGPIPE, &sa, NULL);
	(void)sigaction(SIGCHLD, &sa, NULL);
}

/* Two passes, because a target number may be the source of another. */
PROC_IN_CHILD static int
place_fds(const struct proc_fd *fds, size_t n, int report)
{
	int high[PROC_MAXFD];
	bool given[PROC_MAXFD] = {true, true, true};
	int top = 2;

	for (size_t i = 0; i < n; i++) {
		int from = fds[i].from;

		if (from < 0)
			from = open("/dev/null", O_RDWR | O_CLOEXEC);
		high[i] = from < 0 ? -1 :
		    fcntl(from, F_DUPFD_CLOEXEC, PROC_MAXFD);
		if (high[i] < 0)
			return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (dup2(high[i], fds[i].to) < 0)
			return -1;
		given[fds[i].to] = true;
		if (fds[i].to > top)
			top = fds[i].to;
	}
	for (int fd = 3; fd < top; fd++)
		if (!given[fd])
			(void)close(fd);
	/* Whatever else is open goes at exec; CLOEXEC is Linux 5.11. */
	if (report < 0)
		return (int)syscall(SYS_close_range, (unsigned)top + 1, ~0U,
		    CLOSE_RANGE_CLOEXEC);
	/* Or at once: a child that its new user stops before it executes
	 * must not hold open what the parent closes. */
	if (report > top + 1 && syscall(SYS_close_range, (unsigned)top + 1,
	    (unsigned)report - 1, 0) < 0)
		return -1;
	return (int)syscall(SYS_close_range, (unsigned)report + 1, ~0U, 0);
}

PROC_IN_CHILD static int
drop_raw(uid_t uid, gid_t gid)
{
	/* Raw calls: glibc's wrappers reach for other threads, and this may
	 * run on shared memory. */
	if (syscall(SYS_setgroups, 1, &gid) < 0 ||
	    syscall(SYS_setresgid, gid, gid, gid) < 0 ||
	    syscall(SYS_setresuid, uid, uid, uid) < 0)
		return -1;
	if (uid != 0 && syscall(SYS_setuid, 0) == 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

PROC_IN_CHILD _Noreturn static void
child_fail(struct start *st)
{
	st->error = errno;
	if (st->report >= 0 &&
	    write(st->report, &st->error, sizeof st->error) < 0)
		_exit(111);     /* the parent waited long enough */
	_exit(111);
}

PROC_IN_CHILD static int
child(void *arg)
{
	struct start *st = arg;
	const struct proc_spawn *sp = st->spec;
	sigset_t none;

	if (sp->before != NULL)
		sp->before(sp->before_arg);
	default_signals();
	if (sp->new_session)
		(void)setsid();
	if (st->report >= 0) {
		int fd = fcntl(st->report, F_DUPFD_CLOEXEC, PROC_MAXFD);

		if (fd < 0)
			child_fail(st);
		st->report = fd;
	}
	if (place_fds(sp->fds, sp->nfds, st->report) < 0 ||
	    (sp->drop && drop_raw(sp->uid, sp->gid) < 0) ||
	    (sp->dir != NULL && chdir(sp->dir) < 0))
		child_fail(st);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execve(st->path, st->argv, st->envp);
	child_fail(st);
}

/* Where execvp would find it: the first executable in PATH. */
static int
find_program(const char *name, struct str *out)
{
	const char *path = getenv("PATH");
	struct stat sb;
	int err = ENOENT;

	if (strchr(name, '/') != NULL) {
		str_copys(out, name);
		return 0;
	}
	if (path == NULL)
		path = "/bin:/usr/bin";
	for (;;) {
		size_t n = strcspn(path, ":");

		str_copyb(out, path, n);
		str_cats(out, n ? "/" : "./");
		str_cats(out, name);
		if (access(str_c(out), X_OK) == 0 &&
		    stat(str_c(out), &sb) == 0) {
			if (S_ISREG(sb.st_mode))
				return 0;
			errno = EACCES;
		}
		if (errno == EACCES)
			err = EACCES;
		if (path[n] == '\0')
			break;
		path += n + 1;
	}
	errno = err;
	return -1;
}

/* What the child says on its pipe: 0 when the pipe closes in silence, which
 * is what exec does, and when the wait ends. */
static int
hear_report(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int error = 0, r;

	do
		r = poll(&p, 1, DROP_WAIT);
	while (r < 0 && errno == EINTR);
	if (r > 0 && read(fd, &error, sizeof error) !=
	    (ssize_t)sizeof error)
		error = 0;
	return error;
}

/* Starts the child described; st->error says how it went. */
static pid_t
launch(struct start *st)
{
	sigset_t all, mask;
	int hear = -1;
	char *stack;
	pid_t pid;

	st->report = -1;
	stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED) {
		st->error = errno;
		return -1;
	}
	if (st->spec->drop && proc_pipe(&hear, &st->report) < 0) {
		st->error = errno;
		(void)munmap(stack, STACK);
		return -1;
	}
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &mask);
	pid = clone(child, stack + STACK, SIGCHLD |
	    (st->spec->drop ? 0 : CLONE_VM | CLONE_VFORK), st);
	if (pid < 0)
		st->error = errno;
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	(void)munmap(stack, STACK);
	if (st->spec->drop) {
		(void)close(st->report);
		if (pid > 0)
			st->error = hear_report(hear);
		(void)close(hear);
	}
	return pid;
}

int
proc_spawn(const struct proc_spawn *sp, pid_t *pid_out)
{
	struct start st = {.spec = sp, .argv = vec(sp->argv),
	    .envp = sp->envp ? vec(sp->envp) : environ};
	struct str found = {0};
	int status;
	pid_t pid;

	if (sp->nfds > PROC_MAXFD) {
		errno = EINVAL;
		return -1;
	}
	for (size_t i = 0; i < sp->nfds; i++)
		if (sp->fds[i].to < 0 || sp->fds[i].to >= PROC_MAXFD) {
			errno = EBADF;
			return -1;
		}
	st.path = sp->path;
	if (st.path == NULL) {
		if (find_program(sp->argv[0], &found) < 0) {
			str_free(&found);
			return -1;
		}
		st.path = str_c(&found);
	}
	pid = launch(&st);
	str_free(&found);
	if (st.error != 0) {
		if (pid > 0)
			(void)!proc_wait(pid, &status);
		errno = st.error;
		return -1;
	}
	*pid_out = pid;
	return 0;
}

pid_t
proc_fork(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t none;

		default_signals();
		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
	}
	return pid;
}

void
proc_exec(const char *const *argv, const char *const *envp)
{
	(void)execvpe(argv[0], vec(argv), envp ? vec(envp) : environ);
}

int
proc_wait(pid_t pid, int *status)
{
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

int
proc_wait_within(pid_t pid, int64_t ms, int *status)
{
	int64_t until = clock_mono_ms() + ms, left;
	struct pollfd p = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	int r = -1;

	while (p.fd >= 0 && r <= 0) {
		left = until - clock_mono_ms();
		if (left < 0)
			left = 0;
		r = poll(&p, 1, (int)left);
		if ((r < 0 && errno != EINTR) || (r == 0 && left == 0))
			break;
	}
	if (p.fd >= 0)
		(void)close(p.fd);
	/* Not knowing how long it takes is as bad as its taking too long. */
	if (r <= 0) {
		(void)kill(-pid, SIGKILL);
		(void)kill(pid, SIGKILL);
	}
	if (proc_wait(pid, status) < 0)
		return -1;
	if (r <= 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	return 0;
}

pid_t
proc_reap(int *status)
{
	pid_t r;

	do
		r = waitpid(-1, status, WNOHANG);
	while (r < 0 && errno == EINTR);
	return r;
}

const char *
proc_status_text(int status, char *buf, size_t n)
{
	if (WIFSIGNALED(status))
		(void)snprintf(buf, n, "signal %d", WTERMSIG(status));
	else
		(void)snprintf(buf, n, "exit code %d", WEXITSTATUS(status));
	return buf;
}

int
proc_pipe(int *r_out, int *w_out)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -1;
	*r_out = fd[0];
	*w_out = fd[1];
	return 0;
}

int
proc_drop(uid_t uid, gid_t gid)
{
	if (setgroups(1, &gid) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return -1;
	if (uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}
