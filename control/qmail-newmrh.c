/* qmail-newmrh - compile control/morercpthosts to morercpthosts.cdb.
 * Runs as:  root.
 * Trusts:   the file, which is root's.
 * Exits:    0 done, 100 on misuse, 111 on any trouble (the old one stays). */
#include "control/rcpthosts.h"
#include "lib/log.h"

#include <sys/stat.h>

int
main(int argc, char **argv)
{
	const char *failed;

	(void)argv;
	log_init("qmail-newmrh");
	if (argc != 1)
		die_usage("qmail-newmrh");
	(void)umask(022);
	if (rcpthosts_compile(&failed) < 0)
		die_sys(111, "unable to %s in %s", failed, control_dir());
	return 0;
}
