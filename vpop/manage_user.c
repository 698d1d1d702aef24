/* vpop/manage_user.c - accounts and aliases of one domain; see manage.h.
 *
 * An account is added by its record: the directory is there before, and
 * belongs to nobody until then.  It is taken away in the other order: its
 * directory gets another name, so that mail is deferred, then the record goes,
 * then the directory. */
#include "vpop/manage_parts.h"

#include "lib/fs.h"
#include "lib/log.h"
#include "mail/dotqmail.h"
#include "mail/limits.h"
#include "mail/maildirsize.h"
#include "mail/vplan.h"
#include "vpop/vfile.h"
#include "vpop/vtree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NEVER_FROM "0.0.0.0"            /* of somebody who never logged in */

static void
told(struct vcommand *c, const struct vdomain *d, const char *user,
    const char *action)
{
	struct str addr = {0};

	str_catf(&addr, "%s@%s", user, str_c(&d->real));
	vmanage_changed(c, str_c(&d->real), user);
	vmanage_hook(c, action, str_c(&addr), NULL);
	str_free(&addr);
}

/* -- adding -- */

enum vpop_error
vmanage_user_quota(struct vcommand *c, const struct vdomain *d,
    struct str *out, struct str *why)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	struct vlimits l;
	enum vstore_status st = vstore_limits_get(c->store, &ref, &l);
	struct quota q;

	str_clear(out);
	if (st != VSTORE_OK && st != VSTORE_NONE)
		return vmanage_store(c, st, VPOP_LIMITS, VPOP_LIMITS,
		    str_c(&d->real), why);
	q = (struct quota){.bytes = l.defaultquota,
	    .count = l.defaultmaxmsgcount};
	quota_cat(out, &q);
	return VPOP_OK;
}

/* Where the record has its directory; acting as the owner.  What a killed
 * program left there is empty. */
static int
make_home(const char *path, bool sync)
{
	int r = vtree_make_home(path, sync);

	if (r == 0 || errno != EEXIST)
		return r;
	if (vtree_remove_bare(path) < 0) {
		errno = EEXIST;
		return -1;
	}
	return vtree_make_home(path, sync);
}

static void
remove_home(const struct vdomain *d, const char *path)
{
	struct vfile_as as;

	if (vfile_as_begin(&as, d->uid, d->gid) < 0)
		return;
	if (vtree_remove(path) < 0)
		log_sys("unable to remove %s", path);
	vfile_as_end(&as);
}

/* The next place below the domain: its directory made, its path in *dir. */
static enum vpop_error
make_place(const struct vdomain *d, struct vdirs *places, const char *name,
    bool sync, struct str *dir, struct str *why)
{
	struct str sub = {0};
	struct vfile_as as;
	enum vpop_error e = VPOP_OK;
	int r;

	vdirs_take(places, &sub);
	str_clear(dir);
	str_catf(dir, "%s%s%s/%s", str_c(&d->dir), sub.len > 0 ? "/" : "",
	    str_c(&sub), name);
	r = vfile_as_begin(&as, d->uid, d->gid);
	if (r == 0) {
		r = vtree_make_places(str_c(&d->dir), str_c(&sub), 0700);
		if (r == 0)
			r = make_home(str_c(dir), sync);
		vfile_as_end(&as);
	}
	if (r < 0)
		e = vmanage_fail(errno == EEXIST ? VPOP_USER_DIR_EXISTS :
		    VPOP_CANNOT_MAKE_DIR, why, str_c(dir), NULL);
	str_free(&sub);
	return e;
}

static const char *
or_empty(const char *s)
{
	return s == NULL ? "" : s;
}

static enum vpop_error
check_value(struct vcommand *c, const struct str *v, enum vstore_width w,
    enum vpop_error too_long, const char *what, struct str *why)
{
	size_t width = vstore_width(c->store, w);
	bool colon = vsetting_is(&c->settings, VSETTING_STORE, "cdb");

	for (size_t i = 0; i < v->len; i++)
		if ((unsigned char)v->s[i] < ' ' || v->s[i] == '\177' ||
		    (v->s[i] == ':' && colon)) {
			str_catf(why, "in the %s", what);
			return VPOP_BAD_CHAR;
		}
	if (v->len <= width)
		return VPOP_OK;
	str_catf(why, "the store keeps %zu bytes of it", width);
	return too_long;
}

