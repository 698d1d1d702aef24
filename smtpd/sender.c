/* smtpd/sender.c - see sender.h.  Login and address are a stranger's bytes
 * until the password was right, and a user's then. */
#include "smtpd/sender.h"

#include <string.h>

/* local is base, or base with an extension. */
static bool
is_base(const char *local, size_t n, const char *base, size_t nbase)
{
	return n >= nbase && bytes_caseeq(local, nbase, base, nbase) &&
	    (n == nbase || local[nbase] == '-');
}

static bool
is_itself(const struct str *locals, const struct str *login,
    const char *addr, size_t at, size_t n)
{
	const char *host = addr + at + 1;
	size_t nhost = n - at - 1;
	size_t lat = bytes_rchr(str_c(login), login->len, '@');

	if (!is_base(addr, at, str_c(login), lat))
		return false;
	if (lat < login->len)
		return bytes_caseeq(host, nhost, login->s + lat + 1,
		    login->len - lat - 1);
	for (size_t i = 0; i < locals->len; i += strlen(locals->s + i) + 1)
		if (bytes_caseeq(host, nhost, locals->s + i,
		    strlen(locals->s + i)))
			return true;
	return false;
}

/* What stands after the colon of a line. */
static bool
names(const char *rule, const char *addr, size_t at, size_t n)
{
	size_t len = strlen(rule);

	if (strcmp(rule, "*") == 0)
		return true;
	if (rule[0] == '@')
		return bytes_caseeq(addr + at, n - at, rule, len);
	return bytes_caseeq(addr, n, rule, len);
}

bool
sender_allowed(const struct str *lines, const struct str *locals,
    const struct str *login, const struct str *addr)
{
	size_t at = bytes_rchr(str_c(addr), addr->len, '@');

	if (addr->len == 0)
		return true;
	if (login->len == 0)
		return false;
	if (at < addr->len && is_itself(locals, login, addr->s, at,
	    addr->len))
		return true;
	for (size_t i = 0; i < lines->len; i += strlen(lines->s + i) + 1) {
		const char *line = lines->s + i, *colon = strchr(line, ':');
		size_t n;

		if (colon == NULL)
			continue;
		n = (size_t)(colon - line);
		if (((n == 1 && *line == '*') ||
		    bytes_caseeq(line, n, str_c(login), login->len)) &&
		    names(colon + 1, addr->s, at, addr->len))
			return true;
	}
	return false;
}
