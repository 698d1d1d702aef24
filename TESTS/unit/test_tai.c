/* test_tai.c - TAI64N labels: the epoch, packing, and what a label may be. */
#include "lib/tai.h"

#include "TESTS/unit/unit.h"

#include <stdlib.h>
#include <time.h>

/* 2^62 + 10 + Unix seconds, computed by hand in hexadecimal. */
static const struct {
	int64_t unix_time;
	uint32_t nano;
	const char *label;
	unsigned char packed[TAI_PACK];
} cases[] = {
	{0, 0, "@400000000000000a00000000",
	    {0x40, 0, 0, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0}},
	{-10, 1, "@400000000000000000000001",
	    {0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
	{-11, 999999999, "@3fffffffffffffff3b9ac9ff",
	    {0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0x3b, 0x9a, 0xc9, 0xff}},
	/* 1999-08-24 04:01:45 UTC */
	{935467305, 0x1a8f3b9c, "@4000000037c219331a8f3b9c",
	    {0x40, 0, 0, 0, 0x37, 0xc2, 0x19, 0x33, 0x1a, 0x8f, 0x3b, 0x9c}},
	/* one second after 2038-01-19 03:14:07 */
	{INT64_C(2147483648), 500000000, "@400000008000000a1dcd6500",
	    {0x40, 0, 0, 0, 0x80, 0, 0, 0x0a, 0x1d, 0xcd, 0x65, 0}},
};

static void
test_labels(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct tai t = {
		    UINT64_C(0x400000000000000a) + (uint64_t)cases[i].unix_time,
		    cases[i].nano}, back = {0};
		unsigned char packed[TAI_PACK];
		struct str s = {0};

		assert_true(tai_unix(&t) == cases[i].unix_time);
		tai_cat_label(&s, &t);
		assert_string_equal(str_c(&s), cases[i].label);
		assert_int_equal(tai_scan_label(&back, str_c(&s), s.len), 25);
		assert_true(back.sec == t.sec && back.nano == t.nano);
		tai_pack(packed, &t);
		assert_memory_equal(packed, cases[i].packed, TAI_PACK);
		back = (struct tai){0};
		tai_unpack(&back, packed);
		assert_true(back.sec == t.sec && back.nano == t.nano);
		str_free(&s);
	}
}

static const struct {
	const char *text;
	size_t used;
	uint64_t sec;
	uint32_t nano;
} scans[] = {
	{"", 0, 0, 0},
	{"@", 0, 0, 0},
	{"@g", 0, 0, 0},
	{"@ABCDEF", 0, 0, 0},                   /* upper case is not a label */
	{"400000000000000a00000000", 0, 0, 0},
	{"@400000000000000a00000000 rest", 25, UINT64_C(0x400000000000000a),
	    0},
	{"@400000000000000a0000000A", 24, UINT64_C(0x0400000000000000),
	    0xa0000000u},
	{"@1", 2, 0, 1},
	{"@ffffffff", 9, 0, 0xffffffffu},
	{"@1ffffffff", 10, 1, 0xffffffffu},
	{"@1400000000000000a00000000", 26, UINT64_C(0x400000000000000a), 0},
};

static void
test_scan(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(scans); i++) {
		struct tai t = {1, 2};
		size_t n = strlen(scans[i].text);
		char *exact = malloc(n ? n : 1);        /* no NUL behind it */

		assert_non_null(exact);
		memcpy(exact, scans[i].text, n);
		assert_int_equal(tai_scan_label(&t, exact, n), scans[i].used);
		if (scans[i].used == 0)
			assert_true(t.sec == 1 && t.nano == 2);
		else
			assert_true(t.sec == scans[i].sec &&
			    t.nano == scans[i].nano);
		free(exact);
	}
}

static void
test_clocks(void **state)
{
	int64_t before = time(NULL), mono = clock_mono_ms();
	struct tai t = tai_now();
	struct timespec ns = clock_wall_ns();

	(void)state;
	/* time() may lag a tick behind the fine clock, never lead it. */
	assert_true(tai_unix(&t) >= before && tai_unix(&t) <= before + 5);
	assert_true(clock_wall() >= tai_unix(&t));
	assert_true(t.nano < 1000000000);
	assert_true(ns.tv_nsec >= 0 && ns.tv_nsec < 1000000000);
	(void)usleep(30000);
	assert_in_range(clock_mono_ms() - mono, 30, 5000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
