/* tls/keyring.h - the private keys that keyd holds, by what they sign for.
 *
 * A key that is in no generation any more stays for KEYRING_STAY_MS, and as
 * long as no second load came: handshakes under way and a tlsd that kept the
 * generation before need it. */
#ifndef TLS_KEYRING_H
#define TLS_KEYRING_H

#include "tls/keyproto.h"

#include <openssl/evp.h>

#define KEYRING_MAX 10000               /* keys */
#define KEYRING_FILE 16384              /* bytes of a key file */
#define KEYRING_STAY_MS (10 * 60 * 1000)

struct key {
	unsigned char id[KEYPROTO_ID];
	EVP_PKEY *pkey;
	enum keyproto_type type;
	unsigned seen;                  /* the last load that had it */
	int64_t seen_ms;                /* when it was last in one */
};

struct keyring {
	struct key *keys;
	size_t n, cap;
	unsigned loads;
};

/* Loads every file of the directory.  A file that holds no usable key is
 * logged and passed over.  How many keys it had; -1 with errno when the
 * directory cannot be read, and the ring is as it was. */
__attribute__((warn_unused_result))
int keyring_load(struct keyring *, const char *dir, int64_t now_ms);
const struct key *keyring_find(const struct keyring *,
    const unsigned char id[KEYPROTO_ID]);
/* sig of KEYPROTO_SIGNATURE bytes. */
__attribute__((warn_unused_result))
enum keyproto_answer keyring_sign(const struct keyring *,
    const struct keyproto *, unsigned char *sig, size_t *n_out);
void keyring_free(struct keyring *);

/* EC P-256, P-384, RSA of 2048 to 8192 bits, Ed25519: 0, or -1 for others. */
__attribute__((warn_unused_result))
int key_type(const EVP_PKEY *, enum keyproto_type *out);
__attribute__((warn_unused_result))
int key_id(const EVP_PKEY *, unsigned char out[KEYPROTO_ID]);

#endif
