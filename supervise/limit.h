/* supervise/limit.h - resource limits by softlimit's option letters. */
#ifndef SUPERVISE_LIMIT_H
#define SUPERVISE_LIMIT_H

#include <stdbool.h>
#include <sys/resource.h>

#define LIMIT_OPTIONS "a:c:d:f:l:m:o:p:r:s:t:"  /* as getopt takes them */

/* Decimal digits only, or "=" (RLIM_INFINITY: as high as the hard limit). */
bool limit_parse(const char *text, rlim_t *out);

/* Sets the soft limit of the letter, never above the hard one.  0, or -1
 * with errno; EINVAL for a letter that is none. */
__attribute__((warn_unused_result))
int limit_set(char letter, rlim_t value);

#endif
