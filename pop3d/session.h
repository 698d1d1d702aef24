/* pop3d/session.h - the transaction state of POP3 (RFC 1939, 2449, 3206,
 * 6856): one table of commands.
 *
 * The client has given a password and is trusted with nothing but the
 * mailbox: its lines have a maximum and a time, its numbers are checked.
 * Messages are its own and anybody's who sent them: bytes to be passed on.
 *
 *	S: +OK 2 messages               box_open; nothing has changed
 *	C: RETR 1
 *	S: +OK 120 octets ... .         one write, with what came before it
 *	C: DELE 1
 *	S: +OK                          remembered
 *	C: QUIT                         box_update: this is where it happens
 *	S: +OK bye
 *
 * Whatever else ends a session (the client is gone, silent for too long, a
 * message that cannot be sent to its end) deletes nothing. */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

#include "pop3d/box.h"

#define SESSION_LINE 512                /* bytes of a command, CR LF included
                                         * (2449:4 says 255) */
#define SESSION_DROP 65536              /* of one that is too long, before the
                                         * client is no POP3 client */

struct session_config {
	struct box_config box;
	int timeout_ms;                 /* a client may be silent, or not take
	                                 * what it asked for */
	const char *user, *ip, *tls;    /* for the log; "" where not known */
	pid_t pid;                      /* what the log calls the connection */
	bool passwords, stls;           /* the login takes them, says CAPA: what
	                                 * it offered it must go on to (2449:5) */
};

/* Opens the mailbox, says +OK or why not, serves the client on rfd and wfd
 * and logs one line at the end.  Always to be followed by exit code 0: the
 * connection was served. */
void session_run(const struct session_config *, int rfd, int wfd);

#endif
