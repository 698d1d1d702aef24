/* limit.c - resource limits; see limit.h. */
#include "supervise/limit.h"

#include "lib/str.h"

#include <errno.h>
#include <string.h>

/* -m stands for several: one row each. */
static const struct {
	char letter;
	int resource;
} table[] = {
	{'a', RLIMIT_AS},
	{'c', RLIMIT_CORE},
	{'d', RLIMIT_DATA},
	{'f', RLIMIT_FSIZE},
	{'l', RLIMIT_MEMLOCK},
	{'m', RLIMIT_DATA},
	{'m', RLIMIT_STACK},
	{'m', RLIMIT_MEMLOCK},
	{'m', RLIMIT_AS},
	{'o', RLIMIT_NOFILE},
	{'p', RLIMIT_NPROC},
	{'r', RLIMIT_RSS},
	{'s', RLIMIT_STACK},
	{'t', RLIMIT_CPU},
};

bool
limit_parse(const char *text, rlim_t *out)
{
	uint64_t u;
	size_t n;

	if (strcmp(text, "=") == 0) {
		*out = RLIM_INFINITY;
		return true;
	}
	n = scan_u64(text, &u);
	if (n == 0 || text[n] != '\0')
		return false;
	*out = (rlim_t)u;
	return true;
}

int
limit_set(char letter, rlim_t value)
{
	bool known = false;

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct rlimit r;

		if (table[i].letter != letter)
			continue;
		known = true;
		if (getrlimit((__rlimit_resource_t)table[i].resource, &r) < 0)
			return -1;
		r.rlim_cur = value < r.rlim_max ? value : r.rlim_max;
		if (setrlimit((__rlimit_resource_t)table[i].resource, &r) < 0)
			return -1;
	}
	if (!known) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}
