/* supervise/logpat.h - the patterns of multilog's + and - actions. */
#ifndef SUPERVISE_LOGPAT_H
#define SUPERVISE_LOGPAT_H

#include <stdbool.h>
#include <stddef.h>

/* Does pattern match all n bytes of line?  A star at the end matches
 * anything, another one anything without the byte that follows it. */
bool logpat_matches(const char *pattern, const char *line, size_t n);

#endif
