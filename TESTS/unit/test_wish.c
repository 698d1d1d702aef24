/* test_wish.c - records of wishes in info/S/N: written, indexed, found. */
#include "TESTS/unit/unit.h"

#include "mail/dsn.h"
#include "send/config.h"
#include "send/wish.h"

#define BYTES(s) s, sizeof(s) - 1

static const char example[] = "MRET=HDRS\0Nl5 NOTIFY=NEVER\0"
    "Nl90 ORCPT=rfc822;a@b\0Nr0 NOTIFY=SUCCESS,DELAY";

static void
test_write(void **state)
{
	struct str s = {0};

	(void)state;
	wish_cat_message(&s, "");
	wish_cat_rcpt(&s, CHANNEL_LOCAL, 0, "");
	assert_int_equal(s.len, 0);
	assert_string_equal(wish_message_peek(&s), "");
	wish_cat_message(&s, "RET=HDRS");
	wish_cat_rcpt(&s, CHANNEL_LOCAL, 5, "NOTIFY=NEVER");
	wish_cat_rcpt(&s, CHANNEL_LOCAL, 90, "ORCPT=rfc822;a@b");
	wish_cat_rcpt(&s, CHANNEL_REMOTE, 0, "NOTIFY=SUCCESS,DELAY");
	assert_int_equal(s.len, sizeof example);
	assert_memory_equal(s.s, example, s.len);
	str_free(&s);
}

static void
test_find(void **state)
{
	struct str s = {0};
	struct wishes w;

	(void)state;
	str_catb(&s, example, sizeof example);
	assert_string_equal(wish_message_peek(&s), "RET=HDRS");
	wish_index(&w, &s, CHANNEL_LOCAL);
	assert_int_equal(w.n, 2);
	assert_null(wish_find(&w, 0));
	assert_null(wish_find(&w, 6));
	assert_null(wish_find(&w, 91));
	assert_int_equal(wish_find(&w, 5)->notify, DSN_NEVER);
	assert_int_equal(wish_find(&w, 5)->rec, 10);
	assert_string_equal(wish_text_peek(&s, wish_find(&w, 5)),
	    "NOTIFY=NEVER");
	assert_int_equal(wish_find(&w, 90)->notify, 0);
	assert_string_equal(wish_text_peek(&s, wish_find(&w, 90)),
	    "ORCPT=rfc822;a@b");
	assert_string_equal(wish_text_peek(&s, NULL), "");
	wish_free(&w);
	wish_index(&w, &s, CHANNEL_REMOTE);
	assert_int_equal(w.n, 1);
	assert_int_equal(wish_find(&w, 0)->notify, DSN_SUCCESS | DSN_DELAY);
	wish_free(&w);
	str_clear(&s);
	wish_index(&w, &s, CHANNEL_LOCAL);
	assert_int_equal(w.n, 0);
	assert_null(wish_find(&w, 0));
	wish_free(&w);
	str_free(&s);
}

static void
test_many(void **state)
{
	struct str s = {0};
	struct wishes w;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		wish_cat_rcpt(&s, CHANNEL_REMOTE, i * 7, i % 2 ?
		    "NOTIFY=NEVER" : "NOTIFY=DELAY");
	wish_index(&w, &s, CHANNEL_REMOTE);
	assert_int_equal(w.n, 1000);
	for (size_t at = 0; at < 7000; at++) {
		const struct wish *x = wish_find(&w, at);

		if (at % 7 != 0)
			assert_null(x);
		else
			assert_int_equal(x->notify, at / 7 % 2 ? DSN_NEVER :
			    DSN_DELAY);
	}
	wish_free(&w);
	str_free(&s);
}

/* What is no record, or out of order, ends them; what came before counts. */
static void
test_bad(void **state)
{
	static const struct {
		const char *bytes;
		size_t n, want;
	} cases[] = {
		{BYTES("nl5 NOTIFY=DELAY\0"), 1},
		{BYTES("Nl5 NOTIFY=DELAY\0Nl5 NOTIFY=DELAY\0"), 1},
		{BYTES("Nl5 NOTIFY=DELAY\0Nl4 NOTIFY=DELAY\0"), 1},
		{BYTES("Nl5 NOTIFY=DELAY\0Nx9 NOTIFY=DELAY\0Nl9 x\0"), 1},
		{BYTES("Nl5 NOTIFY=DELAY\0Xl9 NOTIFY=DELAY\0"), 1},
		{BYTES("Nl5NOTIFY=DELAY\0"), 0},
		{BYTES("Nl NOTIFY=DELAY\0"), 0},
		{BYTES("Nl99999999999999999999 NOTIFY=DELAY\0"), 0},
		{BYTES("N\0"), 0},
		{BYTES("\0"), 0},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct str s = {0};
		struct wishes w;

		str_catb(&s, cases[i].bytes, cases[i].n);
		wish_index(&w, &s, CHANNEL_LOCAL);
		if (w.n != cases[i].want)
			fail_msg("case %zu: %zu", i, w.n);
		wish_free(&w);
		str_free(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
