/* tls/provider.c - an OpenSSL provider that signs by asking keyd; see
 * provider.h.
 *
 * libssl wants of a private key that it says its type, size and group, that it
 * matches its certificate, and that it signs.  All but signing is passed on
 * to the public key inside.  Exporting a private half fails: that is how
 * libcrypto learns to use this provider for signing and not its own. */
#include "tls/provider.h"

#include "tls/keyproto.h"
#include "tls/keyring.h"

#include <errno.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "valija"
#define PROPERTY "provider=" NAME

/* The one thing that is not passed through calls: see provider.h. */
static struct {
	int fd;
	int error;
} asker = {.fd = -1};

struct remote {
	EVP_PKEY *pub;
	unsigned char id[KEYPROTO_ID];
	enum keyproto_type type;
};

struct signer {
	const struct remote *key;
	char digest[16];
	bool pss;
};

/* A dispatch table holds functions of all kinds as one kind. */
#define ENTRY(number, f) {number, (void (*)(void))f}

void
provider_connect(int keyd)
{
	if (asker.fd >= 0)
		(void)close(asker.fd);
	asker.fd = keyd;
	asker.error = 0;
}

int
provider_errno(void)
{
	return asker.error;
}

/* ---- keys ---- */

static void *
key_new(void *provctx)
{
	(void)provctx;
	return calloc(1, sizeof(struct remote));
}

static void
key_free(void *key)
{
	struct remote *k = key;

	if (k != NULL)
		EVP_PKEY_free(k->pub);
	free(k);
}

static int
key_has(const void *key, int selection)
{
	const struct remote *k = key;

	(void)selection;
	return k->pub != NULL;
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct remote *x = a, *y = b;

	(void)selection;
	return x->pub != NULL && y->pub != NULL &&
	    EVP_PKEY_eq(x->pub, y->pub) == 1;
}

static int
import(struct remote *k, const char *type, const OSSL_PARAM params[])
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type,
	    "provider=default");
	union {
		const OSSL_PARAM *in;
		OSSL_PARAM *out;
	} u = {.in = params};           /* read only, says fromdata */
	int ok = c != NULL && EVP_PKEY_fromdata_init(c) == 1 &&
	    EVP_PKEY_fromdata(c, &k->pub, EVP_PKEY_PUBLIC_KEY, u.out) == 1 &&
	    key_type(k->pub, &k->type) == 0 && key_id(k->pub, k->id) == 0;

	EVP_PKEY_CTX_free(c);
	return ok;
}

static int
import_ec(void *key, int selection, const OSSL_PARAM params[])
{
	(void)selection;
	return import(key, "EC", params);
}

static int
import_rsa(void *key, int selection, const OSSL_PARAM params[])
{
	(void)selection;
	return import(key, "RSA", params);
}

static int
import_ed(void *key, int selection, const OSSL_PARAM params[])
{
	(void)selection;
	return import(key, "ED25519", params);
}

static const OSSL_PARAM *
key_parts(int selection)
{
	static const OSSL_PARAM parts[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_END
	};

	(void)selection;
	return parts;
}

static int
key_export(void *key, int selection, OSSL_CALLBACK *cb, void *arg)
{
	const struct remote *k = key;
	OSSL_PARAM *params = NULL;
	int ok;

	if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY || k->pub == NULL ||
	    EVP_PKEY_todata(k->pub, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return 0;
	ok = cb(params, arg);
	OSSL_PARAM_free(params);
	return ok;
}

static int
key_get(void *key, OSSL_PARAM params[])
{
	const struct remote *k = key;

	return k->pub != NULL && EVP_PKEY_get_params(k->pub, params) == 1;
}

static const OSSL_PARAM *
key_gettable(void *provctx)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL,
		    0),
		OSSL_PARAM_END
	};

	(void)provctx;
	return list;
}

static const char *
signs_ec(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

static const char *
signs_rsa(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "RSA" : NULL;
}

static const char *
signs_ed(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ED25519" : NULL;
}

#define KEYMGMT(table, importer, signs)                                       \
	static const OSSL_DISPATCH table[] = {                                \
		ENTRY(OSSL_FUNC_KEYMGMT_NEW, key_new),                        \
		ENTRY(OSSL_FUNC_KEYMGMT_FREE, key_free),                      \
		ENTRY(OSSL_FUNC_KEYMGMT_HAS, key_has),                        \
		ENTRY(OSSL_FUNC_KEYMGMT_MATCH, key_match),                    \
		ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, importer),                    \
		ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_parts),             \
		ENTRY(OSSL_FUNC_KEYMGMT_EXPORT, key_export),                  \
		ENTRY(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_parts),             \
		ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get),                 \
		ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),       \
		ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, signs),         \
		{0, NULL}                                                     \
	}

KEYMGMT(keymgmt_ec, import_ec, signs_ec);
KEYMGMT(keymgmt_rsa, import_rsa, signs_rsa);
KEYMGMT(keymgmt_ed, import_ed, signs_ed);

/* ---- signatures ---- */

static void *
signer_new(void *provctx, const char *propq)
{
	(void)provctx;
	(void)propq;
	return calloc(1, sizeof(struct signer));
}

static void
signer_free(void *signer)
{
	free(signer);
}

/* The padding comes as a word or as a number, as the caller's API has it.
 * Everything else has one value in TLS. */
