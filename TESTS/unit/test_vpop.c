/* test_vpop.c - names that are allowed, and addresses taken apart. */
#include "vpop/vpop.h"

#include "TESTS/unit/unit.h"

#define LEN64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LEN32 "0123456789abcdef0123456789abcdef"

static const struct { const char *name; enum vpop_error find, make; }
users[] = {
	{"bob", VPOP_OK, VPOP_OK},
	{"BOB", VPOP_OK, VPOP_OK},
	{"a1!#$&'*+-.=?^_`{|}~z", VPOP_OK, VPOP_OK},
	{LEN64, VPOP_OK, VPOP_OK},
	{LEN64 "x", VPOP_USER_LONG, VPOP_USER_LONG},
	{"", VPOP_ILLEGAL_USERNAME, VPOP_ILLEGAL_USERNAME},
	{"b ob", VPOP_ILLEGAL_USERNAME, VPOP_ILLEGAL_USERNAME},
	{"b%ob", VPOP_ILLEGAL_USERNAME, VPOP_ILLEGAL_USERNAME},
	{"b\"ob", VPOP_ILLEGAL_USERNAME, VPOP_ILLEGAL_USERNAME},
	{"b:ob", VPOP_ILLEGAL_USERNAME, VPOP_ILLEGAL_USERNAME},
	{"b\nob", VPOP_ILLEGAL_USERNAME, VPOP_ILLEGAL_USERNAME},
	{"b@ob", VPOP_ILLEGAL_USERNAME, VPOP_ILLEGAL_USERNAME},
	{"b\\ob", VPOP_ILLEGAL_USERNAME, VPOP_ILLEGAL_USERNAME},
	{"b(ob", VPOP_ILLEGAL_USERNAME, VPOP_ILLEGAL_USERNAME},
	{"b\303\266b", VPOP_ILLEGAL_USERNAME, VPOP_ILLEGAL_USERNAME},
	{"b", VPOP_OK, VPOP_ILLEGAL_USERNAME},
	{"a/b", VPOP_OK, VPOP_ILLEGAL_USERNAME},
	{"..", VPOP_OK, VPOP_ILLEGAL_USERNAME},
	{"a..b", VPOP_OK, VPOP_ILLEGAL_USERNAME},
	{".bob", VPOP_OK, VPOP_ILLEGAL_USERNAME},
	{"vpasswd", VPOP_OK, VPOP_ILLEGAL_USERNAME},
	{"VPASSWD", VPOP_OK, VPOP_ILLEGAL_USERNAME},
	{"vpasswd.cdb", VPOP_OK, VPOP_ILLEGAL_USERNAME},
	{"vpasswd2", VPOP_OK, VPOP_OK},
};

static void
user_names(void **state)
{
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(users); i++) {
		str_copys(&s, users[i].name);
		if (vpop_user_name(&s, false) != users[i].find)
			fail_msg("find %s", users[i].name);
		str_copys(&s, users[i].name);
		if (vpop_user_name(&s, true) != users[i].make)
			fail_msg("make %s", users[i].name);
	}
	str_copys(&s, "BoB.X");
	assert_int_equal(vpop_user_name(&s, true), VPOP_OK);
	assert_string_equal(str_c(&s), "bob.x");
	str_copyb(&s, "bo\0b", 4);
	assert_int_equal(vpop_user_name(&s, false), VPOP_ILLEGAL_USERNAME);
	str_free(&s);
}

static const struct { const char *name; enum vpop_error want; } domains[] = {
	{"example.com", VPOP_OK},
	{"EXAMPLE.com", VPOP_OK},
	{"a.b", VPOP_OK},
	{"localhost", VPOP_OK},
	{"xn--bcher-kva.example", VPOP_OK},
	{"1.2", VPOP_OK},
	{LEN32 LEN64, VPOP_OK},
	{LEN32 LEN64 "x", VPOP_DOMAIN_LONG},
	{"", VPOP_BAD_DOMAIN},
	{"ab", VPOP_BAD_DOMAIN},
	{"-a.b", VPOP_BAD_DOMAIN},
	{"a.b-", VPOP_BAD_DOMAIN},
	{"a..b", VPOP_BAD_DOMAIN},
	{"...", VPOP_BAD_DOMAIN},
	{".a.b", VPOP_BAD_DOMAIN},
	{"a.b.", VPOP_BAD_DOMAIN},
	{"a_b.c", VPOP_BAD_DOMAIN},
	{"a/b.c", VPOP_BAD_DOMAIN},
	{"a b.c", VPOP_BAD_DOMAIN},
	{"a.b\n", VPOP_BAD_DOMAIN},
	{"b\303\266b.de", VPOP_BAD_DOMAIN},
};

static void
domain_names(void **state)
{
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(domains); i++) {
		str_copys(&s, domains[i].name);
		if (vpop_domain_name(&s) != domains[i].want)
			fail_msg("%s", domains[i].name);
	}
	str_copys(&s, "EXAMPLE.com");
	assert_int_equal(vpop_domain_name(&s), VPOP_OK);
	assert_string_equal(str_c(&s), "example.com");
	str_free(&s);
}

static const struct {
	const char *addr;
	enum vpop_error want;
	const char *user, *domain;
} splits[] = {
	{"bob@example.com", VPOP_OK, "bob", "example.com"},
	{"Bob@Example.COM", VPOP_OK, "bob", "example.com"},
	{"bob%example.com", VPOP_OK, "bob", "example.com"},
	{"bob/example.com", VPOP_OK, "bob", "example.com"},
	{"a/b@example.com", VPOP_OK, "a/b", "example.com"},
	{"bob", VPOP_OK, "bob", ""},
	{"a%b@example.com", VPOP_ILLEGAL_USERNAME, NULL, NULL},
	{"bob@", VPOP_BAD_DOMAIN, NULL, NULL},
	{"@example.com", VPOP_ILLEGAL_USERNAME, NULL, NULL},
	{"bob@a@b.c", VPOP_BAD_DOMAIN, NULL, NULL},
	{"bob/../x", VPOP_BAD_DOMAIN, NULL, NULL},
	{"", VPOP_ILLEGAL_USERNAME, NULL, NULL},
	{LEN64 "x@example.com", VPOP_USER_LONG, NULL, NULL},
	{"bob@" LEN32 LEN64 "x", VPOP_DOMAIN_LONG, NULL, NULL},
};

static void
addresses(void **state)
{
	struct str user = {0}, domain = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(splits); i++) {
		if (vpop_split(splits[i].addr, &user, &domain) !=
		    splits[i].want)
			fail_msg("%s", splits[i].addr);
		if (splits[i].user == NULL)
			continue;
		assert_string_equal(str_c(&user), splits[i].user);
		assert_string_equal(str_c(&domain), splits[i].domain);
	}
	str_free(&user);
	str_free(&domain);
}

static void
error_texts(void **state)
{
	(void)state;
	assert_int_equal(VPOP_ILLEGAL_USERNAME, -1);
	assert_int_equal(VPOP_NO_DOMAIN, -11);
	assert_int_equal(VPOP_CATCHALL, -55);
	assert_string_equal(vpop_error_text(VPOP_NO_USER),
	    "user does not exist");
	assert_non_null(vpop_error_text((enum vpop_error)-99));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(user_names),
		cmocka_unit_test(domain_names),
		cmocka_unit_test(addresses),
		cmocka_unit_test(error_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
