/* send/message.c - the life of a message in the scheduler; see send.h.
 *
 * The promise: a recipient is settled on disk only after its delivery was
 * reported, or after its failure text is durable; and nothing of a message is
 * removed before all its recipients are settled and its bounce is queued. */
#include "send/send.h"

#include "lib/log.h"
#include "lib/tai.h"
#include "mail/dsn.h"
#include "mail/limits.h"
#include "mail/qctl.h"
#include "mail/qpath.h"
#include "send/bounce.h"
#include "send/qfile.h"
#include "send/schedule.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCAN_STEP 256           /* messages a turn of the loop, at start */
#define LOADED_MAX ((size_t)256 << 20)  /* bytes of recipients in memory */
#define LIST_WAIT 20            /* seconds until a large one is tried again */
#define LIST_SMALL 65536        /* bytes that are read even then */
#define DELAYS_MAX ((size_t)32 << 20)   /* bytes of delays not yet reported */
#define DELAY_WORDS 500         /* bytes of the reason for a delay */

/* ---- lists ---- */

static void
fresh_add(struct channel *ch, struct msg *m)
{
	int c = ch->number;

	m->state[c] = CH_FRESH;
	m->fresh_prev[c] = ch->fresh_last;
	m->fresh_next[c] = NULL;
	if (ch->fresh_last != NULL)
		ch->fresh_last->fresh_next[c] = m;
	else
		ch->fresh = m;
	ch->fresh_last = m;
	ch->nfresh++;
}

static void
fresh_del(struct channel *ch, struct msg *m)
{
	int c = ch->number;

	if (m->fresh_prev[c] != NULL)
		m->fresh_prev[c]->fresh_next[c] = m->fresh_next[c];
	else
		ch->fresh = m->fresh_next[c];
	if (m->fresh_next[c] != NULL)
		m->fresh_next[c]->fresh_prev[c] = m->fresh_prev[c];
	else
		ch->fresh_last = m->fresh_prev[c];
	ch->nfresh--;
}

static void
wait_until(struct send *s, struct msg *m, int c, int64_t when)
{
	m->state[c] = CH_WAITING;
	m->due[c] = when;
	if (!m->held)
		heap_put(&s->ch[c].due, when, m->id);
}

/* ---- passes ---- */

static struct pass *
pass_new(struct send *s, struct msg *m, int channel, struct str *text_take)
{
	struct pass *p = mem_alloc(1, sizeof *p);

	p->m = m;
	p->channel = channel;
	p->text = *text_take;
	*text_take = (struct str){0};
	s->loaded += p->text.len;
	for (size_t i = 0; i < p->text.len; i += strlen(p->text.s + i) + 1)
		if (p->text.s[i] == 'T')
			p->left++;
	wish_index(&p->wishes, &m->wishes, channel);
	m->pass[channel] = p;
	return p;
}

static void
pass_drop(struct send *s, struct pass *p)
{
	if (p->in_ring)
		channel_ring_del(&s->ch[p->channel], p);
	dest_release(s, p);
	wish_free(&p->wishes);
	p->m->pass[p->channel] = NULL;
	s->loaded -= p->text.len;
	str_free(&p->text);
	free(p);
}

/* Records are a letter, an address and NUL, nothing else. */
static bool
list_good(const struct str *text)
{
	if (text->len == 0 || text->s[text->len - 1] != '\0')
		return false;
	for (size_t i = 0; i < text->len; i += strlen(text->s + i) + 1)
		if (text->s[i] != 'T' && text->s[i] != 'D')
			return false;
	return true;
}

/* When the lists in memory are many or large, only small ones are read: who
 * has large ones waits for others who have. */
static size_t
list_max(const struct send *s)
{
	return s->loaded > LOADED_MAX ? LIST_SMALL : QLIST_MAX;
}

static struct pass *
pass_load(struct send *s, struct msg *m, int channel)
{
	struct str text = {0};

	if (message_load_sender(s, m) < 0)
		return NULL;
	if (qfile_read_list(m->id, channel, list_max(s), &text) < 0) {
		str_free(&text);
		return NULL;
	}
	if (!list_good(&text)) {
		str_free(&text);
		errno = EPROTO;
		return NULL;
	}
	return pass_new(s, m, channel, &text);
}

