/* predate - run a program on a message with a Date field of the local zone.
 * Runs as:  whoever calls it.
 * Trusts:   its arguments and TZ.
 * Exits:    as the program does; 100 misuse, 111 unable to run it. */
#include "inject/prefix.h"
#include "lib/log.h"
#include "lib/tai.h"
#include "mail/date.h"

int
main(int argc, char **argv)
{
	struct str date = {0};
	int code;

	log_init("predate");
	if (argc < 2)
		die_usage("predate program [argument ...]");
	str_cats(&date, "Date: ");
	date822_cat_local(&date, clock_wall());
	str_catc(&date, '\n');
	code = prefix_run((const char *const *)argv + 1, &date);
	str_free(&date);
	return code;
}
