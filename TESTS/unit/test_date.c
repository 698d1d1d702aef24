/* test_date.c - dates against the calendar, in UTC and in zones. */
#include "mail/date.h"

#include "TESTS/unit/unit.h"

#include <stdlib.h>
#include <time.h>

static void
test_utc(void **state)
{
	static const struct {
		int64_t when;
		const char *want;
	} cases[] = {
		{0, "1 Jan 1970 00:00:00 -0000"},
		{-1, "31 Dec 1969 23:59:59 -0000"},
		{951782399, "28 Feb 2000 23:59:59 -0000"},
		{951782400, "29 Feb 2000 00:00:00 -0000"},
		{951868800, "1 Mar 2000 00:00:00 -0000"},
		{1000000000, "9 Sep 2001 01:46:40 -0000"},
		{2147483647, "19 Jan 2038 03:14:07 -0000"},
		{2147483648, "19 Jan 2038 03:14:08 -0000"},
		{4107542399, "28 Feb 2100 23:59:59 -0000"},
		{4107542400, "1 Mar 2100 00:00:00 -0000"},
		{253402300799, "31 Dec 9999 23:59:59 -0000"},
		{253402300800, "1 Jan 10000 00:00:00 -0000"},
	};
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		str_clear(&s);
		date822_cat(&s, cases[i].when);
		assert_string_equal(str_c(&s), cases[i].want);
	}
	/* Whatever the argument, an answer and no undefined behaviour. */
	date822_cat(&s, INT64_MAX);
	date822_cat(&s, INT64_MIN);
	str_free(&s);
}

static void
test_digits(void **state)
{
	static const struct {
		int64_t when;
		const char *want;
	} cases[] = {
		{0, "19700101000000"},
		{951782399, "20000228235959"},
		{1795409700, "20261123045500"},
		{253402300800, "100000101000000"},
		{-62135596800, "00010101000000"},
	};
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		str_clear(&s);
		date_cat_digits(&s, cases[i].when);
		assert_string_equal(str_c(&s), cases[i].want);
	}
	date_cat_digits(&s, INT64_MIN);
	date_cat_digits(&s, INT64_MAX);
	str_free(&s);
}

/* Every day of 800 years against the C library's calendar. */
static void
test_against_gmtime(void **state)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct str s = {0}, want = {0};

	(void)state;
	for (int64_t day = -146097; day < 146097; day++) {
		time_t t = (time_t)(day * 86400 + (day & 0xffff));
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		str_clear(&want);
		str_catf(&want, "%d %s %d %02d:%02d:%02d -0000", tm.tm_mday,
		    months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
		    tm.tm_min, tm.tm_sec);
		str_clear(&s);
		date822_cat(&s, t);
		assert_string_equal(str_c(&s), str_c(&want));
	}
	str_free(&s);
	str_free(&want);
}

static void
test_zones(void **state)
{
	static const struct {
		const char *zone;
		int64_t when;
		const char *want;
	} cases[] = {
		{"UTC0", 0, "1 Jan 1970 00:00:00 +0000"},
		{"CET-1", 0, "1 Jan 1970 01:00:00 +0100"},
		{"EST5", 0, "31 Dec 1969 19:00:00 -0500"},
		{"XXX3:30", 0, "31 Dec 1969 20:30:00 -0330"},
		{"IST-5:30", 1000000000, "9 Sep 2001 07:16:40 +0530"},
		{"CET-1CEST,M3.5.0,M10.5.0/3", 1000000000,
		    "9 Sep 2001 03:46:40 +0200"},
	};
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		assert_int_equal(setenv("TZ", cases[i].zone, 1), 0);
		tzset();
		str_clear(&s);
		date822_cat_local(&s, cases[i].when);
		assert_string_equal(str_c(&s), cases[i].want);
	}
	/* A year that struct tm cannot hold. */
	str_clear(&s);
	date822_cat_local(&s, INT64_MAX);
	assert_non_null(strstr(str_c(&s), " -0000"));
	str_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utc),
		cmocka_unit_test(test_digits),
		cmocka_unit_test(test_against_gmtime),
		cmocka_unit_test(test_zones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
