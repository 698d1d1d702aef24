/* supervise/filter.h - the main loop of addcr and delcr: descriptor 0 through
 * a function to descriptor 1.  Exits 0, or 111 when reading or writing
 * fails. */
#ifndef SUPERVISE_FILTER_H
#define SUPERVISE_FILTER_H

#include "lib/str.h"

/* change appends what becomes of n bytes; n is 0 at the end of the input. */
_Noreturn void filter_run(void (*change)(void *arg, const char *s, size_t n,
    struct str *out), void *arg);

#endif
