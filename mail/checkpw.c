/* mail/checkpw.c - running a checkpassword program; see checkpw.h.
 *
 * The fields fit into a pipe, so they are written before the program starts:
 * nothing here can wait for it to read.  User and password are a stranger's;
 * the program is the administrator's. */
#include "mail/checkpw.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/tai.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the field appends to buf of len bytes; its new length, 0: no room. */
static size_t
add_field(char *buf, size_t len, const char *s, size_t n)
{
	if (n >= CHECKPW_MAX - len || memchr(s, '\0', n) != NULL)
		return 0;
	memcpy(buf + len, s, n);
	buf[len + n] = '\0';
	return len + n + 1;
}

/* A pipe that holds the fields and then ends, or -1; *fit says whether they
 * make a question at all. */
static int
fill_pipe(const char *user, size_t nuser, const char *pass, size_t npass,
    const char *stamp, bool *fit)
{
	char buf[CHECKPW_MAX];
	size_t n = add_field(buf, 0, user, nuser);
	int r = -1, w, e;

	if (n > 0)
		n = add_field(buf, n, pass, npass);
	if (n > 0)
		n = add_field(buf, n, stamp, strlen(stamp));
	*fit = n > 0;
	if (*fit && proc_pipe(&r, &w) == 0) {
		if (fd_write_all(w, buf, n) < 0) {
			fd_close(r);
			r = -1;
		}
		fd_close(w);
	}
	e = errno;
	explicit_bzero(buf, sizeof buf);
	errno = e;
	return r;
}

/* Its wait status, or -1 with errno (ETIMEDOUT: it was killed). */
static int
wait_for(pid_t pid, int64_t ms, int *status)
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
		fd_close(p.fd);
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

static enum checkpw_status
judge(const char *program, int status)
{
	char text[32];

	if (WIFEXITED(status)) {
		if (WEXITSTATUS(status) == 0)
			return CHECKPW_OK;
		if (WEXITSTATUS(status) == 1 || WEXITSTATUS(status) == 3)
			return CHECKPW_WRONG;
	}
	log_warn("%s gave no answer: %s", program,
	    proc_status_text(status, text, sizeof text));
	return CHECKPW_TEMP;
}

enum checkpw_status
checkpw_run_within(const char *const *argv, const char *user, size_t nuser,
    const char *pass, size_t npass, const char *stamp, int64_t ms)
{
	bool fit = nuser > 0;
	int fd = -1, r, status;
	pid_t pid;

	if (fit)
		fd = fill_pipe(user, nuser, pass, npass, stamp, &fit);
	if (!fit)
		return CHECKPW_WRONG;
	if (fd < 0) {
		log_sys("unable to give a password to %s", argv[0]);
		return CHECKPW_TEMP;
	}
	{
		struct proc_fd fds[] = {{-1, 0}, {-1, 1}, {2, 2}, {fd, 3}};
		struct proc_spawn sp = {.argv = argv, .fds = fds,
		    .nfds = sizeof fds / sizeof *fds, .new_session = true};

		r = proc_spawn(&sp, &pid);
	}
	fd_close(fd);
	if (r < 0) {
		log_sys("unable to start %s", argv[0]);
		return CHECKPW_TEMP;
	}
	if (wait_for(pid, ms, &status) < 0) {
		log_sys("unable to wait for %s", argv[0]);
		return CHECKPW_TEMP;
	}
	return judge(argv[0], status);
}

enum checkpw_status
checkpw_run(const char *const *argv, const char *user, size_t nuser,
    const char *pass, size_t npass, const char *stamp)
{
	return checkpw_run_within(argv, user, nuser, pass, npass, stamp,
	    CHECKPW_WAIT_MS);
}
