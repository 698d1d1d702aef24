/* tls/serve.h - tlsd's own process: connections in, a child per session. */
#ifndef TLS_SERVE_H
#define TLS_SERVE_H

#include <stddef.h>
#include <sys/types.h>

#define SERVE_ASKERS 100                /* accounts that may ask */
#define SERVE_RETRY_MS 1000             /* keys or certificates are missing */
#define SERVE_SOON_MS 50                /* the same at the start, */
#define SERVE_START_MS 5000             /* for so long */

struct serve_config {
	const char *home;               /* of layout.h */
	const char *keyd;               /* its socket */
	const char *public_cas;         /* PEM file, read when first needed */
	const char *root;               /* an empty directory */
	const char *socket;             /* made when there is TLS to offer */
	int signals;                    /* HUP, TERM, INT, CHLD */
	size_t sessions_max;
	uid_t uid;                      /* of sessions */
	gid_t gid;
	const uid_t *askers;
	size_t naskers;
};

/* Until SIGTERM: the exit code.  Sessions live on. */
int serve_run(const struct serve_config *);

#endif
