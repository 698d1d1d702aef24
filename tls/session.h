/* tls/session.h - one TLS session: a request, a handshake, the bytes. */
#ifndef TLS_SESSION_H
#define TLS_SESSION_H

#include "tls/certs.h"

#include <openssl/bio.h>

#define SESSION_HANDSHAKE (64 * 1024)   /* bytes a handshake may take */

/* What a session finds ready when it starts. */
struct session_tools {
	const struct certs *certs;      /* NULL: none are installed */
	SSL_CTX *client;
	X509_STORE *public_cas;         /* NULL: not loaded for this one */
	const BIO_METHOD *bio;
};

/* The life of one session: t is the asker's connection.  Returns the exit
 * code of its process: 0, or 111 when the asker sent no proper request. */
int session_run(const struct session_tools *, int t);

#endif
