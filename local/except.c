/* except - turn a program's yes into no: fails for good when it succeeds.
 * Runs as:  a user, from .qmail.
 * Trusts:   its arguments.
 * Exits:    100 when the program exits 0, 111 when it exits 111 or cannot
 *           run, else 0. */
#include "lib/log.h"
#include "local/helper.h"

int
main(int argc, char **argv)
{
	union {
		char **in;
		const char *const *out;
	} args = {.in = argv};

	log_init("except");
	if (argc < 2)
		die_usage("except program [arg ...]");
	switch (helper_run(args.out + 1)) {
	case 0:
		return 100;
	case 111:
		return 111;
	default:
		return 0;
	}
}
