/* test_localproto.c - packets between qmail-lspawn and its workers. */
#include "TESTS/unit/unit.h"

#include "mail/localproto.h"

#include <errno.h>
#include <stdlib.h>

/* The worked example of localproto.h, byte for byte. */
static void
test_example(void **state)
{
	static const char wire[] = "\0\0\0\7jo-list\0-\0list\0x\0a@b";
	static const char back[] = "\0\0\0\7\0did 1+0+0\n";
	struct localproto_job in = {.id = 7, .local = "jo-list", .dash = "-",
	    .ext = "list", .host = "x", .sender = "a@b"};
	struct localproto_job j;
	struct localproto_report out = {.id = 7, .text = "did 1+0+0\n",
	    .n = 10};
	struct localproto_report r;
	struct str s = {0};

	(void)state;
	assert_int_equal(localproto_cat_job(&s, &in), 0);
	assert_int_equal(s.len, sizeof wire);
	assert_memory_equal(s.s, wire, sizeof wire);
	assert_int_equal(localproto_parse_job(s.s, s.len, &j), 0);
	assert_int_equal(j.id, 7);
	assert_string_equal(j.local, "jo-list");
	assert_string_equal(j.dash, "-");
	assert_string_equal(j.ext, "list");
	assert_string_equal(j.host, "x");
	assert_string_equal(j.sender, "a@b");
	str_clear(&s);
	localproto_cat_report(&s, &out);
	assert_int_equal(s.len, sizeof back - 1);
	assert_memory_equal(s.s, back, sizeof back - 1);
	assert_int_equal(localproto_parse_report(s.s, s.len, &r), 0);
	assert_int_equal(r.id, 7);
	assert_int_equal(r.code, 0);
	assert_int_equal(r.n, 10);
	assert_memory_equal(r.text, "did 1+0+0\n", 10);
	str_free(&s);
}

static void
test_ask(void **state)
{
	struct localproto_report r;
	struct str s = {0};
	const char *local;
	uint32_t id;

	(void)state;
	assert_int_equal(localproto_cat_ask(&s, 0xfedcba98u, "jo"), 0);
	assert_int_equal(s.len, 7);
	assert_memory_equal(s.s, "\xfe\xdc\xba\x98jo\0", 7);
	assert_int_equal(localproto_parse_ask(s.s, s.len, &id, &local), 0);
	assert_int_equal(id, 0xfedcba98u);
	assert_string_equal(local, "jo");
	str_clear(&s);
	assert_int_equal(localproto_cat_answer(&s, 1, 118, "", 0), 0);
	assert_int_equal(localproto_parse_report(s.s, s.len, &r), 0);
	assert_int_equal(r.code, 118);
	assert_int_equal(r.n, 0);
	str_free(&s);
}

/* Every packet cut short, and every packet with more behind it. */
static void
test_cut(void **state)
{
	static const char job[] = "\0\0\0\1l\0d\0e\0h\0s";
	static const char ask[] = "\0\0\0\1local";
	struct localproto_job j;
	struct localproto_report r;
	const char *local;
	uint32_t id;

	(void)state;
	for (size_t n = 0; n < sizeof job; n++) {
		/* Its own memory, so that reading on is seen. */
		char *p = malloc(n ? n : 1);

		memcpy(p, job, n);
		errno = 0;
		assert_int_equal(localproto_parse_job(p, n, &j), -1);
		assert_int_equal(errno, EPROTO);
		free(p);
	}
	assert_int_equal(localproto_parse_job(job, sizeof job, &j), 0);
	for (size_t n = 0; n < sizeof ask; n++)
		assert_int_equal(localproto_parse_ask(ask, n, &id, &local),
		    -1);
	assert_int_equal(localproto_parse_ask(ask, sizeof ask, &id, &local),
	    0);
	assert_int_equal(localproto_parse_ask("\0\0\0\1a\0b", 8, &id, &local),
	    -1);
	assert_int_equal(localproto_parse_job("\0\0\0\1l\0d\0e\0h\0s\0x", 15,
	    &j), -1);
	for (size_t n = 0; n < 5; n++)
		assert_int_equal(localproto_parse_report(job, n, &r), -1);
}

static void
test_limits(void **state)
{
	static char big[LOCALPROTO_MAX + 1];
	struct localproto_job j = {.local = big, .dash = "", .ext = "",
	    .host = "", .sender = ""};
	struct localproto_report r = {.text = big, .n = 0}, back;
	struct str s = {0};

	(void)state;
	memset(big, 'x', sizeof big - 1);
	errno = 0;
	assert_int_equal(localproto_cat_job(&s, &j), -1);
	assert_int_equal(errno, EMSGSIZE);
	str_clear(&s);
	assert_int_equal(localproto_cat_ask(&s, 1, big), -1);
	str_clear(&s);
	/* A report is cut and says so; one that just fits is not. */
	r.n = REPORT_LOCAL_MAX;
	localproto_cat_report(&s, &r);
	assert_int_equal(s.len, 5 + REPORT_LOCAL_MAX);
	str_clear(&s);
	r.n = REPORT_LOCAL_MAX + 1;
	localproto_cat_report(&s, &r);
	assert_int_equal(localproto_parse_report(s.s, s.len, &back), 0);
	assert_int_equal(back.text[REPORT_LOCAL_MAX], '\n');
	assert_true(back.n < REPORT_LOCAL_MAX + 100);
	str_clear(&s);
	/* The text ends at a NUL. */
	r.text = "ab\0cd";
	r.n = 5;
	localproto_cat_report(&s, &r);
	assert_int_equal(s.len, 5 + 2);
	str_free(&s);
	assert_int_equal(localproto_parse_report(big, LOCALPROTO_MAX + 1,
	    &back), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
