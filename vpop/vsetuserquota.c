/* vsetuserquota - set the quota of an account, or of a domain's accounts.
 * Runs as:  root or vpopmail.
 * Trusts:   settings, users/cdb, the store.
 * Exits:    0, 255 misuse, else 256 - number: vpop.h. */
#include "vpop/moduser.h"

#include <getopt.h>

#define USAGE "vsetuserquota [-v] {address | domain} quota"

int
main(int argc, char **argv)
{
	struct moduser m = {0};
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "v")) != -1) {
		if (c != 'v')
			vcommand_usage(USAGE);
		vcommand_version();
	}
	if (argc - optind != 2)
		vcommand_usage(USAGE);
	m.quota = argv[optind + 1];
	moduser_run(&m, "vsetuserquota", argv[optind]);
	moduser_free(&m);
	return 0;
}
