/* tls/store.c - generations on the disk; see store.h. */
#include "tls/store.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/log.h"
#include "tls/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK "self-signed"

/* DIR/rest, for one call at a time. */
__attribute__((format(printf, 2, 3)))
static const char *
path(struct str *p, const char *fmt, ...)
{
	char rest[PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(rest, sizeof rest, fmt, ap);
	va_end(ap);
	str_copys(p, rest);
	return str_c(p);
}

static int
fail(const char *what, const struct str *object)
{
	int e = errno;

	log_sys("unable to %s %s", what, str_c(object));
	errno = e;
	return -1;
}

/* What the generation before has; NULL with ENOENT when there is none.  Other
 * trouble is said: what cannot be read must not seem to be gone. */
static DIR *
open_old(const char *dir)
{
	struct str p = {0};
	DIR *d = opendir(dir);

	if (d == NULL && errno != ENOENT) {
		str_copys(&p, dir);
		(void)fail("read", &p);
	}
	str_free(&p);
	return d;
}

/* NULL at the end; *r is then -1 when it is none. */
static struct dirent *
next(DIR *d, const char *dir, int *r)
{
	struct str p = {0};
	struct dirent *e;

	errno = 0;
	e = readdir(d);
	if (e == NULL && errno != 0) {
		str_copys(&p, dir);
		*r = fail("read", &p);
	}
	str_free(&p);
	return e;
}

/* Links every file of a directory into another that is made. */
static int
copy_dir(const char *from, const char *to, mode_t mode)
{
	struct str a = {0}, b = {0};
	DIR *d = open_old(from);
	struct dirent *e;
	int r = d == NULL && errno != ENOENT ? -1 : 0;

	if (r == 0 && mkdir(to, mode) < 0) {
		str_copys(&b, to);
		r = fail("make", &b);
	}
	while (r == 0 && d != NULL && (e = next(d, from, &r)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (link(path(&a, "%s/%s", from, e->d_name),
		    path(&b, "%s/%s", to, e->d_name)) < 0)
			r = fail("link", &b);
	}
	if (d != NULL)
		(void)closedir(d);
	str_free(&a);
	str_free(&b);
	return r;
}

static int
copy_certs(const char *from, const char *to)
{
	struct str a = {0}, b = {0};
	DIR *d = open_old(from);
	struct dirent *e;
	int r = d == NULL && errno != ENOENT ? -1 : 0;

	if (r == 0 && mkdir(to, 0755) < 0) {
		str_copys(&b, to);
		r = fail("make", &b);
	}
	while (r == 0 && d != NULL && (e = next(d, from, &r)) != NULL) {
		char target[LAYOUT_NAME + 1];
		ssize_t n;

		if (e->d_name[0] == '.')
			continue;
		(void)path(&a, "%s/%s", from, e->d_name);
		(void)path(&b, "%s/%s", to, e->d_name);
		n = readlink(str_c(&a), target, sizeof target - 1);
		if (n < 0) {
			r = copy_dir(str_c(&a), str_c(&b), 0755);
			continue;
		}
		target[n] = '\0';
		if (symlink(target, str_c(&b)) < 0)
			r = fail("make", &b);
	}
	if (d != NULL)
		(void)closedir(d);
	str_free(&a);
	str_free(&b);
	return r;
}

/* Two levels at most; what is not there is gone already. */
static void
remove_tree(const char *dir)
{
	struct str p = {0};
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0)
			continue;
		(void)path(&p, "%s/%s", dir, e->d_name);
		if (unlink(str_c(&p)) < 0 && errno == EISDIR)
			remove_tree(str_c(&p));
	}
	if (d != NULL)
		(void)closedir(d);
	(void)rmdir(dir);
	str_free(&p);
}

