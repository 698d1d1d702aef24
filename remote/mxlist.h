/* remote/mxlist.h - which addresses take mail for a domain, best first
 * (5321:5.1, 7505).
 *
 * Hosts of equal preference are shuffled; the addresses of a host alternate
 * between IPv6 and IPv4.  This host, and everything that is no better than
 * it, is left out.  Names and addresses come from strangers; "could not be
 * known" is MX_TEMP, whatever else was found out. */
#ifndef REMOTE_MXLIST_H
#define REMOTE_MXLIST_H

#include "lib/dns.h"
#include "lib/ip.h"
#include "lib/str.h"

#include <stdbool.h>

#define MX_ADDRESSES_MAX 5      /* tried in one delivery */
#define MX_HOSTS_MAX 20         /* looked up for it */

struct mx_host {
	struct str name;        /* lower case; of a literal: "" */
	struct str alias_of;    /* what name is an alias of, or "" */
	uint16_t pref;
	bool secure;            /* name and addresses were validated */
	bool found;             /* has addresses */
};
struct mx_addr {
	struct ip ip;
	size_t host;            /* index */
};
struct mxlist {
	struct mx_host *host;
	size_t nhost;
	struct mx_addr addr[MX_ADDRESSES_MAX];
	size_t naddr;
	bool unknown;           /* of a host that is left out the addresses
	                         * could not be known */
};
void mxlist_free(struct mxlist *);

enum mx_status {
	MX_OK,
	MX_TEMP,
	MX_NO_DOMAIN,           /* certainly no such domain */
	MX_NULL,                /* it takes no mail, and says so */
	MX_NO_ADDRESS,          /* no host that has an address */
	MX_SELF,                /* we are the best ourselves */
	MX_LITERAL,             /* "[...]" that is no address */
};

/* Who is asked; lib/dns and lib/ip, but for tests. */
struct mx_source {
	enum dns_status (*ask)(const struct dns *, const char *,
	    enum dns_type, struct dns_answer *);
	enum dns_status (*addresses)(const struct dns *, const char *,
	    struct dns_answer *);
	bool (*is_own)(const void *own, const struct ip *);
	const struct dns *dns;
	const void *own;
};

/* By the MX records of domain, or for "[address]" that address. */
enum mx_status mxlist_find(struct mxlist *, const struct mx_source *,
    const char *domain);
/* By name alone, or an address with or without brackets: a route.  May be
 * this host. */
enum mx_status mxlist_relay(struct mxlist *, const struct mx_source *,
    const char *name);

#endif
