/* mail/vplan.h - what is to be done with mail for an address of a virtual
 * domain, once authdaemond has said what it knows of it.
 *
 * vdelivermail does what the plan says; the resolver (control/resolve.h) tells
 * it.  In this order:
 *
 *	alias lines		are the instructions; with COPY the mailbox of
 *				that name is one more
 *	a mailbox that takes no mail (flag 10)		VPLAN_REFUSED
 *	its .qmail, with a line that is not blank	are the instructions,
 *				comments alone: nothing is done with the mail
 *	a mailbox		HOME/Maildir/
 *	nobody			the action of .qmail-default:
 *	    bounce-no-mailbox	VPLAN_NOBODY
 *	    delete		nothing is done with the mail
 *	    /path		.qmail in it, or path/Maildir/, or path itself
 *				when that is a Maildir
 *	    anything else	an address, "&" before it or not
 *
 * With user names that have an extension (the setting qmailext), the .qmail of
 * mailbox "jo" for "jo-list" is .qmail-list, .qmail-default or .qmail. */
#ifndef MAIL_VPLAN_H
#define MAIL_VPLAN_H

#include "mail/authproto.h"
#include "mail/dotqmail.h"
#include "mail/quota.h"

#define VPLAN_FLAG_BOUNCE 0x10u         /* pw_gid: mail is sent back */
#define VPLAN_BOUNCE "bounce-no-mailbox"
#define VPLAN_DELETE "delete"

enum vplan_kind {
	VPLAN_LINES,            /* todo, with dir as working directory */
	VPLAN_MAILBOX,          /* maildir */
	VPLAN_NOTHING,          /* black hole */
	VPLAN_NOBODY,
	VPLAN_REFUSED,
	VPLAN_TEMP,             /* why, error */
};

enum vplan_source { VPLAN_ALIAS, VPLAN_USER, VPLAN_CATCHALL };

struct vplan {
	enum vplan_kind kind;
	enum vplan_source source;
	struct dotqmail todo;
	struct str file;                /* the .qmail that todo is from; "" */
	struct str dir;                 /* without a slash at its end */
	struct str maildir;             /* with one; also beside todo */
	struct quota quota;             /* of maildir */
	bool have_quota;                /* the account says; else the file
	                                 * maildirsize does */
	bool have_matched;              /* "default" stood for matched */
	struct str matched;
	bool closed;            /* dir may not be looked into: there may be a
	                         * .qmail */
	const char *why;
	int error;              /* errno that goes with why, or 0 */
};

/* Can there be an account or alias of that name at all?  (No quotes, blanks,
 * 8-bit bytes ...) */
bool vplan_name_ok(const char *local);
/* action: the second argument of vdelivermail. */
void vplan_make(struct vplan *, const struct auth_answer *,
    const char *local, const char *action);
void vplan_free(struct vplan *);
/* The i-th instruction in one line, for people. */
void vplan_cat_step(struct str *, const struct dotqmail *, size_t i);

/* Is this command of a .qmail file a call of vdelivermail?  Then *action_out
 * is replaced by its second argument, as far as a shell need not be asked. */
bool vplan_is_call(const char *command, struct str *action_out);

#endif
