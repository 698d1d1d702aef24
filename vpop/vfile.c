/* vpop/vfile.c - files in users' directories; see vfile.h. */
#include "vpop/vfile.h"

#include "lib/fs.h"
#include "lib/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS 20              /* between two tries of a lock */

/* setfsuid does not tell failure: asking for an impossible id tells what
 * holds.  Only root's programs get here, and the kernel takes root's power
 * over files away together with the id. */
int
vfile_as_begin(struct vfile_as *as, uid_t uid, gid_t gid)
{
	*as = (struct vfile_as){0};
	if (geteuid() != 0 || uid == 0)
		return 0;
	as->on = true;
	as->gid = (gid_t)setfsgid(gid);
	as->uid = (uid_t)setfsuid(uid);
	if ((gid_t)setfsgid((gid_t)-1) == gid &&
	    (uid_t)setfsuid((uid_t)-1) == uid)
		return 0;
	vfile_as_end(as);
	errno = EPERM;
	return -1;
}

int
vfile_as_owner(struct vfile_as *as, const char *dir)
{
	struct stat st;

	*as = (struct vfile_as){0};
	if (stat(dir, &st) < 0)
		return -1;
	return vfile_as_begin(as, st.st_uid, st.st_gid);
}

void
vfile_as_end(struct vfile_as *as)
{
	int e = errno;

	if (as->on) {
		(void)setfsuid(as->uid);
		(void)setfsgid(as->gid);
	}
	as->on = false;
	errno = e;
}

int
vfile_replace(const char *dir, const char *name, const void *bytes, size_t n,
    mode_t mode)
{
	struct str path = {0}, tmp = {0};
	struct stat st;
	int e, r;

	str_catf(&path, "%s/%s", dir, name);
	str_catf(&tmp, "%s/.new.%s", dir, name + (name[0] == '.'));
	if (lstat(str_c(&path), &st) == 0 && S_ISREG(st.st_mode))
		mode = st.st_mode & 0777;
	else if (stat(dir, &st) == 0 && (st.st_mode & S_ISGID))
		mode |= (mode & 0400) >> 3;
	r = fs_replace(str_c(&path), str_c(&tmp), bytes, n, mode);
	e = errno;
	str_free(&path);
	str_free(&tmp);
	errno = e;
	return r;
}

/* A lock of the open file, not of the process: it meets the fcntl locks of
 * older programs, and another one of our own process as well. */
static int
try_lock(int fd)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_SETLK, &fl);
}

int
vfile_lock(const char *dir, const char *name, int wait_ms)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
	struct str path = {0};
	struct stat st;
	int fd;

	str_catf(&path, "%s/%s", dir, name);
	fd = open(str_c(&path), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK, 0600);
	str_free(&path);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		fd_close(fd);
		errno = EINVAL;
		return -1;
	}
	for (int waited = 0; try_lock(fd) < 0; waited += STEP_MS) {
		if (errno == EACCES)
			errno = EAGAIN;
		if (errno != EAGAIN || waited >= wait_ms) {
			fd_close(fd);
			return -1;
		}
		(void)nanosleep(&step, NULL);
	}
	return fd;
}
