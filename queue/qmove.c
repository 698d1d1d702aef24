/* queue/qmove.c - messages out of the tree and back; see qmove.h.
 *
 * Runs as root with the services stopped.  Every change is one rename that
 * replaces nothing, or the removal of files that are stale by definition. */
#include "queue/qmove.h"

#include "lib/fs.h"
#include "mail/qtree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARKED "to."
#define ASIDE_TRIES 1000

struct qmove_parked {
	struct qpath dir;
	uint64_t to;
};

static int
trouble(struct str *why, const char *verb, const char *path)
{
	int e = errno;

	str_clear(why);
	str_catf(why, "unable to %s %s: %s", verb, path, strerror(e));
	errno = e;
	return -1;
}

static int
sync_all(struct qmove *mv, struct str *why)
{
	return fs_syncfs(mv->top) < 0 ? trouble(why, "sync", "the queue") : 0;
}

static bool
there(const char *path, struct stat *st)
{
	return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A file that is not there is fine: an earlier run moved it, or the message
 * has none of this kind.  A missing directory is not. */
static int
move(const char *from, const char *to, struct str *why)
{
	struct stat st;
	int e;

	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	e = errno;
	if (e == ENOENT && !there(from, &st))
		return 0;
	errno = e;
	(void)trouble(why, "rename", from);
	str_catf(why, " (to %s)", to);
	errno = e;
	return -1;
}

/* "dir/kind", a file of a message that is out of the tree. */
static struct qpath
inside(const struct qpath *dir, enum qwalk_kind kind)
{
	struct qpath p;

	(void)snprintf(p.s, sizeof p.s, "%.40s/%s", dir->s,
	    qwalk_dirs[kind].name);
	return p;
}

static struct qpath
parked_dir(uint64_t to)
{
	struct qpath p;

	(void)snprintf(p.s, sizeof p.s, "%s/" PARKED "%" PRIu64, QTREE_REPAIR,
	    to);
	return p;
}

static int
make_dir(const char *path, struct str *why)
{
	return mkdir(path, 0700) < 0 && errno != EEXIST ?
	    trouble(why, "make", path) : 0;
}

static void
parked_add(struct qmove *mv, uint64_t to)
{
	if (mv->nparked == mv->cap) {
		mv->cap = mv->cap ? mv->cap * 2 : 64;
		mv->parked = mem_resize(mv->parked, mv->cap,
		    sizeof mv->parked[0]);
	}
	mv->parked[mv->nparked++] =
	    (struct qmove_parked){parked_dir(to), to};
}

/* A free name below damaged/, not made yet. */
static struct qpath
aside_name(uint64_t id)
{
	struct qpath p = qpath_flat(QTREE_DAMAGED, id);
	struct stat st;

	for (unsigned i = 1; i < ASIDE_TRIES && there(p.s, &st); i++)
		(void)snprintf(p.s, sizeof p.s, "%s/%" PRIu64 ".%u",
		    QTREE_DAMAGED, id, i);
	return p;
}

/* ---- back into the tree ---- */

/* The order of a return, a sync between the steps: what is in the tree then
 * is never an orphan, and never a message without its recipients. */
enum step { STEP_MESS, STEP_REST, STEP_COMMIT, STEPS };

static enum step
step_of(enum qwalk_kind kind)
{
	return kind == QWALK_MESS ? STEP_MESS :
	    kind == QWALK_TODO || kind == QWALK_INFO ? STEP_COMMIT :
	    STEP_REST;
}

/* The files of one step from dir to their places under number to.  1 when a
 * place is taken. */
static int
place(const struct qpath *dir, uint64_t to, enum step step, struct str *why)
{
	for (int k = 0; k < QWALK_KINDS; k++) {
		enum qwalk_kind kind = (enum qwalk_kind)k;
		struct qpath from = inside(dir, kind);
		struct qpath target = qwalk_place(kind, to);

		if (step_of(kind) == step && move(from.s, target.s, why) < 0)
			return errno == EEXIST ? 1 : -1;
	}
	return 0;
}

static int
dir_end(const struct qpath *dir, struct str *why)
{
	return rmdir(dir->s) < 0 && errno != ENOENT ?
	    trouble(why, "remove", dir->s) : 0;
}

/* Its place is taken: what is still in dir goes aside, and the mess file with
 * it if it was ours and is back already. */
static int
dir_aside(struct qmove *mv, const struct qpath *dir, uint64_t id,
    struct str *why)
{
	struct qpath to = aside_name(id), body;
	struct qpath mess = qwalk_place(QWALK_MESS, id);
	struct stat st;

	if (make_dir(QTREE_DAMAGED, why) < 0 || move(dir->s, to.s, why) < 0)
		return -1;
	mv->naside++;
	body = inside(&to, QWALK_MESS);
	if (!there(body.s, &st) && there(mess.s, &st) && st.st_ino == id)
		return move(mess.s, body.s, why);
	return 0;
}

/* One step of one message: what fits goes to its place, or all aside. */
static int
place_step(struct qmove *mv, const struct qpath *dir, uint64_t to,
    enum step step, struct str *why)
{
	int r = place(dir, to, step, why);

	if (r > 0)
		return dir_aside(mv, dir, to, why);
	return r == 0 && step == STEP_COMMIT ? dir_end(dir, why) : r;
}

int
qmove_place(struct qmove *mv, struct str *why)
{
	for (int step = 0; step < STEPS && mv->nparked > 0; step++) {
		for (size_t i = 0; i < mv->nparked; i++)
			if (place_step(mv, &mv->parked[i].dir,
			    mv->parked[i].to, (enum step)step, why) < 0)
				return -1;
		if (sync_all(mv, why) < 0)
			return -1;
	}
	mv->nparked = 0;
	return 0;
}

/* ---- out of the tree ---- */

/* The mess file must look young to the sweep of leftovers while its message
 * is in pieces; and what todo/N makes stale needs no new number. */
static int
prepare(const struct qmove_set *set, bool todo, struct str *why)
{
	static const struct timespec now[2] = {
		{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT},
	};

	for (size_t i = 0; i < set->n; i++) {
		const struct qwalk_file *f = &set->files[i];
		struct qpath path = qwalk_path(f);

		if (f->kind == QWALK_MESS && utimensat(AT_FDCWD, path.s, now,
		    AT_SYMLINK_NOFOLLOW) < 0)
			return trouble(why, "set the time of", path.s);
		if (todo && (f->kind == QWALK_INFO || f->kind == QWALK_LOCAL ||
		    f->kind == QWALK_REMOTE || f->kind == QWALK_BOUNCE) &&
		    unlink(path.s) < 0 && errno != ENOENT)
			return trouble(why, "remove", path.s);
	}
	return 0;
}

/* Moves the files of one step of set into repair/N. */
static int
park(const struct qmove_set *set, const struct qpath *dir, enum step step,
    struct str *why)
{
	for (size_t i = 0; i < set->n; i++)
		if (step_of(set->files[i].kind) == step) {
			struct qpath from = qwalk_path(&set->files[i]);
			struct qpath to = inside(dir, set->files[i].kind);

			if (move(from.s, to.s, why) < 0)
				return -1;
		}
	return 0;
}

static bool
has_todo(const struct qmove_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->files[i].kind == QWALK_TODO)
			return true;
	return false;
}

