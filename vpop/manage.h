/* vpop/manage.h - changing domains and accounts: each a sequence of steps that
 * is undone when one fails.
 *
 * Whoever changes something comes through here: the store, directories,
 * qmail's files (assign.h), authdaemond (auth_changed) and the hook
 * VPOPMAIL/etc/onchange are told in one place.  Names are checked and lower
 * case (vpop_user_name, vpop_domain_name); passwords are hashed already.
 * Errors append "what: reason" to why and leave everything as it was; what
 * could not be undone is said too.
 *
 * The hook runs as an executable with the action and each argument as words of
 * their own, and as VPOP_ACTION, VPOP_ARG1, VPOP_ARG2; its failure is a
 * warning.  Bulk work asks for one end: see vmanage_quiet. */
#ifndef VPOP_MANAGE_H
#define VPOP_MANAGE_H

#include "vpop/command.h"

#define VMANAGE_CHECK __attribute__((warn_unused_result))

struct vmanage_domain {
	const char *name;
	uid_t uid;              /* who owns it */
	gid_t gid;
	const char *base;       /* directory above domains/; NULL: VPOPMAIL */
	const char *action;     /* of .qmail-default; NULL: bounce-no-mailbox */
};
/* Directory, .qmail-default, store, users/assign, virtualdomains, rcpthosts,
 * not in locals.  No user yet. */
VMANAGE_CHECK enum vpop_error vmanage_domain_add(struct vcommand *,
    const struct vmanage_domain *, struct vdomain *out, struct str *why);
/* A real domain must have no alias domains left.  Its tree is moved to
 * DOMAINS/.trash first and removed after everything else. */
VMANAGE_CHECK enum vpop_error vmanage_domain_del(struct vcommand *,
    const struct vdomain *, struct str *why);
VMANAGE_CHECK enum vpop_error vmanage_alias_domain_add(struct vcommand *,
    const struct vdomain *real, const char *alias, struct str *why);
VMANAGE_CHECK enum vpop_error vmanage_alias_domain_del(struct vcommand *,
    const struct vdomain *alias, struct str *why);

struct vmanage_user {
	const char *name, *hash, *clear, *gecos;        /* NULL: "" */
	const char *quota;      /* NULL: the domain's default */
	uint32_t flags;
};
/* Directory with Maildir, record, lastauth. */
VMANAGE_CHECK enum vpop_error vmanage_user_add(struct vcommand *,
    const struct vdomain *, const struct vmanage_user *, struct str *why);
/* The catch-all account of .qmail-default is refused (CATCHALL). */
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

/* Off: the caller makes users/cdb and morercpthosts.cdb and tells qmail-send
 * and authdaemond himself, once, with vmanage_tell. */
void vmanage_quiet(bool on);
VMANAGE_CHECK enum vpop_error vmanage_tell(struct vcommand *,
    struct str *why);

#endif
