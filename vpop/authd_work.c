/* vpop/authd_work.c - answering one question; see authd_work.h.
 *
 * Trouble with the store, the domains or the disk is AUTH_TEMP, never a
 * refusal.  An account that is not there costs as much time as one that is. */
#include "vpop/authd_work.h"

#include "lib/io.h"
#include "lib/ip.h"
#include "lib/log.h"
#include "mail/quota.h"
#include "vpop/authd_sys.h"
#include "vpop/dirs.h"
#include "vpop/password.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WARN_EVERY 60           /* seconds */

enum class { CLASS_OTHER, CLASS_SMTP, CLASS_POP, CLASS_IMAP, CLASS_WEBMAIL };

static const struct {
	const char *service;
	enum class class;
} classes[] = {
	{"smtp", CLASS_SMTP}, {"smtps", CLASS_SMTP},
	{"submission", CLASS_SMTP}, {"esmtp", CLASS_SMTP},
	{"pop3", CLASS_POP}, {"pop3s", CLASS_POP}, {"pop", CLASS_POP},
	{"imap", CLASS_IMAP}, {"imaps", CLASS_IMAP},
	{"webmail", CLASS_WEBMAIL},
};

/* A login, as far as it has got. */
struct login {
	struct str user;
	struct vdomain d;
	struct vuser u;
	uint32_t flags;
	enum class class;
	bool ours, web;         /* vchkpw asks; it came from a web mail host */
};

void
authd_result_free(struct authd_result *r)
{
	password_wipe(&r->answer);
	str_free(&r->typed);
	str_free(&r->real);
	str_free(&r->user);
	*r = (struct authd_result){0};
}

int
authd_work_init(struct authd_work *w, const struct authd_world *world)
{
	struct str reason = {0};
	int r = 0;

	*w = (struct authd_work){.world = world};
	if (world->set != NULL)
		w->set = *world->set;
	else
		r = vsettings_load(world->vpopmail_dir, &w->set, &reason);
	if (r < 0)
		log_warn("%s", str_c(&reason));
	else
		w->store = world->open(vsetting_peek(&w->set, VSETTING_STORE),
		    world->vpopmail_dir);
	str_free(&reason);
	return r;
}

void
authd_work_free(struct authd_work *w)
{
	if (w->store != NULL)
		vstore_close(w->store);
	vsettings_free(&w->set);
	password_wipe(&w->like);
	*w = (struct authd_work){0};
}

/* ---- who is meant ---- */

static enum auth_status
store_trouble(struct authd_work *w)
{
	log_warn("%s", vstore_reason_peek(w->store));
	return AUTH_TEMP;
}

/* What a stranger wrote reaches the log only through here. */
static void
warn_about(const char *before, const struct str *what, const char *after)
{
	struct str text = {0};

	log_quote(&text, str_c(what), what->len);
	log_warn("%s %s%s", before, str_c(&text), after);
	str_free(&text);
}

/* The domain of an address without one, or an empty one. */
static enum auth_status
implied_domain(struct authd_work *w, const char *local_ip, struct str *out)
{
	if (*local_ip != '\0')
		switch (vstore_ipmap_get(w->store, local_ip, out)) {
		case VSTORE_OK:
			return AUTH_OK;
		case VSTORE_TEMP:
			return store_trouble(w);
		case VSTORE_NONE:
		case VSTORE_EXISTS:
		case VSTORE_WIDE:
			break;
		}
	str_copys(out, vsetting_peek(&w->set, VSETTING_DEFAULTDOMAIN));
	return AUTH_OK;
}

/* Mail goes to any name before the last @; .qmail files and -default aliases
 * have such as no account can have. */
static enum vpop_error
split_resolve(const char *addr, struct str *user, struct str *domain)
{
	size_t n = strlen(addr), at = bytes_rchr(addr, n, '@');

	if (addr[at] != '@')
		return vpop_split(addr, user, domain);
	str_copyb(user, addr, at);
	str_copys(domain, addr + at + 1);
	str_lower(user);
	return at == 0 ? VPOP_ILLEGAL_USERNAME : VPOP_OK;
}

