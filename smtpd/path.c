/* smtpd/path.c - paths and parameters; see path.h. */
#include "smtpd/path.h"

#include "mail/quote.h"
#include "smtpd/config.h"

#include <string.h>

#define HOST_MAX 255            /* bytes: 5321:4.5.3.1.2 */
#define LABEL_MAX 63

void
path_free(struct path *p)
{
	str_free(&p->addr);
	*p = (struct path){0};
}

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

/* 5321:4.1.2 atext and the dot. */
static bool
is_local(char c)
{
	return is_alnum(c) ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

/* Bytes of a host at s: where it stops is not judged. */
static size_t
host_span(const char *s)
{
	size_t n = 0;

	while (is_alnum(s[n]) || s[n] == '-' || s[n] == '_' || s[n] == '.' ||
	    (unsigned char)s[n] > 127)
		n++;
	return n;
}

static enum path_status
check_host(const char *s, size_t n, bool *utf8)
{
	size_t label = 0;

	if (n == 0)
		return PATH_SYNTAX;
	for (size_t i = 0; i < n;) {
		size_t k = utf8_len(s + i, n - i);

		if (k == 0)
			return PATH_UTF8;
		if (k > 1)
			*utf8 = true;
		if (s[i] != '.') {
			label += k;
		} else if (label == 0) {
			return PATH_SYNTAX;
		} else {
			label = 0;
		}
		if (label > LABEL_MAX)
			return PATH_LONG;
		i += k;
	}
	if (label == 0)
		return PATH_SYNTAX;
	return n > HOST_MAX ? PATH_LONG : PATH_OK;
}

bool
path_is_host(const char *s, size_t n)
{
	bool utf8 = false;

	return memchr(s, '\0', n) == NULL && host_span(s) >= n &&
	    check_host(s, n, &utf8) == PATH_OK;
}

int
path_literal(const char *s, size_t n, struct ip *out)
{
	static const char six[] = "IPv6:";
	const size_t nsix = sizeof six - 1;

	if (n < 2 || s[0] != '[' || s[n - 1] != ']')
		return -1;
	s++;
	n -= 2;
	if (n > nsix && bytes_caseeq(s, nsix, six, nsix)) {
		if (memchr(s, '%', n) != NULL)
			return -1;
		return memchr(s + nsix, ':', n - nsix) == NULL ? -1 :
		    ip_parse(s + nsix, n - nsix, out);
	}
	return memchr(s, ':', n) != NULL ? -1 : ip_parse(s, n, out);
}

/* "<@a,@b:": hosts that the mail should have gone through.  Read and
 * forgotten (5321:C).  Past the colon, or NULL. */
static const char *
skip_route(const char *s)
{
	bool utf8;

	while (*s == '@') {
		size_t n = host_span(s + 1);

		if (check_host(s + 1, n, &utf8) != PATH_OK)
			return NULL;
		s += 1 + n;
		if (*s == ':')
			return s + 1;
		if (*s != ',')
			return NULL;
		s++;
	}
	return NULL;
}

/* The quoted string at s, without its quotes, onto out. */
static enum path_status
take_quoted(const char **at, struct path *out)
{
	const char *s = *at + 1;

	while (*s != '"') {
		size_t k;

		if (*s == '\\')
			s++;
		if ((unsigned char)*s < 32 || *s == 127)
			return PATH_SYNTAX;
		k = utf8_len(s, strlen(s));
		if (k == 0)
			return PATH_UTF8;
		if (k > 1)
			out->utf8 = true;
		str_catb(&out->addr, s, k);
		s += k;
	}
	*at = s + 1;
	return PATH_OK;
}

static enum path_status
take_local(const char **at, struct path *out)
{
	const char *s = *at;

	if (*s == '"')
		return take_quoted(at, out);
	while (is_local(*s) || (unsigned char)*s > 127) {
		size_t k = utf8_len(s, strlen(s));

		if (k == 0)
			return PATH_UTF8;
		if (k > 1)
			out->utf8 = true;
		str_catb(&out->addr, s, k);
		s += k;
	}
	*at = s;
	return PATH_OK;
}

static enum path_status
take_host(const char **at, struct path *out)
{
	const char *s = *at;
	size_t n;

	if (*s == '[') {
		n = strcspn(s, "]> ");
		if (s[n] != ']' || path_literal(s, n + 1, &out->ip) < 0)
			return PATH_SYNTAX;
		out->literal = true;
		n++;
	} else {
		enum path_status st;

		n = host_span(s);
		st = check_host(s, n, &out->utf8);
		if (st != PATH_OK)
			return st;
	}
	out->has_host = true;
	str_catc(&out->addr, '@');
	str_catb(&out->addr, s, n);
	*at = s + n;
	return PATH_OK;
}

/* local or local@host at *at. */
static enum path_status
take_mailbox(const char **at, struct path *out)
{
	enum path_status st = take_local(at, out);

	if (st == PATH_OK && out->addr.len == 0)
		st = PATH_SYNTAX;
	if (st == PATH_OK && **at == '@') {
		++*at;
		st = take_host(at, out);
	} else if (st == PATH_OK && memchr(out->addr.s, '@', out->addr.len)) {
		st = PATH_SYNTAX;       /* "a@b" in quotes is no host b */
	}
	return st;
}

enum path_status
path_parse(const char *s, struct path *out, const char **rest)
{
	enum path_status st = PATH_OK;
	bool angle, empty;

	str_clear(&out->addr);
	out->has_host = out->literal = out->utf8 = false;
	s += strspn(s, " ");
	angle = *s == '<';
	if (angle)
		s++;
	empty = angle && *s == '>';
	if (angle && *s == '@') {
		s = skip_route(s);
		if (s == NULL)
			return PATH_SYNTAX;
	}
	if (!empty)
		st = take_mailbox(&s, out);
	if (st != PATH_OK)
		return st;
	if (angle && *s++ != '>')
		return PATH_SYNTAX;
	if (*s != '\0' && *s != ' ')
		return PATH_SYNTAX;
	*rest = s;
	return out->addr.len > SMTPD_ADDR_MAX ? PATH_LONG : PATH_OK;
}

enum param_status
param_next(const char **at, struct str *key, struct str *value,
    bool *has_value)
{
	const char *s = *at + strspn(*at, " ");

	str_clear(key);
	str_clear(value);
	*has_value = false;
	if (*s == '\0')
		return PARAM_END;
	if (!is_alnum(*s))
		return PARAM_SYNTAX;
	for (; is_alnum(*s) || *s == '-'; s++)
		str_catc(key, *s >= 'a' && *s <= 'z' ? (char)(*s - 32) : *s);
	if (*s == '=') {
		*has_value = true;
		for (s++; *s > 32 && *s < 127 && *s != '='; s++)
			str_catc(value, *s);
		if (value->len == 0)
			return PARAM_SYNTAX;
	}
	*at = s;
	return *s == '\0' || *s == ' ' ? PARAM_OK : PARAM_SYNTAX;
}
