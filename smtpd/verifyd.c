/* smtpd/verifyd.c - the recipient service; see verifyd.h.
 *
 * An asker is in one of these states:
 *
 *	idle       no worker, no question                want LOOP_READ
 *	waiting    a question, in the list of waiting    want 0
 *	asked      a question, a worker has it           want 0
 *
 * With want 0 only a hang-up is told: what else it sends stays in its socket.
 * An asker that is gone leaves its worker busy with nobody's question. */
#include "smtpd/verifyd.h"

#include "control/resolve.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/map.h"
#include "lib/proc.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "mail/limits.h"
#include "mail/verify.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_BUSY_MS 500        /* how often deadlines are looked at */
#define TICK_MS 10000
#define WORKER_FD 3

static_assert(VERIFYD_ANSWER_MS < VERIFY_WAIT_MS,
    "the asker hears from us before it gives up");

struct asker {
	struct loop_watch w;
	struct verifyd *v;
	struct asker *prev, *next;      /* all */
	struct asker *later;            /* waiting */
	struct worker *worker;
	struct str question;            /* empty: none */
	uid_t uid;
	int64_t since;                  /* of the question, or of being idle */
};

struct worker {
	struct loop_watch w;
	struct verifyd *v;
	pid_t pid;                      /* 0: this place is free */
	bool busy, stale;
	struct asker *asker;            /* NULL: idle, or nobody waits */
	int64_t since;                  /* busy or idle */
};

struct verifyd {
	const struct verifyd_config *cfg;
	struct loop loop;
	struct loop_watch listener, signals;
	struct asker *askers, *head, *tail;
	size_t naskers;
	struct map per_uid;             /* uid -> count */
	struct worker workers[VERIFYD_WORKERS];
	int64_t ticked;                 /* clock_mono_ms */
	bool ending;
};

/* ---- the worker's side ---- */

/* What the door says; the reason goes to the log and the reply. */
static enum verify_status
verdict_of(const struct resolve *a)
{
	switch (a->status) {
	case RESOLVE_YES:
		return VERIFY_OK;
	case RESOLVE_NO:
	case RESOLVE_AWAY:
		return VERIFY_NO;
	case RESOLVE_FULL:
		return VERIFY_FULL;
	case RESOLVE_TEMP:
		break;
	}
	return VERIFY_TEMP;
}

