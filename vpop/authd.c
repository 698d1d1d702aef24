/* vpop/authd.c - the service behind HOME/run/auth; see authd.h.
 *
 * A client is in one of these states:
 *
 *	asking     its question is not whole          want LOOP_READ
 *	waiting    in one of the two queues           want 0
 *	asked      a worker has the question          want 0
 *
 * and then it is answered and gone.  With want 0 only a hang-up is told.  A
 * client that is gone leaves its worker busy with nobody's question; what
 * comes out is kept all the same.
 *
 * Nobody who connects is trusted, but with what the kernel says he is. */
#include "vpop/authd.h"

#include "lib/ip.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/map.h"
#include "lib/proc.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "vpop/authd_cache.h"
#include "vpop/authd_guess.h"
#include "vpop/authd_link.h"
#include "vpop/password.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_BUSY_MS 500        /* how often deadlines are looked at */
#define TICK_MS 10000
#define REFUSED_EVERY_MS 1000   /* lines about guessers */

static_assert(AUTHD_ANSWER_MS < AUTHPROTO_WAIT_MS,
    "who asks hears from us before he gives up");
static_assert(AUTHD_QUICK < AUTHD_WORKERS, "some check passwords");

enum lane { LANE_QUICK, LANE_SLOW, LANES };

/* What outlives the client: who guessed at what, and the answer's key. */
struct matter {
	enum auth_op op;
	struct str by_ip, by_user, pair;        /* keys of guesses; "": none */
	unsigned char key[CACHE_KEY];
	bool has_key, took_ip, took_user;
	uint64_t asked;         /* the cache's count */
};

struct client {
	struct loop_watch w;
	struct authd *a;
	struct client *prev, *next;     /* all */
	struct client *later;           /* waiting */
	struct worker *worker;
	struct str in;
	struct matter m;
	bool waiting;
	uid_t uid;
	int64_t since;          /* of being here; of the question */
};

struct worker {
	struct loop_watch w;
	struct authd *a;
	pid_t pid;              /* 0: this place is free */
	bool busy, stale, listing, slow;
	struct client *client;  /* NULL: idle, or nobody waits */
	struct matter m;
	int64_t since;          /* busy or idle */
};

struct queue { struct client *head, *tail; };

struct authd {
	const struct authd_config *cfg;
	struct loop loop;
	struct loop_watch listeners[AUTHD_LISTENERS], signals, system;
	struct client *clients;
	size_t nclients;
	struct queue queues[LANES];
	struct map per_uid;             /* uid -> count */
	struct worker workers[AUTHD_WORKERS];
	struct cache cache;
	struct guess guess;
	struct vsettings set;
	int64_t ticked, refused;        /* clock_mono_ms */
	bool ending, failed;
};

static void
matter_free(struct matter *m)
{
	str_free(&m->by_ip);
	str_free(&m->by_user);
	str_free(&m->pair);
	*m = (struct matter){0};
}

/* ---- clients ---- */

static void
accept_on(struct authd *a, bool on)
{
	for (size_t i = 0; i < a->cfg->nlisteners; i++)
		loop_want(&a->loop, &a->listeners[i], on ? LOOP_READ : 0);
}

static bool
is_ours(const struct authd *a, uid_t uid)
{
	return uid == 0 || uid == a->cfg->world.uid_vpopmail;
}

static bool
is_trusted(const struct authd *a, uid_t uid)
{
	for (size_t i = 0; i < a->cfg->ntrusted; i++)
		if (a->cfg->trusted[i] == uid)
			return true;
	return is_ours(a, uid);
}

static uintptr_t
uid_count(const struct authd *a, uid_t uid)
{
	return (uintptr_t)map_get_id(&a->per_uid, uid);
}

static void
uid_set(struct authd *a, uid_t uid, uintptr_t n)
{
	if (n == 0)
		map_del_id(&a->per_uid, uid);
	else
		map_set_id(&a->per_uid, uid, (void *)n);
}

static enum lane
lane_of(const struct matter *m)
{
	return m->op == AUTH_OP_PRE || m->op == AUTH_OP_RESOLVE ||
	    m->op == AUTH_OP_CHANGED ? LANE_QUICK : LANE_SLOW;
}

