/* lspawn/lspawn.c - commands in, reports out; see lspawn.h.
 *
 * Invariant: a job is in ->jobs under its delivery number from the command
 * until its one report; njobs counts them. */
#include "lspawn/lspawn.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sig.h"
#include "lib/tai.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
lspawn_queue_put(struct lspawn_queue *q, struct lspawn_job *j)
{
	j->next = NULL;
	if (q->tail != NULL)
		q->tail->next = j;
	else
		q->head = j;
	q->tail = j;
}

struct lspawn_job *
lspawn_queue_get(struct lspawn_queue *q)
{
	struct lspawn_job *j = q->head;

	if (j == NULL)
		return NULL;
	q->head = j->next;
	if (q->head == NULL)
		q->tail = NULL;
	return j;
}

static void
write_reports(struct lspawn *l)
{
	while (l->written < l->reports.len) {
		ssize_t n = write(l->out.fd, l->reports.s + l->written,
		    l->reports.len - l->written);

		if (n > 0) {
			l->written += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		/* Without qmail-send there is nobody to work for. */
		die_sys(111, "unable to report to qmail-send");
	}
	if (l->written == l->reports.len) {
		str_clear(&l->reports);
		l->written = 0;
	}
}

static void
cat_report(struct lspawn *l, unsigned delnum, unsigned code,
    const char *said, size_t n)
{
	struct str text = {0};

	verdict_cat(&text, code, said, n);
	spawn_cat_report(&l->reports, true, delnum, str_c(&text), text.len);
	str_free(&text);
}

void
lspawn_report(struct lspawn *l, struct lspawn_job *j, unsigned code,
    const char *said, size_t n)
{
	cat_report(l, j->delnum, code, said, n);
	l->jobs[j->delnum] = NULL;
	l->njobs--;
	str_free(&j->messid);
	str_free(&j->sender);
	str_free(&j->local);
	str_free(&j->host);
	users_entry_free(&j->who);
	free(j);
}

void
lspawn_refuse(struct lspawn *l, struct lspawn_job *j, enum verdict v)
{
	lspawn_report(l, j, (unsigned)v, "", 0);
}

static void
misunderstood(struct lspawn *l, unsigned delnum, const char *why)
{
	cat_report(l, delnum, VERDICT_SOFT, why, strlen(why));
}

/* A whole command has been read. */
static void
take_command(struct lspawn *l)
{
	const struct spawn_command *c = &l->command;
	const char *rcpt = str_c(&c->rcpt);
	size_t at = bytes_rchr(rcpt, c->rcpt.len, '@');
	struct lspawn_job *j;

	if (c->delnum >= LSPAWN_MAX || l->jobs[c->delnum] != NULL) {
		misunderstood(l, c->delnum, c->delnum >= LSPAWN_MAX ?
		    "The delivery number is out of range. (#4.3.5)\n" :
		    "The delivery number is in use. (#4.3.5)\n");
		return;
	}
	if (!spawn_messid_ok(&c->messid)) {
		misunderstood(l, c->delnum,
		    "The message number is no number. (#4.3.5)\n");
		return;
	}
	if (at == c->rcpt.len) {
		misunderstood(l, c->delnum,
		    "The recipient has no @. (#4.3.5)\n");
		return;
	}
	j = mem_alloc(1, sizeof *j);
	j->delnum = c->delnum;
	str_copy(&j->messid, &c->messid);
	str_copy(&j->sender, &c->sender);
	str_copyb(&j->local, rcpt, at);
	str_copys(&j->host, rcpt + at + 1);
	l->jobs[j->delnum] = j;
	l->njobs++;
	if (at == 0)
		lspawn_refuse(l, j, VERDICT_OK);        /* null recipient */
	else
		lookup_start(l, j);
}

static void
take_bytes(struct lspawn *l, const char *s, size_t n)
{
	while (n > 0) {
		size_t used;

		switch (spawn_command_parse(&l->command, true, s, n, &used)) {
		case SPAWN_MORE:
			break;
		case SPAWN_DONE:
			take_command(l);
			spawn_command_next(&l->command);
			break;
		case SPAWN_BAD:
			log_warn("qmail-send's commands cannot be understood");
			l->code = 111;
			l->eof = true;
			loop_del(&l->loop, &l->in);
			return;
		}
		s += used;
		n -= used;
	}
}

static void
in_ready(struct loop_watch *w, uint32_t got)
{
	struct lspawn *l = w->owner;
	char buf[65536];
	ssize_t n;

	(void)got;
	do
		n = read(w->fd, buf, sizeof buf);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		take_bytes(l, buf, (size_t)n);
		return;
	}
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		log_sys("unable to read qmail-send's commands");
		l->code = 111;
	}
	l->eof = true;
	loop_del(&l->loop, &l->in);
}

