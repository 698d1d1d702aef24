/* maildirmake - make a Maildir.
 * Runs as:  whoever owns it afterwards.
 * Trusts:   its argument.
 * Exits:    0 made, 100 on misuse, 111 (one that is there already included). */
#include "lib/log.h"
#include "mail/maildir.h"

#include <sys/stat.h>

int
main(int argc, char **argv)
{
	log_init("maildirmake");
	if (argc != 2)
		die_usage("maildirmake directory");
	(void)umask(077);
	if (maildir_make(argv[1]) < 0)
		die_sys(111, "unable to make %s", argv[1]);
	return 0;
}
