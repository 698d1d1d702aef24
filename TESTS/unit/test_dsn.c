/* test_dsn.c - RFC 3461's parameters: what is taken, what is not, and the
 * text form.  The xtext examples are those of the RFC's section 10. */
#include "mail/dsn.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *key, *val;
	int want;               /* errno, 0: taken */
	const char *text;
} message_cases[] = {
	{"RET", "FULL", 0, "RET=FULL"},
	{"ret", "hdrs", 0, "RET=HDRS"},
	{"RET", "", EINVAL, ""},
	{"RET", "HDR", EINVAL, ""},
	{"RET", "HDRS ", EINVAL, ""},
	{"ENVID", "QQ314159", 0, "ENVID=QQ314159"},
	{"EnvID", "a+2Bb+3Dc+20", 0, "ENVID=a+2Bb+3Dc+20"},
	{"ENVID", "", EINVAL, ""},
	{"ENVID", "a b", EINVAL, ""},
	{"ENVID", "a=b", EINVAL, ""},
	{"ENVID", "a+2", EINVAL, ""},
	{"ENVID", "a+", EINVAL, ""},
	{"ENVID", "a+2g", EINVAL, ""},
	{"ENVID", "a+2b", EINVAL, ""},          /* lower case */
	{"ENVID", "a+0D+0AX: y", EINVAL, ""},
	{"ENVID", "a+0D+0AX:+20y", EINVAL, ""}, /* would break a header */
	{"ENVID", "a+00b", EINVAL, ""},
	{"ENVID", "a+7Fb", EINVAL, ""},
	{"ENVID", "a+C3+A4", EINVAL, ""},
	{"ENVID", "a\tb", EINVAL, ""},
	{"ENVID", "\xc3\xa4", EINVAL, ""},
	{"SIZE", "100", ENOENT, ""},
	{"NOTIFY", "NEVER", ENOENT, ""},
	{"", "x", ENOENT, ""},
};

static const struct {
	const char *key, *val;
	int want;
	const char *text;
} rcpt_cases[] = {
	{"NOTIFY", "NEVER", 0, "NOTIFY=NEVER"},
	{"notify", "never", 0, "NOTIFY=NEVER"},
	{"NOTIFY", "SUCCESS", 0, "NOTIFY=SUCCESS"},
	{"NOTIFY", "delay,Failure,success", 0,
	    "NOTIFY=SUCCESS,FAILURE,DELAY"},
	{"NOTIFY", "DELAY,DELAY", 0, "NOTIFY=DELAY"},
	{"NOTIFY", "", EINVAL, ""},
	{"NOTIFY", ",", EINVAL, ""},
	{"NOTIFY", "SUCCESS,", EINVAL, ""},
	{"NOTIFY", ",SUCCESS", EINVAL, ""},
	{"NOTIFY", "SUCCESS,,DELAY", EINVAL, ""},
	{"NOTIFY", "SUCCESS, DELAY", EINVAL, ""},
	{"NOTIFY", "NEVER,FAILURE", EINVAL, ""},
	{"NOTIFY", "FAILURE,NEVER", EINVAL, ""},
	{"NOTIFY", "ALWAYS", EINVAL, ""},
	{"NOTIFY", "SUCCES", EINVAL, ""},
	{"ORCPT", "rfc822;Bob@Example.COM", 0,
	    "ORCPT=rfc822;Bob@Example.COM"},
	{"orcpt", "x400;/G+3Da+20b/S+3Dc", 0, "ORCPT=x400;/G+3Da+20b/S+3Dc"},
	{"ORCPT", "rfc822;a+2Bb@c", 0, "ORCPT=rfc822;a+2Bb@c"},
	{"ORCPT", "utf-8;\xc3\xa4@c", 0, "ORCPT=utf-8;\xc3\xa4@c"},
	{"ORCPT", "utf-8;\\x{E4}@c", 0, "ORCPT=utf-8;\\x{E4}@c"},
	{"ORCPT", "rfc822;\xc3\xa4@c", EINVAL, ""},
	{"ORCPT", "Bob@Example.COM", EINVAL, ""},
	{"ORCPT", ";Bob@Example.COM", EINVAL, ""},
	{"ORCPT", "rfc822;", EINVAL, ""},
	{"ORCPT", "", EINVAL, ""},
	{"ORCPT", "rfc 822;a@b", EINVAL, ""},
	{"ORCPT", "rfc@822;a@b", EINVAL, ""},
	{"ORCPT", "rfc822;a+b@c", EINVAL, ""},
	{"ORCPT", "rfc822;a=b@c", EINVAL, ""},
	{"ORCPT", "rfc822;a b@c", EINVAL, ""},
	{"ORCPT", "rfc822;a+0Ab@c", EINVAL, ""},
	{"RET", "FULL", ENOENT, ""},
};

