/* vmoduser - change accounts: flags, quota, comment, hash, directory.
 * Runs as:  root or vpopmail.
 * Trusts:   settings, users/cdb, the store.
 * Exits:    0, 255 misuse, else 256 - number: vpop.h. */
#include "vpop/moduser.h"
#include "vpop/vflags.h"

#include <getopt.h>

#define FLAG_LETTERS "dpswiboraSEfFmu0123"
#define USAGE "vmoduser [-v] [-n] [-q quota] [-c comment] [-e hash] "         \
	"[-C clear]\n\t[-D dir] [-x] [-X letters] [-" FLAG_LETTERS "]\n"      \
	"\t{address | domain}"

static void
take_letters(struct moduser *g, const char *letters)
{
	for (; *letters != '\0'; letters++) {
		uint32_t bit = vflags_of_user(*letters);

		if (bit == 0)
			vcommand_usage(USAGE);
		g->unset |= bit;
	}
}

static void
read_options(int argc, char **argv, struct moduser *g)
{
	bool any = false;
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "vnq:c:e:C:D:xX:" FLAG_LETTERS)) !=
	    -1) {
		any = any || (c != 'v' && c != 'n');
		switch (c) {
		case 'v':
			vcommand_version();
			break;
		case 'n':       /* both files are always written together */
			break;
		case 'q':
			g->quota = optarg;
			break;
		case 'c':
			g->comment = optarg;
			break;
		case 'e':
			vcommand_take_password(optarg, &g->hash);
			g->have_hash = true;
			break;
		case 'C':
			vcommand_take_password(optarg, &g->clear);
			g->have_clear = true;
			break;
		case 'D':
			g->dir = optarg;
			break;
		case 'x':
			g->unset = UINT32_MAX;
			break;
		case 'X':
			take_letters(g, optarg);
			break;
		case '?':
			vcommand_usage(USAGE);
		default:
			g->set |= vflags_of_user((char)c);
		}
	}
	/* -x comes before the letters, whatever their order */
	if (!any || argc - optind != 1 ||
	    (g->unset != UINT32_MAX && (g->set & g->unset)))
		vcommand_usage(USAGE);
}

int
main(int argc, char **argv)
{
	struct moduser g = {0};

	read_options(argc, argv, &g);
	moduser_run(&g, "vmoduser", argv[optind]);
	moduser_free(&g);
	return 0;
}
