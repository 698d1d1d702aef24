/* inject/smverify.h - sendmail -bv: where mail for recipients would go. */
#ifndef INJECT_SMVERIFY_H
#define INJECT_SMVERIFY_H

#include "inject/inject.h"

/* Appends a line for each of the plain addresses.  The user's own .qmail files
 * and users/assign are not asked: they are private to the delivery. */
INJECT_CHECK enum inject_status smverify_cat(struct inject *,
    struct str *out);

#endif
