/* vkill - refuse to kill processes by their name.
 * Runs as:  anybody.
 * Trusts:   nothing; it does nothing.
 * Exits:    100. */
#include "lib/log.h"

int
main(void)
{
	log_init("vkill");
	die(100, "processes are not killed by name here, for that ends "
	    "others' too: services are ended by svc -d /service/NAME");
}
