/* pop3d/box.c - a mailbox for a session; see box.h.
 *
 * Called by the session of qmail-pop3d, as the owner of the Maildir.  What is
 * in there is the owner's, and so is whatever else changes it meanwhile: a
 * message is opened only when it is a regular file, and no link is followed. */
#include "pop3d/box_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum box_status
fill(struct box *b, const char *uidl)
{
	struct mdscan s = {0};

	if (mdscan_read(b->dir, NULL, &s) < 0) {
		mdscan_free(&s);
		return errno == ENOENT || errno == ENOTDIR ? BOX_NONE :
		    BOX_TEMP;
	}
	box_fill_take(b, &s);
	return box_uidl_open(b, uidl) < 0 ? BOX_TEMP : BOX_OK;
}

enum box_status
box_open(struct box **out, const struct box_config *cfg)
{
	struct box *b = mem_alloc(1, sizeof *b);
	enum box_status st = BOX_TEMP;

	*out = NULL;
	b->slot = b->uidl_fd = -1;
	b->watch = (struct mdscan_watch)MDSCAN_WATCH_NONE;
	str_copys(&b->path, cfg->maildir);
	b->dir = open(cfg->maildir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->dir < 0)
		st = errno == ENOENT || errno == ENOTDIR ? BOX_NONE : BOX_TEMP;
	else
		st = box_slot_take(b, cfg);
	if (st == BOX_OK)
		st = fill(b, cfg->uidl);
	if (st == BOX_OK) {
		box_slot_note(b, cfg);
		*out = b;
	} else {
		int e = errno;

		box_free(b);
		errno = e;
	}
	return st;
}

void
box_free(struct box *b)
{
	if (b == NULL)
		return;
	box_sizes_save(b);
	if (b->dir >= 0)
		(void)close(b->dir);
	if (b->slot >= 0)
		(void)close(b->slot);
	if (b->uidl_fd >= 0)
		(void)close(b->uidl_fd);
	mdscan_unwatch(&b->watch);
	str_free(&b->path);
	str_free(&b->pool);
	str_free(&b->buf);
	str_free(&b->uidl_config);
	str_free(&b->uidls);
	free(b->given);
	free(b->m);
	free(b->untimed);
	free(b);
}

size_t
box_count(const struct box *b)
{
	return b->n;
}

/* O_NONBLOCK: a pipe that nobody writes to must not hold anybody up. */
static int
open_file(struct box *b, size_t i, const char *path, void *arg)
{
	int *out = arg;
	struct stat st;
	int fd = openat(b->dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC);

	if (fd < 0 && errno != ELOOP && errno != ENXIO)
		return -1;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		*out = fd;
		return 0;
	}
	/* It has the name of a message and is none. */
	if (fd >= 0)
		(void)close(fd);
	b->m[i].misses = BOX_MISSES;
	errno = ENOENT;
	return -1;
}

int
box_message(struct box *b, size_t i)
{
	int fd = -1;

	return box_reach(b, i, open_file, &fd) < 0 ? -1 : fd;
}

void
box_delete(struct box *b, size_t i)
{
	b->m[i].deleted = true;
}

void
box_undelete(struct box *b)
{
	for (size_t i = 0; i < b->n; i++)
		b->m[i].deleted = false;
}

bool
box_deleted(const struct box *b, size_t i)
{
	return b->m[i].deleted;
}

void
box_stat(struct box *b, size_t *count_out, uint64_t *bytes_out)
{
	*count_out = 0;
	*bytes_out = 0;
	for (size_t i = 0; i < b->n; i++) {
		if (b->m[i].deleted)
			continue;
		(*count_out)++;
		*bytes_out += box_size(b, i);
	}
	box_sizes_save(b);
}
