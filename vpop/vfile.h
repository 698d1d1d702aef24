/* vpop/vfile.h - touching files in directories that belong to users of the
 * mail domains: as their owner, under a lock, whole or not at all.
 *
 * A program of root's acts for the file system as the owner of the directory,
 * so a link laid there leads nowhere that the owner may not go, and what is
 * made belongs to him.  Other programs act as themselves. */
#ifndef VPOP_VFILE_H
#define VPOP_VFILE_H

#include "lib/str.h"

#include <sys/types.h>

struct vfile_as {
	bool on;
	uid_t uid;              /* what it was before */
	gid_t gid;
};
/* Between these two: no other account's work.  0, or -1 with errno. */
__attribute__((warn_unused_result))
int vfile_as_begin(struct vfile_as *, uid_t uid, gid_t gid);
/* As the owner of the directory. */
__attribute__((warn_unused_result))
int vfile_as_owner(struct vfile_as *, const char *dir);
void vfile_as_end(struct vfile_as *);           /* errno stays as it was */

/* Replaces dir/name by the bytes, durably.  It keeps the mode of what was
 * there, else it has mode, and its group may read it when dir has the bit that
 * gives it dir's group: so vpopmail reads what is another's.  The caller holds a lock: the temporary file of a
 * name is always the same. */
__attribute__((warn_unused_result))
int vfile_replace(const char *dir, const char *name, const void *bytes,
    size_t n, mode_t mode);

/* Locks dir/name, made with 0600: for programs that use fcntl too.  Waits at
 * most wait_ms.  The descriptor (close it to unlock), or -1 with errno; EAGAIN
 * when another held it to the end. */
__attribute__((warn_unused_result))
int vfile_lock(const char *dir, const char *name, int wait_ms);

#endif
