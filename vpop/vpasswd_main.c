/* vpop/vpasswd_main.c - vpasswd: change the password of an account.
 * Runs as:  root or vpopmail.
 * Trusts:   settings, users/cdb, the store.
 * Exits:    0, 255 misuse or refused, else 256 - number: vpop.h. */
#include "vpop/manage.h"
#include "vpop/password.h"
#include "vpop/vflags.h"

#include <getopt.h>
#include <unistd.h>

#define USAGE "vpasswd [-v] [-f] [-r[length]] address [password]"
#define RANDOM_LENGTH 12
#define RANDOM_MAX 128

struct options {
	bool force;
	size_t random;          /* length; 0: none */
};

static void
read_options(int argc, char **argv, struct options *o)
{
	uint64_t n;
	size_t used;
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "vfr::")) != -1)
		switch (c) {
		case 'v':
			vcommand_version();
			break;
		case 'f':
			o->force = true;
			break;
		case 'r':
			o->random = RANDOM_LENGTH;
			if (optarg == NULL)
				break;
			used = scan_u64(optarg, &n);
			if (used == 0 || optarg[used] != '\0' || n < 1 ||
			    n > RANDOM_MAX)
				vcommand_usage(USAGE);
			o->random = (size_t)n;
			break;
		default:
			vcommand_usage(USAGE);
		}
	if (argc - optind < 1 || argc - optind > (o->random > 0 ? 1 : 2))
		vcommand_usage(USAGE);
}

/* The account, which must be one whose password may be changed. */
static void
find(struct vcommand *c, const struct vdomain *d, const char *addr,
    const char *name, bool force, struct vuser *u)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	struct vlimits limits;
	enum vstore_status st = vstore_user_get(c->store, &ref, name, u);

	if (st != VSTORE_OK)
		vcommand_fail_store(c, st, VPOP_NO_USER, VPOP_NO_USER, addr);
	st = vstore_limits_get(c->store, &ref, &limits);
	if (st == VSTORE_TEMP)
		vcommand_fail_store(c, st, VPOP_LIMITS, VPOP_LIMITS,
		    ref.name);
	if (vflags_effective(u->flags, &limits) & VPOP_NO_PASSWD_CHNG &&
	    !force)
		vcommand_refuse("the password of %s may not be changed%s",
		    addr, geteuid() == 0 ? "; -f changes it" : "");
}

int
main(int argc, char **argv)
{
	struct vcommand c;
	struct options o = {0};
	struct vdomain d = {0};
	struct vuser u = {0};
	struct str name = {0}, pw = {0}, why = {0};
	const char *addr;
	enum vpop_error e;

	read_options(argc, argv, &o);
	addr = argv[optind];
	if (optind + 1 < argc)
		vcommand_take_password(argv[optind + 1], &pw);
	vcommand_begin(&c, "vpasswd");
	if (o.force && getuid() != 0)
		vcommand_fail(VPOP_BAD_UID, "-f is for root only");
	vcommand_address(&c, addr, &name, &d);
	find(&c, &d, addr, str_c(&name), o.force, &u);
	if (o.random > 0)
		vcommand_random_password(o.random, &pw);
	else if (optind + 1 == argc)
		vcommand_ask_password(addr, &pw);
	vcommand_hash(&c, str_c(&pw), &u.hash, &u.clear);
	e = vmanage_user_set(&c, &d, &u, &why);
	if (e != VPOP_OK)
		vcommand_fail(e, "%s", str_c(&why));
	if (o.random > 0) {
		str_copys(&why, "Random password: ");
		str_cat(&why, &pw);
		str_catc(&why, '\n');
		vcommand_print(&why);
	}
	password_wipe(&pw);
	password_wipe(&why);
	vuser_free(&u);
	vdomain_free(&d);
	str_free(&name);
	vcommand_end(&c);
	return 0;
}
