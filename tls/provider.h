/* tls/provider.h - keys that libssl can use though they are not here.
 *
 * An OpenSSL provider whose EC, RSA and Ed25519 keys consist of the public
 * half; signing asks keyd.  There is no way to decrypt, and no private byte.
 * One connection to keyd serves the whole process, because libcrypto hands a
 * provider nothing of its caller's. */
#ifndef TLS_PROVIDER_H
#define TLS_PROVIDER_H

#include <openssl/evp.h>

/* Once, before any use of libssl: loads libcrypto's own provider, then this
 * one, so that everything else keeps using the former.  0 or -1. */
__attribute__((warn_unused_result))
int provider_load(void);
/* A key as good as private whose public half is pub; NULL on failure.  The
 * caller frees. */
EVP_PKEY *provider_key_copy(EVP_PKEY *pub);
/* The connection to ask from now on, in place of the one before, which is
 * closed; -1: none.  It is the provider's. */
void provider_connect(int keyd);
/* errno of the last signature that failed, 0 when none did. */
int provider_errno(void);

#endif
