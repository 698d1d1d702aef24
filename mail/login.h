/* mail/login.h - a login from the network, in two halves: qmail-popup and
 * imaplogin.
 *
 * The monitor has the rights that a login needs (root, where users have uids
 * of their own) and reads not one byte of the client's.  For each attempt it
 * forks a talker: another user in an empty root, without files, sockets and
 * processes, that speaks the protocol on the connection.  A talker ends in one
 * of three ways:
 *
 *	exit LOGIN_ASK          and its pipe holds "user NUL secret NUL tag NUL"
 *	exit LOGIN_STARTTLS     and its pipe holds "tag NUL" or nothing: the
 *	                        monitor says "go ahead", has tlsd shake hands,
 *	                        and forks another talker
 *	anything else           the connection is over
 *
 * That packet, of LOGIN_PACKET bytes at most, is all that the monitor ever
 * takes from a talker, which is gone before anything is done with it.  The
 * monitor then runs the checkpassword program with the packet and its own
 * stamp on descriptor 3 and the connection as 0 and 1.  The program ends
 * without having run what it was to run: wrong, or unknown, and another talker
 * says so.  Else the connection was the user's, and is over.
 *
 * What is run for the user says so, because it may end with any code: it calls
 * login_taken before it says anything to the client.  Of a program that does
 * not, exit code 0 means that it had the connection, and so does a signal if
 * it ran as another user than the monitor; then it may run as long as it likes.
 * What is root still after CHECKPW_WAIT_MS is a check that hangs, and is
 * killed.
 *
 * Trusted: configuration, environment, tlsd, the checkpassword program.  Not
 * trusted: the talker.  One that is the attacker's own can see and say what
 * its client could, and guess passwords as often as the client may. */
#ifndef MAIL_LOGIN_H
#define MAIL_LOGIN_H

#include "lib/str.h"
#include "lib/tlsreq.h"
#include "mail/checkpw.h"

#include <stdbool.h>
#include <sys/types.h>

#define LOGIN_TAG 64                    /* bytes of a tag */
#define LOGIN_PACKET (CHECKPW_MAX + LOGIN_TAG + 1)
#define LOGIN_LINE 2048                 /* bytes of a client's line */
#define LOGIN_TRIES 3                   /* wrong passwords in a connection */
#define LOGIN_TLS_MS 30000              /* a handshake may take */
#define LOGIN_IDLE_MS 60000             /* a talker waits for a line */
#define LOGIN_TALK_MS 180000            /* and lives, in all */
#define LOGIN_WRONG_MS 2000             /* before the first wrong password is
                                         * answered; then doubled */
#define LOGIN_ROOT HOME_DIR "/tls/empty"
#define LOGIN_FD_ENV "LOGINFD"
#define LOGIN_TAG_ENV "LOGINTAG"        /* set for the program, if not empty */
#define LOGIN_EXIT_WRONG 77             /* passwords were guessed wrongly */

enum login_end {                        /* how a talker ends: exit codes */
	LOGIN_OVER = 0,
	LOGIN_ASK = 10,
	LOGIN_STARTTLS = 11,
};

enum login_why {                        /* why there is a talker */
	LOGIN_HELLO,                    /* a new connection: greet */
	LOGIN_SECURED,                  /* after STARTTLS: nothing is to say */
	LOGIN_NO_TLS,                   /* tlsd is not there, and nothing was
	                                 * said to the client: say so */
	LOGIN_WRONG,                    /* the last attempt: say so */
	LOGIN_UNKNOWN,                  /* it could not be checked */
};

struct login_config {
	const char *service;            /* "pop3", "imap": for tlsd */
	const char *const *argv;        /* checkpassword, and what it runs */
	const char *root;               /* LOGIN_ROOT */
	const char *tls_go_ahead;       /* the answer to STARTTLS, behind the
	                                 * tag: "+OK ...\r\n" */
	const char *tls_socket;         /* TLSREQ_SOCKET; NULL: no TLS here */
	uid_t uid;                      /* of talkers, never 0 */
	gid_t gid;
	bool tags;                      /* each command has one: IMAP */
	bool implicit_tls;              /* shake hands before the first word */
	bool plaintext;                 /* passwords are taken without TLS */
	/* LOGIN_*_MS and CHECKPW_WAIT_MS unless a test says other. */
	int idle_ms, talk_ms, wrong_ms, check_ms;
};

/* What a talker works with. */
struct login {
	const struct login_config *cfg;
	enum login_why why;
	const char *tag;                /* of the last attempt, "" else */
	const char *stamp;              /* the challenge for APOP, "" : none */
	bool tls;                       /* this connection is inside TLS */
	bool can_starttls;              /* tlsd is there, and not yet asked */
	bool can_plain;                 /* tls, or cfg->plaintext */
	bool last;                      /* LOGIN_TRIES attempts have failed */
	int rfd, wfd;                   /* the connection */
	int pipe;
	bool gone;                      /* the client takes no more */
	struct str out;                 /* what login_flush will send */
	struct str line;                /* the last one read */
};

/* What the protocol makes of a connection: says hello or what why asks for,
 * and talks until one of the three ends; what was put is sent then.  With last
 * it says so and ends. */
typedef enum login_end (*login_talk)(struct login *, void *arg);

/* For a talker. */

enum login_read {
	LOGIN_LINE_OK,
	LOGIN_LINE_LONG,                /* the rest of it was not read */
	LOGIN_LINE_GONE,                /* end, error, or too late */
};
/* A line without its LF or CR LF into l->line.  Flushes before it waits; a line
 * that is there already is answered together with the one before.  What
 * follows the line stays unread in the kernel, for whoever has the connection
 * next. */
__attribute__((warn_unused_result))
enum login_read login_line(struct login *);
void login_put(struct login *, const char *text);       /* with its CR LF */
void login_flush(struct login *);
/* Has the client sent more already?  Then no TLS may be started. */
bool login_more(const struct login *);
/* Writes the packet.  -1: user empty or with control characters, a NUL inside,
 * or too long: then the monitor must not be asked, and it is a wrong
 * password. */
__attribute__((warn_unused_result))
int login_say(struct login *, const struct str *user, const struct str *secret,
    const char *tag);
/* The same before LOGIN_STARTTLS; not needed where there are no tags. */
__attribute__((warn_unused_result))
int login_say_tag(struct login *, const char *tag);

/* The monitor: serves the connection on descriptors 0 and 1 to its end.
 * stamp: "" or the challenge that the greeting has.  SSL_PROTOCOL in the
 * environment: they are inside TLS already.  Returns the exit code: 0,
 * LOGIN_EXIT_WRONG when passwords were wrong and none was right, 111 on local
 * trouble.  Talkers of who is not root stay the same user, outside of the
 * empty root. */
int login_monitor(const struct login_config *, const char *stamp,
    login_talk, void *arg);

/* For what is run as the user: the connection is mine.  Nothing when it was
 * started otherwise; the variable is gone afterwards. */
void login_taken(void);

/* Between the halves and for tests. */

/* What the monitor makes of a packet; out's fields are copied.  -1 when it is
 * not one. */
struct login_packet {
	struct str user, secret, tag;
};
__attribute__((warn_unused_result))
int login_parse(const char *s, size_t n, struct login_packet *out);
void login_packet_wipe(struct login_packet *);
/* 0 to LOGIN_TAG printable bytes? */
bool login_tag_ok(const char *s, size_t n);

#endif
