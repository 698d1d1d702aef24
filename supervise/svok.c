/* svok - is supervise running in a directory?
 * Runs as:  whoever may look into the supervise directory: root.
 * Trusts:   the service directory it is given.
 * Exits:    0 yes, 100 no (and misuse), 111 it could not be found out. */
#include "supervise/status.h"
#include "supervise/tool.h"

#include "lib/log.h"

#include <fcntl.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	log_init("svok");
	if (argc < 2)
		tool_usage(100, "svok dir");
	if (chdir(argv[1]) < 0)
		tool_die(111, "unable to chdir to %s", argv[1]);
	switch (status_running(AT_FDCWD)) {
	case STATUS_RUNS:
		return 0;
	case STATUS_NOT:
	case STATUS_ABSENT:
		return 100;
	case STATUS_ERROR:
		break;
	}
	tool_die(111, "unable to open %s/supervise/ok", argv[1]);
}
