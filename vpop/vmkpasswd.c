/* vmkpasswd - make a domain's vpasswd.cdb of its vpasswd.
 * Runs as:  root or vpopmail.
 * Trusts:   settings, users/cdb, the store.
 * Exits:    0, 255 misuse, else 256 - number: vpop.h. */
#include "mail/authproto.h"
#include "vpop/command.h"

#include <getopt.h>

int
main(int argc, char **argv)
{
	struct vcommand cmd;
	struct vdomain d = {0};
	struct vdomain_ref ref;
	enum vstore_status st;
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "v")) != -1) {
		if (c != 'v')
			vcommand_usage("vmkpasswd [-v] domain");
		vcommand_version();
	}
	if (argc - optind != 1)
		vcommand_usage("vmkpasswd [-v] domain");
	vcommand_begin(&cmd, "vmkpasswd");
	vcommand_domain(argv[optind], &d);
	ref = vdomain_ref_peek(&d);
	st = vstore_domain_index(cmd.store, &ref);
	if (st != VSTORE_OK && st != VSTORE_EXISTS)
		vcommand_fail_store(&cmd, st, VPOP_NO_DOMAIN, VPOP_NO_DOMAIN,
		    ref.name);
	if (st == VSTORE_OK)
		auth_changed(AUTHPROTO_SOCKET, ref.name, "");
	vdomain_free(&d);
	vcommand_end(&cmd);
	return 0;
}
