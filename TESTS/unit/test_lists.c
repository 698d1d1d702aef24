/* test_lists.c - what other servers have written down, as Debian 12's Courier
 * and Dovecot write it, and what they call these messages; our own lists. */
#include "pop3d/lists.h"

#include "TESTS/unit/unit.h"

#include <stdio.h>

/* "NAME UIDL WIRE" and LF for each entry. */
static void
note(void *arg, const char *name, size_t n, const char *uidl, uint64_t wire)
{
	struct str *out = arg;

	str_catb(out, name, n);
	str_catc(out, ' ');
	str_cats(out, uidl);
	if (wire == UINT64_MAX)
		str_cats(out, " -\n");
	else
		str_catf(out, " %llu\n", (unsigned long long)wire);
}

static const struct {
	const char *text;
	int r;
	const char *want;
} courier[] = {
	/* Courier 1.0.16 over four messages, and its UIDL of them. */
	{"/3 5 1795444690\n"
	 "weird name 9 1:1795444690:0\n"
	 "1000000001.M1P1.h:2,S 11 2:1795444690:0\n"
	 "1000000002.M1P1.h,S=13:2, 16 3:1795444690:0\n"
	 "1000000003.M1P1.h,S=12,W=16:2, 16 4:1795444690:1\n", 0,
	 "weird name UID1-1795444690 9\n"
	 "1000000001.M1P1.h UID2-1795444690 11\n"
	 "1000000002.M1P1.h,S=13 UID3-1795444690 16\n"
	 "1000000003.M1P1.h,S=12,W=16 UID4-1795444690 16\n"},
	{"/2 3 7\n1.a 5 1:7\n2.b:2,S 6 2:9\n", 0,
	 "1.a UID1-7 5\n2.b UID2-9 6\n"},
	{"/2 3 7\n1.a 5 1:0\n2.b'+\"\x01\xe9 x~:2,S 6 0:0\n", 0,
	 "1.a UID1 5\n"
	 "2.b'+\"\x01\xe9 x~ 2.b+27+2B+22+01+E9+20x~ 6\n"},
	{"/1 3\n1.a 5 1\n", 0, "1.a UID1 5\n"},
	{"/3 1 7\n", 0, ""},
	{"/3 1 7", 0, ""},
	{"/3 2 7\n1.a 5 1:7:0", 0, "1.a UID1-7 5\n"},
	/* Lines of nothing are left out. */
	{"/2 3 7\n\n \n1.a\n1.a 5\n1.a x 1:7\n1.a 5 x:7\n1.a 5 1:x\n"
	 "1.a 5 1:7x\n1.a 5x 1:7\n:2,S 5 1:7\n"
	 "1.a 99999999999999999999 1:7\n2.b 6 2:7\n", 0, "2.b UID2-7 6\n"},
	{"", -1, ""},
	{"/", -1, ""},
	{"/4 5 6\n1.a 5 1:7\n", -1, ""},
	{"/0 5 6\n1.a 5 1:7\n", -1, ""},
	{"/x 5 6\n1.a 5 1:7\n", -1, ""},
	{"1.a 5\n", -1, ""},
};

static void
test_courier(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(courier); i++) {
		struct str out = {0};

		assert_int_equal(lists_courier(courier[i].text,
		    strlen(courier[i].text), note, &out), courier[i].r);
		assert_string_equal(str_c(&out), courier[i].want);
		str_free(&out);
	}
}

/* Dovecot 2.3.19's list of the same, and its UIDL with each format. */
#define UIDLIST "3 V1795444690 N5 Gc8996b08d24f046b0d0c0000507bea1d\n"       \
	"1 W9 :weird name\n"                                                   \
	"2 W11 :1000000001.M1P1.h:2,S\n"                                       \
	"3 W13 S13 G0011aa :1000000002.M1P1.h,S=13\n"                          \
	"30 :1000000003.M1P1.h,S=12,W=16\n"

