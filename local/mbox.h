/* local/mbox.h - append to mbox files, and the quoting of their bodies.
 *
 * A line of the body that begins with any number of ">" and "From " gets one
 * more ">"; the message ends in a line feed and a blank line. */
#ifndef LOCAL_MBOX_H
#define LOCAL_MBOX_H

#include "lib/str.h"

#include <sys/stat.h>

#define MBOX_LOCK_MS 30000      /* how long another may hold the file */
#define MBOX_SPOOL "/var/mail/" /* where MUAs expect dot-locks */

enum mbox_status {
	MBOX_OK,
	MBOX_LOCKED,            /* by another for all of the time */
	MBOX_ERROR,             /* errno; nothing of the message is left */
};

/* Appends head and the message (from its offset 0), quoted, and syncs.  The
 * file is made with mode 0600 when it is not there. */
__attribute__((warn_unused_result))
enum mbox_status mbox_append(const char *path, const char *head, size_t nhead,
    int mfd, int lock_ms);

/* The locks of an open mbox: flock, then fcntl; and the dot-lock file for
 * MBOX_SPOOL. */
struct mbox_lock {
	bool held;              /* flock or fcntl worked */
	struct str dot;         /* dot-lock that is ours */
};
__attribute__((warn_unused_result))
enum mbox_status mbox_lock(struct mbox_lock *, int fd, const char *path,
    int lock_ms);
void mbox_unlock(struct mbox_lock *);           /* closing fd does the rest */

/* Is the file at path still the one that st tells of?  An MUA may have put
 * another there while its lock was waited for. */
bool mbox_is_still(const struct stat *, const char *path);

/* "From sender date" with LF, the time in UTC; no sender: MAILER-DAEMON. */
void mbox_cat_from(struct str *, const char *sender, int64_t when);
/* head and the message, quoted, to fd.  0, or -1 with errno. */
__attribute__((warn_unused_result))
int mbox_write(int fd, const char *head, size_t nhead, int mfd);

/* The body of one message, quoted, to out piece by piece. */
struct mbox_quoter {
	size_t matched;         /* of "From ", after ">"s */
	enum { MBOX_BOL, MBOX_FROM, MBOX_MID } where;
	bool last_lf;
};
void mbox_quote_begin(struct mbox_quoter *);
void mbox_quote(struct mbox_quoter *, struct str *out, const char *s,
    size_t n);
void mbox_quote_end(struct mbox_quoter *, struct str *out);

#endif
