/* fuzz_lists.c - any bytes as a list of another server's and as one of ours.
 * Names are never empty and keep no ":"; what is taken from one of our lists
 * and written again is taken again the same. */
#include "TESTS/fuzz/fuzz.h"

#include "pop3d/lists.h"

#include <stdlib.h>
#include <string.h>

static void
require(bool ok)
{
	if (!ok)
		abort();
}

struct taken {
	enum lists_kind kind;
	struct str lines;
	size_t entries;
};

static void
take(void *arg, const char *name, size_t n, const char *uidl, uint64_t wire)
{
	struct taken *t = arg;

	(void)wire;
	require(n > 0 && n <= LISTS_LINE && memchr(name, ':', n) == NULL);
	/* Courier's escapes are three bytes for one. */
	require(strlen(uidl) <= 3 * LISTS_LINE && strchr(uidl, '\n') == NULL);
	t->entries++;
}

static void
take_own(void *arg, const char *name, size_t n, const char *uidl,
    uint64_t wire)
{
	struct taken *t = arg;

	require(n > 0 && n <= LISTS_LINE);
	require((t->kind == LISTS_UIDL) == (wire == UINT64_MAX) ||
	    *uidl == '\0');
	lists_own_add(t->kind, &t->lines, name, n, uidl, wire);
	t->entries++;
}

static void
try_own(enum lists_kind kind, const char *s, size_t n)
{
	struct taken a = {.kind = kind}, b = {.kind = kind};
	struct str text = {0};

	/* As it is: hardly ever a list. */
	if (lists_own(kind, s, n, take_own, &a) == 0)
		str_free(&a.lines);
	a = (struct taken){.kind = kind};
	str_copyb(&text, s, n);
	lists_own_seal(kind, &text);
	require(lists_own(kind, str_c(&text), text.len, take_own, &a) == 0);
	str_copy(&text, &a.lines);
	lists_own_seal(kind, &text);
	require(lists_own(kind, str_c(&text), text.len, take_own, &b) == 0);
	require(a.entries == b.entries && a.lines.len == b.lines.len &&
	    memcmp(str_c(&a.lines), str_c(&b.lines), a.lines.len) == 0);
	str_free(&text);
	str_free(&a.lines);
	str_free(&b.lines);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const formats[] = {LISTS_DOVECOT, "%f", "%u-%v",
	    "%20Ug%03Xv%%"};
	const char *s = (const char *)data;
	struct taken t = {0};
	struct str format = {0};
	size_t first = bytes_chr(s, n, '\n');

	if (lists_courier(s, n, take, &t) < 0)
		require(t.entries == 0);
	t.entries = 0;
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (lists_dovecot(s, n, formats[i], take, &t) < 0)
			require(t.entries == 0);
	/* The first line as a format for the rest. */
	str_copyb(&format, s, first < 40 ? first : 40);
	if (first < n && lists_format_ok(str_c(&format)) &&
	    lists_dovecot(s + first + 1, n - first - 1, str_c(&format), take,
	    &t) == 0)
		require(strchr(str_c(&format), '%') != NULL);
	str_free(&format);
	try_own(LISTS_UIDL, s, n);
	try_own(LISTS_SIZES, s, n);
	return 0;
}
