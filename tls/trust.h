/* tls/trust.h - what a peer must prove, and what it proved. */
#ifndef TLS_TRUST_H
#define TLS_TRUST_H

#include "lib/tlsreq.h"

#include <openssl/ssl.h>

/* Sets the session up as the request demands, before the handshake.
 * *demands_out: a peer that proves nothing fails the handshake.  0, or -1
 * when libssl refuses. */
__attribute__((warn_unused_result))
int trust_demand(SSL *, const struct tlsreq *, X509_STORE *public_cas,
    bool *demands_out);
/* Fills peer, fingerprint, verified, and reason when it was not verified. */
void trust_tell(SSL *, const struct tlsreq *, struct tlsfacts *);
/* Whether an SSL handshake's server name may be this text (no address). */
bool trust_sni_fits(const char *name);

#endif
