/* vpop/authd_guess.c - limits on guessing; see authd_guess.h. */
#include "vpop/authd_guess.h"

#include "lib/str.h"

#include <stdlib.h>

#define MINUTE_MS 60000

struct guess_key {
	struct guess_key *prev, *next;
	struct str key;
	uint64_t level;         /* attempts * MINUTE_MS */
	int64_t at;             /* of the level; ms */
	int64_t good;           /* last right login; ms, 0: none */
};

static void
unlink_key(struct guess *g, struct guess_key *k)
{
	if (k->prev != NULL)
		k->prev->next = k->next;
	else
		g->first = k->next;
	if (k->next != NULL)
		k->next->prev = k->prev;
	else
		g->last = k->prev;
	k->prev = k->next = NULL;
}

static void
append_key(struct guess *g, struct guess_key *k)
{
	k->prev = g->last;
	if (g->last != NULL)
		g->last->next = k;
	else
		g->first = k;
	g->last = k;
}

static void
drop(struct guess *g, struct guess_key *k)
{
	unlink_key(g, k);
	map_del(&g->map, k->key.s, k->key.len);
	str_free(&k->key);
	free(k);
}

static struct guess_key *
use(struct guess *g, const void *key, size_t n, int64_t now)
{
	struct guess_key *k = map_get(&g->map, key, n);

	if (k != NULL) {
		unlink_key(g, k);
		append_key(g, k);
		return k;
	}
	if (g->map.live >= GUESS_KEYS)
		drop(g, g->first);
	k = mem_alloc(1, sizeof *k);
	str_copyb(&k->key, key, n);
	k->at = now;
	map_set(&g->map, key, n, k);
	append_key(g, k);
	return k;
}

bool
guess_take(struct guess *g, const void *key, size_t n, uint64_t limit,
    int64_t now)
{
	struct guess_key *k;
	uint64_t away;

	if (limit == 0)
		return true;
	k = use(g, key, n, now);
	/* limit attempts a minute run out. */
	away = now > k->at ? (uint64_t)(now - k->at) : 0;
	away = away > MINUTE_MS ? MINUTE_MS * limit : away * limit;
	k->level = k->level > away ? k->level - away : 0;
	k->at = now;
	if (k->level + MINUTE_MS > limit * MINUTE_MS)
		return false;
	k->level += MINUTE_MS;
	return true;
}

void
guess_return(struct guess *g, const void *key, size_t n)
{
	struct guess_key *k = map_get(&g->map, key, n);

	if (k != NULL)
		k->level = k->level > MINUTE_MS ? k->level - MINUTE_MS : 0;
}

void
guess_remember(struct guess *g, const void *key, size_t n, int64_t now)
{
	use(g, key, n, now)->good = now > 0 ? now : 1;
}

bool
guess_knows(const struct guess *g, const void *key, size_t n, int64_t now)
{
	const struct guess_key *k = map_get(&g->map, key, n);

	return k != NULL && k->good != 0 && now - k->good < GUESS_GOOD_MS;
}

void
guess_free(struct guess *g)
{
	while (g->first != NULL)
		drop(g, g->first);
	map_free(&g->map);
}
