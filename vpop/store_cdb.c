/* vpop/store_cdb.c - the store that needs no server: vpasswd and vpasswd.cdb
 * in each domain's directory; see store_ops.h.
 *
 * vpasswd is the truth and vpasswd.cdb an index of it.  A change, under
 * .vpasswd.lock, writes both to temporary files, syncs them, renames vpasswd,
 * renames vpasswd.cdb, syncs the directory: the first rename is the moment of
 * the change.  vpasswd first, because it can do without the other: a reader
 * trusts the index only when it is not older than the text, and otherwise
 * reads the text; the writer sees to the order of their times.  So whoever
 * kills us and when, look-up and listing say the same, the old or the new; and
 * after a power cut too, since a journal keeps two renames in their order.
 *
 * Older programs take the same lock, replace the files by renaming them too,
 * and make the index last.  Of one line they read 255 bytes. */
#include "vpop/store_ops.h"

#include "lib/cdb.h"
#include "lib/fs.h"
#include "lib/io.h"
#include "lib/log.h"
#include "vpop/vfile.h"
#include "vpop/vpasswd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEXT "vpasswd"
#define INDEX "vpasswd.cdb"
#define LOCK ".vpasswd.lock"
/* A name that begins with a dot is never a user's directory. */
#define TEXT_NEW ".vpasswd.new"
#define INDEX_NEW ".vpasswd.cdb.new"
#define TEXT_MAX ((size_t)256 << 20)    /* bytes; a million accounts */
#define RECORD_MAX 65536                /* bytes; what is longer is no record */

struct own {
	bool bulk;              /* the rest is of the domain being loaded */
	struct str dir;
	uid_t uid;
	gid_t gid;
	int lock;
	struct vpasswd v;
};

/* The files of one domain, between begin and end as their owner. */
struct site {
	struct vstore *s;
	const struct vdomain_ref *d;
	struct vfile_as as;
	int lock;
	struct str text, index, text_new, index_new;
};

static enum vstore_status
fail(struct site *f, const char *verb, const char *name)
{
	return vstore_fail(f->s, VSTORE_TEMP, "unable to %s %s/%s: %s", verb,
	    f->d->dir, name, errno == EAGAIN ?
	    "another program holds the lock" : strerror(errno));
}

static void
end(struct site *f)
{
	if (f->lock >= 0)
		fd_close(f->lock);
	f->lock = -1;
	vfile_as_end(&f->as);
	str_free(&f->text);
	str_free(&f->index);
	str_free(&f->text_new);
	str_free(&f->index_new);
}

static enum vstore_status
begin(struct site *f, struct vstore *s, const struct vdomain_ref *d, bool lock)
{
	enum vstore_status st = VSTORE_OK;

	*f = (struct site){.s = s, .d = d, .lock = -1};
	str_catf(&f->text, "%s/" TEXT, d->dir);
	str_catf(&f->index, "%s/" INDEX, d->dir);
	str_catf(&f->text_new, "%s/" TEXT_NEW, d->dir);
	str_catf(&f->index_new, "%s/" INDEX_NEW, d->dir);
	if (vfile_as_begin(&f->as, d->uid, d->gid) < 0)
		st = fail(f, "work in", "");
	else if (lock &&
	    (f->lock = vfile_lock(d->dir, LOCK, s->lock_ms)) < 0)
		st = fail(f, "lock", LOCK);
	if (st != VSTORE_OK)
		end(f);
	return st;
}

static struct own *
bulk_of(struct vstore *s, const struct vdomain_ref *d)
{
	struct own *o = s->own;

	return o->bulk && str_eqs(&o->dir, d->dir) ? o : NULL;
}

/* A domain without vpasswd is one that is half made or whose disk is not
 * there: an answer about its users would be a guess. */
static enum vstore_status
load(struct site *f, struct vpasswd *v)
{
	struct str text = {0};

	if (fs_read(str_c(&f->text), &text, TEXT_MAX) < 0)
		return fail(f, "read", TEXT);
	vpasswd_load_take(v, &text);
	return VSTORE_OK;
}

