/* test_str.c - strings against a model, limits, aliases of nothing, number
 * scanning at the edges of 64 bits, memory that is not there. */
#include "lib/str.h"

#include "TESTS/unit/unit.h"

#include <stdlib.h>

/* The address sanitizer aborts on sizes that malloc refuses; not here. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1:detect_leaks=1";
}

static void
test_empty(void **state)
{
	struct str s = {0};

	(void)state;
	assert_string_equal(str_c(&s), "");
	str_catb(&s, NULL, 0);
	str_cats(&s, "");
	str_clear(&s);
	str_trunc(&s, 0);
	str_lower(&s);
	str_rstrip(&s);
	assert_null(s.s);
	assert_true(str_eqs(&s, ""));
	assert_false(str_eqs(&s, "x"));
	assert_false(str_has_nul(&s));
	str_copyb(&s, NULL, 0);
	str_reserve(&s, 0);
	assert_string_equal(str_c(&s), "");
	assert_true(s.len < s.cap);
	str_free(&s);
	assert_true(s.s == NULL && s.len == 0 && s.cap == 0);
	str_free(&s);
}

/* Random appends and cuts; len < cap and the NUL behind hold throughout. */
static void
test_against_model(void **state)
{
	static char model[70000];
	struct str s = {0};
	size_t len = 0;

	(void)state;
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		char piece[300];
		size_t n = (size_t)random() % sizeof piece;

		for (size_t j = 0; j < n; j++)
			piece[j] = (char)random();
		if (len + n > sizeof model || random() % 50 == 0) {
			len = len ? (size_t)random() % len : 0;
			str_trunc(&s, len);
		} else if (random() % 500 == 0) {
			str_copyb(&s, piece, n);
			memcpy(model, piece, n);
			len = n;
		} else {
			str_catb(&s, piece, n);
			memcpy(model + len, piece, n);
			len += n;
		}
		assert_int_equal(s.len, len);
		if (s.s != NULL) {
			assert_true(s.len < s.cap);
			assert_int_equal(s.s[s.len], 0);
		}
		if (i % 100 == 0 && len > 0)
			assert_memory_equal(s.s, model, len);
	}
	str_free(&s);
}

static void
test_appends(void **state)
{
	struct str s = {0}, t = {0};

	(void)state;
	str_cats(&s, "ab");
	str_catc(&s, 'c');
	str_copys(&t, "de");
	str_cat(&s, &t);
	assert_true(str_eqs(&s, "abcde"));
	str_copy(&t, &s);
	str_catc(&t, '\0');
	assert_true(str_has_nul(&t));
	assert_int_equal(t.len, 6);
	assert_false(str_eqs(&t, "abcde"));
	str_copyb(&t, "", 0);
	assert_true(str_eqs(&t, ""));
	str_clear(&s);
	str_catf(&s, "%s-%d", "x", 5);
	str_catf(&s, "%s", "");
	assert_true(str_eqs(&s, "x-5"));
	for (int i = 0; i < 1000; i++)
		str_catf(&s, "%04d", i);
	assert_int_equal(s.len, 4003);
	assert_memory_equal(s.s + 3999, "0999", 5);
	str_free(&s);
	str_free(&t);
}

static void
test_numbers(void **state)
{
	static const struct {
		uint64_t u;
		const char *dec, *hex, *hex16;
	} cases[] = {
		{0, "0", "0", "0000000000000000"},
		{9, "9", "9", "0000000000000009"},
		{10, "10", "a", "000000000000000a"},
		{255, "255", "ff", "00000000000000ff"},
		{UINT64_MAX, "18446744073709551615", "ffffffffffffffff",
		    "ffffffffffffffff"},
	};
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		str_clear(&s);
		str_catu(&s, cases[i].u);
		assert_string_equal(str_c(&s), cases[i].dec);
		str_clear(&s);
		str_catx(&s, cases[i].u, 0);
		assert_string_equal(str_c(&s), cases[i].hex);
		str_clear(&s);
		str_catx(&s, cases[i].u, 16);
		assert_string_equal(str_c(&s), cases[i].hex16);
	}
	str_clear(&s);
	str_cat0(&s, 7, 2);
	str_cat0(&s, 123, 2);
	str_cat0(&s, 0, 0);
	str_cat0(&s, 4294967295u, 20);
	assert_string_equal(str_c(&s), "07123000000000004294967295");
	str_free(&s);
}

static void
test_case_and_space(void **state)
{
	struct str s = {0};

	(void)state;
	str_copys(&s, "AZaz@[`{09\xc4\xdf");
	str_lower(&s);
	assert_string_equal(str_c(&s), "azaz@[`{09\xc4\xdf");
	str_copys(&s, " x \t\n \n");
	str_rstrip(&s);
	assert_string_equal(str_c(&s), " x");
	str_copys(&s, "x\r\n");
	str_rstrip(&s);
	assert_string_equal(str_c(&s), "x\r");
	str_copys(&s, " \t\n");
	str_rstrip(&s);
	assert_int_equal(s.len, 0);
	str_copyb(&s, "x\0 ", 3);
	str_rstrip(&s);
	assert_int_equal(s.len, 2);             /* NUL is no space */
	assert_true(bytes_caseeq("Ab\xc4", 3, "aB\xc4", 3));
	assert_false(bytes_caseeq("\xc4", 1, "\xe4", 1));
	assert_false(bytes_caseeq("ab", 2, "abc", 3));
	assert_true(bytes_caseeq(NULL, 0, NULL, 0));
	str_free(&s);
}

