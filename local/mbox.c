/* local/mbox.c - append to mbox files; see mbox.h.
 *
 * Invariant: while the lock is held the file ends where it did before, or
 * with the whole message.  Without a lock (a file system that has none) what
 * was written stays, because another's mail may follow it. */
#include "local/mbox.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/tai.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define STALE_DOT 300           /* seconds; after them a dot-lock is broken */
#define PAUSE_MS 50

static const char from_[] = "From ";
#define NFROM (sizeof from_ - 1)

void
mbox_cat_from(struct str *out, const char *sender, int64_t when)
{
	time_t t = (time_t)when;
	struct tm tm;
	char text[32];

	str_cats(out, "From ");
	if (*sender == '\0')
		str_cats(out, "MAILER-DAEMON");
	for (; *sender; sender++)
		str_catc(out, strchr(" \t\n", *sender) ? '-' : *sender);
	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &tm) == 0)
		text[0] = '\0';
	str_catf(out, " %s\n", text);
}

void
mbox_quote_begin(struct mbox_quoter *q)
{
	*q = (struct mbox_quoter){.where = MBOX_BOL, .last_lf = true};
}

/* What was held back as a possible "From " goes out as it is. */
static void
release(struct mbox_quoter *q, struct str *out)
{
	str_catb(out, from_, q->matched);
	q->matched = 0;
}

void
mbox_quote(struct mbox_quoter *q, struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (q->where != MBOX_MID) {
			if (s[i] == '>' && q->where == MBOX_BOL) {
				str_catc(out, '>');
				q->last_lf = false;
				continue;
			}
			if (s[i] == from_[q->matched]) {
				q->where = MBOX_FROM;
				q->last_lf = false;
				if (++q->matched < NFROM)
					continue;
				str_catc(out, '>');
				release(q, out);
				q->where = MBOX_MID;
				continue;
			}
			release(q, out);
			q->where = MBOX_MID;
		}
		{
			size_t len = bytes_chr(s + i, n - i, '\n');

			if (i + len < n) {
				len++;
				q->where = MBOX_BOL;
				q->last_lf = true;
			} else {
				q->last_lf = false;
			}
			str_catb(out, s + i, len);
			i += len - 1;
		}
	}
}

void
mbox_quote_end(struct mbox_quoter *q, struct str *out)
{
	release(q, out);
	if (!q->last_lf)
		str_catc(out, '\n');
	str_catc(out, '\n');
}

static bool
past(int64_t until)
{
	if (clock_mono_ms() >= until)
		return true;
	(void)poll(NULL, 0, PAUSE_MS);
	return false;
}

/* Held by another: EWOULDBLOCK, and for fcntl EACCES too. */
static bool
is_held(int e)
{
	return e == EWOULDBLOCK || e == EACCES;
}

/* A dot-lock is a courtesy to MUAs, which run as the user: where the spool
 * does not let him make one there is none, and one that somebody else has put
 * there, in a spool that all may write to, keeps no mail out. */
static enum mbox_status
lock_dot(struct mbox_lock *l, const char *path, int64_t until)
{
	if (strncmp(path, MBOX_SPOOL, sizeof MBOX_SPOOL - 1) != 0)
		return MBOX_OK;
	str_copys(&l->dot, path);
	str_cats(&l->dot, ".lock");
	for (;;) {
		struct stat st;
		bool there;
		int fd = open(str_c(&l->dot),
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

		if (fd >= 0) {
			(void)close(fd);
			return MBOX_OK;
		}
		if (errno != EEXIST) {
			str_clear(&l->dot);
			return MBOX_OK;
		}
		there = lstat(str_c(&l->dot), &st) == 0;
		if (there && st.st_uid != 0 && st.st_uid != geteuid()) {
			str_clear(&l->dot);
			return MBOX_OK;
		}
		if (there && clock_wall() - st.st_mtime > STALE_DOT) {
			(void)unlink(str_c(&l->dot));
		} else if (past(until)) {
			str_clear(&l->dot);
			return MBOX_LOCKED;
		}
	}
}

enum mbox_status
mbox_lock(struct mbox_lock *l, int fd, const char *path, int lock_ms)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int64_t until = clock_mono_ms() + lock_ms;
	enum mbox_status st;

	*l = (struct mbox_lock){0};
	if ((st = lock_dot(l, path, until)) != MBOX_OK)
		return st;
	for (;;) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			l->held = true;
			break;
		}
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		if (past(until))
			goto locked;
	}
	for (;;) {
		if (fcntl(fd, F_SETLK, &fl) == 0) {
			l->held = true;
			break;
		}
		if (!is_held(errno) && errno != EINTR)
			break;
		if (past(until))
			goto locked;
	}
	return MBOX_OK;
