/* softlimit - run a program with lower soft resource limits.
 * Runs as:  whoever starts it.
 * Trusts:   its arguments.
 * Exits:    100 misuse, 111 a limit refused or the program not runnable. */
#include "supervise/limit.h"
#include "supervise/tool.h"

#include "lib/log.h"

#include <unistd.h>

#define USAGE "softlimit [-a allbytes] [-c corebytes] [-d databytes] "        \
	"[-f filebytes] [-l lockbytes] [-m membytes] [-o openfiles] "         \
	"[-p processes] [-r residentbytes] [-s stackbytes] [-t cpusecs] child"

int
main(int argc, char **argv)
{
	int c;

	log_init("softlimit");
	opterr = 0;
	while ((c = getopt(argc, argv, "+" LIMIT_OPTIONS)) != -1) {
		rlim_t value;

		if (c == '?' || !limit_parse(optarg, &value))
			tool_usage(100, USAGE);
		if (limit_set((char)c, value) < 0)
			tool_die(111, "unable to set resource limit -%c %s",
			    c, optarg);
	}
	if (optind >= argc)
		tool_usage(100, USAGE);
	tool_exec(argv + optind, NULL);
}
