/* supervise/account.h - the account a chain tool is told to use. */
#ifndef SUPERVISE_ACCOUNT_H
#define SUPERVISE_ACCOUNT_H

#include "lib/user.h"

/* Looks name up; exits 111 when there is no such account or it cannot be
 * asked for.  user_free(out). */
void account_find(const char *name, struct user *out);

#endif
