/* mail/maildirsize.h - how much a Maildir holds: the file maildirsize, as
 * courier, dovecot and vpopmail keep it (Maildir++).
 *
 *	5000000S,1000C		the quota it was made for
 *	4120 3			bytes and messages found when it was made
 *	1823 1			then what was added and taken away, a line each,
 *	-1500 -1		appended with one write
 * The sum of the lines is what the Maildir holds.  It is made anew, by way of
 * a file in tmp/, when it is missing or makes no sense, is for another quota,
 * or MAILDIRSIZE_MAX long; and when its sum is over the quota while anything
 * was appended since, or it is old: nobody is told that he is over quota on
 * the word of a sum.
 *
 * Counted: the files in new/ and cur/ of the Maildir and of its folders but
 * for ".Trash", without those that are marked as deleted (flag T).  A size is
 * the ",S=N" of the name, else the file's.
 *
 * A count made while messages came or went is used, but not kept.  Nothing is
 * synced: after a crash a file that lost lines says too little until it is
 * made again, and one that makes no sense is made again at once.
 *
 * Files are the mailbox owner's, as whom this runs; no link is followed. */
#ifndef MAIL_MAILDIRSIZE_H
#define MAIL_MAILDIRSIZE_H

#include "lib/str.h"
#include "mail/quota.h"

#define MAILDIRSIZE_MAX 5120            /* bytes, from where it is made anew */
#define MAILDIRSIZE_READ_MAX (1 << 20)  /* bytes, from where it is no such */
#define MAILDIRSIZE_OLD 900             /* seconds it is believed that the
                                         * mailbox is full */
#define MAILDIRSIZE_CHECK __attribute__((warn_unused_result))

struct maildirsize {
	struct quota quota;             /* of the first line */
	bool have_quota;                /* it can be understood */
	int64_t bytes, count;           /* the sum: never below 0 */
	size_t lines;                   /* without the first */
	size_t size;                    /* bytes of the file */
	int64_t mtime;                  /* seconds since 1970 */
};

enum maildirsize_status {
	MAILDIRSIZE_OK,
	MAILDIRSIZE_NONE,               /* there is no such file */
	MAILDIRSIZE_BAD,                /* it makes no sense */
	MAILDIRSIZE_TEMP,               /* could not be read; errno */
};

/* The bytes of a whole file: OK or BAD. */
MAILDIRSIZE_CHECK enum maildirsize_status maildirsize_parse(const char *s,
    size_t n, struct maildirsize *out);
MAILDIRSIZE_CHECK enum maildirsize_status maildirsize_read(
    const char *maildir, struct maildirsize *out);

/* Counts what is there.  *steady_out: nothing changed meanwhile.  0, or -1 with
 * errno (no such Maildir, a folder that cannot be read). */
MAILDIRSIZE_CHECK int maildirsize_count(const char *maildir,
    int64_t *bytes_out, int64_t *count_out, bool *steady_out);
/* Counts, and puts a new file there if nothing changed meanwhile.  Without
 * limits the file is removed: nobody asks then.  0 or -1 with errno. */
MAILDIRSIZE_CHECK int maildirsize_rebuild(const char *maildir,
    const struct quota *, struct maildirsize *out);

/* What the Maildir holds, believing the file where that is right.  *out has
 * the wanted quota.  0 or -1 with errno. */
MAILDIRSIZE_CHECK int maildirsize_get(const char *maildir,
    const struct quota *want, struct maildirsize *out);
/* As get, for something that is to be added: *over_out says whether it would
 * be over quota then. */
MAILDIRSIZE_CHECK int maildirsize_fits(const char *maildir,
    const struct quota *want, int64_t bytes, int64_t count,
    struct maildirsize *out, bool *over_out);
/* Notes what was added, or (below 0) taken away.  Where there is no file there
 * is nothing to note.  0 or -1 with errno. */
MAILDIRSIZE_CHECK int maildirsize_add(const char *maildir, int64_t bytes,
    int64_t count);

/* The quota that somebody has written into the file of a Maildir whose user
 * is not known; no limits when there is none. */
MAILDIRSIZE_CHECK int maildirsize_quota(const char *maildir,
    struct quota *out);
/* The Maildir that this one is a folder of: *out is replaced, by the same name
 * when it is none.  It ends with a slash. */
MAILDIRSIZE_CHECK int maildirsize_root(const char *maildir, struct str *out);

/* The N of ",S=N" in a file's name; -1 without one. */
int64_t maildirsize_name_bytes(const char *name);

#endif
