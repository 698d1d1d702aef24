/* smtpd/recipient.c - see recipient.h. */
#include "smtpd/recipient.h"

#include "lib/log.h"
#include "lib/tai.h"
#include "mail/dotname.h"
#include "mail/getpw.h"
#include "mail/verdict.h"

#include <errno.h>
#include <string.h>

/* What route_load reads. */
static const enum control_id files[RECIPIENT_FILES] = {CONTROL_ME,
    CONTROL_LOCALS, CONTROL_PERCENTHACK, CONTROL_VIRTUALDOMAINS,
    CONTROL_ENVNOATHOST};

void
recipient_init(struct recipient *r, const char *cdb)
{
	*r = (struct recipient){.users = {.path = cdb}, .find = getpw_find};
}

void
recipient_free(struct recipient *r)
{
	users_table_close(&r->users);
	route_free(&r->route);
	*r = (struct recipient){0};
}

static void
look(struct stat seen[RECIPIENT_FILES])
{
	struct str path = {0};

	for (size_t i = 0; i < RECIPIENT_FILES; i++) {
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
refresh(struct recipient *r)
{
	struct stat now[RECIPIENT_FILES];
	int64_t ms = clock_mono_ms();
	enum control_id failed;
	bool same = true;

	if (r->looked != 0 && ms - r->looked < RECIPIENT_FRESH_MS)
		return r->loaded;
	r->looked = ms;
	/* Looked at first: what changes while it is read is read again. */
	look(now);
	for (size_t i = 0; i < RECIPIENT_FILES; i++)
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

static enum verify_status
trouble(struct str *text, const char *what)
{
	str_cats(text, what);
	return VERIFY_TEMP;
}

/* RFC 5321:4.5.1 and 2142:4: both are always somebody's. */
static bool
is_duty(const char *addr)
{
	size_t n = bytes_rchr(addr, strlen(addr), '@');

	return bytes_caseeq(addr, n, "postmaster", 10) ||
	    bytes_caseeq(addr, n, "abuse", 5);
}

/* As qmail-local looks for it; what this user may not see may be there. */
static enum verify_status
check_files(const struct users_entry *e, struct str *text)
{
	enum verify_status st = VERIFY_NO;
	struct dotname d = {0};
	struct str path = {0};
	struct stat sb;

	if (stat(str_c(&e->home), &sb) < 0) {
		if (errno == EACCES) {
			str_cats(text, "home not to be seen");
			return VERIFY_OK;
		}
		return trouble(text, "home cannot be examined");
	}
	dotname_begin(&d, str_c(&e->dash), str_c(&e->ext));
	while (st == VERIFY_NO && dotname_next(&d)) {
		str_copy(&path, &e->home);
		str_catc(&path, '/');
		str_cat(&path, &d.name);
		if (stat(str_c(&path), &sb) == 0) {
			if (S_ISREG(sb.st_mode))
				st = VERIFY_OK;
		} else if (errno == EACCES) {
			st = VERIFY_OK;
		} else if (!dotname_is_absent(errno)) {
			st = trouble(text, "home cannot be examined");
		}
	}
	if (st == VERIFY_NO)
		str_cats(text, "no such mailbox");
	dotname_free(&d);
	str_free(&path);
	return st;
}

static enum verify_status
check_local(struct recipient *r, const char *local, struct str *text)
{
	struct users_entry e = {0};
	enum verify_status st = VERIFY_TEMP;
	enum cdb_status found = users_ask(&r->users, local, &e);
	int code = found == CDB_NONE ? r->find(local, &e) : 0;

	if (found == CDB_TEMP) {
		log_sys("unable to look up a user in %s", r->users.path);
		str_cats(text, "users/cdb cannot be read");
	} else if (code != 0) {
		str_cats(text, code == VERDICT_HOMEFS ?
		    "a home directory cannot be examined" :
		    code == VERDICT_NOALIAS ? "there is no user alias" :
		    "accounts cannot be looked up");
	} else if (e.uid == 0) {
		str_cats(text, "mail is not delivered to root");
	} else if (e.dash.len == 0) {
		st = VERIFY_OK;
	} else {
		st = check_files(&e, text);
	}
	users_entry_free(&e);
	return st;
}

/* percenthack made another host of the one that was asked about: to strangers
 * that is an open relay, whatever rcpthosts says. */
static bool
is_led_away(const struct recipient *r, const char *addr,
    const struct str *full)
{
	size_t n = strlen(addr), at = bytes_rchr(addr, n, '@');
	size_t to = bytes_rchr(str_c(full), full->len, '@') + 1;
	const char *host = at < n ? addr + at + 1 :
	    str_c(&r->route.envnoathost);

	return !bytes_caseeq(host, strlen(host), full->s + to,
	    full->len - to);
}

enum verify_status
recipient_check(struct recipient *r, const char *addr, struct str *text)
{
	struct str full = {0};
	enum verify_status st = VERIFY_OK;

	if (!refresh(r))
		return trouble(text, "control files cannot be read");
	if (route_find(&r->route, addr, &full) == ROUTE_REMOTE) {
		if (is_led_away(r, addr, &full)) {
			str_cats(text, "mail is not relayed by percent "
			    "signs");
			st = VERIFY_NO;
		}
	} else if (!is_duty(route_original_peek(&r->route, str_c(&full)))) {
		str_trunc(&full, bytes_rchr(str_c(&full), full.len, '@'));
		st = check_local(r, str_c(&full), text);
	}
	str_free(&full);
	return st;
}
