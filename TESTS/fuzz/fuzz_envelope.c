/* fuzz_envelope.c - whatever a submitter sends as an envelope: what is
 * accepted are whole records in order, no address is too long, and wishes
 * follow what they belong to. */
#include "TESTS/fuzz/fuzz.h"

#include "mail/limits.h"
#include "queue/envelope.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	size_t n = 0;
	char before = '\0';

	if (envelope_check(s, size, &n) != QX_OK)
		return 0;
	if (n >= size || n == 0 || s[n] != '\0' || s[n - 1] != '\0' ||
	    s[0] != 'F')
		abort();
	for (size_t i = 0; i < n; i += strlen(s + i) + 1) {
		bool wish = (s[i] == 'M' && before == 'F') ||
		    (s[i] == 'N' && before == 'T');

		if (strlen(s + i) > ADDR_MAX + 1 ||
		    (!wish && s[i] != (i == 0 ? 'F' : 'T')))
			abort();
		before = s[i];
	}
	return 0;
}
