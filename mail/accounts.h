/* mail/accounts.h - the users and groups of the system: the one table.
 *
 * Programs look their ids up by name when they run; nothing is compiled in. */
#ifndef MAIL_ACCOUNTS_H
#define MAIL_ACCOUNTS_H

/* X(group) */
#define ACCOUNTS_GROUPS(X)                                                    \
	X("nofiles")                                                          \
	X("qmail")

/* X(user, primary group, home below HOME, what runs as it) */
#define ACCOUNTS_USERS(X)                                                     \
	X("alias", "nofiles", "alias", "mail that no account owns")           \
	X("keyd", "nofiles", "", "keyd: private keys")                        \
	X("qmaild", "nofiles", "", "network servers")                         \
	X("qmaill", "nofiles", "", "loggers")                                 \
	X("qmailp", "nofiles", "", "qmail-getpw, qmail-verify")               \
	X("qmailq", "qmail", "", "qmail-queued, qmail-clean")                 \
	X("qmailr", "qmail", "", "qmail-rspawn, qmail-remote")                \
	X("qmails", "qmail", "", "qmail-send, qmail-todo")                    \
	X("tlsd", "nofiles", "", "tlsd: TLS sessions")

#endif