static void
test_message_param(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof message_cases / sizeof message_cases[0];
	    i++) {
		struct dsn_message m = {0};
		struct str s = {0};
		int r;

		errno = 0;
		r = dsn_message_param(&m, message_cases[i].key,
		    message_cases[i].val);
		if ((r < 0 ? errno : 0) != message_cases[i].want)
			fail_msg("%s=%s: %d", message_cases[i].key,
			    message_cases[i].val, errno);
		dsn_message_cat(&s, &m);
		assert_string_equal(str_c(&s), message_cases[i].text);
		str_free(&s);
		dsn_message_free(&m);
	}
}

static void
test_rcpt_param(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rcpt_cases / sizeof rcpt_cases[0]; i++) {
		struct dsn_rcpt r = {0};
		struct str s = {0};
		int got;

		errno = 0;
		got = dsn_rcpt_param(&r, rcpt_cases[i].key,
		    rcpt_cases[i].val);
		if ((got < 0 ? errno : 0) != rcpt_cases[i].want)
			fail_msg("%s=%s: %d", rcpt_cases[i].key,
			    rcpt_cases[i].val, errno);
		dsn_rcpt_cat(&s, &r);
		assert_string_equal(str_c(&s), rcpt_cases[i].text);
		str_free(&s);
		dsn_rcpt_free(&r);
	}
}

