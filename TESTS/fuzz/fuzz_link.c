/* fuzz_link.c - records between qmail-todo and qmail-send: what is understood
 * is written back the same, but for leading zeros. */
#include "TESTS/fuzz/fuzz.h"

#include "send/link.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rec = {0}, back = {0};
	struct link_msg m, again;
	uint64_t n;

	str_catb(&rec, data, size);
	str_catc(&rec, '\0');
	if (rec.s[0] != '\0' && link_parse_num(rec.s, &n) == 0)
		link_cat_num(&back, rec.s[0], n);
	str_clear(&back);
	if (rec.s[0] != '\0' && link_parse_msg(rec.s, &m) == 0) {
		link_cat_msg(&back, &m);
		if (link_parse_msg(back.s, &again) < 0 || again.id != m.id ||
		    again.birth != m.birth || again.nremote != m.nremote)
			abort();
	}
	str_free(&rec);
	str_free(&back);
	return 0;
}
