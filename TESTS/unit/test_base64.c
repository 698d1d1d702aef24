/* test_base64.c - the vectors of RFC 4648, section 10, and what is none. */
#include "lib/base64.h"

#include "TESTS/unit/unit.h"

static const struct {
	const char *plain, *code;
} vectors[] = {
	{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
	{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
};

static void
test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(vectors); i++) {
		struct str s = {0};

		base64_encode(&s, vectors[i].plain, strlen(vectors[i].plain));
		assert_string_equal(str_c(&s), vectors[i].code);
		str_clear(&s);
		assert_int_equal(base64_decode(&s, vectors[i].code,
		    strlen(vectors[i].code)), 0);
		assert_string_equal(str_c(&s), vectors[i].plain);
		str_free(&s);
	}
}

static void
test_all_bytes(void **state)
{
	struct str code = {0}, plain = {0};
	char all[256];

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		all[i] = (char)(unsigned char)i;
	for (size_t n = 0; n <= sizeof all; n++) {
		str_clear(&code);
		str_copys(&plain, "x");
		base64_encode(&code, all, n);
		assert_int_equal(base64_decode(&plain, str_c(&code),
		    code.len), 0);
		assert_int_equal(plain.len, n + 1);
		assert_memory_equal(plain.s + 1, all, n);
	}
	str_free(&code);
	str_free(&plain);
}

static void
test_malformed(void **state)
{
	static const char *const bad[] = {"Z", "Zg", "Zg=", "Zg==Zg==", "=g==",
	    "Z===", "====", "Zh==", "Zm9=", "Zm9v\n", "Zm 9v", "Zm9-", "Zg==\n",
	    "Z=g=", "Zm9v=", "Zm9vZ==="};
	struct str s = {0};

	(void)state;
	str_cats(&s, "kept");
	for (size_t i = 0; i < N_OF(bad); i++) {
		assert_int_equal(base64_decode(&s, bad[i], strlen(bad[i])),
		    -1);
		assert_string_equal(str_c(&s), "kept");
	}
	assert_int_equal(base64_decode(&s, "Zm\0v", 4), -1);
	str_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_all_bytes),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
