/* control/control.h - the files below HOME/control: one table, one reader.
 *
 * A one-value file is its first line without trailing space, tab and LF.  A
 * list file is its lines, each without trailing space and tab, empty ones and
 * those beginning with # left out.  A missing file has the default of the
 * table ("@me": the value of control/me).  Anything but "missing" that keeps a
 * file from being read is CONTROL_TEMP with errno: never a default. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "lib/map.h"
#include "lib/str.h"

/* X(ID, file, default, who reads it, meaning); NULL default: none */
#define CONTROL_TABLE(X)                                                      \
	X(ME, "me", NULL, "all", "this host's full name")                     \
	X(BADMAILFROM, "badmailfrom", NULL, "qmail-smtpd",                    \
	    "refused envelope senders, user@host or @host")                   \
	X(BOUNCEFROM, "bouncefrom", "MAILER-DAEMON", "qmail-send",            \
	    "local part of the author of bounces")                            \
	X(BOUNCEHOST, "bouncehost", "@me", "qmail-send",                      \
	    "host of the author of bounces")                                  \
	X(BOUNCEMAXBYTES, "bouncemaxbytes", "50000", "qmail-send",            \
	    "bytes of the original message that a bounce carries, 0: all")    \
	X(CHECKPASSWORD, "checkpassword", "vchkpw /bin/true", "run scripts",  \
	    "program that knows passwords, and what it runs for submission")  \
	X(CONCURRENCYHOST, "concurrencyhost", "10", "qmail-send",             \
	    "simultaneous remote deliveries to one domain, 0: no limit")      \
	X(CONCURRENCYINCOMING, "concurrencyincoming", "200", "run scripts",   \
	    "simultaneous connections to port 25")                            \
	X(CONCURRENCYLOCAL, "concurrencylocal", "10", "qmail-send",           \
	    "simultaneous local deliveries")                                  \
	X(CONCURRENCYPOP3, "concurrencypop3", "100", "run scripts",           \
	    "simultaneous connections to 110 and 995, each")                  \
	X(CONCURRENCYREMOTE, "concurrencyremote", "20", "qmail-send",         \
	    "simultaneous remote deliveries")                                 \
	X(CONCURRENCYSUBMISSION, "concurrencysubmission", "100",              \
	    "run scripts", "simultaneous connections to 587 and 465, each")   \
	X(DATABYTES, "databytes", "0", "qmail-smtpd",                         \
	    "maximum message size in bytes, 0: no limit")                     \
	X(DEFAULTDOMAIN, "defaultdomain", "@me", "qmail-inject",              \
	    "added to host names without a dot")                              \
	X(DEFAULTHOST, "defaulthost", "@me", "qmail-inject",                  \
	    "added to addresses without a host")                              \
	X(DOUBLEBOUNCEHOST, "doublebouncehost", "@me", "qmail-send",          \
	    "host that double bounces go to")                                 \
	X(DOUBLEBOUNCETO, "doublebounceto", "postmaster", "qmail-send",       \
	    "local part that double bounces go to; empty: discard")           \
	X(ENVNOATHOST, "envnoathost", "@me", "qmail-send",                    \
	    "added to recipients without @")                                  \
	X(HELOHOST, "helohost", "@me", "qmail-remote",                        \
	    "name said in EHLO")                                              \
	X(IDHOST, "idhost", "@me", "qmail-inject",                            \
	    "right side of message identifiers")                              \
	X(INCOMINGLIMITS, "incominglimits", NULL, "run scripts",              \
	    "other limits of connections to port 25")                         \
	X(LOCALIPHOST, "localiphost", "@me", "qmail-smtpd",                   \
	    "replaces our own [a.b.c.d]")                                     \
	X(LOCALS, "locals", "@me", "qmail-send",                              \
	    "local domains")                                                  \
	X(MOREIPME, "moreipme", NULL, "qmail-remote",                         \
	    "more addresses at which mail comes to this host")                \
	X(MORERCPTHOSTS, "morercpthosts", NULL, "qmail-newmrh",               \
	    "more accepted domains, compiled to morercpthosts.cdb")           \
	X(PERCENTHACK, "percenthack", NULL, "qmail-send",                     \
	    "domains where user%host@domain means user@host")                 \
	X(PLAINTEXTAUTH, "plaintextauth", "0", "qmail-popup",                 \
	    "1: passwords are taken without TLS")                             \
	X(PLUSDOMAIN, "plusdomain", "@me", "qmail-inject",                    \
	    "added to host names that end in +")                              \
	X(POP3LIMITS, "pop3limits", NULL, "run scripts",                      \
	    "other limits of connections to 110 and 995, each")               \
	X(POP3LOGINDELAY, "pop3logindelay", "0", "qmail-popup, qmail-pop3d",  \
	    "seconds between two logins to a mailbox, 0: none")               \
	X(POP3SESSIONS, "pop3sessions", "10", "qmail-pop3d",                  \
	    "simultaneous sessions of a mailbox, 0: any number")              \
	X(POP3UIDL, "pop3uidl", "auto", "qmail-pop3d",                        \
	    "whose message identifiers are kept")                             \
	X(QMQPSERVERS, "qmqpservers", NULL, "qmail-qmqpc",                    \
	    "QMQP servers, tried in order")                                   \
	X(QUEUELIFETIME, "queuelifetime", "604800", "qmail-send",             \
	    "seconds a message may stay in the queue")                        \
	X(RCPTHOSTS, "rcpthosts", NULL, "qmail-smtpd",                        \
	    "accepted recipient domains; missing: none")                      \
	X(RCPTSREMOTE, "rcptsremote", "1", "qmail-send",                      \
	    "recipients of a message at one domain in one transaction")       \
	X(SENDERLOGINS, "senderlogins", NULL, "qmail-smtpd",                  \
	    "who may send as whom on submission, login:address")              \
	X(SMTPGREETING, "smtpgreeting", "@me", "qmail-smtpd",                 \
	    "text after the 220 code")                                        \
	X(SMTPROUTES, "smtproutes", NULL, "qmail-remote",                     \
	    "artificial routes, domain:relay[:port] [option]...")             \
	X(TIMEOUTCONNECT, "timeoutconnect", "60", "qmail-remote",             \
	    "seconds for a connection to be made")                            \
	X(TIMEOUTPOP3D, "timeoutpop3d", "1200", "qmail-pop3d",                \
	    "seconds for each read from a client")                            \
	X(TIMEOUTREMOTE, "timeoutremote", "1200", "qmail-remote",             \
	    "seconds for each answer of a remote host")                       \
	X(TIMEOUTSMTPD, "timeoutsmtpd", "1200", "qmail-smtpd",                \
	    "seconds for each read from a client")                            \
	X(VIRTUALDOMAINS, "virtualdomains", NULL, "qmail-send",               \
	    "virtual users and domains, key:prepend")

