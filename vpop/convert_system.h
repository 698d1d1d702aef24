/* vpop/convert_system.h - accounts of a domain made of the system's, or of a
 * file of names and passwords.
 *
 * All or none.  Of the system: users with a number from 1000 to 59999 who have
 * a password; the hash goes along, mail stays where it is.  Of a file: lines
 * "name password" or "name:password"; empty ones and those with "#" first are
 * passed over.  An account that is there already is left as it is. */
#ifndef VPOP_CONVERT_SYSTEM_H
#define VPOP_CONVERT_SYSTEM_H

#include "vpop/manage.h"

struct convert_system {
	struct vcommand *c;             /* with the target's store */
	void (*step)(void *arg, const char *user);
	void (*note)(void *arg, const char *text);
	void *arg;
	uint64_t n;                     /* accounts made */
};

VMANAGE_CHECK enum vpop_error convert_passwd(struct convert_system *,
    const struct vdomain *, struct str *why);
VMANAGE_CHECK enum vpop_error convert_file(struct convert_system *,
    const struct vdomain *, const char *path, struct str *why);

#endif
