/* inject/followup.h - Mail-Followup-To for those who write to lists. */
#ifndef INJECT_FOLLOWUP_H
#define INJECT_FOLLOWUP_H

#include "inject/inject.h"

/* If one of tocc is named in the file (an address a line; # begins a comment
 * line; letter case means nothing), appends a Mail-Followup-To field with all
 * of tocc, each once.  A missing file names nobody.  -1 with errno when it
 * cannot be read. */
INJECT_CHECK int followup_add(struct str *out, const struct inject_addrs *tocc,
    const char *file);

#endif
