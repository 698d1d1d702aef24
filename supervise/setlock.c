/* setlock - run a program with a file locked.
 * Runs as:  whoever starts it.  The program inherits the locked descriptor;
 *           the lock ends when its last holder closes it.
 * Trusts:   its arguments.
 * Exits:    100 misuse, 111 no lock (0 with -x), else it is the program. */
#include "supervise/tool.h"

#include "lib/fs.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define USAGE "setlock [ -nNxX ] file program [ arg ... ]"

int
main(int argc, char **argv)
{
	bool wait = true, quiet = false;
	const char *file;
	int c, fd;

	log_init("setlock");
	opterr = 0;
	while ((c = getopt(argc, argv, "+nNxX")) != -1) {
		switch (c) {
		case 'n':
			wait = false;
			break;
		case 'N':
			wait = true;
			break;
		case 'x':
			quiet = true;
			break;
		case 'X':
			quiet = false;
			break;
		default:
			tool_usage(100, USAGE);
		}
	}
	if (argc - optind < 2)
		tool_usage(100, USAGE);
	file = argv[optind];
	fd = fs_lock(file, 0600, wait);
	if (fd < 0 || fcntl(fd, F_SETFD, 0) < 0) {
		if (quiet)
			return 0;
		tool_die(111, "unable to %s %s",
		    errno == EWOULDBLOCK ? "lock" : "open", file);
	}
	tool_exec(argv + optind + 1, NULL);
}
