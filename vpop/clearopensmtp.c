/* clearopensmtp - forget who could relay because he had read his mail, and
 * compile the rules of tcpserver anew: for sites that still have this.
 * Runs as:  root or vpopmail.
 * Trusts:   settings, VPOPMAIL/etc, the database.
 * Exits:    0, 255 misuse, else 256 - number: vpop.h. */
#include "vpop/command.h"
#include "vpop/opensmtp.h"

#include <getopt.h>

#define USAGE "clearopensmtp [-v] [-m minutes]"
#define MINUTES 180             /* as vpopmail was built */
#define MINUTES_MAX (366u * 24 * 60)

int
main(int argc, char **argv)
{
	struct vcommand c;
	struct opensmtp o = {0};
	struct str why = {0};
	uint64_t minutes = MINUTES;
	size_t n;
	int opt;

	opterr = 0;
	while ((opt = getopt(argc, argv, "vm:")) != -1)
		switch (opt) {
		case 'v': vcommand_version(); break;
		case 'm':
			n = scan_u64(optarg, &minutes);
			if (n == 0 || optarg[n] != '\0' ||
			    minutes > MINUTES_MAX)
				vcommand_usage(USAGE);
			break;
		default: vcommand_usage(USAGE);
		}
	if (optind != argc)
		vcommand_usage(USAGE);
	vcommand_begin(&c, "clearopensmtp");
	if (opensmtp_clear(&o, &c, minutes * 60, &why) < 0)
		vcommand_fail(VPOP_CANNOT_UPDATE, "%s", str_c(&why));
	str_free(&why);
	vcommand_end(&c);
	return 0;
}
