/* lib/ip.h - IPv4 and IPv6 addresses and networks as values: text, compare,
 * mask.
 *
 * An IPv4-mapped IPv6 address (::ffff:1.2.3.4) becomes IPv4 wherever an
 * address is made, so every address has one form.  Parsers trust nothing. */
#ifndef LIB_IP_H
#define LIB_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define IP_TEXT 64              /* bytes of the longest text, NUL and %scope
                                 * included */

struct ip {
	uint8_t family;         /* 4, 6, or 0: none */
	uint8_t b[16];          /* network order; IPv4 in the first four */
	uint32_t scope;         /* of a link-local address, or 0 */
};

/* Dotted decimal with exactly four numbers, or RFC 4291 text.  0, or -1. */
__attribute__((warn_unused_result))
int ip_parse(const char *s, size_t n, struct ip *out);
/* Also "ADDR/BITS"; a bare address has 32 or 128. */
__attribute__((warn_unused_result))
int ip_parse_net(const char *s, size_t n, struct ip *out, unsigned *bits_out);
/* RFC 5952; returns buf. */
const char *ip_text(const struct ip *, char buf[IP_TEXT]);
bool ip_equal(const struct ip *, const struct ip *);
bool ip_in(const struct ip *, const struct ip *net, unsigned bits);
/* Clears all but the first bits. */
void ip_mask(struct ip *, unsigned bits);
/* Loopback, unspecified, or of this machine's interfaces (read on each call):
 * a connection to it comes back here. */
bool ip_is_loopback(const struct ip *);         /* 127/8, ::1 */
bool ip_is_unspecified(const struct ip *);      /* 0/8, :: */
bool ip_is_own(const struct ip *);

/* To and from the kernel's form; the length, or -1 for another family. */
socklen_t ip_to_sockaddr(const struct ip *, uint16_t port,
    struct sockaddr_storage *out);
__attribute__((warn_unused_result))
int ip_from_sockaddr(const struct sockaddr_storage *, struct ip *out,
    uint16_t *port_out);

#endif
