/* supervise - start a service, restart it when it ends, take commands.
 * Runs as:  root, one process per service, under svscan.
 * Trusts:   the service directory: ./run runs as this user.
 * Exits:    0 after `svc -x', 100 misuse, 111 when it cannot start. */
#include "supervise/superv.h"
#include "supervise/tool.h"

#include "lib/log.h"
#include "lib/sig.h"

#include <signal.h>

int
main(int argc, char **argv)
{
	struct superv s;

	log_init("supervise");
	if (argc != 2)
		tool_usage(100, "supervise dir");
	tool_open_std();
	sig_ignore(SIGPIPE);    /* a lost log must not end it; ./run has it */
	superv_open(&s, argv[1]);
	superv_run(&s);
	return 0;
}
