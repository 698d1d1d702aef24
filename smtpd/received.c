/* smtpd/received.c - see received.h.
 *
 *	Received: from helo.example (name.example [192.0.2.1])
 *	  by mx.example with ESMTPS
 *	  (version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 sni=mx.example verify=NO)
 *	  id 12345 for <ana@example.org>; 23 Nov 2026 04:35:00 -0000
 *
 * Who authenticated is not said: it is nobody's business further on. */
#include "smtpd/received.h"

#include "mail/date.h"
#include "mail/quote.h"
#include "smtpd/path.h"

#include <string.h>

#define CUT 255                 /* bytes of a foreign word */

/* Host name bytes and what addresses have; all others become "?". */
static void
cat_clean(struct str *out, const struct str *s)
{
	for (size_t i = 0; i < s->len && i < CUT; i++) {
		char c = s->s[i];
		bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || strchr("-_.:[]", c) != NULL;

		str_catc(out, good && c != '\0' ? c : '?');
	}
}

static void
cat_address(struct str *out, const struct str *ip)
{
	str_cats(out, memchr(str_c(ip), ':', ip->len) ? "[IPv6:" : "[");
	cat_clean(out, ip);
	str_catc(out, ']');
}

static bool
is_ascii(const struct str *s)
{
	for (size_t i = 0; i < s->len; i++)
		if ((unsigned char)s->s[i] > 126 || s->s[i] < 32)
			return false;
	return true;
}

static bool
is_host(const struct str *s)
{
	return s->len <= CUT && is_ascii(s) &&
	    path_is_host(str_c(s), s->len);
}

/* A name that is none goes into a comment. */
static void
cat_from(struct str *out, const struct smtpd *s)
{
	const struct smtpd_peer *p = &s->peer;
	struct ip ip;
	bool good = is_host(&p->helo) ||
	    path_literal(str_c(&p->helo), p->helo.len, &ip) == 0;

	str_cats(out, "Received: from ");
	if (good)
		str_cat(out, &p->helo);
	else
		str_cats(out, "unknown");
	str_cats(out, " (");
	if (is_host(&p->host))
		str_cat(out, &p->host);
	else
		str_cats(out, "unknown");
	if (p->ip.len > 0) {
		str_catc(out, ' ');
		cat_address(out, &p->ip);
	}
	str_catc(out, ')');
	if (!good && p->helo.len > 0) {
		str_cats(out, " (helo=");
		cat_clean(out, &p->helo);
		str_catc(out, ')');
	}
	if (p->info.len > 0) {
		str_cats(out, " (ident=");
		cat_clean(out, &p->info);
		str_catc(out, ')');
	}
}

/* 3848, and 6531:4.3 */
static void
cat_with(struct str *out, const struct smtpd *s)
{
	str_cats(out, " with ");
	if (!s->esmtp)
		str_cats(out, "SMTP");
	else
		str_cats(out, s->utf8 ? "UTF8SMTP" : "ESMTP");
	if (s->esmtp && s->tls.ok)
		str_catc(out, 'S');
	if (s->esmtp && s->login.len > 0)
		str_catc(out, 'A');
	if (!s->tls.ok)
		return;
	str_cats(out, "\n  (version=");
	cat_clean(out, &s->tls.version);
	str_cats(out, " cipher=");
	cat_clean(out, &s->tls.cipher);
	if (s->tls.sni.len > 0) {
		str_cats(out, " sni=");
		cat_clean(out, &s->tls.sni);
	}
	str_cats(out, s->tls.verified ? " verify=YES)" : " verify=NO)");
}

/* Only a sole recipient: others are not to learn of one another. */
static void
cat_for(struct str *out, const struct smtpd *s)
{
	size_t n = strlen(str_c(&s->rcpts));

	if (s->nrcpts != 1 || n > CUT || memchr(s->rcpts.s, '@', n) == NULL ||
	    !quote_safe(s->rcpts.s, n) || (!s->utf8 && !is_ascii(&(struct str){
	    .s = s->rcpts.s, .len = n})))
		return;
	str_cats(out, " for <");
	quote_cat_addr(out, s->rcpts.s, n);
	str_catc(out, '>');
}

void
received_cat(struct str *out, const struct smtpd *s, uint64_t qp, int64_t now)
{
	cat_from(out, s);
	str_cats(out, "\n  by ");
	if (is_host(&s->peer.local_host) &&
	    memchr(s->peer.local_host.s, '.', s->peer.local_host.len))
		str_cat(out, &s->peer.local_host);
	else if (is_host(&s->cfg->me))
		str_cat(out, &s->cfg->me);
	else
		str_cats(out, "unknown");
	cat_with(out, s);
	str_cats(out, s->tls.ok ? "\n  id " : " id ");
	str_catu(out, qp);
	cat_for(out, s);
	str_cats(out, "; ");
	date822_cat(out, now);
	str_catc(out, '\n');
}
