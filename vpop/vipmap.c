/* vipmap - show and change which domain an address of this host belongs to.
 * Runs as:  root or vpopmail.
 * Trusts:   settings, users/cdb, the store.
 * Exits:    0, 255 misuse, else 256 - number: vpop.h. */
#include "lib/ip.h"
#include "mail/show.h"
#include "vpop/command.h"

#include <getopt.h>
#include <string.h>

#define USAGE "vipmap [-v] {-a | -d} ip domain | vipmap [-v] [-j] -p"

struct work {
	struct vcommand c;
	struct str out;
	bool json;
};

static int
show(void *arg, const char *ip, const char *domain)
{
	struct work *w = arg;

	if (w->json) {
		str_cats(&w->out, "{\"ip\":");
		show_cat_json(&w->out, ip, strlen(ip));
		str_cats(&w->out, ",\"domain\":");
		show_cat_json(&w->out, domain, strlen(domain));
		str_cats(&w->out, "}\n");
	} else {
		str_cats(&w->out, "IP: ");
		vcommand_cat_line(&w->out, ip);
		str_cats(&w->out, " Domain: ");
		vcommand_cat_line(&w->out, domain);
		str_catc(&w->out, '\n');
	}
	vcommand_spill(&w->out);
	return 0;
}

static void
list(struct work *w)
{
	int ended;
	enum vstore_status st = vstore_ipmap_each(w->c.store, show, w,
	    &ended);

	vcommand_print(&w->out);
	if (st != VSTORE_OK && st != VSTORE_NONE)
		vcommand_fail_store(&w->c, st, VPOP_BAD_IP, VPOP_BAD_IP,
		    "the map of addresses");
}

static void
add(struct work *w, const char *ip, const char *domain)
{
	struct vdomain d = {0};
	enum vstore_status st;

	vcommand_domain(domain, &d);
	st = vstore_ipmap_set(w->c.store, ip, str_c(&d.name));
	if (st != VSTORE_OK)
		vcommand_fail_store(&w->c, st, VPOP_BAD_IP, VPOP_BAD_IP, ip);
	vdomain_free(&d);
}

/* The domain may have gone already. */
static void
delete(struct work *w, const char *ip, const char *domain)
{
	struct str name = {0}, now = {0};
	enum vstore_status st;
	enum vpop_error e;

	str_copys(&name, domain);
	if ((e = vpop_domain_name(&name)) != VPOP_OK)
		vcommand_fail(e, "%s", domain);
	st = vstore_ipmap_get(w->c.store, ip, &now);
	str_lower(&now);
	if (st == VSTORE_NONE || (st == VSTORE_OK &&
	    !str_eqs(&now, str_c(&name))))
		vcommand_refuse("%s does not belong to %s", ip,
		    str_c(&name));
	if (st == VSTORE_OK)
		st = vstore_ipmap_set(w->c.store, ip, NULL);
	if (st != VSTORE_OK && st != VSTORE_NONE)
		vcommand_fail_store(&w->c, st, VPOP_BAD_IP, VPOP_BAD_IP, ip);
	str_free(&name);
	str_free(&now);
}

int
main(int argc, char **argv)
{
	struct work w = {0};
	struct ip a;
	const char *ip;
	int c, task = 0;

	opterr = 0;
	while ((c = getopt(argc, argv, "vjadp")) != -1)
		switch (c) {
		case 'v':
			vcommand_version();
			break;
		case 'j':
			w.json = true;
			break;
		case 'a':
		case 'd':
		case 'p':
			if (task != 0 && task != c)
				vcommand_usage(USAGE);
			task = c;
			break;
		default:
			vcommand_usage(USAGE);
		}
	if (task == 0 || argc - optind != (task == 'p' ? 0 : 2))
		vcommand_usage(USAGE);
	vcommand_begin(&w.c, "vipmap");
	ip = argv[optind];
	if (task != 'p' && ip_parse(ip, strlen(ip), &a) < 0)
		vcommand_fail(VPOP_BAD_IP, "%s", ip);
	if (task == 'p')
		list(&w);
	else if (task == 'a')
		add(&w, ip, argv[optind + 1]);
	else
		delete(&w, ip, argv[optind + 1]);
	str_free(&w.out);
	vcommand_end(&w.c);
	return 0;
}
