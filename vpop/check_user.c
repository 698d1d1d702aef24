/* vpop/check_user.c - the directories of a domain's users, and directories
 * that are nobody's; see check.h.
 *
 * Where a user's directory is his record says, and a record may be anything:
 * so what is given to the owner or made is reached from the domain's open
 * directory, name by name, and no link is followed on the way.  A directory
 * that is not below the domain's is only looked for. */
#include "vpop/check.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "vpop/vfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 40
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
#define MAILDIR "Maildir"

struct tree {
	struct check *k;
	const struct vdomain *d;
	const struct vuser *u;
	int top;                        /* the domain's directory */
	dev_t dev;
	uint64_t n;                     /* entries of others */
	struct str first;
	bool give;                      /* give them to the owner */
	int error;
};

static int
fail(struct str *why)
{
	str_cats(why, strerror(errno));
	return -1;
}

/* The part of path below the domain's directory, or NULL. */
static const char *
below(const struct vdomain *d, const char *path)
{
	size_t n = d->dir.len;

	if (strncmp(path, str_c(&d->dir), n) != 0 || path[n] != '/' ||
	    path[n + 1] == '\0' || path[n + 1] == '/' ||
	    strstr(path + n, "/../") != NULL || strstr(path, "//") != NULL)
		return NULL;
	return path + n + 1;
}

/* Opens what is below top, no link on the way; -1 with errno. */
static int
open_below(int top, const char *path)
{
	struct str name = {0};
	int fd = fcntl(top, F_DUPFD_CLOEXEC, 3);

	while (fd >= 0 && *path != '\0') {
		size_t n = strcspn(path, "/");
		int next, e;

		str_copyb(&name, path, n);
		path += n + (path[n] == '/');
		if (n == 0)
			continue;
		next = openat(fd, str_c(&name), DIR_FLAGS);
		e = errno;
		fd_close(fd);
		errno = e;
		fd = next;
	}
	str_free(&name);
	return fd;
}

/* -- owners -- */

static bool
is_right(const struct tree *t, const struct stat *st)
{
	return st->st_uid == t->d->uid && (st->st_gid == t->d->gid ||
	    st->st_gid == t->k->c.gid);
}

/* Of a file with two names the other may be anywhere. */
static void
own(struct tree *t, int dirfd, const char *name, const struct stat *st)
{
	if (is_right(t, st))
		return;
	if (t->n++ == 0)
		str_copys(&t->first, name);
	if (!t->give)
		return;
	if (!S_ISDIR(st->st_mode) && st->st_nlink != 1) {
		t->error = EMLINK;
	} else if (fchownat(dirfd, name, t->d->uid, t->d->gid,
	    AT_SYMLINK_NOFOLLOW) < 0) {
		t->error = errno;
	}
}

static void walk(struct tree *t, int fd, int depth);

static void
walk_entry(struct tree *t, int dirfd, const char *name, int depth)
{
	struct stat st;
	int fd;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			t->error = errno;
		return;
	}
	if (S_ISLNK(st.st_mode))
		return;
	if (S_ISDIR(st.st_mode)) {
		/* an overlay's files may show another device; a directory that
		 * does is another file system */
		if (st.st_dev != t->dev)
			return;
		fd = openat(dirfd, name, DIR_FLAGS);
		if (fd < 0) {
			t->error = errno;
			return;
		}
		if (depth < DEPTH_MAX)
			walk(t, fd, depth + 1);
		else
			fd_close(fd);
	}
	own(t, dirfd, name, &st);
}

