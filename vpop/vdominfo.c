/* vdominfo - show domains.
 * Runs as:  root or vpopmail.
 * Trusts:   settings, users/assign, users/cdb, the store.
 * Exits:    0, 255 misuse, else 256 - number: vpop.h. */
#include "lib/log.h"
#include "mail/show.h"
#include "vpop/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define USAGE "vdominfo [-v] [-j] [-a] [-n] [-u] [-g] [-d] [-t] [-r] [domain]"

enum field { NAME, UID, GID, DIR, TOTAL, REAL, FIELDS };
#define LETTERS "nugdtr"        /* of the fields, in their order */

struct show {
	struct vcommand c;
	struct str out;
	bool field[FIELDS], any, json, more;
	const char *real;       /* whose alias domains are wanted */
	enum vstore_status trouble;
	struct str where;       /* whose users could not be counted first */
};

/* false: not known, and the program will end with that. */
static bool
count(struct show *s, const struct vdomain *d, uint64_t *out)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	enum vstore_status st = vstore_user_count(s->c.store, &ref, out);

	if (st == VSTORE_OK || st == VSTORE_NONE)
		return true;
	log_warn("%s: %s", ref.name, vstore_reason_peek(s->c.store));
	if (s->trouble == VSTORE_OK) {
		s->trouble = st;
		str_copys(&s->where, ref.name);
	}
	return false;
}

static void
cat_text(struct show *s, const char *label, const struct str *value)
{
	str_cats(&s->out, label);
	vcommand_cat_line(&s->out, str_c(value));
}

static void
cat_count(struct show *s, const struct vdomain *d)
{
	uint64_t n;

	if (count(s, d, &n))
		str_catu(&s->out, n);
	else
		str_cats(&s->out, "unknown");
}

static void
show_all(struct show *s, const struct vdomain *d)
{
	cat_text(s, "domain: ", &d->name);
	if (vdomain_is_alias(d)) {
		cat_text(s, " (alias of ", &d->real);
		str_catc(&s->out, ')');
	}
	str_catf(&s->out, "\nuid:    %lu\ngid:    %lu\n",
	    (unsigned long)d->uid, (unsigned long)d->gid);
	cat_text(s, "dir:    ", &d->dir);
	str_cats(&s->out, "\nusers:  ");
	cat_count(s, d);
	str_catc(&s->out, '\n');
}

static void
show_fields(struct show *s, const struct vdomain *d)
{
	for (unsigned f = 0; f < FIELDS; f++) {
		if (!s->field[f])
			continue;
		switch ((enum field)f) {
		case NAME:
			cat_text(s, "", &d->name);
			break;
		case UID:
			str_catu(&s->out, d->uid);
			break;
		case GID:
			str_catu(&s->out, d->gid);
			break;
		case DIR:
			cat_text(s, "", &d->dir);
			break;
		case TOTAL:
			cat_count(s, d);
			break;
		case REAL:
			cat_text(s, "", &d->real);
			break;
		case FIELDS:
			break;
		}
		str_catc(&s->out, '\n');
	}
}

static void
cat_member(struct show *s, const char *before, const struct str *value)
{
	str_cats(&s->out, before);
	show_cat_json(&s->out, str_c(value), value->len);
}

static void
show_json(struct show *s, const struct vdomain *d)
{
	uint64_t n;

	cat_member(s, "{\"domain\":", &d->name);
	cat_member(s, ",\"real\":", &d->real);
	str_catf(&s->out, ",\"uid\":%lu,\"gid\":%lu", (unsigned long)d->uid,
	    (unsigned long)d->gid);
	cat_member(s, ",\"dir\":", &d->dir);
	if (count(s, d, &n))
		str_catf(&s->out, ",\"users\":%llu", (unsigned long long)n);
	else
		str_cats(&s->out, ",\"users\":null");
}

static int
show(void *arg, const struct vdomain *d)
{
	struct show *s = arg;

	if (s->json) {
		show_json(s, d);
		str_cats(&s->out, "}\n");
	} else if (s->any) {
		show_fields(s, d);
	} else {
		if (s->more)
			str_catc(&s->out, '\n');
		show_all(s, d);
	}
	s->more = true;
	vcommand_spill(&s->out);
	return 0;
}

static int
show_alias(void *arg, const struct vdomain *d)
{
	struct show *s = arg;

	if (!vdomain_is_alias(d) || !str_eqs(&d->real, s->real))
		return 0;
	if (s->json) {
		str_cats(&s->out, s->more ? "," : "");
		show_cat_json(&s->out, str_c(&d->name), d->name.len);
	} else {
		cat_text(s, "alias: ", &d->name);
		str_catc(&s->out, '\n');
	}
	s->more = true;
	return 0;
}

static void
each(struct show *s, vdomain_fn *fn)
{
	int ended;

	if (vdomain_each(fn, s, &ended) != VDOMAIN_OK) {
		int e = errno;

		vcommand_print(&s->out);
		vcommand_fail(VPOP_ASSIGN, "%s", strerror(e));
	}
}

static void
show_one(struct show *s, const char *name)
{
	struct vdomain d = {0};
	bool aliases;

	vcommand_domain(name, &d);
	aliases = !vdomain_is_alias(&d) && !s->any;
	s->real = str_c(&d.real);
	if (s->json) {
		show_json(s, &d);
		if (aliases) {
			str_cats(&s->out, ",\"aliases\":[");
			each(s, show_alias);
			str_catc(&s->out, ']');
		}
		str_cats(&s->out, "}\n");
	} else {
		(void)show(s, &d);
		if (aliases)
			each(s, show_alias);
	}
	vdomain_free(&d);
}

int
main(int argc, char **argv)
{
	struct show s = {.trouble = VSTORE_OK};
	bool all = false;
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "vja" LETTERS)) != -1) {
		const char *letter = strchr(LETTERS, c);

		if (c == 'v')
			vcommand_version();
		else if (c == 'j')
			s.json = true;
		else if (c == 'a')
			all = true;
		else if (letter != NULL)
			s.field[letter - LETTERS] = s.any = true;
		else
			vcommand_usage(USAGE);
	}
	if (argc - optind > 1)
		vcommand_usage(USAGE);
	s.any = s.any && !all && !s.json;
	vcommand_begin(&s.c, "vdominfo");
	if (optind < argc)
		show_one(&s, argv[optind]);
	else
		each(&s, show);
	vcommand_print(&s.out);
	if (s.trouble != VSTORE_OK)
		vcommand_fail_store(&s.c, s.trouble, VPOP_NO_DOMAIN,
		    VPOP_NO_DOMAIN, str_c(&s.where));
	str_free(&s.out);
	str_free(&s.where);
	vcommand_end(&s.c);
	return 0;
}
