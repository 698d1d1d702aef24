/* remote/routes.c - reading and asking control/smtproutes; see routes.h.  The
 * file is trusted; a line that is wrong stops the mail it is for, no other. */
#include "remote/routes.h"

#include <stdlib.h>
#include <string.h>

void
relay_free(struct relay *r)
{
	str_free(&r->name);
	str_free(&r->auth);
	*r = (struct relay){0};
}

/* The colon after the domain, which may be "[IPv6:...]"; NULL: none. */
static const char *
domain_end(const char *line)
{
	const char *s = *line == '[' ? strchr(line, ']') : line;

	return strchr(s != NULL ? s : line, ':');
}

void
routes_load(struct routes *r, const struct str *lines)
{
	r->lines.nocase = true;
	for (size_t i = 0; i < lines->len; i += strlen(lines->s + i) + 1) {
		const char *line = lines->s + i, *colon = domain_end(line);
		size_t n;

		if (colon == NULL)
			continue;
		n = (size_t)(colon - line);
		free(map_get(&r->lines, line, n));
		map_set(&r->lines, line, n, mem_dup_copy(colon + 1));
	}
}

void
routes_free(struct routes *r)
{
	size_t at = 0, n;
	const char *key;
	void *value;

	while (map_next(&r->lines, &at, &key, &n, &value))
		free(value);
	map_free(&r->lines);
	*r = (struct routes){0};
}

static const char *
find_line(const struct routes *r, const char *domain)
{
	size_t n = strlen(domain);
	const char *line;

	for (size_t i = 0; i <= n; i++)
		if (i == 0 || i == n || domain[i] == '.') {
			line = map_get(&r->lines, domain + i, n - i);
			if (line != NULL)
				return line;
		}
	return NULL;
}

static bool
is(const char *s, size_t n, const char *what)
{
	return bytes_caseeq(s, n, what, strlen(what));
}

/* NULL, or what is wrong. */
static const char *
option(struct relay *out, const char *s, size_t n)
{
	static const struct { const char *name; enum tls_level tls; } t[] = {
		{"tls=never", TLS_NEVER}, {"tls=may", TLS_MAY},
		{"tls=require", TLS_REQUIRE}, {"tls=verify", TLS_VERIFY},
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
		if (is(s, n, t[i].name)) {
			out->tls = t[i].tls;
			return NULL;
		}
	if (n > 5 && is(s, 5, "auth=")) {
		str_copyb(&out->auth, s + 5, n - 5);
		return NULL;
	}
	return "unknown option";
}

/* "name", "name:port", "[address]:port" */
static const char *
target(struct relay *out, const char *s, size_t n)
{
	const char *close = *s == '[' ? memchr(s, ']', n) : NULL;
	size_t len = close != NULL ? (size_t)(close - s) + 1 :
	    bytes_chr(s, n, ':');
	uint64_t port;

	if (*s == '[' && close == NULL)
		return "\"[\" without \"]\"";
	str_copyb(&out->name, s, len);
	if (len == n)
		return NULL;
	if (s[len] != ':')
		return "something follows \"]\"";
	len++;
	if (len == n)
		return NULL;            /* "relay:" is the usual port */
	if (scan_u64(s + len, &port) != n - len || port == 0 || port > 65535)
		return memchr(s + len, ':', n - len) != NULL ?
		    "an IPv6 address belongs in square brackets" :
		    "the port is no number from 1 to 65535";
	out->port = (uint16_t)port;
	return NULL;
}

static const char *
parse(struct relay *out, const char *s)
{
	const char *wrong = target(out, s, strcspn(s, " \t"));

	s += strcspn(s, " \t");
	while (wrong == NULL && *(s += strspn(s, " \t")) != '\0') {
		size_t n = strcspn(s, " \t");

		wrong = option(out, s, n);
		s += n;
	}
	if (wrong != NULL)
		return wrong;
	if (out->auth.len > 0 && out->name.len == 0)
		return "auth without a relay";
	if (out->auth.len > 0 && out->tls == TLS_MAY)
		return "auth with tls=may would show the password";
	if (out->auth.len > 0 && out->tls == TLS_DEFAULT)
		out->tls = TLS_VERIFY;
	return NULL;
}

enum routes_status
routes_find(const struct routes *r, const char *domain, struct relay *out,
    const char **reason)
{
	const char *line = find_line(r, domain);

	*out = (struct relay){0};
	if (line == NULL)
		return ROUTES_NONE;
	*reason = parse(out, line);
	if (*reason == NULL)
		return ROUTES_FOUND;
	relay_free(out);
	return ROUTES_BAD;
}