int
message_load_sender(struct send *s, struct msg *m)
{
	struct str sender = {0};
	int64_t birth;
	int r;

	if (m->sender != NULL)
		return 0;
	r = qfile_read_info(m->id, &sender, &m->wishes, list_max(s), &birth);
	if (r == 0) {
		m->sender = mem_dup_copy(str_c(&sender));
		s->loaded += m->wishes.len;
	} else {
		str_free(&m->wishes);
	}
	str_free(&sender);
	return r;
}

void
message_drop_sender(struct send *s, struct msg *m)
{
	s->loaded -= m->wishes.len;
	str_free(&m->wishes);
	free(m->sender);
	m->sender = NULL;
}

void
message_delays_drop(struct send *s, struct msg *m)
{
	s->delays -= m->delays.len;
	str_free(&m->delays);
	free(m->delayed);
	m->delayed = NULL;
	m->ndelayed = 0;
}

/* ---- arrival ---- */

static struct msg *
msg_new(struct send *s, uint64_t id, int64_t birth)
{
	struct msg *m = mem_alloc(1, sizeof *m);

	m->id = id;
	m->birth = birth;
	map_set_id(&s->msgs, id, m);
	return m;
}

static void
msg_free(struct send *s, struct msg *m)
{
	/* Its number may come again: no mark may outlive it. */
	for (size_t i = s->headmarks; i < s->nmarks; i++)
		if (s->marks[i].id == m->id)
			s->marks[i].id = 0;
	for (int c = 0; c < CHANNELS; c++) {
		if (m->pass[c] != NULL)
			pass_drop(s, m->pass[c]);
		if (m->state[c] == CH_FRESH)
			fresh_del(&s->ch[c], m);
	}
	map_del_id(&s->msgs, m->id);
	message_delays_drop(s, m);
	message_drop_sender(s, m);
	free(m);
}

int
message_arrive(struct send *s)
{
	const struct link_msg *a = &s->arriving;
	const uint64_t n[CHANNELS] = {a->nlocal, a->nremote};
	struct msg *m = send_msg(s, a->id);

	if (m != NULL && a->kind == 'p' && !m->fast && m->birth == a->birth)
		return 0;       /* the scan of info/ was faster */
	if (m != NULL) {        /* the number was free: we have it wrong */
		log_warn("message %" PRIu64 " arrived twice", a->id);
		if (message_running(m) || m->bouncing)
			return -1;
		msg_free(s, m);
	}
	m = msg_new(s, a->id, a->birth);
	m->bytes = a->bytes;
	m->qp = a->qp;
	m->fast = a->kind == 'm';
	/* Of p the wishes are in its info: both are read when needed. */
	if (m->fast || a->nwishes == 0)
		m->sender = mem_dup_copy(str_c(&s->arriving_sender));
	if (m->fast && a->nwishes > 0) {
		str_copy(&m->wishes, &s->arriving_wishes);
		s->loaded += m->wishes.len;
	}
	str_catf(&s->log, "new msg %" PRIu64 "\ninfo msg %" PRIu64
	    ": bytes %" PRIu64 " from <", m->id, m->id, m->bytes);
	log_quote(&s->log, str_c(&s->arriving_sender),
	    s->arriving_sender.len);
	str_catf(&s->log, "> qp %" PRIu64 " uid %" PRIu64 " local=%" PRIu64
	    " remote=%" PRIu64 "\n", m->qp, a->uid, a->nlocal, a->nremote);
	for (int c = 0; c < CHANNELS; c++) {
		if (n[c] == 0)
			continue;
		if (m->fast)
			(void)pass_new(s, m, c, &s->arriving_list[c]);
		fresh_add(&s->ch[c], m);
	}
	message_check(s, m);
	return 0;
}

/* ---- start-up: what is in info/ ---- */

