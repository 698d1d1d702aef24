/* vpop/authd_cache.h - answers that authdaemond may give again.
 *
 * An answer is known by a digest of all that it depends on, made with a key
 * that this process alone has: a password is not in it, and who reads the
 * memory of yesterday cannot guess at it.
 *
 * A change made between asking a worker and keeping its answer must not be
 * forgotten.  So there is a count of changes; an answer belongs to the count at
 * which it was asked for, and is good only when its domain and user have not
 * changed since. */
#ifndef VPOP_AUTHD_CACHE_H
#define VPOP_AUTHD_CACHE_H

#include "lib/map.h"
#include "lib/str.h"

#define CACHE_KEY 32                    /* bytes */
#define CACHE_ENTRIES 16384
#define CACHE_BYTES ((size_t)16 << 20)  /* of answers */
#define CACHE_CHANGES 4096              /* names; then all is forgotten */

struct cache_entry {
	struct cache_entry *prev, *next;
	unsigned char key[CACHE_KEY];
	int64_t until;          /* ms */
	uint64_t asked;         /* the count when it was asked for */
	bool whole;             /* depends on everything in its domain */
	struct str answer;
	struct str typed, real, user;   /* domain as asked, as it is; user */
};

struct cache {
	unsigned char secret[32];
	struct map map, changes;
	struct cache_entry *first, *last;       /* by age, oldest first */
	size_t bytes;
	uint64_t count;
	uint64_t forgotten;     /* no word of changes before this one */
};

/* 0, or -1 with errno: no random numbers. */
__attribute__((warn_unused_result))
int cache_init(struct cache *);
void cache_free(struct cache *);                /* answers are wiped */

/* Digest of the fields, each of which may hold anything. */
struct cache_field { const void *s; size_t n; };
void cache_key(const struct cache *, const struct cache_field *, size_t n,
    unsigned char key_out[CACHE_KEY]);

/* Borrowed until the next call; NULL: not known. */
const struct cache_entry *cache_get(struct cache *,
    const unsigned char key[CACHE_KEY], int64_t now_ms);
/* Keeps a copy of e (its links, key and until are not looked at). */
void cache_put(struct cache *, const unsigned char key[CACHE_KEY],
    const struct cache_entry *e, int64_t until_ms);
/* user "": all of the domain. */
void cache_changed(struct cache *, const char *domain, const char *user);
void cache_clear(struct cache *);

#endif
