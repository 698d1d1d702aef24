/* queue/qlayout.c - the tree around the messages; see qlayout.h.
 *
 * Runs as root in directories of less trusted users.  An owner or mode is
 * only changed through a descriptor that was opened without following any
 * link, on an object of the right type that has no second name. */
#include "queue/qlayout.h"

#include "mail/limits.h"
#include "mail/qpath.h"
#include "mail/qtree.h"
#include "queue/qlock.h"
#include "queue/qwalk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
trouble(struct str *why, const char *verb, const char *path)
{
	int e = errno;

	str_clear(why);
	str_catf(why, "unable to %s %s: %s", verb, path, strerror(e));
	return -1;
}

void
qlayout_found(struct qrepair *r, const char *path, const char *what,
    const char *fix)
{
	struct qrepair_finding f = {path, what, fix};

	r->found++;
	if (!r->fix || fix == NULL)
		r->left++;
	r->report(r->arg, &f);
}

static int
open_beneath(const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

static int
set_owner(const char *path, mode_t type, uid_t uid, gid_t gid, mode_t mode,
    struct str *why)
{
	int fd = open_beneath(path), r = -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		(void)trouble(why, "open", path);
	else if ((st.st_mode & S_IFMT) != type ||
	    (type == S_IFREG && st.st_nlink != 1)) {
		errno = ELOOP;          /* somebody plays with names */
		(void)trouble(why, "change", path);
	} else if ((st.st_uid != uid || st.st_gid != gid) &&
	    fchown(fd, uid, gid) < 0)
		(void)trouble(why, "change the owner of", path);
	else if (fchmod(fd, mode) < 0)  /* after chown, which drops bits */
		(void)trouble(why, "change the mode of", path);
	else
		r = 0;
	if (fd >= 0)
		(void)close(fd);
	return r;
}

int
qlayout_own(struct qrepair *r, const char *path, mode_t type,
    const struct stat *is, uid_t uid, gid_t gid, mode_t mode, struct str *why)
{
	struct str what = {0};
	int result = 0;

	if (is->st_uid != uid)
		str_catf(&what, "its owner is uid %u, not %u",
		    (unsigned)is->st_uid, (unsigned)uid);
	if (is->st_gid != gid)
		str_catf(&what, "%sits group is gid %u, not %u",
		    what.len ? ", " : "", (unsigned)is->st_gid,
		    (unsigned)gid);
	if ((is->st_mode & 07777) != mode)
		str_catf(&what, "%sits mode is %04o, not %04o",
		    what.len ? ", " : "", (unsigned)is->st_mode & 07777,
		    (unsigned)mode);
	if (what.len > 0) {
		qlayout_found(r, path, str_c(&what), "corrected");
		if (r->fix)
			result = set_owner(path, type, uid, gid, mode, why);
	}
	str_free(&what);
	return result;
}

static uid_t
uid_of(const struct qrepair *r, const char *owner)
{
	return strcmp(owner, "qmails") == 0 ? r->uid_send :
	    strcmp(owner, "qmailr") == 0 ? r->uid_remote : r->uid_queue;
}

/* Makes what is missing; mode and owner follow by set_owner. */
static int
make(const char *path, mode_t type, size_t size, struct str *why)
{
	int fd, n;

	if (type == S_IFDIR)
		return mkdir(path, 0700) < 0 ? trouble(why, "make", path) : 0;
	if (type == S_IFIFO)
		return mkfifo(path, 0600) < 0 ? trouble(why, "make", path) : 0;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return trouble(why, "make", path);
	n = ftruncate(fd, (off_t)size);
	(void)close(fd);
	return n < 0 ? trouble(why, "write", path) : 0;
}

/* One object that the layout demands. */
static int
check_one(struct qrepair *r, const char *path, mode_t type, const char *owner,
    mode_t mode, size_t size, struct str *why)
{
	uid_t uid = uid_of(r, owner);
	struct stat st;

	if (fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return trouble(why, "look at", path);
		qlayout_found(r, path, "it is missing", "made");
		if (!r->fix)
			return 0;
		return make(path, type, size, why) < 0 ||
		    set_owner(path, type, uid, r->gid, mode, why) < 0 ?
		    -1 : 0;
	}
	if ((st.st_mode & S_IFMT) != type) {
		qlayout_found(r, path, type == S_IFDIR ?
		    "it is no directory" : type == S_IFIFO ?
		    "it is no fifo" : "it is no regular file", NULL);
		return 0;
	}
	return qlayout_own(r, path, type, &st, uid, r->gid, mode, why);
}

static int
check_split(struct qrepair *r, const char *path, const char *owner,
    mode_t mode, struct str *why)
{
	struct str sub = {0};
	int result = check_one(r, path, S_IFDIR, owner, mode, 0, why);

	for (unsigned i = 0; i < QUEUE_SPLIT && result == 0; i++) {
		str_clear(&sub);
		str_catf(&sub, "%s/%u", path, i);
		result = check_one(r, str_c(&sub), S_IFDIR, owner, mode, 0,
		    why);
	}
	str_free(&sub);
	return result;
}

/* pid, intd, todo and mess/S are renamed between: one file system. */
static void
check_devices(struct qrepair *r)
{
	static const char *const dirs[] = {"intd", "todo", "mess"};
	struct stat pid, st;

	if (stat("pid", &pid) < 0)
		return;
	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
		if (stat(dirs[i], &st) == 0 && st.st_dev != pid.st_dev)
			qlayout_found(r, dirs[i],
			    "it is on another file system than pid", NULL);
}

int
qlayout_check(struct qrepair *r, struct str *why)
{
#define X(path, owner, mode)                                                  \
	if (check_one(r, *path ? path : ".", S_IFDIR, owner, mode, 0, why) < 0) \
		return -1;
	QTREE_DIRS(X)
#undef X
#define X(path, owner, mode)                                                  \
	if (check_split(r, path, owner, mode, why) < 0)                       \
		return -1;
	QTREE_SPLIT_DIRS(X)
#undef X
#define X(path, owner, mode, size)                                            \
	if (check_one(r, path, S_IFREG, owner, mode, size, why) < 0)          \
		return -1;
	QTREE_FILES(X)
#undef X
#define X(path, owner, mode)                                                  \
	if (check_one(r, path, S_IFIFO, owner, mode, 0, why) < 0)             \
		return -1;
	QTREE_FIFOS(X)
#undef X
	check_devices(r);
	/* the queue service makes it itself, so it may be missing */
	if (faccessat(AT_FDCWD, QLOCK_QUEUED, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return check_one(r, QLOCK_QUEUED, S_IFREG, "qmailq", 0600, 0,
		    why);
	return 0;
}

/* ---- strays ---- */

static const char *const known_top[] = {
#define X(path, owner, mode) path,
	QTREE_DIRS(X)
	QTREE_SPLIT_DIRS(X)
#undef X
	QTREE_REPAIR, QTREE_DAMAGED, NULL
};

static const char *const known_lock[] = {
#define X(path, owner, mode) path,
	QTREE_FIFOS(X)
#undef X
#define X(path, owner, mode, size) path,
	QTREE_FILES(X)
#undef X
	QLOCK_QUEUED, NULL
};

static bool
known(const char *const *list, const char *path)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, path) == 0)
			return true;
	return false;
}