enum control_id {
#define X(id, file, def, who, meaning) CONTROL_##id,
	CONTROL_TABLE(X)
#undef X
	CONTROL_COUNT
};

enum control_status {
	CONTROL_OK,             /* from the file */
	CONTROL_DEFAULT,        /* from the table */
	CONTROL_NONE,           /* neither */
	CONTROL_TEMP,           /* could not be read; errno */
};

struct control_entry {
	const char *file, *fallback, *reader, *meaning;
};
const struct control_entry *control_entry(enum control_id);

/* Directory of the files: HOME/control unless a test says otherwise. */
void control_set_dir(const char *dir);          /* kept, not copied */
const char *control_dir(void);

/* The one value; *out is replaced. */
__attribute__((warn_unused_result))
enum control_status control_line(enum control_id, struct str *out);
/* A number: a value that does not begin with a digit keeps the default. */
__attribute__((warn_unused_result))
enum control_status control_number(enum control_id, uint64_t *out);
/* The lines, each followed by NUL. */
__attribute__((warn_unused_result))
enum control_status control_list(enum control_id, struct str *out);

/* The fatal forms for a program's configuration reader: they die 111 with the
 * file and the reason.  control_need_line also dies when there is no value. */
void control_need_line(enum control_id, struct str *out);
uint64_t control_need_number(enum control_id);
enum control_status control_need_list(enum control_id, struct str *out);

#endif
