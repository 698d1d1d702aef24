/* remote/qmqpc.h - handing a message to one of several QMQP servers.
 *
 * The servers are tried in order.  One that cannot be reached, that goes away
 * before all was sent, or that says "try later" is passed by for the next.
 * After the last byte was sent an answer that does not come ends it: the
 * server may have the message, and another one would make two of it. */
#ifndef REMOTE_QMQPC_H
#define REMOTE_QMQPC_H

#include "lib/dns.h"
#include "lib/io.h"
#include "lib/str.h"
#include "mail/qx.h"

#define QMQPC_PORT 628
#define QMQPC_CONNECT_MS 10000
#define QMQPC_IO_MS 60000       /* for each write, and for the whole answer */
#define QMQPC_ANSWER_MAX 8192   /* bytes of an answer */

struct qmqpc_server {
	struct ip ip;           /* family 0: host is a name */
	const char *host;       /* as written, without port and brackets */
	size_t nhost;
	uint16_t port;
};

/* "192.0.2.1", "2001:db8::1", "mx.example", each with ":PORT" or not; an IPv6
 * address with a port is in brackets.  -1 for anything else.  Borrows line. */
__attribute__((warn_unused_result))
int qmqpc_parse_server(const char *line, struct qmqpc_server *out);

/* qmail-queue's envelope from in, as netstrings: the sender, then the
 * recipients, appended to out.  QX_OK or what qmail-queue would say. */
__attribute__((warn_unused_result))
enum qx qmqpc_envelope(struct io *in, struct str *out);

/* Sends everything over a connected socket and reads the answer, whose words
 * replace *words.  *sent: the server has had all of it.  QX_OK, QX_REFUSED,
 * QX_TEMP, or QX_CONVERSATION. */
__attribute__((warn_unused_result))
enum qx qmqpc_exchange(int fd, const struct str *message,
    const struct str *envelope, int timeout_ms, bool *sent,
    struct str *words);

/* All servers, lines each with a NUL.  The code of the last trouble. */
__attribute__((warn_unused_result))
enum qx qmqpc_send(const struct str *servers, const struct str *message,
    const struct str *envelope);

#endif
