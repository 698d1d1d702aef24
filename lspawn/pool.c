/* lspawn/pool.c - a worker per user for as long as there is work; see
 * lspawn.h.
 *
 * Invariant: a worker with njobs == 0 is in the list of idle ones, and only
 * such a worker is.  A worker that hangs up or says something about a job
 * that is not its own is dropped, its jobs are deferred; the next job of the
 * user starts a new one.  It belongs to the user: nothing it does may touch
 * another's mail or keep us waiting.
 *
 * Nor may it take all places that qmail-send has: a worker gets cfg->share
 * jobs at once.  What comes beyond is held, and goes to it as it reports; but
 * when it has reported nothing for hold_ms the held ones are deferred, and
 * new ones at once. */
#include "lspawn/lspawn.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "mail/localproto.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void
idle_add(struct pool *p, struct pool_worker *w)
{
	w->since = clock_mono_ms();
	w->next = NULL;
	w->prev = p->idle_last;
	if (p->idle_last != NULL)
		p->idle_last->next = w;
	else
		p->idle = w;
	p->idle_last = w;
	p->nidle++;
}

static void
idle_del(struct pool *p, struct pool_worker *w)
{
	if (w->prev != NULL)
		w->prev->next = w->next;
	else
		p->idle = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	else
		p->idle_last = w->prev;
	w->prev = w->next = NULL;
	p->nidle--;
}

/* The name is the administrator's or the account database's. */
static void
complain(const struct pool_worker *w, const char *what)
{
	struct str user = {0};

	log_quote(&user, str_c(&w->key), strlen(str_c(&w->key)));
	log_warn("worker %s pid=%ld user=%s jobs=%zu", what, (long)w->pid,
	    str_c(&user), w->njobs);
	str_free(&user);
}

/* Closes the socket, by which a worker that is well ends. */
static void
worker_drop(struct pool_worker *w)
{
	struct lspawn *l = w->l;

	if (w->njobs == 0)
		idle_del(&l->pool, w);
	map_del(&l->pool.workers, str_c(&w->key), w->key.len);
	loop_del(&l->loop, &w->watch);
	(void)close(w->watch.fd);
	for (unsigned i = 0; w->njobs > 0 && i < LSPAWN_MAX; i++)
		if (l->jobs[i] != NULL && l->jobs[i]->worker == w) {
			w->njobs--;
			lspawn_refuse(l, l->jobs[i], VERDICT_CRASHED);
		}
	str_free(&w->key);
	free(w);
}

/* -1: the worker is not one of ours any more. */
static int
take_report(struct pool_worker *w, const char *s, size_t n)
{
	struct lspawn *l = w->l;
	struct localproto_report r;
	struct lspawn_job *j;

	if (localproto_parse_report(s, n, &r) < 0 || r.id >= LSPAWN_MAX)
		return -1;
	j = l->jobs[r.id];
	if (j == NULL || j->worker != w)
		return -1;
	/* Still unsent: it cannot know of it. */
	for (struct lspawn_job *u = w->unsent.head; u != NULL; u = u->next)
		if (u == j)
			return -1;
	w->since = clock_mono_ms();
	w->nsent--;
	if (--w->njobs == 0)
		idle_add(&l->pool, w);
	lspawn_report(l, j, r.code, r.text, r.n);
	return 0;
}

static int
open_message(const struct lspawn *l, const struct lspawn_job *j)
{
	struct str path = {0};
	struct stat st;
	int fd;

	str_catf(&path, "%s/%s", l->cfg->mess, str_c(&j->messid));
	fd = open(str_c(&path),
	    O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	str_free(&path);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_uid == l->cfg->queue_uid)
		return fd;
	(void)close(fd);
	errno = EPERM;
	return -1;
}

enum sent { SENT, SENT_NOT_NOW, SENT_REFUSED, SENT_LOST };

