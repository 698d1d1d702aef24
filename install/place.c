/* install/place.c - making one item; see place.h. */
#include "install/place.h"

#include "install/accounts.h"
#include "lib/fs.h"
#include "lib/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((size_t)256 << 20)    /* bytes of one installed file */

int
place_init(struct place *p, const char *destdir, const char *source)
{
	memset(p, 0, sizeof *p);
	p->root = open(destdir != NULL ? destdir : "/",
	    O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->root < 0)
		return -1;
	p->staged = destdir != NULL;
	p->owners = geteuid() == 0;
	p->source = source;
	return 0;
}

void
place_done(struct place *p)
{
	(void)close(p->root);
	p->root = -1;
	str_free(&p->aside);
}

/* May a symbolic link with this owner, in this directory, be followed? */
static bool
link_trusted(const struct place *p, int dir, const struct stat *ln)
{
	struct stat st;

	if (p->staged || fstat(dir, &st) < 0)
		return false;
	return (ln->st_uid == 0 || ln->st_uid == geteuid()) &&
	    (st.st_uid == 0 || st.st_uid == geteuid()) &&
	    ((st.st_mode & 022) == 0 || (st.st_mode & S_ISVTX) != 0);
}

/* One step down; takes dir. */
static int
step_take(const struct place *p, int dir, const char *name)
{
	struct stat st;
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && fstat(fd, &st) == 0) {
		if (S_ISLNK(st.st_mode)) {
			(void)close(fd);
			fd = -1;
			if (link_trusted(p, dir, &st))
				fd = openat(dir, name,
				    O_PATH | O_DIRECTORY | O_CLOEXEC);
			else
				errno = ELOOP;
		} else if (!S_ISDIR(st.st_mode)) {
			(void)close(fd);
			fd = -1;
			errno = ENOTDIR;
		}
	}
	fd_close(dir);
	return fd;
}

static int
walk(const struct place *p, const char *path, size_t n)
{
	struct str name = {0};
	int fd = openat(p->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < n;) {
		size_t len = bytes_chr(path + i, n - i, '/');

		if (len > 0) {
			str_copyb(&name, path + i, len);
			fd = step_take(p, fd, str_c(&name));
		}
		i += len + 1;
	}
	str_free(&name);
	return fd;
}

int
place_open_dir(const struct place *p, const char *path)
{
	return walk(p, path, strlen(path));
}

int
place_open_parent(const struct place *p, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');

	*name = slash != NULL ? slash + 1 : path;
	return walk(p, path, (size_t)(*name - path));
}

enum place_result
place_owner(struct place *p, const struct tree_item *it, uid_t *uid,
    gid_t *gid)
{
	enum user_status u, g;

	if (!p->owners)
		return PLACE_EDITED;
	u = accounts_uid(it->owner, uid);
	if (u == USER_TEMP)
		return PLACE_FAILED;
	g = accounts_gid(it->group, gid);
	if (g == USER_TEMP)
		return PLACE_FAILED;
	if (u == USER_OK && g == USER_OK)
		return PLACE_SAME;
	p->owner_skipped = true;
	if (p->staged)
		return PLACE_EDITED;
	errno = ENOENT;
	return PLACE_FAILED;
}

/* Directories here belong to users whom root does not trust: a second name
 * may be that of any file, which is then not ours to give away. */
static bool
has_one_name(const struct stat *st)
{
	if (!S_ISREG(st->st_mode) || st->st_nlink <= 1)
		return true;
	errno = EMLINK;
	return false;
}

/* Owner first: chown clears set-id bits. */
static enum place_result
own(struct place *p, int fd, const struct tree_item *it)
{
	enum place_result r = PLACE_SAME;
	struct stat st;
	uid_t uid = 0;
	gid_t gid = 0;

	if (fstat(fd, &st) < 0)
		return PLACE_FAILED;
	switch (place_owner(p, it, &uid, &gid)) {
	case PLACE_SAME:
		if (st.st_uid == uid && st.st_gid == gid)
			break;
		if (!has_one_name(&st) || fchown(fd, uid, gid) < 0 ||
		    fstat(fd, &st) < 0)
			return PLACE_FAILED;
		r = PLACE_CHANGED;
		break;
	case PLACE_FAILED:
		return PLACE_FAILED;
	case PLACE_CHANGED:
	case PLACE_EDITED:
		break;
	}
	if ((st.st_mode & 07777) != it->mode) {
		if (!has_one_name(&st) || fchmod(fd, it->mode) < 0)
			return PLACE_FAILED;
		r = PLACE_CHANGED;
	}
	return r;
}

static enum place_result
worse(enum place_result a, enum place_result b)
{
	return a > b ? a : b;
}