/* The return backwards, and a preparation before and a name after it. */
enum { PARK_PREPARE, PARK_COMMIT, PARK_REST, PARK_MESS, PARK_NAME, PARKS };

static int
park_step(struct qmove *mv, const struct qmove_set *set, int step,
    struct str *why)
{
	struct qpath dir = qpath_flat(QTREE_REPAIR, set->id);
	struct qpath done = parked_dir(set->to);

	switch (step) {
	case PARK_PREPARE:
		return prepare(set, has_todo(set), why);
	case PARK_COMMIT:
		return make_dir(dir.s, why) < 0 ? -1 :
		    park(set, &dir, STEP_COMMIT, why);
	case PARK_REST:
		return park(set, &dir, STEP_REST, why);
	case PARK_MESS:
		return park(set, &dir, STEP_MESS, why);
	default:
		if (move(dir.s, done.s, why) < 0)
			return -1;
		parked_add(mv, set->to);
		return 0;
	}
}

int
qmove_park(struct qmove *mv, const struct qmove_set *sets, size_t n,
    struct str *why)
{
	if (n == 0)
		return 0;
	for (int step = 0; step < PARKS; step++) {
		for (size_t i = 0; i < n; i++)
			if (park_step(mv, &sets[i], step, why) < 0)
				return -1;
		if (sync_all(mv, why) < 0)
			return -1;
	}
	return 0;
}