static void
scan_one(struct send *s, uint64_t id)
{
	struct str sender = {0};
	struct msg *m;
	int64_t birth, due, now = clock_wall();

	if (send_msg(s, id) != NULL ||
	    access(qpath_flat("todo", id).s, F_OK) == 0)
		return;         /* qmail-todo tells, or has told, about it */
	if (qfile_read_info(id, &sender, NULL, 0, &birth) < 0) {
		if (errno != ENOENT)
			log_sys("unable to read info of message %" PRIu64, id);
		str_free(&sender);
		return;
	}
	str_free(&sender);
	if (access(qpath_split("mess", id).s, F_OK) < 0 && errno == ENOENT) {
		qfile_remove_all(id);
		return;
	}
	m = msg_new(s, id, birth);
	m->held = access(qpath_flat(QCTL_HOLD_DIR, id).s, F_OK) == 0;
	m->bounces = access(qpath_flat("bounce", id).s, F_OK) == 0;
	for (int c = 0; c < CHANNELS; c++) {
		if (qfile_get_due(id, c, &due) == 0)
			wait_until(s, m, c, schedule_clamp(c, birth, now,
			    RETRY_SYSTEM, due));
		else if (errno != ENOENT)
			wait_until(s, m, c, now + RETRY_SYSTEM);
	}
	message_check(s, m);
}

void
message_scan_step(struct send *s)
{
	for (int i = 0; s->begun && i < SCAN_STEP && s->scan_at < QUEUE_SPLIT;
	    i++) {
		const struct dirent *e;
		uint64_t id;
		char name[32];

		if (s->scan == NULL) {
			(void)snprintf(name, sizeof name, "info/%d",
			    s->scan_at);
			s->scan = opendir(name);
			if (s->scan == NULL) {
				log_sys("unable to scan %s", name);
				s->scan_at++;
				continue;
			}
		}
		e = readdir(s->scan);
		if (e == NULL) {
			(void)closedir(s->scan);
			s->scan = NULL;
			s->scan_at++;
		} else if (qpath_parse(e->d_name, &id)) {
			scan_one(s, id);
		}
	}
}

/* ---- what to do next ---- */

/* The first due entry of the heap that still means something. */
static struct msg *
due_peek(struct send *s, int c, int64_t now)
{
	struct heap_item it;

	while (heap_min(&s->ch[c].due, &it) && it.when <= now) {
		struct msg *m = send_msg(s, it.id);

		if (m != NULL && m->state[c] == CH_WAITING && !m->held &&
		    m->due[c] == it.when)
			return m;
		heap_pop(&s->ch[c].due);
	}
	return NULL;
}

/* New messages go first, but every fourth place is for those that wait. */
struct pass *
message_admit(struct send *s, int c)
{
	struct channel *ch = &s->ch[c];
	int64_t now = clock_wall();

	for (;;) {
		struct msg *m = NULL;
		struct pass *p;

		if (ch->fresh == NULL || ++ch->turns % 4 == 0)
			m = due_peek(s, c, now);
		if (m != NULL) {
			heap_pop(&ch->due);
		} else if (ch->fresh != NULL) {
			m = ch->fresh;
			fresh_del(ch, m);
		} else {
			return NULL;
		}
		if (m->held) {
			m->state[c] = CH_WAITING;
			m->due[c] = now;
			continue;
		}
		if (m->pass[c] == NULL && m->barriers > 0) {
			/* Its file does not show yet what has failed. */
			wait_until(s, m, c, now + 1);
			continue;
		}
		p = m->pass[c] != NULL ? m->pass[c] : pass_load(s, m, c);
		if (p == NULL && errno == EFBIG && s->loaded > LOADED_MAX) {
			wait_until(s, m, c, now + LIST_WAIT);
			continue;
		}
		if (p == NULL) {
			log_sys("unable to read %s of message %" PRIu64
			    "; will try again", qfile_dir(c), m->id);
			wait_until(s, m, c, now + RETRY_SYSTEM);
			continue;
		}
		p->next = 0;
		p->dying = schedule_dying(m->birth, now, s->cfg.lifetime);
		m->state[c] = CH_ACTIVE;
		if (p->left > 0)
			return p;
		message_pass_end(s, p);
	}
}

/* ---- files ---- */

int
message_spill(struct send *s, struct msg *m)
{
	if (!m->fast)
		return 0;
	for (int c = 0; c < CHANNELS; c++) {
		const struct pass *p = m->pass[c];

		if (p != NULL && p->left > 0 &&
		    qfile_write_list(m->id, c, &p->text) < 0)
			goto fail;
	}
	if (qfile_write_info(m->id, m->sender, &m->wishes, m->birth) < 0)
		goto fail;
	m->fast = false;
	send_tell_todo(s, 's', m->id);
	return 0;
fail:
	log_sys("unable to write files of message %" PRIu64
	    "; keeping it in memory", m->id);
	qfile_remove_info(m->id);       /* half of them, on a full disk */
	return -1;
}

