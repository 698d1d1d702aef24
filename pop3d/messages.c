/* pop3d/messages.c - the commands about messages; see session.h.
 *
 * A handler gets here with as many arguments as its line of the table allows,
 * the first of them a message that is there and not deleted.  Nothing changes
 * on the disk before QUIT. */
#include "pop3d/transact.h"

#include "lib/log.h"

#include <errno.h>
#include <sys/stat.h>

/* ---- what there is ---- */

void
messages_stat(struct session *s, const struct args *a)
{
	uint64_t bytes;
	size_t n;

	(void)a;
	box_stat(s->box, &n, &bytes);
	if (!s->sized)
		s->size = bytes;
	s->sized = true;
	out_puts(&s->out, "+OK ");
	out_putu(&s->out, n);
	out_puts(&s->out, " ");
	out_putu(&s->out, bytes);
	out_puts(&s->out, "\r\n");
}

static void
put_size(struct session *s, size_t i)
{
	uint64_t size = box_size(s->box, i);

	if (!s->sized)
		s->size += size;
	out_putu(&s->out, i + 1);
	out_puts(&s->out, " ");
	out_putu(&s->out, size);
	out_puts(&s->out, "\r\n");
}

static void
put_uidl(struct session *s, size_t i)
{
	out_putu(&s->out, i + 1);
	out_puts(&s->out, " ");
	out_puts(&s->out, box_uidl(s->box, i));
	out_puts(&s->out, "\r\n");
}

/* One of them after "+OK", or all of them below it. */
static void
list(struct session *s, const struct args *a,
    void (*put)(struct session *, size_t))
{
	if (a->n > 0) {
		out_puts(&s->out, "+OK ");
		put(s, a->msg);
		return;
	}
	out_puts(&s->out, "+OK\r\n");
	for (size_t i = 0; i < s->count && s->out.fail == IO_OK; i++)
		if (!box_deleted(s->box, i))
			put(s, i);
	out_puts(&s->out, ".\r\n");
}

void
messages_list(struct session *s, const struct args *a)
{
	uint64_t size = s->size;

	list(s, a, put_size);
	if (a->n > 0 && !s->sized)
		s->size = size;
	s->sized |= a->n == 0;
}

void
messages_uidl(struct session *s, const struct args *a)
{
	if (box_uidl_ready(s->box) < 0) {
		log_sys("unable to read identifiers");
		transact_say(s, "-ERR [SYS/TEMP] identifiers cannot be read "
		    "now");
		return;
	}
	list(s, a, put_uidl);
}

/* ---- messages ---- */

static void
cannot(struct session *s, size_t msg, const char *verb)
{
	struct str name = {0};
	const char *uidl = box_uidl(s->box, msg);
	int e = errno;

	log_quote(&name, uidl, strlen(uidl));
	errno = e;
	log_sys("unable to %s message %s", verb, str_c(&name));
	str_free(&name);
}

#define NOT_NOW "-ERR [SYS/TEMP] the message cannot be read now"

/* Half of a message must not look like one: where it has left already there
 * is nothing to do but to leave. */
static void
spoilt(struct session *s, size_t msg, uint64_t mark, enum send_status st)
{
	if (st == SEND_CHANGED)
		errno = ESTALE;
	cannot(s, msg, "read");
	if (out_back(&s->out, mark))
		transact_say(s, NOT_NOW);
	else
		transact_end(s, "error");
}

/* The file of a message and what it has in bytes, or -1: it was said why. */
static int
open_message(struct session *s, size_t msg, uint64_t *size_out)
{
	int fd = box_message(s->box, msg);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0) {
		*size_out = (uint64_t)st.st_size;
		return fd;
	}
	if (fd < 0 && errno == ENOENT) {
		transact_say(s, "-ERR another program removed that message");
		return -1;
	}
	cannot(s, msg, "open");
	if (fd >= 0)
		fd_close(fd);
	transact_say(s, NOT_NOW);
	return -1;
}

void
messages_retr(struct session *s, const struct args *a)
{
	uint64_t size, mark = out_mark(&s->out);
	int fd = open_message(s, a->msg, &size);
	enum send_status st;

	if (fd < 0)
		return;
	out_puts(&s->out, "+OK ");
	out_putu(&s->out, box_size(s->box, a->msg));
	out_puts(&s->out, " octets\r\n");
	st = send_message(&s->out, fd, size, SEND_ALL, s->piece);
	fd_close(fd);
	if (st != SEND_OK) {
		spoilt(s, a->msg, mark, st);
		return;
	}
	s->retr += s->out.fail == IO_OK;
	if (s->last <= a->msg)
		s->last = a->msg + 1;
}

void
messages_top(struct session *s, const struct args *a)
{
	uint64_t size, lines, mark = out_mark(&s->out);
	enum send_status st;
	int fd;

	if (!transact_number(a, 1, &lines)) {
		transact_say(s, "-ERR how many lines?");
		return;
	}
	if ((fd = open_message(s, a->msg, &size)) < 0)
		return;
	out_puts(&s->out, "+OK\r\n");
	st = send_message(&s->out, fd, size, lines, s->piece);
	fd_close(fd);
	if (st != SEND_OK)
		spoilt(s, a->msg, mark, st);
	else
		s->top += s->out.fail == IO_OK;
}

void
messages_dele(struct session *s, const struct args *a)
{
	box_delete(s->box, a->msg);
	if (s->last <= a->msg)
		s->last = a->msg + 1;
	transact_say(s, "+OK");
}

void
messages_rset(struct session *s, const struct args *a)
{
	(void)a;
	box_undelete(s->box);
	s->last = 0;
	transact_say(s, "+OK");
}

void
messages_last(struct session *s, const struct args *a)
{
	(void)a;
	out_puts(&s->out, "+OK ");
	out_putu(&s->out, s->last);
	out_puts(&s->out, "\r\n");
}

/* What the client asked for before must have left: it may be the only copy
 * that it has of what is removed now. */
void
messages_quit(struct session *s, const struct args *a)
{
	struct box_result r = {0};

	(void)a;
	out_flush(&s->out);
	if (s->out.fail != IO_OK)
		return;
	transact_end(s, "quit");
	box_update(s->box, &r);
	s->dele = r.deleted;
	if (r.failed == 0) {
		transact_say(s, "+OK bye");
		return;
	}
	errno = r.error;
	log_sys("unable to remove %zu messages", r.failed);
	if (r.error == EACCES || r.error == EPERM || r.error == EROFS)
		transact_say(s, "-ERR [SYS/PERM] some deleted messages were "
		    "not removed");
	else
		transact_say(s, "-ERR [SYS/TEMP] some deleted messages were "
		    "not removed");
}
