/* lib/map.c - open addressing with linear probing and tombstones; see map.h.
 * At most two thirds of the slots are ever used. */
#include "lib/map.h"

#include "lib/hash.h"
#include "lib/log.h"
#include "lib/str.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct map_slot {
	char *key;              /* NULL: free; gone: value == NULL */
	size_t n;
	uint64_t h;
	void *value;
};

static uint64_t seed[2];

static uint64_t
hash_key(const struct map *m, const char *key, size_t n)
{
	struct hash h;

	if ((seed[0] | seed[1]) == 0 &&
	    getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
		die_sys(111, "unable to get random bytes");
	hash_init(&h, seed[0], seed[1]);
	if (!m->nocase) {
		hash_add(&h, key, n);
	} else {
		char buf[256];

		while (n > 0) {
			size_t k = n < sizeof buf ? n : sizeof buf;

			for (size_t i = 0; i < k; i++)
				buf[i] = ascii_lower(key[i]);
			hash_add(&h, buf, k);
			key += k;
			n -= k;
		}
	}
	return hash_end(&h);
}

static bool
same(const struct map *m, const struct map_slot *s, uint64_t h,
    const char *key, size_t n)
{
	if (s->h != h || s->n != n)
		return false;
	return m->nocase ? bytes_caseeq(s->key, s->n, key, n) :
	    n == 0 || memcmp(s->key, key, n) == 0;
}

/* The slot that holds key, or NULL. */
static struct map_slot *
find(const struct map *m, uint64_t h, const char *key, size_t n)
{
	if (m->cap == 0)
		return NULL;
	for (size_t i = h & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slots[i];

		if (s->key == NULL)
			return NULL;
		if (s->value != NULL && same(m, s, h, key, n))
			return s;
	}
}

static struct map_slot *
free_slot(struct map *m, uint64_t h)
{
	size_t i = h & (m->cap - 1);

	while (m->slots[i].key != NULL)
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

static void
rehash(struct map *m)
{
	struct map old = *m;

	m->cap = 16;
	while (m->cap < old.live * 3 + 16)
		m->cap *= 2;
	m->slots = mem_alloc(m->cap, sizeof *m->slots);
	m->used = m->live;
	for (size_t i = 0; i < old.cap; i++) {
		if (old.slots[i].value != NULL)
			*free_slot(m, old.slots[i].h) = old.slots[i];
		else
			free(old.slots[i].key);
	}
	free(old.slots);
}

void
map_set(struct map *m, const void *key, size_t n, void *value)
{
	uint64_t h = hash_key(m, key, n);
	struct map_slot *s = find(m, h, key, n);

	assert(value != NULL);
	if (s != NULL) {
		s->value = value;
		return;
	}
	if ((m->used + 1) * 3 > m->cap * 2)
		rehash(m);
	s = free_slot(m, h);
	s->key = mem_alloc(n + 1, 1);
	if (n > 0)
		memcpy(s->key, key, n);
	s->n = n;
	s->h = h;
	s->value = value;
	m->used++;
	m->live++;
}

void *
map_get(const struct map *m, const void *key, size_t n)
{
	const struct map_slot *s;

	if (m->live == 0)
		return NULL;
	s = find(m, hash_key(m, key, n), key, n);
	return s != NULL ? s->value : NULL;
}

void
map_del(struct map *m, const void *key, size_t n)
{
	struct map_slot *s;

	if (m->live == 0)
		return;
	s = find(m, hash_key(m, key, n), key, n);
	if (s != NULL) {
		s->value = NULL;
		m->live--;
	}
}

void
map_set_id(struct map *m, uint64_t id, void *value)
{
	map_set(m, &id, sizeof id, value);
}

void *
map_get_id(const struct map *m, uint64_t id)
{
	return map_get(m, &id, sizeof id);
}

void
map_del_id(struct map *m, uint64_t id)
{
	map_del(m, &id, sizeof id);
}

bool
map_next(const struct map *m, size_t *at, const char **key, size_t *n,
    void **value)
{
	while (*at < m->cap) {
		const struct map_slot *s = &m->slots[(*at)++];

		if (s->value != NULL) {
			*key = s->key;
			*n = s->n;
			*value = s->value;
			return true;
		}
	}
	return false;
}

void
map_free(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		free(m->slots[i].key);
	free(m->slots);
	*m = (struct map){.nocase = m->nocase};
}
