/* vcheck - find and repair what disagrees about virtual domains.
 * Runs as:  root; as vpopmail it sees and repairs less.
 * Trusts:   control files, users/assign, settings, the store; see check.h.
 * Exits:    0 nothing was found, 1 something was, 111 it could not look;
 *           255 misuse; else 256 - number: vpop.h. */
#include "lib/log.h"
#include "mail/show.h"
#include "vpop/assign.h"
#include "vpop/check.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USAGE "vcheck [-v] [-j] [-r | --repair] [domain ...]"
#define TEXT_MAX 1024           /* bytes of what is said about one thing */

enum state { FOUND, REPAIRED, FAILED, LEFT, BLIND };
static const char *const words[] = {"found", "repaired", "failed", "left",
	"unknown"};

static void
cat_member(struct str *out, const char *name, const char *value)
{
	str_catf(out, "%s\"%s\":", out->s[out->len - 1] == '{' ? "" : ",",
	    name);
	show_cat_json(out, value, strlen(value));
}

static void
say(struct check *k, const char *domain, const char *what, const char *text,
    enum state st, const char *why)
{
	if (k->json) {
		str_catc(&k->out, '{');
		if (domain != NULL)
			cat_member(&k->out, "domain", domain);
		cat_member(&k->out, "check", what);
		cat_member(&k->out, "problem", text);
		cat_member(&k->out, "state", words[st]);
		if (*why != '\0')
			cat_member(&k->out, "reason", why);
		str_cats(&k->out, "}\n");
	} else {
		if (domain != NULL) {
			vcommand_cat_line(&k->out, domain);
			str_cats(&k->out, ": ");
		}
		str_catf(&k->out, "%s: ", what);
		vcommand_cat_line(&k->out, text);
		if (st == REPAIRED)
			str_cats(&k->out, ": repaired");
		if (st == FAILED) {
			str_cats(&k->out, ": not repaired: ");
			vcommand_cat_line(&k->out, why);
		}
		str_catc(&k->out, '\n');
	}
	vcommand_spill(&k->out);
}

void
check_report(struct check *k, const char *domain, const char *what,
    check_fix_fn *fix, void *arg, const char *fmt, ...)
{
	char text[TEXT_MAX];
	struct str why = {0};
	enum state st = fix == NULL ? LEFT : FOUND;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	k->found++;
	if (k->repair && fix != NULL) {
		st = fix(k, arg, &why) == 0 ? REPAIRED : FAILED;
		k->repaired += st == REPAIRED;
	}
	say(k, domain, what, text, st, str_c(&why));
	str_free(&why);
}

void
check_blind(struct check *k, const char *domain, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	k->blind = true;
	say(k, domain, "unable to look", text, BLIND, "");
}

void
check_add_domain(struct check *k, const struct vdomain *d)
{
	struct vdomain *to;

	if (k->n == k->cap) {
		k->cap = k->cap == 0 ? 64 : 2 * k->cap;
		k->domain = mem_resize(k->domain, k->cap, sizeof *k->domain);
	}
	to = &k->domain[k->n++];
	*to = (struct vdomain){.uid = d->uid, .gid = d->gid};
	str_copy(&to->name, &d->name);
	str_copy(&to->real, &d->real);
	str_copy(&to->dir, &d->dir);
	map_set(&k->by_name, str_c(&d->name), d->name.len,
	    (void *)(uintptr_t)k->n);
	if (!vdomain_is_alias(d))
		map_set(&k->by_dir, str_c(&d->dir), d->dir.len,
		    (void *)(uintptr_t)k->n);
}

static int
gather(void *arg, const struct vdomain *d)
{
	check_add_domain(arg, d);
	return 0;
}

const struct vdomain *
check_domain_peek(const struct check *k, const char *name)
{
	uintptr_t i = (uintptr_t)map_get(&k->by_name, name, strlen(name));

	return i == 0 ? NULL : &k->domain[i - 1];
}

static void
check_named(struct check *k, int argc, char **argv)
{
	struct str name = {0};

	for (int i = optind; i < argc; i++) {
		const struct vdomain *d;

		str_copys(&name, argv[i]);
		if (vpop_domain_name(&name) != VPOP_OK)
			vcommand_fail(VPOP_BAD_DOMAIN, "%s", argv[i]);
		d = check_domain_peek(k, str_c(&name));
		if (d == NULL)
			vcommand_fail(VPOP_NO_DOMAIN, "%s", str_c(&name));
		check_domain(k, d);
	}
	str_free(&name);
}

static void
check_all(struct check *k)
{
	struct vprogress p = {.what = "domains"};

	check_site(k);
	p.all = k->n;
	for (size_t i = 0; i < k->n; i++) {
		check_domain(k, &k->domain[i]);
		vprogress_step(&p, i + 1);
	}
	if (k->n > 1)
		vprogress_end(&p);
}

static int
finish(struct check *k)
{
	struct str why = {0};
	int code = k->blind ? 111 : k->found > 0;

	if (k->told && vmanage_tell(&k->c, &why) != VPOP_OK)
		check_blind(k, NULL, "%s", str_c(&why));
	if (!k->json && k->found > 0)
		str_catf(&k->out, "%llu found, %llu repaired\n",
		    (unsigned long long)k->found,
		    (unsigned long long)k->repaired);
	vcommand_print(&k->out);
	for (size_t i = 0; i < k->n; i++)
		vdomain_free(&k->domain[i]);
	free(k->domain);
	map_free(&k->by_name);
	map_free(&k->by_dir);
	str_free(&k->out);
	str_free(&why);
	vcommand_end(&k->c);
	return code;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"repair", no_argument, NULL, 'r'},
		{NULL, 0, NULL, 0},
	};
	struct check k = {0};
	int c, ended;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "vjr", options, NULL)) != -1)
		switch (c) {
		case 'v': vcommand_version(); break;
		case 'j': k.json = true; break;
		case 'r': k.repair = true; break;
		default: vcommand_usage(USAGE);
		}
	vcommand_begin(&k.c, "vcheck");
	k.all = optind == argc;
	k.cdb = vsetting_is(&k.c.settings, VSETTING_STORE, "cdb");
	vmanage_quiet(true);
	if (vdomain_each(gather, &k, &ended) != VDOMAIN_OK)
		die_sys(111, "unable to read users/assign");
	if (k.all)
		check_all(&k);
	else
		check_named(&k, argc, argv);
	return finish(&k);
}