static _Noreturn void
worker_main(const struct verifyd_config *cfg, int sock)
{
	struct resolver r;
	struct resolve a = {0};
	struct str out = {0};
	char buf[ADDR_MAX + 1];
	ssize_t n;

	if (dup2(sock, WORKER_FD) < 0 || close_range(WORKER_FD + 1, ~0u, 0) < 0)
		_exit(111);
	resolver_init(&r, cfg->cdb, AUTHPROTO_SOCKET);
	r.find = cfg->find;
	while ((n = recv(WORKER_FD, buf, sizeof buf - 1, 0)) > 0) {
		buf[n] = '\0';
		str_clear(&out);
		resolve_address(&r, buf, false, &a);
		verify_cat_answer(&out, verdict_of(&a), str_c(&a.reason));
		if (send(WORKER_FD, out.s, out.len, MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

/* ---- askers ---- */

static uintptr_t
uid_count(const struct verifyd *v, uid_t uid)
{
	return (uintptr_t)map_get_id(&v->per_uid, uid);
}

static void
uid_set(struct verifyd *v, uid_t uid, uintptr_t n)
{
	if (n == 0)
		map_del_id(&v->per_uid, uid);
	else
		map_set_id(&v->per_uid, uid, (void *)n);
}

static void
unqueue(struct asker *a)
{
	struct verifyd *v = a->v;
	struct asker **p = &v->head, *last = NULL;

	for (; *p != NULL && *p != a; p = &(*p)->later)
		last = *p;
	if (*p == NULL)
		return;
	*p = a->later;
	if (v->tail == a)
		v->tail = last;
	a->later = NULL;
}

static void
asker_close(struct asker *a)
{
	struct verifyd *v = a->v;

	if (a->worker != NULL)
		a->worker->asker = NULL;
	unqueue(a);
	loop_del(&v->loop, &a->w);
	(void)close(a->w.fd);
	uid_set(v, a->uid, uid_count(v, a->uid) - 1);
	if (a->prev != NULL)
		a->prev->next = a->next;
	else
		v->askers = a->next;
	if (a->next != NULL)
		a->next->prev = a->prev;
	v->naskers--;
	str_free(&a->question);
	free(a);
	loop_want(&v->loop, &v->listener, LOOP_READ);
}

/* It has at most one answer unread, so there is room, or it is gone. */
static void
asker_tell(struct asker *a, const char *answer, size_t n)
{
	str_clear(&a->question);
	a->worker = NULL;
	a->since = clock_mono_ms();
	if (send(a->w.fd, answer, n, MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)n)
		asker_close(a);
	else
		loop_want(&a->v->loop, &a->w, LOOP_READ);
}

static void
asker_defer(struct asker *a, const char *why)
{
	struct str out = {0};

	unqueue(a);
	verify_cat_answer(&out, VERIFY_TEMP, why);
	asker_tell(a, str_c(&out), out.len);
	str_free(&out);
}

/* ---- workers ---- */

static void
worker_drop(struct worker *k, const char *why)
{
	struct asker *a = k->asker;

	loop_del(&k->v->loop, &k->w);
	(void)close(k->w.fd);
	*k = (struct worker){0};
	if (a != NULL) {
		a->worker = NULL;
		asker_defer(a, why);
	}
}

static void worker_ready(struct loop_watch *, uint32_t);

static int
worker_start(struct verifyd *v, struct worker *k)
{
	int ours, theirs;
	pid_t pid;

	if (sock_pair(SOCK_SEQPACKET, &ours, &theirs) < 0)
		return -1;
	pid = proc_fork();
	if (pid == 0)
		worker_main(v->cfg, theirs);
	(void)close(theirs);
	*k = (struct worker){.v = v, .pid = pid, .since = clock_mono_ms(),
	    .w = {.fd = ours, .want = LOOP_READ, .ready = worker_ready,
	    .owner = k}};
	if (pid < 0 || loop_add(&v->loop, &k->w) < 0) {
		int e = errno;

		/* Without our end it ends. */
		(void)close(ours);
		*k = (struct worker){0};
		errno = e;
		return -1;
	}
	return 0;
}

/* An idle worker, new if need be, or NULL; *any: is there one at all? */
static struct worker *
worker_find(struct verifyd *v, bool *any)
{
	struct worker *place = NULL;

	*any = false;
	for (size_t i = 0; i < VERIFYD_WORKERS; i++) {
		struct worker *k = &v->workers[i];

		if (k->pid > 0) {
			*any = true;
			if (!k->busy)
				return k;
		} else if (place == NULL) {
			place = k;
		}
	}
	if (place == NULL)
		return NULL;
	if (worker_start(v, place) < 0) {
		log_sys("unable to start a worker");
		return NULL;
	}
	*any = true;
	return place;
}

static void
dispatch(struct verifyd *v)
{
	while (v->head != NULL) {
		struct asker *a = v->head;
		bool any;
		struct worker *k = worker_find(v, &any);

		if (k == NULL && any)
			return;
		if (k == NULL) {
			asker_defer(a, "no worker could be started");
			continue;
		}
		if (send(k->w.fd, a->question.s, a->question.len,
		    MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
			/* It has just ended: another one. */
			worker_drop(k, "");
			continue;
		}
		unqueue(a);
		a->worker = k;
		k->asker = a;
		k->busy = true;
		k->since = clock_mono_ms();
	}
}

static void
worker_ready(struct loop_watch *w, uint32_t got)
{
	struct worker *k = w->owner;
	struct verifyd *v = k->v;
	char buf[1 + VERIFY_TEXT_MAX];
	ssize_t n = recv(w->fd, buf, sizeof buf, MSG_DONTWAIT);

	(void)got;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || !k->busy) {
		if (k->busy)
			log_warn("a worker ended before its answer");
		worker_drop(k, "the lookup failed");
	} else {
		struct asker *a = k->asker;

		k->asker = NULL;
		k->busy = false;
		k->since = clock_mono_ms();
		if (a != NULL)
			asker_tell(a, buf, (size_t)n);
		if (k->stale)
			worker_drop(k, "");
	}
	dispatch(v);
}

/* ---- questions ---- */

static void
asker_ready(struct loop_watch *w, uint32_t got)
{
	struct asker *a = w->owner;
	struct verifyd *v = a->v;
	char buf[ADDR_MAX + 1];
	ssize_t n;

	(void)got;
	if (a->question.len > 0) {
		asker_close(a);         /* it hung up */
		return;
	}
	n = recv(w->fd, buf, sizeof buf, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || n > ADDR_MAX || memchr(buf, '\0', (size_t)n) != NULL) {
		asker_close(a);
		return;
	}
	str_copyb(&a->question, buf, (size_t)n);
	a->since = clock_mono_ms();
	loop_want(&v->loop, &a->w, 0);
	if (v->tail != NULL && v->head != NULL)
		v->tail->later = a;
	else
		v->head = a;
	v->tail = a;
	dispatch(v);
}

static void
asker_open(struct verifyd *v, int fd)
{
	struct asker *a;
	uid_t uid;
	gid_t gid;
	pid_t pid;

	if (sock_peer(fd, &uid, &gid, &pid) < 0 ||
	    uid_count(v, uid) >= v->cfg->askers_uid_max) {
		(void)close(fd);
		return;
	}
	a = mem_alloc(1, sizeof *a);
	a->v = v;
	a->uid = uid;
	a->since = clock_mono_ms();
	a->w = (struct loop_watch){.fd = fd, .want = LOOP_READ,
	    .ready = asker_ready, .owner = a};
	if (loop_add(&v->loop, &a->w) < 0) {
		log_sys("unable to serve another connection");
		(void)close(fd);
		free(a);
		return;
	}
	uid_set(v, uid, uid_count(v, uid) + 1);
	a->next = v->askers;
	if (a->next != NULL)
		a->next->prev = a;
	v->askers = a;
	v->naskers++;
}

static void
listener_ready(struct loop_watch *w, uint32_t got)
{
	struct verifyd *v = w->owner;

	(void)got;
	for (int i = 0; i < LOOP_BATCH; i++) {
		int fd;

		/* The rest waits in the backlog until somebody leaves. */
		if (v->naskers >= v->cfg->askers_max) {
			loop_want(&v->loop, w, 0);
			return;
		}
		fd = sock_accept(w->fd);
		if (fd < 0) {
			if (errno == EAGAIN || errno == EINTR ||
			    errno == ECONNABORTED)
				return;
			log_sys("unable to accept a connection");
			loop_want(&v->loop, w, 0);      /* until the tick */
			return;
		}
		asker_open(v, fd);
	}
}

/* ---- time and signals ---- */

static void
tick(struct verifyd *v, int64_t now)
{
	for (size_t i = 0; i < VERIFYD_WORKERS; i++) {
		struct worker *k = &v->workers[i];

		if (k->pid == 0)
			continue;
		if (k->busy && now - k->since >= v->cfg->answer_ms) {
			log_warn("a lookup takes too long");
			(void)kill(k->pid, SIGKILL);
			worker_drop(k, "the lookup takes too long");
		} else if (!k->busy && now - k->since >= v->cfg->spare_ms) {
			worker_drop(k, "");
		}
	}
	while (v->head != NULL && now - v->head->since >= v->cfg->answer_ms)
		asker_defer(v->head, "too many lookups at once");
	for (struct asker *a = v->askers, *next; a != NULL; a = next) {
		next = a->next;
		if (a->question.len == 0 && now - a->since >= v->cfg->idle_ms)
			asker_close(a);
	}
	if (v->naskers < v->cfg->askers_max)
		loop_want(&v->loop, &v->listener, LOOP_READ);
	dispatch(v);
}

static int64_t
next_tick(const struct verifyd *v)
{
	bool workers = false;

	for (size_t i = 0; i < VERIFYD_WORKERS; i++) {
		if (v->workers[i].busy)
			return TICK_BUSY_MS;
		workers = workers || v->workers[i].pid > 0;
	}
	return v->head != NULL ? TICK_BUSY_MS :
	    workers || v->naskers > 0 || v->listener.want == 0 ? TICK_MS : -1;
}

static void
signal_ready(struct loop_watch *w, uint32_t got)
{
	struct verifyd *v = w->owner;
	int s, status;

	(void)got;
	while ((s = sig_next(w->fd)) != 0) {
		if (s == SIGCHLD)
			continue;
		if (s != SIGHUP) {
			v->ending = true;
			continue;
		}
		for (size_t i = 0; i < VERIFYD_WORKERS; i++) {
			struct worker *k = &v->workers[i];

			if (k->pid > 0 && !k->busy)
				worker_drop(k, "");
			k->stale = true;        /* reset when it starts */
		}
	}
	while (proc_reap(&status) > 0)
		;
}

int
verifyd_run(const struct verifyd_config *cfg)
{
	struct verifyd v = {.cfg = cfg};

	sig_ignore(SIGPIPE);
	v.listener = (struct loop_watch){.fd = cfg->listener,
	    .want = LOOP_READ, .ready = listener_ready, .owner = &v};
	v.signals = (struct loop_watch){.fd = cfg->signals,
	    .want = LOOP_READ, .ready = signal_ready, .owner = &v};
	if (loop_init(&v.loop) < 0 || loop_add(&v.loop, &v.listener) < 0 ||
	    loop_add(&v.loop, &v.signals) < 0) {
		log_sys("unable to start");
		return 111;
	}
	while (!v.ending) {
		int64_t now;

		if (loop_run(&v.loop, next_tick(&v)) < 0) {
			log_sys("unable to wait");
			return 111;
		}
		now = clock_mono_ms();
		if (now - v.ticked >= TICK_BUSY_MS) {
			v.ticked = now;
			tick(&v, now);
		}
	}
	while (v.askers != NULL)
		asker_close(v.askers);
	for (size_t i = 0; i < VERIFYD_WORKERS; i++)
		if (v.workers[i].pid > 0) {
			if (v.workers[i].busy)
				(void)kill(v.workers[i].pid, SIGKILL);
			worker_drop(&v.workers[i], "");
		}
	map_free(&v.per_uid);
	(void)close(v.loop.ep);
	return 0;
}