static void
out_ready(struct loop_watch *w, uint32_t got)
{
	struct lspawn *l = w->owner;

	if (!(got & LOOP_READ)) {
		write_reports(l);
		return;
	}
	/* A hang-up: nobody reads us any more. */
	if (l->njobs > 0)
		die(111, "qmail-send went away during deliveries");
	l->eof = true;
	str_clear(&l->reports);
	l->written = 0;
	loop_del(&l->loop, &l->in);
	loop_del(&l->loop, &l->out);
}

/* A worker that has ended is mostly known by its socket already. */
static void
sig_ready(struct loop_watch *w, uint32_t got)
{
	struct lspawn *l = w->owner;
	pid_t pid;
	int status;

	(void)got;
	while (sig_next(w->fd) != 0)
		;
	while ((pid = proc_reap(&status)) > 0) {
		if (pid == l->lookup.pid)
			l->lookup.pid = 0;
		pool_bury(l, pid);
	}
}

static int
start(struct lspawn *l, int in, int out)
{
	static const int signals[] = {SIGCHLD, 0};

	sig_ignore(SIGPIPE);
	l->in = (struct loop_watch){.fd = in, .want = LOOP_READ,
	    .ready = in_ready, .owner = l};
	l->out = (struct loop_watch){.fd = out, .ready = out_ready,
	    .owner = l};
	l->sig = (struct loop_watch){.fd = sig_open(signals),
	    .want = LOOP_READ, .ready = sig_ready, .owner = l};
	if (l->sig.fd < 0 || fd_nonblock(in) < 0 || fd_nonblock(out) < 0 ||
	    loop_init(&l->loop) < 0 || loop_add(&l->loop, &l->in) < 0 ||
	    loop_add(&l->loop, &l->out) < 0 ||
	    loop_add(&l->loop, &l->sig) < 0)
		return -1;
	spawn_cat_hello(&l->reports, LSPAWN_MAX);
	return 0;
}

int64_t
lspawn_sooner(int64_t a, int64_t b)
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

int
lspawn_run(struct lspawn *l, const struct lspawn_config *cfg, int in, int out)
{
	*l = (struct lspawn){.cfg = cfg};
	if (start(l, in, out) < 0) {
		log_sys("unable to start");
		return 111;
	}
	for (;;) {
		int64_t now = clock_mono_ms(), wait;

		write_reports(l);
		if (l->eof && l->njobs == 0 && l->reports.len == 0)
			break;
		loop_want(&l->loop, &l->out,
		    l->reports.len > 0 ? LOOP_WRITE : 0u);
		wait = lspawn_sooner(lookup_tick(l, now), pool_tick(l, now));
		/* Ticks may have had something to report. */
		if (l->reports.len > 0 && !(l->out.want & LOOP_WRITE))
			wait = 0;
		if (loop_run(&l->loop, wait) < 0) {
			log_sys("unable to wait");
			l->code = 111;
			break;
		}
	}
	lookup_end(l);
	pool_end(l);
	spawn_command_free(&l->command);
	str_free(&l->reports);
	(void)close(l->sig.fd);
	(void)close(l->loop.ep);
	return l->code;
}
