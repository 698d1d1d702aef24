/* install/accounts.h - the users and groups of the table, looked up in and
 * added to the system's own databases by groupadd and useradd. */
#ifndef INSTALL_ACCOUNTS_H
#define INSTALL_ACCOUNTS_H

#include "lib/str.h"
#include "lib/user.h"

/* Ids by name; "root" is 0 without asking, and the group of virtual domains is
 * that of their user, where there is one. */
__attribute__((warn_unused_result))
enum user_status accounts_uid(const char *name, uid_t *out);
__attribute__((warn_unused_result))
enum user_status accounts_gid(const char *name, gid_t *out);

/* Makes what is missing, never changes what exists; appends a line for each
 * account made.  *vpopmail_out: that user was.  0, or -1 with the reason appended to why. */
__attribute__((warn_unused_result))
int accounts_make(struct str *done, bool *vpopmail_out, struct str *why);

/* Replaces out by VPOPMAIL: vpopmail's home, or the one it will be made with.
 * -1 with the reason appended to why. */
__attribute__((warn_unused_result))
int accounts_vpopmail(struct str *out, struct str *why);

/* Appends a line for each account that is missing or not as in the table;
 * how many. */
unsigned accounts_compare(struct str *out);

#endif
