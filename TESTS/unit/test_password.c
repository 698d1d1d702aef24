/* test_password.c - digests by the vectors of their RFCs; stored passwords of
 * every kind, made by openssl, perl and Python's hashlib. */
#include "vpop/password.h"

#include "TESTS/unit/unit.h"

#include "vpop/digest.h"

#include <errno.h>

static void
is_hex(const unsigned char *p, size_t n, const char *want)
{
	struct str got = {0};

	for (size_t i = 0; i < n; i++)
		str_catx(&got, p[i], 2);
	assert_string_equal(str_c(&got), want);
	str_free(&got);
}

static void
digest_is(enum digest_kind kind, const char *s, const char *want)
{
	unsigned char out[DIGEST_MAX];

	/* In two pieces, cut everywhere. */
	for (size_t cut = 0; cut <= strlen(s); cut++) {
		struct digest d;

		digest_init(&d, kind);
		digest_add(&d, s, cut);
		digest_add(&d, s + cut, strlen(s) - cut);
		is_hex(out, digest_end(&d, out), want);
	}
}

static void
test_digest(void **state)
{
	unsigned char out[DIGEST_MAX], key[80];

	(void)state;
	/* 1321:A.5 */
	digest_is(DIGEST_MD5, "", "d41d8cd98f00b204e9800998ecf8427e");
	digest_is(DIGEST_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72");
	digest_is(DIGEST_MD5, "1234567890123456789012345678901234567890"
	    "1234567890123456789012345678901234567890",
	    "57edf4a22be3c955ac49da2e2107b67a");
	/* 3174:7.3, FIPS 180 */
	digest_is(DIGEST_SHA1, "abc",
	    "a9993e364706816aba3e25717850c26c9cd0d89d");
	digest_is(DIGEST_SHA1, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmn"
	    "lmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
	digest_is(DIGEST_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
	digest_is(DIGEST_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmn"
	    "lmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039"
	    "a33ce45964ff2167f6ecedd419db06c1");
	/* 2202:2 cases 2 and 6 */
	is_hex(out, digest_hmac(DIGEST_MD5, "Jefe", 4,
	    "what do ya want for nothing?", 28, out),
	    "750c783e6ab0b503eaa86e310a5db738");
	memset(key, 0xaa, sizeof key);
	is_hex(out, digest_hmac(DIGEST_MD5, key, sizeof key,
	    "Test Using Larger Than Block-Size Key - Hash Key First", 54, out),
	    "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
}

static void
test_verify(void **state)
{
	static const char *const right[] = {
		"abvOVwEVZZ8hM",
		"$1$abcdefgh$Rur9vjR3qTr2ktYAC0ctB.",
		"$5$abcdefgh$tHz2GLlo5y1zd11L6fWGP/048rnwaZWPLK2Sr4oRZR9",
		"$6$abcdefgh$T2WXtwktTC2b5B5eLgYoBNSaruzkNaEhxCMZO6BjUUifAydP"
		    "30r5J1X72mBVJN1tky9srX4MgNXnjeofwkiU51",
		"$2y$05$abcdefghijklmnopqrstuuFzejfplTChgPyZNQOF2kNcZhBC."
		    "ObAS",
		"$y$j9T$abcdefgh$a9DbzI/tbCTKj2KsNcScJBL6SeeQdLzKMKgZTDdO36/",
		"{CRYPT}abvOVwEVZZ8hM",
		"{crypt}$5$abcdefgh$tHz2GLlo5y1zd11L6fWGP/048rnwaZWPLK2Sr4oR"
		    "ZR9",
		"{MD5-CRYPT}$1$abcdefgh$Rur9vjR3qTr2ktYAC0ctB.",
		"{MD5}$1$abcdefgh$Rur9vjR3qTr2ktYAC0ctB.",
		"{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuuFzejfplTChgPyZNQOF2k"
		    "NcZhBC.ObAS",
		"{PLAIN}secret pass",
		"{CLEARTEXT}secret pass",
		"{SHA}O1hAcUlX7zkBbV+/3rmbDfUlbNM=",
		"{SSHA}t0FqK/zuD7c+eUt/5FsWSzkVI81zYWx0",
		"{SHA256}eFK/tJPBgOyZKGDD9C7Y/PoQTL9IBeTfYFheYwo3OI8=",
		"{SSHA256}JKaYkhVrqfpSyCfu3t1j9oRliQ8G50Myl180vlQdLL5zYWx0MTI"
		    "zNA==",
		"{SMD5}i/Yr4/A/8Rn8WrLnWt5MVWFiYw==",
		"{LDAP-MD5}IvSzZPZLqC+3ETWO8mF5gw==",
		"{MD5}IvSzZPZLqC+3ETWO8mF5gw==",
		"{PLAIN-MD5}22f4b364f64ba82fb711358EF2617983",
	};
	char big[2000];

	(void)state;
	memset(big, 'a', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	for (size_t i = 0; i < N_OF(right); i++) {
		if (password_verify(right[i], "secret pass") != PASSWORD_OK ||
		    password_verify(right[i], "secrey pass") !=
		    PASSWORD_WRONG ||
		    password_verify(right[i], "") != PASSWORD_WRONG ||
		    password_verify(right[i], big) != PASSWORD_WRONG)
			fail_msg("%s", right[i]);
	}
}

static void
test_unknown(void **state)
{
	static const char *const bad[] = {"", "*", "!", "x", "{PLAIN}", "{",
	    "{}", "{NONE}x", "{CRYPT}", "$99$x$y", "{SHA}", "{SSHA}%",
	    "$6$"};

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		if (password_verify(bad[i], "x") == PASSWORD_OK ||
		    password_verify(bad[i], "") == PASSWORD_OK)
			fail_msg("%s", bad[i]);
		password_dummy(bad[i], "x");
	}
	assert_int_equal(password_verify("", ""), PASSWORD_UNKNOWN);
	assert_int_equal(password_verify("{NONE}x", "x"), PASSWORD_UNKNOWN);
	/* It is hashed for, so it takes its time. */
	assert_int_equal(password_verify(PASSWORD_NOBODY, "x"),
	    PASSWORD_WRONG);
	/* Too short for a digest. */
	assert_int_equal(password_verify("{SHA}YQ==", "x"), PASSWORD_WRONG);
}

static void
test_make(void **state)
{
	static const struct {
		const char *scheme;
		size_t width;
		const char *prefix;
		bool weak;
	} cases[] = {
		{"auto", 255, "$y$", false},
		{"auto", 128, "$y$", false},
		{"auto", 73, "$y$", false},
		{"auto", 72, "$5$", false},
		{"auto", 40, "$1$", true},
		{"yescrypt", 128, "$y$", false},
		{"sha512", 128, "$6$", false},
		{"sha256", 128, "$5$", false},
		{"md5", 128, "$1$", true},
		{"auto", 33, NULL, true},
		{"sha512", 105, NULL, true},
		{"rot13", 255, NULL, true},
		{"", 255, NULL, true},
	};
	struct str a = {0}, b = {0};
	char big[600];

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		const char *want = cases[i].prefix;

		if (want == NULL) {
			assert_int_equal(password_make(cases[i].scheme,
			    cases[i].width, "pw", &a), -1);
			assert_int_equal(errno, i < N_OF(cases) - 2 ? E2BIG :
			    EINVAL);
			continue;
		}
		assert_int_equal(password_make(cases[i].scheme,
		    cases[i].width, "pw", &a), 0);
		assert_memory_equal(str_c(&a), want, strlen(want));
		assert_true(a.len <= cases[i].width);
		assert_int_equal(password_verify(str_c(&a), "pw"),
		    PASSWORD_OK);
		assert_int_equal(password_is_weak(str_c(&a)), cases[i].weak);
	}
	/* Two of the same differ. */
	assert_int_equal(password_make("sha256", 255, "pw", &a), 0);
	assert_int_equal(password_make("sha256", 255, "pw", &b), 0);
	assert_string_not_equal(str_c(&a), str_c(&b));
	memset(big, 'a', sizeof big);
	big[511] = '\0';
	assert_int_equal(password_make("sha256", 255, big, &a), 0);
	assert_int_equal(password_verify(str_c(&a), big), PASSWORD_OK);
	big[511] = 'a';
	big[512] = '\0';
	assert_int_equal(password_make("sha256", 255, big, &a), -1);
	assert_int_equal(errno, ERANGE);
	assert_int_equal(password_make("sha256", 255, "", &a), -1);
	assert_int_equal(errno, ERANGE);
	assert_true(password_is_weak("abvOVwEVZZ8hM"));
	assert_true(password_is_weak("{PLAIN}x"));
	assert_false(password_is_weak("{SHA512-CRYPT}$6$x"));
	password_wipe(&a);
	password_wipe(&b);
}

static void
test_challenge(void **state)
{
	(void)state;
	/* 2195:2 */
	assert_true(password_is_cram_md5("tanstaaftanstaaf",
	    "<1896.697170952@postoffice.reston.mci.net>",
	    "b913a602c7eda7a495b4e6e7334d3890"));
	assert_false(password_is_cram_md5("tanstaaftanstaaf",
	    "<1896.697170953@postoffice.reston.mci.net>",
	    "b913a602c7eda7a495b4e6e7334d3890"));
	/* 1939:7 */
	assert_true(password_is_apop("tanstaaf",
	    "<1896.697170952@dbc.mtview.ca.us>",
	    "c4c9334bac560ecc979e58001b3e22fb"));
	assert_false(password_is_apop("tanstaa",
	    "<1896.697170952@dbc.mtview.ca.us>",
	    "c4c9334bac560ecc979e58001b3e22fb"));
	assert_false(password_is_apop("tanstaaf", "<1@x>", ""));
	/* No password is kept: the right answer to that is no answer. */
	assert_false(password_is_apop("", "abc",
	    "900150983cd24fb0d6963f7d28e17f72"));
	assert_false(password_is_cram_md5("", "",
	    "74e6f7298a9c2d168935f58c001bad88"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_challenge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
