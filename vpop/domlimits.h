/* vpop/domlimits.h - the limits of a domain as vmoddomlimits takes and shows
 * them. */
#ifndef VPOP_DOMLIMITS_H
#define VPOP_DOMLIMITS_H

#include "vpop/store.h"

/* The options that have a value, for getopt. */
#define DOMLIMITS_OPTIONS "Q:q:M:m:P:A:F:R:L:g:p:a:f:r:l:u:o:x:z:"

/* What option letter says of the limits.  -1 with the reason in why. */
__attribute__((warn_unused_result))
int domlimits_set(struct vlimits *, char letter, const char *value,
    struct str *why);
/* All of them, below the line "HEADER NAME". */
void domlimits_cat_text(struct str *, const char *header, const char *name,
    const struct vlimits *);
/* One line, an object; domain NULL: the default.  own: not only the default's
 * in its place. */
void domlimits_cat_json(struct str *, const char *domain,
    const struct vlimits *, bool own);

#endif
