/* vmoddomlimits - show and change the limits of a domain.
 * Runs as:  root or vpopmail.
 * Trusts:   settings, users/cdb, the store.
 * Exits:    0, 255 misuse, else 256 - number: vpop.h. */
#include "vpop/domlimits.h"

#include "mail/authproto.h"
#include "vpop/command.h"
#include "vpop/limits.h"

#include <getopt.h>
#include <string.h>

#define USAGE "vmoddomlimits [-v] [-j] [-S] [-D] [-Q MB] [-q bytes] [-M n] "   \
	"[-m n] [-P n] [-A n]\n\t[-F n] [-R n] [-L n] [-g flags] "            \
	"[-{p|a|f|r|l|u|o|x|z} perm] {-d | domain}\n"                         \
	"flags: u d p s w i r c x m, \"\" for none; perm: a all, c create, "   \
	"m modify, d delete\nare denied, \"\" for nothing; n: -1 no limit"

struct work {
	struct vcommand c;
	struct vdomain d;
	struct str path;        /* of the default's file; empty: a domain */
	struct vlimits limits;
	bool own;               /* it has limits of its own */
};

static const struct vdomain_ref *
ref(struct work *w, struct vdomain_ref *r)
{
	*r = vdomain_ref_peek(&w->d);
	return w->path.len > 0 ? NULL : r;
}

static const char *
name(const struct work *w)
{
	return w->path.len > 0 ? str_c(&w->path) : str_c(&w->d.real);
}

_Noreturn static void
fail(struct work *w, enum vstore_status st)
{
	vcommand_fail_store(&w->c, st, VPOP_LIMITS, VPOP_LIMITS, name(w));
}

static void
read_limits(struct work *w)
{
	struct vdomain_ref r;
	enum vstore_status st = vstore_limits_get(w->c.store, ref(w, &r),
	    &w->limits);

	if (st == VSTORE_TEMP)
		fail(w, st);
	w->own = st == VSTORE_OK;
}

static void
changed(struct work *w, enum vstore_status st)
{
	if (st != VSTORE_OK)
		fail(w, st);
	/* of all domains authdaemond learns in a while by itself */
	if (w->path.len == 0)
		auth_changed(AUTHPROTO_SOCKET, str_c(&w->d.real), "");
}

static void
show(struct work *w, bool json)
{
	struct str out = {0};

	if (json)
		domlimits_cat_json(&out, w->path.len > 0 ? NULL : name(w),
		    &w->limits, w->own);
	else
		domlimits_cat_text(&out, w->path.len > 0 ?
		    "Default limits file: " : "Domain: ", name(w),
		    &w->limits);
	vcommand_print(&out);
	str_free(&out);
}

struct options {
	const char *value[128]; /* by letter; NULL: not given */
	bool print, delete, fallback, json, change;
};

static void
read_options(int argc, char **argv, struct options *o)
{
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "vjSDd" DOMLIMITS_OPTIONS)) != -1)
		switch (c) {
		case 'v':
			vcommand_version();
			break;
		case 'j':
			o->json = o->print = true;
			break;
		case 'S':
			o->print = true;
			break;
		case 'D':
			o->delete = true;
			break;
		case 'd':
			o->fallback = true;
			break;
		case '?':
			vcommand_usage(USAGE);
		default:
			o->value[c] = optarg;
			o->change = true;
		}
	if (argc - optind != !o->fallback || (o->delete && o->change) ||
	    (!o->delete && !o->change && !o->print))
		vcommand_usage(USAGE);
}

static void
take(struct vlimits *l, const struct options *o)
{
	struct str why = {0};

	for (char c = 'A'; c <= 'z'; c++)
		if (o->value[(unsigned char)c] != NULL && domlimits_set(l, c,
		    o->value[(unsigned char)c], &why) < 0)
			vcommand_refuse("-%c %s: %s", c,
			    o->value[(unsigned char)c], str_c(&why));
	str_free(&why);
}

int
main(int argc, char **argv)
{
	struct work w = {0};
	struct options o = {0};
	struct vdomain_ref r;

	read_options(argc, argv, &o);
	vcommand_begin(&w.c, "vmoddomlimits");
	if (o.fallback)
		str_catf(&w.path, "%s/etc/" VLIMITS_DEFAULT,
		    str_c(&w.c.home));
	else
		vcommand_domain(argv[optind], &w.d);
	if (o.delete) {
		enum vstore_status st = vstore_limits_del(w.c.store,
		    ref(&w, &r));

		if (st != VSTORE_NONE)
			changed(&w, st);
	}
	read_limits(&w);
	if (o.change) {
		take(&w.limits, &o);
		changed(&w, vstore_limits_set(w.c.store, ref(&w, &r),
		    &w.limits));
		w.own = true;
	}
	if (o.print)
		show(&w, o.json);
	str_free(&w.path);
	vdomain_free(&w.d);
	vcommand_end(&w.c);
	return 0;
}
