/* queue/qact.c - changing messages, with and without qmail-send; see qact.h.
 *
 * Runs as root in directories of less trusted users: names are digits made
 * here, links are not followed, new files belong to the directory's owner. */
#include "queue/qact.h"

#include "lib/fs.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "mail/limits.h"
#include "mail/qpath.h"
#include "queue/clean.h"
#include "queue/qlock.h"
#include "queue/qscan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static enum qact_status
trouble(struct str *text, const char *verb, const char *path)
{
	str_clear(text);
	str_catf(text, "unable to %s %s: %s", verb, path, strerror(errno));
	return QACT_TROUBLE;
}

int
qact_open(struct qact *a, const char *socket, uint64_t lifetime,
    struct str *why)
{
	*a = (struct qact){.lock = -1, .clean = -1, .sock = -1,
	    .lifetime = lifetime};
	switch (qlock_take(QLOCK_SEND, "info", &a->lock, why)) {
	case QLOCK_TAKEN:
		/* What qmail-clean still has to do comes first. */
		a->clean = clean_lock();
		if (a->clean >= 0 || errno == ENOENT)
			return 0;
		str_clear(why);
		str_catf(why, "unable to lock intd: %s", strerror(errno));
		(void)close(a->lock);
		return -1;
	case QLOCK_TROUBLE:
		return -1;
	case QLOCK_BUSY:
		break;
	}
	a->online = true;
	a->sock = sock_connect(socket, SOCK_STREAM, QCTL_WAIT_MS);
	if (a->sock < 0) {
		str_clear(why);
		str_catf(why, "qmail-send is running, but unable to reach it "
		    "at %s: %s", socket, strerror(errno));
		return -1;
	}
	io_init(&a->io, a->sock, a->sock, QCTL_WAIT_MS);
	return 0;
}

int
qact_close(struct qact *a)
{
	int dir, r = 0, e;

	if (a->online) {
		(void)close(a->sock);
	} else if (a->lock >= 0) {
		dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = dir < 0 ? -1 : fs_syncfs(dir);
		e = errno;
		if (dir >= 0)
			(void)close(dir);
		if (a->clean >= 0)
			(void)close(a->clean);
		(void)close(a->lock);
		errno = e;
	}
	*a = (struct qact){.lock = -1, .clean = -1, .sock = -1};
	return r;
}

/* ---- qmail-send is asked ---- */

static enum qact_status
ask(struct qact *a, enum qctl_verb verb, uint64_t id, struct str *text)
{
	struct qctl_request req = {verb, id};
	struct qctl_answer answer = {0};
	struct qctl_line line = {0};
	struct str s = {0};
	size_t used;
	enum io_status st;
	enum qact_status result = QACT_TROUBLE;

	qctl_cat_request(&s, &req);
	st = io_put(&a->io, str_c(&s), s.len);
	str_clear(&s);
	if (st == IO_OK)
		st = io_getdelim(&a->io, &s, '\n', sizeof line.s);
	str_catc(&s, '\n');
	str_clear(text);
	if (st == IO_TIMEOUT)
		str_cats(text, "qmail-send does not answer");
	else if (st == IO_EOF)
		str_cats(text, "qmail-send closed the connection");
	else if (st == IO_ERROR)
		str_catf(text, "unable to talk to qmail-send: %s",
		    strerror(errno));
	else if (st != IO_OK || qctl_answer_parse(&line, str_c(&s), s.len,
	    &used, &answer) != QCTL_DONE)
		str_cats(text, "qmail-send's answer makes no sense");
	else {
		str_copy(text, &answer.text);
		result = answer.ok ? QACT_DONE : QACT_REFUSED;
	}
	qctl_answer_free(&answer);
	str_free(&s);
	return result;
}

/* ---- the files are changed ---- */

static int
set_mtime(const char *path, int64_t mtime)
{
	const struct timespec t[2] = {{.tv_nsec = UTIME_OMIT},
	    {.tv_sec = mtime}};

	return utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW) < 0 &&
	    errno != ENOENT ? -1 : 0;
}

