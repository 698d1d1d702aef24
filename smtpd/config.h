/* smtpd/config.h - all that qmail-smtpd is told: control files, environment,
 * arguments.  Read once, before the first byte of a client; by a program that
 * is kept (lib/keep.h) in two steps, files once and the rest per session. */
#ifndef SMTPD_CONFIG_H
#define SMTPD_CONFIG_H

#include "control/rcpthosts.h"
#include "lib/keep.h"
#include "lib/str.h"

#include <stdbool.h>
#include <stdint.h>

#define SMTPD_LINE 2048         /* bytes of a command line, CRLF included:
                                 * 5321:4.5.3.1.4 and all extensions */
#define SMTPD_LINE_AUTH 12288   /* 4954:4 */
#define SMTPD_LINE_DROP 65536   /* bytes of an over-long line that are read to
                                 * its end; then it is over */
#define SMTPD_ADDR_MAX 900      /* bytes of an address, as ever */
#define SMTPD_RCPTS 1000        /* recipients of a message, count */
#define SMTPD_RCPTS_OVER 1000   /* more that are answered 452, count */
#define SMTPD_CHUNK_MAX 0x7fffffff      /* bytes of one BDAT */
#define SMTPD_ERRORS_SLOW 10    /* count: then each reply waits a second */
#define SMTPD_ERRORS_MAX 20     /* count: then 421 */
#define SMTPD_JUNK_MAX 100      /* commands that lead nowhere, count, between
                                 * two messages */
#define SMTPD_UNKNOWN_MAX 3     /* unknown commands, count */
#define SMTPD_AUTH_TRIES 3      /* wrong passwords, count */
#define SMTPD_RATE 500          /* bytes a second that data must have, after a
                                 * start of data_ms */

enum smtpd_tls { SMTPD_TLS_OFFER, SMTPD_TLS_MUST, SMTPD_TLS_NEVER };

/* Who is at the two ends: TCP*, later what PROXY or XCLIENT said. */
struct smtpd_peer {
	struct str ip;          /* as text; empty: not known */
	struct str host, info;  /* as found; foreign bytes */
	struct str local_ip, local_host;
	struct str helo;        /* what the client calls itself */
	bool proxied;           /* ip is not the address that connected */
};

struct smtpd_times {            /* ms */
	int idle;               /* for the first byte of a command */
	int line;               /* for the rest of its line */
	int data;               /* patience with data before SMTPD_RATE counts */
	int session;            /* no new command after that */
	int greet;              /* before the greeting; -1: not even looked */
	int proxy;              /* for the PROXY header */
	int wrong;              /* delay of the first wrong password; the next
	                         * one waits twice as long */
	int slow;               /* delay of a reply after SMTPD_ERRORS_SLOW */
	int tls;                /* for a handshake */
};

struct smtpd_config {
	struct str me;                  /* control/me, or "" */
	struct str greeting, localiphost;
	/* Lines, each ended by NUL. */
	struct str badmailfrom, locals, senderlogins;
	struct rcpthosts rcpthosts;
	uint64_t databytes;             /* 0: no limit */

	struct smtpd_peer peer;
	bool inside_tls;                /* SSL_PROTOCOL is set */
	const char *relayclient;        /* appended to recipients; NULL: no */
	enum smtpd_tls tls;
	bool auth_never, auth_must, auth_clear;
	const char *const *checkpw;     /* program and arguments, or NULL */
	bool submission;
	bool barelf;                    /* lone LFs are repaired */
	bool xclient, proxy;

	bool net_socket;                /* descriptor 0 is a socket */
	int ssl_ctl, ssl_read, ssl_write;       /* UCSPI-TLS, or -1 */
	const char *tls_socket, *rcpt_socket, *queue_dir;
	struct smtpd_times times;
};

/* The control files, into a config that is {0}; of the environment SUBMISSION
 * counts.  Dies 111 when one cannot be read. */
void smtpd_config_control(struct smtpd_config *out);
/* The rest: environment, arguments, descriptor 0.  After the control files. */
void smtpd_config_session(struct smtpd_config *, int argc, char **argv);
/* Has a template watch those files; before they are read. */
void smtpd_config_watch(struct keep_program *);
void smtpd_config_free(struct smtpd_config *);

/* The checkpassword program among the arguments of qmail-smtpd, which are
 * [hostname] program argument ...; NULL and a reason when there is none that
 * could be trusted with saying yes.  NULL and a NULL reason: no arguments. */
const char *const *smtpd_config_checkpw(const char *const *args, size_t n,
    const char **why);

#endif
