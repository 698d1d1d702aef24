/* lib/fs.h - files: read whole, replace atomically, lock, sync.
 *
 * All functions open with O_CLOEXEC.  Unless said otherwise: 0, or -1 with
 * errno.  "Durable" means it survives a power cut once the call returned 0. */
#ifndef LIB_FS_H
#define LIB_FS_H

#include "lib/str.h"

#include <sys/stat.h>
#include <sys/types.h>

#define FS_CHECK __attribute__((warn_unused_result))

/* Appends the file to out, or leaves out alone.  EFBIG past max bytes,
 * EISDIR/EINVAL when it is not a regular file. */
FS_CHECK int fs_read(const char *path, struct str *out, size_t max);
FS_CHECK int fs_read_fd(int fd, struct str *out, size_t max);

/* Replaces path durably: writes tmp (in the same directory), syncs it,
 * renames it, syncs the directory.  tmp is removed first and on failure, so
 * writers that may meet need a tmp each, or a lock.  When only the last sync
 * fails, path is new already but may not survive a power cut. */
FS_CHECK int fs_replace(const char *path, const char *tmp, const void *bytes,
    size_t n, mode_t mode);

FS_CHECK int fs_sync_dir(const char *path);     /* fsync a directory */
FS_CHECK int fs_sync_parent(const char *path);  /* of the entry itself */
FS_CHECK int fs_syncfs(int fd);                 /* everything on its fs */

/* flock on an append-opened file made with mode; the descriptor, or -1.
 * EWOULDBLOCK when wait is false and another holds it. */
FS_CHECK int fs_lock(const char *path, mode_t mode, bool wait);

#endif
