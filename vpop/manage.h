/* vpop/manage.h - changing domains and accounts: each a sequence of steps that
 * is undone when one fails, and that may be killed anywhere: doing it again
 * completes it, or a checker finds what is left (VMANAGE_UNFINISHED,
 * VMANAGE_TRASH).
 *
 * Whoever changes something comes through here: the store, directories,
 * qmail's files (assign.h), authdaemond (auth_changed) and the hook
 * VPOPMAIL/etc/onchange are told in one place.  Names are checked and lower
 * case (vpop_user_name, vpop_domain_name); passwords are hashed already.
 * Errors append "what: reason" to why and leave everything as it was; what
 * could not be undone is said too.
 *
 * The hook VPOPMAIL/etc/onchange runs with the action and each argument as
 * words of their own, and as VPOP_ACTION, VPOP_ARG1, VPOP_ARG2: as root where
 * root alone can have put it there, else as vpopmail.  Its failure is a
 * warning.  Many users at once are one call, "add_users DOMAIN NUMBER".
 *
 * A domain's directory is 0700 and its owner's.  When that is not vpopmail, who
 * has to read accounts and aliases all the same (authdaemond), it is 02750 and
 * of vpopmail's group, and so are the files that this needs (0640). */
#ifndef VPOP_MANAGE_H
#define VPOP_MANAGE_H

#include "vpop/command.h"

#define VMANAGE_CHECK __attribute__((warn_unused_result))

/* A file in a domain's directory: it is being made.  Who finds it with a domain
 * that users/cdb knows finishes it; else all of it may go, and what the store
 * has of it if the file is not empty. */
#define VMANAGE_UNFINISHED ".unfinished"
/* A tree that is being removed: this, and the name it had, in the place it had.
 * Who holds the lock VMANAGE_TRASH_LOCK there and finds one may remove it. */
#define VMANAGE_TRASH ".trash."
#define VMANAGE_TRASH_LOCK ".trash-lock"

struct vmanage_user {
	const char *name, *hash, *clear, *gecos;        /* NULL: "" */
	const char *quota;      /* NULL: the domain's default */
	uint32_t flags;
};

struct vmanage_domain {
	const char *name;
	uid_t uid;              /* who owns it */
	gid_t gid;
	const char *base;       /* directory above domains/; NULL: VPOPMAIL */
	const char *action;     /* of .qmail-default, no blanks or quotes; NULL:
	                         * bounce-no-mailbox */
	const char *catchall;   /* instead: a user's name, for DIR/name */
	const struct vmanage_user *postmaster;  /* NULL: nobody yet */
};
/* Directory, .qmail-default, store, postmaster; then users/assign,
 * virtualdomains, not in locals, rcpthosts: mail comes when all is there. */
VMANAGE_CHECK enum vpop_error vmanage_domain_add(struct vcommand *,
    const struct vmanage_domain *, struct vdomain *out, struct str *why);
/* Of a domain that is known: does what a killed vmanage_domain_add had still
 * to do, if anything. */
VMANAGE_CHECK enum vpop_error vmanage_domain_finish(struct vcommand *,
    const struct vdomain *, struct str *why);
/* A real domain must have no alias domains left.  Its tree is renamed first
 * (VMANAGE_TRASH) and removed after everything else; when it is a link, only
 * that goes. */
VMANAGE_CHECK enum vpop_error vmanage_domain_del(struct vcommand *,
    const struct vdomain *, struct str *why);
VMANAGE_CHECK enum vpop_error vmanage_alias_domain_add(struct vcommand *,
    const struct vdomain *real, const char *alias, struct str *why);
VMANAGE_CHECK enum vpop_error vmanage_alias_domain_del(struct vcommand *,
    const struct vdomain *alias, struct str *why);

/* Directory with Maildir, record, lastauth. */
VMANAGE_CHECK enum vpop_error vmanage_user_add(struct vcommand *,
    const struct vdomain *, const struct vmanage_user *, struct str *why);
/* The catch-all account of .qmail-default is refused (CATCHALL).  A directory
 * that is not below the domain's stays, with a warning. */
VMANAGE_CHECK enum vpop_error vmanage_user_del(struct vcommand *,
    const struct vdomain *, const char *user, struct str *why);
/* Writes the changed record.  A changed quota rebuilds maildirsize. */
VMANAGE_CHECK enum vpop_error vmanage_user_set(struct vcommand *,
    const struct vdomain *, const struct vuser *, struct str *why);
/* Makes Maildir{,/cur,/new,/tmp} of a user whose directory is not there, and a
 * place for it when the record has none. */
VMANAGE_CHECK enum vpop_error vmanage_user_dir(struct vcommand *,
    const struct vdomain *, struct vuser *, struct str *why);

VMANAGE_CHECK enum vpop_error vmanage_alias_add(struct vcommand *,
    const struct vdomain *, const char *alias, const char *line,
    struct str *why);
VMANAGE_CHECK enum vpop_error vmanage_alias_del(struct vcommand *,
    const struct vdomain *, const char *alias, const char *line,
    struct str *why);   /* line NULL: all of them */

/* Many users of one domain: between begin and end the store writes once, the
 * counters change once, and directories are synced together.  end: all of
 * them or, on an error, none. */
struct vmanage_bulk;
VMANAGE_CHECK enum vpop_error vmanage_bulk_begin(struct vcommand *,
    const struct vdomain *, struct vmanage_bulk **out, struct str *why);
VMANAGE_CHECK enum vpop_error vmanage_bulk_user(struct vmanage_bulk *,
    const struct vmanage_user *, struct str *why);
VMANAGE_CHECK enum vpop_error vmanage_bulk_end(struct vmanage_bulk *,
    bool keep, struct str *why);

/* On: morercpthosts.cdb is not made, and qmail-send and authdaemond are not
 * told; the caller does it himself, once, with vmanage_tell. */
void vmanage_quiet(bool on);
VMANAGE_CHECK enum vpop_error vmanage_tell(struct vcommand *,
    struct str *why);

#endif
