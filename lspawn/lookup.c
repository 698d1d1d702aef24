/* lspawn/lookup.c - whose mail is it; see lspawn.h.
 *
 * users/cdb first: kept open, opened anew when it was replaced.  Then
 * qmail-getpw, which lives as long as there are questions: it runs as qmailp
 * with nothing but a socket, so that a name service with a bug in it has
 * neither root nor the mail.  When it dies or keeps silent, what it was asked
 * is deferred. */
#include "lspawn/lspawn.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "mail/localproto.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ends qmail-getpw and defers what it has been asked. */
static void
stop_getpw(struct lspawn *l, bool killed)
{
	struct lookup *k = &l->lookup;

	if (!k->running)
		return;
	k->running = false;
	k->asked = 0;
	if (killed && k->pid > 0)
		(void)kill(k->pid, SIGKILL);
	loop_del(&l->loop, &k->watch);
	(void)close(k->watch.fd);
	k->unsent = (struct lspawn_queue){NULL, NULL};
	for (unsigned i = 0; i < LSPAWN_MAX; i++)
		if (l->jobs[i] != NULL && l->jobs[i]->asked)
			lspawn_refuse(l, l->jobs[i], VERDICT_EXECPW);
}

static void
found(struct lspawn *l, struct lspawn_job *j)
{
	if (j->who.uid == 0)
		lspawn_refuse(l, j, VERDICT_ROOT);
	else
		pool_give(l, j);
}

/* An answer about a job that qmail-getpw does have; -1: nonsense. */
static int
take_answer(struct lspawn *l, const char *s, size_t n)
{
	struct localproto_report r;
	struct lspawn_job *j;

	if (localproto_parse_report(s, n, &r) < 0 || r.id >= LSPAWN_MAX)
		return -1;
	j = l->jobs[r.id];
	if (j == NULL || !j->asked)
		return -1;
	if (r.code == 0 && users_parse_entry(r.text, r.n, &j->who) < 0)
		return -1;
	j->asked = false;
	l->lookup.asked--;
	l->lookup.since = clock_mono_ms();
	if (r.code == 0) {
		found(l, j);
	} else if (r.code == VERDICT_HOMEFS || r.code == VERDICT_NOALIAS) {
		lspawn_report(l, j, r.code, "", 0);
	} else {
		lspawn_refuse(l, j, VERDICT_SYSTEM);
	}
	return 0;
}

/* -1: it has to end. */
static int
send_questions(struct lspawn *l)
{
	struct lookup *k = &l->lookup;
	struct lspawn_job *j;

	while ((j = k->unsent.head) != NULL) {
		struct str out = {0};
		int fit = localproto_cat_ask(&out, j->delnum,
		    str_c(&j->local));
		ssize_t n = fit < 0 ? -1 :
		    sock_send_fd(k->watch.fd, str_c(&out), out.len, -1);

		str_free(&out);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && errno != EMSGSIZE)
			return -1;
		(void)lspawn_queue_get(&k->unsent);
		if (n < 0) {
			j->asked = false;
			k->asked--;
			lspawn_refuse(l, j, VERDICT_SYSTEM);
		}
	}
	loop_want(&l->loop, &k->watch,
	    k->unsent.head != NULL ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	return 0;
}

static void
getpw_ready(struct loop_watch *w, uint32_t got)
{
	struct lspawn *l = w->owner;
	char buf[LOCALPROTO_MAX];

	(void)got;
	for (int i = 0; i < LOOP_BATCH; i++) {
		int pass;
		ssize_t n = sock_recv_fd(w->fd, buf, sizeof buf, &pass);

		if (pass >= 0)
			(void)close(pass);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			log_warn("qmail-getpw ended");
			stop_getpw(l, false);
			return;
		}
		if (take_answer(l, buf, (size_t)n) < 0) {
			log_warn("qmail-getpw gave no answer to a question");
			stop_getpw(l, true);
			return;
		}
	}
	if (send_questions(l) < 0)
		stop_getpw(l, true);
}

static int
start_getpw(struct lspawn *l)
{
	const struct lspawn_config *cfg = l->cfg;
	const char *argv[] = {cfg->getpw, "--worker", NULL};
	struct lookup *k = &l->lookup;
	int ours, theirs, r, e;

	if (sock_pair(SOCK_SEQPACKET, &ours, &theirs) < 0)
		return -1;
	{
		struct proc_fd fds[] = {{theirs, 0}, {-1, 1}, {2, 2}};
		struct proc_spawn sp = {.argv = argv, .fds = fds,
		    .nfds = sizeof fds / sizeof *fds, .drop = cfg->drop,
		    .uid = cfg->getpw_uid, .gid = cfg->getpw_gid, .dir = "/"};

		r = proc_spawn(&sp, &k->pid);
	}
	e = errno;
	(void)close(theirs);
	k->watch = (struct loop_watch){.fd = ours, .want = LOOP_READ,
	    .ready = getpw_ready, .owner = l};
	if (r < 0 || fd_nonblock(ours) < 0 ||
	    loop_add(&l->loop, &k->watch) < 0) {
		e = r < 0 ? e : errno;
		(void)close(ours);
		errno = e;
		return -1;
	}
	k->running = true;
	return 0;
}

static void
ask_getpw(struct lspawn *l, struct lspawn_job *j)
{
	struct lookup *k = &l->lookup;

	if (!k->running && start_getpw(l) < 0) {
		log_sys("unable to start %s", l->cfg->getpw);
		lspawn_refuse(l, j, VERDICT_EXECPW);
		return;
	}
	if (k->asked == 0)
		k->since = clock_mono_ms();
	j->asked = true;
	k->asked++;
	lspawn_queue_put(&k->unsent, j);
	if (send_questions(l) < 0)
		stop_getpw(l, true);
}

void
lookup_start(struct lspawn *l, struct lspawn_job *j)
{
	struct users_table *t = &l->lookup.users;

	t->path = l->cfg->cdb;
	switch (users_ask(t, str_c(&j->local), &j->who)) {
	case CDB_OK:
		found(l, j);
		break;
	case CDB_NONE:
		ask_getpw(l, j);
		break;
	case CDB_TEMP:
		log_sys("unable to look up a user in %s", t->path);
		lspawn_refuse(l, j, VERDICT_CDB);
		break;
	}
}

int64_t
lookup_tick(struct lspawn *l, int64_t now)
{
	struct lookup *k = &l->lookup;
	int64_t limit = k->asked > 0 ? l->cfg->lookup_ms : l->cfg->idle_ms;

	if (!k->running)
		return -1;
	if (now - k->since < limit)
		return k->since + limit - now;
	if (k->asked > 0)
		log_warn("qmail-getpw does not answer");
	stop_getpw(l, k->asked > 0);
	return -1;
}

void
lookup_end(struct lspawn *l)
{
	stop_getpw(l, false);
	users_table_close(&l->lookup.users);
}