static bool
is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec :
	    a->tv_nsec < b->tv_nsec;
}

/* Looks the user up in the index: OK with the record, NONE, or TEMP when the
 * index cannot be trusted and the text is to be read. */
static enum vstore_status
ask_index(struct site *f, const char *user, struct str *record)
{
	struct stat index, text;

	if (stat(str_c(&f->index), &index) < 0)
		return VSTORE_TEMP;
	if (stat(str_c(&f->text), &text) == 0) {
		if (is_before(&index.st_mtim, &text.st_mtim))
			return VSTORE_TEMP;
	} else if (errno != ENOENT) {
		return VSTORE_TEMP;
	}
	errno = 0;
	switch (cdb_ask(str_c(&f->index), user, strlen(user), RECORD_MAX,
	    record)) {
	case CDB_OK:
		return VSTORE_OK;
	case CDB_NONE:                  /* not: no file */
		return errno == ENOENT ? VSTORE_TEMP : VSTORE_NONE;
	case CDB_TEMP:
		break;
	}
	return VSTORE_TEMP;
}

static enum vstore_status
parse(struct vstore *s, const struct vdomain_ref *d, const char *user,
    const char *record, size_t n, struct vuser *out)
{
	if (vpasswd_parse(user, record, n, out) == 0)
		return VSTORE_OK;
	return vstore_fail(s, VSTORE_TEMP,
	    "the record of %s in %s/" TEXT " is malformed", user, d->dir);
}

static enum vstore_status
get_from(struct vstore *s, const struct vdomain_ref *d, struct vpasswd *v,
    const char *user, struct vuser *out)
{
	const struct vpasswd_line *l = vpasswd_find(v, user);
	size_t name;

	if (l == NULL)
		return VSTORE_NONE;
	name = vpasswd_name(l) + 1;
	return parse(s, d, user, l->s + name, l->n - name, out);
}

static enum vstore_status
cdb_user_get(struct vstore *s, const struct vdomain_ref *d, const char *user,
    struct vuser *out)
{
	struct site f;
	struct str record = {0};
	struct vpasswd v = {0};
	struct own *o = bulk_of(s, d);
	enum vstore_status st;

	if (o != NULL)
		return get_from(s, d, &o->v, user, out);
	if ((st = begin(&f, s, d, false)) != VSTORE_OK)
		return st;
	st = ask_index(&f, user, &record);
	if (st == VSTORE_OK) {
		st = parse(s, d, user, str_c(&record), record.len, out);
	} else if (st == VSTORE_TEMP) {
		st = load(&f, &v);
		if (st == VSTORE_OK)
			st = get_from(s, d, &v, user, out);
		vpasswd_free(&v);
	}
	if (record.len > 0)
		explicit_bzero(record.s, record.len);
	str_free(&record);
	end(&f);
	return st;
}

/* The text's time: now, but after the index that is still there. */
static struct timespec
time_for_text(const struct site *f)
{
	struct timespec now;
	struct stat st;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (stat(str_c(&f->index), &st) == 0 &&
	    !is_before(&st.st_mtim, &now)) {
		now = st.st_mtim;
		if (++now.tv_nsec == 1000000000) {
			now.tv_sec++;
			now.tv_nsec = 0;
		}
	}
	return now;
}

static mode_t
mode_of(const struct str *path, mode_t mode)
{
	struct stat st;

	return lstat(str_c(path), &st) == 0 && S_ISREG(st.st_mode) ?
	    st.st_mode & 0777 : mode;
}

