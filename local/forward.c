/* forward - send the message on to other addresses.
 * Runs as:  a user, from .qmail.
 * Trusts:   its arguments, NEWSENDER and DTLINE of qmail-local.
 * Exits:    0 queued, 100, 111. */
#include "lib/log.h"
#include "lib/sig.h"
#include "lib/str.h"
#include "local/helper.h"

#include <signal.h>

int
main(int argc, char **argv)
{
	const char **rcpts;
	unsigned n = 0;

	log_init("forward");
	if (argc < 2)
		die_usage("forward address ...");
	sig_ignore(SIGPIPE);
	rcpts = mem_alloc((size_t)argc, sizeof *rcpts);
	for (int i = 1; i < argc; i++)
		rcpts[n++] = argv[i];
	helper_forward(helper_env("NEWSENDER"), rcpts, n);
	return 0;
}
