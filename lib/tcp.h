/* lib/tcp.h - TCP sockets: listening, accepting, and connecting to the first
 * of several addresses that answers (a race as in RFC 8305).
 *
 * Descriptors returned are close-on-exec and never 0, 1 or 2.  -1 with errno
 * on failure. */
#ifndef LIB_TCP_H
#define LIB_TCP_H

#include "lib/ip.h"

#define TCP_CHECK __attribute__((warn_unused_result))

#define TCP_HEAD_MS 250         /* head start of an address before the next one
                                 * is tried beside it: 8305:5 */
#define TCP_RACE_MAX 16         /* count: addresses tried in one call; more are
                                 * left alone */

/* What became of one address. */
#define TCP_UNTRIED (-1)        /* its turn did not come */
#define TCP_WON 0               /* this one is connected */
#define TCP_LOST ECANCELED      /* still waited for when another one won, or
                                 * when total_ms was over before its each_ms */
/* else the errno of the attempt; ETIMEDOUT: nothing was heard for each_ms */

struct tcp_options {
	uint16_t port;          /* to connect to */
	const struct ip *source4, *source6;     /* to connect from, for each
	                         * family; NULL: the kernel chooses */
	uint16_t source_port;   /* 0: the kernel chooses */
	int each_ms;            /* an attempt may take */
	int total_ms;           /* all of them may take; 0: no such limit */
	int head_ms;            /* 0: TCP_HEAD_MS; TCP_ONE_BY_ONE: an address is
	                         * tried when the one before it has failed */
};
#define TCP_ONE_BY_ONE (-1)

/* Tries addr[0..n) in that order; the next one begins when the one before it
 * has failed or its head start is over, and the first that is connected wins.
 * outcome, of n places or NULL, says what became of each.  Returns a
 * non-blocking descriptor, and in *won_out (or NULL) the winner's place; -1
 * when none answered: errno of the last one that failed otherwise than by
 * time, else ETIMEDOUT; EDESTADDRREQ when n is 0. */
TCP_CHECK int tcp_connect(const struct ip *addr, size_t n,
    const struct tcp_options *, int *outcome, size_t *won_out);
/* Reorders so that the families alternate, beginning with that of addr[0],
 * each in its own order: 8305:4.  For addresses of equal preference. */
void tcp_interleave(struct ip *addr, size_t n);

/* SO_REUSEADDR; non-blocking.  addr->family 0, or the IPv6 address ::, takes
 * IPv4 and IPv6 alike unless v6only; without IPv6 in the kernel family 0 is
 * IPv4.  port 0: the kernel chooses (see tcp_local).  listen(2) on the result
 * changes the backlog later. */
TCP_CHECK int tcp_listen(const struct ip *addr, uint16_t port, int backlog,
    bool v6only);
/* A blocking descriptor; the peer's address and port, when not NULL. */
TCP_CHECK int tcp_accept(int listener, struct ip *ip_out, uint16_t *port_out);

/* The two ends of a connection; outputs may be NULL. */
TCP_CHECK int tcp_local(int fd, struct ip *ip_out, uint16_t *port_out);
TCP_CHECK int tcp_peer(int fd, struct ip *ip_out, uint16_t *port_out);
/* For a descriptor of tcp_connect that another program is to get. */
TCP_CHECK int tcp_blocking(int fd);
/* A number up to 65535, or a name of /etc/services; -1 with EINVAL. */
TCP_CHECK int tcp_parse_port(const char *s, uint16_t *out);

#endif
