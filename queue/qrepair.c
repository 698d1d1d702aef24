/* queue/qrepair.c - judging every message of a queue; see qrepair.h.
 *
 * The judgement of one number is a pure look at its files; what follows from
 * it is done at once (leftovers, owners, setting aside) or gathered and done
 * in one go (new numbers, qmove.h). */
#include "queue/qrepair.h"

#include "lib/fs.h"
#include "mail/limits.h"
#include "mail/qrecord.h"
#include "mail/qtree.h"
#include "queue/qlayout.h"
#include "queue/qmove.h"
#include "queue/qscan.h"
#include "queue/qwalk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct judge {
	struct qrepair *r;
	struct qwalk walk;
	struct qmove move;
	bool moving;            /* qmove_begin was called */
	struct qmove_set *sets; /* what needs another number or place */
	size_t nsets, cap;
	struct str *why;
};

/* The files of one number. */
struct group {
	const struct qwalk_file *files;
	size_t n;
	const struct qwalk_file *have[QWALK_KINDS];
};

static int
trouble(struct judge *j, const char *verb, const char *path)
{
	int e = errno;

	str_clear(j->why);
	str_catf(j->why, "unable to %s %s: %s", verb, path, strerror(e));
	return -1;
}

/* ---- cures ---- */

static int
remove_file(struct judge *j, const struct qwalk_file *f, const char *what)
{
	struct qpath path = qwalk_path(f);

	qlayout_found(j->r, path.s, what, "removed");
	if (j->r->fix && unlink(path.s) < 0 && errno != ENOENT)
		return trouble(j, "remove", path.s);
	return 0;
}

static int
set_aside(struct judge *j, const struct group *g,
    const struct qwalk_file *blamed, const char *what)
{
	qlayout_found(j->r, qwalk_path(blamed).s, what,
	    "set aside in " QTREE_DAMAGED);
	return j->r->fix ? qmove_aside(&j->move, g->files, g->n, j->why) : 0;
}

static int
check_owner(struct judge *j, const struct qwalk_file *f)
{
	const struct qwalk_dir *d = &qwalk_dirs[f->kind];
	struct stat is = {.st_uid = f->uid, .st_gid = f->gid,
	    .st_mode = f->mode};
	uid_t uid = d->sends ? j->r->uid_send : j->r->uid_queue;

	/* the group has no rights in these files: any will do */
	if (f->uid == uid)
		return qlayout_own(j->r, qwalk_path(f).s, S_IFREG, &is, uid,
		    f->gid, d->mode, j->why);
	return qlayout_own(j->r, qwalk_path(f).s, S_IFREG, &is, uid, j->r->gid,
	    d->mode, j->why);
}

/* ---- what the files say ---- */

enum content { CONTENT_GOOD, CONTENT_BAD, CONTENT_TROUBLE };

static enum content
read_content(struct judge *j, const struct qwalk_file *f, struct str *out)
{
	struct qpath path = qwalk_path(f);

	str_clear(out);
	if (fs_read(path.s, out, ENVELOPE_MAX) == 0)
		return CONTENT_GOOD;
	if (errno == EFBIG)
		return CONTENT_BAD;
	(void)trouble(j, "read", path.s);
	return CONTENT_TROUBLE;
}