/* An entry of pid/: a submission that was being received. */
static int
check_pid(struct qrepair *r, DIR *d, const char *name, const char *path,
    struct str *why)
{
	struct stat st;

	if (fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return trouble(why, "look at", path);
	if (!S_ISREG(st.st_mode)) {
		qlayout_found(r, path, "it is not a regular file", NULL);
		return 0;
	}
	if (st.st_atim.tv_sec + QUEUE_OSSIFIED >= r->now)
		return 0;
	qlayout_found(r, path, "left by a submission that was broken off",
	    "removed");
	if (r->fix && unlinkat(dirfd(d), name, 0) < 0)
		return trouble(why, "remove", path);
	return 0;
}

/* The entries of dir ("" is the queue); list NULL: dir is pid. */
static int
check_dir(struct qrepair *r, const char *dir, const char *const *list,
    struct str *why)
{
	DIR *d = opendir(*dir ? dir : ".");
	const struct dirent *e;
	struct str path = {0};
	int result = 0;

	if (d == NULL)
		return errno == ENOENT ? 0 : trouble(why, "read", dir);
	for (errno = 0; result == 0 && (e = readdir(d)) != NULL; errno = 0) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		str_clear(&path);
		str_catf(&path, "%s%s%s", dir, *dir ? "/" : "", e->d_name);
		if (list == NULL)
			result = check_pid(r, d, e->d_name, str_c(&path), why);
		else if (!known(list, str_c(&path)))
			qlayout_found(r, str_c(&path),
			    "it is no part of a queue", NULL);
	}
	if (result == 0 && errno != 0)
		result = trouble(why, "read", *dir ? dir : "the queue");
	str_free(&path);
	(void)closedir(d);
	return result;
}

int
qlayout_check_strays(struct qrepair *r, struct str *why)
{
	return check_dir(r, "", known_top, why) < 0 ||
	    check_dir(r, "lock", known_lock, why) < 0 ||
	    check_dir(r, "pid", NULL, why) < 0 ? -1 : 0;
}
