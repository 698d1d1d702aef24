/* fuzz_smtp_reply.c - any bytes as what an SMTP server says, at once and one
 * by one: the same replies, bounded and clean; and as a reply to EHLO. */
#include "TESTS/fuzz/fuzz.h"

#include "mail/quote.h"
#include "remote/ehlo.h"
#include "remote/reply.h"

#include <stdlib.h>
#include <string.h>

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_clean(const struct str *text)
{
	size_t len;

	require(text->len <= REPLY_TEXT_MAX);
	for (size_t i = 0; i < text->len; i += len) {
		unsigned char c = (unsigned char)text->s[i];

		len = utf8_len(text->s + i, text->len - i);
		require(len > 0 && (c >= ' ' || c == '\n') && c != 127);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *s = (const char *)data, *enhanced;
	struct reply a = {0}, b = {0};
	enum reply_status x = REPLY_MORE, y;
	size_t at = 0, used, one;
	struct ehlo e;

	while (at < n && x != REPLY_BAD) {
		reply_clear(&a);
		reply_clear(&b);
		x = reply_feed(&a, s + at, n - at, &used);
		require(used > 0 && used <= n - at);
		y = REPLY_MORE;
		for (size_t i = 0; i < used; i++) {
			require(y == REPLY_MORE);
			y = reply_feed(&b, s + at + i, 1, &one);
			require(one <= 1);
			if (y == REPLY_BAD && one == 0)
				break;
		}
		require(x == y && a.code == b.code);
		require(a.text.len == b.text.len && (a.text.len == 0 ||
		    memcmp(a.text.s, b.text.s, a.text.len) == 0));
		check_clean(&a.text);
		if (x == REPLY_DONE) {
			require(a.code >= 200 && a.code <= 599);
			(void)reply_enhanced(&a, &enhanced);
			ehlo_parse(&e, str_c(&a.text), a.text.len);
		}
		at += used;
	}
	ehlo_parse(&e, s, n);
	reply_free(&a);
	reply_free(&b);
	return 0;
}
