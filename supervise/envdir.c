/* envdir - run a program with an environment changed by files.
 * Runs as:  whoever starts it, in front of the program of a run script.
 * Trusts:   the directory: whoever writes it decides the environment.
 * Exits:    111 on every trouble, misuse too; else it is the program. */
#include "supervise/envfiles.h"
#include "supervise/tool.h"

#include "lib/log.h"

int
main(int argc, char **argv)
{
	struct toolenv env;

	log_init("envdir");
	if (argc < 3)
		tool_usage(111, "envdir dir child");
	toolenv_init(&env);
	envfiles_load(argv[1], &env);
	tool_exec(argv + 2, env.v);
}
