/* smtpd/nsd.h - what qmail-qmtpd and qmail-qmqpd share: what they are told,
 * the beginning of a message, addresses, answers, log lines.
 *
 * A session is a function of a struct io and a configuration; see qmtpd.h and
 * qmqpd.h. */
#ifndef SMTPD_NSD_H
#define SMTPD_NSD_H

#include "control/rcpthosts.h"
#include "lib/io.h"
#include "mail/netstring.h"
#include "smtpd/message.h"

#define NSD_SESSION_MS 3600000  /* a whole session, as ever */
#define NSD_ADDR_MAX 900        /* bytes of an address, as qmail-smtpd's */
#define NSD_REFUSED_MAX 1000    /* recipients refused, count: then the session
                                 * ends after its package */
#define NSD_LOGGED_MAX 100      /* of them that are logged one by one */

struct nsd_config {
	struct str me;                  /* control/me, or "" */
	struct str ip, host, info, local;       /* TCP*; "" when not set */
	uint64_t databytes;             /* 0: no limit */
	/* Only qmail-qmtpd: */
	const char *relayclient;        /* appended to recipients; NULL: no */
	struct str locals;              /* lines, each ended by NUL */
	struct rcpthosts rcpthosts;
	const char *rcpt_socket;
};

/* checks: read what says whose mail is taken.  Dies 111 when a control file
 * cannot be read. */
void nsd_config_load(struct nsd_config *out, bool checks);
void nsd_config_free(struct nsd_config *);
/* Files, programs, sockets of TCP: not needed from here on.  Dies 111. */
void nsd_give_up(void);

/* Opens the queue and writes the trace field; protocol is "QMTP" or "QMQP". */
struct message *nsd_begin(const struct nsd_config *, const char *protocol);
void nsd_cat_received(struct str *out, const struct nsd_config *,
    const char *protocol, uint64_t qp, int64_t now);

/* No control characters, and UTF-8 where it is not ASCII. */
bool nsd_is_address(const struct str *);
/* Appends a reply: one netstring of letter and words.  code 0 of the queue is
 * "Kok TIME qp PID", another one its words with D or Z. */
void nsd_cat_reply(struct str *out, int code, const struct str *words,
    uint64_t qp, int64_t now);

/* "info: EVENT pid=N ip=..."; pairs follow. */
void nsd_log_begin(const struct nsd_config *, struct str *, const char *event);
void nsd_log_pair(struct str *, const char *key, const char *s, size_t n);
void nsd_log_end(struct str *);         /* writes and frees */

/* The exit code for a session that ended by st, after a log line. */
int nsd_end(const struct nsd_config *, enum netstring_status st,
    const struct netreader *);

#endif
