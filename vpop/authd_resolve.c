/* vpop/authd_resolve.c - the answer to RESOLVE: what the store knows of an
 * address, for who delivers mail and for who says whether it exists.
 *
 * Lines: DOMAIN DIR UID GID BASE OVERQUOTA; FILE, the .qmail file of the
 * domain that handles it, or ACTION, when that file calls vdelivermail, or
 * NOFILE=1; ALIAS for each alias line, COPY=1 when the mailbox of that name gets
 * the message too, and DEFAULT, the part that "default" stood for; USER HOME
 * QUOTA FLAGS of the mailbox, and FULL=1 when no message fits into it.  Aliases
 * of the cdb store are .qmail files: no ALIAS then. */
#include "vpop/authd_work.h"

#include "control/resolve.h"
#include "lib/log.h"
#include "mail/maildirsize.h"
#include "mail/quota.h"

#include <string.h>

struct found {
	struct str *out;
	size_t n;
};

static int
take_alias(void *arg, const char *alias, const char *line)
{
	struct found *f = arg;

	(void)alias;
	auth_answer_cat(f->out, "ALIAS", line);
	f->n++;
	return f->out->len > AUTHPROTO_ANSWER_MAX;
}

static enum auth_status
ask_alias(struct authd_work *w, const struct vdomain_ref *d,
    const char *alias, struct found *f)
{
	int ended = 0;

	/* That is .qmail-default, which is not an alias. */
	if (strcmp(alias, "default") == 0)
		return AUTH_OK;
	switch (vstore_alias_each(w->store, d, alias, take_alias, f,
	    &ended)) {
	case VSTORE_OK:
	case VSTORE_NONE:
		return AUTH_OK;
	case VSTORE_EXISTS:
	case VSTORE_WIDE:
	case VSTORE_TEMP:
		break;
	}
	log_warn("%s", vstore_reason_peek(w->store));
	return AUTH_TEMP;
}

static enum auth_status
cat_copy(struct authd_work *w, const struct vdomain_ref *d,
    const char *alias, bool *keeps, struct str *out)
{
	switch (vstore_alias_keeps(w->store, d, alias, keeps)) {
	case VSTORE_OK:
		if (*keeps)
			auth_answer_cat(out, "COPY", "1");
		return AUTH_OK;
	case VSTORE_NONE:
		return AUTH_OK;
	case VSTORE_EXISTS:
	case VSTORE_WIDE:
	case VSTORE_TEMP:
		break;
	}
	log_warn("%s", vstore_reason_peek(w->store));
	return AUTH_TEMP;
}

/* jo-list-x: jo-list-x, then jo-list-default, then jo-default; with user names
 * that have an extension, jo in the end.  *alone_out: there is an alias, and
 * a mailbox of that name gets nothing. */
static enum auth_status
cat_aliases(struct authd_work *w, const struct vdomain_ref *d,
    const char *user, bool *alone_out, struct str *out)
{
	struct found f = {.out = out};
	bool keeps = false;
	struct str name = {0};
	size_t end = strlen(user), dash = bytes_chr(user, end, '-'), at;
	enum auth_status st = ask_alias(w, d, user, &f);

	if (st == AUTH_OK && f.n > 0)
		st = cat_copy(w, d, user, &keeps, out);
	for (; st == AUTH_OK && f.n == 0 &&
	    (at = bytes_rchr(user, end, '-')) > 0 && at < end; end = at) {
		str_copyb(&name, user, at);
		str_cats(&name, "-default");
		st = ask_alias(w, d, str_c(&name), &f);
		if (f.n > 0)
			auth_answer_cat(out, "DEFAULT", user + at + 1);
	}
	if (st == AUTH_OK && f.n == 0 && dash > 0 && user[dash] == '-' &&
	    vsetting_on(&w->set, VSETTING_QMAILEXT)) {
		str_copyb(&name, user, dash);
		st = ask_alias(w, d, str_c(&name), &f);
	}
	*alone_out = st == AUTH_OK && f.n > 0 && !keeps;
	str_free(&name);
	return st;
}

