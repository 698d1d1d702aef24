/* vpop/vtree.h - making and removing directories of users and domains.
 *
 * Everything is done as whoever the caller acts as (vfile.h), relative to
 * opened directories; no link is followed and no other file system entered. */
#ifndef VPOP_VTREE_H
#define VPOP_VTREE_H

#include "lib/str.h"

#include <sys/types.h>

#define VTREE_CHECK __attribute__((warn_unused_result))

/* The home of a user: path, path/Maildir and its cur, new, tmp, all 0700.
 * sync: each of them, and the entry of path.  0, or -1 with errno, and what
 * was made is gone again (EEXIST: path was there, nothing was touched). */
VTREE_CHECK int vtree_make_home(const char *path, bool sync);
/* path/Maildir in a directory that is there; as above. */
VTREE_CHECK int vtree_make_maildir(const char *path, bool sync);
/* Makes the directories of sub, "0" or "0/1", that are missing below dir. */
VTREE_CHECK int vtree_make_places(const char *dir, const char *sub,
    mode_t mode);

/* Removes path and all below it; 0 also when it is not there.  A link is
 * removed itself. */
VTREE_CHECK int vtree_remove(const char *path);
/* The contents of the directory path only, which stays. */
VTREE_CHECK int vtree_empty(const char *path);
/* Removes path if there are only directories below it, and path/lastauth at
 * most; else ENOTEMPTY, and some of these may be gone. */
VTREE_CHECK int vtree_remove_bare(const char *path);

#endif
