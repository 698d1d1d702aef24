/* test_verdict.c - exit codes to report letters, and local parts to accounts
 * of the machine that runs this. */
#include "TESTS/unit/unit.h"

#include "lib/user.h"
#include "mail/getpw.h"
#include "mail/verdict.h"

static void
test_letters(void **state)
{
	/* From the documented mapping; any other code is D. */
	static const int soft[] = {111, 71, 74, 75, 112, 113, 115, 116, 117,
	    118, 119, 120, 121, 122, 127};

	(void)state;
	for (unsigned code = 0; code < 256; code++) {
		struct str s = {0};
		char want = code == 0 ? 'K' : 'D';

		for (size_t i = 0; i < N_OF(soft); i++)
			if ((unsigned)soft[i] == code)
				want = 'Z';
		verdict_cat(&s, code, "said\0hidden", 11);
		assert_int_equal(s.s[0], want);
		assert_string_equal(str_c(&s) + s.len - 4, "said");
		assert_int_equal(strlen(str_c(&s)), s.len);
		str_free(&s);
	}
}

static void
test_accounts(void **state)
{
	struct users_entry e = {0};
	struct user u = {0};
	char longname[200];

	(void)state;
	memset(longname, 'x', sizeof longname - 1);
	longname[sizeof longname - 1] = '\0';
	/* Root is nobody's mailbox; without an alias user that is trouble. */
	if (user_find("alias", &u) == USER_NONE) {
		assert_int_equal(getpw_find("root", &e), VERDICT_NOALIAS);
		assert_int_equal(getpw_find(longname, &e), VERDICT_NOALIAS);
		assert_int_equal(getpw_find("", &e), VERDICT_NOALIAS);
		assert_int_equal(getpw_find("no-such-user", &e),
		    VERDICT_NOALIAS);
		assert_int_equal(getpw_find("---", &e), VERDICT_NOALIAS);
	} else {
		assert_int_equal(getpw_find("root-X", &e), 0);
		assert_string_equal(str_c(&e.user), "alias");
		assert_string_equal(str_c(&e.dash), "-");
		assert_string_equal(str_c(&e.ext), "root-X");
	}
	users_entry_free(&e);
	user_free(&u);
	/* Debian's man owns its home. */
	if (user_find("man", &u) == USER_OK && getpw_find("man", &e) == 0 &&
	    strcmp(str_c(&e.user), "man") == 0) {
		assert_string_equal(str_c(&e.dash), "");
		users_entry_free(&e);
		assert_int_equal(getpw_find("MAN-Some-Thing", &e), 0);
		assert_string_equal(str_c(&e.user), "man");
		assert_string_equal(str_c(&e.dash), "-");
		assert_string_equal(str_c(&e.ext), "Some-Thing");
		assert_int_equal(e.uid, u.uid);
		users_entry_free(&e);
		assert_int_equal(getpw_find("man-", &e), 0);
		assert_string_equal(str_c(&e.dash), "-");
		assert_string_equal(str_c(&e.ext), "");
	}
	users_entry_free(&e);
	user_free(&u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_letters),
		cmocka_unit_test(test_accounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
