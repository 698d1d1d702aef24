/* multilog - lines from fd 0 into automatically rotated logs.
 * Runs as:  the logging user of a service, under supervise.
 * Trusts:   its arguments and its log directories; never the lines.
 * Exits:    0 at the end of input or after TERM, 111 when it cannot start or
 *           read, 100 for a script that means nothing. */
#include "supervise/logger.h"
#include "supervise/tool.h"

#include "lib/log.h"
#include "lib/sig.h"

#include <signal.h>
#include <sys/stat.h>

int
main(int argc, char **argv)
{
	struct logger l;
	int code;

	log_init("multilog");
	tool_open_std();
	sig_ignore(SIGPIPE);
	(void)umask(022);
	logger_open(&l, argv + (argc > 0));
	code = logger_run(&l, 0);
	logger_close(&l);
	return code;
}