locked:
	mbox_unlock(l);
	return MBOX_LOCKED;
}

void
mbox_unlock(struct mbox_lock *l)
{
	if (l->dot.len > 0)
		(void)unlink(str_c(&l->dot));
	str_free(&l->dot);
}

int
mbox_write(int fd, const char *head, size_t nhead, int mfd)
{
	struct mbox_quoter q;
	struct str out = {0};
	char buf[16384];
	off_t at = 0;
	int r = 0;

	mbox_quote_begin(&q);
	str_copyb(&out, head, nhead);
	for (;;) {
		ssize_t n = pread(mfd, buf, sizeof buf, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = -1;
			break;
		}
		at += n;
		if (n > 0)
			mbox_quote(&q, &out, buf, (size_t)n);
		else
			mbox_quote_end(&q, &out);
		if (fd_write_all(fd, str_c(&out), out.len) < 0) {
			r = -1;
			break;
		}
		str_clear(&out);
		if (n == 0)
			break;
	}
	str_free(&out);
	return r;
}

/* An MUA may have put another file there while we waited for the lock. */
bool
mbox_is_still(const struct stat *st, const char *path)
{
	struct stat now;

	return stat(path, &now) == 0 && now.st_dev == st->st_dev &&
	    now.st_ino == st->st_ino;
}

static enum mbox_status
append_open(int fd, const char *path, bool fresh, const char *head,
    size_t nhead, int mfd, int lock_ms)
{
	struct mbox_lock l;
	enum mbox_status r;
	struct stat st;

	if ((r = mbox_lock(&l, fd, path, lock_ms)) != MBOX_OK)
		return r;
	if (fstat(fd, &st) < 0) {
		r = MBOX_ERROR;
	} else if (!mbox_is_still(&st, path)) {
		errno = ESTALE;
		r = MBOX_ERROR;
	} else if (mbox_write(fd, head, nhead, mfd) < 0 || fsync(fd) < 0 ||
	    (fresh && fs_sync_parent(path) < 0)) {
		int e = errno;

		if (l.held && ftruncate(fd, st.st_size) < 0)
			e = errno;
		errno = e;
		r = MBOX_ERROR;
	}
	{
		int e = errno;

		mbox_unlock(&l);
		errno = e;
	}
	return r;
}

enum mbox_status
mbox_append(const char *path, const char *head, size_t nhead, int mfd,
    int lock_ms)
{
	bool fresh = access(path, F_OK) < 0 && errno == ENOENT;
	enum mbox_status r;
	struct stat st;
	int e, fd = open(path, O_WRONLY | O_APPEND | O_CREAT |
	    O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

	if (fd < 0)
		return MBOX_ERROR;
	if (fstat(fd, &st) < 0) {
		r = MBOX_ERROR;
	} else if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) {
		r = MBOX_OK;            /* /dev/null keeps nothing */
	} else if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;         /* no FIFO, no device */
		r = MBOX_ERROR;
	} else {
		r = append_open(fd, path, fresh, head, nhead, mfd, lock_ms);
	}
	e = errno;
	(void)close(fd);
	errno = e;
	return r;
}
