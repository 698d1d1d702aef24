/* rspawn/pool.c - workers: qmail-remote processes that stay for the next
 * message to the same host (mail/remoteproto.h); see pool.h.
 *
 * A worker has one transaction at a time.  It is not trusted: only the length
 * and the form of its report count, and that decides about its own
 * transaction alone.  It ends by itself when it was idle for a while; what was
 * sent to it then it has not read, which the kernel tells (ECONNRESET), and
 * another worker gets it.  One that ends having read its command deferred
 * everything. */
#include "rspawn/pool.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "rspawn/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define STALE_MS (REMOTE_IDLE_MS - REMOTE_IDLE_MS / 8)  /* about to end */
#define IDLE_MAX 50             /* idle ones that are kept */
#define LOST_MAX 3              /* workers that may end before reading */

/* ---- idle workers ---- */

static void
idle_add(struct worker *w)
{
	struct pool *p = &w->rs->pool;
	struct worker *first = map_get(&p->idle, str_c(&w->host),
	    w->host.len);

	w->since = clock_mono_ms();
	w->next = NULL;
	w->prev = p->youngest;
	if (p->youngest != NULL)
		p->youngest->next = w;
	else
		p->oldest = w;
	p->youngest = w;
	w->host_prev = NULL;
	w->host_next = first;
	if (first != NULL)
		first->host_prev = w;
	map_set(&p->idle, str_c(&w->host), w->host.len, w);
	p->nidle++;
}

static void
idle_del(struct worker *w)
{
	struct pool *p = &w->rs->pool;

	p->nidle--;
	if (w->prev != NULL)
		w->prev->next = w->next;
	else
		p->oldest = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	else
		p->youngest = w->prev;
	if (w->host_next != NULL)
		w->host_next->host_prev = w->host_prev;
	if (w->host_prev != NULL)
		w->host_prev->host_next = w->host_next;
	else if (w->host_next != NULL)
		map_set(&p->idle, str_c(&w->host), w->host.len, w->host_next);
	else
		map_del(&p->idle, str_c(&w->host), w->host.len);
}

/* Closes the socket, by which a worker that is well ends.  Its transaction
 * was taken from it before. */
static void
worker_drop(struct worker *w)
{
	struct rspawn *rs = w->rs;

	if (w->tx == NULL)
		idle_del(w);
	loop_del(&rs->loop, &w->watch);
	(void)close(w->watch.fd);
	map_del_id(&rs->pool.by_pid, (uint64_t)w->pid);
	rs->pool.n--;
	str_free(&w->host);
	free(w);
}

/* ---- transactions ---- */

static void
tx_free(struct transaction *tx)
{
	str_free(&tx->host);
	str_free(&tx->messid);
	str_free(&tx->packet);
	free(tx);
}

static void
tx_refuse_take(struct rspawn *rs, struct transaction *tx, const char *what,
    const char *reason)
{
	for (size_t i = 0; i < tx->n; i++)
		rspawn_refuse(rs, tx->delnum[i], what, reason);
	tx_free(tx);
}

static void
tx_report_take(struct rspawn *rs, struct transaction *tx, const char *s,
    size_t n)
{
	struct reports r = {0};
	struct str text = {0};

	reports_parse(&r, s, n, tx->n);
	for (size_t i = 0; i < tx->n; i++) {
		str_clear(&text);
		reports_end(&r, i, &text);
		rspawn_say(rs, tx->delnum[i], &text, str_c(&r.notes));
	}
	reports_free(&r);
	str_free(&text);
	tx_free(tx);
}

static void tx_launch_take(struct rspawn *, struct transaction *);

/* The worker is gone, or as good as that. */
static void
worker_lost(struct worker *w, const char *how, bool unread)
{
	struct transaction *tx = w->tx;
	struct rspawn *rs = w->rs;

	if (tx != NULL) {
		if (!unread)
			log_warn("qmail-remote pid %ld for %s %s: its %zu "
			    "deliveries are deferred", (long)w->pid,
			    str_c(&w->host), how, tx->n);
		worker_drop(w);
		if (unread && ++tx->lost < LOST_MAX)
			tx_launch_take(rs, tx);
		else
			tx_refuse_take(rs, tx, "qmail-remote gave no report",
			    how);
	} else {
		worker_drop(w);
	}
}

/* ---- what workers say ---- */

enum heard { HEARD, HEARD_NOTHING, HEARD_LOST };

/* HEARD_LOST: it was dropped. */
static enum heard
worker_hear(struct worker *w)
{
	struct pool *p = &w->rs->pool;
	struct transaction *tx;
	int pass;
	ssize_t n = sock_recv_fd(w->watch.fd, p->buf, sizeof p->buf, &pass);

	if (pass >= 0)
		(void)close(pass);
	if (n < 0 && errno == EAGAIN)
		return HEARD_NOTHING;
	if (n <= 0 || w->tx == NULL) {
		worker_lost(w, n > 0 ? "spoke unasked" : n == 0 ? "ended" :
		    strerror(errno), n < 0 && errno == ECONNRESET);
		return HEARD_LOST;
	}
	tx = w->tx;
	w->tx = NULL;
	idle_add(w);
	tx_report_take(w->rs, tx, p->buf, (size_t)n);
	if (p->nidle > IDLE_MAX)
		worker_drop(p->oldest);         /* not this one */
	return HEARD;
}

static void
on_worker(struct loop_watch *watch, uint32_t got)
{
	struct worker *w = watch->owner;
	struct rspawn *rs = w->rs;

	(void)got;
	(void)worker_hear(w);
	rspawn_flush(rs);
}

