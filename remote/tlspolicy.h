/* remote/tlspolicy.h - what TLS a host must speak: a route's word, or what
 * its TLSA records say (7672). */
#ifndef REMOTE_TLSPOLICY_H
#define REMOTE_TLSPOLICY_H

#include "lib/dns.h"
#include "lib/tlsreq.h"
#include "remote/mxlist.h"
#include "remote/routes.h"

struct tls_policy {
	enum tls_level level;   /* never TLS_DEFAULT */
	struct str name;        /* SNI, and the name to verify */
	struct str altname;     /* DANE: the recipients' domain, or "" */
	size_t ntlsa;
	struct str tlsa[TLSREQ_TLSA_MAX];
};
void tls_policy_free(struct tls_policy *);

/* The policy for a host of a list.  0; -1 when its TLSA records could not be
 * known, so that it must be passed over (7672:2.2). */
__attribute__((warn_unused_result))
int tls_policy_find(struct tls_policy *, const struct mx_source *,
    enum tls_level wanted, const struct mx_host *, uint16_t port,
    const char *domain);
/* A record that can be used: DANE-TA or DANE-EE, a selector and a digest that
 * are known, of the right length. */
bool tls_policy_usable(const char *rdata, size_t n);

#endif
