/* send/dest.c - remote destinations: how many deliveries each has, and who
 * waits for a place there; see send.h.
 *
 * The recipients of a pass are divided into shares, one for each domain.  A
 * share is in one of three places:
 *
 *	p->ready        may start when its pass has its turn
 *	d->wait         the domain has no place: first come, first served
 *	(none)          all its recipients are started: it is freed
 *
 * When a delivery to a domain ends, the share that waits longest is put back
 * into its pass, with the free place granted to it, so that nobody who came
 * later takes it.  A pass whose shares all wait is not in the channel's ring:
 * it costs nothing until one is granted.  So a slow domain keeps at most its
 * limit of the places, and nothing that is done for a delivery depends on how
 * much waits.
 *
 * The last places, a quarter of all, are for domains that have none: two slow
 * domains, or three, must not keep mail from all others.  A domain that waits
 * only for that stands in s->held, and whenever a place becomes free the first
 * of them gets one if it may.
 *
 * Invariant: while anybody waits for a domain, running + granted is at the
 * limit, or it is not 0 and the domain is held. */
#include "send/send.h"

#include "mail/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(QLIST_MAX < UINT32_MAX, "offsets fit");

#define RESERVE 4       /* one place in so many is for domains without any */

/* ---- shares in lists ---- */

static void
ready_put(struct pass *p, struct share *sh)
{
	sh->next = NULL;
	if (p->ready_last != NULL)
		p->ready_last->next = sh;
	else
		p->ready = sh;
	p->ready_last = sh;
}

static struct share *
ready_take(struct pass *p)
{
	struct share *sh = p->ready;

	if (sh == NULL)
		return NULL;
	p->ready = sh->next;
	if (p->ready == NULL)
		p->ready_last = NULL;
	return sh;
}

static void
wait_put(struct dest *d, struct share *sh)
{
	sh->next = NULL;
	sh->prev = d->wait_last;
	if (d->wait_last != NULL)
		d->wait_last->next = sh;
	else
		d->wait = sh;
	d->wait_last = sh;
	sh->waiting = true;
	sh->p->nwaiting++;
}

static void
wait_del(struct dest *d, struct share *sh)
{
	if (sh->prev != NULL)
		sh->prev->next = sh->next;
	else
		d->wait = sh->next;
	if (sh->next != NULL)
		sh->next->prev = sh->prev;
	else
		d->wait_last = sh->prev;
	sh->waiting = false;
	sh->p->nwaiting--;
}

/* ---- destinations ---- */

static void
domain_of(struct str *out, const char *rcpt)
{
	size_t n = strlen(rcpt), at = bytes_rchr(rcpt, n, '@');

	str_copyb(out, rcpt + at + (at < n), n - at - (at < n));
	str_lower(out);
}

static struct dest *
dest_get(struct send *s, const char *rcpt)
{
	struct dest *d;

	domain_of(&s->scratch, rcpt);
	d = map_get(&s->dests, str_c(&s->scratch), s->scratch.len);
	if (d == NULL) {
		d = mem_alloc(1, sizeof *d);
		str_copy(&d->name, &s->scratch);
		map_set(&s->dests, str_c(&d->name), d->name.len, d);
	}
	d->refs++;
	return d;
}

static void
dest_unref(struct send *s, struct dest *d)
{
	if (--d->refs > 0)
		return;
	map_del(&s->dests, str_c(&d->name), d->name.len);
	str_free(&d->name);
	free(d);
}

static bool
at_limit(const struct send *s, const struct dest *d)
{
	return s->cfg.per_host > 0 &&
	    d->running + d->granted >= s->cfg.per_host;
}

static bool
dest_full(const struct send *s, const struct dest *d)
{
	size_t all = channel_limit(s, CHANNEL_REMOTE);
	size_t taken = s->ch[CHANNEL_REMOTE].used + s->ngranted;

	return at_limit(s, d) || (s->cfg.per_host > 0 &&
	    d->running + d->granted > 0 && taken + all / RESERVE >= all);
}

static void
held_put(struct send *s, struct dest *d)
{
	d->held = true;
	d->held_next = NULL;
	d->held_prev = s->held_last;
	if (s->held_last != NULL)
		s->held_last->held_next = d;
	else
		s->held = d;
	s->held_last = d;
}

static void
held_del(struct send *s, struct dest *d)
{
	if (d->held_prev != NULL)
		d->held_prev->held_next = d->held_next;
	else
		s->held = d->held_next;
	if (d->held_next != NULL)
		d->held_next->held_prev = d->held_prev;
	else
		s->held_last = d->held_prev;
	d->held = false;
}

/* d stands in s->held, or it does not, as its state demands. */
static void
held_update(struct send *s, struct dest *d)
{
	bool should = d->wait != NULL && !at_limit(s, d);

	if (should && !d->held)
		held_put(s, d);
	else if (!should && d->held)
		held_del(s, d);
}

