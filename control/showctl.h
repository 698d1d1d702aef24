/* control/showctl.h - every setting as text, for qmail-showctl. */
#ifndef CONTROL_SHOWCTL_H
#define CONTROL_SHOWCTL_H

#include "lib/str.h"

/* Appends the accounts with their ids. */
void showctl_cat_accounts(struct str *out);
/* Appends each control file of the table: what it means, what it says or its
 * default; then names the files in dir that no program reads.  Foreign bytes
 * that do not print come out as "?".  0, or -1 when something could not be
 * read, which the text tells. */
__attribute__((warn_unused_result))
int showctl_cat_control(struct str *out, const char *dir);

#endif
