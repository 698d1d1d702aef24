/* test_dotqmail.c - every form of a .qmail line. */
#include "TESTS/unit/unit.h"

#include "mail/dotqmail.h"

struct want {
	enum dotqmail_kind kind;
	const char *arg;
};

#define T(s) s, sizeof(s) - 1
static const struct {
	const char *text;
	size_t n;
	bool forward_only;
	size_t nsteps;
	struct want step[5];
} cases[] = {
	{T(""), false, 0, {{0, NULL}}},
	{T("#\n"), false, 0, {{0, NULL}}},
	{T("./Maildir/\n"), false, 1, {{DOTQMAIL_MAILDIR, "./Maildir/"}}},
	{T("./Maildir/"), false, 1, {{DOTQMAIL_MAILDIR, "./Maildir/"}}},
	{T("./Maildir/ \t \n"), false, 1,
	    {{DOTQMAIL_MAILDIR, "./Maildir/"}}},
	{T("/a/b"), false, 1, {{DOTQMAIL_MBOX, "/a/b"}}},
	{T("./Mailbox\n"), false, 1, {{DOTQMAIL_MBOX, "./Mailbox"}}},
	{T(".\n/\n"), false, 2, {{DOTQMAIL_MBOX, "."},
	    {DOTQMAIL_MAILDIR, "/"}}},
	{T("|cmd  arg \n"), false, 1, {{DOTQMAIL_PROGRAM, "cmd  arg"}}},
	{T("| cmd\n|\n"), false, 2, {{DOTQMAIL_PROGRAM, " cmd"},
	    {DOTQMAIL_PROGRAM, ""}}},
	{T("&a@b\nc@d\njo\n&\n"), false, 4, {{DOTQMAIL_FORWARD, "a@b"},
	    {DOTQMAIL_FORWARD, "c@d"}, {DOTQMAIL_FORWARD, "jo"},
	    {DOTQMAIL_FORWARD, ""}}},
	{T(" x@y\n"), false, 1, {{DOTQMAIL_FORWARD, " x@y"}}},
	/* Blank lines: only the first is an error. */
	{T("\n./a\n"), false, 2, {{DOTQMAIL_BLANK_FIRST, ""},
	    {DOTQMAIL_MBOX, "./a"}}},
	{T(" \t\n./a\n"), false, 2, {{DOTQMAIL_BLANK_FIRST, ""},
	    {DOTQMAIL_MBOX, "./a"}}},
	{T("  "), false, 1, {{DOTQMAIL_BLANK_FIRST, ""}}},
	{T("#\n\n \n./a\n"), false, 1, {{DOTQMAIL_MBOX, "./a"}}},
	/* Only forwards. */
	{T("./a/\n|b\n&c\n"), true, 3, {{DOTQMAIL_NO_FILES, "./a/"},
	    {DOTQMAIL_NO_PROGRAMS, "b"}, {DOTQMAIL_FORWARD, "c"}}},
	{T("./a\n+list\n./b\n&c\n|d\n"), false, 4, {{DOTQMAIL_MBOX, "./a"},
	    {DOTQMAIL_NO_FILES, "./b"}, {DOTQMAIL_FORWARD, "c"},
	    {DOTQMAIL_NO_PROGRAMS, "d"}}},
	{T("+listen\n+ list\n+\n./b\n"), false, 1, {{DOTQMAIL_MBOX, "./b"}}},
	{T("+list \n./b\n"), false, 1, {{DOTQMAIL_NO_FILES, "./b"}}},
	/* A NUL hides nothing behind it. */
	{T("a@b\0./x\n&c\n"), false, 2, {{DOTQMAIL_NUL, ""},
	    {DOTQMAIL_FORWARD, "c"}}},
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct dotqmail dq = {0};

		dotqmail_parse(&dq, cases[i].text, cases[i].n,
		    cases[i].forward_only);
		assert_int_equal(dq.n, cases[i].nsteps);
		for (size_t k = 0; k < dq.n; k++) {
			assert_int_equal(dq.steps[k].kind,
			    cases[i].step[k].kind);
			assert_string_equal(dotqmail_arg(&dq, k),
			    cases[i].step[k].arg);
		}
		dotqmail_free(&dq);
		assert_null(dq.steps);
	}
}

static void
test_only_maildirs(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} c[] = {
		{"./a/\n", true}, {"./a/\n#\n/b/\n", true}, {"#\n", false},
		{"", false}, {"./a/\n&b\n", false}, {"./a\n", false},
		{"\n./a/\n", false}, {"+list\n./a/\n", false},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(c); i++) {
		struct dotqmail dq = {0};

		dotqmail_parse(&dq, c[i].text, strlen(c[i].text), false);
		assert_int_equal(dotqmail_only_maildirs(&dq), c[i].want);
		dotqmail_free(&dq);
	}
}

/* A megabyte of the shortest lines. */
static void
test_many(void **state)
{
	struct dotqmail dq = {0};
	struct str s = {0};

	(void)state;
	for (int i = 0; i < 1 << 19; i++)
		str_cats(&s, "a\n");
	dotqmail_parse(&dq, str_c(&s), s.len, false);
	assert_int_equal(dq.n, 1 << 19);
	assert_string_equal(dotqmail_arg(&dq, dq.n - 1), "a");
	dotqmail_free(&dq);
	str_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_only_maildirs),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
