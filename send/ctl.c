/* send/ctl.c - requests of administrators (mail/qctl.h); see send.h.
 *
 * Peers are root or qmails by the modes of the socket and its directory. */
#include "send/send.h"

#include "lib/log.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "mail/qctl.h"
#include "mail/qpath.h"
#include "send/qfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEERS 16

struct ctl_peer {
	struct loop_watch w;
	struct send *s;
	struct qctl_line line;
};

struct ctl {
	struct loop_watch listener;
	unsigned npeers;
};

static void
peer_close(struct ctl_peer *p)
{
	loop_del(&p->s->loop, &p->w);
	(void)close(p->w.fd);
	p->s->ctl->npeers--;
	loop_want(&p->s->loop, &p->s->ctl->listener, LOOP_READ);
	free(p);
}

/* The mark is on disk, and the message has files: a hold in memory would not
 * survive. */
static const char *
hold(struct send *s, struct msg *m)
{
	int fd;

	if (m->held)
		return NULL;
	if (message_spill(s, m) < 0)
		return "unable to write its files";
	fd = open(qpath_flat(QCTL_HOLD_DIR, m->id).s,
	    O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return "unable to create its file in hold";
	(void)close(fd);
	message_hold(s, m);
	return NULL;
}

static const char *
release(struct send *s, struct msg *m)
{
	if (!m->held)
		return NULL;
	if (unlink(qpath_flat(QCTL_HOLD_DIR, m->id).s) < 0 && errno != ENOENT)
		return "unable to remove its file in hold";
	m->held = false;
	for (int c = 0; c < CHANNELS; c++)
		if (m->state[c] == CH_WAITING)
			heap_put(&s->ch[c].due, m->due[c], m->id);
	return NULL;
}

static const char *
expire(struct send *s, struct msg *m)
{
	uint64_t now = (uint64_t)clock_wall();
	int64_t birth = s->cfg.lifetime < now ?
	    (int64_t)(now - s->cfg.lifetime) - 1 : 0;

	if (birth < m->birth) {
		if (!m->fast && qfile_set_birth(m->id, birth) < 0)
			return "unable to date its info";
		m->birth = birth;
	}
	message_due(s, m);
	return NULL;
}

static void
perform(struct send *s, const struct qctl_request *r, struct str *answer)
{
	struct msg *m;
	const char *why = NULL;

	if (r->verb == QCTL_FLUSH) {
		s->alrm = true;
		qctl_cat_answer(answer, true, "");
		return;
	}
	m = send_msg(s, r->id);
	if (m == NULL) {
		qctl_cat_answer(answer, false, "no such message");
		return;
	}
	switch (r->verb) {
	case QCTL_DELETE:
		str_catf(&s->log, "warning: deleting msg %" PRIu64
		    " as asked\n", m->id);
		message_delete(s, m);
		break;
	case QCTL_EXPIRE:
		why = expire(s, m);
		break;
	case QCTL_RETRY:
		message_due(s, m);
		break;
	case QCTL_HOLD:
		why = hold(s, m);
		break;
	case QCTL_RELEASE:
		why = release(s, m);
		break;
	case QCTL_FLUSH:
	default:
		why = "not understood";
		break;
	}
	qctl_cat_answer(answer, why == NULL, why == NULL ? "" : why);
}

static void
peer_ready(struct loop_watch *w, uint32_t got)
{
	struct ctl_peer *p = w->owner;
	struct qctl_request r;
	struct str answer = {0};
	char buf[4096];
	ssize_t n = recv(w->fd, buf, sizeof buf, MSG_DONTWAIT);
	size_t at = 0, used;
	bool bad = false;

	(void)got;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		peer_close(p);
		return;
	}
	while (at < (size_t)n && !bad) {
		enum qctl_status st = qctl_request_parse(&p->line, buf + at,
		    (size_t)n - at, &used, &r);

		at += used;
		if (st == QCTL_DONE) {
			perform(p->s, &r, &answer);
		} else if (st == QCTL_BAD) {
			qctl_cat_answer(&answer, false, "not understood");
			bad = true;
		}
	}
	/* Answers are short and the asker reads: what does not fit is lost
	 * with the connection. */
	if (answer.len > 0 && send(w->fd, answer.s, answer.len,
	    MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)answer.len)
		bad = true;
	str_free(&answer);
	if (bad)
		peer_close(p);
}

static void
listener_ready(struct loop_watch *w, uint32_t got)
{
	struct send *s = w->owner;
	struct ctl_peer *p;
	int fd = sock_accept(w->fd);

	(void)got;
	if (fd < 0)
		return;
	p = mem_alloc(1, sizeof *p);
	p->s = s;
	p->w = (struct loop_watch){.fd = fd, .want = LOOP_READ,
	    .ready = peer_ready, .owner = p};
	if (loop_add(&s->loop, &p->w) < 0) {
		(void)close(fd);
		free(p);
		return;
	}
	if (++s->ctl->npeers >= PEERS)
		loop_want(&s->loop, w, 0);
}

void
ctl_init(struct send *s)
{
	int fd = sock_listen(QCTL_SOCKET, SOCK_STREAM, PEERS, 0600);

	s->ctl = mem_alloc(1, sizeof *s->ctl);
	if (fd < 0) {
		log_sys("unable to listen on %s; the queue tool will not "
		    "reach this program", QCTL_SOCKET);
		return;
	}
	s->ctl->listener = (struct loop_watch){.fd = fd, .want = LOOP_READ,
	    .ready = listener_ready, .owner = s};
	if (loop_add(&s->loop, &s->ctl->listener) < 0)
		log_sys("unable to watch %s", QCTL_SOCKET);
}