static void
unqueue(struct client *c)
{
	struct queue *q = &c->a->queues[lane_of(&c->m)];
	struct client **p = &q->head, *last = NULL;

	if (!c->waiting)
		return;
	for (; *p != NULL && *p != c; p = &(*p)->later)
		last = *p;
	if (*p == c)
		*p = c->later;
	if (q->tail == c)
		q->tail = last;
	c->later = NULL;
	c->waiting = false;
}

/* What was taken for a guess that nobody has judged. */
static void
give_back(struct authd *a, const struct matter *m)
{
	if (m->took_ip)
		guess_return(&a->guess, m->by_ip.s, m->by_ip.len);
	if (m->took_user)
		guess_return(&a->guess, m->by_user.s, m->by_user.len);
}

static void
client_close(struct client *c)
{
	struct authd *a = c->a;

	if (c->worker != NULL)
		c->worker->client = NULL;
	if (c->waiting)
		give_back(a, &c->m);
	unqueue(c);
	loop_del(&a->loop, &c->w);
	(void)close(c->w.fd);
	uid_set(a, c->uid, uid_count(a, c->uid) - 1);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		a->clients = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	a->nclients--;
	password_wipe(&c->in);
	matter_free(&c->m);
	free(c);
	accept_on(a, true);
}

/* The socket's buffer holds any answer: it fits, or the client is gone. */
static void
client_tell(struct client *c, const char *answer, size_t n)
{
	ssize_t r = send(c->w.fd, answer, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (r >= 0 && r != (ssize_t)n)
		log_warn("an answer of %zu bytes could not be sent at once", n);
	client_close(c);
}

/* ---- guessing ---- */

/* A /64 is one place. */
static void
name_place(struct str *out, const char *text)
{
	char buf[IP_TEXT];
	struct ip ip;

	if (ip_parse(text, strlen(text), &ip) == 0) {
		if (ip.family == 6)
			ip_mask(&ip, 64);
		str_cats(out, ip_text(&ip, buf));
	} else {
		str_cats(out, "?");
	}
}

static bool
is_webmail(const struct authd *a, const char *text)
{
	struct ip ip, net;
	unsigned bits;
	const char *item;

	if (ip_parse(text, strlen(text), &ip) < 0)
		return false;
	for (size_t i = 0; (item = vsetting_item_peek(&a->set,
	    VSETTING_WEBMAILHOSTS, i)) != NULL; i++)
		if (ip_parse_net(item, strlen(item), &net, &bits) == 0 &&
		    ip_in(&ip, &net, bits))
			return true;
	return false;
}

/* Whose guess is it?  An address; of a web mail host, which is everybody's,
 * the user there; without an address the local user who asks, who locks out
 * nobody but himself. */
static void
name_guess(const struct client *c, const struct auth_request *q,
    struct matter *m)
{
	struct str user = {0};

	str_copy(&user, &q->user);
	str_lower(&user);
	if (is_trusted(c->a, c->uid)) {
		str_copys(&m->by_user, "u");
		str_cat(&m->by_user, &user);
	}
	str_copys(&m->by_ip, "a");
	if (q->remote_ip.len == 0)
		str_catf(&m->by_ip, "uid=%lu", (unsigned long)c->uid);
	else
		name_place(&m->by_ip, q->remote_ip.s);
	str_copys(&m->pair, "p");
	str_catb(&m->pair, m->by_ip.s + 1, m->by_ip.len - 1);
	str_catc(&m->pair, ' ');
	str_cat(&m->pair, &user);
	if ((q->remote_ip.len > 0 && is_webmail(c->a, q->remote_ip.s)) ||
	    (q->remote_ip.len == 0 && is_trusted(c->a, c->uid))) {
		str_catc(&m->by_ip, ' ');
		str_cat(&m->by_ip, &user);
	}
	str_free(&user);
}

/* A pair is "p", the place, which has no space, a space, and the user. */
static void
log_pair(const struct str *pair)
{
	struct str who = {0};
	size_t at = 1;

	while (at < pair->len && pair->s[at] != ' ')
		at++;
	str_catb(&who, pair->s + 1, at - 1);
	str_catc(&who, ' ');
	if (at < pair->len)
		log_quote(&who, pair->s + at + 1, pair->len - at - 1);
	log_warn("too many wrong passwords: %s", str_c(&who));
	str_free(&who);
}

/* Who logged in from there lately is not kept out by what others guess. */
static bool
may_guess(struct client *c)
{
	struct authd *a = c->a;
	struct matter *m = &c->m;
	uint64_t limit = a->set.number[VSETTING_LOGINTRIES];
	int64_t now = clock_mono_ms();

	m->took_ip = guess_take(&a->guess, m->by_ip.s, m->by_ip.len, limit,
	    now);
	if (m->took_ip && m->by_user.len > 0 && !guess_knows(&a->guess,
	    m->pair.s, m->pair.len, now)) {
		m->took_user = guess_take(&a->guess, m->by_user.s,
		    m->by_user.len, limit * AUTHD_USER_SHARE, now);
		if (!m->took_user) {
			guess_return(&a->guess, m->by_ip.s, m->by_ip.len);
			m->took_ip = false;
		}
	}
	if (!m->took_ip && now - a->refused >= REFUSED_EVERY_MS) {
		a->refused = now;
		log_pair(&m->pair);
	}
	return m->took_ip;
}

/* ---- workers ---- */

static void dispatch(struct authd *);

static void
worker_drop(struct worker *k)
{
	struct authd *a = k->a;
	struct client *c = k->client;

	if (k->busy)
		give_back(a, &k->m);
	loop_del(&a->loop, &k->w);
	(void)close(k->w.fd);
	matter_free(&k->m);
	*k = (struct worker){0};
	if (c != NULL) {
		c->worker = NULL;
		client_close(c);
	}
}

static void worker_ready(struct loop_watch *, uint32_t);

static int
worker_start(struct authd *a, struct worker *k)
{
	struct authd_world world = a->cfg->world;
	int ours, theirs;
	pid_t pid;

	if (sock_pair(SOCK_SEQPACKET, &ours, &theirs) < 0)
		return -1;
	pid = proc_fork();
	if (pid == 0) {
		world.set = &a->set;    /* of one time with ours */
		authd_link_worker(&world, theirs);
	}
	(void)close(theirs);
	*k = (struct worker){.a = a, .pid = pid, .since = clock_mono_ms(),
	    .w = {.fd = ours, .want = LOOP_READ, .ready = worker_ready,
	    .owner = k}};
	if (pid < 0 || loop_add(&a->loop, &k->w) < 0) {
		int e = errno;

		/* Without our end it ends. */
		(void)close(ours);
		*k = (struct worker){0};
		errno = e;
		return -1;
	}
	return 0;
}

/* An idle worker for that lane, new if need be, or NULL; *any: will there be
 * one? */
static struct worker *
worker_find(struct authd *a, enum lane lane, bool *any)
{
	struct worker *place = NULL, *idle = NULL;
	size_t slow = 0;

	*any = false;
	for (size_t i = 0; i < AUTHD_WORKERS; i++) {
		struct worker *k = &a->workers[i];

		if (k->pid > 0) {
			*any = *any || k->busy;
			slow += k->busy && k->slow;
			if (!k->busy && idle == NULL)
				idle = k;
		} else if (place == NULL) {
			place = k;
		}
	}
	if (lane == LANE_SLOW && slow >= AUTHD_WORKERS - AUTHD_QUICK)
		return NULL;
	if (idle != NULL || place == NULL)
		return idle;
	if (worker_start(a, place) < 0) {
		log_sys("unable to start a worker");
		return NULL;
	}
	return place;
}

/* The first of that lane gets a worker; false: it has to wait. */
static bool
dispatch_one(struct authd *a, enum lane lane)
{
	struct client *c = a->queues[lane].head;
	bool any, list = c->m.op == AUTH_OP_ENUMERATE;
	struct worker *k = worker_find(a, lane, &any);

	if (k == NULL && any)
		return false;
	if (k == NULL) {
		client_close(c);        /* there is none and will be none */
		return true;
	}
	if (authd_link_ask(k->w.fd, c->uid, !is_trusted(a, c->uid), c->in.s,
	    c->in.len, list ? c->w.fd : -1) < 0) {
		worker_drop(k);         /* it has just ended: another one */
		return true;
	}
	unqueue(c);
	password_wipe(&c->in);
	k->m = c->m;
	c->m = (struct matter){0};
	k->m.asked = a->cache.count;
	k->busy = true;
	k->slow = lane == LANE_SLOW;
	k->listing = list;
	k->since = clock_mono_ms();
	if (list) {
		client_close(c);        /* the worker has the connection */
	} else {
		c->worker = k;
		k->client = c;
	}
	return true;
}

static void
dispatch(struct authd *a)
{
	for (enum lane lane = 0; lane < LANES; lane++)
		while (a->queues[lane].head != NULL)
			if (!dispatch_one(a, lane))
				break;
}

/* What follows from an answer for the next ones. */
static void
learn(struct authd *a, const struct matter *m, const struct authd_result *r)
{
	int64_t now = clock_mono_ms();
	int64_t keep = m->op == AUTH_OP_RESOLVE ? AUTHD_RESOLVE_MS :
	    r->status == AUTH_OK ? AUTHD_GOOD_MS : AUTHD_BAD_MS;

	if (!r->guess)
		give_back(a, m);
	if (r->status == AUTH_OK && m->took_ip)
		guess_remember(&a->guess, m->pair.s, m->pair.len, now);
	if (r->changed)
		cache_changed(&a->cache, str_c(r->real.len > 0 ? &r->real :
		    &r->typed), str_c(&r->user));
	if (r->keep && m->has_key && r->typed.len > 0) {
		struct cache_entry e = {.asked = m->asked, .whole = r->whole,
		    .answer = r->answer, .typed = r->typed, .real = r->real,
		    .user = r->user};

		cache_put(&a->cache, m->key, &e, now + keep);
	}
}

static void
worker_ready(struct loop_watch *w, uint32_t got)
{
	struct worker *k = w->owner;
	struct authd *a = k->a;
	struct authd_result r = {0};

	(void)got;
	if (authd_link_answer(w->fd, &r) < 0 || !k->busy) {
		if (errno == EAGAIN)
			return;
		if (k->busy)
			log_warn("a worker ended before its answer");
		worker_drop(k);
	} else {
		struct client *c = k->client;

		learn(a, &k->m, &r);
		matter_free(&k->m);
		k->client = NULL;
		k->busy = k->slow = k->listing = false;
		k->since = clock_mono_ms();
		if (c != NULL) {
			c->worker = NULL;
			if (r.status == AUTH_TEMP)
				client_close(c);
			else
				client_tell(c, str_c(&r.answer), r.answer.len);
		}
		if (k->stale)
			worker_drop(k);
	}
	authd_result_free(&r);
	dispatch(a);
}

/* ---- questions ---- */

static void
make_key(struct client *c, const struct auth_request *q)
{
	/* Answers differ by who may see what. */
	uid_t who = is_ours(c->a, c->uid) ? 0 : c->uid;
	const struct cache_field f[] = {
		{&q->op, sizeof q->op},
		{&who, sizeof who},
		{str_c(&q->remote_ip), q->remote_ip.len},
		{str_c(&q->local_ip), q->local_ip.len},
		{str_c(&q->service), q->service.len},
		{str_c(&q->user), q->user.len},
		{str_c(&q->secret), q->secret.len},
	};

	cache_key(&c->a->cache, f, sizeof f / sizeof *f, c->m.key);
	c->m.has_key = true;
}

/* What can be said without a worker: true, and the client is gone. */
static bool
answer_at_once(struct client *c, const struct auth_request *q)
{
	struct authd *a = c->a;
	const struct cache_entry *e;
	struct str domain = {0}, user = {0};

	switch (q->op) {
	case AUTH_OP_CHANGED:
		if (!is_ours(a, c->uid))
			return false;
		str_copy(&domain, &q->domain);
		str_copy(&user, &q->user);
		str_lower(&domain);
		str_lower(&user);
		cache_changed(&a->cache, str_c(&domain), str_c(&user));
		str_free(&domain);
		str_free(&user);
		client_tell(c, "OK\n", 3);
		return true;
	case AUTH_OP_ENUMERATE:
		if (is_ours(a, c->uid))
			return false;
		client_tell(c, "FAIL\n", 5);
		return true;
	case AUTH_OP_PRE:
	case AUTH_OP_RESOLVE:
	case AUTH_OP_LOGIN:
		make_key(c, q);
		e = cache_get(&a->cache, c->m.key, clock_mono_ms());
		if (e == NULL)
			break;
		client_tell(c, str_c(&e->answer), e->answer.len);
		return true;
	case AUTH_OP_CRAM_MD5:
	case AUTH_OP_APOP:
	case AUTH_OP_PASSWD:
		break;
	}
	if (q->op == AUTH_OP_PRE || q->op == AUTH_OP_RESOLVE)
		return false;
	name_guess(c, q, &c->m);
	if (may_guess(c))
		return false;
	client_close(c);
	return true;
}

static void
client_asked(struct client *c, struct auth_request *q)
{
	struct authd *a = c->a;
	struct queue *queue;

	if (!is_trusted(a, c->uid))
		str_clear(&q->remote_ip);
	c->m.op = q->op;
	if (answer_at_once(c, q))
		return;
	c->since = clock_mono_ms();
	c->waiting = true;
	loop_want(&a->loop, &c->w, 0);
	queue = &a->queues[lane_of(&c->m)];
	if (queue->head != NULL)
		queue->tail->later = c;
	else
		queue->head = c;
	queue->tail = c;
	dispatch(a);
}

static void
client_ready(struct loop_watch *w, uint32_t got)
{
	struct client *c = w->owner;
	struct auth_request q = {0};
	ssize_t n;

	(void)got;
	if (c->waiting || c->worker != NULL) {
		client_close(c);        /* it hung up */
		return;
	}
	str_reserve(&c->in, AUTHPROTO_MAX);     /* once: see auth_request_cat */
	n = recv(w->fd, c->in.s + c->in.len, AUTHPROTO_MAX - c->in.len,
	    MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	c->in.len += (size_t)n;
	c->in.s[c->in.len] = '\0';
	switch (auth_request_parse(c->in.s, c->in.len, &q)) {
	case AUTH_PARSE_MORE:
		break;
	case AUTH_PARSE_BAD:
		client_close(c);
		break;
	case AUTH_PARSE_DONE:
		client_asked(c, &q);
		break;
	}
	auth_request_free(&q);
}

static void
client_open(struct authd *a, int fd)
{
	struct client *c;
	uid_t uid;
	gid_t gid;
	pid_t pid;

	if (sock_peer(fd, &uid, &gid, &pid) < 0 || (!is_trusted(a, uid) &&
	    uid_count(a, uid) >= a->cfg->clients_uid_max)) {
		(void)close(fd);
		return;
	}
	c = mem_alloc(1, sizeof *c);
	c->a = a;
	c->uid = uid;
	c->since = clock_mono_ms();
	c->w = (struct loop_watch){.fd = fd, .want = LOOP_READ,
	    .ready = client_ready, .owner = c};
	if (loop_add(&a->loop, &c->w) < 0) {
		log_sys("unable to serve another connection");
		(void)close(fd);
		free(c);
		return;
	}
	uid_set(a, uid, uid_count(a, uid) + 1);
	c->next = a->clients;
	if (c->next != NULL)
		c->next->prev = c;
	a->clients = c;
	a->nclients++;
}

static void
listener_ready(struct loop_watch *w, uint32_t got)
{
	struct authd *a = w->owner;

	(void)got;
	for (int i = 0; i < LOOP_BATCH; i++) {
		int fd;

		/* The rest waits in the backlog until somebody leaves. */
		if (a->nclients >= a->cfg->clients_max) {
			accept_on(a, false);
			return;
		}
		fd = sock_accept(w->fd);
		if (fd < 0) {
			if (errno == EAGAIN || errno == EINTR ||
			    errno == ECONNABORTED)
				return;
			log_sys("unable to accept a connection");
			accept_on(a, false);    /* until the tick */
			return;
		}
		client_open(a, fd);
	}
}

/* ---- time and signals ---- */

static void
tick(struct authd *a, int64_t now)
{
	const struct authd_config *cfg = a->cfg;

	for (size_t i = 0; i < AUTHD_WORKERS; i++) {
		struct worker *k = &a->workers[i];
		int64_t limit = k->listing ? AUTHD_LIST_MS : cfg->answer_ms;

		if (k->pid == 0)
			continue;
		if (k->busy && now - k->since >= limit) {
			log_warn("a worker takes too long");
			(void)kill(k->pid, SIGKILL);
			worker_drop(k);
		} else if (!k->busy && now - k->since >= cfg->spare_ms) {
			worker_drop(k);
		}
	}
	for (struct client *c = a->clients, *next; c != NULL; c = next) {
		next = c->next;
		if (c->worker == NULL && now - c->since >=
		    (c->waiting ? cfg->answer_ms : cfg->ask_ms))
			client_close(c);
	}
	if (a->nclients < cfg->clients_max)
		accept_on(a, true);
	dispatch(a);
}

static int64_t
next_tick(const struct authd *a)
{
	bool workers = false;

	for (size_t i = 0; i < AUTHD_WORKERS; i++)
		workers = workers || a->workers[i].pid > 0;
	return a->nclients > 0 ? TICK_BUSY_MS :
	    workers || a->listeners[0].want == 0 ? TICK_MS : -1;
}

static void
reload(struct authd *a)
{
	struct vsettings set = {0};
	struct str reason = {0};

	if (vsettings_load(a->cfg->world.vpopmail_dir, &set, &reason) < 0) {
		log_warn("%s: settings stay as they were", str_c(&reason));
		vsettings_free(&set);
	} else {
		vsettings_free(&a->set);
		a->set = set;
		log_info("settings read again");
	}
	str_free(&reason);
	cache_clear(&a->cache);
	cache_changed(&a->cache, "*", "");
	a->cache.forgotten = a->cache.count;
	for (size_t i = 0; i < AUTHD_WORKERS; i++) {
		struct worker *k = &a->workers[i];

		if (k->pid > 0 && !k->busy)
			worker_drop(k);
		k->stale = true;        /* reset when it starts */
	}
}

static void
signal_ready(struct loop_watch *w, uint32_t got)
{
	struct authd *a = w->owner;
	int s, status;

	(void)got;
	while ((s = sig_next(w->fd)) != 0) {
		if (s == SIGHUP)
			reload(a);
		else if (s != SIGCHLD)
			a->ending = true;
	}
	while (proc_reap(&status) > 0)
		;
}

/* All of us is started anew: only root can start that part. */
static void
system_gone(struct loop_watch *w, uint32_t got)
{
	struct authd *a = w->owner;

	(void)got;
	log_warn("the part for system users has ended");
	a->ending = a->failed = true;
}

static int
start(struct authd *a)
{
	const struct authd_config *cfg = a->cfg;
	struct str reason = {0};
	int r;

	r = vsettings_load(cfg->world.vpopmail_dir, &a->set, &reason);
	if (r < 0)
		log_warn("%s", str_c(&reason));
	str_free(&reason);
	if (r < 0)
		return -1;
	a->signals = (struct loop_watch){.fd = cfg->signals,
	    .want = LOOP_READ, .ready = signal_ready, .owner = a};
	if (cache_init(&a->cache) < 0 || loop_init(&a->loop) < 0 ||
	    loop_add(&a->loop, &a->signals) < 0)
		r = -1;
	if (r == 0 && cfg->world.system >= 0) {
		a->system = (struct loop_watch){.fd = cfg->world.system,
		    .ready = system_gone, .owner = a};
		r = loop_add(&a->loop, &a->system);
	}
	for (size_t i = 0; i < cfg->nlisteners && r == 0; i++) {
		a->listeners[i] = (struct loop_watch){
		    .fd = cfg->listeners[i], .want = LOOP_READ,
		    .ready = listener_ready, .owner = a};
		r = loop_add(&a->loop, &a->listeners[i]);
	}
	if (r < 0)
		log_sys("unable to start");
	return r;
}

int
authd_run(const struct authd_config *cfg)
{
	struct authd *a = mem_alloc(1, sizeof *a);
	int code = 0;

	a->cfg = cfg;
	sig_ignore(SIGPIPE);
	if (start(a) < 0)
		code = 111;
	while (code == 0 && !a->ending) {
		int64_t now;

		if (loop_run(&a->loop, next_tick(a)) < 0) {
			log_sys("unable to wait");
			code = 111;
		}
		now = clock_mono_ms();
		if (now - a->ticked >= TICK_BUSY_MS) {
			a->ticked = now;
			tick(a, now);
		}
	}
	while (a->clients != NULL)
		client_close(a->clients);
	for (size_t i = 0; i < AUTHD_WORKERS; i++)
		if (a->workers[i].pid > 0) {
			if (a->workers[i].busy)
				(void)kill(a->workers[i].pid, SIGTERM);
			worker_drop(&a->workers[i]);
		}
	cache_free(&a->cache);
	guess_free(&a->guess);
	vsettings_free(&a->set);
	map_free(&a->per_uid);
	(void)close(a->loop.ep);
	if (a->failed)
		code = 111;
	free(a);
	return code;
}
