/* test_pw2u.c - passwd lines to assign lines. */
#include "TESTS/unit/unit.h"

#include "lspawn/pw2u.h"
#include "mail/users.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char passwd[] =
    "root:x:0:0:root:/root:/bin/sh\n"
    "alias:x:7790:2108::/var/qmail/alias:/bin/true\n"
    "joe:x:503:78:Joe,,,:/home/joe:/bin/sh\n"
    "Big:x:504:78::/home/big:/bin/sh\n";

static int
nothing(void *arg, const struct users_line *l)
{
	(void)l;
	++*(size_t *)arg;
	return 0;
}

static void
check(const char *in, const struct pw2u_options *o,
    const struct pw2u_lists *l, const char *want)
{
	struct str out = {0}, why = {0};
	size_t lines = 0, at;
	const char *bad;

	assert_int_equal(pw2u_convert(in, strlen(in), o, l, &out, &why), 0);
	assert_string_equal(str_c(&out), want);
	/* What we make, qmail-newu takes. */
	assert_int_equal(users_parse_assign(str_c(&out), out.len, nothing,
	    &lines, &at, &bad), 0);
	str_free(&out);
	str_free(&why);
}

static void
test_plain(void **state)
{
	struct pw2u_options o = {.homes = PW2U_IGNORE, .separator = '-'};
	struct pw2u_lists l = {0};

	(void)state;
	check(passwd, &o, &l,
	    "+:alias:7790:2108:/var/qmail/alias:-::\n"
	    "=alias:alias:7790:2108:/var/qmail/alias:::\n"
	    "+alias-:alias:7790:2108:/var/qmail/alias:-::\n"
	    "=joe:joe:503:78:/home/joe:::\n"
	    "+joe-:joe:503:78:/home/joe:-::\n"
	    ".\n");
	o.upper = true;
	o.slash = true;
	o.separator = '+';
	str_copys(&l.exclude, "alias\n");
	check(passwd, &o, &l,
	    "+:alias:7790:2108:/var/qmail/alias:-/::\n"
	    "=joe:joe:503:78:/home/joe:::\n"
	    "+joe+:joe:503:78:/home/joe:-/::\n"
	    "=Big:Big:504:78:/home/big:::\n"
	    "+Big+:Big:504:78:/home/big:-/::\n"
	    ".\n");
	o.separator = '\0';
	o.upper = false;
	o.slash = false;
	check(passwd, &o, &l,
	    "+:alias:7790:2108:/var/qmail/alias:-::\n"
	    "=joe:joe:503:78:/home/joe:::\n"
	    ".\n");
	pw2u_lists_free(&l);
}

static void
test_lists(void **state)
{
	struct pw2u_options o = {.homes = PW2U_IGNORE, .separator = '-'};
	struct pw2u_lists l = {.has_include = true};

	(void)state;
	check(passwd, &o, &l, "+:alias:7790:2108:/var/qmail/alias:-::\n.\n");
	str_copys(&l.include, "joe \nBig\n");
	str_copys(&l.mailnames, "x:y\njoe:joe:joe.user\n");
	str_copys(&l.subusers, "# shops\nsales:joe:shop:\nhelp:ann:h:\n");
	str_copys(&l.append, "=extra:e:1:1:/e:::");
	check(passwd, &o, &l,
	    "+:alias:7790:2108:/var/qmail/alias:-::\n"
	    "=joe:joe:503:78:/home/joe:::\n"
	    "+joe-:joe:503:78:/home/joe:-::\n"
	    "=joe.user:joe:503:78:/home/joe:::\n"
	    "+joe.user-:joe:503:78:/home/joe:-::\n"
	    "=sales:joe:503:78:/home/joe:-:shop:\n"
	    "+sales-:joe:503:78:/home/joe:-:shop-:\n"
	    "=extra:e:1:1:/e:::\n"
	    ".\n");
	pw2u_lists_free(&l);
}

static void
test_homes(void **state)
{
	char top[] = "/tmp/test_pw2u.XXXXXX", text[512];
	struct pw2u_options o = {.homes = PW2U_SKIP, .separator = '\0'};
	struct pw2u_lists l = {0};
	struct str out = {0}, why = {0};
	const unsigned me = getuid() == 0 ? 65534 : getuid();

	(void)state;
	str_copys(&l.exclude, "alias\n");
	assert_non_null(mkdtemp(top));
	if (getuid() == 0)
		assert_int_equal(chown(top, me, me), 0);
	(void)snprintf(text, sizeof text, "alias:x:1:1::/:\n"
	    "mine:x:%u:1::%s:\nother:x:%u:1::%s:\ngone:x:7:1::%s/no:\n", me,
	    top, me + 1, top, top);
	assert_int_equal(pw2u_convert(text, strlen(text), &o, &l, &out,
	    &why), 0);
	assert_non_null(strstr(str_c(&out), "=mine:"));
	assert_null(strstr(str_c(&out), "=other:"));
	assert_null(strstr(str_c(&out), "=gone:"));
	o.homes = PW2U_STOP;
	assert_int_equal(pw2u_convert(text, strlen(text), &o, &l, &out,
	    &why), -1);
	assert_non_null(strstr(str_c(&why), "gone"));
	(void)rmdir(top);
	pw2u_lists_free(&l);
	str_free(&out);
	str_free(&why);
}

static void
test_bad(void **state)
{
	static const char *const bad[] = {
		"", "joe:x:503:78::/home/joe:/bin/sh\n",        /* no alias */
		"alias:x:1:1:/a:/b\n", "alias:x:1:1::/a:/b:c\n",
		"alias:x:one:1::/a:/b\n", ":x:1:1::/a:/b\n", "junk\n",
	};
	struct pw2u_options o = {.homes = PW2U_IGNORE, .separator = '-'};
	struct pw2u_lists l = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct str out = {0}, why = {0};

		assert_int_equal(pw2u_convert(bad[i], strlen(bad[i]), &o, &l,
		    &out, &why), -1);
		assert_true(why.len > 0);
		str_free(&out);
		str_free(&why);
	}
	{
		struct str out = {0}, why = {0};

		str_copys(&l.subusers, "sales:joe\n");
		assert_int_equal(pw2u_convert(passwd, strlen(passwd), &o, &l,
		    &out, &why), -1);
		str_free(&out);
		str_free(&why);
	}
	pw2u_lists_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_homes),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