/* What the store would refuse, with the numbers that scripts know. */
static enum vpop_error
check_user(struct vcommand *c, const struct vuser *u, struct str *why)
{
	enum vpop_error e;

	if ((e = check_value(c, &u->name, VSTORE_W_NAME, VPOP_USER_LONG,
	    "user name", why)) != VPOP_OK ||
	    (e = check_value(c, &u->hash, VSTORE_W_HASH, VPOP_PASSWD_LONG,
	    "password hash", why)) != VPOP_OK ||
	    (e = check_value(c, &u->gecos, VSTORE_W_GECOS, VPOP_GECOS_LONG,
	    "comment", why)) != VPOP_OK ||
	    (e = check_value(c, &u->quota, VSTORE_W_QUOTA, VPOP_QUOTA_LONG,
	    "quota", why)) != VPOP_OK ||
	    (e = check_value(c, &u->dir, VSTORE_W_DIR, VPOP_DIR_LONG,
	    "directory", why)) != VPOP_OK)
		return e;
	return check_value(c, &u->clear, VSTORE_W_CLEAR, VPOP_CLEAR_LONG,
	    "clear password", why);
}

enum vpop_error
vmanage_user_prepare(struct vcommand *c, const struct vdomain *d,
    struct vdirs *places, const struct vmanage_user *m, const char *quota,
    bool sync, struct vuser *out, struct str *why)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	enum vstore_status st = vstore_user_get(c->store, &ref, m->name, out);
	enum vpop_error e;

	if (st == VSTORE_OK)
		st = VSTORE_EXISTS;
	if (st != VSTORE_NONE)
		return vmanage_store(c, st, VPOP_NO_USER,
		    VPOP_USERNAME_EXISTS, m->name, why);
	str_copys(&out->name, m->name);
	str_copys(&out->hash, or_empty(m->hash));
	str_copys(&out->clear, or_empty(m->clear));
	str_copys(&out->gecos, or_empty(m->gecos));
	str_copys(&out->quota, m->quota != NULL ? m->quota : quota);
	out->flags = m->flags;
	if ((e = check_user(c, out, why)) != VPOP_OK)
		return e;
	e = make_place(d, places, m->name, sync, &out->dir, why);
	if (e == VPOP_OK && (e = check_value(c, &out->dir, VSTORE_W_DIR,
	    VPOP_DIR_LONG, "directory", why)) != VPOP_OK)
		remove_home(d, str_c(&out->dir));
	return e;
}

/* A store that failed may have kept it all the same: *gone_out says whether the
 * account is certainly not there. */
static enum vpop_error
take_back(struct vcommand *c, const struct vdomain *d, const struct vuser *u,
    enum vpop_error e, bool *gone_out, struct str *why)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	enum vstore_status st = vstore_user_del(c->store, &ref,
	    str_c(&u->name));
	struct vuser left = {0};

	/* one that lets nothing be changed can still be asked */
	if (st == VSTORE_TEMP && vstore_user_get(c->store, &ref,
	    str_c(&u->name), &left) == VSTORE_NONE)
		st = VSTORE_NONE;
	vuser_free(&left);
	*gone_out = st == VSTORE_OK || st == VSTORE_NONE;
	if (!*gone_out)
		str_catf(why, "; the account may be there all the same: %s",
		    vstore_reason_peek(c->store));
	return e;
}

static enum vpop_error
store_user(struct vcommand *c, const struct vdomain *d, struct vuser *u,
    bool *gone_out, struct str *why)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	enum vstore_status st = vstore_user_add(c->store, &ref, u);
	enum vpop_error e;

	*gone_out = true;
	e = vmanage_store(c, st, VPOP_NO_DOMAIN, VPOP_USERNAME_EXISTS,
	    str_c(&u->name), why);
	if (st == VSTORE_TEMP)
		return take_back(c, d, u, e, gone_out, why);
	if (e != VPOP_OK)
		return e;
	e = vmanage_store(c, vstore_lastauth_set(c->store, &ref, u,
	    (int64_t)time(NULL), NEVER_FROM), VPOP_BAD_U_DIR,
	    VPOP_BAD_U_DIR, str_c(&u->name), why);
	return e == VPOP_OK ? e : take_back(c, d, u, e, gone_out, why);
}

