/* valija-check - compare an installation with the tables it was made from.
 * Runs as:  root (others cannot look into the queue).
 * Trusts:   its arguments, the source tree, the account database.  Changes
 *           nothing.
 * Exits:    0 as it should be, 1 differences were printed, 100 misuse, 111
 *           unable to look. */
#include "install/setup.h"
#include "lib/log.h"

#include <getopt.h>
#include <stddef.h>

#define USAGE "valija-check [--source DIR] [--manifest FILE] [--destdir DIR]"

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"source", required_argument, NULL, 's'},
		{"manifest", required_argument, NULL, 'm'},
		{"destdir", required_argument, NULL, 'd'},
		{NULL, 0, NULL, 0},
	};
	struct setup_options o = {.manifest = SETUP_MANIFEST};
	int c;

	log_init("valija-check");
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (c) {
		case 's': o.source = optarg; break;
		case 'm': o.manifest = optarg; break;
		case 'd': o.destdir = optarg; break;
		default: die_usage(USAGE);
		}
	if (optind != argc)
		die_usage(USAGE);
	return setup_check(&o) == 0 ? 0 : 1;
}
