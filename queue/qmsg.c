/* queue/qmsg.c - the files of one submission; see qmsg.h and INTERNALS.
 *
 * Why there is one sync and not five: nothing orders the writes before it, so
 * a crash may leave any part of an unacknowledged message.  The sums in the p
 * record tell such a torn entry from a whole one (mail/qrecord.h). */
#include "queue/qmsg.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/str.h"
#include "lib/tai.h"
#include "mail/qpath.h"
#include "mail/qrecord.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define CREATE_TRIES 9

static int
create_named(const char *name)
{
	return open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
}

enum qx
qmsg_create(struct qmsg *m)
{
	enum qx x = QX_PIDFILE;

	*m = (struct qmsg){.fd = -1};
	for (unsigned i = 1; i <= CREATE_TRIES; i++) {
		char tmp[64];
		struct stat st;

		(void)snprintf(tmp, sizeof tmp, "pid/%ld.%lld.%u",
		    (long)getpid(), (long long)clock_wall(), i);
		m->fd = create_named(tmp);
		if (m->fd < 0 && errno == EEXIST)
			continue;
		if (m->fd < 0)
			return x;
		if (fstat(m->fd, &st) == 0) {
			m->id = st.st_ino;
			if (renameat2(AT_FDCWD, tmp, AT_FDCWD,
			    qpath_split("mess", m->id).s, RENAME_NOREPLACE) ==
			    0) {
				m->stage = QMSG_MESS;
				hash_init(&m->sum, 0, 0);
				return QX_OK;
			}
			x = QX_MESS;
		}
		/* The name is our inode number: if another file holds it, it
		 * is not the file it says it is (a queue copied without
		 * repair).  Ours stays in pid/ until it is swept, so that the
		 * next try gets another number. */
		if (x != QX_MESS || errno != EEXIST)
			i = CREATE_TRIES;
		if (i == CREATE_TRIES)
			(void)unlink(tmp);
		fd_close(m->fd);
		m->fd = -1;
	}
	return x;
}

enum qx
qmsg_body(struct qmsg *m, const void *a, size_t na, const void *b, size_t nb)
{
	union {
		const void *in;
		void *out;
	} ua = {.in = a}, ub = {.in = b};
	struct iovec v[2] = {{ua.out, na}, {ub.out, nb}};
	ssize_t w;

	hash_add(&m->sum, a, na);
	hash_add(&m->sum, b, nb);
	m->size += na + nb;
	do
		w = writev(m->fd, v, 2);
	while (w < 0 && errno == EINTR);
	if (w < 0)
		return QX_WRITE;
	if ((size_t)w < na) {
		if (fd_write_all(m->fd, (const char *)a + w, na - (size_t)w) <
		    0)
			return QX_WRITE;
		w = (ssize_t)na;
	}
	if (nb > 0 && fd_write_all(m->fd, (const char *)b + ((size_t)w - na),
	    na + nb - (size_t)w) < 0)
		return QX_WRITE;
	return QX_OK;
}

enum qx
qmsg_publish(struct qmsg *m, uid_t uid, pid_t pid, const char *records,
    size_t n)
{
	struct qpath intd = qpath_flat("intd", m->id);
	struct qpath todo = qpath_flat("todo", m->id);
	struct str head = {0};
	struct hash env;
	struct hash mess = m->sum;
	struct iovec v[2];
	union {
		const char *in;
		void *out;
	} u = {.in = records};
	struct stat st;
	size_t total;
	ssize_t w;
	int fd;

	hash_init(&env, 0, 0);
	hash_add(&env, records, n);
	qrecord_cat_head(&head, uid, pid, m->size, hash_end(&mess),
	    hash_end(&env));
	/* A leftover intd/N belongs to an inode that is gone: N is ours. */
	fd = create_named(intd.s);
	if (fd < 0 && errno == EEXIST && unlink(intd.s) == 0)
		fd = create_named(intd.s);
	if (fd < 0) {
		str_free(&head);
		return QX_INTD;
	}
	v[0] = (struct iovec){head.s, head.len};
	v[1] = (struct iovec){u.out, n};
	total = head.len + n;
	do
		w = writev(fd, v, 2);
	while (w < 0 && errno == EINTR);
	if (w >= 0 && (size_t)w < total) {
		struct str rest = {0};

		str_cat(&rest, &head);
		str_catb(&rest, records, n);
		if (fd_write_all(fd, rest.s + w, total - (size_t)w) < 0)
			w = -1;
		str_free(&rest);
	}
	str_free(&head);
	if (close(fd) < 0 || w < 0) {
		(void)unlink(intd.s);
		return QX_WRITE;
	}
	/* Swept away under us: the clock went ahead by days. */
	if (fstat(m->fd, &st) < 0 || st.st_nlink == 0) {
		(void)unlink(intd.s);
		errno = ENOENT;
		return QX_MESS;
	}
	if (rename(intd.s, todo.s) < 0) {
		(void)unlink(intd.s);
		return QX_TODO;
	}
	m->stage = QMSG_TODO;
	(void)close(m->fd);
	m->fd = -1;
	return QX_OK;
}

/* Unlinked, its number would go to the next message at once, while qmail-todo
 * may have read this envelope.  So the files stay: as S3, for the sweep, or
 * for qmail-send, if it has them. */
static void
withdraw(const struct qmsg *m)
{
	(void)rename(qpath_flat("todo", m->id).s, qpath_flat("intd", m->id).s);
}

void
qmsg_discard(struct qmsg *m)
{
	if (m->stage == QMSG_TODO)
		withdraw(m);
	if (m->stage == QMSG_MESS)
		(void)unlink(qpath_split("mess", m->id).s);
	if (m->fd >= 0)
		(void)close(m->fd);
	*m = (struct qmsg){.fd = -1};
}

enum qx
qmsg_sync(int queue_dir_fd)
{
	int r;

	do
		r = fs_syncfs(queue_dir_fd);
	while (r < 0 && errno == EINTR);
	return r < 0 ? QX_WRITE : QX_OK;
}