static enum vpop_error
add_user(struct vcommand *c, const struct vdomain *d,
    const struct vmanage_user *m, const char *quota, struct str *why)
{
	struct vdirs places;
	struct vuser u = {0};
	enum vpop_error e;
	bool gone = false;

	e = vmanage_store(c, vdirs_begin(&places, c->store, str_c(&d->real),
	    str_c(&d->dir)), VPOP_BAD_D_DIR, VPOP_BAD_D_DIR, str_c(&d->dir),
	    why);
	if (e != VPOP_OK)
		return e;
	e = vmanage_user_prepare(c, d, &places, m, quota, true, &u, why);
	if (e == VPOP_OK)
		e = store_user(c, d, &u, &gone, why);
	if (e == VPOP_OK) {
		enum vstore_status st = vdirs_end(&places, true);

		if (st != VSTORE_OK)
			log_warn("%s: the count of directories is wrong now: "
			    "%s", str_c(&d->real),
			    vstore_reason_peek(c->store));
	} else if (vdirs_end(&places, false) != VSTORE_OK) {
		log_warn("%s: %s", str_c(&d->real),
		    vstore_reason_peek(c->store));
	}
	if (e != VPOP_OK && gone)
		remove_home(d, str_c(&u.dir));
	vuser_free(&u);
	return e;
}

enum vpop_error
vmanage_user_first(struct vcommand *c, const struct vdomain *d,
    const struct vmanage_user *m, struct str *why)
{
	struct str quota = {0};
	enum vpop_error e = vmanage_user_quota(c, d, &quota, why);

	if (e == VPOP_OK)
		e = add_user(c, d, m, str_c(&quota), why);
	str_free(&quota);
	return e;
}

enum vpop_error
vmanage_user_add(struct vcommand *c, const struct vdomain *d,
    const struct vmanage_user *m, struct str *why)
{
	enum vpop_error e = vmanage_user_first(c, d, m, why);

	if (e == VPOP_OK)
		told(c, d, m->name, "add_user");
	return e;
}

/* -- taking away -- */

static bool
is_below(const char *path, const struct str *dir)
{
	return strncmp(path, str_c(dir), dir->len) == 0 &&
	    path[dir->len] == '/' && strstr(path, "/../") == NULL &&
	    strstr(path, "//") == NULL;
}

/* Does the action of .qmail-default lead to this account? */
static bool
leads_to(const char *action, const struct vdomain *d, const struct vuser *u)
{
	struct str user = {0}, domain = {0};
	size_t n = strlen(action);
	bool is;

	if (action[0] == '/') {
		while (n > 1 && action[n - 1] == '/')
			n--;
		return bytes_caseeq(action, n, str_c(&u->dir), u->dir.len) ||
		    (n > u->dir.len && action[u->dir.len] == '/' &&
		    strncmp(action, str_c(&u->dir), u->dir.len) == 0);
	}
	is = vpop_split(action + (action[0] == '&'), &user, &domain) ==
	    VPOP_OK && str_eqs(&user, str_c(&u->name)) &&
	    (str_eqs(&domain, str_c(&d->real)) ||
	    str_eqs(&domain, str_c(&d->name)));
	str_free(&user);
	str_free(&domain);
	return is;
}

/* -1 when it cannot be read: who knows then? */
static int
is_catchall(const struct vdomain *d, const struct vuser *u, bool *out)
{
	struct str path = {0}, text = {0}, action = {0};
	struct dotqmail q = {0};
	struct vfile_as as;
	int r = vfile_as_begin(&as, d->uid, d->gid), e;

	*out = false;
	str_catf(&path, "%s/.qmail-default", str_c(&d->dir));
	if (r == 0) {
		r = fs_read(str_c(&path), &text, DOTQMAIL_MAX);
		if (r < 0 && (errno == ENOENT || errno == ENOTDIR))
			r = 0;
		e = errno;
		vfile_as_end(&as);
		errno = e;
	}
	if (r == 0)
		dotqmail_parse(&q, str_c(&text), text.len, false);
	for (size_t i = 0; i < q.n; i++)
		if (q.steps[i].kind == DOTQMAIL_PROGRAM &&
		    vplan_is_call(dotqmail_arg(&q, i), &action) &&
		    leads_to(str_c(&action), d, u))
			*out = true;
	e = errno;
	dotqmail_free(&q);
	str_free(&path);
	str_free(&text);
	str_free(&action);
	errno = e;
	return r;
}

static int
trash_begin(struct vmanage_trash *t, const struct vdomain *d,
    const struct vuser *u)
{
	struct vfile_as as;
	int r;

	*t = (struct vmanage_trash){.lock = -1};
	if (u->dir.len == 0)
		return 0;
	if (!is_below(str_c(&u->dir), &d->dir)) {
		log_warn("%s is not below %s and stays", str_c(&u->dir),
		    str_c(&d->dir));
		return 0;
	}
	if ((r = vfile_as_begin(&as, d->uid, d->gid)) == 0) {
		r = vmanage_trash_begin(t, str_c(&u->dir));
		vfile_as_end(&as);
	}
	return r;
}

