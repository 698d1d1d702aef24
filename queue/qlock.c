/* queue/qlock.c - the two locks of a queue; see qlock.h.
 *
 * Runs as root in directories of less trusted users: never follows a link,
 * and a file made here is given to the service that must open it later. */
#include "queue/qlock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum qlock_status
trouble(struct str *why, const char *verb, const char *path)
{
	str_clear(why);
	str_catf(why, "unable to %s %s: %s", verb, path, strerror(errno));
	return QLOCK_TROUBLE;
}

/* Makes the file, owned like the directory.  Open descriptor or -1. */
static int
make(const char *path, const char *owner_like)
{
	struct stat st;
	int fd, e;

	if (stat(owner_like, &st) < 0)
		return -1;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return -1;
	if ((st.st_uid != geteuid() || st.st_gid != getegid()) &&
	    fchown(fd, st.st_uid, st.st_gid) < 0) {
		e = errno;
		(void)unlink(path);
		(void)close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

enum qlock_status
qlock_take(const char *path, const char *owner_like, int *fd_out,
    struct str *why)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		fd = make(path, owner_like);
	if (fd < 0)
		return trouble(why, "open", path);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int e = errno;

		if (e == EINTR)
			continue;
		(void)close(fd);
		errno = e;
		return e == EWOULDBLOCK ? QLOCK_BUSY :
		    trouble(why, "lock", path);
	}
	*fd_out = fd;
	return QLOCK_TAKEN;
}