int
store_begin(struct store *st, const char *home, uid_t keyd, gid_t gid)
{
	struct str a = {0}, b = {0};
	int r = 0;

	*st = (struct store){.home = home, .keyd = keyd, .gid = gid};
	(void)path(&a, "%s/lock", home);
	st->lock = fs_lock(str_c(&a), 0600, true);
	if (st->lock < 0) {
		r = fail("lock", &a);
	} else if (layout_current(home, &st->gen) < 0 && errno != ENOENT) {
		(void)path(&a, "%s/current", home);
		r = fail("read the link", &a);
	} else {
		/* Past every number in use: nobody has it open. */
		if (layout_before(home, UINT64_MAX, &st->next) < 0)
			r = fail("read", &a);
		st->next++;
		(void)path(&st->dir, "%s/gen.%llu", home,
		    (unsigned long long)st->next);
		if (r == 0 && mkdir(str_c(&st->dir), 0755) < 0)
			r = fail("make", &st->dir);
	}
	if (r == 0)
		r = copy_certs(path(&a, "%s/gen.%llu/cert", home,
		    (unsigned long long)st->gen),
		    path(&b, "%s/cert", str_c(&st->dir)));
	if (r == 0)
		r = copy_dir(path(&a, "%s/gen.%llu/key", home,
		    (unsigned long long)st->gen),
		    path(&b, "%s/key", str_c(&st->dir)), 0700);
	if (r == 0 && st->keyd != (uid_t)-1 &&
	    chown(str_c(&b), st->keyd, st->gid) < 0)
		r = fail("give away", &b);
	str_free(&a);
	str_free(&b);
	return r;
}

int
store_drop_kind(struct store *st, const char *name, const char *kind)
{
	struct str p = {0};
	int r = 0;

	if (unlink(path(&p, "%s/cert/%s/%s.pem", str_c(&st->dir), name,
	    kind)) < 0 && errno != ENOENT)
		r = fail("remove", &p);
	if (unlink(path(&p, "%s/key/%s:%s.pem", str_c(&st->dir), name,
	    kind)) < 0 && errno != ENOENT)
		r = fail("remove", &p);
	str_free(&p);
	return r;
}

bool
store_has(const struct store *st, const char *name)
{
	struct str p = {0};
	struct stat sb;
	bool has = lstat(path(&p, "%s/cert/%s", str_c(&st->dir), name),
	    &sb) == 0 && S_ISDIR(sb.st_mode);

	str_free(&p);
	return has;
}

bool
store_marked(const struct store *st, const char *name)
{
	struct str p = {0};
	bool marked = access(path(&p, "%s/cert/%s/" MARK, str_c(&st->dir),
	    name), F_OK) == 0;

	str_free(&p);
	return marked;
}

void
store_get_default(const struct store *st, struct str *out)
{
	char target[LAYOUT_NAME + 1];
	struct str p = {0};
	ssize_t n = readlink(path(&p, "%s/cert/" LAYOUT_DEFAULT,
	    str_c(&st->dir)), target, sizeof target - 1);

	str_copyb(out, target, n > 0 ? (size_t)n : 0);
	if (n > 0 && !store_has(st, str_c(out)))
		str_clear(out);
	str_free(&p);
}

int
store_drop(struct store *st, const char *name)
{
	struct str p = {0}, standard = {0};
	int r = 0;

	if (!store_has(st, name)) {
		errno = ENOENT;
		return -1;
	}
	store_get_default(st, &standard);
	for (unsigned k = 0; k < LAYOUT_KINDS && r == 0; k++)
		r = store_drop_kind(st, name, layout_kind(k));
	if (r == 0)
		remove_tree(path(&p, "%s/cert/%s", str_c(&st->dir), name));
	if (r == 0 && str_eqs(&standard, name) && unlink(path(&p,
	    "%s/cert/" LAYOUT_DEFAULT, str_c(&st->dir))) < 0)
		r = fail("remove", &p);
	str_free(&p);
	str_free(&standard);
	return r;
}

