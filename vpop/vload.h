/* vpop/vload.h - many accounts from a file: reading it, and hashing their
 * passwords by several processes.
 *
 *	user:password[:comment[:quota]]
 * a line each, blank lines left out; without a comment it is the user's name,
 * without a quota the domain's.  Everything is looked at before anything is
 * done.  The file is an administrator's; what is in it may be anybody's. */
#ifndef VPOP_VLOAD_H
#define VPOP_VLOAD_H

#include "vpop/command.h"

#define VLOAD_FILE_MAX ((size_t)256 << 20)      /* bytes */
#define VLOAD_LINE_MAX 4096                     /* bytes */
#define VLOAD_PROCESSES 64

struct vload_user {
	const char *name, *password, *gecos;    /* in text */
	struct str quota;               /* normal form; "": none was given */
	struct str hash;
	size_t line;
};
struct vload {
	struct str text;
	struct vload_user *user;
	size_t n;
};

/* path "-": standard input.  hashed: the passwords are hashes.  On an error
 * "path: line N: what" is appended to why; passwords never are. */
__attribute__((warn_unused_result))
enum vpop_error vload_read(struct vload *, const struct vsettings *,
    const char *path, bool hashed, struct str *why);
/* Fills in hash of all, by as many processes as there are processors; width as
 * for password_make. */
__attribute__((warn_unused_result))
enum vpop_error vload_hash(struct vload *, const char *scheme, size_t width,
    struct vprogress *, struct str *why);
void vload_free(struct vload *);                /* wiped */

#endif
