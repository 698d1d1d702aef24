/* vpop/authd_guess.h - how often somebody may guess.
 *
 * Each key (an address, a user) has a bucket that holds so many wrong
 * passwords and empties at that number a minute.  An attempt takes its place
 * before it is looked at, so a thousand at once are no way round, and gives it
 * back when the password was right or could not be checked.  Bounded: at
 * GUESS_KEYS the one that was used longest ago is forgotten. */
#ifndef VPOP_AUTHD_GUESS_H
#define VPOP_AUTHD_GUESS_H

#include "lib/map.h"

#define GUESS_KEYS 32768        /* about 8 MB, when under attack */
#define GUESS_GOOD_MS (int64_t)(7 * 86400 * 1000LL)

struct guess_key;
struct guess {
	struct map map;
	struct guess_key *first, *last;         /* by use, oldest first */
};

/* May it be tried?  limit: a minute, 0: any number.  now_ms: a clock that
 * only goes forward. */
bool guess_take(struct guess *, const void *key, size_t n, uint64_t limit,
    int64_t now_ms);
void guess_return(struct guess *, const void *key, size_t n);
/* A login that was right, and whether there was one in GUESS_GOOD_MS. */
void guess_remember(struct guess *, const void *key, size_t n,
    int64_t now_ms);
bool guess_knows(const struct guess *, const void *key, size_t n,
    int64_t now_ms);
void guess_free(struct guess *);

#endif