static int
signer_set(void *signer, const OSSL_PARAM params[])
{
	struct signer *s = signer;
	const OSSL_PARAM *p;
	int pad;

	if (params == NULL)
		return 1;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (p == NULL)
		return 1;
	if (p->data_type == OSSL_PARAM_UTF8_STRING) {
		const char *word = p->data;

		pad = strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0 ?
		    RSA_PKCS1_PSS_PADDING :
		    strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ?
		    RSA_PKCS1_PADDING : 0;
	} else if (OSSL_PARAM_get_int(p, &pad) != 1) {
		return 0;
	}
	s->pss = pad == RSA_PKCS1_PSS_PADDING;
	return pad == RSA_PKCS1_PSS_PADDING || pad == RSA_PKCS1_PADDING;
}

static const OSSL_PARAM *
signer_settable(void *signer, void *provctx)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL,
		    0),
		OSSL_PARAM_END
	};

	(void)signer;
	(void)provctx;
	return list;
}

static int
signer_init(void *signer, const char *digest, void *key,
    const OSSL_PARAM params[])
{
	struct signer *s = signer;
	const struct remote *k = key;
	EVP_MD *md;

	if (k == NULL)
		k = s->key;
	if (k == NULL || k->pub == NULL)
		return 0;
	*s = (struct signer){.key = k};
	if (k->type == KEYPROTO_ED25519)
		return signer_set(s, params);
	/* "SHA2-256" and "SHA256" are one. */
	md = EVP_MD_fetch(NULL, digest != NULL ? digest : "SHA256", NULL);
	for (const char *const *d = (const char *const[]){"SHA256", "SHA384",
	    "SHA512", NULL}; md != NULL && *d != NULL; d++)
		if (EVP_MD_is_a(md, *d))
			memcpy(s->digest, *d, strlen(*d) + 1);
	EVP_MD_free(md);
	return s->digest[0] != '\0' && signer_set(s, params);
}

static int
signer_sign(void *signer, unsigned char *sig, size_t *n_out, size_t room,
    const unsigned char *message, size_t n)
{
	const struct signer *s = signer;
	unsigned char md[EVP_MAX_MD_SIZE], answer[KEYPROTO_SIGNATURE];
	struct keyproto q = {.sign = true, .data = message, .n = n};
	size_t got;

	if (sig == NULL) {
		int size = EVP_PKEY_get_size(s->key->pub);

		*n_out = size > 0 ? (size_t)size : 0;
		return size > 0;
	}
	q.scheme = keyproto_find(s->key->type, s->digest, s->pss);
	memcpy(q.id, s->key->id, sizeof q.id);
	if (q.scheme == NULL)
		return 0;
	if (q.scheme->bytes > 0) {
		if (EVP_Q_digest(NULL, s->digest, NULL, message, n, md,
		    &q.n) != 1 || q.n != q.scheme->bytes)
			return 0;
		q.data = md;
	}
	if (asker.fd < 0)
		errno = ENOTCONN;
	if (asker.fd < 0 || keyproto_sign(asker.fd, &q, answer, &got) < 0) {
		asker.error = errno;
		return 0;
	}
	if (got > room)
		return 0;
	memcpy(sig, answer, got);
	*n_out = got;
	return 1;
}

static const OSSL_DISPATCH signature[] = {
	ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, signer_new),
	ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, signer_free),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signer_init),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signer_sign),
	ENTRY(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signer_set),
	ENTRY(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signer_settable),
	{0, NULL}
};

/* ---- the provider ---- */

static const OSSL_ALGORITHM *
query(void *provctx, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM keys[] = {
		{"EC:id-ecPublicKey:1.2.840.10045.2.1", PROPERTY, keymgmt_ec,
		    NULL},
		{"RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTY,
		    keymgmt_rsa, NULL},
		{"ED25519:1.3.101.112", PROPERTY, keymgmt_ed, NULL},
		{NULL, NULL, NULL, NULL}
	};
	static const OSSL_ALGORITHM signatures[] = {
		{"ECDSA", PROPERTY, signature, NULL},
		{"RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTY,
		    signature, NULL},
		{"ED25519:1.3.101.112", PROPERTY, signature, NULL},
		{NULL, NULL, NULL, NULL}
	};

	(void)provctx;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT ? keys :
	    operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int
init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provctx)
{
	static const OSSL_DISPATCH functions[] = {
		ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
		{0, NULL}
	};

	(void)handle;
	(void)in;
	*out = functions;
	*provctx = &asker;
	return 1;
}

int
provider_load(void)
{
	return OSSL_PROVIDER_load(NULL, "default") != NULL &&
	    OSSL_PROVIDER_add_builtin(NULL, NAME, init) == 1 &&
	    OSSL_PROVIDER_load(NULL, NAME) != NULL ? 0 : -1;
}

EVP_PKEY *
provider_key_copy(EVP_PKEY *pub)
{
	const char *type = EVP_PKEY_get0_type_name(pub);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, PROPERTY);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *k = NULL;

	if (c != NULL && EVP_PKEY_fromdata_init(c) == 1 &&
	    EVP_PKEY_todata(pub, EVP_PKEY_PUBLIC_KEY, &params) == 1 &&
	    EVP_PKEY_fromdata(c, &k, EVP_PKEY_KEYPAIR, params) != 1)
		k = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(c);
	return k;
}
