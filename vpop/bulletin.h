/* vpop/bulletin.h - one message for many mailboxes: copies or links, quota
 * counted, synced in batches.
 *
 * A copy has "To: user@domain" before it when the message names no recipient,
 * and "Date:" when it has none; a link is the message as it is.  Names in new/
 * are never used twice.  A mailbox that would be over quota is left out, and
 * so is a user who has no Maildir.
 *
 * Work in a mailbox is done as the domain's owner, so a link laid there leads
 * nowhere the owner may not go.  Only a hard link is made with the caller's
 * rights, in a directory that was opened as the owner. */
#ifndef VPOP_BULLETIN_H
#define VPOP_BULLETIN_H

#include "mail/maildir.h"
#include "mail/quota.h"
#include "vpop/store.h"

enum bulletin_how { BULLETIN_COPY, BULLETIN_HARDLINK, BULLETIN_SYMLINK };
enum bulletin_status { BULLETIN_OK, BULLETIN_OVER, BULLETIN_FAILED };

typedef void bulletin_told_fn(void *arg, const char *user,
    enum bulletin_status, const char *reason);

#define BULLETIN_BATCH 64       /* copies that share their syncs */

struct bulletin_copy {
	struct str user, maildir;
	int64_t bytes;
	struct maildir_file file;
};

struct bulletin {
	enum bulletin_how how;
	bool dry;
	int fd;                         /* of the message */
	struct str path;                /* absolute */
	uint64_t size;
	bool has_header, has_to, has_date;
	const struct vdomain_ref *d;    /* being served */
	bulletin_told_fn *told;
	void *arg;
	struct bulletin_copy copy[BULLETIN_BATCH];
	size_t n;
	unsigned links;                 /* made so far, for their names */
};

/* -1 with errno: the message cannot be read, or is nothing. */
__attribute__((warn_unused_result))
int bulletin_open(struct bulletin *, const char *path, enum bulletin_how,
    bool dry, bulletin_told_fn *, void *arg);
void bulletin_domain_begin(struct bulletin *, const struct vdomain_ref *);
void bulletin_user(struct bulletin *, const struct vuser *);
/* Only now is everybody told of. */
void bulletin_domain_end(struct bulletin *);
void bulletin_close(struct bulletin *);

#endif
