/* control/resolve.h - where does mail for this address go?
 *
 * The one answer, put together from what delivery itself uses, in its order:
 *
 *	control/route.h		local or remote, and as which local part
 *	users/cdb, mail/getpw.h	the account, or the virtual domain
 *	mail/dotname.h		which .qmail file of its home
 *	authdaemond, mail/vplan.h	when that file calls vdelivermail: aliases,
 *				mailbox, the user's .qmail, the catch-all
 *
 * Asked at RCPT time, by authdaemond for its own part (resolve_files), and by
 * an administrator, who gets the steps:
 *
 *	address   jo@example.com
 *	route     local example.com-jo@example.com
 *	user      example.com, uid 89, gid 89, home /home/vpopmail/...
 *	file      .qmail-default
 *	line      program /home/vpopmail/bin/vdelivermail '' bounce-no-mailbox
 *	domain    example.com in /home/vpopmail/domains/example.com
 *	mailbox   jo in /home/vpopmail/domains/example.com/jo, quota NOQUOTA
 *	deliver   maildir /home/vpopmail/domains/example.com/jo/Maildir/
 *	answer    yes
 *
 * What may not be looked into (closed homes) is taken to exist.  Whatever else
 * keeps the truth from being known is RESOLVE_TEMP: a directory that fails
 * must not refuse mail.  Addresses are a stranger's; control files, accounts,
 * their homes and authdaemond are believed.  Programs need -lcdb. */
#ifndef CONTROL_RESOLVE_H
#define CONTROL_RESOLVE_H

#include "control/route.h"
#include "mail/authproto.h"
#include "mail/dotqmail.h"
#include "mail/users.h"

#include <sys/stat.h>

#define RESOLVE_FRESH_MS 1000   /* for which control files are not looked at */
#define RESOLVE_FILES 5

struct resolver {
	struct users_table users;
	/* As getpw_find. */
	int (*find)(const char *local, struct users_entry *out);
	/* As auth_resolve; NULL: nobody is asked. */
	enum auth_status (*ask)(const char *path, const char *address,
	    struct auth_answer *);
	const char *auth;               /* the socket */
	struct route route;
	bool loaded;
	int64_t looked;                 /* clock_mono_ms; 0: never */
	struct stat seen[RESOLVE_FILES];
};

enum resolve_status {
	RESOLVE_YES,            /* somebody's, or remote */
	RESOLVE_NO,             /* certainly nobody's: 5.1.1 */
	RESOLVE_FULL,           /* somebody's, whose mailbox is full: 5.2.2 */
	RESOLVE_AWAY,           /* percenthack leads to another host: to
	                         * strangers that is an open relay */
	RESOLVE_TEMP,
};

struct resolve {
	enum resolve_status status;
	struct str reason;      /* "no such mailbox"; "" for YES, mostly */
	struct str steps;       /* word NUL text NUL ... */
};

/* cdb: users/cdb; auth: authdaemond's socket; kept, not copied. */
void resolver_init(struct resolver *, const char *cdb, const char *auth);
void resolver_free(struct resolver *);

/* addr: as in RCPT, without <>.  *out is {0} or an earlier answer.  explain:
 * with all steps, also for postmaster and abuse, who are always somebody. */
void resolve_address(struct resolver *, const char *addr, bool explain,
    struct resolve *out);
/* The next step: *at is 0 at first.  False at the end.  Borrowed. */
bool resolve_step_peek(const struct resolve *, size_t *at, const char **word,
    const char **text);
void resolve_free(struct resolve *);

/* What the .qmail files of a home say to an extension. */
enum resolve_files_kind {
	RESOLVE_FILES_NONE,     /* there is none */
	RESOLVE_FILES_LINES,    /* name and lines */
	RESOLVE_FILES_VPOP,     /* the same, and they call vdelivermail */
	RESOLVE_FILES_CLOSED,   /* may not be looked into or read */
	RESOLVE_FILES_TEMP,     /* could not be read; error */
};
struct resolve_files {
	enum resolve_files_kind kind;
	struct str name;        /* ".qmail-default" */
	struct dotqmail lines;
	struct str action;      /* vdelivermail's second argument */
	int error;
};
void resolve_files_find(const char *home, const char *dash, const char *ext,
    struct resolve_files *out);
void resolve_files_free(struct resolve_files *);

#endif