/* Its socket may be open still, in what it has left behind. */
void
pool_ended(struct rspawn *rs, pid_t pid, int status)
{
	struct worker *w = map_get_id(&rs->pool.by_pid, (uint64_t)pid);
	char how[64];

	if (w == NULL)
		return;
	if (w->tx != NULL) {
		enum heard h = worker_hear(w);

		if (h == HEARD_LOST)
			return;
	}
	worker_lost(w, proc_status_text(status, how, sizeof how), false);
}

/* ---- giving them work ---- */

static struct worker *
worker_start(struct rspawn *rs, const struct str *host)
{
	const char *argv[] = {rs->cfg->remote, "-w", str_c(host), NULL};
	struct worker *w;
	int ours, theirs, r, e;
	pid_t pid = 0;

	if (sock_pair(SOCK_SEQPACKET, &ours, &theirs) < 0)
		return NULL;
	{
		struct proc_fd fds[] = {{theirs, 0}, {-1, 1}, {2, 2}};
		struct proc_spawn sp = {.argv = argv, .fds = fds, .nfds = 3};

		r = fd_nonblock(ours) < 0 ? -1 : proc_spawn(&sp, &pid);
	}
	e = errno;
	(void)close(theirs);
	w = mem_alloc(1, sizeof *w);
	w->rs = rs;
	w->pid = pid;
	w->watch = (struct loop_watch){.fd = ours, .want = LOOP_READ,
	    .ready = on_worker, .owner = w};
	if (r == 0 && loop_add(&rs->loop, &w->watch) < 0) {
		r = -1;
		e = errno;
	}
	if (r < 0) {
		(void)close(ours);
		free(w);
		errno = e;
		return NULL;
	}
	str_copy(&w->host, host);
	map_set_id(&rs->pool.by_pid, (uint64_t)pid, w);
	rs->pool.n++;
	idle_add(w);
	return w;
}

/* An idle one of that host, else a new one, in place of the idle one that is
 * oldest if there are too many.  NULL with errno. */
static struct worker *
worker_get(struct rspawn *rs, const struct str *host)
{
	struct pool *p = &rs->pool;
	struct worker *w;

	while ((w = map_get(&p->idle, str_c(host), host->len)) != NULL) {
		if (clock_mono_ms() - w->since < STALE_MS)
			return w;
		worker_drop(w);
	}
	if (p->n >= rs->cfg->max && p->oldest != NULL)
		worker_drop(p->oldest);
	return worker_start(rs, host);
}

static void
tx_launch_take(struct rspawn *rs, struct transaction *tx)
{
	const char *reason;
	int message = rspawn_open_message(rs, &tx->messid, &reason);
	struct worker *w;

	if (message < 0) {
		tx_refuse_take(rs, tx, "Unable to open the message", reason);
		return;
	}
	/* An idle one may just have ended; a new one has not. */
	while ((w = worker_get(rs, &tx->host)) != NULL) {
		if (sock_send_fd(w->watch.fd, str_c(&tx->packet),
		    tx->packet.len, message) >= 0) {
			idle_del(w);
			w->tx = tx;
			(void)close(message);
			return;
		}
		if (errno != EPIPE && errno != ECONNRESET)
			break;
		worker_drop(w);
		if (++tx->lost >= LOST_MAX)
			break;
	}
	reason = strerror(errno);
	(void)close(message);
	tx_refuse_take(rs, tx, "Unable to run qmail-remote", reason);
}

static void
cat_pair(struct str *out, const struct str *a, const struct str *b)
{
	str_catb(out, str_c(a), a->len + 1);
	str_catb(out, str_c(b), b->len + 1);
}

void
pool_add(struct rspawn *rs, const char *host)
{
	const struct spawn_command *c = &rs->cmd;
	struct transaction *tx = rs->gathering;
	struct str lower = {0};

	str_copys(&lower, host);
	str_lower(&lower);
	/* qmail-send groups only what belongs together; should it not, each
	 * part goes on its own. */
	if (tx != NULL && (!str_eqs(&lower, str_c(&tx->host)) ||
	    !str_eqs(&c->messid, str_c(&tx->messid)) ||
	    tx->packet.len + c->rcpt.len + c->rparams.len + 2 >
	    REMOTE_PACKET_MAX)) {
		tx_launch_take(rs, tx);
		tx = NULL;
	}
	if (tx == NULL) {
		tx = mem_alloc(1, sizeof *tx);
		str_copy(&tx->host, &lower);
		str_copy(&tx->messid, &c->messid);
		cat_pair(&tx->packet, &c->sender, &c->params);
	}
	str_free(&lower);
	cat_pair(&tx->packet, &c->rcpt, &c->rparams);
	tx->delnum[tx->n++] = c->delnum;
	if (str_eqs(&c->mark, "+") && tx->n < REMOTE_RCPTS_MAX) {
		rs->gathering = tx;
		return;
	}
	rs->gathering = NULL;
	tx_launch_take(rs, tx);
}

void
pool_broken_off(struct rspawn *rs)
{
	if (rs->gathering != NULL)
		tx_refuse_take(rs, rs->gathering,
		    "Unable to start a delivery", "the commands ended");
	rs->gathering = NULL;
}

void
pool_free(struct rspawn *rs)
{
	while (rs->pool.oldest != NULL)
		worker_drop(rs->pool.oldest);
	map_free(&rs->pool.idle);
	map_free(&rs->pool.by_pid);
}
