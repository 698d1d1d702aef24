/* tls/pair_show.c - a certificate for people and for programs; see pair.h. */
#include "tls/pair.h"

#include <openssl/x509v3.h>
#include <time.h>

#define DAY (24 * 60 * 60)
#define NAMES_SHOWN 100

/* A text of the certificate as a JSON string: it is a stranger's. */
static void
cat_json(struct str *out, const char *s, size_t n)
{
	str_catc(out, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '"' || c == '\\')
			str_catc(out, '\\');
		if (c < 32 || c > 126)
			str_catf(out, "\\u%04x", c);
		else
			str_catc(out, (char)c);
	}
	str_catc(out, '"');
}

static void
cat_plain(struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		str_catc(out, s[i] < 32 || s[i] > 126 ? '?' : s[i]);
}

static void
cat_text(struct str *out, bool json, const char *s, size_t n)
{
	if (json)
		cat_json(out, s, n);
	else
		cat_plain(out, s, n);
}

static void
cat_issuer(struct str *out, bool json, const X509 *x)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *text = NULL;
	long n = 0;

	if (b != NULL && X509_NAME_print_ex(b, X509_get_issuer_name(x), 0,
	    XN_FLAG_RFC2253) > 0)
		n = BIO_get_mem_data(b, &text);
	cat_text(out, json, text != NULL ? text : "", n > 0 ? (size_t)n : 0);
	BIO_free(b);
}

static void
cat_names(struct str *out, bool json, const X509 *x)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL,
	    NULL);
	int shown = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(all) && shown < NAMES_SHOWN;
	    i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
		const ASN1_STRING *s;

		if (g->type != GEN_DNS)
			continue;
		s = g->d.dNSName;
		if (shown++ > 0)
			str_cats(out, json ? ", " : " ");
		cat_text(out, json, (const char *)ASN1_STRING_get0_data(s),
		    (size_t)ASN1_STRING_length(s));
	}
	GENERAL_NAMES_free(all);
}

static void
cat_date(struct str *out, const ASN1_TIME *t)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) == 1)
		str_catf(out, "%04d-%02d-%02dT%02d:%02d:%02dZ",
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		    tm.tm_min, tm.tm_sec);
}

static long
days_left(const X509 *x, int64_t now)
{
	struct tm tm;
	int64_t left;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
		return 0;
	left = (int64_t)timegm(&tm) - now;
	return (long)(left >= 0 ? left / DAY : -1 - (-left - 1) / DAY);
}

static void
cat_id(struct str *out, const struct pair *p)
{
	for (size_t i = 0; i < sizeof p->id; i++)
		str_catx(out, p->id[i], 2);
}

void
pair_cat(struct str *out, const struct pair *p, const struct pair_shown *w)
{
	long days = days_left(p->leaf, w->now);

	if (!w->json) {
		str_catf(out, "%s %s%s%s ", w->name, w->kind,
		    w->standard ? " default" : "",
		    w->self_signed ? " self-signed" : "");
		str_cats(out, days < 0 ? "EXPIRED " : "until ");
		cat_date(out, X509_get0_notAfter(p->leaf));
		str_catf(out, " (%ld days) names: ", days);
		cat_names(out, false, p->leaf);
		str_cats(out, " issuer: ");
		cat_issuer(out, false, p->leaf);
		str_cats(out, " TLSA 3 1 1 ");
		cat_id(out, p);
		return;
	}
	str_catf(out, "{\"name\": \"%s\", \"kind\": \"%s\", \"default\": %s, "
	    "\"self_signed\": %s, \"not_before\": \"", w->name, w->kind,
	    w->standard ? "true" : "false",
	    w->self_signed ? "true" : "false");
	cat_date(out, X509_get0_notBefore(p->leaf));
	str_cats(out, "\", \"not_after\": \"");
	cat_date(out, X509_get0_notAfter(p->leaf));
	str_catf(out, "\", \"days\": %ld, \"names\": [", days);
	cat_names(out, true, p->leaf);
	str_cats(out, "], \"issuer\": ");
	cat_issuer(out, true, p->leaf);
	str_cats(out, ", \"key_sha256\": \"");
	cat_id(out, p);
	str_cats(out, "\"}");
}