static int
write_text(const struct site *f, const struct vpasswd *v,
    const struct timespec *when, mode_t mode)
{
	const struct timespec times[2] = {*when, *when};
	struct str out = {0};
	int fd, r = -1;

	for (size_t i = 0; i < v->n; i++) {
		str_catb(&out, v->line[i].s, v->line[i].n);
		str_catc(&out, '\n');
	}
	if (unlink(str_c(&f->text_new)) < 0 && errno != ENOENT)
		goto done;
	fd = open(str_c(&f->text_new), O_WRONLY | O_CREAT | O_EXCL |
	    O_CLOEXEC, 0600);
	if (fd < 0)
		goto done;
	if (fd_write_all(fd, str_c(&out), out.len) == 0 &&
	    fchmod(fd, mode) == 0 && futimens(fd, times) == 0)
		r = fsync(fd);
	fd_close(fd);
done:
	if (out.len > 0) {
		int e = errno;

		explicit_bzero(out.s, out.len);
		errno = e;
	}
	str_free(&out);
	return r;
}

/* A finished and synced index at index_new; NULL with errno. */
static struct cdb_writer *
write_index(const struct site *f, const struct vpasswd *v,
    const struct timespec *when, mode_t mode)
{
	const struct timespec times[2] = {*when, *when};
	struct cdb_writer *w;
	int r = 0;

	if (cdbwriter_open(str_c(&f->index_new), &w) < 0)
		return NULL;
	for (size_t i = 0; i < v->n && r == 0; i++) {
		const struct vpasswd_line *l = &v->line[i];
		size_t name = vpasswd_name(l);

		if (name < l->n)
			r = cdbwriter_add(w, l->s, name, l->s + name + 1,
			    l->n - name - 1);
	}
	if (r == 0)
		r = cdbwriter_prepare(w, mode);
	if (r == 0)
		r = utimensat(AT_FDCWD, str_c(&f->index_new), times,
		    AT_SYMLINK_NOFOLLOW);
	if (r == 0)
		return w;
	cdbwriter_abort(w);
	return NULL;
}

/* Makes v the domain's accounts. */
static enum vstore_status
commit(struct site *f, struct vpasswd *v)
{
	struct timespec when = time_for_text(f);
	mode_t mode = mode_of(&f->text, 0600);
	struct cdb_writer *w;
	enum vstore_status st;

	vpasswd_sort(v);
	if (write_text(f, v, &when, mode) < 0) {
		st = fail(f, "write", TEXT_NEW);
		(void)unlink(str_c(&f->text_new));
		return st;
	}
	w = write_index(f, v, &when, mode_of(&f->index, mode));
	if (w == NULL) {
		st = fail(f, "write", INDEX_NEW);
		(void)unlink(str_c(&f->text_new));
		return st;
	}
	if (rename(str_c(&f->text_new), str_c(&f->text)) < 0) {
		st = fail(f, "replace", TEXT);
		cdbwriter_abort(w);
		(void)unlink(str_c(&f->text_new));
		return st;
	}
	if (cdbwriter_commit(w, str_c(&f->index), 0) < 0)
		return fail(f, "replace", INDEX);
	v->changed = false;
	return VSTORE_OK;
}

enum change { ADD, SET, DEL };

static enum vstore_status
apply(struct vstore *s, struct vpasswd *v, enum change what,
    const struct vuser *u, const char *name)
{
	const char *misfit = what == DEL ? NULL : vpasswd_misfit(u);
	bool there = vpasswd_find(v, name) != NULL;

	if (misfit != NULL)
		return vstore_fail(s, VSTORE_WIDE, "the %s has a colon",
		    misfit);
	switch (what) {
	case ADD:
		if (there)
			return VSTORE_EXISTS;
		vpasswd_add(v, u);
		break;
	case SET:
		if (!there)
			return VSTORE_NONE;
		vpasswd_set(v, u);
		break;
	case DEL:
		if (!there)
			return VSTORE_NONE;
		vpasswd_del(v, name);
		break;
	}
	return VSTORE_OK;
}

