/* mail/quote.c - see quote.h.  Pure functions over bytes. */
#include "mail/quote.h"

#include <string.h>

static bool
is_atext(unsigned char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z'))
		return true;
	return c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL;
}

/* Least and greatest second byte after each kind of first byte: 3629:4. */
size_t
utf8_len(const char *s, size_t n)
{
	unsigned char c, lo = 0x80, hi = 0xbf;
	size_t i, len;

	if (n == 0)
		return 0;
	c = (unsigned char)s[0];
	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (c == 0xe0)
		lo = 0xa0;
	else if (c == 0xed)
		hi = 0x9f;
	else if (c == 0xf0)
		lo = 0x90;
	else if (c == 0xf4)
		hi = 0x8f;
	if (n < len)
		return 0;
	for (i = 1; i < len; i++) {
		unsigned char d = (unsigned char)s[i];

		if (d < lo || d > hi)
			return 0;
		lo = 0x80;
		hi = 0xbf;
	}
	return len;
}

bool
quote_safe(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (s[i] == '\0' || s[i] == '\r' || s[i] == '\n')
			return false;
	return true;
}

bool
quote_needed(const char *local, size_t n)
{
	size_t i, len;

	if (n == 0 || local[0] == '.' || local[n - 1] == '.')
		return true;
	for (i = 0; i < n; i += len) {
		unsigned char c = (unsigned char)local[i];

		len = utf8_len(local + i, n - i);
		if (len == 0)
			return true;
		if (c == '.') {
			if (local[i + 1] == '.')
				return true;
		} else if (c < 0x80 && !is_atext(c)) {
			return true;
		}
	}
	return false;
}

void
quote_cat_local(struct str *out, const char *local, size_t n)
{
	size_t i;

	if (!quote_needed(local, n)) {
		str_catb(out, local, n);
		return;
	}
	str_catc(out, '"');
	for (i = 0; i < n; i++) {
		char c = local[i];

		if (c == '\0' || c == '\r' || c == '\n')
			c = '_';
		else if (c == '"' || c == '\\')
			str_catc(out, '\\');
		str_catc(out, c);
	}
	str_catc(out, '"');
}

void
quote_cat_addr(struct str *out, const char *addr, size_t n)
{
	size_t at = bytes_rchr(addr, n, '@');

	if (n == 0)
		return;
	quote_cat_local(out, addr, at);
	for (; at < n; at++) {
		char c = addr[at];

		str_catc(out, c == '\0' || c == '\r' || c == '\n' ? '_' : c);
	}
}
