/* local/copies.h - tell the same recipient named twice from the same delivery
 * tried twice.
 *
 * A message may name a recipient several times, and each gets a copy.  Within
 * the life of a worker a delivery that was reported done does not come again,
 * so one with the same key that comes after it, or while it runs, is the next
 * copy, and gets the next number, from 0.  What failed gives its number back.
 * Only the last COPIES_KEPT to 2 * COPIES_KEPT keys are remembered: a copy
 * that comes later than that replaces the first. */
#ifndef LOCAL_COPIES_H
#define LOCAL_COPIES_H

#include "lib/map.h"

#define COPIES_KEPT 512

struct copies {
	struct map recent, older;
};

unsigned copies_take(struct copies *, uint64_t key);
void copies_back(struct copies *, uint64_t key, unsigned number);
void copies_free(struct copies *);

#endif