enum auth_status
authd_locate(struct authd_work *w, const struct auth_request *q,
    struct str *user_out, struct vdomain *d_out, struct authd_result *r)
{
	struct str domain = {0};
	enum auth_status st = AUTH_FAIL;
	bool resolve = q->op == AUTH_OP_RESOLVE;

	if ((resolve ? split_resolve : vpop_split)(str_c(&q->user), user_out,
	    &domain) != VPOP_OK)
		goto out;
	if (domain.len == 0 && (st = implied_domain(w, resolve ? "" :
	    str_c(&q->local_ip), &domain)) != AUTH_OK)
		goto out;
	st = AUTH_FAIL;
	if (vpop_domain_name(&domain) != VPOP_OK)
		goto out;
	str_copy(&r->typed, &domain);
	str_copy(&r->user, user_out);
	switch (w->world->find(str_c(&domain), d_out)) {
	case VDOMAIN_OK:
		str_copy(&r->real, &d_out->real);
		st = AUTH_OK;
		break;
	case VDOMAIN_NONE:
		break;
	case VDOMAIN_TEMP:
		log_sys("unable to look up the domain %s", str_c(&domain));
		st = AUTH_TEMP;
		break;
	}
out:
	str_free(&domain);
	return st;
}

/* A record that somebody put in by hand may have no directory yet. */
static enum auth_status
choose_home(struct authd_work *w, const struct vdomain_ref *d,
    struct vuser *u)
{
	struct vdirs dirs;
	struct str sub = {0};
	enum vstore_status st = vdirs_begin(&dirs, w->store, d->name, d->dir);

	if (st != VSTORE_OK)
		return store_trouble(w);
	vdirs_take(&dirs, &sub);
	str_catf(&u->dir, "%s/%s%s%s", d->dir, str_c(&sub),
	    sub.len > 0 ? "/" : "", str_c(&u->name));
	str_free(&sub);
	st = vstore_user_set(w->store, d, u);
	if (vdirs_end(&dirs, st == VSTORE_OK) != VSTORE_OK ||
	    st != VSTORE_OK) {
		str_clear(&u->dir);
		return store_trouble(w);
	}
	return AUTH_OK;
}

enum auth_status
authd_account(struct authd_work *w, const struct vdomain *d, const char *user,
    struct vuser *out)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);

	switch (vstore_user_get(w->store, &ref, user, out)) {
	case VSTORE_OK:
		return out->dir.len > 0 ? AUTH_OK : choose_home(w, &ref, out);
	case VSTORE_NONE:
		return AUTH_FAIL;
	case VSTORE_EXISTS:
	case VSTORE_WIDE:
	case VSTORE_TEMP:
		break;
	}
	return store_trouble(w);
}

enum auth_status
authd_flags(struct authd_work *w, const struct vdomain *d,
    const struct vuser *u, uint32_t *out)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	struct vlimits limits = {0};
	enum vstore_status st;

	*out = u->flags;
	if (u->flags & VPOP_OVERRIDE)
		return AUTH_OK;
	st = vstore_limits_get(w->store, &ref, &limits);
	if (st != VSTORE_OK && st != VSTORE_NONE)
		return store_trouble(w);
	*out |= limits.disable;
	return AUTH_OK;
}

/* ---- what is said of an account ---- */

static void
cat_number(struct str *out, const char *name, uint64_t n)
{
	str_catf(out, "%s=%llu\n", name, (unsigned long long)n);
}

/* courier's client enforces these.  From a web mail host it is the web mail
 * that is open or closed, whatever it speaks to us. */
static void
cat_options(struct str *out, uint32_t flags, bool web)
{
	uint32_t no_imap = web ? VPOP_NO_WEBMAIL : VPOP_NO_IMAP;
	uint32_t no_pop = web ? VPOP_NO_WEBMAIL : VPOP_NO_POP;
	const char *sep = "";

	if (flags & no_imap) {
		str_cats(out, "disableimap=1");
		sep = ",";
	}
	if (flags & no_pop) {
		str_catf(out, "%sdisablepop3=1", sep);
		sep = ",";
	}
	if (flags & VPOP_NO_WEBMAIL)
		str_catf(out, "%sdisablewebmail=1", sep);
}

static bool
may_see_hash(const struct authd_work *w, uid_t asker,
    const struct vdomain *d)
{
	return asker == 0 || asker == w->world->uid_vpopmail ||
	    asker == d->uid;
}

