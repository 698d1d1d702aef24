/* send/channel.c - the two spawners: slots, commands, reports; see send.h.
 *
 * qmail-lspawn is trusted with the fate of local deliveries, qmail-rspawn with
 * that of remote ones; neither with anything else: numbers are checked,
 * texts are cut and quoted.  Deliveries begin with a log line, and the log is
 * written before the commands are (send.c). */
#include "send/send.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/tai.h"
#include "mail/limits.h"
#include "mail/qpath.h"
#include "send/verp.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS 64                /* reads: more than a pipe holds */
#define RING_EXTRA 20           /* messages open at a time, beyond the slots */

static const char *const name[CHANNELS] = {"local", "remote"};
static const char *const spawner[CHANNELS] = {"qmail-lspawn", "qmail-rspawn"};

void
channel_ring_add(struct channel *ch, struct pass *p)
{
	if (ch->ring == NULL) {
		p->ring_prev = p->ring_next = p;
		ch->ring = p;
	} else {                        /* last, as seen from ch->ring */
		p->ring_next = ch->ring;
		p->ring_prev = ch->ring->ring_prev;
		p->ring_prev->ring_next = p;
		ch->ring->ring_prev = p;
	}
	p->in_ring = true;
	ch->nring++;
}

void
channel_ring_del(struct channel *ch, struct pass *p)
{
	if (p->ring_next == p) {
		ch->ring = NULL;
	} else {
		p->ring_prev->ring_next = p->ring_next;
		p->ring_next->ring_prev = p->ring_prev;
		if (ch->ring == p)
			ch->ring = p->ring_next;
	}
	p->in_ring = false;
	ch->nring--;
}

unsigned
channel_limit(const struct send *s, int c)
{
	const struct channel *ch = &s->ch[c];

	if (!ch->ready || ch->lost || s->exiting)
		return 0;
	return s->cfg.concurrency[c] < ch->nslots ?
	    (unsigned)s->cfg.concurrency[c] : ch->nslots;
}

/* ---- starting ---- */

static void
deliver(struct send *s, struct channel *ch, struct pass *p, size_t at)
{
	const char *rcpt = p->text.s + at + 1;
	struct msg *m = p->m;
	struct slot *slot;

	while (ch->slots[ch->hint].pass != NULL)
		ch->hint = (ch->hint + 1) % ch->nslots;
	slot = &ch->slots[ch->hint];
	*slot = (struct slot){p, at, ++s->deliveries, clock_mono_ms()};
	ch->used++;
	p->running++;
	str_catf(&s->log, "starting delivery %" PRIu64 ": msg %" PRIu64
	    " to %s ", slot->delivery, m->id, name[ch->number]);
	log_quote(&s->log, rcpt, strlen(rcpt));
	str_catc(&s->log, '\n');
	s->status_changed = true;
	verp_expand(m->sender, rcpt, &s->scratch);
	spawn_cat_command(&ch->commands, ch->hello.wide, ch->hint,
	    qpath_messid(m->id).s, str_c(&s->scratch), rcpt);
}

/* One recipient of the pass at the front, which then goes to the back. */
static void
start_one(struct send *s, struct channel *ch)
{
	struct pass *p = ch->ring;
	size_t at;

	while (p->next < p->text.len && p->text.s[p->next] != 'T')
		p->next += strlen(p->text.s + p->next) + 1;
	at = p->next;
	if (at < p->text.len) {
		deliver(s, ch, p, at);
		p->next += strlen(p->text.s + at) + 1;
		while (p->next < p->text.len && p->text.s[p->next] != 'T')
			p->next += strlen(p->text.s + p->next) + 1;
	}
	ch->ring = p->ring_next;
	if (p->next >= p->text.len) {
		channel_ring_del(ch, p);
		message_pass_end(s, p);
	}
}

void
channel_start_some(struct send *s, int c)
{
	struct channel *ch = &s->ch[c];
	unsigned limit = channel_limit(s, c);

	while (ch->used < limit) {
		/* Many open messages share the slots by turns, so a small one
		 * does not wait for the end of a large one. */
		if (ch->nring < (size_t)limit + RING_EXTRA) {
			struct pass *p = message_admit(s, c);

			if (p != NULL)
				channel_ring_add(ch, p);
			else if (ch->ring == NULL)
				return;
		}
		start_one(s, ch);
	}
}

/* ---- reports ---- */

static void
log_report(struct send *s, const struct slot *slot, const char *what,
    const char *text)
{
	size_t n = strlen(text);
	int64_t ms = clock_mono_ms() - slot->began;

	str_catf(&s->log, "delivery %" PRIu64 ": %s: ", slot->delivery, what);
	log_quote(&s->log, text, n);
	str_catf(&s->log, " msg=%" PRIu64 " seconds=%" PRId64 ".%03" PRId64
	    "\n", slot->pass->m->id, ms / 1000, ms % 1000);
}

