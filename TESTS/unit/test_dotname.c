/* test_dotname.c - the names of .qmail files, in their order. */
#include "mail/dotname.h"

#include "TESTS/unit/unit.h"

#include <errno.h>

static const struct {
	const char *dash, *ext;
	const char *names;      /* each with the part that default stands for */
} cases[] = {
	{"", "", ".qmail .qmaildefault="},
	{"-", "", ".qmail- .qmail-default="},
	{"-", "list", ".qmail-list .qmail-default=list"},
	{"-", "A-b.C", ".qmail-a-b:c .qmail-a-default=b.C "
	    ".qmail-default=A-b.C"},
	{"-", "a-", ".qmail-a- .qmail-a-default= .qmail-default=a-"},
	{"-", "-", ".qmail-- .qmail--default= .qmail-default=-"},
	{"-", "x-DEFAULT", ".qmail-x-default=DEFAULT "
	    ".qmail-x-default=DEFAULT .qmail-default=x-DEFAULT"},
	{"-", "xdefault", ".qmail-xdefault=default .qmail-default=xdefault"},
	{"-", "../../etc/x", ".qmail-::/::/etc/x "
	    ".qmail-default=../../etc/x"},
	{"-a-", "b", ".qmail-a-b .qmail-a-default=b"},
};

static void
test_names(void **state)
{
	struct dotname d = {0};
	struct str all = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		str_clear(&all);
		dotname_begin(&d, cases[i].dash, cases[i].ext);
		while (dotname_next(&d)) {
			if (all.len > 0)
				str_catc(&all, ' ');
			str_cat(&all, &d.name);
			if (d.have_matched)
				str_catf(&all, "=%s",
				    cases[i].ext + d.matched_at);
		}
		assert_string_equal(str_c(&all), cases[i].names);
		assert_false(dotname_next(&d));
	}
	dotname_free(&d);
	str_free(&all);
}

static void
test_absent(void **state)
{
	(void)state;
	assert_true(dotname_is_absent(ENOENT));
	assert_true(dotname_is_absent(ENAMETOOLONG));
	assert_false(dotname_is_absent(EACCES));
	assert_false(dotname_is_absent(EIO));
	assert_false(dotname_is_absent(ESTALE));
	assert_false(dotname_is_absent(EMFILE));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
