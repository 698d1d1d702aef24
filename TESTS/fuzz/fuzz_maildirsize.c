/* fuzz_maildirsize.c - any bytes as a quota and as the file maildirsize.  A
 * quota that is understood has a normal form that means the same; a sum is
 * never below nothing, and one line more adds what it says. */
#include "TESTS/fuzz/fuzz.h"

#include "mail/maildirsize.h"

#include <stdlib.h>
#include <string.h>

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
try_quota(const char *s, size_t n)
{
	struct quota q, again;
	struct str text = {0};

	if (quota_parse(s, n, &q) < 0) {
		require(!quota_is_limited(&q));
		return;
	}
	quota_cat(&text, &q);
	require(quota_parse(str_c(&text), text.len, &again) == 0);
	require(q.bytes == again.bytes && q.count == again.count);
	require(quota_percent(&q, (int64_t)n, (int64_t)n) <= 1000);
	str_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *s = (const char *)data;
	struct maildirsize m, more;
	struct str text = {0};

	try_quota(s, n);
	if (maildirsize_parse(s, n, &m) == MAILDIRSIZE_OK) {
		require(m.bytes >= 0 && m.count >= 0 && m.lines > 0);
		str_copyb(&text, s, n);
		str_cats(&text, "7 1\n");
		if (m.bytes < INT64_MAX - 7 && m.count < INT64_MAX) {
			require(maildirsize_parse(str_c(&text), text.len,
			    &more) == MAILDIRSIZE_OK);
			require(more.bytes == m.bytes + 7);
			require(more.count == m.count + 1);
			require(more.lines == m.lines + 1);
		}
	} else {
		require(m.bytes == 0 && m.count == 0);
	}
	str_copyb(&text, s, n);
	require(maildirsize_name_bytes(str_c(&text)) >= -1);
	str_free(&text);
	return 0;
}
