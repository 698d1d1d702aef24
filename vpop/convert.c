/* vpop/convert.c - a domain from one store into the other; see convert.h.
 *
 * Order: the accounts of both stores are read and compared; then, in one bulk
 * of the target: accounts, aliases, limits, logins, counter.  In MariaDB that
 * is one transaction.  In the cdb store accounts are renamed into place last,
 * an alias at a time before them, each whole: a .qmail file and the alias it
 * was made of mean the same. */
#include "vpop/convert.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "mail/dotname.h"
#include "vpop/vfile.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOCK ".files.lock"              /* of store_files.c */
#define LOCK_MS 30000
#define ALIAS_FILE_MAX ((size_t)1 << 20)

struct list { struct vuser *u; size_t n, cap; };

struct work {
	const struct convert *c;
	const struct vdomain *d;
	struct vdomain_ref ref;
	struct list from, to;
	struct convert_count *count;
	struct str *why;
	/* the alias whose lines are being gathered */
	struct str alias, lines;
};

static enum convert_status
fail(struct work *w, const char *what, const char *reason)
{
	str_catf(w->why, "%s: %s", what, reason);
	return CONVERT_FAILED;
}

static enum convert_status
fail_to(struct work *w, const char *what)
{
	return fail(w, what, vstore_reason_peek(w->c->to));
}

/* -- accounts -- */

static void
copy_user(struct vuser *to, const struct vuser *from)
{
	*to = (struct vuser){.apop = from->apop, .flags = from->flags};
	str_copy(&to->name, &from->name);
	str_copy(&to->hash, &from->hash);
	str_copy(&to->gecos, &from->gecos);
	str_copy(&to->dir, &from->dir);
	str_copy(&to->quota, &from->quota);
	str_copy(&to->clear, &from->clear);
}

static bool
same(const struct str *a, const struct str *b)
{
	return a->len == b->len && memcmp(str_c(a), str_c(b), a->len) == 0;
}

static bool
same_user(const struct vuser *a, const struct vuser *b)
{
	return same(&a->name, &b->name) && same(&a->hash, &b->hash) &&
	    a->apop == b->apop && a->flags == b->flags &&
	    same(&a->gecos, &b->gecos) && same(&a->dir, &b->dir) &&
	    same(&a->quota, &b->quota) && same(&a->clear, &b->clear);
}

static int
gather(void *arg, const struct vuser *u)
{
	struct list *l = arg;

	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 256 : 2 * l->cap;
		l->u = mem_resize(l->u, l->cap, sizeof *l->u);
	}
	copy_user(&l->u[l->n++], u);
	return 0;
}

static void
list_free(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		vuser_free(&l->u[i]);
	free(l->u);
	*l = (struct list){0};
}

/* Both lists are sorted by name.  Calls one for each name: either may be
 * NULL. */
static enum convert_status
each_pair(struct work *w, enum convert_status (*one)(struct work *,
    const struct vuser *from, const struct vuser *to))
{
	size_t i = 0, j = 0;
	enum convert_status st = CONVERT_OK;

	while (st == CONVERT_OK && (i < w->from.n || j < w->to.n)) {
		const struct vuser *a = i < w->from.n ? &w->from.u[i] : NULL;
		const struct vuser *b = j < w->to.n ? &w->to.u[j] : NULL;
		int order = a == NULL ? 1 : b == NULL ? -1 :
		    strcmp(str_c(&a->name), str_c(&b->name));

		st = one(w, order <= 0 ? a : NULL, order >= 0 ? b : NULL);
		i += order <= 0;
		j += order >= 0;
	}
	return st;
}

static enum convert_status
compare(struct work *w, const struct vuser *a, const struct vuser *b)
{
	const char *name = str_c(a != NULL ? &a->name : &b->name);

	if (a != NULL && b != NULL && same_user(a, b))
		return CONVERT_OK;
	str_catf(w->why, "the target has %zu accounts already, and %s %s",
	    w->to.n, name, a == NULL ? "is only there" : b == NULL ?
	    "is not among them" : "is another there");
	return CONVERT_DIFFERS;
}

