/* vpop/assign.h - writing qmail's files about domains: users/assign and
 * users/cdb, control/virtualdomains, rcpthosts, morercpthosts, locals.
 *
 * Every change locks FILE.lock, reads the file, changes lines and replaces it
 * by a synced file and a rename, mode 0644; nothing is written when nothing
 * changes.  A new line goes before the first one that sorts behind it, where
 * the last two labels are compared first, then what stands before them; all
 * other lines keep their bytes and their order, sorted or not, so that taking
 * the domain away gives the bytes from before.  rcpthosts holds at most 50
 * domains, the rest go to morercpthosts with its cdb; these two are removed
 * when they become empty.  A missing rcpthosts is made.
 *
 * The order makes a domain known to delivery before it is accepted: assign,
 * users/cdb, virtualdomains, locals; then qmail-send is told; then rcpthosts.
 * It is the other way round for one that goes.  Killed in between, doing it
 * again completes it. */
#ifndef VPOP_ASSIGN_H
#define VPOP_ASSIGN_H

#include "vpop/domain.h"

#define ASSIGN_RCPTHOSTS_MAX 50

/* Directories: HOME/control and HOME/users unless a test says otherwise.
 * Kept, not copied. */
void assign_set_dirs(const char *control, const char *users);

/* On: qmail-send is not told and morercpthosts.cdb not made; the caller does
 * both himself, once, when all is done. */
void assign_set_lazy(bool on);

/* Adds or removes all that makes a domain one of ours: idempotent, so the
 * undoing of one is the other, but that a name taken from locals does not come
 * back.  Lines for the same name that say something else are replaced.  0, or
 * -1 with "FILE: reason" appended to why; then files already written have been
 * put back. */
__attribute__((warn_unused_result))
int assign_domain_add(const struct vdomain *, struct str *why);
__attribute__((warn_unused_result))
int assign_domain_del(const char *name, struct str *why);

/* users/cdb of users/assign, morercpthosts.cdb of morercpthosts. */
__attribute__((warn_unused_result))
int assign_make_cdbs(struct str *why);
/* qmail-send reads virtualdomains and locals again: by the control fifo of its
 * service (/service/qmail, else HOME/supervise/qmail).  -1 when it cannot be
 * told, with errno; not running is no error.  With other directories nobody is
 * told. */
int assign_tell_send(void);

/* For the checker: is this name in the file, as this line? */
struct assign_state {
	bool assign, cdb, virtualdomains, rcpthosts, more, more_cdb, locals;
};
__attribute__((warn_unused_result))
int assign_look(const struct vdomain *, struct assign_state *out,
    struct str *why);

#endif
