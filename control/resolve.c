/* control/resolve.c - see resolve.h. */
#include "control/resolve.h"

#include "lib/log.h"
#include "lib/tai.h"
#include "mail/dotfile.h"
#include "mail/getpw.h"
#include "mail/verdict.h"
#include "mail/vplan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What route_load reads. */
static const enum control_id files[RESOLVE_FILES] = {CONTROL_ME,
    CONTROL_LOCALS, CONTROL_PERCENTHACK, CONTROL_VIRTUALDOMAINS,
    CONTROL_ENVNOATHOST};

void
resolver_init(struct resolver *r, const char *cdb, const char *auth)
{
	*r = (struct resolver){.users = {.path = cdb}, .find = getpw_find,
	    .ask = auth_resolve, .auth = auth};
}

void
resolver_free(struct resolver *r)
{
	users_table_close(&r->users);
	route_free(&r->route);
	*r = (struct resolver){0};
}

void
resolve_free(struct resolve *a)
{
	str_free(&a->reason);
	str_free(&a->steps);
	*a = (struct resolve){0};
}

bool
resolve_step_peek(const struct resolve *a, size_t *at, const char **word,
    const char **text)
{
	if (*at >= a->steps.len)
		return false;
	*word = a->steps.s + *at;
	*at += strlen(*word) + 1;
	*text = a->steps.s + *at;
	*at += strlen(*text) + 1;
	return true;
}

