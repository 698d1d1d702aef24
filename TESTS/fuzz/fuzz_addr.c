/* fuzz_addr.c - address lists: what is printed parses to the same addresses,
 * and holds nothing that could begin another header line. */
#include "mail/addr.h"

#include "TESTS/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void
plain_of(struct str *out, const struct addr_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->items[i].kind != ADDR_MAILBOX)
			continue;
		addr_cat_plain(out, l, i);
		str_catc(out, '\0');
	}
}

static void
check_lines(const struct str *s)
{
	for (size_t i = 0; i < s->len; i++) {
		if (s->s[i] == '\0' || s->s[i] == '\r')
			abort();
		if (s->s[i] == '\n' && s->s[i + 1] != ' ')
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct addr_list l = {0}, again = {0};
	struct str printed = {0}, twice = {0}, a = {0}, b = {0};

	if (addr_parse(&l, (const char *)data, size) == ADDR_OK) {
		addr_cat_list(&printed, &l, 4);
		check_lines(&printed);
		if (addr_parse(&again, str_c(&printed), printed.len) !=
		    ADDR_OK)
			abort();
		plain_of(&a, &l);
		plain_of(&b, &again);
		if (a.len != b.len || memcmp(str_c(&a), str_c(&b), a.len) != 0)
			abort();
		addr_cat_list(&twice, &again, 4);
		if (!str_eqs(&twice, str_c(&printed)))
			abort();
	} else if (l.n != 0) {
		abort();
	}
	addr_free(&l);
	addr_free(&again);
	str_free(&printed);
	str_free(&twice);
	str_free(&a);
	str_free(&b);
	return 0;
}
