/* vpop/authd_link.c - authdaemond and its workers; see authd_link.h. */
#include "vpop/authd_link.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "vpop/password.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORKER_FD 3
#define SYSTEM_FD 4
#define HIGH_FD 10              /* above both */
#define NAMES_MAX 2048          /* bytes of domain and user, all three */

struct ask_head {
	uid_t asker;
	bool hide_ip;
};

struct answer_head {
	enum auth_status status;
	bool guess, keep, whole, changed;
	size_t ntyped, nreal, nuser, nanswer;
};

#define ASK_MAX (sizeof(struct ask_head) + AUTHPROTO_MAX)
#define ANSWER_MAX (sizeof(struct answer_head) + NAMES_MAX + \
	AUTHPROTO_ANSWER_MAX)

/* ---- the worker's side ---- */

static void
cut(struct str *s)
{
	if (s->len > NAMES_MAX / 3)
		str_trunc(s, NAMES_MAX / 3);
}

static int
tell(int fd, struct authd_result *r, struct str *packet)
{
	struct answer_head h = {0};
	ssize_t n;

	cut(&r->typed);
	cut(&r->real);
	cut(&r->user);
	h.status = r->status;
	h.guess = r->guess;
	h.keep = r->keep;
	h.whole = r->whole;
	h.changed = r->changed;
	h.ntyped = r->typed.len;
	h.nreal = r->real.len;
	h.nuser = r->user.len;
	h.nanswer = r->answer.len;
	str_clear(packet);
	str_reserve(packet, ANSWER_MAX);
	str_catb(packet, &h, sizeof h);
	str_cat(packet, &r->typed);
	str_cat(packet, &r->real);
	str_cat(packet, &r->user);
	str_cat(packet, &r->answer);
	n = send(fd, packet->s, packet->len, MSG_NOSIGNAL);
	explicit_bzero(packet->s, packet->len);
	return n == (ssize_t)packet->len ? 0 : -1;
}

/* Only these two descriptors stay, where they are looked for. */
static int
settle(struct authd_world *world, int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD), last = WORKER_FD;

	if (world->system >= 0) {
		int sys = fcntl(world->system, F_DUPFD_CLOEXEC, HIGH_FD);

		if (sys < 0 || dup2(sys, SYSTEM_FD) < 0)
			return -1;
		world->system = last = SYSTEM_FD;
	}
	if (high < 0 || dup2(high, WORKER_FD) < 0)
		return -1;
	return close_range((unsigned)last + 1, ~0u, 0);
}

_Noreturn void
authd_link_worker(const struct authd_world *given, int fd)
{
	struct authd_world world = *given;
	struct authd_work w;
	struct authd_result r = {0};
	struct auth_request q = {0};
	struct str packet = {0};
	struct ask_head h;
	char *buf = mem_alloc(1, ASK_MAX);
	ssize_t n;
	int pass;

	sig_ignore(SIGPIPE);            /* a database that goes away */
	if (settle(&world, fd) < 0 || authd_work_init(&w, &world) < 0)
		_exit(111);
	while ((n = sock_recv_fd(WORKER_FD, buf, ASK_MAX, &pass)) >=
	    (ssize_t)sizeof h) {
		size_t len = (size_t)n - sizeof h;

		memcpy(&h, buf, sizeof h);
		authd_result_free(&r);
		r.status = AUTH_TEMP;
		if (auth_request_parse(buf + sizeof h, len, &q) !=
		    AUTH_PARSE_DONE)
			break;
		if (h.hide_ip)
			str_clear(&q.remote_ip);
		if (pass >= 0) {
			/* What it got is cut off when it is not whole. */
			if (q.op == AUTH_OP_ENUMERATE &&
			    authd_work_enumerate(&w, pass) < 0)
				log_warn("a list of accounts is not whole");
			fd_close(pass);
		} else {
			authd_work_answer(&w, &q, h.asker, &r);
		}
		explicit_bzero(buf, ASK_MAX);
		auth_request_free(&q);
		if (tell(WORKER_FD, &r, &packet) < 0)
			break;
	}
	authd_work_free(&w);
	_exit(0);
}

/* ---- the service's side ---- */

int
authd_link_ask(int fd, uid_t asker, bool hide_ip, const char *request,
    size_t n, int pass)
{
	struct ask_head h = {.asker = asker, .hide_ip = hide_ip};
	char *buf = mem_alloc(1, ASK_MAX);
	ssize_t r;
	int e;

	if (n > AUTHPROTO_MAX)
		n = AUTHPROTO_MAX;
	memcpy(buf, &h, sizeof h);
	memcpy(buf + sizeof h, request, n);
	r = sock_send_fd(fd, buf, sizeof h + n, pass);
	e = errno;
	explicit_bzero(buf, ASK_MAX);
	free(buf);
	errno = e;
	return r == (ssize_t)(sizeof h + n) ? 0 : -1;
}

int
authd_link_answer(int fd, struct authd_result *out)
{
	char *buf = mem_alloc(1, ANSWER_MAX), *p = buf;
	ssize_t n = recv(fd, buf, ANSWER_MAX, MSG_DONTWAIT);
	struct answer_head h;
	int r = -1, e = errno;

	authd_result_free(out);
	if (n >= 0)
		e = EPROTO;
	if (n == -1 && e == EINTR)
		e = EAGAIN;
	if (n >= (ssize_t)sizeof h) {
		size_t left = (size_t)n - sizeof h;

		memcpy(&h, buf, sizeof h);
		p += sizeof h;
		if (h.ntyped <= NAMES_MAX && h.nreal <= NAMES_MAX &&
		    h.nuser <= NAMES_MAX && h.nanswer <= left &&
		    h.ntyped + h.nreal + h.nuser + h.nanswer == left) {
			out->status = h.status;
			out->guess = h.guess;
			out->keep = h.keep;
			out->whole = h.whole;
			out->changed = h.changed;
			str_copyb(&out->typed, p, h.ntyped);
			p += h.ntyped;
			str_copyb(&out->real, p, h.nreal);
			p += h.nreal;
			str_copyb(&out->user, p, h.nuser);
			p += h.nuser;
			str_copyb(&out->answer, p, h.nanswer);
			r = 0;
		}
	}
	if (n > 0)
		explicit_bzero(buf, (size_t)n);
	free(buf);
	errno = e;
	return r;
}
