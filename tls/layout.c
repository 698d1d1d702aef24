/* tls/layout.c - generations and names; see layout.h. */
#include "tls/layout.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

const char *
layout_kind(unsigned type)
{
	static const char *const kinds[LAYOUT_KINDS] = {"ec", "rsa",
	    "ed25519"};

	return type < LAYOUT_KINDS ? kinds[type] : "";
}

static int
number_of(const char *name, uint64_t *out)
{
	size_t k;

	if (strncmp(name, "gen.", 4) != 0)
		return -1;
	k = scan_u64(name + 4, out);
	return k > 0 && name[4 + k] == '\0' ? 0 : -1;
}

int
layout_current(const char *home, uint64_t *n_out)
{
	struct str path = {0};
	char target[64];
	ssize_t n;

	str_catf(&path, "%s/current", home);
	n = readlink(str_c(&path), target, sizeof target - 1);
	str_free(&path);
	if (n < 0)
		return -1;
	target[n] = '\0';
	if (number_of(target, n_out) < 0) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

int
layout_before(const char *home, uint64_t n, uint64_t *n_out)
{
	DIR *d = opendir(home);
	struct dirent *e;

	*n_out = 0;
	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL) {
		uint64_t g;

		if (number_of(e->d_name, &g) == 0 && g < n && g > *n_out)
			*n_out = g;
	}
	(void)closedir(d);
	return 0;
}

int
layout_name(struct str *out, const char *name, size_t n, bool star)
{
	bool label = false;
	size_t i = 0;

	errno = EINVAL;
	str_clear(out);
	if (n == 0 || n > LAYOUT_NAME)
		return -1;
	if (star && n > 2 && name[0] == '*' && name[1] == '.')
		i = 2;
	str_catb(out, name, i);
	for (; i < n; i++) {
		char c = ascii_lower(name[i]);
		bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '_';

		if (!word && !(c == '.' && label))
			return -1;
		label = word;
		str_catc(out, c);
	}
	return label ? 0 : -1;
}