static void
grant_one(struct send *s, struct dest *d)
{
	struct share *sh = d->wait;

	wait_del(d, sh);
	sh->granted = true;
	d->granted++;
	s->ngranted++;
	ready_put(sh->p, sh);
	if (!sh->p->in_ring)
		channel_ring_add(&s->ch[CHANNEL_REMOTE], sh->p);
}

static void
ungrant(struct send *s, struct share *sh)
{
	sh->granted = false;
	sh->d->granted--;
	s->ngranted--;
}

/* Free places go to those who wait. */
static void
dest_grant(struct send *s, struct dest *d)
{
	while (d->wait != NULL && !dest_full(s, d))
		grant_one(s, d);
	held_update(s, d);
}

/* A place became free: the domain that was held longest may have it, and goes
 * to the end of those. */
static void
held_wake(struct send *s)
{
	struct dest *d = s->held;

	if (d == NULL || dest_full(s, d))
		return;
	held_del(s, d);
	grant_one(s, d);
	held_update(s, d);
}

void
dest_ended(struct send *s, struct dest *d)
{
	d->running--;
	dest_grant(s, d);
	dest_unref(s, d);
	held_wake(s);
}

void
dest_limit_changed(struct send *s)
{
	size_t at = 0, n;
	const char *key;
	void *d;

	while (map_next(&s->dests, &at, &key, &n, &d))
		dest_grant(s, d);
}

/* ---- passes ---- */

static void
share_free(struct send *s, struct share *sh)
{
	struct pass *p = sh->p;

	if (sh->all_prev != NULL)
		sh->all_prev->all_next = sh->all_next;
	else
		p->shares = sh->all_next;
	if (sh->all_next != NULL)
		sh->all_next->all_prev = sh->all_prev;
	dest_unref(s, sh->d);
	free(sh);
}

static struct share *
share_new(struct send *s, struct pass *p, const char *rcpt)
{
	struct dest *d = dest_get(s, rcpt);
	struct share *sh;

	if (d->p == p) {
		dest_unref(s, d);
		return d->share;
	}
	sh = mem_alloc(1, sizeof *sh);
	sh->p = p;
	sh->d = d;
	sh->all_next = p->shares;
	if (p->shares != NULL)
		p->shares->all_prev = sh;
	p->shares = sh;
	d->p = p;
	d->share = sh;
	ready_put(p, sh);
	return sh;
}

void
dest_divide(struct send *s, struct pass *p)
{
	const struct str *text = &p->text;

	dest_release(s, p);
	p->places = mem_alloc(p->left, sizeof *p->places);
	for (size_t at = 0; at < text->len; at += strlen(text->s + at) + 1) {
		struct share *sh;

		if (text->s[at] != 'T')
			continue;
		sh = share_new(s, p, text->s + at + 1);
		p->places[p->nplaces] = (struct place){(uint32_t)at, 0};
		if (sh->n == 0)
			sh->first = p->nplaces;
		else
			p->places[sh->last].next = (uint32_t)p->nplaces;
		sh->last = p->nplaces++;
		sh->n++;
	}
	/* Only while dividing: a pass of the same address may come. */
	for (struct share *sh = p->shares; sh != NULL; sh = sh->all_next)
		sh->d->p = NULL;
}

void
dest_release(struct send *s, struct pass *p)
{
	while (p->shares != NULL) {
		struct share *sh = p->shares;
		struct dest *d = sh->d;

		if (sh->waiting)
			wait_del(d, sh);
		d->refs++;
		if (sh->granted)
			ungrant(s, sh);
		share_free(s, sh);
		dest_grant(s, d);
		dest_unref(s, d);
		held_wake(s);
	}
	p->ready = p->ready_last = NULL;
	free(p->places);
	p->places = NULL;
	p->nplaces = 0;
}

struct share *
dest_next(struct send *s, struct pass *p)
{
	struct share *sh;

	while ((sh = ready_take(p)) != NULL) {
		if (sh->granted || !dest_full(s, sh->d))
			break;
		wait_put(sh->d, sh);
		held_update(s, sh->d);
		s->effort++;
	}
	return sh;
}

size_t
dest_peek(const struct share *sh)
{
	return sh->p->places[sh->first].at;
}

void
dest_take(struct share *sh)
{
	sh->first = sh->p->places[sh->first].next;
	sh->n--;
}

struct dest *
dest_started(struct send *s, struct share *sh)
{
	struct dest *d = sh->d;

	if (sh->granted)
		ungrant(s, sh);
	d->running++;
	d->refs++;
	if (sh->n > 0)
		ready_put(sh->p, sh);
	else
		share_free(s, sh);
	return d;
}
