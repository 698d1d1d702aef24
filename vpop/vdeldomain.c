/* vdeldomain - remove a virtual domain with all its accounts and mail, or an
 * alias domain.
 * Runs as:  root; what touches the domain's tree as its owner.
 * Trusts:   settings, users/, control/, the store.  Not: its arguments.
 * Exits:    0, 1 when there are alias domains and no -f, 255 misuse, else
 *           256 - number: vpop.h. */
#include "vpop/manage.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define USAGE "vdeldomain [-v] [-f] domain"
#define EXIT_ALIASES 1

struct aliases {
	const struct vdomain *real;
	struct vdomain *d;
	size_t n, cap;
};

static int
collect(void *arg, const struct vdomain *d)
{
	struct aliases *a = arg;
	struct vdomain *to;

	if (!vdomain_is_alias(d) ||
	    !str_eqs(&d->real, str_c(&a->real->real)))
		return 0;
	if (a->n == a->cap) {
		a->cap = a->cap == 0 ? 16 : 2 * a->cap;
		a->d = mem_resize(a->d, a->cap, sizeof *a->d);
	}
	to = &a->d[a->n++];
	*to = (struct vdomain){.uid = d->uid, .gid = d->gid};
	str_copy(&to->name, &d->name);
	str_copy(&to->real, &d->real);
	str_copy(&to->dir, &d->dir);
	return 0;
}

static void
show(const struct aliases *a, const char *head, const char *foot)
{
	struct str out = {0};

	str_cats(&out, head);
	for (size_t i = 0; i < a->n; i++)
		str_catf(&out, "   %s\n", str_c(&a->d[i].name));
	str_cats(&out, foot);
	vcommand_print(&out);
	str_free(&out);
}

static void
delete_aliases(struct vcommand *c, struct aliases *a)
{
	struct str why = {0};
	enum vpop_error e;

	for (size_t i = 0; i < a->n; i++)
		if ((e = vmanage_alias_domain_del(c, &a->d[i], &why)) !=
		    VPOP_OK)
			vcommand_fail(e, "%s", str_c(&why));
	str_free(&why);
}

int
main(int argc, char **argv)
{
	struct vcommand c;
	struct vdomain d = {0};
	struct aliases a = {.real = &d};
	struct str why = {0};
	enum vpop_error e;
	bool force = false;
	int o, ended;

	while ((o = getopt(argc, argv, "vf")) != -1) {
		if (o == 'v')
			vcommand_version();
		else if (o == 'f')
			force = true;
		else
			vcommand_usage(USAGE);
	}
	if (argc - optind != 1)
		vcommand_usage(USAGE);
	vcommand_begin(&c, "vdeldomain");
	vcommand_domain(argv[optind], &d);
	if (vdomain_is_alias(&d)) {
		e = vmanage_alias_domain_del(&c, &d, &why);
	} else {
		if (vdomain_each(collect, &a, &ended) != VDOMAIN_OK)
			vcommand_fail(VPOP_ASSIGN, "%s", strerror(errno));
		if (a.n > 0 && !force) {
			show(&a, "Warning: this domain has alias domains:\n",
			    "Nothing was deleted.  With -f they are deleted "
			    "too.\n");
			vcommand_end(&c);
			return EXIT_ALIASES;
		}
		delete_aliases(&c, &a);
		e = vmanage_domain_del(&c, &d, &why);
		if (e == VPOP_OK && a.n > 0)
			show(&a, "Alias domains deleted too:\n", "");
	}
	if (e != VPOP_OK)
		vcommand_fail(e, "%s", str_c(&why));
	for (size_t i = 0; i < a.n; i++)
		vdomain_free(&a.d[i]);
	free(a.d);
	vdomain_free(&d);
	str_free(&why);
	vcommand_end(&c);
	return 0;
}
