/* pop3d/popup.h - the AUTHORIZATION state of POP3: what a talker of
 * mail/login.h says (RFC 1939, 2449, 2595, 3206, 5034, 6856).
 *
 * The client is trusted with nothing.  A talker lives for one attempt:
 *
 *	HELLO --greeting--> commands --STLS--> the monitor, then SECURED
 *	                    commands --PASS, APOP, AUTH--> the monitor, then
 *	                             WRONG or UNKNOWN, or qmail-pop3d
 *
 * so that nothing said before STLS, and no USER before a wrong password, is
 * remembered: whoever could remember it is gone.
 *
 * Worked example (S: the talker, M: the monitor between two of them):
 *	S: +OK valija POP3              why is LOGIN_HELLO
 *	C: STLS                         ends with LOGIN_STARTTLS
 *	M: +OK begin TLS                the handshake; the next one is SECURED
 *	C: USER ana
 *	S: +OK PASS?
 *	C: PASS oops                    login_say, ends with LOGIN_ASK
 *	M:                              the checkpassword program says no
 *	S: -ERR [AUTH] wrong ...        why is LOGIN_WRONG
 *	C: AUTH PLAIN AGFuYQBzZWNyZXQ=  LOGIN_ASK: yes, it is qmail-pop3d now */
#ifndef POP3D_POPUP_H
#define POP3D_POPUP_H

#include "mail/login.h"

#define POPUP_ERRORS 12         /* wrong commands that a talker answers */
#define POPUP_HOST 64           /* bytes of a host name in a stamp */
#define POPUP_GO_AHEAD "+OK begin TLS\r\n"      /* to STLS, by the monitor */

struct popup_config {
	uint64_t delay_s;       /* LOGIN-DELAY that CAPA tells, 0: none */
};

/* A login_talk; arg is a const struct popup_config *. */
enum login_end popup_talk(struct login *, void *arg);

/* "<PID.TIME.RANDOM@HOST>" for APOP; bytes that a host name has not become
 * "_".  -1 with errno when there is nothing random. */
__attribute__((warn_unused_result))
int popup_stamp(struct str *out, const char *host);

#endif
