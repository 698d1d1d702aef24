/* tls/pair.h - a certificate with its key: read, checked, made, described. */
#ifndef TLS_PAIR_H
#define TLS_PAIR_H

#include "lib/str.h"
#include "tls/keyproto.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#define PAIR_DAYS 825           /* of a self-made one: more is refused by
                                 * some clients, even from who trusts it */
#define PAIR_SOON 7             /* days before the end when it is said */

struct pair {
	X509 *leaf;
	STACK_OF(X509) *chain;
	EVP_PKEY *key;                  /* NULL: only the certificate is here */
	enum keyproto_type type;
	unsigned char id[KEYPROTO_ID];
	struct str certificate_pem, key_pem;    /* as they will be stored */
};
void pair_free(struct pair *);

/* Reads both files.  0, or -1 and why: a text for a person. */
__attribute__((warn_unused_result))
int pair_read(struct pair *, const char *certificate, const char *key,
    struct str *why);
/* What may not be installed: -1 and why.  What deserves a word: appended to
 * warnings, each ended by LF. */
__attribute__((warn_unused_result))
int pair_check(const struct pair *, const char *name, int64_t now,
    struct str *why, struct str *warnings);
/* Makes a key and a certificate signed by itself, good for PAIR_DAYS. */
__attribute__((warn_unused_result))
int pair_make(struct pair *, const char *name, enum keyproto_type);

/* A certificate's facts as text or as one JSON object, without LF. */
struct pair_shown {
	const char *name, *kind;
	bool standard, self_signed, json;
	int64_t now;
};
void pair_cat(struct str *out, const struct pair *, const struct pair_shown *);

#endif
