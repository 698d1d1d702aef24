/* test_quote.c - when local parts are quoted, and what never gets through. */
#include "mail/quote.h"

#include "TESTS/unit/unit.h"

static const struct {
	const char *addr;
	const char *want;
} cases[] = {
	{"", ""},
	{"joe", "joe"},
	{"joe@x", "joe@x"},
	{"joe.b.c@x", "joe.b.c@x"},
	{"@x", "\"\"@x"},
	{".joe@x", "\".joe\"@x"},
	{"joe.@x", "\"joe.\"@x"},
	{"j..e@x", "\"j..e\"@x"},
	{".", "\".\""},
	{"a b@x", "\"a b\"@x"},
	{"a\"b@x", "\"a\\\"b\"@x"},
	{"a\\b@x", "\"a\\\\b\"@x"},
	{"a@b@x", "\"a@b\"@x"},
	{"list-@h-@[]", "\"list-@h-\"@[]"},
	{"#@[]", "#@[]"},
	{"!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~@x"},
	{"a(b@x", "\"a(b\"@x"},
	{"a,b@x", "\"a,b\"@x"},
	{"a\nBcc: b@x\ny", "\"a_Bcc: b\"@x_y"},
	{"a\rb", "\"a_b\""},
	{"a\tb", "\"a\tb\""},
	{"a\177b", "\"a\177b\""},
	{"\xc3\xbc@x", "\xc3\xbc@x"},                   /* u with dots */
	{"\xf0\x9f\x98\x80@x", "\xf0\x9f\x98\x80@x"},   /* four bytes */
	{"\xfc@x", "\"\xfc\"@x"},                       /* Latin-1 */
	{"\xc0\x80@x", "\"\xc0\x80\"@x"},               /* overlong NUL */
};

static void
test_addr(void **state)
{
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		str_clear(&s);
		quote_cat_addr(&s, cases[i].addr, strlen(cases[i].addr));
		assert_string_equal(str_c(&s), cases[i].want);
		assert_true(quote_safe(str_c(&s), s.len));
	}
	str_free(&s);
}

/* Each byte value alone, by the letter of 5322:3.2.3. */
static void
test_each_byte(void **state)
{
	static const char atext[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~";
	struct str s = {0};

	(void)state;
	for (int c = 0; c < 256; c++) {
		char b = (char)c;
		bool ok = memchr(atext, c, sizeof atext - 1) != NULL;

		assert_int_equal(quote_needed(&b, 1), !ok);
		assert_int_equal(quote_safe(&b, 1),
		    c != 0 && c != '\r' && c != '\n');
		str_clear(&s);
		quote_cat_local(&s, &b, 1);
		assert_int_equal(s.len, ok ? 1 :
		    c == '"' || c == '\\' ? 4 : 3);
	}
	str_free(&s);
}

static void
test_utf8(void **state)
{
	static const struct {
		const char *s;
		size_t n, want;
	} u[] = {
		{"", 0, 0},
		{"a", 1, 1},
		{"\0", 1, 1},
		{"\x80", 1, 0},
		{"\xc1\xbf", 2, 0},
		{"\xc2\x80", 2, 2},
		{"\xc2", 1, 0},
		{"\xc2g", 2, 0},
		{"\xe0\x9f\xbf", 3, 0},
		{"\xe0\xa0\x80", 3, 3},
		{"\xe0\xa0", 2, 0},
		{"\xed\x9f\xbf", 3, 3},
		{"\xed\xa0\x80", 3, 0},         /* a surrogate */
		{"\xef\xbf\xbf", 3, 3},
		{"\xf0\x8f\xbf\xbf", 4, 0},
		{"\xf0\x90\x80\x80", 4, 4},
		{"\xf4\x8f\xbf\xbf", 4, 4},
		{"\xf4\x90\x80\x80", 4, 0},     /* above U+10FFFF */
		{"\xf5\x80\x80\x80", 4, 0},
		{"\xff", 1, 0},
		{"\xf0\x90\x80g", 4, 0},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(u); i++)
		assert_int_equal(utf8_len(u[i].s, u[i].n), u[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr),
		cmocka_unit_test(test_each_byte),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