void
message_settle(struct send *s, struct pass *p, size_t at)
{
	struct msg *m = p->m;

	(void)s;
	p->text.s[at] = 'D';
	p->left--;
	m->settled = true;
	if (!m->fast && qfile_mark(m->id, p->channel, at) < 0)
		log_sys("unable to mark %s of message %" PRIu64
		    "; message may be delivered twice",
		    qfile_dir(p->channel), m->id);
}

/* ---- what the sender is told ---- */

/* A paragraph about a recipient, as bounce/N has it. */
static void
cat_paragraph(struct send *s, struct str *out, const struct pass *p, size_t at,
    char kind, const char *text, const char *notes)
{
	const struct str *wishes = &p->m->wishes;

	if (wishes->len > 0)
		bouncer_cat_mark(out, kind, clock_wall(),
		    wish_text_peek(wishes, wish_find(&p->wishes, at)), notes);
	bouncer_cat_text(&s->cfg.route, out, p->text.s + at + 1, text);
}

static int
append_paragraph(struct send *s, struct pass *p, size_t at, char kind,
    const char *text, const char *notes)
{
	struct str par = {0};
	int r;

	p->m->failed = true;
	cat_paragraph(s, &par, p, at, kind, text, notes);
	r = qfile_append_bounce(p->m->id, &par);
	str_free(&par);
	return r;
}

static unsigned
notify_of(const struct pass *p, size_t at)
{
	const struct wish *w = wish_find(&p->wishes, at);

	return w == NULL ? 0 : w->notify;
}

bool
message_wants_failure(const struct pass *p, size_t at)
{
	unsigned notify = notify_of(p, at);

	return notify == 0 || (notify & DSN_FAILURE) != 0;
}

/* The host that took it over reports on its own when it knows how to. */
void
message_success(struct send *s, struct pass *p, size_t at, const char *text,
    const char *notes)
{
	bool remote = p->channel == CHANNEL_REMOTE;
	struct str dsn = {0};
	bool passed_on = remote && spawn_note(notes, "dsn", 16, &dsn) &&
	    (str_eqs(&dsn, "1") || str_eqs(&dsn, "relayed"));

	str_free(&dsn);
	if ((notify_of(p, at) & DSN_SUCCESS) != 0 && !p->m->deleted &&
	    p->m->sender[0] != '\0' && strcmp(p->m->sender, "#@[]") != 0 &&
	    !passed_on) {
		/* Delivered it is, whatever becomes of the report. */
		if (append_paragraph(s, p, at, remote ? BOUNCE_RELAYED :
		    BOUNCE_DELIVERED, text, notes) == 0)
			p->m->bounces = true;
		else
			log_sys("unable to write the report of message %"
			    PRIu64 "; its sender is not told of a success",
			    p->m->id);
	}
	message_settle(s, p, at);
}

void
message_delay(struct send *s, struct pass *p, size_t at, const char *text,
    const char *notes)
{
	const struct wish *w = wish_find(&p->wishes, at);
	struct msg *m = p->m;
	size_t had = m->delays.len;
	struct str words = {0};

	if (w == NULL || (w->notify & DSN_DELAY) == 0 || m->bouncing ||
	    m->sender[0] == '\0' || strcmp(m->sender, "#@[]") == 0 ||
	    m->wishes.s[w->rec] == 'n' || p->dying || m->deleted ||
	    clock_wall() - m->birth < DELAY_AFTER ||
	    s->delays > DELAYS_MAX)
		return;
	for (size_t i = 0; i < m->ndelayed; i++)
		if (m->delayed[i] == w->rec)
			return;
	str_copyb(&words, text, strnlen(text, DELAY_WORDS));
	cat_paragraph(s, &m->delays, p, at, BOUNCE_DELAYED, str_c(&words),
	    notes);
	str_free(&words);
	s->delays += m->delays.len - had;
	m->delayed = mem_resize(m->delayed, m->ndelayed + 1,
	    sizeof *m->delayed);
	m->delayed[m->ndelayed++] = w->rec;
}

