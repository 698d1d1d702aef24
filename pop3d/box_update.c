/* pop3d/box_update.c - what a session leaves behind at QUIT; see box.h.
 *
 * Messages are removed by the name they are found under, and it is only ever a
 * name that begins with the base name of one that the client deleted.  What is
 * gone already counts as removed. */
#include "pop3d/box_private.h"

#include "lib/tai.h"
#include "mail/maildirsize.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS 40                       /* scans for what is renamed again and
                                         * again before it can be removed */
#define TMP_OLD_S (36 * 3600)           /* a file in tmp/ is nobody's */

/* What removing did, for maildirsize and for the syncs. */
struct removal {
	int64_t bytes, count;
	bool touched[MDSCAN_DIRS];
};

/* What maildirsize counts it as; false: not at all. */
static bool
counted_bytes(const struct box *b, const char *path, int64_t *out)
{
	struct stat st;

	if (mdname_has_flag(path + 4, 'T'))
		return false;
	*out = maildirsize_name_bytes(path + 4);
	if (*out < 0 && fstatat(b->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*out = st.st_size;
	return *out >= 0;
}

static int
remove_file(struct box *b, size_t i, const char *path, void *arg)
{
	struct removal *r = arg;
	int64_t bytes;
	bool counted = counted_bytes(b, path, &bytes);

	(void)i;
	if (unlinkat(b->dir, path, 0) < 0)
		return -1;
	if (counted) {
		/* Names may claim anything. */
		if (__builtin_add_overflow(r->bytes, bytes, &r->bytes))
			r->bytes = INT64_MAX;
		r->count++;
	}
	r->touched[path[0] == 'c'] = true;
	return 0;
}

static void
note_failure(struct box_result *out, size_t n)
{
	if (out->failed == 0)
		out->error = errno;
	out->failed += n;
}

/* What had the same base name in new/ and in cur/, or it would be there again
 * in the next session. */
static void
remove_twins(struct box *b, struct removal *r, struct box_result *out)
{
	for (int round = 0; round < ROUNDS; round++) {
		bool again = false;

		if (box_rescan(b) < 0) {
			note_failure(out, 1);
			return;
		}
		for (size_t i = 0; i < b->n; i++)
			if (b->m[i].deleted && b->m[i].twice &&
			    !box_gone(b, i)) {
				again = true;
				if (box_try(b, i, remove_file, r) < 0 &&
				    errno != ENOENT) {
					note_failure(out, 1);
					return;
				}
				b->m[i].misses = BOX_MISSES;
			}
		if (!again)
			return;
	}
}

/* All that are deleted; those that were renamed meanwhile all together, with
 * one scan for all of them, again and again. */
static void
remove_deleted(struct box *b, struct removal *r, struct box_result *out)
{
	bool again = true, twins = false;
	bool *done = mem_alloc(b->n, sizeof *done);

	for (int round = 0; again; round++) {
		again = false;
		for (size_t i = 0; i < b->n; i++) {
			if (!b->m[i].deleted || done[i])
				continue;
			if (box_try(b, i, remove_file, r) == 0 ||
			    (errno == ENOENT && box_gone(b, i))) {
				out->deleted++;
				done[i] = true;
				b->m[i].misses = BOX_MISSES;
				twins |= b->m[i].twice;
			} else if (errno != ENOENT || round == ROUNDS) {
				note_failure(out, 1);
				done[i] = true;
			} else {
				again = true;
			}
		}
		if (again && box_rescan(b) < 0)
			break;
	}
	for (size_t i = 0; again && i < b->n; i++)
		if (b->m[i].deleted && !done[i])
			note_failure(out, 1);
	free(done);
	if (twins)
		remove_twins(b, r, out);
}

static int
sync_dir(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -1;
	r = fsync(fd);
	(void)close(fd);
	return r;
}

/* Without a flag, as qmail-pop3d does it: what was fetched was not read. */
static void
move_to_cur(struct box *b, size_t i)
{
	char from[MDSCAN_NAME + 5], to[MDSCAN_NAME + 8];
	const char *name = box_name(b, i);

	(void)snprintf(from, sizeof from, "new/%s", name);
	(void)snprintf(to, sizeof to, "cur/%s%s", name,
	    name[b->m[i].base] == ':' ? "" : ":2,");
	if (renameat2(b->dir, from, b->dir, to, RENAME_NOREPLACE) == 0 ||
	    (errno != EINVAL && errno != ENOSYS))
		return;
	/* A file system without it, NFS for one. */
	if (linkat(b->dir, from, b->dir, to, 0) == 0)
		(void)unlinkat(b->dir, from, 0);
}

/* What a delivery that was cut off has left: a reader's duty, says maildir(5).
 * Nothing that anybody still works on is that old. */
static void
clean_tmp(const struct box *b)
{
	int fd = openat(b->dir, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	int64_t old = clock_wall() - TMP_OLD_S;
	const struct dirent *e;
	struct stat st;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && fstatat(fd, e->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		    st.st_mtim.tv_sec < old && st.st_atim.tv_sec < old)
			(void)unlinkat(fd, e->d_name, 0);
	if (d != NULL)
		(void)closedir(d);
	else if (fd >= 0)
		(void)close(fd);
}

void
box_update(struct box *b, struct box_result *out)
{
	struct removal r = {0};

	*out = (struct box_result){0};
	remove_deleted(b, &r, out);
	if ((r.touched[0] && sync_dir(b->dir, "new") < 0) ||
	    (r.touched[1] && sync_dir(b->dir, "cur") < 0)) {
		note_failure(out, out->deleted);
		out->deleted = 0;
	}
	if (r.count > 0 &&
	    maildirsize_add(str_c(&b->path), -r.bytes, -r.count) < 0) {
		/* It is counted anew some day. */
	}
	for (size_t i = 0; i < b->n; i++)
		if (b->m[i].is_new && !b->m[i].deleted)
			move_to_cur(b, i);
	box_uidl_prune(b);
	clean_tmp(b);
}
