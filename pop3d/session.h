/* pop3d/session.h - the transaction state of POP3 (RFC 1939, 2449, 3206,
 * 6856): one table of commands. */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

#include "pop3d/box.h"

#define SESSION_LINE 512                /* bytes of a command, CR LF included
                                         * (2449:4 says 255) */
#define SESSION_OUT 65536               /* bytes that leave at once */

struct session_config {
	struct box_config box;
	int timeout_ms;                 /* a client may be silent */
	const char *user, *ip, *tls;    /* for the log; "" where not known */
};

/* Opens the mailbox, says +OK or why not, serves the client on rfd and wfd
 * and logs one line at the end.  Always to be followed by exit code 0: the
 * connection was served. */
void session_run(const struct session_config *, int rfd, int wfd);

#endif