int
qmove_aside(struct qmove *mv, const struct qwalk_file *files, size_t n,
    struct str *why)
{
	struct qpath dir = aside_name(files[0].id);

	if (make_dir(QTREE_DAMAGED, why) < 0 || make_dir(dir.s, why) < 0)
		return -1;
	mv->naside++;
	/* The message first: were it left alone it would be a leftover, and
	 * an envelope left alone is set aside by the next run. */
	for (size_t i = 0; i < n; i++) {
		struct qpath from = qwalk_path(&files[i]);
		struct qpath to = inside(&dir, files[i].kind);

		if (move(from.s, to.s, why) < 0)
			return -1;
	}
	return 0;
}

/* ---- an interrupted run ---- */

/* One directory of repair/.  With its mess file it waits for qmove_place;
 * without, half of the message is in the tree, and the rest follows in the
 * steps STEP_REST and STEP_COMMIT. */
static int
resume_one(struct qmove *mv, const char *name, enum step step,
    struct str *why)
{
	struct qpath dir, mess, done;
	struct stat st;
	uint64_t id;

	if (!qpath_parse(strncmp(name, PARKED, strlen(PARKED)) == 0 ?
	    name + strlen(PARKED) : name, &id)) {
		str_clear(why);
		str_catf(why, "%s holds what no repair put there: %.60s",
		    QTREE_REPAIR, name);
		return -1;
	}
	(void)snprintf(dir.s, sizeof dir.s, "%s/%.40s", QTREE_REPAIR, name);
	mess = inside(&dir, QWALK_MESS);
	if (!there(mess.s, &st))
		return step == STEP_MESS ? 0 :
		    place_step(mv, &dir, id, step, why);
	if (step != STEP_MESS)
		return 0;
	done = parked_dir(st.st_ino);
	if (strcmp(dir.s, done.s) != 0 && move(dir.s, done.s, why) < 0)
		return -1;
	parked_add(mv, st.st_ino);
	return 0;
}

/* The names are read first: resume_one changes the directory. */
static int
resume(struct qmove *mv, struct str *why)
{
	struct str names = {0};
	const struct dirent *e;
	DIR *d = opendir(QTREE_REPAIR);
	int r = 0;

	if (d == NULL)
		return trouble(why, "read", QTREE_REPAIR);
	for (errno = 0; (e = readdir(d)) != NULL; errno = 0)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			str_catb(&names, e->d_name, strlen(e->d_name) + 1);
	if (errno != 0)
		r = trouble(why, "read", QTREE_REPAIR);
	(void)closedir(d);
	for (int step = 0; step < STEPS && r == 0 && names.len > 0; step++) {
		for (size_t at = 0; r == 0 && at < names.len;
		    at += strlen(names.s + at) + 1)
			r = resume_one(mv, names.s + at, (enum step)step,
			    why);
		if (r == 0)
			r = sync_all(mv, why);
	}
	str_free(&names);
	return r;
}

int
qmove_begin(struct qmove *mv, struct str *why)
{
	*mv = (struct qmove){0};
	mv->top = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mv->top < 0)
		return trouble(why, "open", "the queue");
	if (make_dir(QTREE_REPAIR, why) < 0 || sync_all(mv, why) < 0)
		return -1;
	return resume(mv, why);
}

int
qmove_end(struct qmove *mv, bool ok, struct str *why)
{
	int r = 0;

	if (ok && rmdir(QTREE_REPAIR) < 0)
		r = trouble(why, "remove", QTREE_REPAIR);
	if (r == 0 && mv->top >= 0)
		r = sync_all(mv, why);
	if (mv->top >= 0)
		(void)close(mv->top);
	free(mv->parked);
	*mv = (struct qmove){.top = -1};
	return r;
}
