/* vpop/vpop.h - what all of this room knows: error numbers, limits, the flag
 * bits of an account, names that are allowed.
 *
 * Numbers, bits and column widths are those administrators' scripts and
 * databases have had since vpopmail 5.4. */
#ifndef VPOP_VPOP_H
#define VPOP_VPOP_H

#include "lib/str.h"

#include <stdbool.h>

#define VPOP_USER "vpopmail"            /* and its home: looked up, never
                                         * compiled in */
#define VPOP_GROUP "vchkpw"

/* X(NAME, number, text).  A command that fails ends with 256 - number. */
#define VPOP_ERRORS(X)                                                        \
	X(ILLEGAL_USERNAME, 1, "illegal user name")                           \
	X(USERNAME_EXISTS, 2, "user name already exists")                     \
	X(BAD_VDIR, 3, "the vpopmail directory cannot be entered")            \
	X(BAD_UDIR, 4, "the users directory cannot be entered")               \
	X(BAD_DDIR, 5, "the domains directory cannot be entered")             \
	X(BAD_D_DIR, 6, "the domain's directory cannot be entered")           \
	X(USER_DIR_EXISTS, 7, "the user's directory already exists")          \
	X(BAD_U_DIR, 8, "the user's directory cannot be entered")             \
	X(CANNOT_MAKE_DIR, 9, "directories cannot be made")                   \
	X(NO_USER, 10, "user does not exist")                                 \
	X(NO_DOMAIN, 11, "domain does not exist")                             \
	X(BAD_DOMAIN, 12, "invalid domain name")                              \
	X(DOMAIN_EXISTS, 13, "domain already exists")                         \
	X(NO_DOMAIN_DIR, 14, "the domain's directory cannot be made")         \
	X(NO_DOTQMAIL, 15, ".qmail-default cannot be written")                \
	X(NO_DOMAINS_DIR, 16, "the domains directory cannot be made")         \
	X(CANNOT_UPDATE, 17, "a file cannot be updated")                      \
	X(CRYPT, 18, "the password cannot be hashed")                         \
	X(OPEN_DOTQMAIL, 19, ".qmail cannot be opened")                       \
	X(BAD_CHAR, 20, "bad character")                                      \
	X(BAD_UID, 22, "running as the wrong user")                           \
	X(NO_AUTH_CONNECTION, 23, "no connection to the account store")       \
	X(MEMORY, 24, "out of memory")                                        \
	X(USER_LONG, 25, "user name too long")                                \
	X(DOMAIN_LONG, 26, "domain name too long")                            \
	X(PASSWD_LONG, 27, "password too long")                               \
	X(GECOS_LONG, 28, "comment too long")                                 \
	X(QUOTA_LONG, 29, "quota too long")                                   \
	X(DIR_LONG, 30, "directory name too long")                            \
	X(CLEAR_LONG, 31, "clear password too long")                          \
	X(ALIAS_LONG, 32, "alias line too long")                              \
	X(BAD_EMAIL, 34, "bad character in the address")                      \
	X(CONFIG, 35, "a setting is not understood")                          \
	X(LIMITS, 36, "domain limits cannot be read")                         \
	X(ASSIGN, 37, "users/assign cannot be read")                          \
	X(FILE, 38, "a database or file cannot be opened")                    \
	X(BAD_IP, 39, "invalid IP address")                                   \
	X(QUERY, 40, "the query failed")                                      \
	X(CATCHALL, 55, "the catch-all account may not be deleted")           \
	X(PASSWD_SHORT, 69, "password too short")

enum vpop_error {
	VPOP_OK = 0,
#define X(name, number, text) VPOP_##name = -(number),
	VPOP_ERRORS(X)
#undef X
};
const char *vpop_error_text(enum vpop_error);

/* Bytes, without a NUL.  A store may hold less (vstore_width). */
#define VPOP_USER_MAX 64
#define VPOP_DOMAIN_MAX 96
#define VPOP_HASH_MAX 255
#define VPOP_CLEAR_MAX 128
#define VPOP_GECOS_MAX 64
#define VPOP_DIR_MAX 160
#define VPOP_QUOTA_MAX 64
#define VPOP_ALIAS_MAX 4096
#define VPOP_PASSWORD_MAX 1024          /* what anybody may type */

/* Bits of pw_gid. */
#define VPOP_NO_PASSWD_CHNG 0x1u
#define VPOP_NO_POP 0x2u
#define VPOP_NO_WEBMAIL 0x4u
#define VPOP_NO_IMAP 0x8u
#define VPOP_BOUNCE_MAIL 0x10u
#define VPOP_NO_RELAY 0x20u
#define VPOP_NO_DIALUP 0x40u
#define VPOP_USER0 0x80u
#define VPOP_USER1 0x100u
#define VPOP_USER2 0x200u
#define VPOP_USER3 0x400u
#define VPOP_NO_SMTP 0x800u
#define VPOP_QA_ADMIN 0x1000u
#define VPOP_OVERRIDE 0x2000u
#define VPOP_NO_SPAMASSASSIN 0x4000u
#define VPOP_DELETE_SPAM 0x8000u
#define VPOP_SA_ADMIN 0x10000u
#define VPOP_SA_EXPERT 0x20000u
#define VPOP_NO_MAILDROP 0x40000u

/* In place to lower case, then VPOP_OK, or the error.  creating: stricter,
 * for names that are made (no '/', no leading '.', no "..", longer than one
 * byte, not "vpasswd"); else for names that are looked up.  USER_LONG: nothing
 * else is wrong with it. */
__attribute__((warn_unused_result))
enum vpop_error vpop_user_name(struct str *, bool creating);
__attribute__((warn_unused_result))
enum vpop_error vpop_domain_name(struct str *);
/* user@domain, user%domain, user/domain, in this order; without a domain
 * *domain_out is empty. */
__attribute__((warn_unused_result))
enum vpop_error vpop_split(const char *addr, struct str *user_out,
    struct str *domain_out);

#endif
