/* mail/remoteproto.h - qmail-rspawn hands transactions to a qmail-remote that
 * stays: both ends of the socket.
 *
 * qmail-rspawn starts "qmail-remote -w HOST" with a SOCK_SEQPACKET socket as
 * descriptor 0 and keeps it for mail to HOST (a recipient domain) while there
 * is some; it keeps its SMTP connection open for the next transaction.
 *
 * Command, one packet with the message file as passed descriptor:
 *	sender NUL mparams NUL { recipient NUL rparams NUL }...
 * mparams and rparams are the texts of mail/dsn.h.
 * Report, one packet: what the program prints with historical arguments -
 * per recipient r, h or s and text, NUL; then K, Z or D and text, NUL.  After
 * the K, Z or D record may come one more record, "+key=value key=value", for
 * the end of the log line.
 *
 * A worker ends by itself after REMOTE_IDLE_MS without a command, when it is
 * REMOTE_WORKER_MS old, and when the socket ends; what it has not read by then
 * is for another one.  One that dies without a report deferred everything.
 * qmail-remote trusts commands; qmail-rspawn trusts nothing of the report but
 * its length. */
#ifndef MAIL_REMOTEPROTO_H
#define MAIL_REMOTEPROTO_H

#include "lib/str.h"

#define REMOTE_PACKET_MAX 131072        /* bytes of a command or a report */
#define REMOTE_RCPTS_MAX 50             /* recipients of a transaction */
#define REMOTE_IDLE_MS 2000
#define REMOTE_WORKER_MS 600000         /* what it read once may have changed */
#define REMOTE_TRANSACTIONS_MAX 100     /* over one SMTP connection */
#define REMOTE_CONNECTION_MS 300000     /* age at which it is not reused */

struct remote_rcpt { const char *addr, *params; };      /* borrowed */
struct remote_command {
	const char *sender, *params;                    /* borrowed */
	size_t n;
	struct remote_rcpt rcpt[REMOTE_RCPTS_MAX];
};

void remote_cat_command(struct str *, const struct remote_command *);
/* s must outlive *out; -1 (EPROTO) when malformed. */
__attribute__((warn_unused_result))
int remote_parse_command(const char *s, size_t n, struct remote_command *out);

#endif
