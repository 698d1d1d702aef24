/* tls/certs.h - one generation of certificates, ready for handshakes.
 *
 * Contexts by NAME; a client's name is only ever looked up in this table. */
#ifndef TLS_CERTS_H
#define TLS_CERTS_H

#include "lib/map.h"
#include "lib/str.h"
#include "tls/context.h"

#include <openssl/x509.h>

#define CERTS_FILE 65536                /* bytes of a certificate and chain */
#define CERTS_CHAIN 10                  /* certificates */

struct certs {
	struct map sites;               /* NAME to SSL_CTX */
	SSL_CTX *standard;              /* for unknown names; owned by sites */
	uint64_t generation;
	size_t missing;                 /* keys that keyd does not have */
	size_t unusable;                /* files with something wrong: logged */
};

/* The generation that is current below home; asks keyd about every key.
 * NULL with errno: there is none, or keyd does not answer. */
struct certs *certs_load(const char *home, struct tickets *, int keyd);
/* The context for what a client asked for. */
SSL_CTX *certs_find(const struct certs *, const char *name, size_t n);
void certs_free(struct certs *);

/* Reads the leaf and its chain from PEM text: 0, or -1 and *why, a constant
 * text.  The caller frees both. */
__attribute__((warn_unused_result))
int certs_parse(const char *pem, size_t n, X509 **leaf_out,
    STACK_OF(X509) **chain_out, const char **why);

#endif
