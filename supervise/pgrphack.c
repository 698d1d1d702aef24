/* pgrphack - run a program in a session and process group of its own.
 * Runs as:  whoever starts it.
 * Trusts:   its arguments.
 * Exits:    100 misuse, 111 when the program cannot be run. */
#include "supervise/tool.h"

#include "lib/log.h"

#include <unistd.h>

int
main(int argc, char **argv)
{
	log_init("pgrphack");
	if (argc < 2)
		tool_usage(100, "pgrphack child");
	(void)setsid();         /* fails only for who leads a group already */
	tool_exec(argv + 1, NULL);
}
