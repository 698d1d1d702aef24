/* queue/qscan.c - reading messages out of the queue; see qscan.h.
 *
 * Trusts the queue's directories as far as their names go: what a file says
 * is parsed like a stranger's bytes. */
#include "queue/qscan.h"

#include "lib/fs.h"
#include "mail/limits.h"
#include "mail/qctl.h"
#include "mail/qpath.h"
#include "mail/qrecord.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
qscan_add(struct qscan_ids *list, uint64_t id)
{
	if (list->n == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 256;
		list->ids = mem_resize(list->ids, list->cap,
		    sizeof list->ids[0]);
	}
	list->ids[list->n++] = id;
}

static int
id_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void
qscan_sort(struct qscan_ids *list)
{
	size_t n = 0;

	if (list->n == 0)
		return;
	qsort(list->ids, list->n, sizeof list->ids[0], id_compare);
	for (size_t i = 1; i < list->n; i++)
		if (list->ids[i] != list->ids[n])
			list->ids[++n] = list->ids[i];
	list->n = n + 1;
}

void
qscan_ids_free(struct qscan_ids *list)
{
	free(list->ids);
	*list = (struct qscan_ids){0};
}

static int
trouble(struct str *why, const char *path)
{
	int e = errno;

	str_clear(why);
	str_catf(why, "unable to read %s: %s", path, strerror(e));
	errno = e;
	return -1;
}

int
qscan_enter(const char *dir, struct str *why)
{
	if (chdir(dir) == 0)
		return 0;
	(void)trouble(why, dir);
	if (errno == EACCES)
		str_cats(why, " (only root and the qmail users may)");
	return -1;
}

/* Adds the numbers that are names in one directory; others are not ours. */
static int
dir_list(const char *path, struct qscan_ids *out, struct str *why)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	uint64_t id;

	if (d == NULL)
		return trouble(why, path);
	for (;;) {
		errno = 0;
		if ((e = readdir(d)) == NULL)
			break;
		if (qpath_parse(e->d_name, &id))
			qscan_add(out, id);
	}
	if (errno != 0) {
		(void)trouble(why, path);
		(void)closedir(d);
		return -1;
	}
	(void)closedir(d);
	return 0;
}

/* The same over the subdirectories of a split directory. */
static int
split_list(const char *dir, struct qscan_ids *out, struct str *why)
{
	struct str path = {0};
	int r = 0;

	for (unsigned i = 0; i < QUEUE_SPLIT && r == 0; i++) {
		str_clear(&path);
		str_catf(&path, "%s/%u", dir, i);
		r = dir_list(str_c(&path), out, why);
	}
	str_free(&path);
	return r;
}

int
qscan_list(struct qscan_ids *out, struct str *why)
{
	/* todo first: a message goes from there to info, never back. */
	if (dir_list("todo", out, why) < 0 || split_list("info", out, why) < 0)
		return -1;
	qscan_sort(out);
	return 0;
}

int
qscan_count(uint64_t *mess_out, uint64_t *todo_out, struct str *why)
{
	struct qscan_ids ids = {0};
	int r = split_list("mess", &ids, why);

	*mess_out = ids.n;
	ids.n = 0;
	if (r == 0)
		r = dir_list("todo", &ids, why);
	*todo_out = ids.n;
	qscan_ids_free(&ids);
	return r;
}

bool
qscan_parse_info(const char *bytes, size_t n, struct str *sender_out)
{
	size_t len = bytes_chr(bytes, n, '\0');

	if (n < 2 || bytes[0] != 'F' || len == n || bytes[n - 1] != '\0')
		return false;
	/* Wishes may follow: qmail-send's matter. */
	for (size_t i = len + 1; i < n; i += bytes_chr(bytes + i, n - i,
	    '\0') + 1)
		if (bytes[i] == '\0' || strchr("MNn", bytes[i]) == NULL)
			return false;
	str_copyb(sender_out, bytes + 1, len - 1);
	return true;
}

static void
rcpt_add(struct qscan_msg *m, enum qscan_channel channel, bool done,
    const char *addr, size_t n)
{
	str_catc(&m->rcpts, (char)('0' + channel));
	str_catc(&m->rcpts, done ? 'D' : 'T');
	str_catb(&m->rcpts, addr, n);
	str_catc(&m->rcpts, '\0');
	m->nrcpt++;
	m->nleft += !done;
}

bool
qscan_parse_list(const char *bytes, size_t n, enum qscan_channel channel,
    struct qscan_msg *out)
{
	while (n > 0) {
		size_t len = bytes_chr(bytes, n, '\0');

		if (len == n || (bytes[0] != 'T' && bytes[0] != 'D'))
			return false;
		rcpt_add(out, channel, bytes[0] == 'D', bytes + 1, len - 1);
		bytes += len + 1;
		n -= len + 1;
	}
	return true;
}

