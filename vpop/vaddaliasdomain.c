/* vaddaliasdomain - give a virtual domain another name.
 * Runs as:  root.
 * Trusts:   settings, users/, control/.  Not: its arguments.
 * Exits:    0, 255 misuse, else 256 - number: vpop.h. */
#include "vpop/manage.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#define USAGE "vaddaliasdomain [-v] real-domain alias-domain\n"               \
	"   or: vaddaliasdomain [-v] alias-domain real-domain"

static bool
find(const char *arg, struct str *name, struct vdomain *d)
{
	enum vpop_error e;

	str_copys(name, arg);
	if ((e = vpop_domain_name(name)) != VPOP_OK)
		vcommand_fail(e, "%s", arg);
	switch (vdomain_find(str_c(name), d)) {
	case VDOMAIN_OK:
		return true;
	case VDOMAIN_NONE:
		break;
	case VDOMAIN_TEMP:
		vcommand_fail(VPOP_ASSIGN, "%s: %s", str_c(name),
		    strerror(errno));
	}
	return false;
}

/* Both are there: an alias that a killed program has half made is finished,
 * and is an error otherwise. */
static bool
is_its_alias(const struct vdomain *alias, const struct vdomain *real)
{
	return vdomain_is_alias(alias) && !vdomain_is_alias(real) &&
	    str_eqs(&alias->real, str_c(&real->real));
}

int
main(int argc, char **argv)
{
	struct vcommand c;
	struct vdomain d[2] = {0};
	struct str name[2] = {0}, why = {0};
	bool there[2], both;
	enum vpop_error e;
	int o, real = 0;

	while ((o = getopt(argc, argv, "v")) != -1) {
		if (o != 'v')
			vcommand_usage(USAGE);
		vcommand_version();
	}
	if (argc - optind != 2)
		vcommand_usage(USAGE);
	vcommand_begin(&c, "vaddaliasdomain");
	for (int i = 0; i < 2; i++)
		there[i] = find(argv[optind + i], &name[i], &d[i]);
	if (!there[0] && !there[1])
		vcommand_fail(VPOP_NO_DOMAIN, "neither %s nor %s exists",
		    str_c(&name[0]), str_c(&name[1]));
	both = there[0] && there[1];
	if (both && is_its_alias(&d[0], &d[1]))
		real = 1;
	else if (!both)
		real = there[0] ? 0 : 1;
	if (!both && strchr(str_c(&name[1 - real]), '.') == NULL)
		vcommand_fail(VPOP_BAD_DOMAIN, "%s: it has no dot",
		    str_c(&name[1 - real]));
	e = both && !is_its_alias(&d[1 - real], &d[real]) ?
	    VPOP_DOMAIN_EXISTS : vmanage_alias_domain_add(&c, &d[real],
	    str_c(&name[1 - real]), &why);
	if (both && e == VPOP_DOMAIN_EXISTS)
		vcommand_fail(e, "%s and %s both exist", str_c(&name[0]),
		    str_c(&name[1]));
	if (e != VPOP_OK)
		vcommand_fail(e, "%s", str_c(&why));
	for (int i = 0; i < 2; i++) {
		vdomain_free(&d[i]);
		str_free(&name[i]);
	}
	str_free(&why);
	vcommand_end(&c);
	return 0;
}
