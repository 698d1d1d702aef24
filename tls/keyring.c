/* tls/keyring.c - loading private keys and signing; see keyring.h.
 *
 * The files are the administrator's; what is to be signed comes from a process
 * that may be in an attacker's hands, and was checked by keyproto_parse. */
#include "tls/keyring.h"

#include "lib/fs.h"
#include "lib/log.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

/* An encrypted key must not make a daemon ask at a terminal. */
static int
no_password(char *buf, int size, int rw, void *arg)
{
	(void)buf;
	(void)size;
	(void)rw;
	(void)arg;
	return -1;
}

static EVP_PKEY *
read_key(const char *path)
{
	struct str text = {0};
	EVP_PKEY *k = NULL;
	BIO *b;

	if (fs_read(path, &text, KEYRING_FILE) < 0) {
		log_sys("unable to read %s", path);
		return NULL;
	}
	b = BIO_new_mem_buf(str_c(&text), (int)text.len);
	if (b != NULL)
		k = PEM_read_bio_PrivateKey(b, NULL, no_password, NULL);
	BIO_free(b);
	ERR_clear_error();
	if (text.s != NULL)
		explicit_bzero(text.s, text.cap);
	str_free(&text);
	if (k == NULL)
		log_warn("unable to use %s: no unencrypted private key in PEM",
		    path);
	return k;
}

static struct key *
find(const struct keyring *r, const unsigned char id[KEYPROTO_ID])
{
	for (size_t i = 0; i < r->n; i++)
		if (memcmp(r->keys[i].id, id, KEYPROTO_ID) == 0)
			return &r->keys[i];
	return NULL;
}

const struct key *
keyring_find(const struct keyring *r, const unsigned char id[KEYPROTO_ID])
{
	return find(r, id);
}

/* Whether the file's key is in the ring now. */
static bool
add_file(struct keyring *r, const char *path, int64_t now_ms)
{
	struct key new = {.seen = r->loads, .seen_ms = now_ms};
	struct key *old;

	new.pkey = read_key(path);
	if (new.pkey == NULL)
		return false;
	if (key_type(new.pkey, &new.type) < 0 ||
	    key_id(new.pkey, new.id) < 0) {
		log_warn("unable to use %s: neither EC P-256, P-384, RSA of "
		    "2048 to 8192 bits, nor Ed25519", path);
		EVP_PKEY_free(new.pkey);
		return false;
	}
	old = find(r, new.id);
	if (old != NULL) {
		old->seen = new.seen;
		old->seen_ms = now_ms;
		EVP_PKEY_free(new.pkey);
		return true;
	}
	if (r->n == KEYRING_MAX) {
		log_warn("unable to use %s: too many keys", path);
		EVP_PKEY_free(new.pkey);
		return false;
	}
	if (r->n == r->cap) {
		r->cap = r->cap * 2 + 8;
		r->keys = mem_resize(r->keys, r->cap, sizeof *r->keys);
	}
	r->keys[r->n++] = new;
	return true;
}

static void
forget_old(struct keyring *r, int64_t now_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->keys[i].seen + 1 < r->loads &&
		    now_ms - r->keys[i].seen_ms > KEYRING_STAY_MS)
			EVP_PKEY_free(r->keys[i].pkey);
		else
			r->keys[kept++] = r->keys[i];
	r->n = kept;
}

int
keyring_load(struct keyring *r, const char *dir, int64_t now_ms)
{
	struct str path = {0};
	struct dirent *e;
	DIR *d = opendir(dir);
	int n = 0;

	if (d == NULL)
		return -1;
	/* What the load before had left the current generation now. */
	for (size_t i = 0; i < r->n; i++)
		if (r->keys[i].seen == r->loads)
			r->keys[i].seen_ms = now_ms;
	r->loads++;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		str_clear(&path);
		str_catf(&path, "%s/%s", dir, e->d_name);
		if (add_file(r, str_c(&path), now_ms))
			n++;
	}
	(void)closedir(d);
	str_free(&path);
	forget_old(r, now_ms);
	return n;
}

static bool
prepare(EVP_PKEY_CTX *c, const struct keyproto_scheme *s)
{
	const EVP_MD *md = EVP_get_digestbyname(s->digest);

	if (EVP_PKEY_sign_init(c) != 1 || md == NULL ||
	    EVP_PKEY_CTX_set_signature_md(c, md) != 1)
		return false;
	if (s->type != KEYPROTO_RSA)
		return true;
	if (!s->pss)
		return EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_mgf1_md(c, md) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool
sign_message(EVP_PKEY *k, const struct keyproto *q, unsigned char *sig,
    size_t *n)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c != NULL &&
	    EVP_DigestSignInit(c, NULL, NULL, NULL, k) == 1 &&
	    EVP_DigestSign(c, sig, n, q->data, q->n) == 1;

	EVP_MD_CTX_free(c);
	return ok;
}

static bool
sign_digest(EVP_PKEY *k, const struct keyproto *q, unsigned char *sig,
    size_t *n)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(k, NULL);
	bool ok = c != NULL && prepare(c, q->scheme) &&
	    EVP_PKEY_sign(c, sig, n, q->data, q->n) == 1;

	EVP_PKEY_CTX_free(c);
	return ok;
}

enum keyproto_answer
keyring_sign(const struct keyring *r, const struct keyproto *q,
    unsigned char *sig, size_t *n_out)
{
	const struct key *k = find(r, q->id);
	bool ok;

	if (k == NULL)
		return KEYPROTO_NO_KEY;
	if (q->scheme->type != k->type)
		return KEYPROTO_UNFIT;
	*n_out = KEYPROTO_SIGNATURE;
	if (k->type == KEYPROTO_ED25519)
		ok = sign_message(k->pkey, q, sig, n_out);
	else
		ok = sign_digest(k->pkey, q, sig, n_out);
	ERR_clear_error();
	return ok ? KEYPROTO_OK : KEYPROTO_BROKEN;
}

void
keyring_free(struct keyring *r)
{
	for (size_t i = 0; i < r->n; i++)
		EVP_PKEY_free(r->keys[i].pkey);
	free(r->keys);
	*r = (struct keyring){0};
}
