/* remote/smtp.h - one SMTP session with one address: greeting, EHLO, TLS,
 * AUTH, and then transactions (transaction.h).
 *
 * Nothing a peer says is trusted.  It must not speak out of turn: bytes that
 * nobody asked for, after the reply to STARTTLS above all, end the session.
 * Replies before TLS are forgotten with it.  A session that is no longer
 * open has its reason in why. */
#ifndef REMOTE_SMTP_H
#define REMOTE_SMTP_H

#include "lib/tlsreq.h"
#include "remote/config.h"
#include "remote/ehlo.h"
#include "remote/tlspolicy.h"
#include "remote/wire.h"

#include <stdbool.h>

enum smtp_status {
	SMTP_OK,
	SMTP_TEMP,              /* not here, not now: why */
	SMTP_PERM,              /* this host refuses us for good: why */
	SMTP_AGAIN_CLEAR,       /* TLS failed where it need not be: come back
	                         * without */
	SMTP_AGAIN_HELO,        /* it hung up on EHLO: come back with HELO */
};

struct smtp_peer {
	const char *name;       /* of the host, or "" */
	struct ip ip;
	const struct tls_policy *tls;
	bool tls_first;         /* TLS before the greeting (8314:3.3) */
	bool in_clear, with_helo;       /* come back: see above */
	const char *user, *password;    /* NULL: no AUTH */
};

struct smtp {
	const struct remote_config *cfg;
	bool open;              /* may be used for a transaction */
	int fd;                 /* -1: closed */
	struct wire wire;
	struct reply reply;     /* the last one */
	struct ehlo can;        /* what the peer offers now */
	struct str host, ip;    /* as text */
	struct tlsfacts tls;    /* ok: inside TLS */
	struct str why;         /* words, each line ended by LF */
	bool needs_rset;
	unsigned transactions;
	int64_t since_ms;       /* clock_mono_ms when it began */
};

/* fd is taken, whatever happens.  s is {0} or was closed. */
enum smtp_status smtp_open_take(struct smtp *, const struct remote_config *,
    int fd, const struct smtp_peer *);
/* Says QUIT without waiting for an answer. */
void smtp_close(struct smtp *);
void smtp_free(struct smtp *);

/* For transaction.c.  Puts a command; sends it with the next smtp_get. */
void smtp_put(struct smtp *, const char *line);
/* The reply to the oldest command that has none.  false: the session is over
 * (lost, 421, no reply at all), why says so, doing names what was going on. */
__attribute__((warn_unused_result))
bool smtp_get(struct smtp *, int timeout_ms, const char *doing);
/* smtp_put and smtp_get; nothing may have been said unasked before. */
__attribute__((warn_unused_result))
bool smtp_ask(struct smtp *, const char *line, const char *doing);
/* why = "IP text\n", and the last reply's words when there are some. */
void smtp_say(struct smtp *, const char *text, bool quote);
/* The session is over; why says that the peer spoke out of turn. */
void smtp_out_of_turn(struct smtp *);

#endif
