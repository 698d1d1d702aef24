/* lib/heap.h - priority queue of (time, id), smallest time first.
 *
 * {0} is a valid empty heap.  16 bytes an entry. */
#ifndef LIB_HEAP_H
#define LIB_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_item {
	int64_t when;
	uint64_t id;
};

struct heap {
	struct heap_item *items;
	size_t n, cap;
};

void heap_put(struct heap *, int64_t when, uint64_t id);
bool heap_min(const struct heap *, struct heap_item *out);
void heap_pop(struct heap *);           /* drops the smallest */
void heap_free(struct heap *);

#endif
