/* vdeloldusers - delete accounts that nobody has used for long.
 * Runs as:  root or vpopmail.
 * Trusts:   settings, users/cdb, the store.
 * Exits:    0; 255 misuse or an account could not be deleted; else
 *           256 - number: vpop.h. */
#include "lib/tai.h"
#include "mail/show.h"
#include "vpop/manage.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#define USAGE "vdeloldusers [-v] [-j] [-V] [-a days] [-D] {-d domain | -e}"
#define DAYS 180
#define DAYS_MAX 36500u
#define DAY 86400
#define KEPT "postmaster"

struct run {
	struct vcommand c;
	uint64_t days;
	int64_t now;
	bool really, json, verbose;
	const struct vdomain *d;
	struct vdomain_ref ref;
	struct str old;                 /* names, NUL after each */
	struct str out;
	uint64_t found, deleted, failed;
};

static int64_t
age_of(const struct run *r, int64_t when)
{
	return when < r->now ? (r->now - when) / DAY : 0;
}

/* state: "old", "deleted", or why it is not. */
static void
say(struct run *r, const char *user, int64_t when, const char *state)
{
	struct str addr = {0};

	str_catf(&addr, "%s@%s", user, r->ref.name);
	if (r->json) {
		str_cats(&r->out, "{\"address\":");
		show_cat_json(&r->out, str_c(&addr), addr.len);
		str_catf(&r->out, ",\"lastauth\":%lld,\"days\":%lld,"
		    "\"state\":", (long long)when,
		    (long long)age_of(r, when));
		show_cat_json(&r->out, state, strlen(state));
		str_cats(&r->out, "}\n");
	} else {
		vcommand_cat_line(&r->out, str_c(&addr));
		str_catf(&r->out, ": last login %lld days ago: ",
		    (long long)age_of(r, when));
		vcommand_cat_line(&r->out, state);
		str_catc(&r->out, '\n');
	}
	vcommand_spill(&r->out);
	str_free(&addr);
}

static int
look(void *arg, const struct vuser *u)
{
	struct run *r = arg;

	str_catb(&r->old, str_c(&u->name), u->name.len + 1);
	return 0;
}

/* The last login is asked for when it is about to go: he may have come back. */
static void
one(struct run *r, const char *name)
{
	struct vuser u = {0};
	struct str ip = {0}, why = {0};
	int64_t when = 0;
	enum vstore_status st = vstore_user_get(r->c.store, &r->ref, name,
	    &u);

	if (st == VSTORE_OK)
		st = vstore_lastauth_get(r->c.store, &r->ref, &u, &when, &ip);
	if (st == VSTORE_TEMP || st == VSTORE_WIDE) {
		r->failed++;
		say(r, name, when, vstore_reason_peek(r->c.store));
	} else if (st == VSTORE_OK && (uint64_t)age_of(r, when) >= r->days) {
		r->found++;
		if (!r->really) {
			say(r, name, when, "old");
		} else if (vmanage_user_del(&r->c, r->d, name, &why) ==
		    VPOP_OK) {
			r->deleted++;
			if (r->verbose || r->json)
				say(r, name, when, "deleted");
		} else {
			r->failed++;
			str_cats(&why, ": not deleted");
			say(r, name, when, str_c(&why));
		}
	}
	vuser_free(&u);
	str_free(&ip);
	str_free(&why);
}

static int
serve(void *arg, const struct vdomain *d)
{
	struct run *r = arg;
	int ended;

	if (vdomain_is_alias(d))
		return 0;
	r->d = d;
	r->ref = vdomain_ref_peek(d);
	str_clear(&r->old);
	if (vstore_user_each(r->c.store, &r->ref, look, r, &ended) !=
	    VSTORE_OK) {
		r->failed++;
		str_catf(&r->out, "%s: ", r->ref.name);
		vcommand_cat_line(&r->out, vstore_reason_peek(r->c.store));
		str_catc(&r->out, '\n');
		return 0;
	}
	for (size_t i = 0; i < r->old.len; i += strlen(r->old.s + i) + 1)
		if (strcmp(r->old.s + i, KEPT) != 0)
			one(r, r->old.s + i);
	return 0;
}

static void
finish(struct run *r)
{
	if (!r->json)
		str_catf(&r->out, "%llu found, %llu deleted\n",
		    (unsigned long long)r->found,
		    (unsigned long long)r->deleted);
	vcommand_print(&r->out);
	str_free(&r->out);
	str_free(&r->old);
	vcommand_end(&r->c);
}

int
main(int argc, char **argv)
{
	struct run r = {.days = DAYS, .now = clock_wall()};
	struct vdomain d = {0};
	const char *domain = NULL;
	bool every = false;
	size_t n;
	int c, ended;

	opterr = 0;
	while ((c = getopt(argc, argv, "vjVDea:d:")) != -1)
		switch (c) {
		case 'v': vcommand_version(); break;
		case 'j': r.json = true; break;
		case 'V': r.verbose = true; break;
		case 'D': r.really = true; break;
		case 'e': every = true; break;
		case 'd': domain = optarg; break;
		case 'a':
			n = scan_u64(optarg, &r.days);
			if (n == 0 || optarg[n] != '\0' || r.days == 0 ||
			    r.days > DAYS_MAX)
				vcommand_usage(USAGE);
			break;
		default: vcommand_usage(USAGE);
		}
	if (optind != argc || every == (domain != NULL))
		vcommand_usage(USAGE);
	vcommand_begin(&r.c, "vdeloldusers");
	if (domain != NULL) {
		vcommand_domain(domain, &d);
		if (vdomain_is_alias(&d))
			vcommand_fail(VPOP_BAD_DOMAIN, "%s: it is an alias "
			    "of %s", str_c(&d.name), str_c(&d.real));
		(void)serve(&r, &d);
		vdomain_free(&d);
	} else if (vdomain_each(serve, &r, &ended) != VDOMAIN_OK) {
		vcommand_fail(VPOP_ASSIGN, "%s", strerror(errno));
	}
	finish(&r);
	return r.failed > 0 ? 255 : 0;
}
