/* test_qselect.c - patterns, ages, and conditions put together. */
#include "queue/qselect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
test_patterns(void **state)
{
	static const struct {
		const char *pattern, *addr;
		bool want;
	} cases[] = {
		{"a@x.org", "a@x.org", true},
		{"A@X.org", "a@x.ORG", true},
		{"a@x.org", "aa@x.org", false},
		{"a@x.org", "a@x.orgs", false},
		{"", "", true},
		{"<>", "", true},
		{"", "a@x", false},
		{"<>", "<>", false},
		{"@x.org", "a@x.org", true},
		{"@x.org", "a@b@X.ORG", true},
		{"@x.org", "a@sub.x.org", false},
		{"@x.org", "a@x.org@y", false},
		{"@x.org", "x.org", false},
		{"@*.x.org", "a@sub.x.org", true},
		{"@*.x.org", "a@x.org", false},
		{"@", "a@", true},
		{"*", "", true},
		{"*", "a@x", true},
		{"?", "", false},
		{"?@x", "a@x", true},
		{"?@x", "ab@x", false},
		{"*news*", "the-NEWS-list@x", true},
		{"*a*b*c", "aaabbbabcabc", true},
		{"*a*b*c", "aaabbbabcabd", false},
		{"a**b", "ab", true},
		{"a*b?", "axxbxb", false},
		{"a*b?", "axxbxbc", true},
		/* an address may hold the very signs */
		{"a*b@x", "a*b@x", true},
		{"user@[10.0.0.1]", "user@[10.0.0.1]", true},
		{"user@[10.0.0.1]", "user@1", false},
		{"caf\xc3\xa9@x", "caf\xc3\xa9@x", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (qselect_match_addr(cases[i].pattern, cases[i].addr) !=
		    cases[i].want)
			fail_msg("'%s' and '%s'", cases[i].pattern,
			    cases[i].addr);
}

/* A pattern of many stars must not take for ever. */
static void
test_pattern_cost(void **state)
{
	struct str addr = {0}, pattern = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		str_catc(&addr, 'a');
	for (int i = 0; i < 200; i++)
		str_cats(&pattern, "*a");
	str_cats(&pattern, "*b");
	assert_false(qselect_match_addr(str_c(&pattern), str_c(&addr)));
	str_free(&addr);
	str_free(&pattern);
}

static void
test_ages(void **state)
{
	static const struct {
		const char *text;
		enum qselect_age age;
		int64_t seconds;
	} good[] = {
		{"90s", QSELECT_OLDER, 90},
		{"> 5 minutes", QSELECT_OLDER, 300},
		{">1h", QSELECT_OLDER, 3600},
		{"<2 days", QSELECT_YOUNGER, 172800},
		{"1 week", QSELECT_OLDER, 604800},
		{"0s", QSELECT_OLDER, 0},
		{"4294967295w", QSELECT_OLDER, 4294967295 * 604800},
	};
	static const char *const bad[] = {
		"", "5", ">", "> 5", "s", "5 fortnights", "-5s", "5s5s", "5 d ",
		"5 day s", "4294967296s", "99999999999999999999s", "=5s",
	};
	struct qselect sel = {0};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		if (qselect_parse_age(&sel, good[i].text) < 0)
			fail_msg("refused: %s", good[i].text);
		assert_int_equal(sel.age, good[i].age);
		assert_true(sel.seconds == good[i].seconds);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (qselect_parse_age(&sel, bad[i]) == 0)
			fail_msg("accepted: '%s'", bad[i]);
}

static void
test_match(void **state)
{
	struct qscan_msg m = {.id = 7, .birth = 1000, .held = true};
	struct qselect sel = {0};

	(void)state;
	str_copys(&m.sender, "a@x");
	assert_true(qscan_parse_list("Tb@y\0Dc@y\0", 10, QSCAN_LOCAL, &m));
	assert_false(qselect_given(&sel));
	assert_true(qselect_only_ids(&sel));
	assert_true(qselect_match(&sel, &m, 2000));

	sel.all = true;
	assert_true(qselect_given(&sel));
	assert_true(qselect_match(&sel, &m, 2000));

	sel.rcpt = "b@y";
	assert_true(qselect_match(&sel, &m, 2000));
	assert_false(qselect_only_ids(&sel));
	sel.rcpt = "c@y";               /* is done */
	assert_false(qselect_match(&sel, &m, 2000));
	sel.rcpt = "@y";
	sel.sender = "@z";
	assert_false(qselect_match(&sel, &m, 2000));
	sel.sender = "@x";
	assert_true(qselect_match(&sel, &m, 2000));

	assert_int_equal(qselect_parse_age(&sel, ">1000s"), 0);
	assert_false(qselect_match(&sel, &m, 2000));
	assert_true(qselect_match(&sel, &m, 2001));
	assert_int_equal(qselect_parse_age(&sel, "<1000s"), 0);
	assert_false(qselect_match(&sel, &m, 2000));
	assert_true(qselect_match(&sel, &m, 1999));

	sel.held = true;
	assert_true(qselect_match(&sel, &m, 1999));
	m.held = false;
	assert_false(qselect_match(&sel, &m, 1999));
	m.held = true;

	qscan_add(&sel.ids, 9);
	qscan_add(&sel.ids, 5);
	qscan_sort(&sel.ids);
	assert_false(qselect_match(&sel, &m, 1999));
	qscan_add(&sel.ids, 7);
	qscan_add(&sel.ids, 7);
	qscan_sort(&sel.ids);
	assert_int_equal(sel.ids.n, 3);
	assert_true(qselect_match(&sel, &m, 1999));
	qselect_free(&sel);
	qscan_msg_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_pattern_cost),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
