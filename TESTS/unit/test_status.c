/* test_status.c - paragraphs of bounce/N and RFC 3464's fields about them. */
#include "TESTS/unit/unit.h"

#include "send/status.h"

#define BYTES(s) s, sizeof(s) - 1

static void
test_paragraphs(void **state)
{
	static const char file[] =
	    "\0F1764000000 mx.y NOTIFY=FAILURE ORCPT=rfc822;q@z\0"
	    "<a@y>:\nNo such user.\n/\nTwo.\n\n"
	    "\0D1764000001 - NOTIFY=SUCCESS\0<b@y>:\ndone\n\n"
	    "<c@y>:\nof old\n\n"
	    "<d@y>:\nalso\n\n";
	struct status st;
	size_t at = 0, n = sizeof file - 1;

	(void)state;
	assert_true(status_next(file, n, &at, &st));
	assert_int_equal(st.kind, BOUNCE_FAILED);
	assert_true(st.marked);
	assert_int_equal(st.when, 1764000000);
	assert_int_equal(st.mta_len, 4);
	assert_memory_equal(st.mta, "mx.y", 4);
	assert_memory_equal(st.wish, "NOTIFY=FAILURE ORCPT=rfc822;q@z",
	    st.wish_len);
	assert_int_equal(st.addr_len, 3);
	assert_memory_equal(st.addr, "a@y", 3);
	assert_int_equal(st.text_len, 20);
	assert_memory_equal(st.text, "No such user.\n/\nTwo.", 20);
	assert_int_equal(st.paragraph_len, 29);
	assert_true(status_next(file, n, &at, &st));
	assert_int_equal(st.kind, BOUNCE_DELIVERED);
	assert_int_equal(st.mta_len, 0);
	assert_memory_equal(st.addr, "b@y", 3);
	assert_true(status_next(file, n, &at, &st));
	assert_int_equal(st.kind, BOUNCE_FAILED);
	assert_false(st.marked);
	assert_memory_equal(st.addr, "c@y", 3);
	assert_int_equal(st.wish_len, 0);
	assert_true(status_next(file, n, &at, &st));
	assert_memory_equal(st.addr, "d@y", 3);
	assert_int_equal(st.text_len, 4);
	assert_false(status_next(file, n, &at, &st));
	assert_int_equal(at, n);
	/* Nothing in it is skipped by a byte that is lost. */
	for (size_t cut = 0; cut < n; cut++) {
		at = 0;
		while (status_next(file, cut, &at, &st))
			assert_true(st.paragraph_len > 0 && at <= cut);
		assert_int_equal(at, cut);
	}
}

static const struct {
	enum bounce_kind kind;
	const char *text, *want;
} codes[] = {
	{BOUNCE_FAILED, "Sorry, no mailbox here by that name. (#5.1.1)",
	    "5.1.1"},
	{BOUNCE_FAILED, "Remote host said: 550-5.7.26 not signed", "5.7.26"},
	{BOUNCE_FAILED, "Remote host said: 550 no", "5.0.0"},
	{BOUNCE_FAILED, "5.9.1.2 does not like recipient.", "5.0.0"},
	{BOUNCE_FAILED, "1.5.1.1 said (#5.2.2).", "5.2.2"},
	{BOUNCE_FAILED, "no 15.1.1 nor 5.1234.1 nor 5.1 nor 5..1", "5.0.0"},
	{BOUNCE_FAILED, "Sorry (#4.4.1)\nToo long in the queue", "5.4.7"},
	{BOUNCE_FAILED, "", "5.0.0"},
	{BOUNCE_DELAYED, "Sorry (#4.4.1)", "4.4.1"},
	{BOUNCE_DELAYED, "Sorry (#5.4.1)", "4.0.0"},
	{BOUNCE_DELIVERED, "did 1+0+0", "2.0.0"},
	{BOUNCE_RELAYED, "said: 250 2.1.5 ok", "2.1.5"},
};

static void
test_codes(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(codes); i++) {
		struct status st = {.kind = codes[i].kind,
		    .text = codes[i].text, .text_len = strlen(codes[i].text)};
		struct str s = {0};

		status_cat_code(&s, &st);
		if (strcmp(str_c(&s), codes[i].want) != 0)
			fail_msg("case %zu: %s", i, str_c(&s));
		str_free(&s);
	}
}

static void
test_fields(void **state)
{
	static const char file[] =
	    "\0F1764000000 mx.y ORCPT=rfc822;q+2B1@z\0"
	    "<a b@y>:\n192.0.2.1 does not like recipient.\n"
	    "Remote host said: 550 5.1.1 nobody\there\n\n";
	struct status st;
	struct str s = {0};
	size_t at = 0;

	(void)state;
	status_cat_message(&s, "mx.valija.test", "RET=HDRS ENVID=QQ+2B1",
	    1764000000);
	assert_string_equal(str_c(&s), "Reporting-MTA: dns; mx.valija.test\n"
	    "Original-Envelope-Id: QQ+1\n"
	    "Arrival-Date: 24 Nov 2025 16:00:00 -0000\n\n");
	str_clear(&s);
	assert_true(status_next(file, sizeof file - 1, &at, &st));
	status_cat_rcpt(&s, &st);
	assert_string_equal(str_c(&s), "Original-Recipient: rfc822;q+1@z\n"
	    "Final-Recipient: rfc822;\"a b\"@y\nAction: failed\n"
	    "Status: 5.1.1\nRemote-MTA: dns; mx.y\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 nobody?here\n"
	    "Last-Attempt-Date: 24 Nov 2025 16:00:00 -0000\n\n");
	str_clear(&s);
	/* 6533:3 */
	st = (struct status){.kind = BOUNCE_RELAYED, .text = "", .mta = "",
	    .addr = "\xc3\xa4+\xe2\x82\xac@\xf0\x9f\x98\x80", .addr_len = 11,
	    .wish = "ORCPT=utf-8;\xc3\xa4@c", .wish_len = 16};
	status_cat_rcpt(&s, &st);
	assert_string_equal(str_c(&s), "Original-Recipient: utf-8;\\x{e4}@c\n"
	    "Final-Recipient: utf-8;\\x{e4}\\x{2b}\\x{20ac}@\\x{1f600}\n"
	    "Action: relayed\nStatus: 2.0.0\n\n");
	str_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paragraphs),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
