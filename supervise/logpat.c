/* logpat.c - pattern matching; see logpat.h.
 *
 * Linear time: no star ever gives back what it took.  Lines are untrusted,
 * patterns come from the run script. */
#include "supervise/logpat.h"

#include <string.h>

bool
logpat_matches(const char *pattern, const char *line, size_t n)
{
	for (; *pattern != '\0'; pattern++) {
		const char *stop;

		if (*pattern != '*') {
			if (n == 0 || *line != *pattern)
				return false;
			line++;
			n--;
			continue;
		}
		if (pattern[1] == '\0')
			return true;
		stop = n > 0 ? memchr(line, pattern[1], n) : NULL;
		if (stop == NULL)
			return false;
		n -= (size_t)(stop - line);
		line = stop;
	}
	return n == 0;
}
