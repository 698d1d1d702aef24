/* valija-setup - install valija, or bring an installation up to date.
 * Runs as:  root; any user below a --destdir.
 * Trusts:   its arguments, the source tree, the account database.  Below HOME
 *           it follows no link that is not root's.
 * Exits:    0 done, 100 misuse, 111 something could not be made. */
#include "install/config.h"
#include "install/setup.h"
#include "lib/log.h"

#include <getopt.h>
#include <stddef.h>

#define USAGE "valija-setup [--source DIR] [--manifest FILE] [--destdir DIR]" \
	" [--host NAME] [--admin USER]\n       valija-setup --enable"

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"source", required_argument, NULL, 's'},
		{"manifest", required_argument, NULL, 'm'},
		{"destdir", required_argument, NULL, 'd'},
		{"host", required_argument, NULL, 'h'},
		{"admin", required_argument, NULL, 'a'},
		{"enable", no_argument, NULL, 'e'},
		{NULL, 0, NULL, 0},
	};
	struct setup_options o = {.source = ".",
	    .manifest = "build/manifest"};
	bool enable = false;
	int c;

	log_init("valija-setup");
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (c) {
		case 's': o.source = optarg; break;
		case 'm': o.manifest = optarg; break;
		case 'd': o.destdir = optarg; break;
		case 'h': o.host = optarg; break;
		case 'a': o.admin = optarg; break;
		case 'e': enable = true; break;
		default: die_usage(USAGE);
		}
	if (optind != argc)
		die_usage(USAGE);
	if (o.host != NULL && !config_host_ok(o.host))
		die(100, "--host %s: not a host name", o.host);
	if (o.admin != NULL && !config_admin_ok(o.admin))
		die(100, "--admin %s: not a user name or address", o.admin);
	if (enable)
		setup_enable(&o);
	else
		setup_install(&o);
	return 0;
}
