/* vpop/authd_cache.c - answers that may be given again; see authd_cache.h.
 *
 * changes has, for a name, the count at its last change:
 *	D domain        all of it
 *	A domain        it, or a user of it
 *	U user@domain   the user */
#include "vpop/authd_cache.h"

#include "vpop/digest.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

int
cache_init(struct cache *c)
{
	*c = (struct cache){0};
	return getrandom(c->secret, sizeof c->secret, 0) ==
	    (ssize_t)sizeof c->secret ? 0 : -1;
}

static void
drop(struct cache *c, struct cache_entry *e)
{
	if (e->prev != NULL)
		e->prev->next = e->next;
	else
		c->first = e->next;
	if (e->next != NULL)
		e->next->prev = e->prev;
	else
		c->last = e->prev;
	map_del(&c->map, e->key, CACHE_KEY);
	c->bytes -= e->answer.len;
	if (e->answer.s != NULL)
		explicit_bzero(e->answer.s, e->answer.cap);
	str_free(&e->answer);
	str_free(&e->typed);
	str_free(&e->real);
	str_free(&e->user);
	free(e);
}

void
cache_clear(struct cache *c)
{
	while (c->first != NULL)
		drop(c, c->first);
	map_free(&c->changes);
}

void
cache_free(struct cache *c)
{
	cache_clear(c);
	map_free(&c->map);
	explicit_bzero(c, sizeof *c);
}

void
cache_key(const struct cache *c, const struct cache_field *f, size_t n,
    unsigned char key_out[CACHE_KEY])
{
	struct digest d;

	digest_init(&d, DIGEST_SHA256);
	digest_add(&d, c->secret, sizeof c->secret);
	for (size_t i = 0; i < n; i++) {
		/* With its length: no two lists read the same. */
		digest_add(&d, &f[i].n, sizeof f[i].n);
		digest_add(&d, f[i].s, f[i].n);
	}
	(void)digest_end(&d, key_out);
}

static void
name_change(struct str *out, char kind, const char *user, const char *domain)
{
	str_clear(out);
	str_catc(out, kind);
	str_cats(out, user);
	str_catc(out, '@');
	str_cats(out, domain);
}

static bool
changed_since(const struct cache *c, const struct cache_entry *e)
{
	const char *domains[] = {str_c(&e->typed), str_c(&e->real)};
	struct str name = {0};
	uint64_t last = c->forgotten;

	for (size_t i = 0; i < 2; i++)
		for (int k = 0; k < 2; k++) {
			uint64_t at;

			if (k == 0)
				name_change(&name, e->whole ? 'A' : 'D', "",
				    domains[i]);
			else
				name_change(&name, 'U', str_c(&e->user),
				    domains[i]);
			at = (uintptr_t)map_get(&c->changes, name.s,
			    name.len);
			if (at > last)
				last = at;
		}
	str_free(&name);
	return last > e->asked;
}

const struct cache_entry *
cache_get(struct cache *c, const unsigned char key[CACHE_KEY], int64_t now)
{
	struct cache_entry *e = map_get(&c->map, key, CACHE_KEY);

	if (e != NULL && (now >= e->until || changed_since(c, e))) {
		drop(c, e);
		e = NULL;
	}
	return e;
}

void
cache_put(struct cache *c, const unsigned char key[CACHE_KEY],
    const struct cache_entry *from, int64_t until)
{
	struct cache_entry *e = map_get(&c->map, key, CACHE_KEY);

	if (e != NULL)
		drop(c, e);
	if (changed_since(c, from))
		return;
	while (c->first != NULL && (c->map.live >= CACHE_ENTRIES ||
	    c->bytes + from->answer.len > CACHE_BYTES))
		drop(c, c->first);
	e = mem_alloc(1, sizeof *e);
	memcpy(e->key, key, CACHE_KEY);
	e->until = until;
	e->asked = from->asked;
	e->whole = from->whole;
	str_copy(&e->answer, &from->answer);
	str_copy(&e->typed, &from->typed);
	str_copy(&e->real, &from->real);
	str_copy(&e->user, &from->user);
	c->bytes += e->answer.len;
	map_set(&c->map, key, CACHE_KEY, e);
	e->prev = c->last;
	if (c->last != NULL)
		c->last->next = e;
	else
		c->first = e;
	c->last = e;
}

static void
note(struct cache *c, char kind, const char *user, const char *domain)
{
	struct str name = {0};

	name_change(&name, kind, user, domain);
	map_set(&c->changes, name.s, name.len,
	    (void *)(uintptr_t)c->count);
	str_free(&name);
}

void
cache_changed(struct cache *c, const char *domain, const char *user)
{
	/* What is being asked now may be older than a forgotten change: its
	 * count is too low then. */
	if (c->changes.live + 2 > CACHE_CHANGES) {
		cache_clear(c);
		c->forgotten = c->count + 1;
	}
	c->count++;
	note(c, 'A', "", domain);
	if (user[0] == '\0')
		note(c, 'D', "", domain);
	else
		note(c, 'U', user, domain);
}