static enum vstore_status
change(struct vstore *s, const struct vdomain_ref *d, enum change what,
    const struct vuser *u, const char *name)
{
	struct site f;
	struct vpasswd v = {0};
	struct own *o = bulk_of(s, d);
	enum vstore_status st;

	if (o != NULL)
		return apply(s, &o->v, what, u, name);
	if ((st = begin(&f, s, d, true)) != VSTORE_OK)
		return st;
	st = load(&f, &v);
	if (st == VSTORE_OK)
		st = apply(s, &v, what, u, name);
	if (st == VSTORE_OK && v.changed)
		st = commit(&f, &v);
	vpasswd_free(&v);
	end(&f);
	return st;
}

static enum vstore_status
cdb_user_add(struct vstore *s, const struct vdomain_ref *d,
    const struct vuser *u)
{
	return change(s, d, ADD, u, str_c(&u->name));
}

static enum vstore_status
cdb_user_set(struct vstore *s, const struct vdomain_ref *d,
    const struct vuser *u)
{
	return change(s, d, SET, u, str_c(&u->name));
}

static enum vstore_status
cdb_user_del(struct vstore *s, const struct vdomain_ref *d, const char *user)
{
	return change(s, d, DEL, NULL, user);
}

/* The accounts as they are now, sorted, in memory of their own. */
static enum vstore_status
snapshot(struct vstore *s, const struct vdomain_ref *d, struct vpasswd *v)
{
	struct own *o = bulk_of(s, d);
	struct str text = {0};
	struct site f;
	enum vstore_status st;

	if (o != NULL) {
		for (size_t i = 0; i < o->v.n; i++)
			if (o->v.line[i].s != NULL) {
				str_catb(&text, o->v.line[i].s,
				    o->v.line[i].n);
				str_catc(&text, '\n');
			}
		vpasswd_load_take(v, &text);
	} else {
		if ((st = begin(&f, s, d, false)) != VSTORE_OK)
			return st;
		st = load(&f, v);
		end(&f);
		if (st != VSTORE_OK)
			return st;
	}
	vpasswd_sort(v);
	return VSTORE_OK;
}

static enum vstore_status
odd_lines(struct vstore *s, const struct vdomain_ref *d,
    const struct vpasswd_line *first, size_t n)
{
	struct str shown = {0};
	size_t name = vpasswd_name(first);
	enum vstore_status st;

	log_quote(&shown, first->s, name < VPOP_USER_MAX ? name :
	    VPOP_USER_MAX);
	st = vstore_fail(s, VSTORE_TEMP, "%s/" TEXT ": %zu malformed line%s, "
	    "the first is of %s", d->dir, n, n == 1 ? "" : "s", str_c(&shown));
	str_free(&shown);
	return st;
}

/* fn NULL: only counts. */
static enum vstore_status
walk(struct vstore *s, const struct vdomain_ref *d, vstore_user_fn *fn,
    void *arg, int *ended_out, uint64_t *count)
{
	struct vpasswd v = {0};
	struct vuser u = {0};
	const struct vpasswd_line *odd = NULL, *last = NULL;
	size_t nodd = 0;
	enum vstore_status st = snapshot(s, d, &v);

	for (size_t i = 0; st == VSTORE_OK && i < v.n && *ended_out == 0;
	    i++) {
		const struct vpasswd_line *l = &v.line[i];
		size_t name = vpasswd_name(l);

		if (l->n == 0 || (last != NULL && vpasswd_name(last) == name &&
		    memcmp(last->s, l->s, name) == 0))
			continue;
		last = l;
		if (vpasswd_parse(NULL, l->s, l->n, &u) < 0) {
			odd = odd == NULL ? l : odd;
			nodd++;
			continue;
		}
		++*count;
		if (fn != NULL)
			*ended_out = fn(arg, &u);
	}
	if (odd != NULL && *ended_out == 0)
		st = odd_lines(s, d, odd, nodd);
	vuser_free(&u);
	vpasswd_free(&v);
	return st;
}

static enum vstore_status
cdb_user_each(struct vstore *s, const struct vdomain_ref *d,
    vstore_user_fn *fn, void *arg, int *ended_out)
{
	uint64_t count = 0;

	return walk(s, d, fn, arg, ended_out, &count);
}

