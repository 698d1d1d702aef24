/* lib/str.c - growable byte strings, number scanning, memory that exits.
 *
 * Everything on the heap of every program comes from here.  Running out of
 * memory is an environment failure: it is logged and the program exits 111;
 * that is safe because all state that matters is on disk. */
#include "lib/str.h"

#include "lib/log.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
str_c(const struct str *x)
{
	return x->len ? x->s : "";
}

void
str_reserve(struct str *x, size_t more)
{
	size_t want;

	if (more > STR_MAX - 1 - x->len)
		die(111, "unable to grow a string past %zu bytes", STR_MAX);
	want = x->len + more + 1;
	if (want <= x->cap)
		return;
	if (want < 32)
		want = 32;
	if (want < STR_MAX / 2 && want < x->cap + x->cap / 2)
		want = x->cap + x->cap / 2;
	x->s = mem_resize(x->s, want, 1);
	x->cap = want;
	x->s[x->len] = '\0';
}

void
str_catb(struct str *x, const void *bytes, size_t n)
{
	if (n == 0)
		return;
	str_reserve(x, n);
	memcpy(x->s + x->len, bytes, n);
	x->len += n;
	x->s[x->len] = '\0';
}

void
str_cats(struct str *x, const char *cstr)
{
	str_catb(x, cstr, strlen(cstr));
}

void
str_cat(struct str *x, const struct str *y)
{
	assert(x != y);
	str_catb(x, y->s, y->len);
}

void
str_catc(struct str *x, char c)
{
	str_catb(x, &c, 1);
}

void
str_catu(struct str *x, uint64_t u)
{
	char buf[20];
	size_t i = sizeof buf;

	do {
		buf[--i] = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	str_catb(x, buf + i, sizeof buf - i);
}

void
str_catx(struct str *x, uint64_t u, unsigned width)
{
	char buf[16];
	size_t i = sizeof buf;

	assert(width <= sizeof buf);
	do {
		buf[--i] = "0123456789abcdef"[u & 15];
		u >>= 4;
	} while (u || sizeof buf - i < width);
	str_catb(x, buf + i, sizeof buf - i);
}

void
str_cat0(struct str *x, unsigned n, unsigned width)
{
	char buf[20];
	size_t i = sizeof buf;

	assert(width <= sizeof buf);
	do {
		buf[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n || sizeof buf - i < width);
	str_catb(x, buf + i, sizeof buf - i);
}

void
str_catf(struct str *x, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	str_reserve(x, (size_t)n);
	va_start(ap, fmt);
	(void)vsnprintf(x->s + x->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	x->len += (size_t)n;
}

void
str_copyb(struct str *x, const void *bytes, size_t n)
{
	x->len = 0;
	if (x->s != NULL)
		x->s[0] = '\0';
	str_catb(x, bytes, n);
}

void
str_copys(struct str *x, const char *cstr)
{
	str_copyb(x, cstr, strlen(cstr));
}

void
str_copy(struct str *x, const struct str *y)
{
	assert(x != y);
	str_copyb(x, y->s, y->len);
}

void
str_trunc(struct str *x, size_t len)
{
	assert(len <= x->len);
	x->len = len;
	if (x->s != NULL)
		x->s[len] = '\0';
}

void
str_clear(struct str *x)
{
	str_trunc(x, 0);
}

void
str_free(struct str *x)
{
	free(x->s);
	*x = (struct str){0};
}

void
str_wipe(struct str *x)
{
	if (x->s != NULL)
		explicit_bzero(x->s, x->cap);
	str_free(x);
}

char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

void
str_lower(struct str *x)
{
	for (size_t i = 0; i < x->len; i++)
		x->s[i] = ascii_lower(x->s[i]);
}

void
str_rstrip(struct str *x)
{
	while (x->len && strchr(" \t\n", x->s[x->len - 1]) != NULL &&
	    x->s[x->len - 1] != '\0')
		str_trunc(x, x->len - 1);
}

bool
str_eqs(const struct str *x, const char *cstr)
{
	size_t n = strlen(cstr);

	return x->len == n && memcmp(str_c(x), cstr, n) == 0;
}

bool
str_has_nul(const struct str *x)
{
	return x->len && memchr(x->s, '\0', x->len) != NULL;
}

bool
bytes_caseeq(const char *a, size_t alen, const char *b, size_t blen)
{
	if (alen != blen)
		return false;
	for (size_t i = 0; i < alen; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

size_t
bytes_chr(const char *s, size_t n, char c)
{
	const char *p = n ? memchr(s, c, n) : NULL;

	return p ? (size_t)(p - s) : n;
}

size_t
bytes_rchr(const char *s, size_t n, char c)
{
	const char *p = n ? memrchr(s, c, n) : NULL;

	return p ? (size_t)(p - s) : n;
}

size_t
scan_u64(const char *s, uint64_t *out)
{
	uint64_t u = 0;
	size_t i;

	for (i = 0; s[i] >= '0' && s[i] <= '9'; i++) {
		unsigned d = (unsigned)(s[i] - '0');

		if (u > (UINT64_MAX - d) / 10)
			return 0;
		u = u * 10 + d;
	}
	if (i > 0)
		*out = u;
	return i;
}

size_t
scan_x64(const char *s, size_t max, uint64_t *out)
{
	uint64_t u = 0;
	size_t i;

	for (i = 0; i < max && i < 16; i++) {
		const char *digits = "0123456789abcdef";
		const char *p = s[i] ? strchr(digits, ascii_lower(s[i])) : NULL;

		if (p == NULL)
			break;
		u = u << 4 | (uint64_t)(p - digits);
	}
	if (i > 0)
		*out = u;
	return i;
}

void *
mem_alloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (p == NULL)
		die(111, "out of memory: %zu times %zu bytes", n, size);
	return p;
}

void *
mem_resize(void *old, size_t n, size_t size)
{
	void *p = reallocarray(old, n ? n : 1, size ? size : 1);

	if (p == NULL)
		die(111, "out of memory: %zu times %zu bytes", n, size);
	return p;
}

char *
mem_dup_copy(const char *cstr)
{
	size_t n = strlen(cstr) + 1;

	return memcpy(mem_alloc(n, 1), cstr, n);
}
