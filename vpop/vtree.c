/* vpop/vtree.c - directories of users and domains; see vtree.h. */
#include "vpop/vtree.h"

#include "lib/fs.h"
#include "lib/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 32            /* open directories; what lies deeper is moved
                                 * up first */
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)

/* One removal. */
struct removal {
	bool bare;              /* directories only */
	int top;                /* where what lies too deep is moved to */
	unsigned moved;
	dev_t dev;
};

static int remove_entry(struct removal *r, int dirfd, const char *name,
    int depth);

/* One pass over a directory: how many entries went, or -1. */
static long
pass(struct removal *r, DIR *dir, int depth)
{
	struct dirent *e;
	long n = 0;

	while (errno = 0, (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (remove_entry(r, dirfd(dir), e->d_name, depth) < 0)
			return -1;
		n++;
	}
	return errno != 0 ? -1 : n;
}

/* Takes fd.  A directory that changes while it is read may want more passes,
 * and so do those that were moved up to the top. */
static int
remove_contents(struct removal *r, int fd, int depth)
{
	DIR *dir = fdopendir(fd);
	long n;
	int e;

	if (dir == NULL) {
		fd_close(fd);
		return -1;
	}
	while ((n = pass(r, dir, depth)) > 0)
		rewinddir(dir);
	e = errno;
	(void)closedir(dir);
	errno = e;
	return n < 0 ? -1 : 0;
}

/* A directory its owner may not enter is his all the same. */
static int
open_dir(int dirfd, const char *name)
{
	struct stat st;
	int fd = openat(dirfd, name, DIR_FLAGS);

	if (fd >= 0 || errno != EACCES)
		return fd;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (S_ISDIR(st.st_mode) && fchmodat(dirfd, name, 0700, 0) == 0)
		return openat(dirfd, name, DIR_FLAGS);
	errno = EACCES;
	return -1;
}

static int
move_up(struct removal *r, int dirfd, const char *name)
{
	char to[32];
	int ret;

	do {
		(void)snprintf(to, sizeof to, ".deep.%u", r->moved++);
		ret = renameat2(dirfd, name, r->top, to, RENAME_NOREPLACE);
	} while (ret < 0 && errno == EEXIST);
	return ret;
}

static int
remove_dir(struct removal *r, int dirfd, const char *name, int fd, int depth)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		fd_close(fd);
		return -1;
	}
	if (st.st_dev != r->dev) {
		fd_close(fd);
		errno = EXDEV;
		return -1;
	}
	if (depth >= DEPTH_MAX) {
		fd_close(fd);
		return move_up(r, dirfd, name);
	}
	if (remove_contents(r, fd, depth + 1) < 0)
		return -1;
	return unlinkat(dirfd, name, AT_REMOVEDIR);
}

static int
remove_entry(struct removal *r, int dirfd, const char *name, int depth)
{
	int fd = open_dir(dirfd, name);

	if (fd >= 0)
		return remove_dir(r, dirfd, name, fd, depth);
	if (errno == ENOENT)
		return 0;
	if (errno != ENOTDIR && errno != ELOOP)
		return -1;
	if (r->bare && (depth != 0 || strcmp(name, "lastauth") != 0)) {
		errno = ENOTEMPTY;
		return -1;
	}
	return unlinkat(dirfd, name, 0) < 0 && errno != ENOENT ? -1 : 0;
}

/* keep: the directory itself stays. */
static int
remove_tree(const char *path, bool bare, bool keep)
{
	struct removal r = {.bare = bare};
	struct stat st;
	int fd, ret = 0;

	fd = open_dir(AT_FDCWD, path);
	if (fd < 0) {
		if (errno == ENOENT)
			return 0;
		if ((errno != ENOTDIR && errno != ELOOP) || keep)
			return -1;
		if (bare) {
			errno = ENOTEMPTY;
			return -1;
		}
		return unlink(path) < 0 && errno != ENOENT ? -1 : 0;
	}
	r.top = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (r.top < 0 || fstat(fd, &st) < 0) {
		fd_close(fd);
		ret = -1;
	} else {
		r.dev = st.st_dev;
		ret = remove_contents(&r, fd, 0);
	}
	if (r.top >= 0)
		fd_close(r.top);
	if (ret == 0 && !keep)
		ret = rmdir(path);
	return ret;
}

int
vtree_remove(const char *path)
{
	return remove_tree(path, false, false);
}

int
vtree_empty(const char *path)
{
	return remove_tree(path, false, true);
}

int
vtree_remove_bare(const char *path)
{
	return remove_tree(path, true, false);
}

static void
forget(const char *path)
{
	int e = errno;

	if (vtree_remove_bare(path) < 0) {
		/* what is left is empty directories: a checker's */
	}
	errno = e;
}

/* The syncs from the inside out: what is there is whole. */
int
vtree_make_maildir(const char *path, bool sync)
{
	static const char *const sub[] = {"/Maildir", "/Maildir/cur",
	    "/Maildir/new", "/Maildir/tmp"};
	struct str s = {0};
	bool made = false;
	int r = 0, e;

	for (size_t i = 0; r == 0 && i < sizeof sub / sizeof *sub; i++) {
		str_copys(&s, path);
		str_cats(&s, sub[i]);
		r = mkdir(str_c(&s), 0700);
		made = made || r == 0;
	}
	str_copys(&s, path);
	str_cats(&s, sub[0]);
	if (r == 0 && sync && (fs_sync_dir(str_c(&s)) < 0 ||
	    fs_sync_dir(path) < 0))
		r = -1;
	if (r < 0 && made)
		forget(str_c(&s));
	e = errno;
	str_free(&s);
	errno = e;
	return r;
}

int
vtree_make_home(const char *path, bool sync)
{
	if (mkdir(path, 0700) < 0)
		return -1;
	if (vtree_make_maildir(path, sync) == 0 &&
	    (!sync || fs_sync_parent(path) == 0))
		return 0;
	forget(path);
	return -1;
}

int
vtree_make_places(const char *dir, const char *sub, mode_t mode)
{
	struct str path = {0};
	size_t n = strlen(sub);
	int e, r = 0;

	for (size_t i = 1; r == 0 && i <= n; i++) {
		if (sub[i] != '/' && sub[i] != '\0')
			continue;
		str_clear(&path);
		str_catf(&path, "%s/%.*s", dir, (int)i, sub);
		r = mkdir(str_c(&path), mode);
		if (r == 0)
			r = fs_sync_parent(str_c(&path));
		else if (errno == EEXIST)
			r = 0;
	}
	e = errno;
	str_free(&path);
	errno = e;
	return r;
}
