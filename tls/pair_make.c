/* tls/pair_make.c - certificates that sign themselves; see pair.h. */
#include "tls/pair.h"

#include "tls/keyring.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define DAY (24 * 60 * 60)
#define BACKDATED (60 * 60)     /* s: clocks of others */
#define LIFE ((long)PAIR_DAYS * DAY - BACKDATED)

static int
add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX c;
	int ok;

	X509V3_set_ctx(&c, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
	ok = e != NULL && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

/* name was checked: it cannot add words to what is parsed here. */
static int
fill(X509 *x, EVP_PKEY *key, const char *name)
{
	unsigned char serial[16];
	struct str san = {0};
	BIGNUM *b = NULL;
	int ok;

	str_catf(&san, "DNS:%s", name);
	ok = RAND_bytes(serial, sizeof serial) == 1;
	serial[0] &= 0x7f;
	b = BN_bin2bn(serial, sizeof serial, NULL);
	ok = ok && b != NULL && X509_set_version(x, X509_VERSION_3) == 1 &&
	    BN_to_ASN1_INTEGER(b, X509_get_serialNumber(x)) != NULL &&
	    X509_gmtime_adj(X509_getm_notBefore(x), -BACKDATED) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(x), LIFE) !=
	    NULL && X509_set_pubkey(x, key) == 1 &&
	    /* a common name has no room for more */
	    (san.len > 64 + 4 || X509_NAME_add_entry_by_NID(
	    X509_get_subject_name(x), NID_commonName, MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0) == 1) &&
	    X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 &&
	    add_extension(x, NID_subject_alt_name, str_c(&san)) &&
	    add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(x, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(x, NID_ext_key_usage, "serverAuth,clientAuth") &&
	    add_extension(x, NID_subject_key_identifier, "hash") &&
	    X509_sign(x, key, EVP_sha256()) > 0;
	BN_free(b);
	str_free(&san);
	return ok;
}

static int
take_bio(BIO *b, struct str *out)
{
	char *text;
	long n = BIO_get_mem_data(b, &text);

	if (n <= 0)
		return 0;
	str_copyb(out, text, (size_t)n);
	return 1;
}

int
pair_make(struct pair *p, const char *name, enum keyproto_type type)
{
	BIO *cert = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_secmem());
	int ok;

	p->type = type;
	p->key = type == KEYPROTO_RSA ? EVP_RSA_gen(2048) :
	    EVP_EC_gen("P-256");
	p->leaf = X509_new();
	p->chain = sk_X509_new_null();
	ok = cert != NULL && key != NULL && p->key != NULL &&
	    p->leaf != NULL && p->chain != NULL &&
	    fill(p->leaf, p->key, name) && key_id(p->key, p->id) == 0 &&
	    PEM_write_bio_X509(cert, p->leaf) == 1 &&
	    PEM_write_bio_PrivateKey(key, p->key, NULL, NULL, 0, NULL,
	    NULL) == 1 && take_bio(cert, &p->certificate_pem) &&
	    take_bio(key, &p->key_pem);
	BIO_free(cert);
	BIO_free(key);
	ERR_clear_error();
	return ok ? 0 : -1;
}
