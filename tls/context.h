/* tls/context.h - what TLS we speak, and the tickets we give.
 *
 * TLS 1.2 and 1.3, forward secrecy, AEAD (as a client towards whoever it is,
 * CBC too: the alternative there is no TLS at all). */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stdint.h>

#define TICKET_KEY_MS (4 * 60 * 60 * 1000)      /* then a new key */
#define TICKET_LIFE (2 * 60 * 60)       /* s; less than a key's */

struct ticket_key {
	unsigned char name[16], aes[32], mac[32];
};

/* What is sealed with the key before the newest is still opened. */
struct tickets {
	struct ticket_key key[2];
	int64_t born_ms;                /* of key[0]; 0: there is none */
};
/* 0 or -1: no random bytes. */
__attribute__((warn_unused_result))
int tickets_rotate(struct tickets *, int64_t now_ms);

/* What callbacks find with SSL_get_app_data. */
struct context_session {
	const char *service;            /* ALPN's word */
};

/* NULL on failure.  tickets must outlive it. */
SSL_CTX *context_server(struct tickets *);
SSL_CTX *context_client(void);

#endif
