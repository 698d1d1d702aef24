/* mail/mdscan.h - which messages are in a Maildir: a scan that cannot lie.
 *
 * A directory that is read while others rename in it may leave out a message
 * that was never away.  So: the times of new/ and cur/ are taken before and
 * after; if they moved, or lie so near that a change would not show, it is
 * read again with a watch (inotify) set before, and what the watch tells is
 * added.  A message that was there all the time is in the result.
 *
 * Nothing is opened and nothing stat'ed but the two directories.  Names that
 * begin with a dot are left out (".nfs..." among them), and those longer than
 * MDSCAN_NAME. */
#ifndef MAIL_MDSCAN_H
#define MAIL_MDSCAN_H

#include "lib/str.h"

#include <time.h>

#define MDSCAN_NAME 255                 /* bytes of a name */
#define MDSCAN_MAX (1 << 22)            /* messages; more is EOVERFLOW */
#define MDSCAN_DOUBT_MS 20              /* two changes within it may have one
                                         * time: a kernel's tick and more */
#define MDSCAN_DOUBT_REMOTE_MS 2000     /* the same by another's clock: NFS */
#define MDSCAN_DIRS 2                   /* new/, then cur/ */

struct mdscan_entry {
	uint32_t at;                    /* of the name in pool, which has a NUL
	                                 * after each */
	uint16_t base;                  /* bytes of it before the ":" */
	bool is_new;                    /* in new/, not cur/ */
};

struct mdscan {
	struct str pool;
	struct mdscan_entry *entries;
	size_t n, cap;
	/* Of the last mdscan_read: */
	struct timespec time[MDSCAN_DIRS];      /* of the directories, before
	                                         * a byte of them was read */
	bool steady;                    /* nothing changed meanwhile, and what
	                                 * changes now changes a time */
	bool watched;                   /* a watch was needed */
};

/* A watch of new/ and cur/, an inotify descriptor.  A user has some hundred of
 * them, and giving one back waits for the kernel (10 ms): who scans again and
 * again keeps it from when it is first needed.  Between scans it watches
 * nothing. */
struct mdscan_watch {
	int fd;                         /* -1: none yet */
	int wd[MDSCAN_DIRS];
};
#define MDSCAN_WATCH_NONE {-1, {-1, -1}}
void mdscan_unwatch(struct mdscan_watch *);

/* Appends what is there, in no order; a message that moved meanwhile may be
 * in it twice, the later name after the earlier.  maildir: its descriptor.
 * keep: NULL, or this Maildir's watch.  0, or -1 with errno (ENOENT: no new/
 * or cur/; EBUSY: more changed than the kernel could tell). */
__attribute__((warn_unused_result))
int mdscan_read(int maildir, struct mdscan_watch *keep, struct mdscan *);
void mdscan_free(struct mdscan *);
const char *mdscan_name(const struct mdscan *, size_t i);

/* What a name tells.  UINT64_MAX when it does not. */
uint64_t mdname_size(const char *name);         /* ",S=N" bytes of the file */
uint64_t mdname_wire(const char *name);         /* ",W=N" with CR LF */
/* Microseconds since 1970 of its delivery: "SEC." and, when it has one, the
 * number after "M". */
uint64_t mdname_time(const char *name);
size_t mdname_base(const char *name);           /* bytes before the ":" */
bool mdname_has_flag(const char *name, char flag);

#endif
