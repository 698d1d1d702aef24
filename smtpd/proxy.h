/* smtpd/proxy.h - the PROXY protocol, versions 1 and 2: pure parser.
 *
 * A balancer that is trusted says in a header before anything else whose
 * connection this is.  Trusted is who the tcprules say; that a header came
 * proves nothing. */
#ifndef SMTPD_PROXY_H
#define SMTPD_PROXY_H

#include "lib/ip.h"

#define PROXY_MAX 1024          /* bytes of a header: version 1 has at most 107,
                                 * version 2 at most 232 and its extensions */

enum proxy_status {
	PROXY_MORE,             /* not complete yet */
	PROXY_OK,
	PROXY_LOCAL,            /* the balancer's own connection: no addresses */
	PROXY_BAD,
};
struct proxy_facts {
	struct ip from, to;
	uint16_t from_port, to_port;
};

/* *used: bytes of the header when it is complete. */
__attribute__((warn_unused_result))
enum proxy_status proxy_parse(const char *s, size_t n,
    struct proxy_facts *out, size_t *used);

#endif