static void
cat_account(struct authd_work *w, const struct login *l, uid_t asker,
    struct str *out)
{
	struct str s = {0};
	struct quota quota;

	str_reserve(out, AUTHPROTO_MAX);
	cat_number(out, "UID", l->d.uid);
	cat_number(out, "GID", l->d.gid);
	auth_answer_cat(out, "HOME", str_c(&l->u.dir));
	str_catf(&s, "%s@%s", str_c(&l->u.name), str_c(&l->d.real));
	auth_answer_cat(out, "ADDRESS", str_c(&s));
	if (l->u.gecos.len > 0)
		auth_answer_cat(out, "NAME", str_c(&l->u.gecos));
	if (quota_parse(str_c(&l->u.quota), l->u.quota.len, &quota) == 0 &&
	    quota_is_limited(&quota)) {
		str_clear(&s);
		quota_cat(&s, &quota);
		auth_answer_cat(out, "QUOTA", str_c(&s));
	}
	if (may_see_hash(w, asker, &l->d)) {
		if (l->u.hash.len > 0)
			auth_answer_cat(out, "PASSWD", l->u.hash.s);
		if (l->u.clear.len > 0)
			auth_answer_cat(out, "PASSWD2", l->u.clear.s);
	}
	str_clear(&s);
	cat_options(&s, l->flags, l->web);
	if (s.len > 0)
		auth_answer_cat(out, "OPTIONS", s.s);
	if (l->ours)
		cat_number(out, "FLAGS", l->flags);
	str_free(&s);
}

static bool
is_webmail_host(const struct authd_work *w, const char *text)
{
	struct ip ip, net;
	unsigned bits;
	const char *item;

	if (ip_parse(text, strlen(text), &ip) < 0)
		return false;
	for (size_t i = 0; (item = vsetting_item_peek(&w->set,
	    VSETTING_WEBMAILHOSTS, i)) != NULL; i++)
		if (ip_parse_net(item, strlen(item), &net, &bits) == 0 &&
		    ip_in(&ip, &net, bits))
			return true;
	return false;
}

static void
classify(const struct authd_work *w, const struct auth_request *q,
    struct login *l)
{
	const char *name = str_c(&q->service);

	l->ours = strncmp(name, AUTHD_OURS, sizeof AUTHD_OURS - 1) == 0;
	if (l->ours)
		name += sizeof AUTHD_OURS - 1;
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (strcmp(name, classes[i].service) == 0)
			l->class = classes[i].class;
	if (l->class == CLASS_POP || l->class == CLASS_IMAP)
		l->web = is_webmail_host(w, str_c(&q->remote_ip));
	if (l->web && l->ours)
		l->class = CLASS_WEBMAIL;
}

/* The service that the flags deny, or NULL.  Of what others ask courier's
 * clients deny all but SMTP themselves. */
static const char *
denied(const struct login *l)
{
	if (l->class == CLASS_SMTP && (l->flags & VPOP_NO_SMTP))
		return "smtp";
	if (!l->ours)
		return NULL;
	if (l->class == CLASS_POP && (l->flags & VPOP_NO_POP))
		return "pop";
	if (l->class == CLASS_IMAP && (l->flags & VPOP_NO_IMAP))
		return "imap";
	if (l->class == CLASS_WEBMAIL && (l->flags & VPOP_NO_WEBMAIL))
		return "webmail";
	return NULL;
}

/* ---- passwords ---- */

static bool
is_right(struct authd_work *w, const struct auth_request *q,
    const struct login *l)
{
	const char *secret = str_c(&q->secret), *clear = str_c(&l->u.clear);

	switch (q->op) {
	case AUTH_OP_CRAM_MD5:
		return password_is_cram_md5(clear, str_c(&q->challenge),
		    secret);
	case AUTH_OP_APOP:
		return password_is_apop(clear, str_c(&q->challenge), secret);
	case AUTH_OP_LOGIN:
	case AUTH_OP_PASSWD:
	case AUTH_OP_PRE:
	case AUTH_OP_ENUMERATE:
	case AUTH_OP_RESOLVE:
	case AUTH_OP_CHANGED:
		break;
	}
	if (l->u.hash.len == 0) {
		password_dummy(str_c(&w->like), secret);
		return false;
	}
	switch (password_verify(str_c(&l->u.hash), secret)) {
	case PASSWORD_OK:
		str_copy(&w->like, &l->u.hash);
		return true;
	case PASSWORD_WRONG:
		str_copy(&w->like, &l->u.hash);
		break;
	case PASSWORD_UNKNOWN:
		warn_about("the stored password of", &q->user,
		    " is not understood");
		break;
	}
	return false;
}

