/* fuzz_tlsreq.c - any bytes as a request to tlsd and as its answer.  What
 * parses is written again to the same bytes. */
#include "TESTS/fuzz/fuzz.h"

#include "lib/tlsreq.h"

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
	const char *s = (const char *)data;
	struct str tlsa[TLSREQ_TLSA_MAX], out = {0};
	struct tlsfacts f = {0};
	struct tlsreq r;

	if (tlsreq_parse(s, n, &r, tlsa) == 0) {
		tlsreq_cat(&out, &r);
		require(out.len == n && memcmp(out.s, s, n) == 0);
	}
	str_clear(&out);
	if (tlsfacts_parse(s, n, &f) == 0) {
		tlsfacts_cat(&out, &f);
		require(out.len == n && memcmp(out.s, s, n) == 0);
	}
	str_free(&out);
	tlsfacts_free(&f);
	return 0;
}
