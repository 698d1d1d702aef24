/* svscan - keep a supervise running for every service directory.
 * Runs as:  root, from systemd, init, a shell, or as process 1.
 * Trusts:   the service directory: what is in it runs as this user.
 * Exits:    0 when TERM or INT has stopped everything, 111 when it cannot
 *           start. */
#include "supervise/scan.h"
#include "supervise/tool.h"

#include "lib/log.h"
#include "lib/sig.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct scan s;

	log_init("svscan");
	tool_open_std();
	sig_ignore(SIGPIPE);
	if (argc > 1 && chdir(argv[1]) < 0)
		tool_die(111, "unable to chdir to %s", argv[1]);
	scan_open(&s);
	scan_run(&s);
	free(s.slots);
	return 0;
}
