/* test_sasl.c - SASL PLAIN and LOGIN.  Codes are what printf | base64 says. */
#include "mail/sasl.h"

#include "TESTS/unit/unit.h"

#include <stdlib.h>

static void
test_names(void **state)
{
	(void)state;
	assert_int_equal(sasl_mech_of("PLAIN", 5), SASL_PLAIN);
	assert_int_equal(sasl_mech_of("login", 5), SASL_LOGIN);
	assert_int_equal(sasl_mech_of("Plain x", 5), SASL_PLAIN);
	assert_int_equal(sasl_mech_of("PLAI", 4), SASL_NO_MECH);
	assert_int_equal(sasl_mech_of("PLAINS", 6), SASL_NO_MECH);
	assert_int_equal(sasl_mech_of("PLAIN\0", 6), SASL_NO_MECH);
	assert_int_equal(sasl_mech_of("CRAM-MD5", 8), SASL_NO_MECH);
	assert_int_equal(sasl_mech_of("", 0), SASL_NO_MECH);
}

/* Each as an initial response and as an answer. */
static const struct {
	const char *code;
	enum sasl_step want;
	const char *user;
	size_t nuser;
	const char *pass;
} plains[] = {
	/* \0ana\0secret */
	{"AGFuYQBzZWNyZXQ=", SASL_DONE, "ana", 3, "secret"},
	/* ana\0ana\0secret */
	{"YW5hAGFuYQBzZWNyZXQ=", SASL_DONE, "ana", 3, "secret"},
	/* bob\0ana\0secret, an\0ana\0secret, Ana\0ana\0secret: not oneself */
	{"Ym9iAGFuYQBzZWNyZXQ=", SASL_DONE, "ana", 3, ""},
	{"YW4AYW5hAHNlY3JldA==", SASL_DONE, "ana", 3, ""},
	{"QW5hAGFuYQBzZWNyZXQ=", SASL_DONE, "ana", 3, ""},
	/* \0\0secret; \0ana\0; \0\0 */
	{"AABzZWNyZXQ=", SASL_DONE, "", 0, "secret"},
	{"AGFuYQA=", SASL_DONE, "ana", 3, ""},
	{"AAA=", SASL_DONE, "", 0, ""},
	/* \0a b\0 c  */
	{"AGEgYgAgYyA=", SASL_DONE, "a b", 3, " c "},
	/* \0\xc3\xb8\0\xc3\xa5 */
	{"AMO4AMOl", SASL_DONE, "\xc3\xb8", 2, "\xc3\xa5"},
	/* ana; \0ana; ana\0; \0ana\0sec\0ret; \0ana\0secret\0 */
	{"YW5h", SASL_MALFORMED, NULL, 0, NULL},
	{"AGFuYQ==", SASL_MALFORMED, NULL, 0, NULL},
	{"YW5hAA==", SASL_MALFORMED, NULL, 0, NULL},
	{"AGFuYQBzZWMAcmV0", SASL_MALFORMED, NULL, 0, NULL},
	{"AGFuYQBzZWNyZXQA", SASL_MALFORMED, NULL, 0, NULL},
	/* one NUL */
	{"AA==", SASL_MALFORMED, NULL, 0, NULL},
	{"AGFuYQBzZWNyZXQ", SASL_NOT_BASE64, NULL, 0, NULL},
	{"AGFuYQBzZWNyZXR=", SASL_NOT_BASE64, NULL, 0, NULL},
	{"AGFu YQBzZWNyZXQ=", SASL_NOT_BASE64, NULL, 0, NULL},
	{" ", SASL_NOT_BASE64, NULL, 0, NULL},
	{"====", SASL_NOT_BASE64, NULL, 0, NULL},
};

static void
expect_plain(size_t i, enum sasl_step got, const struct sasl *x)
{
	assert_int_equal(got, plains[i].want);
	if (got != SASL_DONE)
		return;
	assert_int_equal(x->user.len, plains[i].nuser);
	assert_string_equal(str_c(&x->user), plains[i].user);
	assert_string_equal(str_c(&x->pass), plains[i].pass);
	assert_int_equal(x->pass.len, strlen(plains[i].pass));
}

static void
test_plain(void **state)
{
	struct sasl x;

	(void)state;
	for (size_t i = 0; i < N_OF(plains); i++) {
		const char *c = plains[i].code;

		expect_plain(i, sasl_begin(&x, SASL_PLAIN, c), &x);
		sasl_wipe(&x);
		assert_int_equal(sasl_begin(&x, SASL_PLAIN, NULL), SASL_MORE);
		assert_string_equal(x.challenge, "");
		expect_plain(i, sasl_next(&x, c, strlen(c)), &x);
		sasl_wipe(&x);
		assert_null(x.user.s);
		assert_null(x.pass.s);
	}
}

