/* queue/qlayout.h - the part of a check that is not about messages:
 * directories, locks, owners, modes, strays. */
#ifndef QUEUE_QLAYOUT_H
#define QUEUE_QLAYOUT_H

#include "queue/qrepair.h"

#include <sys/stat.h>

/* Counts and reports one finding.  fix NULL: it stays. */
void qlayout_found(struct qrepair *, const char *path, const char *what,
    const char *fix);
/* Directories of the layout and the files in lock/; made when missing. */
__attribute__((warn_unused_result))
int qlayout_check(struct qrepair *, struct str *why);
/* Old files in pid/, and what else lies in the queue and in lock/. */
__attribute__((warn_unused_result))
int qlayout_check_strays(struct qrepair *, struct str *why);

/* Reports and cures an owner, group or mode (07777 bits) that is not the one
 * given.  type: S_IFDIR, S_IFREG or S_IFIFO. */
__attribute__((warn_unused_result))
int qlayout_own(struct qrepair *, const char *path, mode_t type,
    const struct stat *is, uid_t, gid_t, mode_t, struct str *why);

#endif
