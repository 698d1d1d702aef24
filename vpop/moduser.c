/* vpop/moduser.c - changing what is recorded of accounts; see moduser.h. */
#include "vpop/moduser.h"

#include "vpop/manage_parts.h"
#include "vpop/password.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct edits {
	const struct moduser *change;
	struct vuser *user;
	size_t n, cap;
};

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			return true;
	return false;
}

/* What no account of any store may have. */
static void
check(struct vcommand *c, struct moduser *g)
{
	const uint32_t roots = VPOP_SA_ADMIN | VPOP_SA_EXPERT;

	if (g->set & roots && getuid() != 0)
		vcommand_fail(VPOP_BAD_UID, "-S and -E are for root only");
	if (g->quota != NULL)
		vcommand_quota(c, g->quota, &g->normal);
	if (g->comment != NULL && has_control(g->comment))
		vcommand_fail(VPOP_BAD_CHAR, "the comment");
	if (g->comment != NULL && strlen(g->comment) > VPOP_GECOS_MAX)
		vcommand_fail(VPOP_GECOS_LONG, "at most %d bytes",
		    VPOP_GECOS_MAX);
	if (has_control(str_c(&g->hash)) || strchr(str_c(&g->hash), ':'))
		vcommand_fail(VPOP_BAD_CHAR, "the hash");
	if (g->hash.len > VPOP_HASH_MAX)
		vcommand_fail(VPOP_PASSWD_LONG, "a hash has at most %d bytes",
		    VPOP_HASH_MAX);
	if (g->clear.len > 0 &&
	    !vsetting_on(&c->settings, VSETTING_CLEARPASSWORDS))
		vcommand_fail(VPOP_CONFIG, "-C: clear passwords are kept only "
		    "when etc/clearpasswords says 1");
	if (has_control(str_c(&g->clear)))
		vcommand_fail(VPOP_BAD_CHAR, "the clear password");
	if (g->clear.len > VPOP_CLEAR_MAX)
		vcommand_fail(VPOP_CLEAR_LONG, "at most %d bytes",
		    VPOP_CLEAR_MAX);
	if (g->dir == NULL || *g->dir == '\0')
		return;
	if (strlen(g->dir) > VPOP_DIR_MAX)
		vcommand_fail(VPOP_DIR_LONG, "at most %d bytes",
		    VPOP_DIR_MAX);
	if (*g->dir != '/' || has_control(g->dir) || strchr(g->dir, ':') ||
	    strstr(g->dir, "/../") != NULL ||
	    strcmp(g->dir + strlen(g->dir) - 1, "/") == 0 ||
	    (strlen(g->dir) > 2 &&
	    strcmp(g->dir + strlen(g->dir) - 3, "/..") == 0))
		vcommand_fail(VPOP_BAD_CHAR, "%s: a directory begins with / "
		    "and goes only down", g->dir);
}

static void
apply(const struct moduser *g, struct vuser *u)
{
	if (g->quota != NULL)
		str_copy(&u->quota, &g->normal);
	if (g->comment != NULL)
		str_copys(&u->gecos, g->comment);
	if (g->have_hash) {
		str_copy(&u->hash, &g->hash);
		if (!g->have_clear)     /* it is of another password */
			password_wipe(&u->clear);
	}
	if (g->have_clear)
		str_copy(&u->clear, &g->clear);
	if (g->dir != NULL)
		str_copys(&u->dir, g->dir);
	u->flags = (u->flags & ~g->unset) | g->set;
}

static void
change(struct vcommand *c, const struct vdomain *d, const struct moduser *g,
    const char *name)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	struct vuser u = {0};
	struct str why = {0}, addr = {0};
	enum vstore_status st;
	enum vpop_error e;

	str_catf(&addr, "%s@%s", name, str_c(&d->name));
	st = vstore_user_get(c->store, &ref, name, &u);
	if (st != VSTORE_OK)
		vcommand_fail_store(c, st, VPOP_NO_USER, VPOP_NO_USER,
		    str_c(&addr));
	apply(g, &u);
	e = vmanage_user_set(c, d, &u, &why);
	if (e != VPOP_OK)
		vcommand_fail(e, "%s", str_c(&why));
	vuser_free(&u);
	str_free(&why);
	str_free(&addr);
}

/* The changed records, gathered before the first is written. */
static int
edit(void *arg, const struct vuser *old)
{
	struct edits *e = arg;
	struct vuser *u;

	if (e->n == e->cap) {
		e->cap = e->cap == 0 ? 64 : 2 * e->cap;
		e->user = mem_resize(e->user, e->cap, sizeof *e->user);
	}
	u = &e->user[e->n++];
	*u = (struct vuser){.apop = old->apop, .flags = old->flags};
	str_copy(&u->name, &old->name);
	str_copy(&u->hash, &old->hash);
	str_copy(&u->gecos, &old->gecos);
	str_copy(&u->dir, &old->dir);
	str_copy(&u->quota, &old->quota);
	str_copy(&u->clear, &old->clear);
	apply(e->change, u);
	return 0;
}

/* Every account, or, on an error, none: leaving ends what was begun. */
static void
change_all(struct vcommand *c, const struct vdomain *d,
    const struct moduser *g)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	struct edits e = {.change = g};
	struct str count = {0};
	enum vstore_status st;
	int ended;

	st = vstore_bulk_begin(c->store, &ref);
	if (st == VSTORE_OK)
		st = vstore_user_each(c->store, &ref, edit, &e, &ended);
	for (size_t i = 0; i < e.n && st == VSTORE_OK; i++)
		st = vstore_user_set(c->store, &ref, &e.user[i]);
	if (st == VSTORE_OK)
		st = vstore_bulk_end(c->store);
	if (st != VSTORE_OK)
		vcommand_fail_store(c, st, VPOP_NO_DOMAIN, VPOP_NO_DOMAIN,
		    ref.name);
	for (size_t i = 0; i < e.n; i++) {
		if (g->quota != NULL)
			vmanage_set_quota(d, &e.user[i]);
		vuser_free(&e.user[i]);
	}
	vmanage_changed(c, ref.name, "");
	str_catu(&count, e.n);
	vmanage_hook(c, "mod_users", ref.name, str_c(&count));
	str_free(&count);
	free(e.user);
}

void
moduser_run(struct moduser *g, const char *prog, const char *what)
{
	struct vcommand c;
	struct vdomain d = {0};
	struct str user = {0};

	vcommand_begin(&c, prog);
	check(&c, g);
	if (strpbrk(what, "@%/") != NULL) {
		vcommand_address(&c, what, &user, &d);
		change(&c, &d, g, str_c(&user));
	} else {
		vcommand_domain(what, &d);
		if (g->have_hash || g->have_clear || g->dir != NULL)
			vcommand_refuse("-e, -C and -D are for one account, "
			    "%s is a domain", str_c(&d.name));
		change_all(&c, &d, g);
	}
	str_free(&user);
	vdomain_free(&d);
	vcommand_end(&c);
}

void
moduser_free(struct moduser *g)
{
	password_wipe(&g->hash);
	password_wipe(&g->clear);
	str_free(&g->normal);
	*g = (struct moduser){0};
}