static enum convert_status
put_user(struct work *w, const struct vuser *a, const struct vuser *b)
{
	struct vstore *to = w->c->to;
	enum vstore_status st = VSTORE_OK;

	if (a == NULL)
		st = vstore_user_del(to, &w->ref, str_c(&b->name));
	else if (b == NULL)
		st = vstore_user_load(to, &w->ref, a);
	else if (!same_user(a, b))
		st = vstore_user_set(to, &w->ref, a);
	else
		w->count->changed--;
	w->count->changed++;
	w->count->users += a != NULL;
	if (a != NULL && w->c->step != NULL)
		w->c->step(w->c->arg, str_c(&a->name));
	if (st == VSTORE_OK)
		return CONVERT_OK;
	return fail(w, str_c(a != NULL ? &a->name : &b->name),
	    st == VSTORE_EXISTS ? "somebody else is adding it" :
	    st == VSTORE_NONE ? "somebody else is removing it" :
	    vstore_reason_peek(to));
}

/* -- aliases -- */

/* A link is a mailing list's; so is what runs a program of one. */
static bool
is_list(const struct work *w)
{
	struct str name = {0}, path = {0};
	struct vfile_as as;
	struct stat st;
	bool is = strstr(str_c(&w->lines), "ezmlm") != NULL;

	if (!is && w->c->from_files &&
	    vfile_as_begin(&as, w->ref.uid, w->ref.gid) == 0) {
		dotname_make(&name, "-", str_c(&w->alias), w->alias.len, "");
		str_catf(&path, "%s/%s", w->ref.dir, str_c(&name));
		is = lstat(str_c(&path), &st) == 0 && S_ISLNK(st.st_mode);
		vfile_as_end(&as);
	}
	str_free(&name);
	str_free(&path);
	return is;
}

/* The lines of text that are not empty, each with LF. */
static void
bare_lines(const struct str *text, struct str *out)
{
	for (size_t at = 0; at < text->len; ) {
		size_t n = bytes_chr(text->s + at, text->len - at, '\n');

		if (n > 0) {
			str_catb(out, text->s + at, n);
			str_catc(out, '\n');
		}
		at += n + 1;
	}
}

/* As the owner, under the lock: 1 when there is a file with other lines. */
static int
put_file(const struct work *w, const char *name)
{
	struct str path = {0}, old = {0}, bare = {0};
	struct stat dir;
	mode_t mode = 0600;
	int r;

	/* where vpopmail reads by its group: see manage.h */
	if (stat(w->ref.dir, &dir) == 0 && (dir.st_mode & 040) != 0)
		mode = 0640;
	str_catf(&path, "%s/%s", w->ref.dir, name);
	r = fs_read(str_c(&path), &old, ALIAS_FILE_MAX);
	if (r == 0) {
		bare_lines(&old, &bare);
		r = !same(&bare, &w->lines);
	} else if (errno == ENOENT) {
		r = vfile_replace(w->ref.dir, name, str_c(&w->lines),
		    w->lines.len, mode);
	}
	str_free(&path);
	str_free(&old);
	str_free(&bare);
	return r;
}

static void
note_alias(const struct work *w, const char *text)
{
	struct str line = {0};

	str_catf(&line, "%s@%s: %s", str_c(&w->alias), w->ref.name, text);
	w->c->note(w->c->arg, str_c(&line));
	str_free(&line);
}