/* Takes fd. */
static void
walk(struct tree *t, int fd, int depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;

	if (dir == NULL) {
		t->error = errno;
		fd_close(fd);
		return;
	}
	while (errno = 0, (e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0)
			walk_entry(t, dirfd(dir), e->d_name, depth);
	if (errno != 0)
		t->error = errno;
	(void)closedir(dir);
}

static int
walk_home(struct tree *t)
{
	const char *path = below(t->d, str_c(&t->u->dir));
	struct stat st;
	int fd = open_below(t->top, path);

	t->n = 0;
	t->error = 0;
	if (fd < 0 || fstat(fd, &st) < 0) {
		if (fd >= 0)
			fd_close(fd);
		return -1;
	}
	t->dev = st.st_dev;
	if (!is_right(t, &st)) {
		t->n++;
		str_copys(&t->first, "itself");
		if (t->give && fchown(fd, t->d->uid, t->d->gid) < 0)
			t->error = errno;
	}
	walk(t, fd, 0);
	if (t->error != 0)
		errno = t->error;
	return t->error != 0 ? -1 : 0;
}

static int
fix_owners(struct check *k, void *arg, struct str *why)
{
	struct tree *t = arg;
	int r;

	(void)k;
	t->give = true;
	r = walk_home(t) < 0 ? fail(why) : 0;
	t->give = false;
	return r;
}

static void
check_owners(struct tree *t)
{
	struct str first = {0};
	uint64_t n;

	if (walk_home(t) < 0) {
		check_blind(t->k, str_c(&t->d->name), "%s: %s",
		    str_c(&t->u->dir), strerror(errno));
		return;
	}
	str_copy(&first, &t->first);
	n = t->n;
	if (n > 0)
		check_report(t->k, str_c(&t->d->name), "owner", fix_owners, t,
		    "%s: %llu entries, the first is %s, do not belong to "
		    "%lu:%lu", str_c(&t->u->dir), (unsigned long long)n,
		    str_c(&first), (unsigned long)t->d->uid,
		    (unsigned long)t->d->gid);
	str_free(&first);
}

/* -- the Maildir -- */

struct part { struct tree *t; const char *name; mode_t mode; };

static int
fix_mode(struct check *k, void *arg, struct str *why)
{
	const struct part *p = arg;
	struct str path = {0};
	int fd, r = -1;

	(void)k;
	str_cats(&path, below(p->t->d, str_c(&p->t->u->dir)));
	str_catf(&path, "/%s", p->name);
	fd = open_below(p->t->top, str_c(&path));
	if (fd >= 0) {
		r = fchmod(fd, p->mode);
		fd_close(fd);
	}
	str_free(&path);
	return r < 0 ? fail(why) : 0;
}

static int
fix_part(struct check *k, void *arg, struct str *why)
{
	const struct part *p = arg;
	struct str path = {0};
	struct vfile_as as;
	int e, r = vfile_as_begin(&as, p->t->d->uid, p->t->d->gid);

	(void)k;
	str_catf(&path, "%s/%s", str_c(&p->t->u->dir), p->name);
	if (r == 0) {
		r = mkdir(str_c(&path), 0700);
		if (r == 0)
			r = fs_sync_parent(str_c(&path));
		e = errno;
		vfile_as_end(&as);
		errno = e;
	}
	str_free(&path);
	return r < 0 ? fail(why) : 0;
}

static void
check_part(struct tree *t, const char *name)
{
	struct part p = {t, name, 0};
	struct str path = {0};
	struct stat st;

	/* by its name, as delivery gets there: a link may be meant so */
	str_catf(&path, "%s/%s", str_c(&t->u->dir), name);
	if (stat(str_c(&path), &st) < 0) {
		if (errno == ENOENT)
			check_report(t->k, str_c(&t->d->name), MAILDIR,
			    fix_part, &p, "%s is not there", str_c(&path));
		else
			check_blind(t->k, str_c(&t->d->name), "%s: %s",
			    str_c(&path), strerror(errno));
	} else if (!S_ISDIR(st.st_mode)) {
		check_report(t->k, str_c(&t->d->name), MAILDIR, NULL, NULL,
		    "%s is no directory", str_c(&path));
	} else if (lstat(str_c(&path), &st) == 0 && S_ISDIR(st.st_mode) &&
	    ((st.st_mode & 0700) != 0700 || (st.st_mode & 022) != 0)) {
		p.mode = (st.st_mode & 07777 & ~(mode_t)022) | 0700;
		check_report(t->k, str_c(&t->d->name), "mode", fix_mode, &p,
		    "%s has mode %04o, which %s", str_c(&path),
		    (unsigned)(st.st_mode & 07777), (st.st_mode & 022) != 0 ?
		    "lets others write" : "keeps its owner out");
	}
	str_free(&path);
}

static int
fix_home(struct check *k, void *arg, struct str *why)
{
	const struct tree *t = arg;
	struct vuser u = {0};
	enum vpop_error e;

	str_copy(&u.name, &t->u->name);
	str_copy(&u.dir, &t->u->dir);
	e = vmanage_user_dir(&k->c, t->d, &u, why);
	vuser_free(&u);
	return e == VPOP_OK ? 0 : -1;
}

static void
check_home(struct tree *t)
{
	static const char *const parts[] = {"", MAILDIR, MAILDIR "/cur",
	    MAILDIR "/new", MAILDIR "/tmp"};
	const char *dir = str_c(&t->u->dir), *name = str_c(&t->d->name);
	struct stat st;
	bool inside = below(t->d, dir) != NULL;

	if (t->u->dir.len == 0)
		return;                 /* made when it is needed */
	if (stat(dir, &st) < 0 && errno != ENOENT && errno != ENOTDIR) {
		check_blind(t->k, name, "%s: %s", dir, strerror(errno));
	} else if (stat(dir, &st) < 0) {
		check_report(t->k, name, "directory", inside ? fix_home :
		    NULL, t, "%s of user %s is not there", dir,
		    str_c(&t->u->name));
	} else if (!S_ISDIR(st.st_mode)) {
		check_report(t->k, name, "directory", NULL, NULL,
		    "%s of user %s is no directory", dir,
		    str_c(&t->u->name));
	} else if (inside) {
		for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
			check_part(t, parts[i]);
		if (lstat(dir, &st) == 0 && S_ISDIR(st.st_mode))
			check_owners(t);
	}
}

/* -- directories that are nobody's -- */

static bool
has_maildir(const char *path)
{
	struct str sub = {0};
	struct stat st;
	bool has;

	str_catf(&sub, "%s/" MAILDIR, path);
	has = lstat(str_c(&sub), &st) == 0 && S_ISDIR(st.st_mode);
	str_free(&sub);
	return has;
}

/* known: of the users, and of the directories above theirs. */
static void
find_orphans(struct check *k, const struct vdomain *d,
    const struct map *known, const char *path, int depth)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	struct str sub = {0};
	struct stat st;

	if (dir == NULL) {
		check_blind(k, str_c(&d->name), "%s: %s", path,
		    strerror(errno));
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		str_clear(&sub);
		str_catf(&sub, "%s/%s", path, e->d_name);
		if (lstat(str_c(&sub), &st) < 0 || !S_ISDIR(st.st_mode))
			continue;
		if (check_is_trash(e->d_name))
			check_leftover_tree(k, str_c(&d->name), path,
			    e->d_name);
		if (e->d_name[0] == '.' || map_get(known, str_c(&sub),
		    sub.len) != NULL)
			continue;
		if (depth < 3 && check_is_place(e->d_name) &&
		    !has_maildir(str_c(&sub)))
			find_orphans(k, d, known, str_c(&sub), depth + 1);
		else if (has_maildir(str_c(&sub)))
			check_report(k, str_c(&d->name), "orphan", NULL,
			    NULL, "%s is no user's: it stays",
			    str_c(&sub));
	}
	(void)closedir(dir);
	str_free(&sub);
}

void
check_users(struct check *k, const struct vdomain *d,
    const struct check_users *l)
{
	struct tree t = {.k = k, .d = d};
	struct map known = {0};

	t.top = open(str_c(&d->dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t.top < 0) {
		check_blind(k, str_c(&d->name), "%s: %s", str_c(&d->dir),
		    strerror(errno));
		return;
	}
	for (size_t i = 0; i < l->n; i++) {
		const struct vuser *u = &l->u[i], *other;
		size_t n = u->dir.len;

		while (n > 1 && u->dir.s[n - 1] == '/')
			n--;
		other = n == 0 ? NULL : map_get(&known, str_c(&u->dir), n);
		if (other != NULL)
			check_report(k, str_c(&d->name), "directory", NULL,
			    NULL, "users %s and %s have the same, %s",
			    str_c(&other->name), str_c(&u->name),
			    str_c(&u->dir));
		else if (n > 0)
			map_set(&known, str_c(&u->dir), n,
			    (void *)(uintptr_t)u);
		t.u = u;
		check_home(&t);
	}
	find_orphans(k, d, &known, str_c(&d->dir), 0);
	fd_close(t.top);
	map_free(&known);
	str_free(&t.first);
}
