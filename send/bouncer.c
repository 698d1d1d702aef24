/* send/bouncer.c - what is written about failures, and who sends it; see
 * send.h.
 *
 * bounce/N gathers a paragraph per failed recipient; when all recipients are
 * settled qmail-bounce is run once for it.  It exits 0 when the bounce is
 * queued (or there is nobody to send it to), and only then bounce/N goes. */
#include "send/send.h"

#include "lib/log.h"
#include "lib/proc.h"
#include "lib/tai.h"
#include "mail/qpath.h"
#include "send/qfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

void
bouncer_cat_text(const struct route *route, struct str *out, const char *rcpt,
    const char *text)
{
	const char *addr = route_original_peek(route, rcpt);
	size_t n = strlen(text), start;

	str_catc(out, '<');
	for (; *addr != '\0'; addr++)
		str_catc(out, *addr == '\n' ? '_' : *addr);
	str_cats(out, ">:\n");
	start = out->len;
	for (size_t i = 0; i < n; i++) {
		/* An empty line would end the paragraph. */
		if (text[i] == '\n' && (out->len == start ||
		    out->s[out->len - 1] == '\n'))
			str_catc(out, '/');
		str_catc(out, text[i]);
	}
	if (out->s[out->len - 1] != '\n')
		str_catc(out, '\n');
	str_catc(out, '\n');
}

static void
later(struct send *s, struct msg *m)
{
	heap_put(&s->bounces, clock_wall() + RETRY_SYSTEM, m->id);
}

void
bouncer_want(struct send *s, struct msg *m)
{
	heap_put(&s->bounces, 0, m->id);
}

static void
bounced(struct send *s, struct msg *m)
{
	m->bounces = false;
	message_check(s, m);            /* removes bounce/N with the rest */
}

static struct bounce_job *
free_job(struct send *s)
{
	for (int i = 0; i < BOUNCERS; i++)
		if (s->bouncers[i].pid == 0)
			return &s->bouncers[i];
	return NULL;
}

static void
start_bounce(struct send *s, struct bounce_job *job, struct msg *m)
{
	char id[32];
	const char *argv[] = {"qmail-bounce", id, NULL, NULL};
	struct proc_fd fds[] = {{-1, 0}, {-1, 1}, {s->log_fd, 2}};
	struct proc_spawn sp = {.argv = argv, .fds = fds, .nfds = 3};

	if (message_load_sender(m) < 0) {
		log_sys("unable to read info of message %" PRIu64, m->id);
		later(s, m);
		return;
	}
	if (strcmp(m->sender, "#@[]") == 0) {
		str_catf(&s->log, "triple bounce: discarding bounce/%" PRIu64
		    "\n", m->id);
		bounced(s, m);
		return;
	}
	(void)snprintf(id, sizeof id, "%" PRIu64, m->id);
	argv[2] = m->sender;
	if (proc_spawn(&sp, &job->pid) < 0) {
		log_sys("unable to run qmail-bounce");
		job->pid = 0;
		later(s, m);
		return;
	}
	job->id = m->id;
	m->bouncing = true;
}

void
bouncer_start_some(struct send *s, int64_t now)
{
	struct heap_item it;
	struct bounce_job *job;

	while (!s->exiting && heap_min(&s->bounces, &it) && it.when <= now &&
	    (job = free_job(s)) != NULL) {
		struct msg *m = send_msg(s, it.id);

		heap_pop(&s->bounces);
		/* Stale: finished meanwhile, or a new message's number. */
		if (m == NULL || !m->bounces || m->bouncing ||
		    m->barriers > 0 || m->state[CHANNEL_LOCAL] != CH_NONE ||
		    m->state[CHANNEL_REMOTE] != CH_NONE)
			continue;
		start_bounce(s, job, m);
	}
}

static void
job_ended(struct send *s, struct bounce_job *job, int status)
{
	struct msg *m = send_msg(s, job->id);
	pid_t pid = job->pid;
	char why[32];

	job->pid = 0;
	if (m == NULL || !m->bouncing)
		return;
	m->bouncing = false;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		str_catf(&s->log, "bounce msg %" PRIu64 " qp %ld\n", m->id,
		    (long)pid);
		bounced(s, m);
		return;
	}
	log_warn("unable to bounce message %" PRIu64 ": qmail-bounce: %s; "
	    "will try again", m->id, proc_status_text(status, why,
	    sizeof why));
	if (m->deleted)
		message_check(s, m);
	else
		later(s, m);
}

void
bouncer_reap(struct send *s)
{
	int status;
	pid_t pid;

	while ((pid = proc_reap(&status)) > 0)
		for (int i = 0; i < BOUNCERS; i++)
			if (s->bouncers[i].pid == pid)
				job_ended(s, &s->bouncers[i], status);
}

bool
bouncer_busy(const struct send *s)
{
	for (int i = 0; i < BOUNCERS; i++)
		if (s->bouncers[i].pid != 0)
			return true;
	return false;
}