static enum convert_status
alias_to_file(struct work *w)
{
	struct str name = {0};
	struct vfile_as as;
	int lock = -1, r = -1;
	enum convert_status st = CONVERT_OK;

	dotname_make(&name, "-", str_c(&w->alias), w->alias.len, "");
	if (strchr(str_c(&name), '/') != NULL || name.len > NAME_MAX ||
	    str_eqs(&w->alias, "default")) {
		note_alias(w, "left out: no file can have that name");
		str_free(&name);
		return CONVERT_OK;
	}
	if (vfile_as_begin(&as, w->ref.uid, w->ref.gid) == 0) {
		lock = vfile_lock(w->ref.dir, LOCK, LOCK_MS);
		if (lock >= 0)
			r = put_file(w, str_c(&name));
		if (r < 0)
			st = fail(w, str_c(&name), strerror(errno));
		if (lock >= 0)
			fd_close(lock);
		vfile_as_end(&as);
	} else {
		st = fail(w, w->ref.dir, strerror(errno));
	}
	if (r == 1)
		note_alias(w, "left out: there is a .qmail file that says "
		    "something else");
	str_free(&name);
	return st;
}

static enum convert_status
alias_to_table(struct work *w)
{
	enum vstore_status st = VSTORE_OK;

	for (size_t at = 0; st == VSTORE_OK && at < w->lines.len; ) {
		size_t n = bytes_chr(w->lines.s + at, w->lines.len - at,
		    '\n');

		w->lines.s[at + n] = '\0';
		st = vstore_alias_add(w->c->to, &w->ref, str_c(&w->alias),
		    w->lines.s + at);
		if (st == VSTORE_EXISTS)
			st = VSTORE_OK;
		w->lines.s[at + n] = '\n';
		at += n + 1;
	}
	return st == VSTORE_OK ? CONVERT_OK : fail_to(w, str_c(&w->alias));
}

/* All lines of one alias are here. */
static enum convert_status
put_alias(struct work *w)
{
	enum convert_status st = CONVERT_OK;

	if (w->alias.len == 0 || w->lines.len == 0)
		return CONVERT_OK;
	if (w->c->from_files && is_list(w)) {
		note_alias(w, "left out: it is a mailing list's");
	} else {
		st = w->c->to_files ? alias_to_file(w) : alias_to_table(w);
		w->count->aliases++;
	}
	str_clear(&w->alias);
	str_clear(&w->lines);
	return st;
}

struct rows { struct str names, lines; };

static int
gather_row(void *arg, const char *alias, const char *line)
{
	struct rows *r = arg;

	str_catb(&r->names, alias, strlen(alias) + 1);
	str_catb(&r->lines, line, strlen(line) + 1);
	return 0;
}

static enum convert_status
put_aliases(struct work *w)
{
	struct rows r = {0};
	enum convert_status st = CONVERT_OK;
	int ended;

	if (w->c->from_files && w->c->to_files)
		return CONVERT_OK;
	if (vstore_alias_each(w->c->from, &w->ref, NULL, gather_row, &r,
	    &ended) != VSTORE_OK)
		st = fail(w, w->ref.name, vstore_reason_peek(w->c->from));
	for (size_t i = 0, j = 0; st == CONVERT_OK && i < r.names.len;
	    i += strlen(r.names.s + i) + 1, j += strlen(r.lines.s + j) + 1) {
		if (!str_eqs(&w->alias, r.names.s + i))
			st = put_alias(w);
		str_copys(&w->alias, r.names.s + i);
		str_catf(&w->lines, "%s\n", r.lines.s + j);
	}
	if (st == CONVERT_OK)
		st = put_alias(w);
	str_free(&r.names);
	str_free(&r.lines);
	return st;
}

/* -- the rest -- */

static enum convert_status
put_limits(struct work *w)
{
	struct vlimits l;

	switch (vstore_limits_get(w->c->from, &w->ref, &l)) {
	case VSTORE_NONE:
		return CONVERT_OK;
	case VSTORE_OK:
		break;
	case VSTORE_EXISTS:
	case VSTORE_WIDE:
	case VSTORE_TEMP:
		return fail(w, "limits", vstore_reason_peek(w->c->from));
	}
	return vstore_limits_set(w->c->to, &w->ref, &l) == VSTORE_OK ?
	    CONVERT_OK : fail_to(w, "limits");
}