static void
test_plain_empty(void **state)
{
	struct sasl x;

	(void)state;
	assert_int_equal(sasl_begin(&x, SASL_PLAIN, ""), SASL_MORE);
	assert_int_equal(sasl_next(&x, "", 0), SASL_MALFORMED);
	sasl_wipe(&x);
	assert_int_equal(sasl_begin(&x, SASL_PLAIN, "="), SASL_MALFORMED);
	sasl_wipe(&x);
	/* The sign stands for nothing where it is the answer itself. */
	assert_int_equal(sasl_begin(&x, SASL_PLAIN, NULL), SASL_MORE);
	assert_int_equal(sasl_next(&x, "=", 1), SASL_NOT_BASE64);
	sasl_wipe(&x);
}

static void
test_login(void **state)
{
	struct sasl x;

	(void)state;
	assert_int_equal(sasl_begin(&x, SASL_LOGIN, NULL), SASL_MORE);
	assert_string_equal(x.challenge, "VXNlcm5hbWU6");
	/* bob@example.org, se cret */
	assert_int_equal(sasl_next(&x, "Ym9iQGV4YW1wbGUub3Jn", 20),
	    SASL_MORE);
	assert_string_equal(x.challenge, "UGFzc3dvcmQ6");
	assert_int_equal(sasl_next(&x, "c2UgY3JldA==", 12), SASL_DONE);
	assert_string_equal(str_c(&x.user), "bob@example.org");
	assert_string_equal(str_c(&x.pass), "se cret");
	sasl_wipe(&x);
	assert_int_equal(sasl_begin(&x, SASL_LOGIN, "YW5h"), SASL_MORE);
	assert_string_equal(x.challenge, "UGFzc3dvcmQ6");
	assert_int_equal(sasl_next(&x, "c2VjcmV0", 8), SASL_DONE);
	assert_string_equal(str_c(&x.user), "ana");
	assert_string_equal(str_c(&x.pass), "secret");
	sasl_wipe(&x);
}

static void
test_login_odd(void **state)
{
	struct sasl x;

	(void)state;
	/* Empty ones are answers, and a wrong password for the caller. */
	assert_int_equal(sasl_begin(&x, SASL_LOGIN, "="), SASL_MORE);
	assert_string_equal(x.challenge, "UGFzc3dvcmQ6");
	assert_int_equal(sasl_next(&x, "", 0), SASL_DONE);
	assert_int_equal(x.user.len, 0);
	assert_int_equal(x.pass.len, 0);
	sasl_wipe(&x);
	/* a\0b: it is the caller who cannot say that to anybody. */
	assert_int_equal(sasl_begin(&x, SASL_LOGIN, "YQBi"), SASL_MORE);
	assert_int_equal(x.user.len, 3);
	sasl_wipe(&x);
	assert_int_equal(sasl_begin(&x, SASL_LOGIN, "YW5"), SASL_NOT_BASE64);
	sasl_wipe(&x);
	assert_int_equal(sasl_begin(&x, SASL_LOGIN, "YW5h"), SASL_MORE);
	assert_int_equal(sasl_next(&x, "secret", 6), SASL_NOT_BASE64);
	assert_int_equal(x.pass.len, 0);
	sasl_wipe(&x);
}

static void
test_cancelled(void **state)
{
	static const enum sasl_mech mechs[] = {SASL_PLAIN, SASL_LOGIN};
	struct sasl x;

	(void)state;
	for (size_t i = 0; i < N_OF(mechs); i++) {
		assert_int_equal(sasl_begin(&x, mechs[i], NULL), SASL_MORE);
		assert_int_equal(sasl_next(&x, "*", 1), SASL_CANCELLED);
		sasl_wipe(&x);
		/* With the command it is no answer yet. */
		assert_int_equal(sasl_begin(&x, mechs[i], "*"),
		    SASL_NOT_BASE64);
		sasl_wipe(&x);
	}
	assert_int_equal(sasl_begin(&x, SASL_LOGIN, "YW5h"), SASL_MORE);
	assert_int_equal(sasl_next(&x, "*", 1), SASL_CANCELLED);
	sasl_wipe(&x);
	assert_int_equal(sasl_begin(&x, SASL_NO_MECH, "YW5h"),
	    SASL_MALFORMED);
	sasl_wipe(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_plain_empty),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_login_odd),
		cmocka_unit_test(test_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
