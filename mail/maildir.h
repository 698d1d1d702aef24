/* mail/maildir.h - deliver into Maildirs: unique names, durable, in batches.
 *
 * Two phases, so that many messages share their syncs:
 *
 *	maildir_write(&f, ...)          a whole file in tmp/, not yet synced
 *	maildir_commit(files, n)        sync all, rename all, sync each new/
 *	maildir_free(&f)                removes what is still in tmp/
 *
 * Names in new/ are "SEC.MusecNnsecPpid.HOST,S=SIZE,W=WIRE", never used before,
 * or made from a key, so that a delivery done again replaces what the first one
 * left instead of doubling it.  WIRE: bytes when each LF has a CR before it; not
 * in the name of a file that does not end in LF.  Paths may be relative: all
 * three calls want the same working directory.  Files have mode 0600. */
#ifndef MAIL_MAILDIR_H
#define MAIL_MAILDIR_H

#include "lib/str.h"

#include <sys/stat.h>

/* What makes one delivery of one message itself, across restarts. */
struct maildir_key {
	uint64_t inode;                 /* of the queue's mess file */
	int64_t sec;                    /* its modification time */
	long nsec;
	uint64_t rcpt;                  /* hash of the recipient */
	size_t step;                    /* which instruction of its .qmail */
	unsigned copy;                  /* for the same recipient, from 0 */
};
/* From the message's stat and "local@host". */
struct maildir_key maildir_key_of(const struct stat *, const char *local,
    const char *host);
/* One number for message and recipient. */
uint64_t maildir_key_hash(const struct maildir_key *);

/* How long a message is, counted piece by piece; {0} at first.  With CR LF it
 * has size + bare bytes. */
struct maildir_count {
	uint64_t size;
	uint64_t bare;                  /* LFs that have no CR before them */
	char last;                      /* byte */
};
void maildir_count_add(struct maildir_count *, const char *s, size_t n);

enum maildir_status {
	MAILDIR_OK,
	MAILDIR_CREATE,                 /* no file could be made in tmp/ */
	MAILDIR_READ,                   /* the message could not be read */
	MAILDIR_WRITE,
	MAILDIR_SYNC,
	MAILDIR_PLACE,                  /* not renamed into new/ */
	MAILDIR_DIRSYNC,                /* in new/, perhaps not durable */
};

struct maildir_file {
	struct str dir;                 /* with its final slash */
	struct str tmp, final;          /* paths; tmp empty once renamed */
	int fd;                         /* of tmp, -1: none */
	dev_t dev;
	bool replace;                   /* the name comes from a key */
	bool dirsynced;
	enum maildir_status status;
	int error;                      /* errno that goes with status */
};

/* Copies head and then the message (read from offset 0, whatever the
 * descriptor's position) to a file in dir/tmp; key NULL: a unique name.  dir
 * ends in '/'.  *f is set in any case; maildir_free it. */
__attribute__((warn_unused_result))
enum maildir_status maildir_write(struct maildir_file *f, const char *dir,
    const char *head, size_t nhead, int mfd, const struct maildir_key *key);
/* Brings every file whose status is MAILDIR_OK into new/ and onto the disk,
 * or sets its status and error. */
void maildir_commit(struct maildir_file *const *files, size_t n);
void maildir_free(struct maildir_file *);

/* "in the middle of a sentence: unable to <text>" */
const char *maildir_verb(enum maildir_status);

/* Makes path and its tmp, new, cur with mode 0700, durably. */
__attribute__((warn_unused_result))
int maildir_make(const char *path);

#endif
