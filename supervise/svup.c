/* svup - is a service up?
 * Runs as:  whoever may look into the supervise directory: root.
 * Trusts:   the service directory it is given.
 * Exits:    0 its process runs, 100 not (and misuse), 111 unknown. */
#include "supervise/status.h"
#include "supervise/tool.h"

#include "lib/log.h"

#include <fcntl.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct status st;

	log_init("svup");
	if (argc < 2)
		tool_usage(100, "svup dir");
	if (chdir(argv[1]) < 0)
		tool_die(111, "unable to chdir to %s", argv[1]);
	switch (status_running(AT_FDCWD)) {
	case STATUS_RUNS:
		break;
	case STATUS_NOT:
	case STATUS_ABSENT:
		return 100;
	case STATUS_ERROR:
		tool_die(111, "unable to open %s/supervise/ok", argv[1]);
	}
	if (status_read(AT_FDCWD, &st) < 0)
		tool_die(111, "unable to read %s/supervise/status", argv[1]);
	return st.pid != 0 ? 0 : 100;
}
