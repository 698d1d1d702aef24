/* vdeluser - remove an account and its mail.
 * Runs as:  root or vpopmail; what touches the tree as the domain's owner.
 * Trusts:   settings, users/cdb, the store.  Not: its argument.
 * Exits:    0, 255 misuse, else 256 - number: vpop.h. */
#include "vpop/manage.h"

#include <getopt.h>

#define USAGE "vdeluser [-v] address"

int
main(int argc, char **argv)
{
	struct vcommand c;
	struct vdomain d = {0};
	struct str user = {0}, why = {0};
	enum vpop_error e;
	int o;

	while ((o = getopt(argc, argv, "v")) != -1) {
		if (o != 'v')
			vcommand_usage(USAGE);
		vcommand_version();
	}
	if (argc - optind != 1)
		vcommand_usage(USAGE);
	vcommand_begin(&c, "vdeluser");
	vcommand_address(&c, argv[optind], &user, &d);
	if ((e = vmanage_user_del(&c, &d, str_c(&user), &why)) != VPOP_OK)
		vcommand_fail(e, "%s", str_c(&why));
	vdomain_free(&d);
	str_free(&user);
	str_free(&why);
	vcommand_end(&c);
	return 0;
}
