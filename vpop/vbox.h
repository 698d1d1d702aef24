/* vpop/vbox.h - put a message into the Maildir of a virtual user: quota first,
 * then the file, later the commit, then the account of it and the warning.
 *
 *	vbox_write(&b, &cfg, ...)	quota, a file in tmp/
 *	vbox_commit(boxes, n)		all of them onto the disk and into new/
 *	vbox_finish(&b, &cfg, ...)	maildirsize, the warning
 *	vbox_free(&b)			takes away what was not committed
 *
 * Words say what went wrong, as a report has it. */
#ifndef VPOP_VBOX_H
#define VPOP_VBOX_H

#include "mail/maildir.h"
#include "mail/maildirsize.h"

#define VBOX_TEXT_MAX 65536     /* bytes of .over-quota.msg and its kin */
#define VBOX_WARN_PERCENT 90
#define VBOX_WARN_S 86400       /* seconds between two warnings */

enum vbox_policy { VBOX_DEFER, VBOX_BOUNCE, VBOX_ACCEPT };

struct vbox_config {            /* borrowed */
	const char *dir;        /* the domain's directory */
	const char *global;     /* VPOPMAIL/domains, or "": texts of all */
	const char *head;       /* lines before the message */
	size_t nhead;
	const char *dtline;     /* of a warning */
	int mfd;
	uint64_t size;          /* of the message, without head */
	enum vbox_policy policy;
};

struct vbox {
	struct maildir_file file;
	struct str root;        /* of the Maildir that has maildirsize */
	struct quota quota;
	struct maildirsize used;        /* before */
};

/* quota NULL: what the Maildir's own maildirsize says.  make: a Maildir that
 * is not there is made.  VERDICT_OK, VERDICT_HARD or VERDICT_SOFT. */
__attribute__((warn_unused_result))
int vbox_write(struct vbox *, const struct vbox_config *,
    const char *maildir, const struct quota *quota, bool make,
    struct str *words);
/* The same verdicts for all of them. */
__attribute__((warn_unused_result))
int vbox_commit(struct vbox *const *boxes, size_t n, struct str *words);
/* Best effort: the message is delivered already. */
void vbox_finish(struct vbox *, const struct vbox_config *);
void vbox_free(struct vbox *);

/* Makes the Maildir and what is missing above it, but nothing above base where
 * it is below base; durably.  0 or -1 with errno. */
__attribute__((warn_unused_result))
int vbox_make(const char *base, const char *maildir);
/* Is path base, or below it, by its name? */
bool vbox_is_below(const char *base, const char *path);

/* Appends the text of name in dir, else in global, else fallback.  False:
 * there was no file. */
bool vbox_cat_text(struct str *out, const char *dir, const char *global,
    const char *name, const char *fallback);

#endif
