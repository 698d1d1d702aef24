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
#include "mail/remoteproto.h"
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
#define EFFORT_MAX 1000         /* messages and shares a turn looks at */

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

bool
channel_room(const struct send *s, int c)
{
	const struct channel *ch = &s->ch[c];

	return ch->used < channel_limit(s, c) && ch->taken < ch->nslots;
}

/* ---- starting ---- */

/* One recipient; more: the next one is of the same transaction. */
static void
deliver(struct send *s, struct channel *ch, struct pass *p, size_t at,
    struct group *group, bool more)
{
	const char *rcpt = p->text.s + at + 1;
	struct msg *m = p->m;
	struct slot *slot;

	while (ch->slots[ch->hint].pass != NULL)
		ch->hint = (ch->hint + 1) % ch->nslots;
	slot = &ch->slots[ch->hint];
	*slot = (struct slot){p, group, at, ++s->deliveries, clock_mono_ms()};
	ch->taken++;
	p->running++;
	str_catf(&s->log, "starting delivery %" PRIu64 ": msg %" PRIu64
	    " to %s ", slot->delivery, m->id, name[ch->number]);
	log_quote(&s->log, rcpt, strlen(rcpt));
	str_catc(&s->log, '\n');
	s->status_changed = true;
	verp_expand(m->sender, rcpt, &s->scratch);
	spawn_cat_command(&ch->commands, ch->hello.version, ch->hint,
	    qpath_messid(m->id).s, str_c(&s->scratch), rcpt);
	if (ch->hello.version >= 2)
		spawn_cat_options(&ch->commands, more,
		    wish_message_peek(&m->wishes), wish_text_peek(&m->wishes,
		    wish_find(&p->wishes, at)));
}

/* How many of a share go together: no more than a worker's packet holds. */
static size_t
group_size(const struct send *s, const struct channel *ch,
    const struct share *sh)
{
	const struct pass *p = sh->p;
	const struct msg *m = p->m;
	size_t max = ch->hello.version < 2 || verp_wanted(m->sender) ? 1 :
	    (size_t)s->cfg.group, n = 0, i = sh->first;
	size_t bytes = strlen(m->sender) + m->wishes.len + 2;

	if (max > ch->nslots - ch->taken)
		max = ch->nslots - ch->taken;
	for (; n < max && n < sh->n; n++, i = p->places[i].next) {
		size_t at = p->places[i].at;

		bytes += strlen(p->text.s + at) + strlen(wish_text_peek(
		    &m->wishes, wish_find(&p->wishes, at))) + 2;
		if (n > 0 && bytes > REMOTE_PACKET_MAX)
			break;
	}
	return n;
}

/* A transaction for some recipients of the pass at the front, at a domain
 * that has a place for one. */
static void
start_remote(struct send *s, struct channel *ch)
{
	struct pass *p = ch->ring;
	struct share *sh = dest_next(s, p);
	struct group *g;
	size_t n;

	if (sh != NULL) {
		n = group_size(s, ch, sh);
		g = mem_alloc(1, sizeof *g);
		g->left = n;
		ch->used++;
		for (; n > 0; n--) {
			size_t at = dest_peek(sh);

			dest_take(sh);
			deliver(s, ch, p, at, g, n > 1);
		}
		g->d = dest_started(s, sh);
	}
	ch->ring = p->ring_next;
	if (p->ready == NULL) {
		channel_ring_del(ch, p);
		message_pass_end(s, p);
	}
}

/* One recipient of the pass at the front, which then goes to the back. */
static void
start_local(struct send *s, struct channel *ch)
{
	struct pass *p = ch->ring;
	size_t at;

	while (p->next < p->text.len && p->text.s[p->next] != 'T')
		p->next += strlen(p->text.s + p->next) + 1;
	at = p->next;
	if (at < p->text.len) {
		ch->used++;
		deliver(s, ch, p, at, NULL, false);
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

	while (channel_room(s, c) && s->effort < EFFORT_MAX) {
		/* Many open messages share the slots by turns, so a small one
		 * does not wait for the end of a large one. */
		if (ch->nring < (size_t)limit + RING_EXTRA) {
			struct pass *p = message_admit(s, c);

			s->effort++;
			if (p != NULL && c == CHANNEL_REMOTE)
				dest_divide(s, p);
			if (p != NULL)
				channel_ring_add(ch, p);
			else if (ch->ring == NULL)
				return;
		}
		if (c == CHANNEL_REMOTE)
			start_remote(s, ch);
		else
			start_local(s, ch);
	}
}

/* ---- reports ---- */

static void
log_report(struct send *s, const struct slot *slot, const char *what,
    const char *text, const char *notes)
{
	size_t n = strlen(text);
	int64_t ms = clock_mono_ms() - slot->began;

	str_catf(&s->log, "delivery %" PRIu64 ": %s: ", slot->delivery, what);
	log_quote(&s->log, text, n);
	for (size_t i = 0; notes[i] != '\0'; i += n + (notes[i + n] == ' ')) {
		n = bytes_chr(notes + i, strlen(notes + i), ' ');
		str_catc(&s->log, ' ');
		log_quote(&s->log, notes + i, n);
	}
	str_catf(&s->log, " msg=%" PRIu64 " seconds=%" PRId64 ".%03" PRId64
	    "\n", slot->pass->m->id, ms / 1000, ms % 1000);
}

/* The slot is free, and with its group's last one the transaction is over. */
static void
slot_free(struct send *s, struct channel *ch, struct slot *slot)
{
	struct group *g = slot->group;

	slot->pass->running--;
	slot->pass = NULL;
	ch->taken--;
	if (g != NULL && --g->left > 0)
		return;
	ch->used--;
	if (g != NULL) {
		dest_ended(s, g->d);
		free(g);
	}
}

static void
report(struct send *s, struct channel *ch, unsigned delnum, struct str *text,
    const char *notes)
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
	if (text->len > 0 && text->s[0] == 'Z' && p->dying) {
		text->s[0] = 'D';
		str_cats(text, "This message has been in the queue too long; "
		    "it is given up.\n");
	}
	t = str_c(text);
	if (t[0] == 'K') {
		log_report(s, slot, "success", t + 1, notes);
		message_success(s, p, slot->at, t + 1, notes);
	} else if (t[0] == 'Z') {
		log_report(s, slot, "deferral", t + 1, notes);
		message_delay(s, p, slot->at, t + 1, notes);
	} else if (t[0] == 'D') {
		log_report(s, slot, "failure", t + 1,
		    message_wants_failure(p, slot->at) ? notes :
		    "notify=no");
		if (!p->m->deleted && message_fail(s, p, slot->at, t + 1,
		    notes) < 0)
			p->dying = false;       /* tried again, soon */
	} else {
		str_catf(&s->log, "delivery %" PRIu64
		    ": report mangled, will defer\n", slot->delivery);
	}
	slot_free(s, ch, slot);
	s->status_changed = true;
	message_pass_end(s, p);
}

static void
reports(struct channel *ch, const char *buf, size_t n)
{
	size_t used;

	while (n > 0) {
		enum spawn_status st = spawn_report_parse(&ch->report,
		    ch->hello.version, buf, n, &used);

		buf += used;
		n -= used;
		if (st != SPAWN_DONE)
			break;
		report(ch->s, ch, ch->report.delnum, &ch->report.text,
		    str_c(&ch->report.notes));
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
		slot_free(s, ch, &ch->slots[i]);
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