/* Opens what is at name if it has the type; -1 with ENOENT when nothing is
 * there, EEXIST when it is something else. */
static int
open_typed(int dir, const char *name, mode_t type)
{
	struct stat st;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if ((st.st_mode & S_IFMT) != type) {
		errno = EEXIST;
		return -1;
	}
	fd = openat(dir, name,
	    O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type)
		return fd;
	(void)close(fd);
	errno = EEXIST;
	return -1;
}

static enum place_result
make_dir(struct place *p, int dir, const struct tree_item *it,
    const char *name)
{
	enum place_result made = PLACE_SAME, r;
	bool system = it->kind == TREE_SYSDIR;
	int fd, real;

	if (name[0] != '\0' && mkdirat(dir, name, system ? 0755 : 0700) == 0)
		made = PLACE_CHANGED;
	else if (name[0] != '\0' && errno != EEXIST)
		return PLACE_FAILED;
	fd = place_open_dir(p, str_c(&it->path));
	if (fd < 0)
		return PLACE_FAILED;
	if (system) {
		(void)close(fd);
		return made;
	}
	real = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd_close(fd);
	if (real < 0)
		return PLACE_FAILED;
	r = own(p, real, it);
	fd_close(real);
	return worse(made, r);
}

/* Made under another name first: under its own it is as it should be, or
 * somebody else's. */