/* One job to its worker.  SENT_REFUSED: reported, the worker is fine. */
static enum sent
send_job(struct pool_worker *w, struct lspawn_job *j)
{
	struct localproto_job args = {.id = j->delnum,
	    .local = str_c(&j->local), .dash = str_c(&j->who.dash),
	    .ext = str_c(&j->who.ext), .host = str_c(&j->host),
	    .sender = str_c(&j->sender)};
	struct str out = {0};
	enum sent r = SENT;
	int fd = -1;

	if (localproto_cat_job(&out, &args) < 0 ||
	    (fd = open_message(w->l, j)) < 0) {
		struct str why = {0};

		str_catf(&why, "Unable to open message %s: %s. (#4.3.0)\n",
		    str_c(&j->messid), strerror(errno));
		if (--w->njobs == 0)
			idle_add(&w->l->pool, w);
		lspawn_report(w->l, j, VERDICT_SOFT, str_c(&why), why.len);
		str_free(&why);
		r = SENT_REFUSED;
	} else if (sock_send_fd(w->watch.fd, str_c(&out), out.len, fd) < 0) {
		r = errno == EAGAIN ? SENT_NOT_NOW : SENT_LOST;
	}
	if (fd >= 0)
		(void)close(fd);
	str_free(&out);
	return r;
}

