/* tls/netbio.h - the peer's socket under libssl, with its bytes counted.
 *
 * It never blocks, whatever the socket's flags are: others may still hold
 * them.  Once quiet_max bytes have come since quiet was last set to 0, reading
 * fails: a handshake has an end, and so has a stream of records that carry
 * nothing. */
#ifndef TLS_NETBIO_H
#define TLS_NETBIO_H

#include <openssl/bio.h>
#include <stdbool.h>
#include <stdint.h>

struct netbio {
	int fd;
	uint64_t quiet, quiet_max;      /* bytes */
	bool eof;                       /* the peer's FIN was read */
	bool over;                      /* quiet_max was reached */
	int error;                      /* errno of a failure, or 0 */
};

/* Made once; NULL without memory. */
BIO_METHOD *netbio_method(void);
/* A BIO on n, which must outlive it; NULL without memory. */
BIO *netbio_new(const BIO_METHOD *, struct netbio *n);

#endif