__attribute__((format(printf, 3, 4)))
static void
step(struct resolve *a, const char *word, const char *fmt, ...)
{
	struct str text = {0};
	char buf[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	str_cats(&text, n < 0 ? "" : buf);
	if (n >= (int)sizeof buf)
		str_cats(&text, "...");
	str_cats(&a->steps, word);
	str_catc(&a->steps, '\0');
	str_cat(&a->steps, &text);
	str_catc(&a->steps, '\0');
	str_free(&text);
}

static void
conclude(struct resolve *a, enum resolve_status st, const char *reason)
{
	a->status = st;
	str_copys(&a->reason, reason);
}

/* -- routing -- */

static void
look(struct stat seen[RESOLVE_FILES])
{
	struct str path = {0};

	for (size_t i = 0; i < RESOLVE_FILES; i++) {
		str_clear(&path);
		str_catf(&path, "%s/%s", control_dir(),
		    control_entry(files[i])->file);
		/* Missing, or not to be seen: all the same here. */
		if (stat(str_c(&path), &seen[i]) < 0)
			memset(&seen[i], 0, sizeof seen[i]);
	}
	str_free(&path);
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Brings the routing up to date.  False: it could not be read. */
static bool
refresh(struct resolver *r)
{
	struct stat now[RESOLVE_FILES];
	int64_t ms = clock_mono_ms();
	enum control_id failed;
	bool same = true;

	if (r->looked != 0 && ms - r->looked < RESOLVE_FRESH_MS)
		return r->loaded;
	r->looked = ms;
	/* Looked at first: what changes while it is read is read again. */
	look(now);
	for (size_t i = 0; i < RESOLVE_FILES; i++)
		same = same && same_file(&now[i], &r->seen[i]);
	if (same && r->loaded)
		return true;
	route_free(&r->route);
	memcpy(r->seen, now, sizeof now);
	r->loaded = route_load(&r->route, &failed) == 0;
	if (!r->loaded)
		log_sys("unable to read %s/%s", control_dir(),
		    control_entry(failed)->file);
	return r->loaded;
}

/* RFC 5321:4.5.1 and 2142:4: both are always somebody's. */
static bool
is_duty(const char *addr)
{
	size_t n = bytes_rchr(addr, strlen(addr), '@');

	return bytes_caseeq(addr, n, "postmaster", 10) ||
	    bytes_caseeq(addr, n, "abuse", 5);
}

/* -- .qmail files -- */

static bool
find_call(struct resolve_files *f)
{
	for (size_t i = 0; i < f->lines.n; i++)
		if (f->lines.steps[i].kind == DOTQMAIL_PROGRAM &&
		    vplan_is_call(dotqmail_arg(&f->lines, i), &f->action))
			return true;
	return false;
}

void
resolve_files_find(const char *home, const char *dash, const char *ext,
    struct resolve_files *out)
{
	struct dotfile f = {0};
	struct stat st;

	*out = (struct resolve_files){0};
	/* A home that is not there has no file in it, but it may come back. */
	if (stat(home, &st) < 0) {
		out->error = errno;
		out->kind = errno == EACCES ? RESOLVE_FILES_CLOSED :
		    RESOLVE_FILES_TEMP;
		return;
	}
	switch (dotfile_find(home, dash, ext, &f)) {
	case DOTFILE_OK:
		dotqmail_parse(&out->lines, str_c(&f.text), f.text.len,
		    f.forward_only);
		out->kind = find_call(out) ? RESOLVE_FILES_VPOP :
		    RESOLVE_FILES_LINES;
		break;
	case DOTFILE_NONE:
		out->kind = RESOLVE_FILES_NONE;
		break;
	case DOTFILE_WRITABLE:          /* its mail waits */
		out->kind = RESOLVE_FILES_LINES;
		break;
	case DOTFILE_TEMP:
		out->error = errno;
		out->kind = errno == EACCES ? RESOLVE_FILES_CLOSED :
		    RESOLVE_FILES_TEMP;
		break;
	}
	if (out->kind != RESOLVE_FILES_NONE)
		str_copy(&out->name, &f.name);
	dotfile_free(&f);
}

void
resolve_files_free(struct resolve_files *f)
{
	str_free(&f->name);
	str_free(&f->action);
	dotqmail_free(&f->lines);
	*f = (struct resolve_files){0};
}

static void
explain_lines(struct resolve *a, const char *word,
    const struct dotqmail *lines)
{
	struct str text = {0};

	for (size_t i = 0; i < lines->n; i++) {
		str_clear(&text);
		vplan_cat_step(&text, lines, i);
		step(a, word, "%s", str_c(&text));
	}
	str_free(&text);
}

/* -- virtual domains -- */

static void
conclude_full(struct resolve *a, const struct auth_answer *answer)
{
	const char *policy = auth_value_peek(answer, "OVERQUOTA", 0);

	if (policy != NULL && strcmp(policy, "accept") == 0)
		conclude(a, RESOLVE_YES, "mailbox is full, mail is taken");
	else if (policy != NULL && strcmp(policy, "bounce") == 0)
		conclude(a, RESOLVE_FULL, "mailbox is full");
	else
		conclude(a, RESOLVE_TEMP, "mailbox is full");
}

static void
explain_mailbox(struct resolve *a, const struct auth_answer *answer)
{
	const char *user = auth_value_peek(answer, "USER", 0);
	const char *home = auth_value_peek(answer, "HOME", 0);
	const char *quota = auth_value_peek(answer, "QUOTA", 0);

	if (user != NULL)
		step(a, "mailbox", "%s in %s, quota %s", user,
		    home == NULL ? "no directory" : home,
		    quota == NULL || *quota == '\0' ? "NOQUOTA" : quota);
}

static void
explain_source(struct resolve *a, const struct vplan *p, const char *action)
{
	static const char *const word[] = {
		[VPLAN_ALIAS] = "alias",
		[VPLAN_USER] = "deliver",
		[VPLAN_CATCHALL] = "deliver",
	};

	if (p->source == VPLAN_CATCHALL)
		step(a, "nobody", "so the action is %s", *action == '\0' ?
		    "(none)" : action);
	if (p->file.len > 0)
		step(a, "file", "%s", str_c(&p->file));
	if (p->closed)
		step(a, "file", "%s may have a .qmail: not to be seen",
		    str_c(&p->dir));
	explain_lines(a, word[p->source], &p->todo);
}

static void
conclude_plan(struct resolve *a, const struct vplan *p,
    const struct auth_answer *answer)
{
	const char *full = auth_value_peek(answer, "FULL", 0);

	switch (p->kind) {
	case VPLAN_LINES:
		conclude(a, RESOLVE_YES, "");
		break;
	case VPLAN_MAILBOX:
		step(a, "deliver", "maildir %s", str_c(&p->maildir));
		if (full != NULL && strcmp(full, "1") == 0)
			conclude_full(a, answer);
		else
			conclude(a, RESOLVE_YES, "");
		break;
	case VPLAN_NOTHING:
		step(a, "deliver", "nothing: mail is thrown away");
		conclude(a, RESOLVE_YES, "");
		break;
	case VPLAN_NOBODY:
		conclude(a, RESOLVE_NO, "no such mailbox");
		break;
	case VPLAN_REFUSED:
		conclude(a, RESOLVE_NO, "mailbox takes no mail");
		break;
	case VPLAN_TEMP:
		conclude(a, RESOLVE_TEMP, p->why);
		break;
	}
}

static void
apply_answer(struct resolve *a, const struct auth_answer *answer,
    const char *local, const char *action)
{
	const char *domain = auth_value_peek(answer, "DOMAIN", 0);
	const char *dir = auth_value_peek(answer, "DIR", 0);
	struct vplan p;

	step(a, "domain", "%s in %s", domain == NULL ? "?" : domain,
	    dir == NULL ? "?" : dir);
	vplan_make(&p, answer, local, action);
	if (p.source == VPLAN_USER)
		explain_mailbox(a, answer);
	explain_source(a, &p, action);
	conclude_plan(a, &p, answer);
	vplan_free(&p);
}

static bool
is_askable(const char *addr)
{
	for (; *addr; addr++)
		if ((unsigned char)*addr <= ' ' || *addr == 0x7f)
			return false;
	return true;
}

/* A .qmail-default that calls vdelivermail was seen, or (action NULL) may be
 * behind a door that is closed to us but not to authdaemond. */
static void
ask_auth(struct resolver *r, struct resolve *a, const char *local,
    const char *host, const char *action)
{
	struct auth_answer answer = {0};
	struct str addr = {0}, name = {0};
	enum auth_status st;
	const char *v;
	bool named;             /* else vdelivermail sends it back */

	str_catf(&addr, "%s@%s", local, host);
	str_lower(&addr);
	str_copys(&name, local);
	str_lower(&name);
	named = vplan_name_ok(str_c(&name)) && vplan_name_ok(host);
	if (!is_askable(str_c(&addr)) || (action != NULL && !named)) {
		conclude(a, RESOLVE_NO, "no such mailbox");
		str_free(&addr);
		str_free(&name);
		return;
	}
	st = r->ask(r->auth, str_c(&addr), &answer);
	if (st == AUTH_TEMP) {
		conclude(a, RESOLVE_TEMP, "accounts cannot be looked up");
	} else if (st == AUTH_FAIL && action != NULL) {
		conclude(a, RESOLVE_TEMP,
		    "the domain of vdelivermail is no virtual domain");
	} else if (st == AUTH_FAIL) {
		conclude(a, RESOLVE_YES, "home not to be seen");
	} else if (action != NULL) {
		apply_answer(a, &answer, str_c(&name), action);
	} else if ((v = auth_value_peek(&answer, "FILE", 0)) != NULL) {
		step(a, "file", "%s", v);
		conclude(a, RESOLVE_YES, "");
	} else if ((v = auth_value_peek(&answer, "ACTION", 0)) != NULL &&
	    named) {
		step(a, "file", "one that calls vdelivermail");
		apply_answer(a, &answer, str_c(&name), v);
	} else if (auth_value_peek(&answer, "ACTION", 0) != NULL ||
	    auth_value_peek(&answer, "NOFILE", 0) != NULL) {
		conclude(a, RESOLVE_NO, "no such mailbox");
	} else {
		conclude(a, RESOLVE_YES, "home not to be seen");
	}
	auth_answer_free(&answer);
	str_free(&addr);
	str_free(&name);
}

/* -- accounts -- */

/* Lines of users/assign that belong to virtual domains have the domain's name
 * as their user. */
static bool
is_domain(const struct users_entry *e)
{
	return strchr(str_c(&e->user), '.') != NULL &&
	    str_eqs(&e->dash, "-");
}

static void
check_files(struct resolver *r, struct resolve *a,
    const struct users_entry *e, bool from_cdb, const char *host)
{
	struct resolve_files f;

	resolve_files_find(str_c(&e->home), str_c(&e->dash), str_c(&e->ext),
	    &f);
	if (f.name.len > 0)
		step(a, "file", "%s", str_c(&f.name));
	explain_lines(a, "line", &f.lines);
	switch (f.kind) {
	case RESOLVE_FILES_NONE:
		conclude(a, RESOLVE_NO, "no such mailbox");
		break;
	case RESOLVE_FILES_LINES:
		conclude(a, RESOLVE_YES, "");
		break;
	case RESOLVE_FILES_VPOP:
		if (r->ask == NULL)
			conclude(a, RESOLVE_YES, "");
		else
			ask_auth(r, a, str_c(&e->ext), host,
			    str_c(&f.action));
		break;
	case RESOLVE_FILES_CLOSED:
		if (r->ask != NULL && from_cdb && is_domain(e))
			ask_auth(r, a, str_c(&e->ext), host, NULL);
		else
			conclude(a, RESOLVE_YES, "home not to be seen");
		break;
	case RESOLVE_FILES_TEMP:
		conclude(a, RESOLVE_TEMP, "home cannot be examined");
		break;
	}
	resolve_files_free(&f);
}

static void
check_local(struct resolver *r, struct resolve *a, const char *local,
    const char *host)
{
	struct users_entry e = {0};
	enum cdb_status found = users_ask(&r->users, local, &e);
	int code = found == CDB_NONE ? r->find(local, &e) : 0;

	if (found != CDB_TEMP && code == 0)
		step(a, "user", "%s, uid %lu, gid %lu, home %s",
		    str_c(&e.user), (unsigned long)e.uid,
		    (unsigned long)e.gid, str_c(&e.home));
	if (found == CDB_TEMP) {
		log_sys("unable to look up a user in %s", r->users.path);
		conclude(a, RESOLVE_TEMP, "users/cdb cannot be read");
	} else if (code != 0) {
		conclude(a, RESOLVE_TEMP, code == VERDICT_HOMEFS ?
		    "a home directory cannot be examined" :
		    code == VERDICT_NOALIAS ? "there is no user alias" :
		    "accounts cannot be looked up");
	} else if (e.uid == 0) {
		conclude(a, RESOLVE_TEMP, "mail is not delivered to root");
	} else if (e.dash.len == 0) {
		step(a, "deliver", "as %s/.qmail says, else as by default",
		    str_c(&e.home));
		conclude(a, RESOLVE_YES, "");
	} else {
		check_files(r, a, &e, found == CDB_OK, host);
	}
	users_entry_free(&e);
}

static void
explain_answer(struct resolve *a)
{
	static const char *const word[] = {
		[RESOLVE_YES] = "yes",
		[RESOLVE_NO] = "no",
		[RESOLVE_FULL] = "full",
		[RESOLVE_AWAY] = "away",
		[RESOLVE_TEMP] = "not known now",
	};

	if (a->reason.len > 0)
		step(a, "answer", "%s: %s", word[a->status],
		    str_c(&a->reason));
	else
		step(a, "answer", "%s", word[a->status]);
}

/* percenthack made another host of the one that was asked about. */
static bool
is_led_away(const struct resolver *r, const char *addr,
    const struct str *full)
{
	size_t n = strlen(addr), at = bytes_rchr(addr, n, '@');
	size_t to = bytes_rchr(str_c(full), full->len, '@') + 1;
	const char *host = at < n ? addr + at + 1 :
	    str_c(&r->route.envnoathost);

	return !bytes_caseeq(host, strlen(host), full->s + to,
	    full->len - to);
}

void
resolve_address(struct resolver *r, const char *addr, bool explain,
    struct resolve *a)
{
	struct str full = {0}, local = {0};
	bool duty;
	size_t at;

	str_clear(&a->steps);
	conclude(a, RESOLVE_YES, "");
	step(a, "address", "%s", addr);
	if (!refresh(r)) {
		conclude(a, RESOLVE_TEMP, "control files cannot be read");
	} else if (route_find(&r->route, addr, &full) != ROUTE_LOCAL) {
		step(a, "route", "remote %s", str_c(&full));
		if (is_led_away(r, addr, &full))
			conclude(a, RESOLVE_AWAY,
			    "mail is not relayed by percent signs");
	} else {
		step(a, "route", "local %s", str_c(&full));
		at = bytes_rchr(str_c(&full), full.len, '@');
		str_copyb(&local, str_c(&full), at);
		duty = is_duty(route_original_peek(&r->route, str_c(&full)));
		if (!duty || explain)
			check_local(r, a, str_c(&local),
			    str_c(&full) + at + 1);
		if (duty && a->status != RESOLVE_YES)
			conclude(a, RESOLVE_YES,
			    "taken in any case, as RFC 5321 wants it");
	}
	explain_answer(a);
	str_free(&full);
	str_free(&local);
}
