/* fuzz_status.c - whatever is in bounce/N: every byte belongs to a mark or a
 * paragraph, and the fields made of it are lines of printable ASCII. */
#include "TESTS/fuzz/fuzz.h"

#include "send/status.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	struct status st;
	struct str out = {0};

	for (size_t at = 0, was = 0; status_next(s, size, &at, &st);
	    was = at) {
		if (at <= was || at > size || st.paragraph_len == 0 ||
		    st.text_len > st.paragraph_len ||
		    st.addr_len > st.paragraph_len)
			abort();
		str_clear(&out);
		status_cat_rcpt(&out, &st);
		for (size_t i = 0; i < out.len; i++)
			if (out.s[i] != '\n' &&
			    (out.s[i] < ' ' || out.s[i] > '~'))
				abort();
		for (size_t i = 0; i + 2 < out.len; i++)
			if (out.s[i] == '\n' && out.s[i + 1] == '\n')
				abort();        /* a field of its own making */
	}
	str_free(&out);
	return 0;
}