int
message_fail(struct send *s, struct pass *p, size_t at, const char *text,
    const char *notes)
{
	struct msg *m = p->m;

	if (!message_wants_failure(p, at)) {
		message_settle(s, p, at);
		return 0;
	}
	if (append_paragraph(s, p, at, BOUNCE_FAILED, text, notes) < 0) {
		log_sys("unable to write bounce of message %" PRIu64
		    "; will try again", m->id);
		return -1;
	}
	m->bounces = m->settled = true;
	p->text.s[at] = 'D';
	p->left--;
	if (m->fast)
		return 0;
	if (s->nmarks == s->capmarks) {
		s->capmarks = s->capmarks ? s->capmarks * 2 : 64;
		s->marks = mem_resize(s->marks, s->capmarks,
		    sizeof *s->marks);
	}
	s->marks[s->nmarks++] = (struct mark){++s->token, m->id, at,
	    p->channel};
	s->token_new = true;
	m->barriers++;
	return 0;
}

void
message_barrier(struct send *s, uint64_t token)
{
	s->token_done = token;
	while (s->headmarks < s->nmarks &&
	    s->marks[s->headmarks].token <= token) {
		const struct mark *k = &s->marks[s->headmarks++];
		struct msg *m = send_msg(s, k->id);

		if (m == NULL || m->barriers == 0)
			continue;
		m->barriers--;
		if (m->state[k->channel] != CH_DONE &&
		    qfile_mark(k->id, k->channel, k->offset) < 0)
			log_sys("unable to mark %s of message %" PRIu64,
			    qfile_dir(k->channel), k->id);
		message_check(s, m);
	}
	if (s->headmarks == s->nmarks)
		s->headmarks = s->nmarks = 0;
}

/* ---- ends ---- */

bool
message_running(const struct msg *m)
{
	for (int c = 0; c < CHANNELS; c++)
		if (m->pass[c] != NULL && m->pass[c]->running > 0)
			return true;
	return false;
}

void
message_pass_end(struct send *s, struct pass *p)
{
	struct msg *m = p->m;
	int c = p->channel;
	int64_t now;

	if (p->in_ring || p->running > 0 || p->nwaiting > 0)
		return;
	if (m->deleted || p->left == 0) {
		pass_drop(s, p);
		m->state[c] = CH_DONE;
		message_check(s, m);
		return;
	}
	now = clock_wall();
	m->due[c] = p->dying ? now + RETRY_SYSTEM :
	    schedule_next(c, m->birth, now);
	if (s->exiting) {
		m->state[c] = CH_WAITING;
		if (!m->fast && qfile_set_due(m->id, c, m->due[c]) < 0)
			log_sys("unable to date %s of message %" PRIu64,
			    qfile_dir(c), m->id);
		return;         /* message_save_all writes it */
	}
	if (message_spill(s, m) == 0) {
		if (qfile_set_due(m->id, c, m->due[c]) < 0)
			log_sys("unable to date %s of message %" PRIu64,
			    qfile_dir(c), m->id);
		pass_drop(s, p);
		if (m->pass[CHANNEL_LOCAL] == NULL &&
		    m->pass[CHANNEL_REMOTE] == NULL)
			message_drop_sender(s, m);      /* 100,000 may wait */
	}
	if (m->ndelayed > 0)
		bouncer_want(s, m);
	wait_until(s, m, c, m->due[c]);
}

static void
finish(struct send *s, struct msg *m)
{
	if (!m->fast || m->failed)
		qfile_remove_all(m->id);
	str_catf(&s->log, "end msg %" PRIu64 "\n", m->id);
	send_tell_todo(s, 'd', m->id);
	msg_free(s, m);
}

void
message_check(struct send *s, struct msg *m)
{
	for (int c = 0; c < CHANNELS; c++) {
		if (m->state[c] != CH_DONE || m->barriers > 0)
			continue;
		if (!m->fast && qfile_remove_list(m->id, c) < 0)
			log_sys("unable to remove %s of message %" PRIu64,
			    qfile_dir(c), m->id);
		m->state[c] = CH_NONE;
	}
	for (int c = 0; c < CHANNELS; c++)
		if (m->state[c] != CH_NONE)
			return;
	if (m->bouncing)
		return;
	if (m->bounces && !m->deleted) {
		bouncer_want(s, m);
		return;
	}
	finish(s, m);
}

