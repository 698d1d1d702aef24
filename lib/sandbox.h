/* lib/sandbox.h - giving up, for good, what a process does not need.
 *
 * Each call is for this process and whatever it executes later, and cannot be
 * taken back.  0, or -1 with errno.  A second wall behind the user a process
 * runs as, never the only one: a kernel without Landlock is not an error. */
#ifndef LIB_SANDBOX_H
#define LIB_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

#define SANDBOX_CHECK __attribute__((warn_unused_result))

/* Set-id bits of what is executed from here on mean nothing. */
SANDBOX_CHECK int sandbox_no_new_privs(void);

/* No core file, no ptrace and no /proc/PID/mem by the same user.  Ends with an
 * exec: whoever executes a program calls it there. */
SANDBOX_CHECK int sandbox_undumpable(void);

struct sandbox_limit {
	int resource;           /* RLIMIT_AS, RLIMIT_NOFILE, ... */
	uint64_t max;           /* soft and hard, in the resource's unit */
};

/* RLIMIT_CORE becomes 0 and so does no other but the n given; a limit that is
 * lower already stays. */
SANDBOX_CHECK int sandbox_limits(const struct sandbox_limit *, size_t n);

struct sandbox_fs {             /* lists end with NULL; NULL: an empty list */
	const char *const *read;        /* read files, list directories */
	const char *const *write;       /* and create, change, remove, rename */
	const char *const *exec;        /* read and execute */
	const char *bad;                /* out: the path that failed, or NULL */
	int abi;                        /* out: the kernel's; 0: no Landlock */
};

#define SANDBOX_NO_TCP 1u       /* no new TCP port or connection: ABI 4 */
#define SANDBOX_SCOPED 2u       /* no signal and no abstract socket to what is
                                   outside: */
#define SANDBOX_SCOPED_ABI 6            /* from this ABI on */

/* From here on only what is named, and what lies below it, can be opened;
 * descriptors already open keep working.  Paths may be files or directories
 * and must exist.  Implies sandbox_no_new_privs.  What the kernel's ABI lacks
 * is left out: nothing of it without Landlock; before ABI 2, which cannot
 * allow a rename between directories, nothing when write is not empty. */
SANDBOX_CHECK int sandbox_landlock(struct sandbox_fs *, unsigned flags);

/* From here on a system call that is not in the list (numbers SYS_*, ended by
 * -1, at most SANDBOX_CALLS) ends the process with SIGSYS; so does one made
 * the way of another architecture.  Implies sandbox_no_new_privs.  Left out
 * in a build with sanitizers, which call what they like, and where the kernel
 * has no filters. */
#define SANDBOX_CALLS 100
SANDBOX_CHECK int sandbox_calls(const int *allowed);

/* What a daemon does at its start: undumpable, no core file, Landlock. */
SANDBOX_CHECK int sandbox_daemon(struct sandbox_fs *, unsigned flags);

#endif
