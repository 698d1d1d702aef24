/* pop3d/box_file.c - the small files of ours in a Maildir, and those of other
 * servers; see box_private.h. */
#include "pop3d/box_private.h"

#include "lib/io.h"
#include "lib/tai.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int
box_file_open(const struct box *b, const char *name)
{
	struct stat st;
	int fd = openat(b->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC);

	if (fd < 0) {
		/* A link, a socket: nothing of ours. */
		if (errno == ELOOP || errno == ENXIO)
			errno = ENOENT;
		return -1;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		errno = ENOENT;
		return -1;
	}
	return fd;
}

/* No other process makes the same at the same time, and O_EXCL tells. */
void
box_file_tmp(struct str *out, const char *name)
{
	struct timespec t = clock_wall_ns();

	str_catf(out, "tmp/%lld.M%06ldP%ld.%s", (long long)t.tv_sec,
	    t.tv_nsec / 1000, (long)getpid(), name);
}

void
box_file_cache(const struct box *b, const char *name, const struct str *text)
{
	struct str tmp = {0};
	int fd, r = -1;

	box_file_tmp(&tmp, name);
	fd = openat(b->dir, str_c(&tmp), O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		r = fd_write_all(fd, str_c(text), text->len);
		if (close(fd) < 0)
			r = -1;
		if (r < 0 || renameat(b->dir, str_c(&tmp), b->dir, name) < 0)
			(void)unlinkat(b->dir, str_c(&tmp), 0);
	}
	str_free(&tmp);
}
