/* vpop/chkpw.h - checking a login for a program with checkpassword's
 * interface: what vchkpw does before it becomes the user.
 *
 * The three fields are a stranger's, the environment is tcpserver's, and
 * authdaemond is believed.  Passwords are in no log and no argument. */
#ifndef VPOP_CHKPW_H
#define VPOP_CHKPW_H

#include "mail/authproto.h"

#include <sys/types.h>

#define CHKPW_MAX 2048          /* bytes on descriptor 3 */

/* X(NAME, exit code, meaning) */
#define CHKPW_CODES(X)                                                        \
	X(OK, 0, "the program was run")                                       \
	X(DENIED, 1, "the account may not use this service")                  \
	X(MISUSE, 2, "no program is given")                                   \
	X(WRONG, 3, "unknown user or wrong password")                         \
	X(GID, 4, "the group cannot be taken")                                \
	X(UID, 5, "the user cannot be taken")                                 \
	X(DIR, 6, "the directory cannot be entered")                          \
	X(INPUT, 11, "descriptor 3 cannot be read, or holds too much")        \
	X(NO_USER, 12, "no user name")                                        \
	X(NO_PASSWORD, 13, "no password")                                     \
	X(MAKE, 14, "the directory is missing and cannot be made")            \
	X(TEMP, 111, "it cannot be known now, or the program cannot be run")

enum chkpw_code {
#define X(name, code, meaning) CHKPW_##name = (code),
	CHKPW_CODES(X)
#undef X
};

/* Where the login comes from; NULL: not known. */
struct chkpw_where {
	const char *socket;             /* authdaemond's */
	const char *remote_ip, *local_ip, *local_port;
	const char *service;            /* SERVICE: smtp, pop3, imap ... */
	const char *domain;             /* VPOPMAIL_DOMAIN */
	const char *program;            /* what is to be run */
};

struct chkpw {
	struct str user, secret, stamp; /* as they came */
	struct str home;
	uid_t uid;
	gid_t gid;
	bool stays;                     /* SMTP: no other user is needed */
};
void chkpw_free(struct chkpw *);        /* wiped */

/* "user NUL password NUL stamp NUL"; the last part may be missing.  OK,
 * INPUT, NO_USER or NO_PASSWORD. */
__attribute__((warn_unused_result))
enum chkpw_code chkpw_parse(const char *s, size_t n, struct chkpw *out);
/* Asks, and logs what came out.  OK: home, uid and gid are set. */
__attribute__((warn_unused_result))
enum chkpw_code chkpw_check(const struct chkpw_where *, struct chkpw *);
/* Becomes the user, enters the home and makes what is missing of it; then the
 * environment: USER, HOME, SHELL, VPOPUSER. */
__attribute__((warn_unused_result))
enum chkpw_code chkpw_become(const struct chkpw *);

/* For tests: the name in the log ("vchkpw-smtp"), replaced, and the service
 * that authdaemond is told. */
void chkpw_service(const struct chkpw_where *, struct str *log_out,
    struct str *service_out, bool *smtp_out, bool *pop_out);

#endif
