/* vpop/digest.h - MD5, SHA-1 and SHA-256 (RFC 1321, 3174, 6234), and HMAC over
 * them (RFC 2104): for passwords as others have stored or sent them.  Not for
 * anything new but the key of a cache (SHA-256). */
#ifndef VPOP_DIGEST_H
#define VPOP_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_MAX 32           /* bytes of the longest */

enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256 };

struct digest {
	enum digest_kind kind;
	uint32_t h[8];
	uint64_t total;         /* bytes */
	unsigned char block[64];
	size_t n;               /* bytes in block */
};

void digest_init(struct digest *, enum digest_kind);
void digest_add(struct digest *, const void *bytes, size_t n);
/* Bytes written to out: 16, 20 or 32.  Wipes the struct. */
size_t digest_end(struct digest *, unsigned char out[DIGEST_MAX]);
size_t digest_hmac(enum digest_kind, const void *key, size_t nkey,
    const void *bytes, size_t n, unsigned char out[DIGEST_MAX]);

#endif
