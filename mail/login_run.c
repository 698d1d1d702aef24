/* mail/login_run.c - running the checkpassword program for a login, and what
 * its end means; see login.h.
 *
 * The program is the administrator's and trusted, and what it runs is the
 * user's.  They share descriptor 4, on which the latter may say one byte and
 * can say nothing else. */
#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/tai.h"
#include "mail/login_private.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_FIRST 3              /* the three fields */
#define FD_TAKEN 4              /* for login_taken */

/* Starts argv with the fields as 3 and a pipe as 4, whose end is *taken_out. */
static pid_t
start_program(const struct login_config *cfg, const char *tag, int fields,
    int *taken_out)
{
	struct proc_fd fds[] = {{fields, FD_FIRST}, {-1, FD_TAKEN}};
	struct proc_spawn sp = {.argv = cfg->argv, .fds = fds,
	    .nfds = sizeof fds / sizeof *fds, .new_session = true};
	char number[8];
	pid_t pid = -1;
	int r;

	if (proc_pipe(taken_out, &fds[1].from) < 0)
		return -1;
	(void)snprintf(number, sizeof number, "%d", FD_TAKEN);
	r = setenv(LOGIN_FD_ENV, number, 1);
	if (r == 0)
		r = *tag != '\0' ? setenv(LOGIN_TAG_ENV, tag, 1) :
		    unsetenv(LOGIN_TAG_ENV);
	if (r == 0)
		r = proc_spawn(&sp, &pid);
	fd_close(fds[1].from);
	if (r < 0) {
		fd_close(*taken_out);
		return -1;
	}
	return pid;
}

/* Did it become somebody else?  Then a password was right, and what runs is a
 * program that does not know of login_taken.  Who cannot become anybody is not
 * interrupted. */
static bool
is_other_user(pid_t pid)
{
	char path[32];
	struct stat st;

	if (geteuid() != 0)
		return true;
	(void)snprintf(path, sizeof path, "/proc/%ld", (long)pid);
	return stat(path, &st) == 0 && st.st_uid != 0;
}

enum program_end {
	TAKEN,                          /* the byte came; it runs on */
	ENDED,
	KILLED,                         /* it did not answer in time */
};

/* Waits for the byte or the end; without a limit once it is the user's own
 * program that runs. */
static enum program_end
wait_program(pid_t pid, int taken, int ms)
{
	int64_t until = clock_mono_ms() + ms, left;
	struct pollfd p[2] = {{.fd = pidfd_open(pid, 0), .events = POLLIN},
	    {.fd = taken, .events = POLLIN}};
	enum program_end end = ENDED;
	char c;

	while (end != TAKEN && p[0].revents == 0) {
		left = until - clock_mono_ms();
		if (left <= 0 && end == ENDED && !is_other_user(pid)) {
			(void)kill(-pid, SIGKILL);
			(void)kill(pid, SIGKILL);
			end = KILLED;
		}
		if (poll(p, 2, left > 0 ? (int)left : -1) <= 0)
			continue;
		if (p[1].revents != 0) {
			if (read(taken, &c, 1) == 1)
				end = TAKEN;
			/* It closed it unused. */
			p[1].fd = -1;
			if (p[0].fd < 0)
				break;
		}
	}
	if (p[0].fd >= 0)
		fd_close(p[0].fd);
	return end;
}

enum login_ran
login_run(const struct login_config *cfg, const char *tag, int fields)
{
	const char *name = cfg->argv[0];
	enum program_end end;
	int taken, status = 0;
	bool was_user;
	pid_t pid = start_program(cfg, tag, fields, &taken);

	fd_close(fields);
	if (pid < 0) {
		log_sys("unable to start %s", name);
		return LOGIN_SAYS_NOTHING;
	}
	end = wait_program(pid, taken, cfg->check_ms);
	fd_close(taken);
	/* As long as it is not waited for the kernel knows whose it was. */
	was_user = end == TAKEN || is_other_user(pid);
	if (end == TAKEN) {
		/* Nothing of the user's stays with us. */
		(void)close(STDIN_FILENO);
		(void)close(STDOUT_FILENO);
	}
	if (proc_wait(pid, &status) < 0)
		log_sys("unable to wait for %s", name);
	if (end == TAKEN ||
	    (end == ENDED && was_user && WIFSIGNALED(status)))
		return LOGIN_HAD_IT;
	switch (checkpw_judge(name, status)) {
	case CHECKPW_OK:
		return LOGIN_HAD_IT;
	case CHECKPW_WRONG:
		return LOGIN_SAYS_WRONG;
	case CHECKPW_TEMP:
		break;
	}
	return LOGIN_SAYS_NOTHING;
}

void
login_taken(void)
{
	const char *s = getenv(LOGIN_FD_ENV);
	uint64_t fd;
	size_t n = s != NULL ? scan_u64(s, &fd) : 0;

	if (n > 0 && s[n] == '\0' && fd >= FD_FIRST && fd < 1024) {
		if (write((int)fd, "", 1) < 0)
			log_sys("unable to tell that I have the connection");
		(void)close((int)fd);
	}
	(void)unsetenv(LOGIN_FD_ENV);
}
