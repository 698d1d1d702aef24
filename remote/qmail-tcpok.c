/* qmail-tcpok - forget which hosts did not answer.
 * Runs as:  root or qmailr.
 * Trusts:   nothing.
 * Exits:    0, 100 on misuse, 111. */
#include "lib/log.h"
#include "remote/tcpto.h"

int
main(int argc, char **argv)
{
	(void)argv;
	log_init("qmail-tcpok");
	if (argc > 1)
		die_usage("qmail-tcpok");
	if (tcpto_clear(TCPTO_FILE) < 0)
		die_sys(111, "unable to clear %s", TCPTO_FILE);
	return 0;
}
