/* fghack - keep a program that goes into the background in the foreground.
 * Runs as:  whoever starts it, between supervise and the program.
 * Trusts:   its arguments; what arrives on the pipe is thrown away.
 * Exits:    as the program did, 111 when it crashed or could not be run. */
#include "supervise/tool.h"

#include "lib/log.h"
#include "lib/proc.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#define COPIES 30       /* write ends: daemons close a few numbers blindly */

static _Noreturn void
child(int w, char **argv)
{
	for (int i = 0; i < COPIES; i++)
		if (dup(w) < 0)         /* a copy survives exec, w does not */
			tool_die(111, "unable to copy descriptor");
	tool_exec(argv, NULL);
}

static int
wait_all(int r, pid_t pid)
{
	char junk[4096];
	ssize_t n;
	int status;

	do
		n = read(r, junk, sizeof junk);
	while (n > 0 || (n < 0 && errno == EINTR));
	if (proc_wait(pid, &status) < 0)
		tool_die(111, "unable to wait for the child");
	if (WIFSIGNALED(status))
		die(111, "child crashed");
	return WEXITSTATUS(status);
}

int
main(int argc, char **argv)
{
	int r, w;
	pid_t pid;

	log_init("fghack");
	if (argc < 2)
		tool_usage(100, "fghack child");
	tool_open_std();
	if (proc_pipe(&r, &w) < 0)
		tool_die(111, "unable to create pipe");
	if ((pid = proc_fork()) < 0)
		tool_die(111, "unable to fork");
	if (pid == 0)
		child(w, argv + 1);
	(void)close(w);
	return wait_all(r, pid);
}
