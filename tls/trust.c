/* tls/trust.c - public CAs, names, DANE for SMTP (RFC 7672); see trust.h.
 *
 * Only the usages 2 and 3 count (7672:3.1.3).  Usage 3 looks at no name and
 * no date (7672:3.1.1).  When no record is usable the peer need not prove who
 * it is (7672:2.2), but the session is still TLS. */
#include "tls/trust.h"

#include "tls/layout.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#define NAME_SHOWN 512          /* bytes of a subject in facts */

bool
trust_sni_fits(const char *name)
{
	struct str s = {0};
	unsigned char a[16];
	bool fits = layout_name(&s, name, strlen(name), false) == 0 &&
	    inet_pton(AF_INET, name, a) != 1;

	str_free(&s);
	return fits;
}

/* SSL_set_tlsext_host_name, whose cast is no good. */
static int
set_sni(SSL *ssl, const char *name)
{
	union {
		const char *in;
		void *out;
	} u = {.in = name};

	return !trust_sni_fits(name) || SSL_ctrl(ssl,
	    SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
	    u.out) == 1 ? 0 : -1;
}

static int
demand_names(SSL *ssl, const struct tlsreq *r)
{
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (*r->name != '\0' && SSL_set1_host(ssl, r->name) != 1)
		return -1;
	return *r->altname == '\0' || SSL_add1_host(ssl, r->altname) == 1 ?
	    0 : -1;
}

/* How many records can be used; -1 on failure. */
static int
demand_dane(SSL *ssl, const struct tlsreq *r)
{
	int usable = 0;

	if (SSL_dane_enable(ssl, *r->name != '\0' ? r->name : NULL) != 1)
		return -1;
	(void)SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	for (size_t i = 0; i < r->ntlsa; i++) {
		const unsigned char *p = (const unsigned char *)r->tlsa[i].s;
		size_t n = r->tlsa[i].len;

		if (n < 4 || (p[0] != 2 && p[0] != 3))
			continue;
		/* 0: a record that says nothing to us; below: a bad one,
		 * which is unusable as well (7672:2.1.1). */
		if (SSL_dane_tlsa_add(ssl, p[0], p[1], p[2], p + 3,
		    n - 3) > 0)
			usable++;
	}
	ERR_clear_error();
	return usable;
}

int
trust_demand(SSL *ssl, const struct tlsreq *r, X509_STORE *cas,
    bool *demands_out)
{
	int usable;

	*demands_out = false;
	if (cas != NULL && SSL_set1_verify_cert_store(ssl, cas) != 1)
		return -1;
	if (r->role == TLSREQ_SERVER) {
		/* Asked and told, never demanded: any certificate will do. */
		if (r->verify == TLSREQ_ASK)
			SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
		return 0;
	}
	/* Whoever it is gets what encryption there is. */
	SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	if (set_sni(ssl, r->name) < 0)
		return -1;
	if (r->verify == TLSREQ_ANY) {
		SSL_set_security_level(ssl, 1);
		return demand_names(ssl, r);
	}
	if (r->verify == TLSREQ_DANE) {
		usable = demand_dane(ssl, r);
		if (usable < 0)
			return -1;
		if (usable == 0)
			return 0;
		SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		if (*r->altname != '\0' && SSL_add1_host(ssl, r->altname) != 1)
			return -1;
	} else if (demand_names(ssl, r) < 0) {
		return -1;
	}
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	*demands_out = true;
	return 0;
}

static void
tell_subject(const X509 *x, struct str *out)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *text;
	long n;

	str_clear(out);
	if (b == NULL)
		return;
	if (X509_NAME_print_ex(b, X509_get_subject_name(x), 0,
	    XN_FLAG_RFC2253) > 0) {
		n = BIO_get_mem_data(b, &text);
		if (n > 0)
			str_copyb(out, text, n > NAME_SHOWN ? NAME_SHOWN :
			    (size_t)n);
	}
	BIO_free(b);
}

void
trust_tell(SSL *ssl, const struct tlsreq *r, struct tlsfacts *f)
{
	const X509 *x = SSL_get0_peer_certificate(ssl);
	unsigned char md[EVP_MAX_MD_SIZE];
	long result = SSL_get_verify_result(ssl);
	unsigned n = 0;

	f->verified = false;
	if (x == NULL)
		return;
	tell_subject(x, &f->peer);
	str_clear(&f->fingerprint);
	if (X509_digest(x, EVP_sha256(), md, &n) == 1)
		for (unsigned i = 0; i < n; i++)
			str_catx(&f->fingerprint, md[i], 2);
	if (r->verify == TLSREQ_DANE &&
	    SSL_get0_dane_authority(ssl, NULL, NULL) < 0)
		str_copys(&f->reason, "no usable TLSA record");
	else if (result != X509_V_OK)
		str_copys(&f->reason, X509_verify_cert_error_string(result));
	else if (r->role == TLSREQ_CLIENT && *r->name == '\0')
		str_copys(&f->reason, "no name to verify");
	else
		f->verified = true;
}
