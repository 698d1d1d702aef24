/* tls/warm.h - a rehearsal, so that sessions find libcrypto at work.
 *
 * libcrypto looks its algorithms up and builds its tables when they are first
 * needed.  Every session is a process of its own, and each would do that anew. */
#ifndef TLS_WARM_H
#define TLS_WARM_H

#include "tls/session.h"

/* A handshake of TLS 1.3 and one of 1.2 in memory, of our own two contexts:
 * no byte of a stranger.  The provider must be connected, for it signs; each
 * handshake is given up when anything fails, and then sessions are only
 * slower. */
void warm_up(const struct session_tools *);

#endif
