/* preline - give a program the message with the lines a mailbox would have.
 * Runs as:  a user, from .qmail.
 * Trusts:   its arguments, UFLINE, RPLINE and DTLINE of qmail-local.
 * Exits:    as the program, 100 on misuse, 111 on trouble. */
#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sig.h"
#include "local/helper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A program need not read all: then it is enough. */
static bool
feed(int fd, const char *s, size_t n)
{
	if (fd_write_all(fd, s, n) == 0)
		return true;
	if (errno != EPIPE)
		die_sys(111, "unable to write to the program");
	return false;
}

static void
feed_all(int fd, const char *const *lines, int n)
{
	char buf[8192];
	ssize_t got;

	for (int i = 0; i < n; i++)
		if (!feed(fd, lines[i], strlen(lines[i])))
			return;
	while ((got = read(0, buf, sizeof buf)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			die_sys(111, "unable to read the message");
		if (!feed(fd, buf, (size_t)got))
			return;
	}
}

static int
run(const char *const *argv, const char *const *lines, int n)
{
	int r, w, status;
	char text[32];
	pid_t pid;

	if (proc_pipe(&r, &w) < 0)
		die_sys(111, "unable to make a pipe");
	{
		struct proc_fd fds[] = {{r, 0}, {1, 1}, {2, 2}};
		struct proc_spawn sp = {.argv = argv, .fds = fds,
		    .nfds = sizeof fds / sizeof *fds};

		if (proc_spawn(&sp, &pid) < 0)
			die_sys(111, "unable to run %s", argv[0]);
	}
	(void)close(r);
	feed_all(w, lines, n);
	(void)close(w);
	if (proc_wait(pid, &status) < 0)
		die_sys(111, "unable to wait for %s", argv[0]);
	if (!WIFEXITED(status))
		die(111, "%s crashed: %s", argv[0],
		    proc_status_text(status, text, sizeof text));
	return WEXITSTATUS(status);
}

int
main(int argc, char **argv)
{
	static const char usage[] = "preline [-frd] program [arg ...]";
	const char *lines[3];
	bool uf = true, rp = true, dt = true;
	union {
		char **in;
		const char *const *out;
	} args = {.in = argv};
	int opt, n = 0;

	log_init("preline");
	while ((opt = getopt(argc, argv, "+frdFRD")) != -1)
		switch (opt) {
		case 'f': case 'F':
			uf = opt == 'F';
			break;
		case 'r': case 'R':
			rp = opt == 'R';
			break;
		case 'd': case 'D':
			dt = opt == 'D';
			break;
		default:
			die_usage(usage);
		}
	if (optind >= argc)
		die_usage(usage);
	if (uf)
		lines[n++] = helper_env("UFLINE");
	if (rp)
		lines[n++] = helper_env("RPLINE");
	if (dt)
		lines[n++] = helper_env("DTLINE");
	sig_ignore(SIGPIPE);
	return run(args.out + optind, lines, n);
}