static void
give_place(struct vcommand *c, const struct vdomain *d, const char *dir)
{
	struct vdirs places;
	enum vstore_status st = vdirs_begin(&places, c->store,
	    str_c(&d->real), str_c(&d->dir));

	if (st == VSTORE_OK) {
		vdirs_give(&places, dir);
		st = vdirs_end(&places, true);
	}
	if (st != VSTORE_OK)
		log_warn("%s: the count of directories is wrong now: %s",
		    str_c(&d->real), vstore_reason_peek(c->store));
}

/* One that failed and did it all the same has done it. */
static enum vstore_status
del_record(struct vcommand *c, const struct vdomain_ref *ref,
    const char *user)
{
	enum vstore_status st = vstore_user_del(c->store, ref, user);
	struct str reason = {0};
	struct vuser u = {0};

	if (st != VSTORE_TEMP)
		return st;
	str_cats(&reason, vstore_reason_peek(c->store));
	if (vstore_user_get(c->store, ref, user, &u) == VSTORE_NONE) {
		log_warn("%s", str_c(&reason));
		st = VSTORE_OK;
	} else {
		/* the reason of the first is the one to tell */
		st = vstore_user_del(c->store, ref, user);
	}
	vuser_free(&u);
	str_free(&reason);
	return st;
}

static enum vpop_error
del_user(struct vcommand *c, const struct vdomain *d, const struct vuser *u,
    struct str *why)
{
	const struct vmanage_owner owner = {d->uid, d->gid};
	struct vdomain_ref ref = vdomain_ref_peek(d);
	struct vmanage_trash t;
	struct vfile_as as;
	enum vpop_error e;

	if (trash_begin(&t, d, u) < 0)
		return vmanage_fail(VPOP_BAD_U_DIR, why, str_c(&u->dir),
		    NULL);
	e = vmanage_store(c, del_record(c, &ref, str_c(&u->name)),
	    VPOP_NO_USER, VPOP_USERNAME_EXISTS, str_c(&u->name), why);
	if (e != VPOP_OK) {
		if (vfile_as_begin(&as, d->uid, d->gid) < 0)
			as.on = false;
		vmanage_trash_undo(&t, why);
		vfile_as_end(&as);
		return e;
	}
	vmanage_trash_keep(&t);
	give_place(c, d, str_c(&u->dir));
	vmanage_trash_sweep(&t, owner, owner);
	return VPOP_OK;
}

enum vpop_error
vmanage_user_del(struct vcommand *c, const struct vdomain *d,
    const char *user, struct str *why)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	struct vuser u = {0};
	enum vpop_error e = vmanage_store(c, vstore_user_get(c->store, &ref,
	    user, &u), VPOP_NO_USER, VPOP_USERNAME_EXISTS, user, why);
	bool catchall = false;

	if (e == VPOP_OK && is_catchall(d, &u, &catchall) < 0)
		e = vmanage_fail(VPOP_OPEN_DOTQMAIL, why, str_c(&d->dir),
		    NULL);
	if (e == VPOP_OK && catchall) {
		str_cats(why, user);
		e = VPOP_CATCHALL;
	}
	if (e == VPOP_OK)
		e = del_user(c, d, &u, why);
	if (e == VPOP_OK)
		told(c, d, user, "del_user");
	vuser_free(&u);
	return e;
}

/* -- changing -- */

void
vmanage_set_quota(const struct vdomain *d, const struct vuser *u)
{
	struct str maildir = {0};
	struct maildirsize size;
	struct vfile_as as;
	struct quota q;
	struct stat st;

	str_catf(&maildir, "%s/Maildir/", str_c(&u->dir));
	if (u->dir.len > 0 &&
	    quota_parse(str_c(&u->quota), u->quota.len, &q) == 0 &&
	    vfile_as_begin(&as, d->uid, d->gid) == 0) {
		if (stat(str_c(&maildir), &st) == 0 &&
		    maildirsize_rebuild(str_c(&maildir), &q, &size) < 0)
			log_sys("unable to write %smaildirsize",
			    str_c(&maildir));
		vfile_as_end(&as);
	}
	str_free(&maildir);
}

