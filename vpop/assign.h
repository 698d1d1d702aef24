/* vpop/assign.h - writing qmail's files about domains: users/assign and
 * users/cdb, control/virtualdomains, rcpthosts, morercpthosts, locals.
 *
 * Every change locks FILE.lock, reads the file, changes lines and replaces it
 * by a synced file and a rename, mode 0644; nothing is written when nothing
 * changes.  Files are kept sorted with the last two labels compared first
 * (reference 1.2); lines that are not ours keep their bytes and their order
 * among themselves.  rcpthosts holds at most 50 domains, the rest go to
 * morercpthosts with its cdb; both are removed when they become empty.  A
 * missing rcpthosts is made. */
#ifndef VPOP_ASSIGN_H
#define VPOP_ASSIGN_H

#include "vpop/domain.h"

#define ASSIGN_RCPTHOSTS_MAX 50

/* Directories: HOME/control and HOME/users unless a test says otherwise.
 * Kept, not copied. */
void assign_set_dirs(const char *control, const char *users);

/* Adds or removes all that makes a domain one of ours: idempotent, so the
 * undoing of one is the other.  0, or -1 with "FILE: reason" appended to why;
 * then files already written have been put back. */
__attribute__((warn_unused_result))
int assign_domain_add(const struct vdomain *, struct str *why);
__attribute__((warn_unused_result))
int assign_domain_del(const char *name, struct str *why);

/* users/cdb of users/assign, morercpthosts.cdb of morercpthosts. */
__attribute__((warn_unused_result))
int assign_make_cdbs(struct str *why);
/* qmail-send reads virtualdomains and locals again: by the control fifo of its
 * service.  -1 when it cannot be told, with errno; not running is no error. */
int assign_tell_send(void);

/* For the checker: is this name in the file, as this line? */
struct assign_state {
	bool assign, cdb, virtualdomains, rcpthosts, more, more_cdb, locals;
};
__attribute__((warn_unused_result))
int assign_look(const struct vdomain *, struct assign_state *out,
    struct str *why);

#endif
