/* inject/prefix.c - see prefix.h. */
#include "inject/prefix.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sig.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* 0, or -1 with errno when our own input could not be read. */
static int
feed(int fd, const struct str *text)
{
	char buf[IO_BUF];
	ssize_t n;

	if (fd_write_all(fd, str_c(text), text->len) == -1)
		return errno == EPIPE ? 0 : -1;
	while ((n = read(STDIN_FILENO, buf, sizeof buf)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (fd_write_all(fd, buf, (size_t)n) == -1)
			return errno == EPIPE ? 0 : -1;
	}
	return 0;
}

int
prefix_run(const char *const *argv, const struct str *text)
{
	int r, w, status, fed, e;
	pid_t pid;

	sig_ignore(SIGPIPE);            /* EPIPE says it as well */
	if (proc_pipe(&r, &w) == -1) {
		log_sys("unable to make a pipe");
		return 111;
	}
	struct proc_fd fds[] = {{r, 0}, {1, 1}, {2, 2}};
	struct proc_spawn sp = {.argv = argv, .fds = fds, .nfds = 3};

	if (proc_spawn(&sp, &pid) == -1) {
		log_sys("unable to run %s", argv[0]);
		return 111;
	}
	(void)close(r);
	fed = feed(w, text);
	e = errno;
	if (fed == -1) {
		/* An unfinished message must not be taken for a whole one. */
		(void)kill(pid, SIGTERM);
		errno = e;
		log_sys("unable to copy the input to %s", argv[0]);
	}
	(void)close(w);
	if (proc_wait(pid, &status) == -1 || fed == -1)
		return 111;
	if (!WIFEXITED(status)) {
		char why[32];

		log_warn("%s ended by %s", argv[0],
		    proc_status_text(status, why, sizeof why));
		return 111;
	}
	return WEXITSTATUS(status);
}