enum vpop_error
vmanage_user_set(struct vcommand *c, const struct vdomain *d,
    const struct vuser *u, struct str *why)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	struct vuser old = {0};
	enum vpop_error e = check_user(c, u, why);

	if (e == VPOP_OK)
		e = vmanage_store(c, vstore_user_get(c->store, &ref,
		    str_c(&u->name), &old), VPOP_NO_USER,
		    VPOP_USERNAME_EXISTS, str_c(&u->name), why);
	if (e == VPOP_OK)
		e = vmanage_store(c, vstore_user_set(c->store, &ref, u),
		    VPOP_NO_USER, VPOP_USERNAME_EXISTS, str_c(&u->name),
		    why);
	if (e == VPOP_OK) {
		if (!str_eqs(&old.quota, str_c(&u->quota)))
			vmanage_set_quota(d, u);
		told(c, d, str_c(&u->name), "mod_user");
	}
	vuser_free(&old);
	return e;
}

/* What is missing of a directory that the record names.  One elsewhere than
 * below the domain's is made too, as far as its owner may. */
static enum vpop_error
make_missing(const struct vdomain *d, const struct vuser *u,
    struct str *why)
{
	const char *dir = str_c(&u->dir);
	struct vfile_as as;
	struct str sub = {0};
	struct stat st;
	int r = vfile_as_begin(&as, d->uid, d->gid);

	if (r == 0 && lstat(dir, &st) < 0) {
		if (is_below(dir, &d->dir))
			str_copyb(&sub, dir + d->dir.len + 1,
			    bytes_rchr(dir, u->dir.len, '/') > d->dir.len ?
			    bytes_rchr(dir, u->dir.len, '/') - d->dir.len - 1 :
			    0);
		r = errno != ENOENT ? -1 : vtree_make_places(
		    str_c(&d->dir), str_c(&sub), 0700);
		if (r == 0)
			r = vtree_make_home(dir, true);
	} else if (r == 0) {
		r = vtree_make_maildir(dir, true);
		if (r < 0 && errno == EEXIST)
			r = 0;
	}
	vfile_as_end(&as);
	str_free(&sub);
	return r < 0 ? vmanage_fail(VPOP_CANNOT_MAKE_DIR, why, dir, NULL) :
	    VPOP_OK;
}

enum vpop_error
vmanage_user_dir(struct vcommand *c, const struct vdomain *d, struct vuser *u,
    struct str *why)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	struct vdirs places;
	enum vpop_error e;

	if (u->dir.len > 0)
		return make_missing(d, u, why);
	e = vmanage_store(c, vdirs_begin(&places, c->store, str_c(&d->real),
	    str_c(&d->dir)), VPOP_BAD_D_DIR, VPOP_BAD_D_DIR, str_c(&d->dir),
	    why);
	if (e != VPOP_OK)
		return e;
	e = make_place(d, &places, str_c(&u->name), true, &u->dir, why);
	if (e == VPOP_OK) {
		e = vmanage_store(c, vstore_user_set(c->store, &ref, u),
		    VPOP_NO_USER, VPOP_USERNAME_EXISTS, str_c(&u->name),
		    why);
		if (e != VPOP_OK)
			remove_home(d, str_c(&u->dir));
	}
	if (vdirs_end(&places, e == VPOP_OK) != VSTORE_OK)
		log_warn("%s: the count of directories is wrong now: %s",
		    str_c(&d->real), vstore_reason_peek(c->store));
	if (e != VPOP_OK)
		str_clear(&u->dir);
	else
		vmanage_changed(c, str_c(&d->real), str_c(&u->name));
	return e;
}

/* -- aliases -- */

static void
told_alias(struct vcommand *c, const struct vdomain *d, const char *alias,
    const char *line, const char *action)
{
	struct str addr = {0};

	str_catf(&addr, "%s@%s", alias, str_c(&d->real));
	vmanage_changed(c, str_c(&d->real), alias);
	vmanage_hook(c, action, str_c(&addr), line);
	str_free(&addr);
}

enum vpop_error
vmanage_alias_add(struct vcommand *c, const struct vdomain *d,
    const char *alias, const char *line, struct str *why)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	enum vpop_error e = vmanage_store(c, vstore_alias_add(c->store, &ref,
	    alias, line), VPOP_NO_DOMAIN, VPOP_USERNAME_EXISTS, alias, why);

	if (e == VPOP_OK)
		told_alias(c, d, alias, line, "valias_insert");
	return e;
}

enum vpop_error
vmanage_alias_del(struct vcommand *c, const struct vdomain *d,
    const char *alias, const char *line, struct str *why)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	enum vpop_error e = vmanage_store(c, vstore_alias_del(c->store, &ref,
	    alias, line), VPOP_NO_USER, VPOP_USERNAME_EXISTS, alias, why);

	if (e == VPOP_OK)
		told_alias(c, d, alias, line, line == NULL ?
		    "valias_delete" : "valias_remove");
	return e;
}