static enum qact_status
remove_message(uint64_t id, struct str *text)
{
	const struct qpath paths[] = {
		qpath_flat("bounce", id), qpath_split("local", id),
		qpath_split("remote", id), qpath_split("info", id),
		qpath_flat(QCTL_HOLD_DIR, id), qpath_flat("todo", id),
		qpath_flat("intd", id), qpath_split("mess", id),
	};

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		if (unlink(paths[i].s) < 0 && errno != ENOENT)
			return trouble(text, "remove", paths[i].s);
	return QACT_DONE;
}

static enum qact_status
due_now(uint64_t id, struct str *text)
{
	const struct qpath lists[] = {
		qpath_split("local", id), qpath_split("remote", id),
	};

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		if (set_mtime(lists[i].s, clock_wall()) < 0)
			return trouble(text, "set the time of", lists[i].s);
	str_cats(text, "when qmail-send starts");
	return QACT_DONE;
}

static enum qact_status
expire(const struct qact *a, uint64_t id, struct str *text)
{
	const struct qpath births[] = {
		qpath_flat("todo", id), qpath_split("info", id),
	};
	int64_t life = a->lifetime > INT32_MAX ? INT32_MAX :
	    (int64_t)a->lifetime;
	int64_t birth = clock_wall() - life - 1;

	for (size_t i = 0; i < sizeof births / sizeof births[0]; i++)
		if (set_mtime(births[i].s, birth) < 0)
			return trouble(text, "set the time of", births[i].s);
	return due_now(id, text);
}

/* hold/N, for whoever owns the schedule (info/). */
static enum qact_status
hold(uint64_t id, struct str *text)
{
	struct qpath path = qpath_flat(QCTL_HOLD_DIR, id);
	struct stat st;
	int fd;

	if (stat("info", &st) < 0)
		return trouble(text, "look at", "info");
	if (mkdir(QCTL_HOLD_DIR, 0700) == 0) {
		if (lchown(QCTL_HOLD_DIR, st.st_uid, st.st_gid) < 0)
			return trouble(text, "give away", QCTL_HOLD_DIR);
	} else if (errno != EEXIST) {
		return trouble(text, "make", QCTL_HOLD_DIR);
	}
	fd = open(path.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST) {
		str_cats(text, "already on hold");
		return QACT_DONE;
	}
	if (fd < 0 || (st.st_uid != geteuid() &&
	    fchown(fd, st.st_uid, st.st_gid) < 0))
		return trouble(text, "make", path.s);
	(void)close(fd);
	return QACT_DONE;
}

static enum qact_status
release(uint64_t id, struct str *text)
{
	struct qpath path = qpath_flat(QCTL_HOLD_DIR, id);

	if (unlink(path.s) == 0)
		return QACT_DONE;
	if (errno != ENOENT)
		return trouble(text, "remove", path.s);
	str_cats(text, "was not on hold");
	return QACT_DONE;
}

static bool
there(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static enum qact_status
flush(struct str *text)
{
	struct qscan_ids ids = {0};
	enum qact_status st = QACT_DONE;
	uint64_t n = 0;

	if (qscan_list(&ids, text) < 0)
		st = QACT_TROUBLE;
	for (size_t i = 0; i < ids.n && st == QACT_DONE; i++)
		if (!there(qpath_flat(QCTL_HOLD_DIR, ids.ids[i]).s)) {
			str_clear(text);
			st = due_now(ids.ids[i], text);
			n++;
		}
	qscan_ids_free(&ids);
	if (st == QACT_DONE) {
		str_clear(text);
		str_catf(text, "%" PRIu64 " messages, when qmail-send starts",
		    n);
	}
	return st;
}

enum qact_status
qact_do(struct qact *a, enum qctl_verb verb, uint64_t id, struct str *text)
{
	if (a->online)
		return ask(a, verb, id, text);
	str_clear(text);
	if (verb == QCTL_FLUSH)
		return flush(text);
	if (!there(qpath_flat("todo", id).s) &&
	    !there(qpath_split("info", id).s)) {
		str_cats(text, "no such message");
		return QACT_REFUSED;
	}
	switch (verb) {
	case QCTL_DELETE:
		return remove_message(id, text);
	case QCTL_EXPIRE:
		return expire(a, id, text);
	case QCTL_RETRY:
		return due_now(id, text);
	case QCTL_HOLD:
		return hold(id, text);
	case QCTL_RELEASE:
		return release(id, text);
	case QCTL_FLUSH:
		break;
	}
	return QACT_TROUBLE;
}