static const struct {
	const char *text, *format;
	int r;
	const char *want;
} dovecot[] = {
	{UIDLIST, LISTS_DOVECOT, 0,
	 "weird name 000000016b044fd2 9\n"
	 "1000000001.M1P1.h 000000026b044fd2 11\n"
	 "1000000002.M1P1.h,S=13 000000036b044fd2 13\n"
	 "1000000003.M1P1.h,S=12,W=16 0000001e6b044fd2 -\n"},
	{UIDLIST, "%f", 0,
	 "weird name weird name 9\n"
	 "1000000001.M1P1.h 1000000001.M1P1.h 11\n"
	 "1000000002.M1P1.h,S=13 1000000002.M1P1.h,S=13 13\n"
	 "1000000003.M1P1.h,S=12,W=16 1000000003.M1P1.h,S=12,W=16 -\n"},
	{UIDLIST, "%g", 0,
	 "weird name weird name 9\n"
	 "1000000001.M1P1.h 1000000001.M1P1.h 11\n"
	 "1000000002.M1P1.h,S=13 0011aa 13\n"
	 "1000000003.M1P1.h,S=12,W=16 1000000003.M1P1.h,S=12,W=16 -\n"},
	{UIDLIST, "%u-%v", 0,
	 "weird name 1-1795444690 9\n"
	 "1000000001.M1P1.h 2-1795444690 11\n"
	 "1000000002.M1P1.h,S=13 3-1795444690 13\n"
	 "1000000003.M1P1.h,S=12,W=16 30-1795444690 -\n"},
	{UIDLIST, "%%%05Xu.%Xv", 0,
	 "weird name %00001.6b044fd2 9\n"
	 "1000000001.M1P1.h %00002.6b044fd2 11\n"
	 "1000000002.M1P1.h,S=13 %00003.6b044fd2 13\n"
	 "1000000003.M1P1.h,S=12,W=16 %0001e.6b044fd2 -\n"},
	/* A width without a zero cuts. */
	{UIDLIST, "%5f%1u%03u", 0,
	 "weird name weird1001 9\n"
	 "1000000001.M1P1.h 100002002 11\n"
	 "1000000002.M1P1.h,S=13 100003003 13\n"
	 "1000000003.M1P1.h,S=12,W=16 100003030 -\n"},
	{UIDLIST, "%Lf%Ug", 0,
	 "weird name weird nameWEIRD NAME 9\n"
	 "1000000001.M1P1.h 1000000001.m1p1.h1000000001.M1P1.H 11\n"
	 "1000000002.M1P1.h,S=13 1000000002.m1p1.h,s=130011AA 13\n"
	 "1000000003.M1P1.h,S=12,W=16 1000000003.m1p1.h,s=12,w=16"
	 "1000000003.M1P1.H,S=12,W=16 -\n"},
	/* What dsync brought along goes first; empty: the base name. */
	{"3 N5 V7\n1 Pxyz O1 :1.a\n2 P :2.b:2,S\n3 O2 W5 :3.c\n", "%u", 0,
	 "1.a xyz -\n2.b 2.b -\n3.c 3 5\n"},
	{"1 1795444690 3\n1 1.a\n2 2.b:2,S\n", LISTS_DOVECOT, 0,
	 "1.a 000000016b044fd2 -\n2.b 000000026b044fd2 -\n"},
	{"3 V7 N1", "%u", 0, ""},
	{"3 V7 N1\n\n1\n1 W5\n1 :\n1 ::2,S\nx :1.a\n1 W5 1.a\n"
	 "1 Wx :2.b\n2 :3.c", "%u", 0, "2.b 1 -\n3.c 2 -\n"},
	{"3 N1\n1 :1.a\n", "%u", -1, ""},
	{"2 V7 N1\n1 :1.a\n", "%u", -1, ""},
	{"1 x 3\n1 1.a\n", "%u", -1, ""},
	{"", "%u", -1, ""},
	{UIDLIST, "%m", -1, ""},
};

static void
test_dovecot(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(dovecot); i++) {
		struct str out = {0};

		assert_int_equal(lists_dovecot(dovecot[i].text,
		    strlen(dovecot[i].text), dovecot[i].format, note, &out),
		    dovecot[i].r);
		assert_string_equal(str_c(&out), dovecot[i].want);
		str_free(&out);
	}
}

