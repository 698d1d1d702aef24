/* supervise/tcpwho.h - who is at the two ends of a TCP connection: what a
 * host argument means, the names of addresses, and RFC 1413.
 *
 * Shared by tcpserver and tcpclient.  Every name that comes out is safe to
 * put into an environment and a log: a stranger chose it. */
#ifndef SUPERVISE_TCPWHO_H
#define SUPERVISE_TCPWHO_H

#include "lib/dns.h"
#include "lib/ip.h"
#include "lib/str.h"

#define TCPWHO_ADDRS 16         /* addresses of a host that are used, count */
#define TCPWHO_INFO_MAX 100     /* bytes of TCPREMOTEINFO */

enum tcpwho_status {
	TCPWHO_OK,
	TCPWHO_NONE,            /* no such host, or no address of that family */
	TCPWHO_TEMP,            /* could not be known; errno */
};

/* The addresses of a host argument: "" and "0" are *zero; then an address,
 * with or without brackets, leading zeros allowed; then a name.  A name
 * without a dot is looked for in the search list of resolv(5) ($LOCALDOMAIN)
 * first; localhost is loopback without asking (6761:6.3).  family: 4, 6, or 0
 * for both, in the resolver's order. */
__attribute__((warn_unused_result))
enum tcpwho_status tcpwho_host(const struct dns *, const char *host,
    const struct ip *zero, int family, struct ip out[TCPWHO_ADDRS],
    size_t *n_out);

/* The name of an address from its PTR record, *out is replaced; paranoid: only
 * when that name has this address.  false when there is none, or none could be
 * found out. */
bool tcpwho_name(const struct dns *, const struct ip *, bool paranoid,
    struct str *out);

/* Asks the peer's identification server (1413) whose connection this is, for
 * at most timeout_ms; *out is replaced.  What it says proves nothing. */
bool tcpwho_ident(const struct ip *local, uint16_t local_port,
    const struct ip *remote, uint16_t remote_port, int timeout_ms,
    struct str *out);
/* The answer line, without its end, about these two ports; pure. */
bool tcpwho_parse_ident(const char *line, size_t n, uint16_t remote_port,
    uint16_t local_port, struct str *out);

#endif
