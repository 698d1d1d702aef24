/* argv0 - run a program under another name.
 * Runs as:  whoever starts it.
 * Trusts:   its arguments.
 * Exits:    100 misuse, 111 when the program cannot be run. */
#include "supervise/tool.h"

#include "lib/log.h"

#include <unistd.h>

int
main(int argc, char **argv)
{
	log_init("argv0");
	if (argc < 3)
		tool_usage(100, "argv0 realname program [ arg ... ]");
	(void)execvp(argv[1], argv + 2);
	tool_die(111, "unable to run %s", argv[1]);
}
