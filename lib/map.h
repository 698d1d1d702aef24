/* lib/map.h - hash table from byte strings (or 64-bit ids) to pointers.
 *
 * {0} is a valid empty map; the hash key is random per process, so no
 * stranger's input makes it slow.  The map owns copies of its keys, never
 * what the values point to.  With nocase, ASCII letters compare equal. */
#ifndef LIB_MAP_H
#define LIB_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot;
struct map {
	struct map_slot *slots;
	size_t cap, used, live;
	bool nocase;
};

void map_set(struct map *, const void *key, size_t n, void *value);
/* The value, NULL when absent (store no NULLs). */
void *map_get(const struct map *, const void *key, size_t n);
void map_del(struct map *, const void *key, size_t n);
void map_set_id(struct map *, uint64_t id, void *value);
void *map_get_id(const struct map *, uint64_t id);
void map_del_id(struct map *, uint64_t id);
/* Walk: start with *at = 0; false at the end.  Do not change it meanwhile. */
bool map_next(const struct map *, size_t *at, const char **key, size_t *n,
    void **value);
void map_free(struct map *);

#endif
