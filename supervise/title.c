/* title.c - the shifting text of readproctitle; see title.h. */
#include "supervise/title.h"

#include <string.h>

#define DOTS 3

void
title_add(char *title, size_t len, const char *bytes, size_t n)
{
	char *text = title + DOTS;

	len -= DOTS;
	while (n > 0) {
		const char *nul = memchr(bytes, '\0', n);
		size_t run = nul != NULL ? (size_t)(nul - bytes) : n;
		size_t use = run < len ? run : len;

		memmove(text, text + use, len - use);
		memcpy(text + len - use, bytes + run - use, use);
		bytes += run;
		n -= run;
		if (nul != NULL) {
			bytes++;
			n--;
		}
	}
}
