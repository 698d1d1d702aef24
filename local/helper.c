/* local/helper.c - shared by forward, condredirect, bouncesaying, except; see
 * helper.h. */
#include "local/helper.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "mail/qx.h"
#include "mail/relay.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

const char *
helper_env(const char *name)
{
	const char *v = getenv(name);

	if (v == NULL)
		die(100, "unable to go on: %s is not set", name);
	return v;
}

int
helper_run(const char *const *argv)
{
	struct proc_fd fds[] = {{0, 0}, {1, 1}, {2, 2}};
	struct proc_spawn sp = {.argv = argv, .fds = fds,
	    .nfds = sizeof fds / sizeof *fds};
	char text[32];
	pid_t pid;
	int status;

	if (proc_spawn(&sp, &pid) < 0)
		die_sys(111, "unable to run %s", argv[0]);
	if (proc_wait(pid, &status) < 0)
		die_sys(111, "unable to wait for %s", argv[0]);
	if (!WIFEXITED(status))
		die(111, "%s crashed: %s", argv[0],
		    proc_status_text(status, text, sizeof text));
	return WEXITSTATUS(status);
}

void
helper_rewind(void)
{
	if (lseek(0, 0, SEEK_SET) < 0)
		die_sys(111, "unable to rewind the message");
}

void
helper_forward(const char *sender, const char *const *rcpts, unsigned n)
{
	struct str why = {0};
	uint64_t qp;
	int qx = relay_message(0, helper_env("DTLINE"), sender, rcpts, n, &qp,
	    &why);

	if (qx != 0)
		die(qx_permanent(qx) ? 100 : 111, "unable to forward: %s",
		    str_c(&why));
	str_clear(&why);
	str_catf(&why, "qp %llu\n", (unsigned long long)qp);
	if (fd_write_all(1, str_c(&why), why.len) < 0)
		log_sys("unable to write");
	str_free(&why);
}