/* A new hash (and clear password, when they are kept) into u. */
static enum auth_status
set_password(struct authd_work *w, const struct vdomain *d, struct vuser *u,
    const char *password)
{
	struct vdomain_ref ref = vdomain_ref_peek(d);
	size_t width = vstore_width(w->store, VSTORE_W_HASH);
	enum vstore_status st;

	if (password_make(vsetting_peek(&w->set, VSETTING_HASHSCHEME), width,
	    password, &u->hash) < 0) {
		if (errno == ERANGE)
			return AUTH_FAIL;
		log_warn("unable to hash a password by %s: %s",
		    vsetting_peek(&w->set, VSETTING_HASHSCHEME),
		    errno == E2BIG ? "the store has no room for it" :
		    strerror(errno));
		return AUTH_TEMP;
	}
	password_wipe(&u->clear);
	if (vsetting_on(&w->set, VSETTING_CLEARPASSWORDS) &&
	    strlen(password) <= vstore_width(w->store, VSTORE_W_CLEAR))
		str_copys(&u->clear, password);
	st = vstore_user_set(w->store, &ref, u);
	if (st == VSTORE_OK)
		return AUTH_OK;
	return st == VSTORE_NONE ? AUTH_FAIL : store_trouble(w);
}

/* A hash that is cheap to guess at becomes a better one, where there is room
 * for it.  When that fails the login is as right as before. */
static void
rehash(struct authd_work *w, const struct auth_request *q, struct login *l,
    struct authd_result *out)
{
	struct vdomain_ref ref = vdomain_ref_peek(&l->d);
	struct vuser now = {0};
	struct str made = {0};

	if (q->op != AUTH_OP_LOGIN || !password_is_weak(str_c(&l->u.hash)) ||
	    password_make(vsetting_peek(&w->set, VSETTING_HASHSCHEME),
	    vstore_width(w->store, VSTORE_W_HASH), str_c(&q->secret),
	    &made) < 0 || password_is_weak(str_c(&made)))
		goto out;
	/* Unless somebody has changed it meanwhile. */
	if (vstore_user_get(w->store, &ref, str_c(&l->u.name), &now) ==
	    VSTORE_OK && str_eqs(&now.hash, str_c(&l->u.hash))) {
		str_copy(&now.hash, &made);
		if (vstore_user_set(w->store, &ref, &now) == VSTORE_OK) {
			str_copy(&l->u.hash, &made);
			out->changed = true;
		}
	}
out:
	password_wipe(&made);
	vuser_free(&now);
}

static void
note_login(struct authd_work *w, const struct auth_request *q,
    const struct login *l)
{
	struct vdomain_ref ref = vdomain_ref_peek(&l->d);
	int64_t now = w->world->now();

	if (vstore_lastauth_set(w->store, &ref, &l->u, now,
	    q->remote_ip.len > 0 ? q->remote_ip.s : "0.0.0.0") == VSTORE_OK ||
	    now - w->warned < WARN_EVERY)
		return;
	w->warned = now;
	log_warn("unable to note a login: %s", vstore_reason_peek(w->store));
}

/* ---- system users ---- */

/* A name without a domain that is no virtual user's may be a system user's. */
static bool
may_be_system(const struct authd_work *w, const struct auth_request *q)
{
	return w->world->system >= 0 &&
	    vsetting_on(&w->set, VSETTING_SYSTEMUSERS) &&
	    strpbrk(str_c(&q->user), "@%/") == NULL;
}

static enum auth_status
answer_system(struct authd_work *w, const struct auth_request *q,
    struct login *l, struct authd_result *out)
{
	bool login = q->op == AUTH_OP_LOGIN;
	struct user u = {0};
	enum auth_status st = authd_sys_ask(w->world->system, str_c(&q->user),
	    login ? str_c(&q->secret) : NULL, &u);