bool
qscan_rcpt_next(const struct qscan_msg *m, size_t *at, struct qscan_rcpt *out)
{
	const char *s;

	if (*at >= m->rcpts.len)
		return false;
	s = m->rcpts.s + *at;
	out->channel = (enum qscan_channel)(s[0] - '0');
	out->done = s[1] == 'D';
	out->addr = s + 2;
	*at += strlen(s) + 1;
	return true;
}

void
qscan_msg_free(struct qscan_msg *m)
{
	str_free(&m->sender);
	str_free(&m->rcpts);
	*m = (struct qscan_msg){0};
}

/* Empties m but keeps its memory. */
static void
msg_reset(struct qscan_msg *m, uint64_t id)
{
	struct str sender = m->sender, rcpts = m->rcpts;

	str_clear(&sender);
	str_clear(&rcpts);
	*m = (struct qscan_msg){.id = id, .sender = sender, .rcpts = rcpts};
}

/* One file into buf.  GONE when it is not there. */
static enum qscan_status
file_load(const char *path, struct str *buf, struct str *why)
{
	str_clear(buf);
	if (fs_read(path, buf, ENVELOPE_MAX) == 0)
		return QSCAN_OK;
	if (errno == ENOENT)
		return QSCAN_GONE;
	(void)trouble(why, path);
	return QSCAN_TROUBLE;
}

static enum qscan_status
bad(const char *path, const char *what, struct str *why)
{
	str_clear(why);
	str_catf(why, "%s %s", path, what);
	return QSCAN_BAD;
}

static enum qscan_status
load_todo(struct qscan_msg *m, struct str *buf, struct str *why)
{
	struct qpath path = qpath_flat("todo", m->id);
	enum qscan_status st = file_load(path.s, buf, why);
	struct qrecord rec = {0};
	struct stat sb;

	if (st != QSCAN_OK)
		return st;
	m->todo = true;
	if (stat(path.s, &sb) == 0)
		m->birth = sb.st_mtim.tv_sec;
	switch (qrecord_parse(str_c(buf), buf->len, &rec)) {
	case QRECORD_OK:
	case QRECORD_NOSUM:
		break;
	case QRECORD_TORN:
		st = bad(path.s, "is torn: never acknowledged", why);
		break;
	case QRECORD_BAD:
	case QRECORD_ERROR:
		st = bad(path.s, "is no envelope", why);
		break;
	}
	m->uid = rec.uid;
	m->pid = rec.pid;
	str_copy(&m->sender, &rec.sender);
	for (size_t at = 0, len; at < rec.rcpts.len; at += len + 1) {
		len = strlen(rec.rcpts.s + at);
		rcpt_add(m, QSCAN_RAW, false, rec.rcpts.s + at, len);
	}
	qrecord_free(&rec);
	return st;
}

static enum qscan_status
load_list(struct qscan_msg *m, const char *dir, enum qscan_channel channel,
    int64_t *next_out, struct str *buf, struct str *why)
{
	struct qpath path = qpath_split(dir, m->id);
	enum qscan_status st = file_load(path.s, buf, why);
	struct stat sb;

	if (st == QSCAN_GONE)
		return QSCAN_OK;        /* all done, or none of this kind */
	if (st != QSCAN_OK)
		return st;
	if (stat(path.s, &sb) == 0)
		*next_out = sb.st_mtim.tv_sec;
	return qscan_parse_list(str_c(buf), buf->len, channel, m) ? QSCAN_OK :
	    bad(path.s, "is no list of recipients", why);
}

static enum qscan_status
load_info(struct qscan_msg *m, struct str *buf, struct str *why)
{
	struct qpath path = qpath_split("info", m->id);
	enum qscan_status st = file_load(path.s, buf, why), more;
	struct stat sb;

	if (st != QSCAN_OK)
		return st;
	if (stat(path.s, &sb) == 0)
		m->birth = sb.st_mtim.tv_sec;
	if (!qscan_parse_info(str_c(buf), buf->len, &m->sender))
		st = bad(path.s, "is no sender record", why);
	more = load_list(m, "local", QSCAN_LOCAL, &m->next_local, buf, why);
	if (st == QSCAN_OK || more == QSCAN_TROUBLE)
		st = more;
	more = load_list(m, "remote", QSCAN_REMOTE, &m->next_remote, buf, why);
	if (st == QSCAN_OK || more == QSCAN_TROUBLE)
		st = more;
	return st;
}

enum qscan_status
qscan_load(uint64_t id, struct qscan_msg *out, struct str *why)
{
	struct str buf = {0};
	enum qscan_status st;
	struct stat sb;

	msg_reset(out, id);
	st = load_todo(out, &buf, why);
	if (st == QSCAN_GONE)
		st = load_info(out, &buf, why);
	str_free(&buf);
	if (st == QSCAN_GONE || st == QSCAN_TROUBLE)
		return st;
	out->held = stat(qpath_flat(QCTL_HOLD_DIR, id).s, &sb) == 0;
	out->bouncing = stat(qpath_flat("bounce", id).s, &sb) == 0;
	if (stat(qpath_split("mess", id).s, &sb) == 0)
		out->size = (uint64_t)sb.st_size;
	return st;
}
