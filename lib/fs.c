/* lib/fs.c - whole files, atomic replacement, locks, syncs; see fs.h. */
#include "lib/fs.h"

#include "lib/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int
fs_read_fd(int fd, struct str *out, size_t max)
{
	struct stat st;
	size_t start = out->len, had = 0;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return -1;
	}
	if ((uint64_t)st.st_size > max) {
		errno = EFBIG;
		return -1;
	}
	for (;;) {
		/* It may have grown, and files of the kernel have no size. */
		size_t want = (size_t)st.st_size + 1 > had ?
		    (size_t)st.st_size + 1 - had : 4096;
		ssize_t n;

		str_reserve(out, want);
		n = read(fd, out->s + out->len, want);
		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		had += n > 0 ? (size_t)n : 0;
		if (n < 0 || had > max) {
			if (n > 0)
				errno = EFBIG;
			str_trunc(out, start);
			return -1;
		}
		out->len += (size_t)n;
		out->s[out->len] = '\0';
	}
}

int
fs_read(const char *path, struct str *out, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0)
		return -1;
	r = fs_read_fd(fd, out, max);
	fd_close(fd);
	return r;
}

int
fs_replace(const char *path, const char *tmp, const void *bytes, size_t n,
    mode_t mode)
{
	int fd;

	/* A leftover may be anything: a link, a pipe without a reader. */
	if (unlink(tmp) < 0 && errno != ENOENT)
		return -1;
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return -1;
	if (fchmod(fd, mode) < 0 || fd_write_all(fd, bytes, n) < 0 ||
	    fsync(fd) < 0) {
		fd_close(fd);
		goto fail;
	}
	if (close(fd) < 0 || rename(tmp, path) < 0)
		goto fail;
	return fs_sync_parent(path);
fail:
	{
		int e = errno;

		(void)unlink(tmp);
		errno = e;
	}
	return -1;
}

int
fs_sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -1;
	r = fsync(fd);
	fd_close(fd);
	return r;
}

int
fs_sync_parent(const char *path)
{
	struct str dir = {0};
	size_t n = strlen(path), slash = bytes_rchr(path, n, '/');
	int r;

	if (slash == n)
		str_cats(&dir, ".");
	else
		str_catb(&dir, path, slash ? slash : 1);
	r = fs_sync_dir(str_c(&dir));
	str_free(&dir);
	return r;
}

int
fs_syncfs(int fd)
{
	return syncfs(fd);
}

int
fs_lock(const char *path, mode_t mode, bool wait)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, mode);

	if (fd < 0)
		return -1;
	while (flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) < 0)
		if (errno != EINTR) {
			fd_close(fd);
			return -1;
		}
	return fd;
}
