/* datemail - sendmail, with a Date field of the local zone.
 * Runs as:  whoever calls it.
 * Trusts:   its arguments and TZ.
 * Exits:    as sendmail does; 111 unable to run it. */
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/str.h"

int
main(int argc, char **argv)
{
	size_t n = argc > 0 ? (size_t)argc - 1 : 0, i;
	const char **args = mem_alloc(n + 3, sizeof *args);

	log_init("datemail");
	args[0] = HOME_DIR "/bin/predate";
	args[1] = HOME_DIR "/bin/sendmail";
	for (i = 0; i < n; i++)
		args[i + 2] = argv[i + 1];
	proc_exec(args, NULL);
	die_sys(111, "unable to run %s", args[0]);
}
