/* tls/pair.c - reading and checking a certificate and its key; see pair.h.
 *
 * The files are the administrator's and have passed through a CA's hands: what
 * is wrong with them is said in words, before anything is switched. */
#include "tls/pair.h"

#include "lib/fs.h"
#include "tls/certs.h"
#include "tls/keyring.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY (24 * 60 * 60)
#define WEAK_BITS 112           /* what libssl refuses at its level 2 */

void
pair_free(struct pair *p)
{
	X509_free(p->leaf);
	sk_X509_pop_free(p->chain, X509_free);
	EVP_PKEY_free(p->key);
	str_free(&p->certificate_pem);
	if (p->key_pem.s != NULL)
		explicit_bzero(p->key_pem.s, p->key_pem.cap);
	str_free(&p->key_pem);
	*p = (struct pair){0};
}

static int
no_password(char *buf, int size, int rw, void *arg)
{
	(void)buf;
	(void)size;
	(void)rw;
	(void)arg;
	return -1;
}

static int
read_key(struct pair *p, const char *path, struct str *why)
{
	BIO *b;

	if (fs_read(path, &p->key_pem, KEYRING_FILE) < 0) {
		str_catf(why, "unable to read %s: %s", path, strerror(errno));
		return -1;
	}
	b = BIO_new_mem_buf(str_c(&p->key_pem), (int)p->key_pem.len);
	if (b != NULL)
		p->key = PEM_read_bio_PrivateKey(b, NULL, no_password, NULL);
	BIO_free(b);
	ERR_clear_error();
	if (p->key != NULL)
		return 0;
	str_catf(why, "unable to use %s: no unencrypted private key in PEM",
	    path);
	return -1;
}

int
pair_read(struct pair *p, const char *certificate, const char *key,
    struct str *why)
{
	const char *reason;

	if (fs_read(certificate, &p->certificate_pem, CERTS_FILE) < 0) {
		str_catf(why, "unable to read %s: %s", certificate,
		    strerror(errno));
		return -1;
	}
	if (certs_parse(str_c(&p->certificate_pem), p->certificate_pem.len,
	    &p->leaf, &p->chain, &reason) < 0) {
		str_catf(why, "unable to use %s: %s", certificate, reason);
		return -1;
	}
	if (key_type(X509_get0_pubkey(p->leaf), &p->type) < 0 ||
	    key_id(X509_get0_pubkey(p->leaf), p->id) < 0) {
		str_catf(why, "unable to use %s: its key is neither EC P-256, "
		    "P-384, RSA of 2048 to 8192 bits, nor Ed25519",
		    certificate);
		return -1;
	}
	/* What goes to a place all may read holds nothing but certificates. */
	if (strstr(str_c(&p->certificate_pem), "PRIVATE KEY-----") != NULL) {
		str_catf(why, "unable to use %s: it holds a private key",
		    certificate);
		return -1;
	}
	return key != NULL ? read_key(p, key, why) : 0;
}

static int
check_match(const struct pair *p, struct str *why)
{
	if (EVP_PKEY_eq(X509_get0_pubkey(p->leaf), p->key) == 1)
		return 0;
	for (int i = 0; i < sk_X509_num(p->chain); i++)
		if (EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(p->chain, i)),
		    p->key) == 1) {
			str_cats(why, "the certificate of the key must come "
			    "first in its file");
			return -1;
		}
	str_cats(why, "the key does not belong to the certificate");
	return -1;
}

static int
check_strength(X509 *x, const char *which, struct str *why)
{
	int bits = 0;

	if (X509_get_signature_info(x, NULL, NULL, &bits, NULL) == 1 &&
	    bits < WEAK_BITS) {
		str_catf(why, "%s is signed too weakly", which);
		return -1;
	}
	return 0;
}

/* Each certificate must be signed by the next. */
static int
check_chain(const struct pair *p, struct str *why)
{
	X509 *x = p->leaf;

	for (int i = 0; i < sk_X509_num(p->chain); i++) {
		X509 *issuer = sk_X509_value(p->chain, i);

		if (X509_check_issued(issuer, x) != X509_V_OK ||
		    X509_verify(x, X509_get0_pubkey(issuer)) != 1) {
			ERR_clear_error();
			str_catf(why, "the chain is out of order: certificate "
			    "%d did not sign certificate %d", i + 2, i + 1);
			return -1;
		}
		x = issuer;
	}
	return 0;
}

static void
warn_names(const struct pair *p, const char *name, struct str *out)
{
	struct str host = {0};

	/* A wildcard stands for any one label. */
	if (strncmp(name, "*.", 2) == 0)
		str_catf(&host, "any%s", name + 1);
	else
		str_copys(&host, name);
	if (X509_check_host(p->leaf, str_c(&host), host.len, 0, NULL) != 1)
		str_catf(out, "the certificate does not name %s\n", name);
	str_free(&host);
}

static void
warn_dates(const X509 *x, const char *which, int64_t now, struct str *out)
{
	time_t soon = (time_t)now + PAIR_SOON * DAY, t = (time_t)now;

	if (X509_cmp_time(X509_get0_notBefore(x), &t) > 0)
		str_catf(out, "%s is not valid yet\n", which);
	if (X509_cmp_time(X509_get0_notAfter(x), &t) < 0)
		str_catf(out, "%s has expired\n", which);
	else if (X509_cmp_time(X509_get0_notAfter(x), &soon) < 0)
		str_catf(out, "%s expires in less than %d days\n", which,
		    PAIR_SOON);
}

static bool
self_issued(const X509 *x)
{
	return X509_NAME_cmp(X509_get_subject_name(x),
	    X509_get_issuer_name(x)) == 0;
}

int
pair_check(const struct pair *p, const char *name, int64_t now,
    struct str *why, struct str *warnings)
{
	if (check_match(p, why) < 0 || check_chain(p, why) < 0 ||
	    check_strength(p->leaf, "the certificate", why) < 0)
		return -1;
	warn_names(p, name, warnings);
	warn_dates(p->leaf, "the certificate", now, warnings);
	for (int i = 0; i < sk_X509_num(p->chain); i++) {
		X509 *x = sk_X509_value(p->chain, i);

		warn_dates(x, "a certificate of the chain", now, warnings);
		if (!self_issued(x) && check_strength(x,
		    "a certificate of the chain", why) < 0)
			return -1;
	}
	if (sk_X509_num(p->chain) == 0 && !self_issued(p->leaf))
		str_cats(warnings, "the certificate comes without its chain: "
		    "others may be unable to verify it\n");
	return 0;
}