static void
report(struct send *s, struct channel *ch, unsigned delnum, struct str *text)
{
	struct slot *slot;
	struct pass *p;
	const char *t;

	if (delnum >= ch->nslots || ch->slots[delnum].pass == NULL) {
		log_warn("report of %s is for no delivery: %u",
		    spawner[ch->number], delnum);
		return;
	}
	slot = &ch->slots[delnum];
	p = slot->pass;
	p->running--;
	if (text->len > 0 && text->s[0] == 'Z' && p->dying) {
		text->s[0] = 'D';
		str_cats(text, "This message has been in the queue too long; "
		    "it is given up.\n");
	}
	t = str_c(text);
	if (t[0] == 'K') {
		log_report(s, slot, "success", t + 1);
		message_settle(s, p, slot->at);
	} else if (t[0] == 'Z') {
		log_report(s, slot, "deferral", t + 1);
	} else if (t[0] == 'D') {
		log_report(s, slot, "failure", t + 1);
		if (!p->m->deleted && message_fail(s, p, slot->at, t + 1) < 0)
			p->dying = false;       /* tried again, soon */
	} else {
		str_catf(&s->log, "delivery %" PRIu64
		    ": report mangled, will defer\n", slot->delivery);
	}
	slot->pass = NULL;
	ch->used--;
	s->status_changed = true;
	message_pass_end(s, p);
}

static void
reports(struct channel *ch, const char *buf, size_t n)
{
	size_t used;

	while (n > 0) {
		enum spawn_status st = spawn_report_parse(&ch->report,
		    ch->hello.wide, buf, n, &used);

		buf += used;
		n -= used;
		if (st != SPAWN_DONE)
			break;
		report(ch->s, ch, ch->report.delnum, &ch->report.text);
		spawn_report_next(&ch->report);
	}
}

/* What it said before it went still counts. */
static void
last_words(struct channel *ch)
{
	struct pollfd p = {.fd = ch->in.fd, .events = POLLIN};
	char buf[16384];
	ssize_t n;

	for (int i = 0; i < WORDS && ch->ready && poll(&p, 1, 0) > 0 &&
	    (n = read(p.fd, buf, sizeof buf)) > 0; i++)
		reports(ch, buf, (size_t)n);
}

static void
channel_lost(struct channel *ch)
{
	struct send *s = ch->s;

	if (ch->lost)
		return;
	last_words(ch);
	log_warn("lost connection to %s; leaving", spawner[ch->number]);
	str_catf(&s->log, "alert: lost connection to %s; leaving\n",
	    spawner[ch->number]);
	ch->lost = true;
	s->lost = true;
	s->exiting = true;
	loop_del(&s->loop, &ch->in);
	loop_del(&s->loop, &ch->out);
	/* What became of them nobody will say: they stay in the queue. */
	for (unsigned i = 0; i < ch->nslots; i++) {
		struct pass *p = ch->slots[i].pass;

		if (p == NULL)
			continue;
		ch->slots[i].pass = NULL;
		ch->used--;
		p->running--;
		message_pass_end(s, p);
	}
}

static int
hello(struct channel *ch, const char *buf, size_t n, size_t *used)
{
	while (*used < n && !ch->ready) {
		switch (spawn_hello_byte(&ch->hello,
		    (unsigned char)buf[(*used)++])) {
		case SPAWN_DONE:
			ch->nslots = ch->hello.max;
			ch->slots = mem_alloc(ch->nslots, sizeof *ch->slots);
			ch->ready = true;
			ch->s->status_changed = true;
			break;
		case SPAWN_BAD:
			return -1;
		case SPAWN_MORE:
		default:
			break;
		}
	}
	return 0;
}

static void
in_ready(struct loop_watch *w, uint32_t got)
{
	struct channel *ch = w->owner;
	char buf[16384];
	ssize_t n = read(w->fd, buf, sizeof buf);
	size_t at = 0;

	(void)got;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0 || hello(ch, buf, (size_t)n, &at) < 0) {
		channel_lost(ch);
		return;
	}
	reports(ch, buf + at, (size_t)n - at);
}

void
channel_flush(struct channel *ch)
{
	size_t done = 0;

	while (done < ch->commands.len && !ch->lost) {
		ssize_t w = write(ch->out.fd, ch->commands.s + done,
		    ch->commands.len - done);

		if (w > 0) {
			done += (size_t)w;
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			channel_lost(ch);
			return;
		}
	}
	if (done > 0) {
		memmove(ch->commands.s, ch->commands.s + done,
		    ch->commands.len - done);
		str_trunc(&ch->commands, ch->commands.len - done);
	}
	if (!ch->lost)
		loop_want(&ch->s->loop, &ch->out,
		    ch->commands.len > 0 ? LOOP_WRITE : 0);
}

static void
out_ready(struct loop_watch *w, uint32_t got)
{
	struct channel *ch = w->owner;

	/* A hang-up with nothing to say: the end of its reports will tell, or
	 * the next command. */
	if (got & LOOP_WRITE)
		channel_flush(ch);
	else
		loop_del(&ch->s->loop, w);
}

int
channel_init(struct send *s, int c, int to, int from)
{
	struct channel *ch = &s->ch[c];

	ch->s = s;
	ch->number = c;
	ch->in = (struct loop_watch){.fd = from, .want = LOOP_READ,
	    .ready = in_ready, .owner = ch};
	ch->out = (struct loop_watch){.fd = to, .want = 0,
	    .ready = out_ready, .owner = ch};
	if (fd_nonblock(to) < 0 || loop_add(&s->loop, &ch->in) < 0 ||
	    loop_add(&s->loop, &ch->out) < 0)
		return -1;
	return 0;
}
