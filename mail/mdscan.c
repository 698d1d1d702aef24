/* mail/mdscan.c - reading new/ and cur/ of a Maildir; see mdscan.h.
 *
 * A pass opens both anew, reads new/ before cur/ (messages go that way) and
 * knows from the times of the directories whether it was steady: nothing
 * changed from before its first byte to after its last.  If it was not, the
 * next one has a watch that was set before it.  The kernel queues the event of
 * a rename while it holds the lock of the directory, which reading needs too,
 * so a name that reading missed is in the queue when reading has ended.
 *
 * Where there can be no watch (no inotify instance is left for this user, or
 * the changes are made on another machine) passes are united until one is
 * steady, PASSES at most.
 *
 * Names are the mailbox owner's: any bytes. */
#include "mail/mdscan.h"

#include "lib/tai.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define DENTS ((size_t)256 << 10)       /* bytes for a getdents64, half of it
                                         * at least: 1,500 names */
#define EVENTS 16384                    /* bytes a read of a watch */
#define READS 64                        /* of a watch that still tells more:
                                         * others may rename faster than we
                                         * read */
#define PASSES 4
#define POOL_MAX ((size_t)900 << 20)    /* bytes of names, below STR_MAX */
#define CIFS_MAGIC 0xff534d42           /* in no header of the kernel's */

enum {
	NEW,
	CUR,
	DIRS,
};
static_assert(DIRS == MDSCAN_DIRS, "one time each");
static const char *const dir_name[DIRS] = {"new", "cur"};

/* One pass, and the watch that outlives it. */
struct pass {
	struct mdscan *scan;
	int maildir;
	int fd[DIRS];
	struct stat before[DIRS];
	struct mdscan_watch *watch;     /* its fd is -1 where there is none */
	bool overflow;                  /* events were lost */
	bool first;                     /* not worth it where it is doubtful */
	bool remote;                    /* others' changes make no events */
};

static void
add_entry(struct mdscan *m, size_t at, size_t len, bool is_new)
{
	const char *name = m->pool.s + at, *colon = memchr(name, ':', len);

	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap + m->cap / 2 : 256;

		m->entries = mem_resize(m->entries, cap, sizeof *m->entries);
		m->cap = cap;
	}
	m->entries[m->n++] = (struct mdscan_entry){.at = (uint32_t)at,
	    .base = (uint16_t)(colon ? (size_t)(colon - name) : len),
	    .is_new = is_new};
}

/* Is there room for it, and should it be there?  0, 1: leave it out, -1. */
static int
judge_name(const struct mdscan *m, const char *name, size_t len)
{
	if (len == 0 || len > MDSCAN_NAME || name[0] == '.' || name[0] == ':')
		return 1;
	if (m->n >= MDSCAN_MAX || m->pool.len >= POOL_MAX) {
		errno = EOVERFLOW;
		return -1;
	}
	return 0;
}

/* The end of the pool has n bytes of directory entries from at on: makes names
 * of them, one after another from where the pool ends. */
static int
take_dents(struct mdscan *m, size_t at, size_t n, bool is_new)
{
	size_t end = at + n;

	while (at < end) {
		const struct dirent64 *d =
		    (const void *)(m->pool.s + at);
		const char *name = d->d_name;
		size_t next = at + d->d_reclen, len = strlen(name);
		int r = d->d_type == DT_DIR ? 1 : judge_name(m, name, len);

		if (r < 0)
			return -1;
		if (r == 0) {
			size_t to = m->pool.len;

			/* To the left always: an entry is longer than its
			 * name, and at is where the last one ended. */
			memmove(m->pool.s + to, name, len + 1);
			m->pool.len = to + len + 1;
			add_entry(m, to, len, is_new);
		}
		at = next;
	}
	m->pool.s[m->pool.len] = '\0';
	return 0;
}

static int
take_event(struct pass *p, const struct inotify_event *e)
{
	struct mdscan *m = p->scan;
	size_t len, at = m->pool.len;
	int r;

	if (e->mask & IN_Q_OVERFLOW)
		p->overflow = true;
	if (e->len == 0 || e->mask & IN_ISDIR)
		return 0;
	len = strnlen(e->name, e->len);
	r = judge_name(m, e->name, len);
	if (r != 0)
		return r > 0 ? 0 : -1;
	str_catb(&m->pool, e->name, len);
	str_catc(&m->pool, '\0');
	add_entry(m, at, len, e->wd == p->watch->wd[NEW]);
	return 0;
}

