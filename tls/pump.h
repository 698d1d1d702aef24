/* tls/pump.h - from the handshake to the end: bytes both ways. */
#ifndef TLS_PUMP_H
#define TLS_PUMP_H

#include "tls/netbio.h"

#include <openssl/ssl.h>

#define PUMP_IDLE_MS (60 * 60 * 1000)   /* programs have shorter limits */
#define PUMP_LINGER_MS 2000             /* for the peer to read our last */
#define PUMP_REST_MS (5 * 60 * 1000)    /* for the peer to take what a program
                                         * that has ended left for it */
#define PUMP_QUIET (256 * 1024)         /* bytes without any content */
#define PUMP_BUF 16384                  /* bytes: a record */

enum pump_end {
	PUMP_CLOSED,            /* both sides said so */
	PUMP_TRUNCATED,         /* the peer left without close_notify */
	PUMP_BROKEN,            /* a record that is none, or too many empty */
	PUMP_RESET,             /* the connection broke */
	PUMP_LEFT,              /* the program closed with data on the way */
	PUMP_STUCK,             /* the peer did not take the program's last */
	PUMP_IDLE,
};
const char *pump_end_text(enum pump_end);

struct pump {
	SSL *ssl;
	struct netbio *net;
	int plain;                      /* the program's side, non-blocking */
	int idle_ms, linger_ms, rest_ms;
	uint64_t in, out;               /* content bytes */
};

/* Returns when the session is over; closes nothing. */
enum pump_end pump_run(struct pump *);

#endif
