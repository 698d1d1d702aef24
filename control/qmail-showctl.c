/* qmail-showctl - print every setting.
 * Runs as:  anybody who may read control/.
 * Trusts:   control/, the account database.  Changes nothing.
 * Exits:    0, 100 misuse, 111 something could not be read. */
#include "control/showctl.h"
#include "lib/io.h"
#include "lib/log.h"
#include "mail/limits.h"

int
main(int argc, char **argv)
{
	struct str out = {0};
	int r;

	(void)argv;
	log_init("qmail-showctl");
	if (argc != 1)
		die_usage("qmail-showctl");
	str_catf(&out, "home: %s\nqueue split: %d\n", HOME_DIR, QUEUE_SPLIT);
	showctl_cat_accounts(&out);
	r = showctl_cat_control(&out, HOME_DIR "/control");
	if (fd_write_all(1, str_c(&out), out.len) < 0)
		die_sys(111, "unable to write to standard output");
	str_free(&out);
	return r == 0 ? 0 : 111;
}
