/* install/verify.h - compare what is installed with what should be.
 *
 * Changes nothing.  What cannot be looked at counts as a difference. */
#ifndef INSTALL_VERIFY_H
#define INSTALL_VERIFY_H

#include "install/place.h"

/* Appends one line "PATH: what is wrong\n" for each difference from the item;
 * how many.  Bytes are compared only when the place has a source tree. */
unsigned verify_item(struct place *, const struct tree_item *,
    struct str *out);
/* Appends a line for each set-id file below HOME, whoever made it; how many.
 * Directories are not counted: what is made in alias/ inherits its bit. */
unsigned verify_setid(const struct place *p, struct str *out);

#endif
