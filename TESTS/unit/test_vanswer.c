/* test_vanswer.c - answers as text and as JSON, bytes of strangers included. */
#include "vpop/vanswer.h"

#include "TESTS/unit/unit.h"

static void
fill(struct resolve *a)
{
	static const char steps[] = "address\0jo@x\0route\0local a\nb\x1b[1m\0"
	    "file\0.qmail-\"q\"\0answer\0no: no such mailbox";

	a->status = RESOLVE_NO;
	str_copys(&a->reason, "no such mailbox");
	str_copyb(&a->steps, steps, sizeof steps);
}

static void
test_text(void **state)
{
	struct resolve a = {0};
	struct str out = {0};

	(void)state;
	fill(&a);
	vanswer_cat_text(&out, &a);
	assert_string_equal(str_c(&out),
	    "address   jo@x\n"
	    "route     local a_b_[1m\n"
	    "file      .qmail-\"q\"\n"
	    "answer    no: no such mailbox\n"
	    "\n");
	str_free(&out);
	resolve_free(&a);
}

static void
test_json(void **state)
{
	struct resolve a = {0};
	struct str out = {0};

	(void)state;
	fill(&a);
	vanswer_cat_json(&out, "jo@x", &a);
	assert_string_equal(str_c(&out), "{\"address\":\"jo@x\","
	    "\"answer\":\"no\",\"reason\":\"no such mailbox\",\"steps\":["
	    "{\"step\":\"route\",\"text\":\"local a\\u000ab\\u001b[1m\"},"
	    "{\"step\":\"file\",\"text\":\".qmail-\\\"q\\\"\"}]}\n");
	str_clear(&out);
	resolve_free(&a);
	vanswer_cat_json(&out, "", &a);
	assert_string_equal(str_c(&out), "{\"address\":\"\","
	    "\"answer\":\"yes\",\"reason\":\"\",\"steps\":[]}\n");
	str_free(&out);
}

static void
test_codes(void **state)
{
	(void)state;
	assert_int_equal(vanswer_code(RESOLVE_YES), 0);
	assert_int_equal(vanswer_code(RESOLVE_AWAY), 0);
	assert_int_equal(vanswer_code(RESOLVE_NO), 100);
	assert_int_equal(vanswer_code(RESOLVE_FULL), 111);
	assert_int_equal(vanswer_code(RESOLVE_TEMP), 111);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
