/* smtpd/session.h - one SMTP session: its state, and what its modules share.
 *
 * A session is a function of a struct io and a configuration.  Nothing the
 * client says is trusted.  The way through it:
 *
 *	START --EHLO--> READY --MAIL--> FROM --RCPT--> TO --DATA--> READY
 *	                                           TO --BDAT--> CHUNK --> READY
 *
 * RSET and EHLO go back to READY, STARTTLS and XCLIENT to START.  The table
 * of commands in session.c says which command is good in which state.
 *
 * Worked example (S: us):
 *	S: 220 mx.example ESMTP         nothing may come before it
 *	C: EHLO a.example               helo, esmtp; READY
 *	S: 250-mx.example ... 250 ...
 *	C: MAIL FROM:<x@a> SIZE=99      mailcmd.c: from, size; FROM
 *	C: RCPT TO:<y@b>                rcpt.c: policy, then verification; TO
 *	S: 250, 250                     the replies of a group leave together
 *	C: DATA                         data.c: the queue is opened, then 354
 *	C: ... CRLF . CRLF              decode.c, message.c: into the queue
 *	S: 250 2.0.0 ok TIME qp N       it is on the disk */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include "lib/io.h"
#include "lib/tlsreq.h"
#include "mail/dsn.h"
#include "mail/verify.h"
#include "smtpd/checker.h"
#include "smtpd/config.h"

#define SMTPD_EXIT_WRONG 77     /* passwords were guessed wrongly */

enum smtpd_state {              /* bits, for the table of commands */
	SMTPD_START = 1, SMTPD_READY = 2, SMTPD_FROM = 4, SMTPD_TO = 8,
	SMTPD_CHUNK = 16, SMTPD_ANY = 31,
};

struct message;

struct smtpd {
	struct io *io;
	const struct smtpd_config *cfg;
	struct smtpd_peer peer;
	struct tlsfacts tls;            /* ok: the session is in TLS */
	struct checker *checker;
	struct verify verify;
	const char *relayclient;        /* as cfg's, until XCLIENT or PROXY */
	bool xclient;

	enum smtpd_state state;
	bool esmtp;
	struct str login;               /* authenticated as, or empty */

	/* The transaction. */
	struct str from;
	bool from_bad;                  /* in badmailfrom */
	bool utf8;                      /* SMTPUTF8 was given */
	struct dsn_message dsn;
	struct str rcpts, rcpt_wishes;  /* each ended by NUL */
	size_t nrcpts, nover;
	struct message *msg;            /* between BDAT chunks, or in DATA */

	/* What the session is judged by; counts. */
	unsigned errors, junk, unknown, wrong;
	struct str tried;               /* the user of the first wrong password */
	bool guesses;                   /* and there was another one */
	unsigned commands, messages, recipients, refused;
	int64_t begun;                  /* clock_mono_ms */
	int64_t patience;               /* ms that data may still take */
	uint64_t total_in, total_out;   /* bytes before TLS */

	struct str line;                /* the command read */
	const char *verb;               /* of it, for the log; static text */
	bool over;                      /* end after this command */
	const char *reason;             /* why it ended, for the log */
	int code;                       /* exit code */
};

/* Speaks until the session is over; the exit code of the program. */
__attribute__((warn_unused_result))
int smtpd_session(struct io *, const struct smtpd_config *, struct checker *);

/* wire.c: lines in, replies out. */
enum wire_status {
	WIRE_OK,
	WIRE_TOOLONG,           /* read to its end, and dropped */
	WIRE_BAD,               /* answered and logged: the session is over */
	WIRE_GONE,              /* end of input, timeout, error: also over */
};
/* The next line into s->line, without its CRLF. */
__attribute__((warn_unused_result))
enum wire_status wire_line(struct smtpd *, size_t max);
/* At least a byte of data is buffered, or -1 and the session is over. */
__attribute__((warn_unused_result))
int wire_data(struct smtpd *);
/* Has the client said more than what was read? */
bool wire_ahead(struct smtpd *);
/* One reply line; the code's enhanced status is part of the text. */
void wire_reply(struct smtpd *, const char *text);
void wire_replyf(struct smtpd *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A refusal: reply, log line, and unless the fault is ours (4yz) an error
 * counted.  to: the recipient it is about, or NULL. */
void wire_refuse(struct smtpd *, const char *to, const char *text);
/* The same, and the session is over. */
void wire_close(struct smtpd *, const char *reason, const char *text);
/* The client must see the reply now. */
void wire_flush(struct smtpd *);
void wire_sleep(struct smtpd *, int ms);
/* Ends the session in silence. */
void wire_end(struct smtpd *, const char *reason);

/* Log lines begin with event and who; pairs follow.  log_pair cuts long
 * values and quotes all of them. */
void wire_log_begin(const struct smtpd *, struct str *, const char *event);
void wire_log_pair(struct str *, const char *key, const char *s, size_t n);
void wire_log_end(struct str *);        /* writes and frees */
/* to= and rcpts= of the transaction; nothing when it has no recipients. */
void wire_log_rcpts(const struct smtpd *, struct str *);
/* A line for each recipient but the first, so that all can be found. */
void wire_log_others(const struct smtpd *);

/* session.c */
void smtpd_reset(struct smtpd *);               /* the transaction */
/* Everything the client said is forgotten: after STARTTLS and XCLIENT. */
void smtpd_forget(struct smtpd *);
bool smtpd_may_relay(const struct smtpd *);
bool smtpd_auth_offered(const struct smtpd *);
void smtpd_greet(struct smtpd *);
/* Is the client allowed to begin?  False: it was refused. */
bool smtpd_admitted(struct smtpd *);

/* The commands, given what follows the verb. */
void mailcmd_mail(struct smtpd *, const char *arg);
void rcpt_rcpt(struct smtpd *, const char *arg);
void data_data(struct smtpd *, const char *arg);
void data_bdat(struct smtpd *, const char *arg);
void auth_auth(struct smtpd *, const char *arg);
void tls_starttls(struct smtpd *, const char *arg);
void xclient_xclient(struct smtpd *, const char *arg);

/* tls.c: can STARTTLS be offered now? */
bool tls_offered(const struct smtpd *);
void tls_log(struct smtpd *);
/* xclient.c: the PROXY header of a trusted balancer; -1: session over. */
__attribute__((warn_unused_result))
int xclient_proxy(struct smtpd *);
/* Tells programs that are started later who the client is, as the patches for
 * AUTH do: the login as TCPREMOTEINFO, and RELAYCLIENT. */
void xclient_export(const struct smtpd *);

#endif
