/* mail/dotfile.h - find and read the .qmail file of an address, in dir ("":
 * the working directory).
 *
 * Its name is the first of mail/dotname.h that exists; what is no regular file
 * counts as absent. */
#ifndef MAIL_DOTFILE_H
#define MAIL_DOTFILE_H

#include "lib/str.h"

#define DOTFILE_REFUSED_BITS 0002u      /* modes of files not believed */
#define DOTFILE_CHECK __attribute__((warn_unused_result))

enum dotfile_status {
	DOTFILE_OK,
	DOTFILE_NONE,
	DOTFILE_WRITABLE,       /* by everybody */
	DOTFILE_TEMP,           /* could not be examined or read; errno */
};

struct dotfile {
	struct str name, text;  /* name: without dir */
	bool forward_only;      /* its owner may execute it */
	bool have_matched;      /* it ends in "default" */
	size_t matched_at;      /* which then stands for ext from here */
};

DOTFILE_CHECK enum dotfile_status dotfile_find(const char *dir,
    const char *dash, const char *ext, struct dotfile *out);
/* Is there ".qmail" dash ext suffix?  0 and *out, or -1 with errno when that
 * cannot be said. */
DOTFILE_CHECK int dotfile_exists(const char *dir, const char *dash,
    const char *ext, const char *suffix, bool *out);
void dotfile_free(struct dotfile *);

#endif
