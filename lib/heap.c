/* lib/heap.c - binary heap; see heap.h. */
#include "lib/heap.h"

#include "lib/str.h"

#include <assert.h>
#include <stdlib.h>

void
heap_put(struct heap *h, int64_t when, uint64_t id)
{
	size_t i;

	if (h->n == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 64;
		h->items = mem_resize(h->items, h->cap, sizeof *h->items);
	}
	for (i = h->n++; i > 0 && h->items[(i - 1) / 2].when > when;
	    i = (i - 1) / 2)
		h->items[i] = h->items[(i - 1) / 2];
	h->items[i] = (struct heap_item){when, id};
}

bool
heap_min(const struct heap *h, struct heap_item *out)
{
	if (h->n == 0)
		return false;
	*out = h->items[0];
	return true;
}

void
heap_pop(struct heap *h)
{
	struct heap_item last;
	size_t i = 0;

	assert(h->n > 0);
	last = h->items[--h->n];
	for (;;) {
		size_t c = 2 * i + 1;

		if (c >= h->n)
			break;
		if (c + 1 < h->n && h->items[c + 1].when < h->items[c].when)
			c++;
		if (h->items[c].when >= last.when)
			break;
		h->items[i] = h->items[c];
		i = c;
	}
	h->items[i] = last;
}

void
heap_free(struct heap *h)
{
	free(h->items);
	*h = (struct heap){0};
}
