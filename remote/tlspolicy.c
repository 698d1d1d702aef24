/* remote/tlspolicy.c - the choice of a policy; see tlspolicy.h. */
#include "remote/tlspolicy.h"

void
tls_policy_free(struct tls_policy *p)
{
	str_free(&p->name);
	str_free(&p->altname);
	for (size_t i = 0; i < p->ntlsa; i++)
		str_free(&p->tlsa[i]);
	*p = (struct tls_policy){0};
}

/* usage, selector, matching type, data: 6698:2.1.  Usages 0 and 1 are not for
 * SMTP (7672:3.1.3). */
bool
tls_policy_usable(const char *s, size_t n)
{
	if (n < 4 || (s[0] != 2 && s[0] != 3) || (s[1] != 0 && s[1] != 1))
		return false;
	switch (s[2]) {
	case 0:
		return true;
	case 1:
		return n == 3 + 32;
	case 2:
		return n == 3 + 64;
	default:
		return false;
	}
}

/* What the records of one name say.  TLS_DEFAULT: there are none.  -1: not
 * known. */
static int
ask(struct tls_policy *p, const struct mx_source *src, const char *base,
    uint16_t port)
{
	struct dns_answer a = {0};
	struct str name = {0};
	enum dns_status st;

	str_catf(&name, "_%u._tcp.%s", port, base);
	st = src->ask(src->dns, str_c(&name), DNS_TLSA, &a);
	if (st == DNS_OK && a.ad) {
		p->level = TLS_REQUIRE;
		for (size_t i = 0; i < a.n && p->ntlsa < TLSREQ_TLSA_MAX; i++)
			if (tls_policy_usable(str_c(&a.rec[i].data),
			    a.rec[i].data.len)) {
				str_copy(&p->tlsa[p->ntlsa++],
				    &a.rec[i].data);
				p->level = TLS_DANE;
			}
		str_copys(&p->name, base);
	}
	dns_answer_free(&a);
	str_free(&name);
	return st == DNS_TEMP ? -1 : 0;
}

int
tls_policy_find(struct tls_policy *p, const struct mx_source *src,
    enum tls_level wanted, const struct mx_host *h, uint16_t port,
    const char *domain)
{
	*p = (struct tls_policy){.level = wanted};
	str_copy(&p->name, &h->name);
	if (wanted != TLS_DEFAULT)
		return 0;
	if (h->secure && h->name.len > 0) {
		/* 7672:2.2.2: the name an alias leads to comes first. */
		if (h->alias_of.len > 0 &&
		    ask(p, src, str_c(&h->alias_of), port) < 0)
			return -1;
		if (p->level == TLS_DEFAULT &&
		    ask(p, src, str_c(&h->name), port) < 0)
			return -1;
	}
	if (p->level == TLS_DANE)
		str_copys(&p->altname, domain);
	if (p->level == TLS_DEFAULT)
		p->level = TLS_MAY;
	return 0;
}
