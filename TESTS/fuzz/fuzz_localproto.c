/* fuzz_localproto.c - any bytes as packets between qmail-lspawn and its
 * workers.  What parses is written again to the same bytes. */
#include "TESTS/fuzz/fuzz.h"

#include "mail/localproto.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void
require(bool ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *s = (const char *)data, *local;
	struct localproto_job j;
	struct localproto_report r;
	struct str out = {0};
	uint32_t id;

	if (localproto_parse_job(s, n, &j) == 0) {
		require(localproto_cat_job(&out, &j) == 0);
		require(out.len == n && memcmp(out.s, s, n) == 0);
	}
	str_clear(&out);
	if (localproto_parse_ask(s, n, &id, &local) == 0) {
		require(localproto_cat_ask(&out, id, local) == 0);
		require(out.len == n && memcmp(out.s, s, n) == 0);
	}
	str_clear(&out);
	if (localproto_parse_report(s, n, &r) == 0) {
		require(r.text + r.n == s + n);
		localproto_cat_report(&out, &r);
		require(out.len <= LOCALPROTO_MAX);
	}
	str_free(&out);
	return 0;
}