static void
test_chr(void **state)
{
	(void)state;
	assert_int_equal(bytes_chr("a@b@c", 5, '@'), 1);
	assert_int_equal(bytes_rchr("a@b@c", 5, '@'), 3);
	assert_int_equal(bytes_chr("abc", 3, '@'), 3);
	assert_int_equal(bytes_rchr("abc", 3, '@'), 3);
	assert_int_equal(bytes_chr("ab@", 2, '@'), 2);
	assert_int_equal(bytes_chr("a\0b", 3, '\0'), 1);
	assert_int_equal(bytes_chr("a\xff", 2, (char)0xff), 1);
	assert_int_equal(bytes_chr(NULL, 0, 'x'), 0);
	assert_int_equal(bytes_rchr(NULL, 0, 'x'), 0);
}

#define NONE UINT64_C(0xdeadbeef)       /* out was left alone */

static void
test_scan(void **state)
{
	static const struct {
		const char *s;
		size_t used;
		uint64_t want;
	} dec[] = {
		{"", 0, NONE}, {"x", 0, NONE}, {"-1", 0, NONE},
		{" 1", 0, NONE}, {"+1", 0, NONE}, {"0", 1, 0},
		{"007x", 3, 7}, {"12 ", 2, 12},
		{"18446744073709551615", 20, UINT64_MAX},
		{"18446744073709551616", 0, NONE},
		{"18446744073709551620", 0, NONE},
		{"99999999999999999999", 0, NONE},
		{"000000000000000000000000000001", 30, 1},
		{"184467440737095516150", 0, NONE},
	}, hex[] = {
		{"", 0, NONE}, {"g", 0, NONE}, {"0x1", 1, 0},
		{"dEaD", 4, 0xdead}, {"fg", 1, 15},
		{"ffffffffffffffff", 16, UINT64_MAX},
		{"123456789abcdef01", 16, UINT64_C(0x123456789abcdef0)},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(dec); i++) {
		uint64_t u = NONE;

		assert_int_equal(scan_u64(dec[i].s, &u), dec[i].used);
		assert_true(u == dec[i].want);
	}
	for (size_t i = 0; i < N_OF(hex); i++) {
		uint64_t u = NONE;

		assert_int_equal(scan_x64(hex[i].s, 99, &u), hex[i].used);
		assert_true(u == hex[i].want);
	}
	for (size_t max = 0; max <= 4; max++) {
		uint64_t u = NONE;

		assert_int_equal(scan_x64("12345678", max, &u), max);
		assert_true(u == (max ? UINT64_C(0x1234) >> (16 - 4 * max) :
		    NONE));
	}
}

static void
test_mem(void **state)
{
	unsigned char *p = mem_alloc(100, 3);
	char *c;

	(void)state;
	for (int i = 0; i < 300; i++)
		assert_int_equal(p[i], 0);
	p[0] = 'x';
	p = mem_resize(p, 70000, 2);
	assert_int_equal(p[0], 'x');
	free(p);
	free(mem_alloc(0, 0));
	free(mem_resize(NULL, 0, 8));
	c = mem_dup_copy("copy");
	assert_string_equal(c, "copy");
	free(c);
}

static void
grow_too_far(void *arg)
{
	struct str s = {0};

	(void)arg;
	str_cats(&s, "x");
	str_reserve(&s, SIZE_MAX - 1);
}

static void
grow_to_the_limit(void *arg)
{
	struct str s = {0};

	(void)arg;
	str_cats(&s, "x");
	str_reserve(&s, STR_MAX - 1);
}

static void
grow_most(void *arg)
{
	struct str s = {0};

	(void)arg;
	str_cats(&s, "x");
	str_reserve(&s, STR_MAX - 2);
	if (s.cap > STR_MAX || s.len != 1)
		abort();
	str_free(&s);
}

static void
overflow_alloc(void *arg)
{
	(void)arg;
	free(mem_alloc(SIZE_MAX / 2, 3));
}

static void
overflow_resize(void *arg)
{
	(void)arg;
	free(mem_resize(NULL, SIZE_MAX / 2 + 1, 2));
}

static void
test_no_memory(void **state)
{
	char text[500];

	(void)state;
	unit_dies(grow_too_far, NULL, 111, "fatal: unable to grow a string");
	unit_dies(grow_to_the_limit, NULL, 111,
	    "fatal: unable to grow a string past 1073741824 bytes\n");
	assert_int_equal(unit_child(grow_most, NULL, text, sizeof text), 0);
	unit_dies(overflow_alloc, NULL, 111, "fatal: out of memory: ");
	unit_dies(overflow_resize, NULL, 111, "fatal: out of memory: ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_case_and_space),
		cmocka_unit_test(test_chr),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_mem),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
