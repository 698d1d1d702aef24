/* fuzz_keyproto.c - any bytes as a question to keyd.  What parses is written
 * again to the same bytes, and fits the scheme it names. */
#include "TESTS/fuzz/fuzz.h"

#include "tls/keyproto.h"

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
	unsigned char out[KEYPROTO_HEAD + KEYPROTO_DATA];
	struct keyproto q;

	if (keyproto_parse(data, n, &q) < 0)
		return 0;
	require(q.sign == (q.scheme != NULL));
	require(!q.sign || (q.n > 0 && (q.scheme->bytes == 0 ||
	    q.n == q.scheme->bytes)));
	require(keyproto_write(out, &q) == n && memcmp(out, data, n) == 0);
	return 0;
}
