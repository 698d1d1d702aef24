/* vpop/convert.h - the accounts of a domain from one store into the other:
 * records, aliases, limits, last logins, the counter of directories.
 *
 * All accounts appear in the target at once or not at all, whoever is killed
 * when: a store loads in bulk.  Doing it again completes what is left.  The
 * source is only read.  Where a target without tables for them keeps aliases
 * and limits in the same files as the source, they stay as they are. */
#ifndef VPOP_CONVERT_H
#define VPOP_CONVERT_H

#include "vpop/domain.h"
#include "vpop/store.h"

struct convert {
	struct vstore *from, *to;
	bool from_files, to_files;      /* aliases are .qmail files there */
	bool force;             /* what the target has besides goes */
	/* After each account; may be NULL. */
	void (*step)(void *arg, const char *user);
	/* Something the administrator should know: one line. */
	void (*note)(void *arg, const char *text);
	void *arg;
};

struct convert_count { uint64_t users, changed, aliases; };

enum convert_status {
	CONVERT_OK,
	CONVERT_DIFFERS,        /* the target has other accounts: why */
	CONVERT_FAILED,         /* why; close the target and open it anew */
};
__attribute__((warn_unused_result))
enum convert_status convert_domain(const struct convert *,
    const struct vdomain *, struct convert_count *out, struct str *why);

#endif
