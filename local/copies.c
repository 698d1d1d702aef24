/* local/copies.c - numbers for copies of a delivery; see copies.h.
 *
 * The maps hold the next number plus one, never NULL. */
#include "local/copies.h"

static unsigned
next_of(const struct copies *c, uint64_t key)
{
	const void *v = map_get_id(&c->recent, key);

	if (v == NULL)
		v = map_get_id(&c->older, key);
	return v == NULL ? 0 : (unsigned)((uintptr_t)v - 1);
}

static void
set_next(struct copies *c, uint64_t key, unsigned next)
{
	map_set_id(&c->recent, key, (void *)((uintptr_t)next + 1));
}

unsigned
copies_take(struct copies *c, uint64_t key)
{
	unsigned number = next_of(c, key);

	if (c->recent.live >= COPIES_KEPT) {
		map_free(&c->older);
		c->older = c->recent;
		c->recent = (struct map){0};
	}
	set_next(c, key, number + 1);
	return number;
}

void
copies_back(struct copies *c, uint64_t key, unsigned number)
{
	/* Later ones have theirs already: a gap does no harm. */
	if (next_of(c, key) == number + 1)
		set_next(c, key, number);
}

void
copies_free(struct copies *c)
{
	map_free(&c->recent);
	map_free(&c->older);
}