/* What the watch has to tell, reads times at most. */
static int
drain(struct pass *p, size_t reads)
{
	_Alignas(struct inotify_event) char buf[EVENTS];

	while (p->watch->fd >= 0 && reads-- > 0) {
		ssize_t n = read(p->watch->fd, buf, sizeof buf);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno != EAGAIN ? -1 : 0;
		for (size_t at = 0; at < (size_t)n;) {
			const struct inotify_event *e =
			    (const void *)(buf + at);

			if (take_event(p, e) < 0)
				return -1;
			at += sizeof *e + e->len;
		}
	}
	return 0;
}

/* All that it has to tell of the time until now: it tells no more, so this
 * ends. */
static int
hear_out(struct pass *p)
{
	for (int i = 0; i < DIRS && p->watch->fd >= 0; i++)
		(void)inotify_rm_watch(p->watch->fd, p->watch->wd[i]);
	return drain(p, SIZE_MAX);
}

static int
read_dir(struct pass *p, int which)
{
	struct mdscan *m = p->scan;

	for (;;) {
		size_t at;
		ssize_t n;

		if (m->pool.cap < m->pool.len + DENTS / 2)
			str_reserve(&m->pool, DENTS);
		/* Entries want to be aligned, the pool's end is not. */
		at = (m->pool.len + 7) & ~(size_t)7;
		n = getdents64(p->fd[which], m->pool.s + at,
		    m->pool.cap - 1 - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || take_dents(m, at, n < 0 ? 0 : (size_t)n,
		    which == NEW) < 0)
			return -1;
		if (drain(p, READS) < 0)
			return -1;
		if (n == 0)
			return 0;
	}
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static int64_t
age_ms(const struct timespec *then, const struct timespec *now)
{
	return ((int64_t)now->tv_sec - then->tv_sec) * 1000 +
	    (now->tv_nsec - then->tv_nsec) / 1000000;
}

/* May a change from now on leave this directory's times as they are? */
static bool
is_doubtful(const struct pass *p, const struct stat *st,
    const struct timespec *now)
{
	int64_t doubt = p->remote ? MDSCAN_DOUBT_REMOTE_MS : MDSCAN_DOUBT_MS;

	return age_ms(&st->st_mtim, now) <= doubt ||
	    age_ms(&st->st_ctim, now) <= doubt;
}

static bool
is_remote(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return true;
	switch ((unsigned long)fs.f_type) {
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case CIFS_MAGIC:
	case FUSE_SUPER_MAGIC:
	case CEPH_SUPER_MAGIC:
	case V9FS_MAGIC:
	case AFS_SUPER_MAGIC:
	case OCFS2_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

static int
open_dirs(struct pass *p)
{
	for (int i = 0; i < DIRS; i++) {
		p->fd[i] = openat(p->maildir, dir_name[i],
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (p->fd[i] < 0 || fstat(p->fd[i], &p->before[i]) < 0)
			return -1;
	}
	return 0;
}

static void
close_dirs(struct pass *p)
{
	int e = errno;

	for (int i = 0; i < DIRS; i++) {
		if (p->fd[i] >= 0)
			(void)close(p->fd[i]);
		p->fd[i] = -1;
	}
	errno = e;
}

void
mdscan_unwatch(struct mdscan_watch *w)
{
	if (w->fd >= 0)
		(void)close(w->fd);
	*w = (struct mdscan_watch)MDSCAN_WATCH_NONE;
}

/* Before a byte is read.  Without a watch it goes on all the same. */
static void
set_watch(struct mdscan_watch *w, int maildir)
{
	char path[64];

	if (w->fd < 0)
		w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	for (int i = 0; i < DIRS && w->fd >= 0; i++) {
		(void)snprintf(path, sizeof path, "/proc/self/fd/%d/%s",
		    maildir, dir_name[i]);
		w->wd[i] = inotify_add_watch(w->fd, path,
		    IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
		if (w->wd[i] < 0)
			mdscan_unwatch(w);
	}
}

enum verdict {
	STEADY,                         /* nothing changed meanwhile */
	DOUBTFUL,                       /* it did not show, which says little */
	MOVING,
};

/* -1: a verdict otherwise. */
static int
run_pass(struct pass *p)
{
	struct timespec now;
	int v = -1;

	if (open_dirs(p) == 0) {
		now = clock_wall_ns();
		v = STEADY;
		p->remote = is_remote(p->fd[CUR]);
	}
	for (int i = 0; i < DIRS && v >= 0; i++)
		if (is_doubtful(p, &p->before[i], &now))
			v = DOUBTFUL;
	if (p->first && v == DOUBTFUL) {
		close_dirs(p);
		return v;
	}
	for (int i = 0; i < DIRS && v >= 0; i++)
		if (read_dir(p, i) < 0)
			v = -1;
	if (v >= 0 && hear_out(p) < 0)
		v = -1;
	for (int i = 0; i < DIRS && v >= 0; i++) {
		struct stat after;

		if (fstat(p->fd[i], &after) < 0)
			v = -1;
		else if (!same_time(&p->before[i].st_mtim, &after.st_mtim) ||
		    !same_time(&p->before[i].st_ctim, &after.st_ctim))
			v = MOVING;
	}
	for (int i = 0; i < DIRS; i++)
		p->scan->time[i] = p->before[i].st_mtim;
	p->scan->steady = v == STEADY;
	close_dirs(p);
	return v;
}

/* Where no watch tells: until a pass is steady.  On other machines' clocks
 * that may take seconds, so two that did not seem to move are enough there. */
static int
unite_passes(struct pass *p)
{
	static const struct timespec tick = {0, MDSCAN_DOUBT_MS * 1000000};
	bool still = false;

	for (int i = 0; i < PASSES; i++) {
		int v;

		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);
		v = run_pass(p);
		if (v < 0 || v == STEADY)
			return v;
		if (v == DOUBTFUL && still)
			return 0;
		still = v == DOUBTFUL;
	}
	return 0;
}

/* Events that were lost may be of the one message that reading missed. */
static int
watched_passes(struct pass *p)
{
	p->scan->watched = true;
	for (int i = 0; i < PASSES; i++) {
		p->overflow = false;
		if (run_pass(p) < 0)
			return -1;
		if (!p->overflow)
			return 0;
		set_watch(p->watch, p->maildir);
		if (p->watch->fd < 0)
			return unite_passes(p);
	}
	errno = EBUSY;
	return -1;
}

static void
forget(struct mdscan *m, size_t n, size_t len)
{
	int e = errno;

	m->n = n;
	str_trunc(&m->pool, len);
	errno = e;
}

/* All but a first pass that was steady. */
static int
read_again(struct pass *p)
{
	if (!p->remote)
		set_watch(p->watch, p->maildir);
	return p->watch->fd >= 0 ? watched_passes(p) : unite_passes(p);
}

int
mdscan_read(int maildir, struct mdscan_watch *keep, struct mdscan *m)
{
	struct mdscan_watch own = MDSCAN_WATCH_NONE;
	struct pass p = {.scan = m, .maildir = maildir, .fd = {-1, -1},
	    .watch = &own, .first = true};
	size_t n = m->n, len = m->pool.len;
	int v;

	m->watched = false;
	v = run_pass(&p);
	if (v == DOUBTFUL || v == MOVING) {
		forget(m, n, len);
		p.first = false;
		if (keep != NULL)
			p.watch = keep;
		v = read_again(&p);
	}
	if (v < 0) {
		forget(m, n, len);
		/* What it would tell next is old. */
		mdscan_unwatch(p.watch);
	}
	mdscan_unwatch(&own);
	return v < 0 ? -1 : 0;
}

void
mdscan_free(struct mdscan *m)
{
	str_free(&m->pool);
	free(m->entries);
	*m = (struct mdscan){0};
}

const char *
mdscan_name(const struct mdscan *m, size_t i)
{
	return m->pool.s + m->entries[i].at;
}