static enum place_result
make_kept_dir(struct place *p, int dir, const struct tree_item *it,
    const char *name)
{
	enum place_result r = PLACE_FAILED;
	struct str tmp = {0};
	int fd = place_open_dir(p, str_c(&it->path));

	if (fd >= 0) {
		(void)close(fd);
		return PLACE_SAME;
	}
	if (errno != ENOENT)
		return PLACE_FAILED;
	str_catf(&tmp, ".%s.new", name);
	if (unlinkat(dir, str_c(&tmp), AT_REMOVEDIR) < 0 && errno != ENOENT)
		goto out;
	if (mkdirat(dir, str_c(&tmp), 0700) < 0)
		goto out;
	fd = openat(dir, str_c(&tmp), O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (fd < 0)
		goto out;
	if (own(p, fd, it) != PLACE_FAILED && renameat2(dir, str_c(&tmp),
	    dir, name, RENAME_NOREPLACE) == 0)
		r = PLACE_CHANGED;
	fd_close(fd);
out:
	str_free(&tmp);
	return r;
}

static int
read_at(int dir, const char *name, struct str *out)
{
	int fd = open_typed(dir, name, S_IFREG), r;

	if (fd < 0)
		return -1;
	r = fs_read_fd(fd, out, FILE_MAX);
	fd_close(fd);
	return r;
}

int
place_read(const struct place *p, const char *path, struct str *out)
{
	const char *name;
	int dir = place_open_parent(p, path, &name), r;

	if (dir < 0)
		return -1;
	r = read_at(dir, name, out);
	fd_close(dir);
	return r;
}

/* Writes tmp, with owner and mode, on the disk; then rename publishes it. */
static enum place_result
replace(struct place *p, int dir, const struct tree_item *it,
    const char *name, const struct str *bytes)
{
	enum place_result r = PLACE_FAILED;
	struct str tmp = {0};
	int fd;

	str_catf(&tmp, ".%s.new", name);
	if (unlinkat(dir, str_c(&tmp), 0) < 0 && errno != ENOENT)
		goto out;
	fd = openat(dir, str_c(&tmp),
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		goto out;
	if (fd_write_all(fd, bytes->s, bytes->len) == 0 &&
	    own(p, fd, it) != PLACE_FAILED && fsync(fd) == 0 &&
	    renameat(dir, str_c(&tmp), dir, name) == 0)
		r = PLACE_CHANGED;
	fd_close(fd);
	if (r == PLACE_FAILED) {
		int e = errno;

		(void)unlinkat(dir, str_c(&tmp), 0);
		errno = e;
	}
out:
	str_free(&tmp);
	return r;
}

static enum place_result
own_at(struct place *p, int dir, const struct tree_item *it, const char *name,
    mode_t type)
{
	enum place_result r;
	int fd = open_typed(dir, name, type);

	if (fd < 0)
		return PLACE_FAILED;
	r = own(p, fd, it);
	fd_close(fd);
	return r;
}

static enum place_result
put_bytes(struct place *p, int dir, const struct tree_item *it,
    const char *name, const struct str *want)
{
	struct str have = {0};
	enum place_result r;
	bool same;

	if (read_at(dir, name, &have) < 0 && errno != ENOENT &&
	    errno != EEXIST) {
		str_free(&have);
		return PLACE_FAILED;
	}
	same = have.len == want->len && (want->len == 0 ||
	    memcmp(have.s, want->s, want->len) == 0);
	str_free(&have);
	r = same ? own_at(p, dir, it, name, S_IFREG) : PLACE_FAILED;
	/* An empty file that is not there yet looks the same. */
	if (same && !(r == PLACE_FAILED && errno == ENOENT))
		return r;
	return replace(p, dir, it, name, want);
}

static int
read_source(const struct place *p, const struct tree_item *it,
    struct str *out)
{
	struct str path = {0};
	int r;

	if (p->source == NULL) {
		errno = ENOENT;
		return -1;
	}
	if (str_c(&it->source)[0] != '/')
		str_catf(&path, "%s/", p->source);
	str_cat(&path, &it->source);
	r = fs_read(str_c(&path), out, FILE_MAX);
	str_free(&path);
	return r;
}

static enum place_result
make_copy(struct place *p, int dir, const struct tree_item *it,
    const char *name)
{
	struct str bytes = {0};
	enum place_result r = PLACE_FAILED;

	if (read_source(p, it, &bytes) == 0)
		r = put_bytes(p, dir, it, name, &bytes);
	str_free(&bytes);
	return r;
}

/* Edited = it differs from the text delivered last time (or, when that is not
 * known, from today's). */
static enum place_result
make_text(struct place *p, int dir, const struct tree_item *it,
    const char *name)
{
	struct tree_item kept = {.owner = it->owner, .group = it->group,
	    .mode = 0644};
	struct str raw = {0}, want = {0}, have = {0}, before = {0};
	enum place_result r = PLACE_FAILED, r2;
	const char *kept_name;
	int kept_dir = -1;

	if (read_source(p, it, &raw) < 0)
		goto out;
	tree_cat_filled(&want, str_c(&raw), raw.len);
	kept_dir = place_open_parent(p, str_c(&it->pristine), &kept_name);
	if (kept_dir < 0 || (read_at(kept_dir, kept_name, &before) < 0 &&
	    errno != ENOENT))
		goto out;
	if (read_at(dir, name, &have) < 0) {
		if (errno == ENOENT)
			r = replace(p, dir, it, name, &want);
	} else if (strcmp(str_c(&have), str_c(&want)) == 0 ||
	    strcmp(str_c(&have), str_c(&before)) == 0) {
		r = put_bytes(p, dir, it, name, &want);
	} else {
		r = own_at(p, dir, it, name, S_IFREG);
		if (r != PLACE_FAILED)
			r = PLACE_EDITED;
	}
	if (r != PLACE_FAILED) {
		r2 = put_bytes(p, kept_dir, &kept, kept_name, &want);
		r = worse(r, r2);
	}
out:
	if (kept_dir >= 0)
		fd_close(kept_dir);
	str_free(&raw);
	str_free(&want);
	str_free(&have);
	str_free(&before);
	return r;
}

static enum place_result
make_new(struct place *p, int dir, const struct tree_item *it,
    const char *name, const struct str *bytes)
{
	enum place_result r = PLACE_FAILED;
	int fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return PLACE_FAILED;
	if (fd_write_all(fd, bytes->s, bytes->len) == 0 &&
	    own(p, fd, it) != PLACE_FAILED && fsync(fd) == 0)
		r = PLACE_CHANGED;
	fd_close(fd);
	if (r == PLACE_FAILED) {
		int e = errno;

		(void)unlinkat(dir, name, 0);
		errno = e;
	}
	return r;
}

static enum place_result
make_kept(struct place *p, int dir, const struct tree_item *it,
    const char *name)
{
	struct str zeros = {0};
	enum place_result r;

	for (size_t i = 0; i < it->size; i++)
		str_catc(&zeros, '\0');
	r = make_new(p, dir, it, name, &zeros);
	if (r == PLACE_FAILED && errno == EEXIST)
		r = own_at(p, dir, it, name, S_IFREG);
	str_free(&zeros);
	return r;
}

static enum place_result
make_fifo(struct place *p, int dir, const struct tree_item *it,
    const char *name)
{
	enum place_result made = PLACE_CHANGED;

	if (mkfifoat(dir, name, 0600) < 0) {
		if (errno != EEXIST)
			return PLACE_FAILED;
		made = PLACE_SAME;
	}
	return worse(made, own_at(p, dir, it, name, S_IFIFO));
}

static enum place_result
make_link(int dir, const struct tree_item *it, const char *name)
{
	const char *to = str_c(&it->source);
	enum place_result r = PLACE_FAILED;
	struct str tmp = {0};
	char have[4096];
	ssize_t n = readlinkat(dir, name, have, sizeof have);

	if (n >= 0 && (size_t)n == it->source.len &&
	    memcmp(have, to, (size_t)n) == 0)
		return PLACE_SAME;
	str_catf(&tmp, ".%s.new", name);
	if ((unlinkat(dir, str_c(&tmp), 0) == 0 || errno == ENOENT) &&
	    symlinkat(to, dir, str_c(&tmp)) == 0) {
		if (renameat(dir, str_c(&tmp), dir, name) == 0) {
			r = PLACE_CHANGED;
		} else {
			int e = errno;

			(void)unlinkat(dir, str_c(&tmp), 0);
			errno = e;
		}
	}
	str_free(&tmp);
	return r;
}

#define ASIDE_MAX 100

/* Somebody else's program may stand there: it gets another name. */
static int
put_aside(struct place *p, int dir, const struct tree_item *it,
    const char *name)
{
	struct str to = {0};
	struct stat st;
	int r = -1;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	for (int i = 0; r < 0 && i < ASIDE_MAX; i++) {
		str_clear(&to);
		str_catf(&to, "%s.orig", name);
		if (i > 0)
			str_catf(&to, ".%d", i);
		r = renameat2(dir, name, dir, str_c(&to), RENAME_NOREPLACE);
		if (r < 0 && errno != EEXIST)
			break;
	}
	if (r == 0)
		str_catf(&p->aside, "put %s aside as %s\n", str_c(&it->path),
		    str_c(&to));
	str_free(&to);
	return r;
}

static enum place_result
make_link_aside(struct place *p, int dir, const struct tree_item *it,
    const char *name)
{
	char have[4096];
	ssize_t n = readlinkat(dir, name, have, sizeof have);

	/* One that leads here already is not somebody else's. */
	if ((n < 0 || (size_t)n != it->source.len ||
	    memcmp(have, str_c(&it->source), (size_t)n) != 0) &&
	    put_aside(p, dir, it, name) < 0)
		return PLACE_FAILED;
	return make_link(dir, it, name);
}

/* mkdir -p of what lies above; what exists stays as it is. */
static int
make_above(struct place *p, const char *path)
{
	struct str part = {0};
	int r = 0;

	for (size_t i = 1; r == 0 && path[i] != '\0'; i++) {
		const char *name;
		int dir;

		if (path[i] != '/')
			continue;
		str_copyb(&part, path, i);
		dir = place_open_parent(p, str_c(&part), &name);
		if (dir < 0 || (mkdirat(dir, name, 0755) < 0 &&
		    errno != EEXIST))
			r = -1;
		if (dir >= 0)
			fd_close(dir);
	}
	str_free(&part);
	return r;
}

enum place_result
place_make(struct place *p, const struct tree_item *it)
{
	enum place_result r = PLACE_FAILED;
	const char *name;
	int dir;

	if ((it->kind == TREE_DIR || it->kind == TREE_SYSDIR ||
	    it->kind == TREE_KEPTDIR) &&
	    make_above(p, str_c(&it->path)) < 0)
		return PLACE_FAILED;
	dir = place_open_parent(p, str_c(&it->path), &name);
	if (dir < 0)
		return PLACE_FAILED;
	switch (it->kind) {
	case TREE_DIR:
	case TREE_SYSDIR:
		r = make_dir(p, dir, it, name);
		break;
	case TREE_KEPTDIR:
		r = make_kept_dir(p, dir, it, name);
		break;
	case TREE_COPY:
		r = make_copy(p, dir, it, name);
		break;
	case TREE_TEXT:
		r = make_text(p, dir, it, name);
		break;
	case TREE_KEPT:
		r = make_kept(p, dir, it, name);
		break;
	case TREE_FIFO:
		r = make_fifo(p, dir, it, name);
		break;
	case TREE_LINK:
		r = make_link(dir, it, name);
		break;
	case TREE_LINK_ASIDE:
		r = make_link_aside(p, dir, it, name);
		break;
	}
	fd_close(dir);
	return r;
}

enum place_result
place_make_once(struct place *p, const char *path, const char *owner,
    const char *group, mode_t mode, const char *text)
{
	struct tree_item it = {.owner = owner, .group = group, .mode = mode};
	struct str bytes = {0};
	enum place_result r;
	const char *name;
	int dir = place_open_parent(p, path, &name);

	if (dir < 0)
		return PLACE_FAILED;
	str_copys(&bytes, text);
	r = make_new(p, dir, &it, name, &bytes);
	if (r == PLACE_FAILED && errno == EEXIST)
		r = PLACE_SAME;
	fd_close(dir);
	str_free(&bytes);
	return r;
}
