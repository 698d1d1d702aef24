/* vpop/domain.h - virtual domains as qmail knows them: users/assign,
 * users/cdb, virtualdomains, rcpthosts, morercpthosts, locals.
 *
 * A domain is the line "+DOMAIN-:REAL:UID:GID:DIR:-::" of users/assign; an
 * alias domain has another's REAL and DIR.  Looked up in users/cdb, listed
 * from users/assign. */
#ifndef VPOP_DOMAIN_H
#define VPOP_DOMAIN_H

#include "vpop/store.h"

struct vdomain {
	struct str name;        /* as asked, lower case */
	struct str real;        /* differs from name for an alias domain */
	struct str dir;
	uid_t uid;
	gid_t gid;
};
void vdomain_free(struct vdomain *);
/* Borrowed from d: the real domain, as the store wants it. */
struct vdomain_ref vdomain_ref_peek(const struct vdomain *d);
bool vdomain_is_alias(const struct vdomain *);

/* Directory of assign and cdb: HOME/users unless a test says otherwise.  Kept,
 * not copied. */
void vdomain_set_dir(const char *dir);

/* TEMP: could not be read or is malformed; errno (EPROTO).  A name no domain
 * can have, and no table at all, are NONE. */
enum vdomain_status { VDOMAIN_OK, VDOMAIN_NONE, VDOMAIN_TEMP };
__attribute__((warn_unused_result))
enum vdomain_status vdomain_find(const char *name, struct vdomain *out);
/* Every domain and alias domain, by name.  *ended_out: what the callback
 * returned, not 0 when it ended the walk. */
typedef int vdomain_fn(void *arg, const struct vdomain *);
__attribute__((warn_unused_result))
enum vdomain_status vdomain_each(vdomain_fn *, void *arg, int *ended_out);

#endif
