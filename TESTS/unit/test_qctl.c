/* test_qctl.c - requests and answers, written and read back, split at every
 * byte, and everything that is neither. */
#include "mail/qctl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *wire;
	enum qctl_verb verb;
	uint64_t id;
} requests[] = {
	{"delete 4711\n", QCTL_DELETE, 4711},
	{"expire 1\n", QCTL_EXPIRE, 1},
	{"retry 1234567890123456789\n", QCTL_RETRY, 1234567890123456789},
	{"hold 23\n", QCTL_HOLD, 23},
	{"release 23\n", QCTL_RELEASE, 23},
	{"flush\n", QCTL_FLUSH, 0},
};

#define NREQUESTS (sizeof requests / sizeof requests[0])

static void
test_requests(void **state)
{
	struct str all = {0};
	struct qctl_request got;
	struct qctl_line line;
	size_t used, at, seen;

	(void)state;
	for (size_t i = 0; i < NREQUESTS; i++) {
		struct str one = {0};
		struct qctl_request r = {requests[i].verb, requests[i].id};

		qctl_cat_request(&one, &r);
		assert_string_equal(str_c(&one), requests[i].wire);
		str_cat(&all, &one);
		str_free(&one);
	}
	for (size_t step = 1; step <= all.len; step++) {
		line = (struct qctl_line){0};
		for (at = seen = 0; at < all.len; at += used) {
			size_t n = all.len - at < step ? all.len - at : step;

			if (qctl_request_parse(&line, all.s + at, n, &used,
			    &got) != QCTL_DONE) {
				assert_int_equal(used, n);
				continue;
			}
			assert_int_equal(got.verb, requests[seen].verb);
			assert_true(got.id == requests[seen].id);
			seen++;
		}
		assert_int_equal(seen, NREQUESTS);
	}
	str_free(&all);
}

#define TOO_LONG /* even for a number with leading zeros */                  \
	"delete 00000000000000000000000000000000000000000000000000"           \
	"0000000000000000\n"

static void
test_bad_requests(void **state)
{
	static const char *const bad[] = {
		"\n", "delete\n", "delete \n", "delete x\n", "delete 1 \n",
		"delete  1\n", "delete 01\n", "delete -1\n", "delete 1/2\n",
		"delete 1\r\n", "deleted 1\n", "flush 1\n", "flushx\n",
		"FLUSH\n", " flush\n", "delete 18446744073709551616\n",
		TOO_LONG,
	};
	struct qctl_line line = {0};
	struct qctl_request got;
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (qctl_request_parse(&line, bad[i], strlen(bad[i]), &used,
		    &got) != QCTL_BAD)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(qctl_request_parse(&line, "flush\0\n", 7, &used,
	    &got), QCTL_BAD);
	/* and the line is usable again */
	assert_int_equal(qctl_request_parse(&line, "flush\n", 6, &used, &got),
	    QCTL_DONE);
}

static void
test_answers(void **state)
{
	static const struct {
		bool ok;
		const char *text, *wire;
	} answers[] = {
		{true, "", "ok\n"},
		{true, "12 messages", "ok 12 messages\n"},
		{false, "no such message", "no no such message\n"},
		{false, "", "no\n"},
		{true, "a\nb\tc\033", "ok a b c \n"},
	};
	struct qctl_answer got = {0};
	struct qctl_line line = {0};
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		struct str s = {0};

		qctl_cat_answer(&s, answers[i].ok, answers[i].text);
		assert_string_equal(str_c(&s), answers[i].wire);
		for (size_t cut = 0; cut < s.len; cut++) {
			assert_int_equal(qctl_answer_parse(&line, s.s, cut,
			    &used, &got), QCTL_MORE);
			assert_int_equal(qctl_answer_parse(&line, s.s + cut,
			    s.len - cut, &used, &got), QCTL_DONE);
			assert_int_equal(got.ok, answers[i].ok);
			assert_int_equal(used, s.len - cut);
		}
		str_free(&s);
	}
	assert_true(str_eqs(&got.text, "a b c "));
	qctl_answer_free(&got);
}

static void
test_long_answers(void **state)
{
	char text[QCTL_TEXT_MAX + 51];
	struct qctl_answer got = {0};
	struct qctl_line line = {0};
	struct str s = {0};
	size_t used;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	qctl_cat_answer(&s, false, text);
	assert_int_equal(s.len, 3 + QCTL_TEXT_MAX + 1);
	assert_int_equal(qctl_answer_parse(&line, s.s, s.len, &used, &got),
	    QCTL_DONE);
	assert_int_equal(got.text.len, QCTL_TEXT_MAX);
	str_copys(&s, "ok ");
	str_cats(&s, text);
	str_catc(&s, '\n');
	assert_int_equal(qctl_answer_parse(&line, s.s, s.len, &used, &got),
	    QCTL_BAD);
	line = (struct qctl_line){0};
	assert_int_equal(qctl_answer_parse(&line, "okay\n", 5, &used, &got),
	    QCTL_BAD);
	assert_int_equal(qctl_answer_parse(&line, "\n", 1, &used, &got),
	    QCTL_BAD);
	qctl_answer_free(&got);
	str_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_long_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