void
message_delete(struct send *s, struct msg *m)
{
	m->deleted = true;
	m->barriers = 0;
	for (int c = 0; c < CHANNELS; c++) {
		struct pass *p = m->pass[c];

		if (m->state[c] == CH_FRESH)
			fresh_del(&s->ch[c], m);
		if (p != NULL && p->in_ring)
			channel_ring_del(&s->ch[c], p);
		if (p != NULL)
			dest_release(s, p);
		if (p != NULL && p->running > 0)
			continue;       /* message_pass_end, when it ends */
		if (p != NULL)
			pass_drop(s, p);
		if (m->state[c] != CH_NONE)
			m->state[c] = CH_DONE;
	}
	message_check(s, m);
}

/* ---- schedules moved by people, and by clocks ---- */

/* Recipients whose turn has not come: the pass ends with those that run. */
void
message_hold(struct send *s, struct msg *m)
{
	m->held = true;
	for (int c = 0; c < CHANNELS; c++) {
		struct pass *p = m->pass[c];

		if (p == NULL || (!p->in_ring && p->nwaiting == 0))
			continue;
		if (p->in_ring)
			channel_ring_del(&s->ch[c], p);
		dest_release(s, p);
		message_pass_end(s, p);
	}
}

void
message_clock_back(struct send *s)
{
	int64_t now = clock_wall();
	size_t at = 0, n;
	const char *key;
	void *value;

	while (map_next(&s->msgs, &at, &key, &n, &value)) {
		struct msg *m = value;

		for (int c = 0; c < CHANNELS; c++) {
			int64_t due = schedule_clamp(c, m->birth, now,
			    RETRY_SYSTEM, m->due[c]);

			if (m->state[c] == CH_WAITING && due < m->due[c])
				wait_until(s, m, c, due);
		}
	}
	for (size_t i = 0; i < s->bounces.n; i++)
		if (s->bounces.items[i].when > now)
			s->bounces.items[i].when = now;
}

void
message_due(struct send *s, struct msg *m)
{
	int64_t now = clock_wall();

	for (int c = 0; c < CHANNELS; c++)
		if (m->state[c] == CH_WAITING)
			wait_until(s, m, c, now);
	if (m->bounces && m->state[CHANNEL_LOCAL] == CH_NONE &&
	    m->state[CHANNEL_REMOTE] == CH_NONE && !m->bouncing)
		heap_put(&s->bounces, now, m->id);
}

void
message_all_due(struct send *s)
{
	int64_t now = clock_wall();

	for (int c = 0; c < CHANNELS; c++) {
		struct heap *h = &s->ch[c].due;

		for (size_t i = 0; i < h->n; i++) {
			struct msg *m = send_msg(s, h->items[i].id);

			if (m == NULL || m->due[c] != h->items[i].when ||
			    m->state[c] != CH_WAITING)
				h->items[i].when = INT64_MIN;   /* stale */
			else
				m->due[c] = h->items[i].when = now;
		}
		/* Any order of equal and smallest keys needs a new heap. */
		{
			struct heap old = *h;

			*h = (struct heap){0};
			for (size_t i = 0; i < old.n; i++)
				if (old.items[i].when != INT64_MIN)
					heap_put(h, old.items[i].when,
					    old.items[i].id);
			heap_free(&old);
		}
	}
	for (size_t i = 0; i < s->bounces.n; i++)
		s->bounces.items[i].when = now;
}

/* A message in memory of which something was delivered gets its files, so
 * that the next qmail-send does not deliver that again. */
void
message_save_all(struct send *s)
{
	size_t at = 0, n;
	const char *key;
	void *value;

	while (map_next(&s->msgs, &at, &key, &n, &value)) {
		struct msg *m = value;
		bool tried = false;

		if (!m->fast)
			continue;
		for (int c = 0; c < CHANNELS; c++)
			tried = tried || m->due[c] != 0;
		if ((!m->settled && !tried) || message_spill(s, m) < 0)
			continue;
		for (int c = 0; c < CHANNELS; c++)
			if (m->state[c] == CH_WAITING && m->due[c] != 0 &&
			    qfile_set_due(m->id, c, m->due[c]) < 0)
				log_sys("unable to date %s of message %"
				    PRIu64, qfile_dir(c), m->id);
	}
	s->token_new = true;
	s->token++;
}
