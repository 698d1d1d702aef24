/* tls/keyserve.h - keyd's life: questions on a socket, answers from a ring. */
#ifndef TLS_KEYSERVE_H
#define TLS_KEYSERVE_H

#include <stddef.h>

#define KEYSERVE_CLIENTS 4096

struct keyserve_config {
	const char *home;               /* of layout.h */
	int listener;                   /* SOCK_SEQPACKET */
	int signals;                    /* HUP, TERM, INT */
};

/* Until SIGTERM: the exit code. */
int keyserve_run(const struct keyserve_config *);

#endif
