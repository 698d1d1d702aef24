/* lib/tlsreq.h - asking tlsd for TLS: both ends of HOME/run/tls.
 *
 * The asker gives its connected socket away and gets one that speaks plain
 * text.  Neither side of this conversation links a TLS library but tlsd.
 *
 *	int t = tlsreq_open(TLSREQ_SOCKET);     is there TLS at all?
 *	... answer "220 ready", with nothing read past the command ...
 *	r = tlsreq_start(t, &req, net, &facts, &plain);
 *
 * One connection (SOCK_SEQPACKET) serves one session: one packet with the
 * request and the socket goes out; one packet with the facts, and on success
 * the plain-text descriptor, comes back.  The connection is then over.
 *
 *   request  role, verify, given: a byte each ("1", "2"; "0".."3"; "0", "1");
 *            timeout in decimal, service, name, altname, peer, number of
 *            TLSA records in decimal: each ended by NUL; each record: its
 *            length in two bytes, big-endian, and its RDATA
 *   facts    ok, verified: a byte each ("0", "1"); version, cipher, bits in
 *            decimal, sni, peer, fingerprint, reason: each ended by NUL
 *
 * When given is "1" a packet of one byte "P" with a descriptor follows the
 * request.  Texts are printable ASCII (reason and peer with spaces), at most
 * TLSREQ_TEXT bytes, service and peer's address at most 64.
 *
 * tlsd trusts the request as far as its peer's uid is on its list, and its
 * bytes not at all; the asker trusts tlsd. */
#ifndef LIB_TLSREQ_H
#define LIB_TLSREQ_H

#include "lib/str.h"

#include <stdbool.h>
#include <stdint.h>

#define TLSREQ_SOCKET HOME_DIR "/run/tls"
#define TLSREQ_PACKET 65536             /* bytes, either way */
#define TLSREQ_TLSA_MAX 20              /* records */
#define TLSREQ_TEXT 1024                /* bytes of a text */
#define TLSREQ_SHORT 64                 /* of service, peer's address */

enum tlsreq_role { TLSREQ_SERVER = 1, TLSREQ_CLIENT = 2 };
enum tlsreq_verify {
	TLSREQ_ANY = 0,         /* whoever it is (opportunistic) */
	TLSREQ_NAME = 1,        /* a certificate of a public CA for a name */
	TLSREQ_DANE = 2,        /* what the TLSA records say */
	TLSREQ_ASK = 3,         /* server: ask the client for a certificate */
};

struct tlsreq {
	enum tlsreq_role role;
	enum tlsreq_verify verify;
	unsigned timeout_ms;            /* for the handshake, 1000..300000 */
	const char *service;            /* "smtp", "pop3", "imap": ALPN, and
	                                 * tickets are good for it alone */
	const char *name;               /* client: SNI and the name to verify;
	                                 * server: unused, "" */
	const char *altname;            /* another acceptable name, or "" */
	const char *peer;               /* address as text, for the log */
	size_t ntlsa;                   /* client, DANE: raw RDATA each */
	const struct str *tlsa;
	bool given;                     /* the plain end follows: _start_on */
};

struct tlsfacts {
	bool ok;                        /* the handshake succeeded, and what
	                                 * verify demands is true */
	bool verified;                  /* peer has a certificate and it holds
	                                 * (for TLSREQ_ANY: told, not demanded) */
	struct str version;             /* "TLSv1.3" */
	struct str cipher;              /* "TLS_AES_256_GCM_SHA384" */
	unsigned bits;                  /* of the cipher */
	struct str sni;                 /* what a client asked for, or empty:
	                                 * host name bytes only */
	struct str peer;                /* subject name of the peer's
	                                 * certificate: printable ASCII */
	struct str fingerprint;         /* SHA-256 of it, hex, or empty */
	struct str reason;              /* of failure, for a log or report */
};
void tlsfacts_free(struct tlsfacts *);

enum tlsreq_status {
	TLSREQ_OK,
	TLSREQ_FAILED,          /* facts->reason: the peer, or the verification */
	TLSREQ_GONE,            /* tlsd is not there or ended: errno */
};

/* A connection to tlsd, or -1 with errno. */
__attribute__((warn_unused_result))
int tlsreq_open(const char *path);
/* Closes t and net in every case.  On TLSREQ_OK *plain_out is a connected
 * stream socket: its end of file is the end of the peer's data; closing it
 * ends TLS properly. */
__attribute__((warn_unused_result))
enum tlsreq_status tlsreq_start(int t, const struct tlsreq *, int net,
    struct tlsfacts *, int *plain_out);

/* The same for an asker that has the plain end's other side already: tlsd goes
 * on with plain, which is closed here in every case, and makes no pair. */
__attribute__((warn_unused_result))
enum tlsreq_status tlsreq_start_on(int t, const struct tlsreq *, int net,
    int plain, struct tlsfacts *);

/* The packets: for the other end, tests and fuzzing.  _cat appends; _parse
 * borrows from s, which must outlive *out; -1 (EPROTO) when malformed. */
void tlsreq_cat(struct str *, const struct tlsreq *);   /* not checked */
__attribute__((warn_unused_result))
int tlsreq_parse(const char *s, size_t n, struct tlsreq *out,
    struct str tlsa_out[TLSREQ_TLSA_MAX]);
/* Foreign bytes become '?', long texts are cut. */
void tlsfacts_cat(struct str *, const struct tlsfacts *);
__attribute__((warn_unused_result))
int tlsfacts_parse(const char *s, size_t n, struct tlsfacts *out);

/* Environment of a program that is started inside TLS, after ucspi-ssl:
 * SSL_PROTOCOL SSL_CIPHER SSL_CIPHER_USEKEYSIZE SSL_TLS_SNI_SERVERNAME
 * SSL_CLIENT_S_DN SSL_CLIENT_FINGERPRINT SSL_CLIENT_VERIFY ("NONE",
 * "SUCCESS", "FAILED"). */
void tlsfacts_setenv(const struct tlsfacts *);
/* Reads them back; ok is false when SSL_PROTOCOL is not set. */
void tlsfacts_getenv(struct tlsfacts *);

#endif
