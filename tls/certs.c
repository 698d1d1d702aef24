/* tls/certs.c - loading a generation of certificates; see certs.h.
 *
 * The files are root's.  Looking up takes bytes of a stranger: they become a
 * key of the table or nothing, never a part of a path. */
#include "tls/certs.h"

#include "lib/fs.h"
#include "lib/log.h"
#include "tls/keyring.h"
#include "tls/layout.h"
#include "tls/provider.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct load {
	struct certs *certs;
	struct str dir;                 /* of the generation's certificates */
	struct tickets *tickets;
	int keyd;
};

static const char *
why_openssl(void)
{
	const char *s = ERR_reason_error_string(ERR_peek_last_error());

	return s != NULL ? s : "libssl refuses it";
}

/* Puts one certificate into c.  1: done, 0: no such file or not usable (then
 * counted), -1 with errno: keyd cannot be asked. */
static int
add_kind(struct load *l, SSL_CTX *c, const char *path)
{
	unsigned char id[KEYPROTO_ID];
	STACK_OF(X509) *chain = NULL;
	enum keyproto_type type;
	struct str pem = {0};
	EVP_PKEY *key = NULL;
	const char *why;
	X509 *leaf = NULL;
	int r = 0;

	if (fs_read(path, &pem, CERTS_FILE) < 0) {
		if (errno == ENOENT)
			return 0;
		log_sys("unable to read %s", path);
		l->certs->unusable++;
		return 0;
	}
	if (certs_parse(str_c(&pem), pem.len, &leaf, &chain, &why) < 0) {
		r = -2;
	} else if (key_type(X509_get0_pubkey(leaf), &type) < 0 ||
	    key_id(X509_get0_pubkey(leaf), id) < 0) {
		why = "a kind of key that is not used here";
		r = -2;
	} else if (keyproto_has(l->keyd, id) < 0) {
		r = errno == ENOKEY ? -3 : -1;
	} else {
		key = provider_key_copy(X509_get0_pubkey(leaf));
		r = key != NULL && SSL_CTX_use_cert_and_key(c, leaf, key,
		    chain, 1) == 1 ? 1 : -2;
		why = why_openssl();
	}
	if (r == -2) {
		log_warn("unable to use %s: %s", path, why);
		l->certs->unusable++;
	} else if (r == -3) {
		l->certs->missing++;
	}
	EVP_PKEY_free(key);
	X509_free(leaf);
	sk_X509_pop_free(chain, X509_free);
	str_free(&pem);
	ERR_clear_error();
	return r < -1 ? 0 : r;
}

static int choose_site(SSL *, int *, void *);

/* 0, or -1 with errno when keyd cannot be asked. */
static int
add_site(struct load *l, const char *name)
{
	SSL_CTX *c = context_server(l->tickets);
	struct str path = {0};
	int n = 0, r = 0;

	if (c == NULL)
		die(111, "unable to make a context: %s", why_openssl());
	for (unsigned k = 0; k < LAYOUT_KINDS && r >= 0; k++) {
		str_copy(&path, &l->dir);
		str_catf(&path, "/%s/%s.pem", name, layout_kind(k));
		r = add_kind(l, c, str_c(&path));
		n += r > 0;
	}
	str_free(&path);
	if (r < 0 || n == 0) {
		SSL_CTX_free(c);
		return r < 0 ? -1 : 0;
	}
	(void)SSL_CTX_set_tlsext_servername_callback(c, choose_site);
	(void)SSL_CTX_set_tlsext_servername_arg(c, l->certs);
	map_set(&l->certs->sites, name, strlen(name), c);
	return 0;
}

static void
choose_standard(struct load *l)
{
	struct certs *cs = l->certs;
	char target[LAYOUT_NAME + 1];
	struct str path = {0};
	const char *name, *least = NULL;
	size_t at = 0, n, least_n = 0;
	ssize_t got;
	void *v;

	str_copy(&path, &l->dir);
	str_cats(&path, "/" LAYOUT_DEFAULT);
	got = readlink(str_c(&path), target, sizeof target);
	str_free(&path);
	if (got > 0)
		cs->standard = map_get(&cs->sites, target, (size_t)got);
	/* Without the link: the first name in the order of the alphabet. */
	while (cs->standard == NULL &&
	    map_next(&cs->sites, &at, &name, &n, &v)) {
		size_t k = n < least_n ? n : least_n;
		int d = least != NULL ? memcmp(name, least, k) : -1;

		if (d < 0 || (d == 0 && n < least_n)) {
			least = name;
			least_n = n;
		}
	}
	if (least != NULL)
		cs->standard = map_get(&cs->sites, least, least_n);
}

struct certs *
certs_load(const char *home, struct tickets *tickets, int keyd)
{
	struct load l = {.tickets = tickets, .keyd = keyd};
	struct str name = {0};
	struct dirent *e;
	uint64_t gen;
	DIR *d;
	int r = 0;

	if (layout_current(home, &gen) < 0)
		return NULL;
	str_catf(&l.dir, "%s/gen.%llu/cert", home, (unsigned long long)gen);
	d = opendir(str_c(&l.dir));
	if (d == NULL) {
		str_free(&l.dir);
		return NULL;
	}
	l.certs = mem_alloc(1, sizeof *l.certs);
	l.certs->generation = gen;
	while (r == 0 && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, LAYOUT_DEFAULT) != 0 &&
		    layout_name(&name, e->d_name, strlen(e->d_name),
		    true) == 0 && str_eqs(&name, e->d_name))
			r = add_site(&l, e->d_name);
	(void)closedir(d);
	if (r == 0) {
		choose_standard(&l);
	} else {
		int e2 = errno;

		certs_free(l.certs);
		l.certs = NULL;
		errno = e2;
	}
	str_free(&name);
	str_free(&l.dir);
	return l.certs;
}

SSL_CTX *
certs_find(const struct certs *cs, const char *name, size_t n)
{
	struct str key = {0};
	SSL_CTX *c = NULL;

	if (layout_name(&key, name, n, false) == 0) {
		size_t dot = bytes_chr(key.s, key.len, '.');

		c = map_get(&cs->sites, key.s, key.len);
		if (c == NULL && dot > 0 && dot < key.len) {
			/* "*" in place of the first label */
			key.s[dot - 1] = '*';
			c = map_get(&cs->sites, key.s + dot - 1,
			    key.len - dot + 1);
		}
	}
	str_free(&key);
	return c != NULL ? c : cs->standard;
}

/* libssl has the client's words: the context of that name goes on. */
static int
choose_site(SSL *s, int *alert, void *arg)
{
	const char *name = SSL_get_servername(s, TLSEXT_NAMETYPE_host_name);
	const struct certs *cs = arg;
	SSL_CTX *c;

	(void)alert;
	if (name == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	c = certs_find(cs, name, strlen(name));
	if (c != SSL_get_SSL_CTX(s) && SSL_set_SSL_CTX(s, c) == NULL)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

void
certs_free(struct certs *cs)
{
	const char *name;
	size_t at = 0, n;
	void *c;

	if (cs == NULL)
		return;
	while (map_next(&cs->sites, &at, &name, &n, &c))
		SSL_CTX_free(c);
	map_free(&cs->sites);
	free(cs);
}
