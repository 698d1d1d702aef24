/* vpop/manage_parts.h - what the parts of manage.h share: for manage*.c. */
#ifndef VPOP_MANAGE_PARTS_H
#define VPOP_MANAGE_PARTS_H

#include "vpop/manage.h"

#include "vpop/dirs.h"

/* "what: reason" to why; errno's when reason is NULL.  Gives e back. */
enum vpop_error vmanage_fail(enum vpop_error e, struct str *why,
    const char *what, const char *reason);
/* What a store said. */
enum vpop_error vmanage_store(struct vcommand *, enum vstore_status,
    enum vpop_error none, enum vpop_error exists, const char *what,
    struct str *why);

/* authdaemond hears of it, and the hook; arg2 may be NULL. */
void vmanage_changed(struct vcommand *, const char *domain, const char *user);
void vmanage_hook(struct vcommand *, const char *action, const char *arg1,
    const char *arg2);

/* Renames path to a name of its own in the same directory, under the lock
 * there; nothing when path is not there, but sweep does its part then too.  0, or -1 with errno and nothing
 * done.  Then undo or keep, which ends the lock, and after keep sweep, which
 * takes as long as the trees are big: this one, and those that killed programs
 * left in the same place.  Begin and undo run as who owns that place; sweep
 * becomes in turn the owner of what is in the trees and that one. */
struct vmanage_owner { uid_t uid; gid_t gid; };
struct vmanage_trash {
	struct str path;
	struct str trees;       /* NUL after each; the first is path's */
	bool moved;
	int lock;
};
VMANAGE_CHECK int vmanage_trash_begin(struct vmanage_trash *,
    const char *path);
void vmanage_trash_undo(struct vmanage_trash *, struct str *why);
void vmanage_trash_keep(struct vmanage_trash *);
void vmanage_trash_sweep(struct vmanage_trash *, struct vmanage_owner tree,
    struct vmanage_owner place);

/* As vmanage_user_add, but nobody is told. */
VMANAGE_CHECK enum vpop_error vmanage_user_first(struct vcommand *,
    const struct vdomain *, const struct vmanage_user *, struct str *why);
/* The first half of it: a place, the directory (not synced unless asked), the
 * record in *out, which is yet to be stored.  quota: what the domain gives. */
VMANAGE_CHECK enum vpop_error vmanage_user_prepare(struct vcommand *,
    const struct vdomain *, struct vdirs *places, const struct vmanage_user *,
    const char *quota, bool sync, struct vuser *out, struct str *why);
/* The quota of a domain's new users, "" when it cannot be had. */
VMANAGE_CHECK enum vpop_error vmanage_user_quota(struct vcommand *,
    const struct vdomain *, struct str *out, struct str *why);

/* Makes maildirsize anew for the account's quota: what goes wrong is a
 * warning. */
void vmanage_set_quota(const struct vdomain *, const struct vuser *);

#endif
