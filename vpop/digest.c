/* vpop/digest.c - three digests with one shape: blocks of 64 bytes, words of
 * 32 bits, the length at the end; see digest.h. */
#include "vpop/digest.h"

#include <string.h>

static uint32_t
rotl(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static uint32_t
rotr(uint32_t x, unsigned n)
{
	return rotl(x, 32 - n);
}

static uint32_t
word_le(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static uint32_t
word_be(const unsigned char *p)
{
	return (uint32_t)p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[0] << 24;
}

/* floor(2^32 * abs(sin(i + 1))), 1321:3.4 */
static const uint32_t md5_k[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a,
	0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
	0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
	0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
	0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
	0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
	0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
	0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
	0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static void
md5_block(uint32_t h[8], const unsigned char *p)
{
	static const unsigned char turn[4][4] = {
		{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23},
		{6, 10, 15, 21},
	};
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], f;
	unsigned g;

	for (unsigned i = 0; i < 64; i++) {
		if (i < 16) {
			f = (b & c) | (~b & d);
			g = i;
		} else if (i < 32) {
			f = (d & b) | (~d & c);
			g = (5 * i + 1) % 16;
		} else if (i < 48) {
			f = b ^ c ^ d;
			g = (3 * i + 5) % 16;
		} else {
			f = c ^ (b | ~d);
			g = 7 * i % 16;
		}
		f += a + md5_k[i] + word_le(p + (size_t)4 * g);
		a = d;
		d = c;
		c = b;
		b += rotl(f, turn[i / 16][i % 4]);
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
}

static void
sha1_block(uint32_t h[8], const unsigned char *p)
{
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], w[80], t;

	for (unsigned i = 0; i < 80; i++)
		w[i] = i < 16 ? word_be(p + (size_t)4 * i) :
		    rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (unsigned i = 0; i < 80; i++) {
		if (i < 20)
			t = ((b & c) | (~b & d)) + 0x5a827999;
		else if (i < 40)
			t = (b ^ c ^ d) + 0x6ed9eba1;
		else if (i < 60)
			t = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
		else
			t = (b ^ c ^ d) + 0xca62c1d6;
		t += rotl(a, 5) + e + w[i];
		e = d;
		d = c;
		c = rotl(b, 30);
		b = a;
		a = t;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
	explicit_bzero(w, sizeof w);
}

/* The first 32 bits of the fractions of the cube roots of the first 64
 * primes, 6234:5.1 */
static const uint32_t sha256_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static void
sha256_block(uint32_t h[8], const unsigned char *p)
{
	uint32_t v[8], w[64];

	for (unsigned i = 0; i < 64; i++) {
		if (i < 16) {
			w[i] = word_be(p + (size_t)4 * i);
			continue;
		}
		w[i] = w[i - 16] + w[i - 7] +
		    (rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^
		    w[i - 15] >> 3) + (rotr(w[i - 2], 17) ^
		    rotr(w[i - 2], 19) ^ w[i - 2] >> 10);
	}
	memcpy(v, h, sizeof v);
	for (unsigned i = 0; i < 64; i++) {
		uint32_t t1 = v[7] + (rotr(v[4], 6) ^ rotr(v[4], 11) ^
		    rotr(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) +
		    sha256_k[i] + w[i];
		uint32_t t2 = (rotr(v[0], 2) ^ rotr(v[0], 13) ^
		    rotr(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^
		    (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof *v);
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (unsigned i = 0; i < 8; i++)
		h[i] += v[i];
	explicit_bzero(w, sizeof w);
	explicit_bzero(v, sizeof v);
}

static void
block(struct digest *d, const unsigned char *p)
{
	switch (d->kind) {
	case DIGEST_MD5:
		md5_block(d->h, p);
		break;
	case DIGEST_SHA1:
		sha1_block(d->h, p);
		break;
	case DIGEST_SHA256:
		sha256_block(d->h, p);
		break;
	}
}

void
digest_init(struct digest *d, enum digest_kind kind)
{
	static const uint32_t start[8] = {0x67452301, 0xefcdab89, 0x98badcfe,
	    0x10325476, 0xc3d2e1f0};
	static const uint32_t start256[8] = {0x6a09e667, 0xbb67ae85,
	    0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
	    0x5be0cd19};

	*d = (struct digest){.kind = kind};
	memcpy(d->h, kind == DIGEST_SHA256 ? start256 : start, sizeof d->h);
}

void
digest_add(struct digest *d, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	d->total += n;
	while (n > 0) {
		size_t k = sizeof d->block - d->n;

		if (k > n)
			k = n;
		memcpy(d->block + d->n, p, k);
		d->n += k;
		p += k;
		n -= k;
		if (d->n == sizeof d->block) {
			block(d, d->block);
			d->n = 0;
		}
	}
}

size_t
digest_end(struct digest *d, unsigned char out[DIGEST_MAX])
{
	static const unsigned char pad[64] = {0x80};
	uint64_t bits = d->total * 8;
	unsigned char length[8];
	size_t words = d->kind == DIGEST_MD5 ? 4 : d->kind == DIGEST_SHA1 ? 5 :
	    8;

	for (unsigned i = 0; i < 8; i++)
		length[i] = (unsigned char)(bits >>
		    8 * (d->kind == DIGEST_MD5 ? i : 7 - i));
	digest_add(d, pad, 1 + (119 - d->n) % 64);
	digest_add(d, length, sizeof length);
	for (unsigned i = 0; i < 4 * words; i++)
		out[i] = (unsigned char)(d->h[i / 4] >>
		    8 * (d->kind == DIGEST_MD5 ? i % 4 : 3 - i % 4));
	explicit_bzero(d, sizeof *d);
	return 4 * words;
}

size_t
digest_hmac(enum digest_kind kind, const void *key, size_t nkey,
    const void *bytes, size_t n, unsigned char out[DIGEST_MAX])
{
	unsigned char k[64] = {0}, sum[DIGEST_MAX];
	struct digest d;
	size_t len;

	if (nkey > sizeof k) {
		digest_init(&d, kind);
		digest_add(&d, key, nkey);
		len = digest_end(&d, sum);
		memcpy(k, sum, len);
	} else if (nkey > 0) {
		memcpy(k, key, nkey);
	}
	for (unsigned i = 0; i < sizeof k; i++)
		k[i] ^= 0x36;
	digest_init(&d, kind);
	digest_add(&d, k, sizeof k);
	digest_add(&d, bytes, n);
	len = digest_end(&d, sum);
	for (unsigned i = 0; i < sizeof k; i++)
		k[i] ^= 0x36 ^ 0x5c;
	digest_init(&d, kind);
	digest_add(&d, k, sizeof k);
	digest_add(&d, sum, len);
	explicit_bzero(k, sizeof k);
	explicit_bzero(sum, sizeof sum);
	return digest_end(&d, out);
}
