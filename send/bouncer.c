/* send/bouncer.c - what is written about failures, and who sends it; see
 * send.h.
 *
 * bounce/N gathers a paragraph per failed recipient; when all recipients are
 * settled qmail-bounce is run once for it.  It exits 0 when the bounce is
 * queued (or there is nobody to send it to), and only then bounce/N goes. */
#include "send/send.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/tai.h"
#include "mail/qpath.h"
#include "send/bounce.h"
#include "send/qfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MTA_MAX 255             /* bytes of a host name */

void
bouncer_cat_mark(struct str *out, char kind, int64_t now, const char *wish,
    const char *notes)
{
	struct str mta = {0}, clean = {0};

	if (spawn_note(notes, "host", MTA_MAX, &mta)) {
		log_quote(&clean, str_c(&mta), mta.len);
	} else if (spawn_note(notes, "ip", MTA_MAX, &mta)) {
		str_cats(&clean, strchr(str_c(&mta), ':') != NULL ?
		    "[IPv6:" : "[");
		log_quote(&clean, str_c(&mta), mta.len);
		str_catc(&clean, ']');
	}
	str_catc(out, '\0');
	str_catc(out, kind);
	str_catu(out, (uint64_t)now);
	str_catc(out, ' ');
	str_cats(out, clean.len > 0 ? str_c(&clean) : "-");
	str_catc(out, ' ');
	str_catb(out, wish, strlen(wish) + 1);
	str_free(&mta);
	str_free(&clean);
}

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

/* Runs qmail-bounce; the paragraphs are on fd, or with -1 in bounce/N. */
static int
run(struct send *s, struct bounce_job *job, struct msg *m, int fd)
{
	char id[32];
	const char *argv[] = {"qmail-bounce", fd < 0 ? id : "-d",
	    fd < 0 ? m->sender : id, fd < 0 ? NULL : m->sender, NULL, NULL};
	struct proc_fd fds[] = {{fd, 0}, {-1, 1}, {s->log_fd, 2}};
	struct proc_spawn sp = {.argv = argv, .fds = fds, .nfds = 3};

	(void)snprintf(id, sizeof id, "%" PRIu64, m->id);
	argv[fd < 0 ? 3 : 4] = m->wishes.len == 0 ? NULL :
	    wish_message_peek(&m->wishes);
	if (proc_spawn(&sp, &job->pid) < 0) {
		log_sys("unable to run qmail-bounce");
		job->pid = 0;
		return -1;
	}
	job->id = m->id;
	m->bouncing = true;
	return 0;
}

/* Tells of recipients that wait for long.  The paragraphs are in memory only:
 * what is lost with it is told after the next attempt. */
static void
start_delay(struct send *s, struct bounce_job *job, struct msg *m)
{
	int fd = memfd_create("delays", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, m->delays.s, m->delays.len) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0 || message_load_sender(s, m) < 0) {
		log_sys("unable to report a delay of message %" PRIu64, m->id);
	} else if (run(s, job, m, fd) == 0) {
		job->delayed = m->delayed;
		job->ndelayed = m->ndelayed;
		job->base = strlen(m->sender) + 2;
		m->delayed = NULL;
	}
	if (fd >= 0)
		(void)close(fd);
	message_delays_drop(s, m);
	if (m->pass[CHANNEL_LOCAL] == NULL && m->pass[CHANNEL_REMOTE] == NULL)
		message_drop_sender(s, m);
}

static void
start_bounce(struct send *s, struct bounce_job *job, struct msg *m)
{
	if (message_load_sender(s, m) < 0) {
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
	if (run(s, job, m, -1) < 0)
		later(s, m);
}

static bool
all_settled(const struct msg *m)
{
	return m->state[CHANNEL_LOCAL] == CH_NONE &&
	    m->state[CHANNEL_REMOTE] == CH_NONE;
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
		if (m == NULL || m->bouncing)
			continue;
		if (m->ndelayed > 0 && !all_settled(m))
			start_delay(s, job, m);
		else if (m->bounces && m->barriers == 0 && all_settled(m))
			start_bounce(s, job, m);
	}
}

/* They are told once.  The mark is not synced: at worst they are told again. */
static void
delay_reported(struct send *s, const struct bounce_job *job, struct msg *m,
    pid_t pid)
{
	str_catf(&s->log, "delay notice msg %" PRIu64 " qp %ld\n", m->id,
	    (long)pid);
	for (size_t i = 0; i < job->ndelayed; i++) {
		size_t rec = job->delayed[i];

		if (rec < m->wishes.len)
			m->wishes.s[rec] = 'n';
		if (!m->fast && qfile_mark_info(m->id, job->base + rec,
		    'n') < 0)
			log_sys("unable to mark info of message %" PRIu64,
			    m->id);
	}
}

static void
job_ended(struct send *s, struct bounce_job *job, int status)
{
	struct msg *m = send_msg(s, job->id);
	struct bounce_job was = *job;
	pid_t pid = job->pid;
	char why[32];

	*job = (struct bounce_job){0};
	if (m == NULL || !m->bouncing) {
		free(was.delayed);
		return;
	}
	m->bouncing = false;
	if (was.delayed != NULL) {
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			delay_reported(s, &was, m, pid);
		else
			log_warn("unable to report a delay of message %"
			    PRIu64 ": qmail-bounce: %s", m->id,
			    proc_status_text(status, why, sizeof why));
		free(was.delayed);
		message_check(s, m);
		return;
	}
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
