/* mail/authproto.h - asking authdaemond: courier's protocol, both ends, and
 * what is ours in it.
 *
 * One connection, one request, one answer, then it closes; no answer means
 * temporary failure.  Lines end with LF, at most AUTHPROTO_MAX bytes a request.
 *
 *	[TCPREMOTEIP=1.2.3.4 LF] [TCPLOCALIP=5.6.7.8 LF] [OTHER=... LF]
 *	PRE . SERVICE ADDRESS LF
 *	AUTH N LF + N bytes: SERVICE LF login LF USER LF PASSWORD LF
 *	     (or cram-md5 LF, or apop LF, CHALLENGE64 LF RESPONSE64 LF;
 *	     RESPONSE64 is base64 of USER SP hexadecimal digits)
 *	PASSWD SERVICE TAB USER TAB OLD TAB NEW LF
 *	ENUMERATE LF
 *	RESOLVE ADDRESS LF              ours: what delivery wants to know
 *	CHANGED DOMAIN [USER] LF        ours: forget what is cached
 * Answers: NAME=value lines and "." LF; "FAIL" LF; "OK" LF.
 * RESOLVE answers DOMAIN= (real) DIR= UID= GID= of the domain, for a mailbox
 * USER= HOME= QUOTA= FLAGS= (effective, decimal), for each alias line ALIAS=,
 * and "."; FAIL when the domain is not a virtual one.
 *
 * The server trusts nobody but root, vpopmail and a domain's own user with
 * hashes (PASSWD=), and nobody at all with its memory. */
#ifndef MAIL_AUTHPROTO_H
#define MAIL_AUTHPROTO_H

#include "lib/str.h"

#define AUTHPROTO_SOCKET HOME_DIR "/run/auth"
#define AUTHPROTO_MAX 8192              /* bytes of a request */
#define AUTHPROTO_ANSWER_MAX 65536      /* bytes of an answer: RESOLVE's may
                                         * be longer than courier's 8192 */
#define AUTHPROTO_WAIT_MS 30000
#define AUTHPROTO_PATIENCE_MS 3000      /* for a service being restarted */
#define AUTHPROTO_CHANGED_MS 5000       /* for word of a change */

enum auth_status { AUTH_OK, AUTH_FAIL, AUTH_TEMP };

enum auth_op {
	AUTH_OP_PRE,
	AUTH_OP_LOGIN,
	AUTH_OP_CRAM_MD5,
	AUTH_OP_APOP,
	AUTH_OP_PASSWD,
	AUTH_OP_ENUMERATE,
	AUTH_OP_RESOLVE,
	AUTH_OP_CHANGED,
};

struct auth_request {
	enum auth_op op;
	struct str remote_ip, local_ip; /* empty: not known */
	struct str service;
	struct str user;        /* PRE, RESOLVE: the address; CHANGED: the
	                         * user, or empty */
	struct str domain;      /* CHANGED */
	struct str secret;      /* password, old password, hex response */
	struct str challenge;   /* CRAM-MD5, APOP; PASSWD: the new password */
};
void auth_request_free(struct auth_request *);  /* wiped */

/* Both directions of a request.  _cat appends it, or -1 (EINVAL) when a field
 * holds what it must not or all is too long.  _parse trusts nothing: MORE
 * until there is enough, bytes after the request do not matter. */
enum auth_parse { AUTH_PARSE_DONE, AUTH_PARSE_MORE, AUTH_PARSE_BAD };
__attribute__((warn_unused_result))
int auth_request_cat(struct str *, const struct auth_request *);
__attribute__((warn_unused_result))
enum auth_parse auth_request_parse(const char *s, size_t n,
    struct auth_request *out);

struct auth_answer { struct str text; };        /* NAME=value NUL ... */
/* A whole answer, up to its end of file: OK and FAIL as they say, AUTH_TEMP
 * for everything that is not complete.  *out is replaced. */
__attribute__((warn_unused_result))
enum auth_status auth_answer_parse(const char *s, size_t n,
    struct auth_answer *out);
/* Appends "NAME=value LF"; a value is cut at its first NUL or LF. */
void auth_answer_cat(struct str *, const char *name, const char *value);
/* The value of the i-th line of that name, or NULL; borrowed. */
const char *auth_value_peek(const struct auth_answer *, const char *name,
    size_t i);
void auth_answer_free(struct auth_answer *);    /* wiped */

/* One question: connects, asks, closes; AUTHPROTO_WAIT_MS in all.  A field
 * that cannot be said is AUTH_FAIL.  ENUMERATE is not asked this way. */
__attribute__((warn_unused_result))
enum auth_status auth_ask(const char *path, const struct auth_request *,
    struct auth_answer *);
/* The same by kind; remote_ip may be NULL. */
__attribute__((warn_unused_result))
enum auth_status auth_pre(const char *path, const char *service,
    const char *address, struct auth_answer *);
__attribute__((warn_unused_result))
enum auth_status auth_login(const char *path, const char *service,
    const char *remote_ip, const char *user, const char *password,
    struct auth_answer *);
__attribute__((warn_unused_result))
enum auth_status auth_resolve(const char *path, const char *address,
    struct auth_answer *);
__attribute__((warn_unused_result))
enum auth_status auth_passwd(const char *path, const char *service,
    const char *remote_ip, const char *user, const char *oldpw,
    const char *newpw);
/* Best effort. */
void auth_changed(const char *path, const char *domain, const char *user);

#endif
