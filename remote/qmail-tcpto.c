/* qmail-tcpto - print the hosts that did not answer lately.
 * Runs as:  root or group qmail.
 * Trusts:   queue/lock/tcpto only as far as its size.
 * Exits:    0, 100 on misuse, 111. */
#include "lib/io.h"
#include "lib/log.h"
#include "lib/tai.h"
#include "remote/tcpto.h"

int
main(int argc, char **argv)
{
	struct str out = {0};

	(void)argv;
	log_init("qmail-tcpto");
	if (argc > 1)
		die_usage("qmail-tcpto");
	if (tcpto_cat(TCPTO_FILE, clock_wall(), &out) < 0)
		die_sys(111, "unable to read %s", TCPTO_FILE);
	if (fd_write_all(1, str_c(&out), out.len) < 0)
		die_sys(111, "unable to write");
	str_free(&out);
	return 0;
}
