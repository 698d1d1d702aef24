/* queue/qwalk.c - the table of everything in a queue; see qwalk.h.
 *
 * Runs as root in directories of less trusted users: directories are opened
 * without following links, files are looked at and not opened. */
#include "queue/qwalk.h"

#include "mail/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUB_MAX 65536           /* a split nobody ever configured */

const struct qwalk_dir qwalk_dirs[QWALK_KINDS] = {
#define X(id, dir, split, sends, mode) {dir, split, sends, mode},
	QWALK_TABLE(X)
#undef X
};

struct qpath
qwalk_place(enum qwalk_kind kind, uint64_t id)
{
	return qwalk_dirs[kind].split ?
	    qpath_split(qwalk_dirs[kind].name, id) :
	    qpath_flat(qwalk_dirs[kind].name, id);
}

struct qpath
qwalk_path(const struct qwalk_file *f)
{
	struct qpath p;

	if (f->sub == QWALK_NOSUB)
		return qpath_flat(qwalk_dirs[f->kind].name, f->id);
	(void)snprintf(p.s, sizeof p.s, "%s/%" PRIu32 "/%" PRIu64,
	    qwalk_dirs[f->kind].name, f->sub, f->id);
	return p;
}

bool
qwalk_misplaced(const struct qwalk_file *f)
{
	return f->sub != (qwalk_dirs[f->kind].split ?
	    (uint32_t)(f->id % QUEUE_SPLIT) : QWALK_NOSUB);
}

static void
add_extra(struct qwalk *w, const char *dir, uint32_t sub)
{
	w->extra = mem_resize(w->extra, w->nextra + 1, sizeof w->extra[0]);
	(void)snprintf(w->extra[w->nextra++].s, QPATH_MAX, "%s/%" PRIu32,
	    dir, sub);
}

static void
add_file(struct qwalk *w, enum qwalk_kind kind, uint32_t sub, uint64_t id,
    const struct stat *st)
{
	if (w->n == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 256;
		w->files = mem_resize(w->files, w->cap, sizeof w->files[0]);
	}
	w->files[w->n++] = (struct qwalk_file){
		.id = id,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.atime = st->st_atim.tv_sec,
		.sub = sub,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mode = st->st_mode & 07777,
		.kind = kind,
	};
}

static DIR *
open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int e = errno;

	if (d == NULL && fd >= 0)
		(void)close(fd);
	errno = e;
	return d;
}

/* "0" or a number without leading zeros, below SUB_MAX. */
static bool
sub_parse(const char *name, uint32_t *out)
{
	uint64_t n;

	if (strcmp(name, "0") != 0 && !qpath_parse(name, &n))
		return false;
	if (scan_u64(name, &n) == 0 || n >= SUB_MAX)
		return false;
	*out = (uint32_t)n;
	return true;
}

static int read_dir(struct qwalk *, enum qwalk_kind, uint32_t sub,
    struct str *why);

/* One entry of the directory d, which is (kind, sub). */
static int
read_entry(struct qwalk *w, enum qwalk_kind kind, uint32_t sub, DIR *d,
    const char *name, const char *dir, struct str *why)
{
	struct str path = {0};
	struct stat st;
	uint64_t id;
	uint32_t inner;
	int r = 0;

	str_catf(&path, "%s/%s", dir, name);
	if (fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		str_copys(why, "unable to look at ");
		str_cat(why, &path);
		str_catf(why, ": %s", strerror(errno));
		r = -1;
	} else if (S_ISDIR(st.st_mode) && sub == QWALK_NOSUB &&
	    sub_parse(name, &inner)) {
		if (!qwalk_dirs[kind].split || inner >= QUEUE_SPLIT)
			add_extra(w, qwalk_dirs[kind].name, inner);
		r = read_dir(w, kind, inner, why);
	} else if (!S_ISREG(st.st_mode)) {
		w->stray(w->arg, str_c(&path), "is not a regular file");
	} else if (!qpath_parse(name, &id)) {
		w->stray(w->arg, str_c(&path), "is not named by a number");
	} else {
		add_file(w, kind, sub, id, &st);
	}
	str_free(&path);
	return r;
}

static int
read_dir(struct qwalk *w, enum qwalk_kind kind, uint32_t sub, struct str *why)
{
	struct qpath path;
	const struct dirent *e;
	DIR *d;
	int r = 0;

	(void)snprintf(path.s, sizeof path.s, "%s", qwalk_dirs[kind].name);
	if (sub != QWALK_NOSUB)
		(void)snprintf(path.s, sizeof path.s, "%s/%" PRIu32,
		    qwalk_dirs[kind].name, sub);
	d = open_dir(path.s);
	if (d == NULL && errno == ENOENT)
		return 0;
	for (errno = 0; d != NULL && r == 0; errno = 0) {
		if ((e = readdir(d)) == NULL)
			break;
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = read_entry(w, kind, sub, d, e->d_name, path.s,
			    why);
	}
	if (r == 0 && errno != 0) {
		str_clear(why);
		str_catf(why, "unable to read %s: %s", path.s,
		    strerror(errno));
		r = -1;
	}
	if (d != NULL)
		(void)closedir(d);
	return r;
}

static int
file_compare(const void *a, const void *b)
{
	const struct qwalk_file *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->sub > y->sub) - (x->sub < y->sub);
}

int
qwalk_read(struct qwalk *w, struct str *why)
{
	for (int kind = 0; kind < QWALK_KINDS; kind++)
		if (read_dir(w, (enum qwalk_kind)kind, QWALK_NOSUB, why) < 0)
			return -1;
	if (w->n > 0)
		qsort(w->files, w->n, sizeof w->files[0], file_compare);
	return 0;
}

void
qwalk_free(struct qwalk *w)
{
	free(w->files);
	free(w->extra);
	*w = (struct qwalk){0};
}
