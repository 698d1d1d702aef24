/* mail/checkpw.c - running a checkpassword program; see checkpw.h.
 *
 * The fields fit into a pipe, so they are written before the program starts:
 * nothing here can wait for it to read.  User and password are a stranger's;
 * the program is the administrator's. */
#include "mail/checkpw.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"

#include <errno.h>
#include <string.h>
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

int
checkpw_pipe(const char *user, size_t nuser, const char *pass, size_t npass,
    const char *stamp)
{
	char buf[CHECKPW_MAX];
	size_t n = nuser > 0 ? add_field(buf, 0, user, nuser) : 0;
	int r = -1, w, e = EINVAL;

	if (n > 0)
		n = npass > 0 ? add_field(buf, n, pass, npass) : 0;
	if (n > 0)
		n = add_field(buf, n, stamp, strlen(stamp));
	if (n > 0) {
		if (proc_pipe(&r, &w) == 0) {
			if (fd_write_all(w, buf, n) < 0) {
				fd_close(r);
				r = -1;
			}
			fd_close(w);
		}
		e = errno;
	}
	explicit_bzero(buf, sizeof buf);
	errno = e;
	return r;
}

enum checkpw_status
checkpw_judge(const char *program, int status)
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
	int fd = checkpw_pipe(user, nuser, pass, npass, stamp);
	int r, status;
	pid_t pid;

	if (fd < 0 && errno == EINVAL)
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
	if (proc_wait_within(pid, ms, &status) < 0) {
		log_sys("unable to wait for %s", argv[0]);
		return CHECKPW_TEMP;
	}
	return checkpw_judge(argv[0], status);
}

enum checkpw_status
checkpw_run(const char *const *argv, const char *user, size_t nuser,
    const char *pass, size_t npass, const char *stamp)
{
	return checkpw_run_within(argv, user, nuser, pass, npass, stamp,
	    CHECKPW_WAIT_MS);
}
