/* lib/hash.c - SipHash-2-4, incremental, after the paper by Aumasson and
 * Bernstein (2012); its appendix's vector is the unit test. */
#include "lib/hash.h"

#include <endian.h>
#include <string.h>

static uint64_t
rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static void
rounds(struct hash *h, int n)
{
	while (n-- > 0) {
		h->v0 += h->v1;
		h->v1 = rotl(h->v1, 13) ^ h->v0;
		h->v0 = rotl(h->v0, 32);
		h->v2 += h->v3;
		h->v3 = rotl(h->v3, 16) ^ h->v2;
		h->v0 += h->v3;
		h->v3 = rotl(h->v3, 21) ^ h->v0;
		h->v2 += h->v1;
		h->v1 = rotl(h->v1, 17) ^ h->v2;
		h->v2 = rotl(h->v2, 32);
	}
}

static void
word(struct hash *h, const unsigned char *p)
{
	uint64_t m;

	memcpy(&m, p, sizeof m);
	m = le64toh(m);
	h->v3 ^= m;
	rounds(h, 2);
	h->v0 ^= m;
}

void
hash_init(struct hash *h, uint64_t k0, uint64_t k1)
{
	h->v0 = k0 ^ UINT64_C(0x736f6d6570736575);
	h->v1 = k1 ^ UINT64_C(0x646f72616e646f6d);
	h->v2 = k0 ^ UINT64_C(0x6c7967656e657261);
	h->v3 = k1 ^ UINT64_C(0x7465646279746573);
	h->total = 0;
	h->ntail = 0;
}

void
hash_add(struct hash *h, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	h->total += n;
	while (n > 0 && h->ntail > 0 && h->ntail < 8) {
		h->tail[h->ntail++] = *p++;
		n--;
	}
	if (h->ntail == 8) {
		word(h, h->tail);
		h->ntail = 0;
	}
	for (; n >= 8; n -= 8, p += 8)
		word(h, p);
	while (n > 0) {
		h->tail[h->ntail++] = *p++;
		n--;
	}
}

static void
last_word(struct hash *h)
{
	while (h->ntail < 7)
		h->tail[h->ntail++] = 0;
	h->tail[7] = (unsigned char)h->total;
	word(h, h->tail);
}

static uint64_t
finish(struct hash *h)
{
	rounds(h, 4);
	return h->v0 ^ h->v1 ^ h->v2 ^ h->v3;
}

uint64_t
hash_end(struct hash *h)
{
	last_word(h);
	h->v2 ^= 0xff;
	return finish(h);
}

void
hash_init128(struct hash *h, uint64_t k0, uint64_t k1)
{
	hash_init(h, k0, k1);
	h->v1 ^= 0xee;
}

void
hash_end128(struct hash *h, uint64_t out[2])
{
	last_word(h);
	h->v2 ^= 0xee;
	out[0] = finish(h);
	h->v1 ^= 0xdd;
	out[1] = finish(h);
}