	out->guess = login && st == AUTH_FAIL;
	if (st == AUTH_OK) {
		cat_number(&out->answer, "UID", u.uid);
		cat_number(&out->answer, "GID", u.gid);
		auth_answer_cat(&out->answer, "HOME", str_c(&u.home));
		auth_answer_cat(&out->answer, "ADDRESS", str_c(&u.name));
		if (u.gecos.len > 0)
			auth_answer_cat(&out->answer, "NAME", u.gecos.s);
		if (l->ours)
			cat_number(&out->answer, "FLAGS", 0);
		str_cats(&out->answer, ".\n");
	}
	user_free(&u);
	return st;
}

/* ---- the questions ---- */

/* Domain, account and flags; whoever is not there costs as much time as a
 * wrong password. */
static enum auth_status
find_login(struct authd_work *w, const struct auth_request *q,
    struct login *l, struct authd_result *out)
{
	enum auth_status st;

	classify(w, q, l);
	st = authd_locate(w, q, &l->user, &l->d, out);
	if (st == AUTH_OK)
		st = authd_account(w, &l->d, str_c(&l->user), &l->u);
	if (st == AUTH_OK)
		return authd_flags(w, &l->d, &l->u, &l->flags);
	if (st == AUTH_FAIL && (q->op == AUTH_OP_LOGIN ||
	    q->op == AUTH_OP_PASSWD))
		password_dummy(str_c(&w->like), str_c(&q->secret));
	return st;
}

static enum auth_status
answer_login(struct authd_work *w, const struct auth_request *q, uid_t asker,
    struct login *l, struct authd_result *out)
{
	enum auth_status st = find_login(w, q, l, out);
	const char *no;

	out->keep = q->op == AUTH_OP_LOGIN;
	if (st == AUTH_FAIL && q->op == AUTH_OP_LOGIN && may_be_system(w, q)) {
		out->keep = false;
		return answer_system(w, q, l, out);
	}
	if (st == AUTH_TEMP)
		return st;
	if (st == AUTH_FAIL || !is_right(w, q, l)) {
		out->guess = true;
		return AUTH_FAIL;
	}
	no = denied(l);
	if (no != NULL && !l->ours)
		return AUTH_FAIL;
	if (no == NULL) {
		note_login(w, q, l);
		rehash(w, q, l, out);
	}
	cat_account(w, l, asker, &out->answer);
	if (no != NULL)
		auth_answer_cat(&out->answer, "DENIED", no);
	str_cats(&out->answer, ".\n");
	return AUTH_OK;
}

static enum auth_status
answer_pre(struct authd_work *w, const struct auth_request *q, uid_t asker,
    struct login *l, struct authd_result *out)
{
	enum auth_status st = find_login(w, q, l, out);

	out->keep = true;
	if (st == AUTH_FAIL && may_be_system(w, q)) {
		out->keep = false;
		return answer_system(w, q, l, out);
	}
	if (st != AUTH_OK)
		return st;
	if (denied(l) != NULL && !l->ours)
		return AUTH_FAIL;
	cat_account(w, l, asker, &out->answer);
	str_cats(&out->answer, ".\n");
	return AUTH_OK;
}

static enum auth_status
answer_passwd(struct authd_work *w, const struct auth_request *q,
    struct login *l, struct authd_result *out)
{
	enum auth_status st = find_login(w, q, l, out);

	if (st == AUTH_TEMP)
		return st;
	if (st == AUTH_FAIL || !is_right(w, q, l)) {
		out->guess = true;
		return AUTH_FAIL;
	}
	if ((l->flags & VPOP_NO_PASSWD_CHNG) || q->challenge.len <
	    w->set.number[VSETTING_MINPASSWORDLENGTH])
		return AUTH_FAIL;
	st = set_password(w, &l->d, &l->u, str_c(&q->challenge));
	out->changed = st == AUTH_OK;
	if (st == AUTH_OK)
		str_cats(&out->answer, "OK\n");
	return st;
}

/* A stranger could only make us forget; still, only a domain's own user may
 * (root's and vpopmail's word is taken without asking us). */