/* A new file; owner -1: ours.  store_commit syncs it. */
static int
write_new(const struct str *p, const struct str *text, mode_t mode,
    uid_t uid, gid_t gid)
{
	int fd = open(str_c(p), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail("make", p);
	if (fd_write_all(fd, str_c(text), text->len) < 0 ||
	    (uid != (uid_t)-1 && fchown(fd, uid, gid) < 0) ||
	    fchmod(fd, mode) < 0) {
		int r = fail("write", p);

		fd_close(fd);
		return r;
	}
	if (close(fd) < 0)
		return fail("write", p);
	return 0;
}

static int
make_name(const struct store *st, const char *name)
{
	struct str p = {0};
	int r = 0;

	if (mkdir(path(&p, "%s/cert/%s", str_c(&st->dir), name), 0755) < 0 &&
	    errno != EEXIST)
		r = fail("make", &p);
	str_free(&p);
	return r;
}

int
store_put(struct store *st, const char *name, const char *kind,
    const struct str *certificate, const struct str *key)
{
	struct str p = {0};
	int r = store_drop_kind(st, name, kind);

	if (r == 0)
		r = make_name(st, name);
	(void)path(&p, "%s/cert/%s/%s.pem", str_c(&st->dir), name, kind);
	if (r == 0)
		r = write_new(&p, certificate, 0644, (uid_t)-1, (gid_t)-1);
	(void)path(&p, "%s/key/%s:%s.pem", str_c(&st->dir), name, kind);
	if (r == 0)
		r = write_new(&p, key, 0400, st->keyd, st->gid);
	str_free(&p);
	return r;
}

int
store_mark(struct store *st, const char *name)
{
	struct str p = {0}, empty = {0};
	int r;

	(void)path(&p, "%s/cert/%s/" MARK, str_c(&st->dir), name);
	r = write_new(&p, &empty, 0644, (uid_t)-1, (gid_t)-1);
	str_free(&p);
	return r;
}

int
store_default(struct store *st, const char *name)
{
	struct str p = {0};
	int r = 0;

	(void)path(&p, "%s/cert/" LAYOUT_DEFAULT, str_c(&st->dir));
	(void)unlink(str_c(&p));
	if (!store_has(st, name)) {
		errno = ENOENT;
		r = -1;
	} else if (symlink(name, str_c(&p)) < 0) {
		r = fail("make", &p);
	}
	str_free(&p);
	return r;
}

static void
remove_old(const struct store *st)
{
	struct str p = {0};
	uint64_t g = st->gen;

	while (g > 0 && layout_before(st->home, g, &g) == 0 && g > 0)
		remove_tree(path(&p, "%s/gen.%llu", st->home,
		    (unsigned long long)g));
	str_free(&p);
}

int
store_commit(struct store *st)
{
	struct str link = {0}, current = {0}, target = {0};
	int fd, r = 0;

	(void)path(&link, "%s/current.new", st->home);
	(void)path(&current, "%s/current", st->home);
	str_catf(&target, "gen.%llu", (unsigned long long)st->next);
	fd = open(st->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fs_syncfs(fd) < 0)
		r = fail("sync", &st->dir);
	(void)unlink(str_c(&link));
	if (r == 0 && symlink(str_c(&target), str_c(&link)) < 0)
		r = fail("make", &link);
	if (r == 0 && rename(str_c(&link), str_c(&current)) < 0)
		r = fail("replace", &current);
	if (r == 0 && fsync(fd) < 0)
		r = fail("sync", &current);
	if (r == 0) {
		remove_old(st);
		str_clear(&st->dir);            /* nothing to take back */
		store_abort(st);
	}
	fd_close(fd);
	str_free(&link);
	str_free(&current);
	str_free(&target);
	return r;
}

void
store_abort(struct store *st)
{
	uint64_t now = 0;

	/* A switch whose last sync failed is a switch. */
	if (st->dir.len > 0 && (layout_current(st->home, &now) < 0 ||
	    now != st->next))
		remove_tree(str_c(&st->dir));
	str_free(&st->dir);
	if (st->lock >= 0)
		fd_close(st->lock);
	st->lock = -1;
}