/* A second one of a kind, and what is there stays. */
static void
test_twice(void **state)
{
	struct dsn_message m = {0};
	struct dsn_rcpt r = {0};
	struct str s = {0};

	(void)state;
	assert_int_equal(dsn_message_param(&m, "ENVID", "a"), 0);
	assert_int_equal(dsn_message_param(&m, "RET", "FULL"), 0);
	assert_int_equal(dsn_message_param(&m, "RET", "FULL"), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(dsn_message_param(&m, "ENVID", "b"), -1);
	assert_int_equal(errno, EINVAL);
	dsn_message_cat(&s, &m);
	assert_string_equal(str_c(&s), "RET=FULL ENVID=a");
	str_clear(&s);
	assert_int_equal(dsn_rcpt_param(&r, "ORCPT", "rfc822;a@b"), 0);
	assert_int_equal(dsn_rcpt_param(&r, "NOTIFY", "DELAY"), 0);
	assert_int_equal(dsn_rcpt_param(&r, "NOTIFY", "DELAY"), -1);
	assert_int_equal(dsn_rcpt_param(&r, "ORCPT", "rfc822;c@d"), -1);
	dsn_rcpt_cat(&s, &r);
	assert_string_equal(str_c(&s), "NOTIFY=DELAY ORCPT=rfc822;a@b");
	str_free(&s);
	dsn_message_free(&m);
	dsn_rcpt_free(&r);
}

static void
test_lengths(void **state)
{
	struct dsn_message m = {0};
	struct dsn_rcpt r = {0};
	struct str s = {0};

	(void)state;
	for (int i = 0; i < DSN_ENVID_MAX; i++)
		str_catc(&s, 'e');
	assert_int_equal(dsn_message_param(&m, "ENVID", str_c(&s)), 0);
	dsn_message_free(&m);
	str_catc(&s, 'e');
	assert_int_equal(dsn_message_param(&m, "ENVID", str_c(&s)), -1);
	str_copys(&s, "rfc822;");
	while (s.len < DSN_ORCPT_MAX)
		str_catc(&s, 'o');
	assert_int_equal(dsn_rcpt_param(&r, "ORCPT", str_c(&s)), 0);
	assert_int_equal(dsn_rcpt_param(&r, "NOTIFY",
	    "SUCCESS,FAILURE,DELAY"), 0);
	str_clear(&s);
	dsn_rcpt_cat(&s, &r);
	assert_true(s.len <= DSN_TEXT_MAX);
	dsn_rcpt_free(&r);
	assert_int_equal(dsn_rcpt_parse(s.s, s.len, &r), 0);
	dsn_rcpt_free(&r);
	str_copys(&s, "rfc822;");
	while (s.len <= DSN_ORCPT_MAX)
		str_catc(&s, 'o');
	assert_int_equal(dsn_rcpt_param(&r, "ORCPT", str_c(&s)), -1);
	str_free(&s);
}

static void
message_text(const char *s, size_t n, int want)
{
	struct dsn_message m = {0};

	errno = 0;
	if (dsn_message_parse(s, n, &m) != want)
		fail_msg("%s", s);
	if (want < 0) {
		assert_int_equal(errno, EPROTO);
		assert_int_equal(m.ret, DSN_RET_NONE);
		assert_int_equal(m.envid.len, 0);
	}
	dsn_message_free(&m);
}

static void
rcpt_text(const char *s, size_t n, int want)
{
	struct dsn_rcpt r = {0};

	errno = 0;
	if (dsn_rcpt_parse(s, n, &r) != want)
		fail_msg("%s", s);
	if (want < 0) {
		assert_int_equal(errno, EPROTO);
		assert_int_equal(r.notify, 0);
		assert_int_equal(r.orcpt.len, 0);
	}
	dsn_rcpt_free(&r);
}

#define TEXT(s) s, sizeof(s) - 1

static void
test_text(void **state)
{
	struct dsn_message m = {0};
	struct dsn_rcpt r = {0};

	(void)state;
	message_text(TEXT(""), 0);
	message_text(TEXT("RET=HDRS"), 0);
	message_text(TEXT("RET=FULL ENVID=x+2B"), 0);
	message_text(TEXT("ENVID=x"), 0);
	message_text(TEXT("ENVID=x RET=FULL"), -1);
	message_text(TEXT("ret=FULL"), -1);
	message_text(TEXT("RET=full"), -1);
	message_text(TEXT("RET=FULL "), -1);
	message_text(TEXT(" RET=FULL"), -1);
	message_text(TEXT("RET=FULL  ENVID=x"), -1);
	message_text(TEXT("RET=FULL RET=FULL"), -1);
	message_text(TEXT("RET"), -1);
	message_text(TEXT("RET="), -1);
	message_text(TEXT("=FULL"), -1);
	message_text(TEXT("RET=FULL\0"), -1);
	message_text(TEXT("ENVID=x\0y"), -1);
	message_text(TEXT("NOTIFY=NEVER"), -1);
	message_text(TEXT("SIZE=1"), -1);
	message_text(TEXT("\0"), -1);
	rcpt_text(TEXT(""), 0);
	rcpt_text(TEXT("NOTIFY=SUCCESS,FAILURE,DELAY"), 0);
	rcpt_text(TEXT("NOTIFY=NEVER ORCPT=rfc822;a@b"), 0);
	rcpt_text(TEXT("ORCPT=rfc822;a@b"), 0);
	rcpt_text(TEXT("ORCPT=rfc822;a@b NOTIFY=NEVER"), -1);
	rcpt_text(TEXT("NOTIFY=DELAY,SUCCESS"), -1);
	rcpt_text(TEXT("NOTIFY=DELAY,DELAY"), -1);
	rcpt_text(TEXT("Notify=DELAY"), -1);
	rcpt_text(TEXT("NOTIFY=DELAY\nX"), -1);
	rcpt_text(TEXT("RET=FULL"), -1);
	assert_int_equal(dsn_message_parse(TEXT("RET=HDRS ENVID=QQ"), &m), 0);
	assert_int_equal(m.ret, DSN_RET_HDRS);
	assert_string_equal(str_c(&m.envid), "QQ");
	dsn_message_free(&m);
	assert_int_equal(dsn_rcpt_parse(
	    TEXT("NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b"), &r), 0);
	assert_int_equal(r.notify, DSN_SUCCESS | DSN_DELAY);
	assert_string_equal(str_c(&r.orcpt), "rfc822;a@b");
	dsn_rcpt_free(&r);
}

static void
test_xtext(void **state)
{
	struct str s = {0}, back = {0};
	char all[256];

	(void)state;
	dsn_xtext_encode(&s, "Dana Carvey+=\r\n\xff", 16);
	assert_string_equal(str_c(&s), "Dana+20Carvey+2B+3D+0D+0A+FF");
	assert_int_equal(dsn_xtext_decode(&back, s.s, s.len), 0);
	assert_int_equal(back.len, 16);
	assert_memory_equal(back.s, "Dana Carvey+=\r\n\xff", 16);
	str_clear(&s);
	str_clear(&back);
	for (int i = 0; i < 256; i++)
		all[i] = (char)(unsigned char)i;
	dsn_xtext_encode(&s, all, sizeof all);
	assert_int_equal(dsn_xtext_decode(&back, s.s, s.len), 0);
	assert_int_equal(back.len, 256);
	assert_memory_equal(back.s, all, 256);
	assert_int_equal(dsn_xtext_decode(&back, "+", 1), -1);
	assert_int_equal(dsn_xtext_decode(&back, "+4", 2), -1);
	assert_int_equal(dsn_xtext_decode(&back, "+41", 2), -1);
	assert_int_equal(dsn_xtext_decode(&back, "+4a", 3), -1);
	assert_int_equal(dsn_xtext_decode(&back, "a=", 2), -1);
	assert_int_equal(dsn_xtext_decode(&back, "a b", 3), -1);
	str_free(&s);
	str_free(&back);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_param),
		cmocka_unit_test(test_rcpt_param),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_xtext),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