static enum auth_status
answer_changed(struct authd_work *w, const struct auth_request *q,
    uid_t asker, struct authd_result *out)
{
	struct vdomain d = {0};
	enum auth_status st = AUTH_FAIL;

	str_copy(&out->typed, &q->domain);
	str_copy(&out->user, &q->user);
	str_lower(&out->typed);
	str_lower(&out->user);
	if (vpop_domain_name(&out->typed) == VPOP_OK &&
	    w->world->find(str_c(&out->typed), &d) == VDOMAIN_OK &&
	    d.uid == asker) {
		str_copy(&out->real, &d.real);
		str_cats(&out->answer, "OK\n");
		out->changed = true;
		st = AUTH_OK;
	}
	vdomain_free(&d);
	return st;
}

void
authd_work_answer(struct authd_work *w, const struct auth_request *q,
    uid_t asker, struct authd_result *out)
{
	struct login l = {0};

	authd_result_free(out);
	out->status = AUTH_FAIL;
	switch (q->op) {
	case AUTH_OP_PRE:
		out->status = answer_pre(w, q, asker, &l, out);
		break;
	case AUTH_OP_LOGIN:
	case AUTH_OP_CRAM_MD5:
	case AUTH_OP_APOP:
		out->status = answer_login(w, q, asker, &l, out);
		break;
	case AUTH_OP_PASSWD:
		out->status = answer_passwd(w, q, &l, out);
		break;
	case AUTH_OP_RESOLVE:
		authd_work_resolve(w, q, out);
		break;
	case AUTH_OP_CHANGED:
		out->status = answer_changed(w, q, asker, out);
		break;
	case AUTH_OP_ENUMERATE:
		break;
	}
	if (out->status == AUTH_FAIL)
		str_copys(&out->answer, "FAIL\n");
	if (out->answer.len > AUTHPROTO_ANSWER_MAX) {
		warn_about("the answer about", &q->user, " is too long");
		out->status = AUTH_TEMP;
	}
	if (out->status == AUTH_TEMP) {
		out->keep = false;
		str_clear(&out->answer);
	}
	str_free(&l.user);
	vdomain_free(&l.d);
	password_wipe(&l.u.hash);
	password_wipe(&l.u.clear);
	vuser_free(&l.u);
}

/* ---- all accounts ---- */

struct listing {
	struct authd_work *w;
	struct io *out;
	const struct vdomain *d;
};

static int
list_user(void *arg, const struct vuser *u)
{
	struct listing *l = arg;
	struct str line = {0};
	uint32_t flags;
	int r = -1;

	if (authd_flags(l->w, l->d, u, &flags) == AUTH_OK) {
		str_catf(&line, "%s@%s\t%lu\t%lu\t%s\t\t", str_c(&u->name),
		    str_c(&l->d->real), (unsigned long)l->d->uid,
		    (unsigned long)l->d->gid, str_c(&u->dir));
		cat_options(&line, flags, false);
		str_catc(&line, '\n');
		r = io_put(l->out, line.s, line.len) == IO_OK ? 0 : -1;
	}
	str_free(&line);
	return r;
}

static int
list_domain(void *arg, const struct vdomain *d)
{
	struct listing *l = arg;
	struct vdomain_ref ref = vdomain_ref_peek(d);
	int ended = 0;

	if (!str_eqs(&d->name, str_c(&d->real)))
		return 0;
	l->d = d;
	if (vstore_user_each(l->w->store, &ref, list_user, l, &ended) !=
	    VSTORE_OK) {
		(void)store_trouble(l->w);
		return -1;
	}
	return ended;
}

int
authd_work_enumerate(struct authd_work *w, int fd)
{
	struct io *out = mem_alloc(1, sizeof *out);
	struct listing l = {.w = w, .out = out};
	int ended = 0, r = -1;

	io_init(out, -1, fd, AUTHPROTO_WAIT_MS);
	if (io_puts(out, "# vpopmail\n") == IO_OK &&
	    w->world->each(list_domain, &l, &ended) == VDOMAIN_OK &&
	    ended == 0 && io_puts(out, ".\n") == IO_OK &&
	    io_flush(out) == IO_OK)
		r = 0;
	free(out);
	return r;
}
