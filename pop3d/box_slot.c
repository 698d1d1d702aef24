/* pop3d/box_slot.c - how many sessions a mailbox may have, and how soon after
 * one another they may begin; see box.h.
 *
 * pop3d.lock in the Maildir: a session holds an OFD lock on one of its first
 * bytes, so the kernel gives the slot back however a session ends.  The file's
 * time is that of the last login.  Mail can be read when the file cannot be
 * made: on a full disk nobody is counted. */
#include "pop3d/box_private.h"

#include "lib/tai.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE "pop3d.lock"

static int
open_lock(int dir, bool *made_out)
{
	int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct stat st;
	int fd = openat(dir, LOCK_FILE, flags);

	*made_out = false;
	if (fd < 0 && errno == ENOENT) {
		fd = openat(dir, LOCK_FILE, flags | O_CREAT | O_EXCL, 0600);
		*made_out = fd >= 0;
		if (fd < 0 && errno == EEXIST)
			fd = openat(dir, LOCK_FILE, flags);
	}
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

/* A time that is yet to come says that the clock was put back. */
static bool
is_soon(int fd, unsigned delay_s)
{
	int64_t now = clock_wall();
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_mtim.tv_sec <= now &&
	    now - st.st_mtim.tv_sec < (int64_t)delay_s;
}

/* What cannot be locked at all (a file system without) counts nobody. */
static bool
take_slot(int fd, unsigned sessions)
{
	for (unsigned i = 0; i < sessions; i++) {
		struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET,
		    .l_start = (off_t)i, .l_len = 1};

		if (fcntl(fd, F_OFD_SETLK, &l) == 0 ||
		    (errno != EAGAIN && errno != EACCES))
			return true;
	}
	return sessions == 0;
}

enum box_status
box_slot_take(struct box *b, const struct box_config *cfg)
{
	bool made;

	if (cfg->sessions == 0 && cfg->delay_s == 0)
		return BOX_OK;
	b->slot = open_lock(b->dir, &made);
	if (b->slot < 0)
		return BOX_OK;
	if (cfg->delay_s > 0 && !made && is_soon(b->slot, cfg->delay_s))
		return BOX_SOON;
	return take_slot(b->slot, cfg->sessions) ? BOX_OK : BOX_BUSY;
}

void
box_slot_note(const struct box *b, const struct box_config *cfg)
{
	if (cfg->delay_s > 0 && b->slot >= 0)
		(void)futimens(b->slot, NULL);
}