/* The directory is seldom anybody else's to look into. */
static enum auth_status
cat_file(const struct vdomain *d, const char *user, struct str *out)
{
	struct resolve_files f = {0};
	enum auth_status st = AUTH_OK;

	resolve_files_find(str_c(&d->dir), "-", user, &f);
	switch (f.kind) {
	case RESOLVE_FILES_NONE:
		auth_answer_cat(out, "NOFILE", "1");
		break;
	case RESOLVE_FILES_LINES:
		auth_answer_cat(out, "FILE", str_c(&f.name));
		break;
	case RESOLVE_FILES_VPOP:
		auth_answer_cat(out, "ACTION", str_c(&f.action));
		break;
	case RESOLVE_FILES_CLOSED:
		break;
	case RESOLVE_FILES_TEMP:
		log_warn("unable to read .qmail files in %s: %s",
		    str_c(&d->dir), strerror(f.error));
		st = AUTH_TEMP;
		break;
	}
	resolve_files_free(&f);
	return st;
}

/* A Maildir that cannot be looked into has room: delivery will tell. */
static bool
is_full(const struct vuser *u)
{
	struct maildirsize m = {0};
	struct quota q;
	struct str maildir = {0};
	bool full = false, over = false;

	if (quota_parse(str_c(&u->quota), u->quota.len, &q) == 0 &&
	    quota_is_limited(&q)) {
		str_catf(&maildir, "%s/Maildir/", str_c(&u->dir));
		if (maildirsize_fits(str_c(&maildir), &q, 1, 1, &m, &over) == 0)
			full = over;
		str_free(&maildir);
	}
	return full;
}

static enum auth_status
cat_mailbox(struct authd_work *w, const struct vdomain *d, const char *user,
    struct str *out)
{
	struct vuser u = {0};
	struct str base = {0};
	uint32_t flags = 0;
	size_t dash = bytes_chr(user, strlen(user), '-');
	enum auth_status st = authd_account(w, d, user, &u);

	if (st == AUTH_FAIL && user[dash] == '-' && dash > 0 &&
	    vsetting_on(&w->set, VSETTING_QMAILEXT)) {
		str_copyb(&base, user, dash);
		st = authd_account(w, d, str_c(&base), &u);
	}
	if (st == AUTH_OK)
		st = authd_flags(w, d, &u, &flags);
	if (st == AUTH_OK) {
		auth_answer_cat(out, "USER", str_c(&u.name));
		auth_answer_cat(out, "HOME", str_c(&u.dir));
		auth_answer_cat(out, "QUOTA", u.quota.len > 0 ? u.quota.s :
		    "NOQUOTA");
		str_catf(out, "FLAGS=%lu\n", (unsigned long)flags);
		if (is_full(&u))
			auth_answer_cat(out, "FULL", "1");
	}
	str_free(&base);
	if (u.clear.s != NULL)
		explicit_bzero(u.clear.s, u.clear.cap);
	vuser_free(&u);
	/* A domain without that mailbox is an answer. */
	return st == AUTH_FAIL ? AUTH_OK : st;
}

void
authd_work_resolve(struct authd_work *w, const struct auth_request *q,
    struct authd_result *r)
{
	struct str user = {0};
	struct vdomain d = {0};
	struct vdomain_ref ref;
	struct str *out = &r->answer;
	bool alone = false;
	enum vpop_error e;
	enum auth_status st = authd_locate(w, q, &user, &d, r);

	r->keep = r->whole = true;
	if (st == AUTH_OK) {
		auth_answer_cat(out, "DOMAIN", str_c(&d.real));
		auth_answer_cat(out, "DIR", str_c(&d.dir));
		str_catf(out, "UID=%lu\nGID=%lu\n", (unsigned long)d.uid,
		    (unsigned long)d.gid);
		auth_answer_cat(out, "BASE", w->world->vpopmail_dir);
		auth_answer_cat(out, "OVERQUOTA", vsetting_peek(&w->set,
		    VSETTING_OVERQUOTA));
		ref = vdomain_ref_peek(&d);
		st = cat_file(&d, str_c(&user), out);
		e = vpop_user_name(&user, false);
		if (st == AUTH_OK && (e == VPOP_OK || e == VPOP_USER_LONG) &&
		    !vsetting_is(&w->set, VSETTING_STORE, "cdb"))
			st = cat_aliases(w, &ref, str_c(&user), &alone, out);
		if (st == AUTH_OK && (e == VPOP_OK || e == VPOP_USER_LONG))
			st = cat_mailbox(w, &d, str_c(&user), out);
		/* Whoever has an alias alone needs no word on a mailbox. */
		if (st == AUTH_TEMP && alone)
			st = AUTH_OK;
	}
	if (st == AUTH_OK)
		str_cats(out, ".\n");
	else
		str_clear(out);
	r->status = st;
	str_free(&user);
	vdomain_free(&d);
}
