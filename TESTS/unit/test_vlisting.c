/* test_vlisting.c - flags by letter, and what vmoddomlimits takes. */
#include "vpop/domlimits.h"
#include "vpop/limits.h"
#include "vpop/vflags.h"
#include "TESTS/unit/unit.h"

static void
letters(void **state)
{
	uint32_t all = 0, bits = 0;
	char bad = '?';

	(void)state;
	/* every flag of an account once, with a letter of its own */
	for (size_t i = 0; i < vflags_n; i++) {
		assert_int_equal(all & vflags[i].bit, 0);
		all |= vflags[i].bit;
		assert_int_equal(vflags_of_user(vflags[i].user),
		    vflags[i].bit);
	}
	assert_int_equal(all, 0x7ffff);
	assert_int_equal(vflags_of_user('d'), 0x1);
	assert_int_equal(vflags_of_user('S'), 0x10000);
	assert_int_equal(vflags_of_user('x'), 0);
	assert_int_equal(vflags_of_user('\0'), 0);
	/* of a domain: u d p s w i r c x m */
	assert_int_equal(vflags_of_domain("udpswircxm", &bits, &bad), 0);
	assert_int_equal(bits, 0x40 | 0x1 | 0x2 | 0x800 | 0x4 | 0x8 | 0x20 |
	    0x4000 | 0x8000 | 0x40000);
	assert_int_equal(vflags_of_domain("", &bits, &bad), 0);
	assert_int_equal(bits, 0);
	assert_int_equal(vflags_of_domain("pab", &bits, &bad), -1);
	assert_int_equal(bad, 'a');
}

static void
effective(void **state)
{
	struct vlimits l;

	(void)state;
	vlimits_init(&l);
	l.disable = VPOP_NO_POP | VPOP_NO_IMAP;
	assert_int_equal(vflags_effective(0, &l), 0xa);
	assert_int_equal(vflags_effective(VPOP_NO_POP | VPOP_NO_SMTP, &l),
	    0x80a);
	assert_int_equal(vflags_effective(VPOP_OVERRIDE, &l), 0x2000);
}

static void
json(void **state)
{
	struct str out = {0};

	(void)state;
	vflags_cat_json(&out, 0);
	vflags_cat_json(&out, VPOP_NO_IMAP | VPOP_NO_POP | VPOP_OVERRIDE);
	assert_string_equal(str_c(&out),
	    "[][\"no_pop\",\"no_imap\",\"override_domain_limits\"]");
	str_free(&out);
}

static void
taken(void **state)
{
	static const struct { char letter; const char *value; int r; }
	cases[] = {
		{'P', "0", 0}, {'P', "2147483647", 0}, {'P', "-1", 0},
		{'P', "2147483648", -1}, {'P', "-2", -1}, {'P', "1 ", -1},
		{'P', "", -1}, {'P', "+1", -1},
		{'Q', "8796093022207", 0}, {'Q', "8796093022208", -1},
		{'Q', "1M", -1}, {'Q', "-1", -1},
		{'q', "10M", 0}, {'q', "NOQUOTA", 0}, {'q', "noquota", 0},
		{'q', "nothing", -1}, {'q', "5,5C", -1}, {'q', "", -1},
		{'M', "9223372036854775807", 0},
		{'M', "9223372036854775808", -1},
		{'p', "", 0}, {'p', "a", 0}, {'p', "cmd", 0}, {'p', "r", -1},
		{'g', "p", 0}, {'g', "b", -1},
		{'Z', "1", -1}, {'v', "1", -1},
	};
	struct vlimits l;
	struct str why = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct vlimits before;

		vlimits_init(&l);
		l.disable = VPOP_NO_DIALUP;
		before = l;
		str_clear(&why);
		if (domlimits_set(&l, cases[i].letter, cases[i].value,
		    &why) != cases[i].r)
			fail_msg("-%c %s", cases[i].letter, cases[i].value);
		/* a reason for what is refused, which changes nothing */
		assert_int_equal(why.len > 0, cases[i].r < 0);
		if (cases[i].r < 0)
			assert_true(vlimits_equal(&l, &before));
		assert_true(vlimits_is_valid(&l));
	}
	vlimits_init(&l);
	assert_int_equal(domlimits_set(&l, 'q', "10M", &why), 0);
	assert_int_equal(l.defaultquota, 10485760);
	assert_int_equal(domlimits_set(&l, 'q', "NOQUOTA", &why), 0);
	assert_int_equal(l.defaultquota, 0);
	assert_int_equal(domlimits_set(&l, 'u', "cd", &why), 0);
	assert_int_equal(l.perm_maillist_users, 5);
	assert_int_equal(domlimits_set(&l, 'u', "", &why), 0);
	assert_int_equal(l.perm_maillist_users, 0);
	str_free(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters),
		cmocka_unit_test(effective),
		cmocka_unit_test(json),
		cmocka_unit_test(taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