static enum content
mess_content(struct judge *j, const struct qwalk_file *f,
    const struct qrecord *rec, const char **what)
{
	struct qpath path = qwalk_path(f);
	int fd = open(path.s, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	enum qrecord_status st = fd < 0 ? QRECORD_ERROR :
	    qrecord_check_mess(fd, rec);

	if (st == QRECORD_ERROR)
		(void)trouble(j, "read", path.s);
	if (fd >= 0)
		(void)close(fd);
	if (st == QRECORD_ERROR)
		return CONTENT_TROUBLE;
	*what = "it is not the message that its envelope's sum was made of";
	return st == QRECORD_TORN ? CONTENT_BAD : CONTENT_GOOD;
}

static enum content
todo_content(struct judge *j, const struct group *g,
    const struct qwalk_file **blamed, const char **what)
{
	struct qrecord rec = {0};
	struct str buf = {0};
	enum content c = read_content(j, g->have[QWALK_TODO], &buf);
	enum qrecord_status st;

	*blamed = g->have[QWALK_TODO];
	*what = "it is larger than any envelope";
	if (c == CONTENT_GOOD) {
		st = qrecord_parse(str_c(&buf), buf.len, &rec);
		*what = st == QRECORD_TORN ?
		    "the envelope is torn: its sum does not agree" :
		    "it is no envelope";
		if (st != QRECORD_OK && st != QRECORD_NOSUM)
			c = CONTENT_BAD;
	}
	if (c == CONTENT_GOOD) {
		*blamed = g->have[QWALK_MESS];
		c = mess_content(j, g->have[QWALK_MESS], &rec, what);
	}
	qrecord_free(&rec);
	str_free(&buf);
	return c;
}

static enum content
info_content(struct judge *j, const struct group *g,
    const struct qwalk_file **blamed, const char **what)
{
	static const enum qwalk_kind kinds[] = {QWALK_INFO, QWALK_LOCAL,
	    QWALK_REMOTE};
	struct qscan_msg m = {0};
	struct str buf = {0};
	enum content c = CONTENT_GOOD;

	for (size_t i = 0; i < 3 && c == CONTENT_GOOD; i++) {
		if ((*blamed = g->have[kinds[i]]) == NULL)
			continue;
		c = read_content(j, *blamed, &buf);
		*what = kinds[i] == QWALK_INFO ? "it is no sender record" :
		    "it is no list of recipients";
		if (c == CONTENT_GOOD && !(kinds[i] == QWALK_INFO ?
		    qscan_parse_info(str_c(&buf), buf.len, &m.sender) :
		    qscan_parse_list(str_c(&buf), buf.len, QSCAN_RAW, &m)))
			c = CONTENT_BAD;
	}
	qscan_msg_free(&m);
	str_free(&buf);
	return c;
}

/* ---- one number ---- */

/* Needs its files another name or place?  Then it is gathered, with what
 * still exists of it. */
static void
gather(struct judge *j, const struct group *g)
{
	const struct qwalk_file *mess = g->have[QWALK_MESS], *odd = NULL;
	char what[80];

	for (size_t i = 0; i < g->n && odd == NULL; i++)
		if (qwalk_misplaced(&g->files[i]))
			odd = &g->files[i];
	if (mess->ino != mess->id) {
		(void)snprintf(what, sizeof what,
		    "its inode number is %" PRIu64, mess->ino);
		qlayout_found(j->r, qwalk_path(mess).s, what,
		    "the message has it for its number now");
	} else if (odd != NULL) {
		qlayout_found(j->r, qwalk_path(odd).s,
		    "it is in the wrong place", "the message was moved");
	} else {
		return;
	}
	if (j->nsets == j->cap) {
		j->cap = j->cap ? j->cap * 2 : 64;
		j->sets = mem_resize(j->sets, j->cap, sizeof j->sets[0]);
	}
	j->sets[j->nsets++] = (struct qmove_set){mess->id, mess->ino,
	    g->files, g->n};
}

/* Without its mess file. */
static int
judge_orphans(struct judge *j, const struct group *g)
{
	static const enum qwalk_kind worth[] = {QWALK_TODO, QWALK_INFO,
	    QWALK_LOCAL, QWALK_REMOTE, QWALK_BOUNCE};

	for (size_t i = 0; i < sizeof worth / sizeof worth[0]; i++)
		if (g->have[worth[i]] != NULL)
			return set_aside(j, g, g->have[worth[i]],
			    "its message is not there");
	for (size_t i = 0; i < g->n; i++)
		if (remove_file(j, &g->files[i],
		    "its message is not there") < 0)
			return -1;
	return 0;
}

/* Message and no envelope: being received, or left so. */
static int
judge_unqueued(struct judge *j, const struct group *g)
{
	static const enum qwalk_kind worth[] = {QWALK_LOCAL, QWALK_REMOTE,
	    QWALK_BOUNCE};
	const struct qwalk_file *mess = g->have[QWALK_MESS];

	for (size_t i = 0; i < sizeof worth / sizeof worth[0]; i++)
		if (g->have[worth[i]] != NULL)
			return set_aside(j, g, g->have[worth[i]],
			    "its message has no sender");
	if (mess->atime + QUEUE_OSSIFIED >= j->r->now) {
		gather(j, g);
		return 0;
	}
	for (size_t i = g->n; i-- > 0;)         /* mess is the first: last */
		if (remove_file(j, &g->files[i],
		    "left by a submission that was broken off") < 0)
			return -1;
	return 0;
}

static int
judge_queued(struct judge *j, const struct group *g)
{
	const struct qwalk_file *blamed = NULL;
	const char *what = "";
	enum content c = g->have[QWALK_TODO] != NULL ?
	    todo_content(j, g, &blamed, &what) :
	    info_content(j, g, &blamed, &what);

	j->r->nmess++;
	if (c == CONTENT_TROUBLE) {     /* the others may be sound */
		qlayout_found(j->r, qwalk_path(blamed).s, str_c(j->why), NULL);
		return 0;
	}
	if (c == CONTENT_BAD)
		return set_aside(j, g, blamed, what);
	if (g->have[QWALK_INTD] != NULL && g->have[QWALK_TODO] == NULL &&
	    remove_file(j, g->have[QWALK_INTD],
	    "its message is preprocessed") < 0)
		return -1;
	for (size_t i = 0; i < g->n; i++)
		if ((g->files[i].kind != QWALK_INTD ||
		    g->have[QWALK_TODO] != NULL) &&
		    check_owner(j, &g->files[i]) < 0)
			return -1;
	gather(j, g);
	return 0;
}

static int
judge_group(struct judge *j, const struct group *g)
{
	if (g->have[QWALK_MESS] == NULL)
		return judge_orphans(j, g);
	if (g->have[QWALK_TODO] == NULL && g->have[QWALK_INFO] == NULL)
		return judge_unqueued(j, g);
	return judge_queued(j, g);
}

static int
judge_all(struct judge *j)
{
	const struct qwalk *w = &j->walk;

	for (size_t i = 0; i < w->n;) {
		struct group g = {.files = &w->files[i]};
		const struct qwalk_file *twin = NULL;

		for (; i < w->n && w->files[i].id == g.files->id; i++, g.n++) {
			if (g.have[w->files[i].kind] != NULL)
				twin = &w->files[i];
			g.have[w->files[i].kind] = &w->files[i];
		}
		if (twin != NULL)
			qlayout_found(j->r, qwalk_path(twin).s, "there is "
			    "another file for this number and purpose", NULL);
		else if (judge_group(j, &g) < 0)
			return -1;
	}
	return 0;
}

/* ---- the whole ---- */

static void
stray(void *arg, const char *path, const char *what)
{
	qlayout_found(arg, path, what, NULL);
}

/* Subdirectories of another split, once nothing is in them. */
static int
remove_extra(struct judge *j)
{
	for (size_t i = 0; i < j->walk.nextra; i++) {
		const char *path = j->walk.extra[i].s;
		bool full = j->r->fix && rmdir(path) < 0;

		if (full && errno != ENOTEMPTY && errno != EEXIST)
			return trouble(j, "remove", path);
		qlayout_found(j->r, path, "it is a subdirectory that this "
		    "queue does not have", full ? NULL : "removed");
	}
	return 0;
}

static int
run(struct judge *j)
{
	struct qrepair *r = j->r;

	if (qlayout_check(r, j->why) < 0)
		return -1;
	if (r->fix) {
		j->moving = true;
		if (qmove_begin(&j->move, j->why) < 0)
			return -1;
	} else if (faccessat(AT_FDCWD, QTREE_REPAIR, F_OK,
	    AT_SYMLINK_NOFOLLOW) == 0) {
		qlayout_found(r, QTREE_REPAIR, "a repair was interrupted",
		    "finished");
	}
	j->walk.stray = stray;
	j->walk.arg = r;
	if (qwalk_read(&j->walk, j->why) < 0 || judge_all(j) < 0)
		return -1;
	if (r->fix && (qmove_park(&j->move, j->sets, j->nsets, j->why) < 0 ||
	    qmove_place(&j->move, j->why) < 0))
		return -1;
	return remove_extra(j) < 0 || qlayout_check_strays(r, j->why) < 0 ?
	    -1 : 0;
}

int
qrepair_run(struct qrepair *r, struct str *why)
{
	struct judge j = {.r = r, .why = why};
	struct str late = {0};
	int result;

	r->nmess = r->found = r->left = r->aside = 0;
	result = run(&j);
	if (j.moving) {
		r->aside = j.move.naside;
		if (qmove_end(&j.move, result == 0, &late) < 0 &&
		    result == 0) {
			str_copy(why, &late);
			result = -1;
		}
	}
	str_free(&late);
	qwalk_free(&j.walk);
	free(j.sets);
	return result;
}
