/* mail/authproto.h - asking authdaemond: courier's protocol, both ends, and
 * what is ours in it.
 *
 * One connection, one request, one answer, then it closes; no answer means
 * temporary failure.  Lines end with LF, at most AUTHPROTO_MAX bytes in all.
 *
 *	[TCPREMOTEIP=1.2.3.4 LF]
 *	PRE . SERVICE ADDRESS LF
 *	AUTH N LF + N bytes: SERVICE LF login LF USER LF PASSWORD LF
 *	                     (or cram-md5 LF CHALLENGE64 LF RESPONSE64 LF)
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
#define AUTHPROTO_MAX 8192
#define AUTHPROTO_WAIT_MS 30000

enum auth_status { AUTH_OK, AUTH_FAIL, AUTH_TEMP };

struct auth_answer { struct str text; };        /* NAME=value NUL ... */
/* The value of the i-th line of that name, or NULL; borrowed. */
const char *auth_value_peek(const struct auth_answer *, const char *name,
    size_t i);
void auth_answer_free(struct auth_answer *);    /* wiped */

/* One question: connects, asks, closes.  remote_ip may be NULL. */
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
