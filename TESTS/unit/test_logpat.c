/* test_logpat.c - multilog's patterns: stars, their stop bytes, NULs. */
#include "supervise/logpat.h"

#include "TESTS/unit/unit.h"

static const struct {
	const char *pattern, *line;
	bool want;
} cases[] = {
	{"", "", true},
	{"", "x", false},
	{"hello", "hello", true},
	{"hello", "hello world", false},
	{"hello", "hell", false},
	{"*", "", true},
	{"*", "anything", true},
	{"*x", "x", true},
	{"*x", "abcx", true},
	{"*x", "abxcx", false},         /* a star never passes its stop */
	{"*x", "abc", false},
	{"*x", "", false},
	{"x*", "x", true},
	{"x*", "", false},
	{"a*b*c", "a--b--c", true},
	{"a*b*c", "a-b-b-c", true},     /* the second star may eat a b */
	{"a*b*c", "a-c-b-c", true},
	{"a*b*c", "a-c-b-", false},
	{"named[*]: Cleaned cache *",
	    "named[135]: Cleaned cache of 3121 RRs", true},
	{"named[*]: Cleaned cache *", "named[]1]: Cleaned cache x", false},
	{"* fatal: *", "@400000003b4a39c23294b13c fatal: out of memory", true},
	{"* fatal: *", "fatal: out of memory", false},
	{"**", "", false},              /* the first star stops at a star */
	{"**", "ab*cd", true},
	{"\\*", "\\x", true},           /* no escapes */
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		if (logpat_matches(cases[i].pattern, cases[i].line,
		    strlen(cases[i].line)) != cases[i].want)
			fail_msg("%s against %s", cases[i].pattern,
			    cases[i].line);
}

static void
test_nul_is_a_byte(void **state)
{
	(void)state;
	assert_true(logpat_matches("a*b", "a\0\0b", 4));
	assert_false(logpat_matches("a", "a\0", 2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_nul_is_a_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