/* -1: the worker is lost. */
static int
send_jobs(struct pool_worker *w)
{
	const size_t share = w->l->cfg->share;
	struct lspawn_job *j;

	while (w->nsent < share &&
	    (j = lspawn_queue_get(&w->unsent)) != NULL) {
		enum sent r = send_job(w, j);

		if (r == SENT_LOST)
			return -1;
		if (r == SENT_NOT_NOW) {
			/* Back to the front. */
			j->next = w->unsent.head;
			w->unsent.head = j;
			if (w->unsent.tail == NULL)
				w->unsent.tail = j;
			break;
		}
		if (r == SENT)
			w->nsent++;
	}
	loop_want(&w->l->loop, &w->watch, w->unsent.head != NULL &&
	    w->nsent < share ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	return 0;
}

/* Reports that are there.  0, or -1 and why the worker is to be dropped. */
static int
read_reports(struct pool_worker *w, const char **why)
{
	char buf[LOCALPROTO_MAX];

	for (int i = 0; i < LOOP_BATCH; i++) {
		int pass;
		ssize_t n = sock_recv_fd(w->watch.fd, buf, sizeof buf, &pass);

		if (pass >= 0)
			(void)close(pass);
		if (n < 0 && errno == EAGAIN)
			break;
		*why = n <= 0 ? "ended" : "misbehaved";
		/* Not killed: who speaks may not be who we started, and that
		 * number may be another's by now. */
		if (n <= 0 || take_report(w, buf, (size_t)n) < 0)
			return -1;
	}
	return 0;
}

static void
worker_ready(struct loop_watch *watch, uint32_t got)
{
	struct pool_worker *w = watch->owner;
	const char *why;

	(void)got;
	if (read_reports(w, &why) < 0) {
		complain(w, why);
		worker_drop(w);
	} else if (send_jobs(w) < 0) {
		worker_drop(w);
	}
}

/* Its socket may be open still, in processes that it has left behind: they
 * are not it, and what it had not reported it never will. */
void
pool_bury(struct lspawn *l, pid_t pid)
{
	size_t at = 0, n;
	const char *key, *why;
	void *value;

	while (map_next(&l->pool.workers, &at, &key, &n, &value)) {
		struct pool_worker *w = value;

		if (w->pid != pid)
			continue;
		(void)read_reports(w, &why);
		complain(w, "ended");
		worker_drop(w);
		return;
	}
}

static void
make_key(struct str *out, const struct users_entry *e)
{
	str_catb(out, str_c(&e->user), e->user.len + 1);
	str_catb(out, str_c(&e->home), e->home.len + 1);
	str_catf(out, "%lu", (unsigned long)e->uid);
	str_catc(out, '\0');
	str_catf(out, "%lu", (unsigned long)e->gid);
}

/* Its descriptors 1 and 2 lead nowhere: the log is not the user's to write. */
static struct pool_worker *
worker_start(struct lspawn *l, const struct users_entry *e,
    const struct str *key)
{
	const struct lspawn_config *cfg = l->cfg;
	const char *argv[] = {cfg->local, "--worker", str_c(&e->user),
	    str_c(&e->home), cfg->aliasempty, NULL};
	struct pool_worker *w;
	int ours, theirs, r, err;
	pid_t pid = 0;

	if (sock_pair(SOCK_SEQPACKET, &ours, &theirs) < 0)
		return NULL;
	{
		struct proc_fd fds[] = {{theirs, 0}, {-1, 1}, {-1, 2}};
		struct proc_spawn sp = {.argv = argv, .fds = fds,
		    .nfds = sizeof fds / sizeof *fds, .drop = cfg->drop,
		    .uid = e->uid, .gid = e->gid, .dir = "/"};

		r = fd_nonblock(ours) < 0 ? -1 : proc_spawn(&sp, &pid);
	}
	err = errno;
	(void)close(theirs);
	w = mem_alloc(1, sizeof *w);
	w->l = l;
	w->pid = pid;
	w->watch = (struct loop_watch){.fd = ours, .want = LOOP_READ,
	    .ready = worker_ready, .owner = w};
	if (r == 0 && loop_add(&l->loop, &w->watch) < 0) {
		r = -1;
		err = errno;
	}
	if (r < 0) {
		(void)close(ours);
		free(w);
		errno = err;
		return NULL;
	}
	str_copy(&w->key, key);
	map_set(&l->pool.workers, str_c(key), key->len, w);
	idle_add(&l->pool, w);
	return w;
}

static bool
is_slow(const struct pool_worker *w, int64_t now)
{
	return now - w->since >= w->l->cfg->hold_ms;
}

/* They are not begun, so they may be tried later. */
static void
refuse_held(struct pool_worker *w)
{
	struct lspawn_job *j;

	while ((j = lspawn_queue_get(&w->unsent)) != NULL) {
		if (--w->njobs == 0)
			idle_add(&w->l->pool, w);
		lspawn_refuse(w->l, j, VERDICT_BUSY);
	}
	loop_want(&w->l->loop, &w->watch, LOOP_READ);
}

void
pool_give(struct lspawn *l, struct lspawn_job *j)
{
	struct pool_worker *w;
	struct str key = {0};

	make_key(&key, &j->who);
	w = map_get(&l->pool.workers, str_c(&key), key.len);
	if (w == NULL)
		w = worker_start(l, &j->who, &key);
	str_free(&key);
	if (w == NULL) {
		log_sys("unable to start %s", l->cfg->local);
		lspawn_refuse(l, j, VERDICT_EXEC);
		return;
	}
	if (w->njobs++ == 0) {
		idle_del(&l->pool, w);
		w->since = clock_mono_ms();
	}
	j->worker = w;
	lspawn_queue_put(&w->unsent, j);
	if (w->unsent.head == j && send_jobs(w) < 0)
		worker_drop(w);
	else if (w->unsent.head != NULL && is_slow(w, clock_mono_ms()))
		refuse_held(w);
}

/* Stopped by its user, or in a file system of his that hangs.  One that has
 * as many jobs as it takes at once need not read more of them. */
static bool
is_stuck(const struct pool_worker *w, int64_t now)
{
	const struct lspawn_config *cfg = w->l->cfg;
	int64_t silent = now - w->since;
	int unread;

	if (silent >= cfg->silent_ms)
		return true;
	return silent >= cfg->deaf_ms && w->nsent <= LOCALPROTO_JOBS &&
	    ioctl(w->watch.fd, SIOCOUTQ, &unread) == 0 && unread > 0;
}

/* Jobs of theirs hold places that others need. */
static void
free_places(struct lspawn *l, int64_t now)
{
	for (unsigned i = 0; i < LSPAWN_MAX; i++) {
		struct pool_worker *w = l->jobs[i] == NULL ? NULL :
		    l->jobs[i]->worker;

		if (w != NULL && is_stuck(w, now)) {
			complain(w, "is stuck");
			worker_drop(w);
		} else if (w != NULL && w->unsent.head != NULL &&
		    is_slow(w, now)) {
			refuse_held(w);
		}
	}
}

int64_t
pool_tick(struct lspawn *l, int64_t now)
{
	const int64_t pause = l->cfg->hold_ms / 8;
	struct pool *p = &l->pool;
	int64_t wait = -1;

	if (l->njobs > 0) {
		if (now - p->looked >= pause) {
			free_places(l, now);
			p->looked = now;
		}
		wait = p->looked + pause - now;
	}
	while (p->idle != NULL && (p->nidle > LSPAWN_IDLE ||
	    now - p->idle->since >= l->cfg->idle_ms))
		worker_drop(p->idle);
	return lspawn_sooner(wait, p->idle == NULL ? -1 :
	    p->idle->since + l->cfg->idle_ms - now);
}

void
pool_end(struct lspawn *l)
{
	size_t at = 0, n;
	const char *key;
	void *w;

	while (map_next(&l->pool.workers, &at, &key, &n, &w)) {
		worker_drop(w);
		at = 0;
	}
	map_free(&l->pool.workers);
}
