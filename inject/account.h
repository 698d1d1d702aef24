/* inject/account.h - who the submitter is, where the environment is silent. */
#ifndef INJECT_ACCOUNT_H
#define INJECT_ACCOUNT_H

#include "inject/inject.h"

/* Sets cfg->user from the account of the real uid, kept in name, unless the
 * environment named one; no account leaves it NULL.  -1 with errno when the
 * account database cannot be asked. */
INJECT_CHECK int account_fill(struct inject_config *cfg, struct str *name);

#endif
