/* install/verify.c - comparing; see verify.h.  The tree below HOME belongs to
 * several users and changes while it is looked at: a file that vanishes
 * between two looks is not a difference. */
#include "install/verify.h"

#include "lib/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((size_t)256 << 20)    /* bytes of one installed file */
#define DEPTH_MAX 64                    /* directories, nested */

static const char *
type_text(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFREG:
		return "a regular file";
	case S_IFIFO:
		return "a named pipe";
	case S_IFLNK:
		return "a symbolic link";
	default:
		return "a special file";
	}
}

static mode_t
kind_type(enum tree_kind kind)
{
	switch (kind) {
	case TREE_DIR:
	case TREE_SYSDIR:
	case TREE_KEPTDIR:
		return S_IFDIR;
	case TREE_FIFO:
		return S_IFIFO;
	case TREE_LINK:
	case TREE_LINK_ASIDE:
		return S_IFLNK;
	case TREE_COPY:
	case TREE_TEXT:
	case TREE_KEPT:
		break;
	}
	return S_IFREG;
}

/* lstat, but a directory may be reached through a link that root made. */
static int
look(const struct place *p, const struct tree_item *it, struct stat *st)
{
	const char *path = str_c(&it->path), *name;
	int fd, r;

	if (kind_type(it->kind) == S_IFDIR) {
		fd = place_open_dir(p, path);
		r = fd < 0 ? -1 : fstat(fd, st);
	} else {
		fd = place_open_parent(p, path, &name);
		r = fd < 0 ? -1 : fstatat(fd, name, st, AT_SYMLINK_NOFOLLOW);
	}
	if (fd >= 0) {
		int e = errno;

		(void)close(fd);
		errno = e;
	}
	return r;
}

static unsigned
check_owner(struct place *p, const struct tree_item *it,
    const struct stat *st, struct str *out)
{
	const char *path = str_c(&it->path);
	unsigned bad = 0;
	uid_t uid = 0;
	gid_t gid = 0;

	/* A missing account has its own line: accounts_compare. */
	if (place_owner(p, it, &uid, &gid) != PLACE_SAME)
		return 0;
	if (st->st_uid != uid) {
		str_catf(out, "%s: owner is %u, should be %s\n", path,
		    (unsigned)st->st_uid, it->owner);
		bad++;
	}
	if (st->st_gid != gid) {
		str_catf(out, "%s: group is %u, should be %s\n", path,
		    (unsigned)st->st_gid, it->group);
		bad++;
	}
	return bad;
}

static unsigned
check_bytes(const struct place *p, const struct tree_item *it,
    struct str *out)
{
	struct str have = {0}, want = {0}, source = {0};
	const char *path = str_c(&it->path);
	unsigned bad = 0;

	if (str_c(&it->source)[0] != '/')
		str_catf(&source, "%s/", p->source);
	str_cat(&source, &it->source);
	if (fs_read(str_c(&source), &want, FILE_MAX) < 0) {
		str_catf(out, "%s: unable to read: %s\n", str_c(&source),
		    strerror(errno));
		bad++;
	} else if (place_read(p, path, &have) < 0) {
		str_catf(out, "%s: unable to read: %s\n", path,
		    strerror(errno));
		bad++;
	} else if (have.len != want.len ||
	    (have.len > 0 && memcmp(have.s, want.s, have.len) != 0)) {
		str_catf(out, "%s: is not the same as %s\n", path,
		    str_c(&source));
		bad++;
	}
	str_free(&have);
	str_free(&want);
	str_free(&source);
	return bad;
}

static unsigned
check_link(const struct place *p, const struct tree_item *it,
    struct str *out)
{
	char to[4096];
	const char *name;
	int dir = place_open_parent(p, str_c(&it->path), &name);
	ssize_t n = -1;

	if (dir >= 0) {
		n = readlinkat(dir, name, to, sizeof to);
		(void)close(dir);
	}
	if (n >= 0 && (size_t)n == it->source.len &&
	    memcmp(to, str_c(&it->source), (size_t)n) == 0)
		return 0;
	str_catf(out, "%s: does not lead to %s\n", str_c(&it->path),
	    str_c(&it->source));
	return 1;
}

unsigned
verify_item(struct place *p, const struct tree_item *it, struct str *out)
{
	const char *path = str_c(&it->path);
	unsigned bad = 0;
	struct stat st;

	if (look(p, it, &st) < 0) {
		str_catf(out, "%s: %s\n", path, errno == ENOENT ?
		    "is missing" : strerror(errno));
		return 1;
	}
	if ((st.st_mode & S_IFMT) != kind_type(it->kind)) {
		str_catf(out, "%s: is %s, should be %s\n", path,
		    type_text(st.st_mode), type_text(kind_type(it->kind)));
		return 1;
	}
	if (kind_type(it->kind) == S_IFLNK)
		return check_link(p, it, out);
	if (it->kind == TREE_SYSDIR)
		return 0;
	if (it->kind == TREE_KEPTDIR) {
		if ((st.st_mode & S_IWOTH) == 0)
			return 0;
		str_catf(out, "%s: may be written by everybody\n", path);
		return 1;
	}
	if ((st.st_mode & 07777) != it->mode) {
		str_catf(out, "%s: mode is %04o, should be %04o\n", path,
		    (unsigned)(st.st_mode & 07777), (unsigned)it->mode);
		bad++;
	}
	bad += check_owner(p, it, &st, out);
	if (it->kind == TREE_COPY && p->source != NULL)
		bad += check_bytes(p, it, out);
	return bad;
}

static unsigned
find_setid(int dir, struct str *path, unsigned depth,
    struct str *out);

/* path is the entry's; restored by the caller. */
static unsigned
find_setid_entry(int dir, const char *name,
    struct str *path, unsigned depth, struct str *out)
{
	unsigned bad = 0;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISREG(st.st_mode) && (st.st_mode & 06000) != 0) {
		str_catf(out, "%s: is setuid or setgid, mode %04o\n",
		    str_c(path), (unsigned)(st.st_mode & 07777));
		bad++;
	}
	if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
		int fd = openat(dir, name, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0)
			bad += find_setid(fd, path, depth + 1, out);
	}
	return bad;
}

/* Takes dir. */
static unsigned
find_setid(int dir, struct str *path, unsigned depth,
    struct str *out)
{
	size_t len = path->len;
	const struct dirent *d;
	unsigned bad = 0;
	DIR *list = fdopendir(dir);

	if (list == NULL) {
		(void)close(dir);
		return 0;
	}
	while ((d = readdir(list)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 ||
		    strcmp(d->d_name, "..") == 0)
			continue;
		str_catf(path, "/%s", d->d_name);
		bad += find_setid_entry(dir, d->d_name, path, depth, out);
		str_trunc(path, len);
	}
	(void)closedir(list);
	return bad;
}

unsigned
verify_setid(const struct place *p, struct str *out)
{
	struct str path = {0};
	unsigned bad = 0;
	int home = place_open_dir(p, HOME_DIR), dir = -1;

	if (home >= 0) {
		dir = openat(home, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(home);
	}
	str_copys(&path, HOME_DIR);
	if (dir < 0) {
		str_catf(out, "%s: %s\n", HOME_DIR, strerror(errno));
		bad = 1;
	} else {
		bad = find_setid(dir, &path, 0, out);
	}
	str_free(&path);
	return bad;
}