static enum convert_status
put_counter(struct work *w)
{
	struct vdirctl c = {0};
	enum vstore_status st = vstore_dirctl_get(w->c->from, w->ref.name,
	    w->ref.dir, &c);
	enum convert_status r = CONVERT_OK;

	if (st == VSTORE_OK)
		st = vstore_dirctl_set(w->c->to, w->ref.name, w->ref.dir, &c);
	else if (st != VSTORE_NONE)
		r = fail(w, "counter", vstore_reason_peek(w->c->from));
	if (r == CONVERT_OK && st != VSTORE_OK && st != VSTORE_NONE)
		r = fail_to(w, "counter");
	str_free(&c.dir);
	return r;
}

/* The later time counts: whichever store is in use writes it. */
static enum convert_status
put_logins(struct work *w)
{
	struct str ip = {0}, old_ip = {0};
	enum convert_status r = CONVERT_OK;

	for (size_t i = 0; r == CONVERT_OK && i < w->from.n; i++) {
		const struct vuser *u = &w->from.u[i];
		int64_t when, old = 0;
		enum vstore_status st = vstore_lastauth_get(w->c->from,
		    &w->ref, u, &when, &ip);

		if (st == VSTORE_NONE)
			continue;
		if (st != VSTORE_OK) {
			r = fail(w, str_c(&u->name),
			    vstore_reason_peek(w->c->from));
			break;
		}
		st = vstore_lastauth_get(w->c->to, &w->ref, u, &old,
		    &old_ip);
		if (st == VSTORE_NONE || (st == VSTORE_OK && old < when))
			st = vstore_lastauth_set(w->c->to, &w->ref, u, when,
			    str_c(&ip));
		if (st != VSTORE_OK && st != VSTORE_NONE)
			r = fail_to(w, str_c(&u->name));
	}
	str_free(&ip);
	str_free(&old_ip);
	return r;
}

static enum convert_status
load(struct work *w)
{
	enum vstore_status st;
	int ended;

	if (vstore_user_each(w->c->from, &w->ref, gather, &w->from,
	    &ended) != VSTORE_OK)
		return fail(w, w->ref.name, vstore_reason_peek(w->c->from));
	st = vstore_domain_add(w->c->to, &w->ref);
	if (st != VSTORE_OK && st != VSTORE_EXISTS)
		return fail_to(w, w->ref.name);
	if (vstore_user_each(w->c->to, &w->ref, gather, &w->to, &ended) !=
	    VSTORE_OK)
		return fail_to(w, w->ref.name);
	return CONVERT_OK;
}

static enum convert_status
put_all(struct work *w)
{
	enum convert_status st;

	if (vstore_bulk_begin(w->c->to, &w->ref) != VSTORE_OK)
		return fail_to(w, w->ref.name);
	if ((st = each_pair(w, put_user)) != CONVERT_OK ||
	    (st = put_aliases(w)) != CONVERT_OK ||
	    (st = put_limits(w)) != CONVERT_OK ||
	    (st = put_logins(w)) != CONVERT_OK ||
	    (st = put_counter(w)) != CONVERT_OK)
		return st;      /* closing the store forgets the bulk */
	return vstore_bulk_end(w->c->to) == VSTORE_OK ? CONVERT_OK :
	    fail_to(w, w->ref.name);
}

enum convert_status
convert_domain(const struct convert *c, const struct vdomain *d,
    struct convert_count *out, struct str *why)
{
	struct work w = {.c = c, .d = d, .ref = vdomain_ref_peek(d),
	    .count = out, .why = why};
	enum convert_status st;

	*out = (struct convert_count){0};
	st = load(&w);
	if (st == CONVERT_OK && w.to.n > 0 && !c->force)
		st = each_pair(&w, compare);
	if (st == CONVERT_OK)
		st = put_all(&w);
	list_free(&w.from);
	list_free(&w.to);
	str_free(&w.alias);
	str_free(&w.lines);
	return st;
}
