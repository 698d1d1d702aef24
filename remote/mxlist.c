/* remote/mxlist.c - MX, A and AAAA lookups made into a list; see mxlist.h. */
#include "remote/mxlist.h"

#include "lib/tcp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void
mxlist_free(struct mxlist *l)
{
	for (size_t i = 0; i < l->nhost; i++) {
		str_free(&l->host[i].name);
		str_free(&l->host[i].alias_of);
	}
	free(l->host);
	*l = (struct mxlist){0};
}

static uint32_t
random_below(uint32_t n)
{
	uint32_t r = 0;

	if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r)
		return 0;
	return r % n;
}

static struct mx_host *
add_host(struct mxlist *l, const char *name, uint16_t pref, bool secure)
{
	struct mx_host *h;

	l->host = mem_resize(l->host, l->nhost + 1, sizeof *l->host);
	h = &l->host[l->nhost++];
	*h = (struct mx_host){.pref = pref, .secure = secure};
	str_copys(&h->name, name);
	return h;
}

static void
swap(struct mxlist *l, size_t a, size_t b)
{
	struct mx_host h = l->host[a];

	l->host[a] = l->host[b];
	l->host[b] = h;
}

/* Shuffled, then sorted by insertion, which keeps equal ones as they lie. */
static void
order(struct mxlist *l)
{
	for (size_t i = l->nhost; i > 1; i--)
		swap(l, i - 1, random_below((uint32_t)i));
	for (size_t i = 1; i < l->nhost; i++)
		for (size_t k = i; k > 0 &&
		    l->host[k].pref < l->host[k - 1].pref; k--)
			swap(l, k, k - 1);
}

/* Puts the addresses of an answer behind the others, as far as they fit.
 * Returns false when one of them is ours. */
static bool
add_addresses(struct mxlist *l, const struct mx_source *src, size_t host,
    const struct dns_answer *a)
{
	struct ip ip[DNS_RECORDS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < a->n && n < DNS_RECORDS_MAX; i++)
		if (a->rec[i].ip.family != 0)
			ip[n++] = a->rec[i].ip;
	for (size_t i = n; i > 1; i--) {
		size_t k = random_below((uint32_t)i);
		struct ip t = ip[i - 1];

		ip[i - 1] = ip[k];
		ip[k] = t;
	}
	/* IPv6 first: 8305:4 */
	for (size_t i = 1; i < n; i++)
		if (ip[0].family == 4 && ip[i].family == 6) {
			struct ip t = ip[0];

			ip[0] = ip[i];
			ip[i] = t;
		}
	tcp_interleave(ip, n);
	for (size_t i = 0; i < n; i++)
		if (src->own != NULL && src->is_own(src->own, &ip[i]))
			return false;
	l->host[host].found = n > 0;
	for (size_t i = 0; i < n && l->naddr < MX_ADDRESSES_MAX; i++)
		l->addr[l->naddr++] = (struct mx_addr){ip[i], host};
	return true;
}

/* We are host number self: it and its equals go.  Better ones stay. */
static void
cut(struct mxlist *l, size_t self)
{
	size_t n = 0;

	for (size_t i = 0; i < l->naddr; i++)
		if (l->host[l->addr[i].host].pref < l->host[self].pref)
			l->addr[n++] = l->addr[i];
	l->naddr = n;
}

/* Asks for the addresses of the hosts, best first, until there are enough;
 * those as good as the last one are all asked for, since one may be us. */
static enum mx_status
resolve(struct mxlist *l, const struct mx_source *src)
{
	bool temp = false, self = false;

	for (size_t i = 0; i < l->nhost && i < MX_HOSTS_MAX && !self; i++) {
		struct mx_host *h = &l->host[i];
		struct dns_answer a = {0};
		enum dns_status st;

		if (l->naddr == MX_ADDRESSES_MAX &&
		    h->pref != l->host[i - 1].pref)
			break;
		st = src->addresses(src->dns, str_c(&h->name), &a);
		temp = temp || st == DNS_TEMP;
		if (st == DNS_OK) {
			h->secure = h->secure && a.ad;
			str_copy(&h->alias_of, &a.cname);
			if (!add_addresses(l, src, i, &a)) {
				cut(l, i);
				self = true;
			}
		}
		dns_answer_free(&a);
	}
	l->unknown = temp;
	if (l->naddr > 0)
		return MX_OK;
	return temp ? MX_TEMP : self ? MX_SELF : MX_NO_ADDRESS;
}

static enum mx_status
literal(struct mxlist *l, const struct mx_source *src, const char *s,
    size_t n)
{
	struct ip ip;

	if (n > 5 && bytes_caseeq(s, 5, "IPv6:", 5)) {
		s += 5;
		n -= 5;
	}
	if (ip_parse(s, n, &ip) < 0)
		return MX_LITERAL;
	if (src->own != NULL && src->is_own(src->own, &ip))
		return MX_SELF;
	(void)add_host(l, "", 0, false);
	l->host[0].found = true;
	l->addr[l->naddr++] = (struct mx_addr){ip, 0};
	return MX_OK;
}

/* The records of an answer, without names that are none.  MX_OK when there
 * are hosts. */
static enum mx_status
take_mx(struct mxlist *l, const struct dns_answer *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->rec[i].data.len > 0)
			(void)add_host(l, str_c(&a->rec[i].data),
			    a->rec[i].pref, a->ad);
	if (l->nhost > 0)
		return MX_OK;
	/* Records that could not be used may be damaged ones. */
	return a->n > 0 ? MX_NULL : MX_TEMP;
}

enum mx_status
mxlist_find(struct mxlist *l, const struct mx_source *src, const char *domain)
{
	struct dns_answer a = {0};
	enum mx_status st = MX_OK;
	size_t n = strlen(domain);

	*l = (struct mxlist){0};
	if (domain[0] == '[')
		return n > 2 && domain[n - 1] == ']' ?
		    literal(l, src, domain + 1, n - 2) : MX_LITERAL;
	switch (src->ask(src->dns, domain, DNS_MX, &a)) {
	case DNS_OK:
		st = take_mx(l, &a);
		break;
	case DNS_NODATA:
		/* The domain itself; its addresses alone tell whether that
		 * is secure. */
		(void)add_host(l, domain, 0, true);
		str_lower(&l->host[0].name);
		break;
	case DNS_NXDOMAIN:
		st = MX_NO_DOMAIN;
		break;
	case DNS_TEMP:
		st = MX_TEMP;
		break;
	}
	dns_answer_free(&a);
	if (st != MX_OK)
		return st;
	order(l);
	return resolve(l, src);
}

enum mx_status
mxlist_relay(struct mxlist *l, const struct mx_source *with,
    const char *name)
{
	struct mx_source src = *with;
	size_t n = strlen(name);
	struct ip ip;

	*l = (struct mxlist){0};
	src.own = NULL;
	if (n > 2 && name[0] == '[' && name[n - 1] == ']')
		return literal(l, &src, name + 1, n - 2);
	if (ip_parse(name, n, &ip) == 0)
		return literal(l, &src, name, n);
	(void)add_host(l, name, 0, true);
	str_lower(&l->host[0].name);
	return resolve(l, &src);
}