static enum vstore_status
cdb_user_count(struct vstore *s, const struct vdomain_ref *d, uint64_t *out)
{
	int ended = 0;

	return walk(s, d, NULL, NULL, &ended, out);
}

static enum vstore_status
cdb_domain_add(struct vstore *s, const struct vdomain_ref *d)
{
	struct site f;
	struct vpasswd v = {0};
	struct stat st;
	enum vstore_status r;

	if ((r = begin(&f, s, d, true)) != VSTORE_OK)
		return r;
	if (lstat(str_c(&f.text), &st) == 0)
		r = VSTORE_EXISTS;
	else
		r = errno == ENOENT ? commit(&f, &v) : fail(&f, "see", TEXT);
	end(&f);
	vpasswd_free(&v);
	return r;
}

/* What the users' directories hold of it. */
static int
forget_lastauth(void *arg, const struct vuser *u)
{
	struct str path = {0};

	(void)arg;
	if (u->dir.len > 0) {
		str_catf(&path, "%s/lastauth", str_c(&u->dir));
		(void)unlink(str_c(&path));
	}
	str_free(&path);
	return 0;
}

/* The index goes first: without the text it would go on answering. */
static enum vstore_status
cdb_domain_del(struct vstore *s, const struct vdomain_ref *d)
{
	struct site f;
	struct vfile_as as;
	enum vstore_status st;
	int ended = 0;

	if (access(d->dir, F_OK) < 0 && errno == ENOENT)
		return VSTORE_OK;
	if ((st = vfiles_domain_del(s, d)) != VSTORE_OK)
		return st;
	if (vfile_as_begin(&as, d->uid, d->gid) == 0) {
		(void)cdb_user_each(s, d, forget_lastauth, NULL, &ended);
		vfile_as_end(&as);
	}
	if ((st = begin(&f, s, d, true)) != VSTORE_OK)
		return st;
	if ((unlink(str_c(&f.index)) < 0 && errno != ENOENT) ||
	    (unlink(str_c(&f.text)) < 0 && errno != ENOENT) ||
	    fs_sync_dir(d->dir) < 0) {
		st = fail(&f, "remove", TEXT);
	} else {
		str_clear(&f.text);
		str_catf(&f.text, "%s/" LOCK, d->dir);
		(void)unlink(str_c(&f.text));
	}
	end(&f);
	return st;
}

static bool
same_bytes(const struct str *a, const struct str *b)
{
	struct str x = {0}, y = {0};
	bool same = fs_read(str_c(a), &x, TEXT_MAX) == 0 &&
	    fs_read(str_c(b), &y, TEXT_MAX) == 0 && x.len == y.len &&
	    memcmp(str_c(&x), str_c(&y), x.len) == 0;

	str_free(&x);
	str_free(&y);
	return same;
}

static enum vstore_status
cdb_domain_index(struct vstore *s, const struct vdomain_ref *d)
{
	struct site f;
	struct vpasswd v = {0};
	struct cdb_writer *w = NULL;
	struct stat text, index;
	struct timespec now;
	enum vstore_status st;

	if (bulk_of(s, d) != NULL)
		return VSTORE_OK;       /* its end makes it */
	if ((st = begin(&f, s, d, true)) != VSTORE_OK)
		return st;
	if ((st = load(&f, &v)) == VSTORE_OK) {
		(void)clock_gettime(CLOCK_REALTIME, &now);
		if (stat(str_c(&f.text), &text) == 0 &&
		    is_before(&now, &text.st_mtim))
			now = text.st_mtim;
		w = write_index(&f, &v, &now, mode_of(&f.index,
		    mode_of(&f.text, 0600)));
		if (w == NULL)
			st = fail(&f, "write", INDEX_NEW);
	}
	if (w != NULL && stat(str_c(&f.index), &index) == 0 &&
	    !is_before(&index.st_mtim, &text.st_mtim) &&
	    same_bytes(&f.index, &f.index_new)) {
		cdbwriter_abort(w);
		st = VSTORE_EXISTS;
	} else if (w != NULL &&
	    cdbwriter_commit(w, str_c(&f.index), 0) < 0) {
		st = fail(&f, "replace", INDEX);
	}
	vpasswd_free(&v);
	end(&f);
	return st;
}