static void
test_formats(void **state)
{
	static const char *const good[] = {"%u", "%f", "%g", "x%08Xu", "%v%u",
	    "%%%u", "%020Xu", "%Lf", "%3Ug", "%0u"};
	static const char *const bad[] = {"", "x", "%", "%v", "%%", "%m", "%8",
	    "%08X", "%Xf", "%u%", "%u%q", "%LUf", "%{uid}", "%-5u",
	    "%99999999999999999999u", "%5000u", "%2.3f"};

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++)
		assert_true(lists_format_ok(good[i]));
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_false(lists_format_ok(bad[i]));
}

/* A line as long as may be, one longer, and a NUL inside. */
static void
test_long_lines(void **state)
{
	char text[2 * LISTS_LINE + 100], want[LISTS_LINE + 100];
	struct str out = {0};
	size_t n;

	(void)state;
	n = (size_t)snprintf(text, sizeof text, "/2 3 7\n%0*d 5 1:7\n"
	    "%0*d 5 1:7\n1.a%c 5 1:7\n2.b 5 1:7\n", LISTS_LINE - 6, 1,
	    LISTS_LINE - 5, 2, '\0');
	(void)snprintf(want, sizeof want, "%0*d UID1-7 5\n2.b UID1-7 5\n",
	    LISTS_LINE - 6, 1);
	assert_int_equal(lists_courier(text, n, note, &out), 0);
	assert_string_equal(str_c(&out), want);
	str_free(&out);
}

/* The checksum is that of openssl mac -macopt size:8 -macopt
 * hexkey:00000000000000000000000000000000 SIPHASH, as a number. */
#define SIZES_LINES "4823 1.M2P3.h\n0 2.x y\n"
#define SIZES "pop3d.sizes 1 2 63ae35a4bf923849\n" SIZES_LINES

static void
test_own(void **state)
{
	static const char whole[] = SIZES;
	struct str text = {0}, out = {0};

	(void)state;
	lists_own_add(LISTS_SIZES, &text, "1.M2P3.h:2,S", 8, "", 4823);
	lists_own_add(LISTS_SIZES, &text, "a\nb", 3, "", 7);
	lists_own_add(LISTS_SIZES, &text, "2.x y", 5, "", 0);
	assert_string_equal(str_c(&text), SIZES_LINES);
	lists_own_seal(LISTS_SIZES, &text);
	assert_string_equal(str_c(&text), whole);
	assert_int_equal(lists_own(LISTS_SIZES, str_c(&text), text.len, note,
	    &out), 0);
	assert_string_equal(str_c(&out), "1.M2P3.h  4823\n2.x y  0\n");
	str_clear(&out);
	/* Of another kind, cut anywhere, or with any bit changed. */
	assert_int_equal(lists_own(LISTS_UIDL, str_c(&text), text.len, note,
	    &out), -1);
	for (size_t n = 0; n < text.len; n++)
		assert_int_equal(lists_own(LISTS_SIZES, str_c(&text), n, note,
		    &out), -1);
	for (size_t i = 0; i < text.len * 8; i++) {
		text.s[i / 8] = (char)(text.s[i / 8] ^ 1 << i % 8);
		assert_int_equal(lists_own(LISTS_SIZES, str_c(&text),
		    text.len, note, &out), -1);
		text.s[i / 8] = (char)(text.s[i / 8] ^ 1 << i % 8);
	}
	assert_int_equal(out.len, 0);
	str_free(&text);

	/* Nothing is a list too. */
	lists_own_seal(LISTS_UIDL, &text);
	assert_int_equal(lists_own(LISTS_UIDL, str_c(&text), text.len, note,
	    &out), 0);
	assert_int_equal(out.len, 0);
	str_free(&text);
	lists_own_add(LISTS_UIDL, &text, "1.a", 3, "UID1-7", 0);
	lists_own_seal(LISTS_UIDL, &text);
	assert_int_equal(lists_own(LISTS_UIDL, str_c(&text), text.len, note,
	    &out), 0);
	assert_string_equal(str_c(&out), "1.a UID1-7 -\n");
	str_free(&text);
	str_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_courier),
	    cmocka_unit_test(test_dovecot),
	    cmocka_unit_test(test_formats),
	    cmocka_unit_test(test_long_lines),
	    cmocka_unit_test(test_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
