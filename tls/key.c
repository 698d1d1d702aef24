/* tls/key.c - which keys we use, and their id; see keyring.h. */
#include "tls/keyring.h"

#include <openssl/core_names.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <string.h>

int
key_type(const EVP_PKEY *k, enum keyproto_type *out)
{
	char group[32];

	if (EVP_PKEY_is_a(k, "RSA")) {
		int bits = EVP_PKEY_get_bits(k);

		*out = KEYPROTO_RSA;
		return bits >= 2048 && bits <= 8192 ? 0 : -1;
	}
	if (EVP_PKEY_is_a(k, "ED25519")) {
		*out = KEYPROTO_ED25519;
		return 0;
	}
	*out = KEYPROTO_EC;
	if (!EVP_PKEY_is_a(k, "EC") || EVP_PKEY_get_utf8_string_param(k,
	    OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, NULL) != 1)
		return -1;
	return strcmp(group, "prime256v1") == 0 ||
	    strcmp(group, "secp384r1") == 0 ? 0 : -1;
}

int
key_id(const EVP_PKEY *k, unsigned char out[KEYPROTO_ID])
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(k, &der);

	if (n <= 0)
		return -1;
	(void)SHA256(der, (size_t)n, out);
	OPENSSL_free(der);
	return 0;
}
