/* mail/accounts.h - the users and groups of the system: the one table.
 *
 * Programs look their ids up by name when they run; nothing is compiled in. */
#ifndef MAIL_ACCOUNTS_H
#define MAIL_ACCOUNTS_H

/* Virtual domains.  Other software may have made this user long ago: its home
 * and its primary group are then those it has. */
#define ACCOUNTS_VPOPMAIL "vpopmail"
#define ACCOUNTS_VCHKPW "vchkpw"
#define ACCOUNTS_VPOPMAIL_HOME "/home/vpopmail"
#define ACCOUNTS_VPOPMAIL_ID 89         /* of both, where it is free */

/* X(group) */
#define ACCOUNTS_GROUPS(X)                                                    \
	X("nofiles")                                                          \
	X("qmail")                                                            \
	X(ACCOUNTS_VCHKPW)

/* X(user, primary group, home, what runs as it); a home that does not begin
 * with / is below HOME. */
#define ACCOUNTS_USERS(X)                                                     \
	X("alias", "nofiles", "alias", "mail that no account owns")           \
	X("keyd", "nofiles", "", "keyd: private keys")                        \
	X("qmaild", "nofiles", "", "network servers")                         \
	X("qmaill", "nofiles", "", "loggers")                                 \
	X("qmailp", "nofiles", "", "qmail-getpw, qmail-verify")               \
	X("qmailq", "qmail", "", "qmail-queued, qmail-clean")                 \
	X("qmailr", "qmail", "", "qmail-rspawn, qmail-remote")                \
	X("qmails", "qmail", "", "qmail-send, qmail-todo")                    \
	X("tlsd", "nofiles", "", "tlsd: TLS sessions")                        \
	X(ACCOUNTS_VPOPMAIL, ACCOUNTS_VCHKPW, ACCOUNTS_VPOPMAIL_HOME,         \
	    "authdaemond, mailboxes of virtual domains")

#endif
