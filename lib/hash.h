/* lib/hash.h - SipHash-2-4: for tables (random key) and as a checksum that
 * finds torn files (zero key; not against somebody who can write them). */
#ifndef LIB_HASH_H
#define LIB_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash {
	uint64_t v0, v1, v2, v3;
	uint64_t total;
	unsigned char tail[8];
	size_t ntail;
};

void hash_init(struct hash *, uint64_t k0, uint64_t k1);
void hash_add(struct hash *, const void *bytes, size_t n);
uint64_t hash_end(struct hash *);       /* once */

/* The same with a result of 128 bits, where it has to be a name of its own;
 * the bytes of out[0], the lowest first, and then those of out[1]. */
void hash_init128(struct hash *, uint64_t k0, uint64_t k1);
void hash_end128(struct hash *, uint64_t out[2]);       /* once */

#endif