static void
bulk_drop(struct own *o)
{
	if (!o->bulk)
		return;
	o->bulk = false;
	vpasswd_free(&o->v);
	str_free(&o->dir);
	fd_close(o->lock);
}

static enum vstore_status
cdb_bulk_begin(struct vstore *s, const struct vdomain_ref *d)
{
	struct own *o = s->own;
	struct site f;
	enum vstore_status st;

	if (o->bulk)
		return vstore_fail(s, VSTORE_TEMP, "%s is being loaded",
		    str_c(&o->dir));
	if ((st = begin(&f, s, d, true)) != VSTORE_OK)
		return st;
	if ((st = load(&f, &o->v)) == VSTORE_OK) {
		vpasswd_index(&o->v);
		o->bulk = true;
		str_copys(&o->dir, d->dir);
		o->uid = d->uid;
		o->gid = d->gid;
		o->lock = f.lock;
		f.lock = -1;
	}
	end(&f);
	return st;
}

static enum vstore_status
cdb_bulk_end(struct vstore *s)
{
	struct own *o = s->own;
	struct vdomain_ref d = {.dir = str_c(&o->dir), .uid = o->uid,
	    .gid = o->gid};
	struct site f;
	enum vstore_status st = VSTORE_OK;

	if (o->bulk && o->v.changed &&
	    (st = begin(&f, s, &d, false)) == VSTORE_OK) {
		st = commit(&f, &o->v);
		end(&f);
	}
	bulk_drop(o);
	return st;
}

static size_t
cdb_width(struct vstore *s, enum vstore_width w)
{
	(void)s;
	switch (w) {
	case VSTORE_W_NAME:
		return VPOP_USER_MAX;
	case VSTORE_W_HASH:
		return VPOP_HASH_MAX;
	case VSTORE_W_GECOS:
		return VPOP_GECOS_MAX;
	case VSTORE_W_DIR:
		return VPOP_DIR_MAX;
	case VSTORE_W_QUOTA:
		return VPOP_QUOTA_MAX;
	case VSTORE_W_CLEAR:
		return VPOP_CLEAR_MAX;
	}
	return 0;
}

static void
cdb_close(struct vstore *s)
{
	bulk_drop(s->own);
	free(s->own);
}

static const struct vstore_ops ops = {
	.kind = "cdb",
	.close = cdb_close,
	.width = cdb_width,
	.domain_add = cdb_domain_add,
	.domain_del = cdb_domain_del,
	.domain_index = cdb_domain_index,
	.user_get = cdb_user_get,
	.user_add = cdb_user_add,
	.user_set = cdb_user_set,
	.user_del = cdb_user_del,
	.user_each = cdb_user_each,
	.user_count = cdb_user_count,
	.bulk_begin = cdb_bulk_begin,
	.bulk_end = cdb_bulk_end,
	.alias_each = vfiles_alias_each,
	.alias_add = vfiles_alias_add,
	.alias_del = vfiles_alias_del,
	.lastauth_get = vfiles_lastauth_get,
	.lastauth_set = vfiles_lastauth_set,
	.limits_get = vfiles_limits_get,
	.limits_set = vfiles_limits_set,
	.limits_del = vfiles_limits_del,
	.dirctl_get = vfiles_dirctl_get,
	.dirctl_set = vfiles_dirctl_set,
	.dirctl_del = vfiles_dirctl_del,
	.ipmap_get = vfiles_ipmap_get,
	.ipmap_set = vfiles_ipmap_set,
	.ipmap_each = vfiles_ipmap_each,
};

void
vstore_cdb_init(struct vstore *s)
{
	s->ops = &ops;
	s->own = mem_alloc(1, sizeof(struct own));
}
