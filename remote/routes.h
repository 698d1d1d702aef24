/* remote/routes.h - control/smtproutes: artificial routes.
 *
 *	domain:relay[:port] [option]...
 *
 * domain: a domain (in ASCII), a domain in square brackets, .suffix, or nothing (all
 * others).  The longest match counts; of equal ones the last.  relay: a name
 * (its addresses, no MX), an address, an address in square brackets, or
 * nothing: what the name servers say.  Options:
 *
 *	tls=never|may|require|verify
 *	auth=NAME		log in with NAME's line of control/smtpauth
 *
 * With auth and no tls, tls is verify.  On port 465 TLS comes first, unless
 * tls=never. */
#ifndef REMOTE_ROUTES_H
#define REMOTE_ROUTES_H

#include "lib/map.h"
#include "lib/str.h"

#include <stdbool.h>
#include <stdint.h>

#define ROUTES_PORT_SMTPS 465

enum tls_level {
	TLS_DEFAULT,            /* may, or what TLSA records demand */
	TLS_NEVER,
	TLS_MAY,                /* when offered; else in the clear */
	TLS_REQUIRE,            /* whoever it is */
	TLS_VERIFY,             /* a certificate that holds for the name */
	TLS_DANE,               /* one that the TLSA records hold good */
};

struct relay {
	struct str name;        /* empty: what the name servers say */
	uint16_t port;          /* 0: not said */
	enum tls_level tls;
	struct str auth;        /* empty: none */
};
void relay_free(struct relay *);

struct routes {
	struct map lines;       /* domain -> the rest of the line */
};

/* lines: each ended by NUL, as control_list gives them. */
void routes_load(struct routes *, const struct str *lines);
void routes_free(struct routes *);

enum routes_status {
	ROUTES_NONE,            /* no line for this domain */
	ROUTES_FOUND,
	ROUTES_BAD,             /* *reason says what is wrong with the line */
};
/* *reason is a constant. */
enum routes_status routes_find(const struct routes *, const char *domain,
    struct relay *out, const char **reason);

#endif
