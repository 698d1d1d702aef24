/* test_program.c - which commands of .qmail files are executed directly, and
 * what their ends mean. */
#include "mail/program.h"

#include "mail/verdict.h"
#include "TESTS/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* Words joined by "|"; NULL: a shell's. */
static const struct {
	const char *command, *words;
} cases[] = {
	{"prog", "prog"},
	{"prog a b", "prog|a|b"},
	{"  prog\ta  b  ", "prog|a|b"},
	{"/x/bin/vdelivermail '' bounce-no-mailbox",
	    "/x/bin/vdelivermail||bounce-no-mailbox"},
	{"prog ''", "prog|"},
	{"prog '' \"\" ''''", "prog|||"},
	{"prog 'a b;$c\"`d\\'", "prog|a b;$c\"`d\\"},
	{"prog \"a b;'c\"", "prog|a b;'c"},
	{"prog a'b'\"c\"d", "prog|abcd"},
	{"prog a=b", "prog|a=b"},
	{"", NULL},
	{"  ", NULL},
	{"''", NULL},
	{"a=b prog", NULL},
	{"prog $EXT", NULL},
	{"prog \"$EXT\"@x", NULL},
	{"prog \"`id`\"", NULL},
	{"prog \"a\\b\"", NULL},
	{"prog \"a!b\"", NULL},
	{"prog 'open", NULL},
	{"prog \"open", NULL},
	{"prog a;b", NULL},
	{"prog a|b", NULL},
	{"prog a>b", NULL},
	{"prog *", NULL},
	{"prog ~", NULL},
	{"prog #", NULL},
	{"prog a\\ b", NULL},
	{"prog 'a'$b", NULL},
};

static void
test_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct str words = {0};
		size_t n;
		int r = program_split(cases[i].command, &words, &n);

		if ((r == 0) != (cases[i].words != NULL))
			fail_msg("command \"%s\"", cases[i].command);
		if (r == 0) {
			assert_true(words.len > 0);
			for (size_t k = 0; k + 1 < words.len; k++)
				if (words.s[k] == '\0') {
					words.s[k] = '|';
					n--;
				}
			assert_string_equal(str_c(&words), cases[i].words);
			assert_int_equal(n, 1);
		}
		str_free(&words);
	}
}

static void
test_codes(void **state)
{
	static const int hard[] = {100, 64, 65, 70, 76, 77, 78, 112};
	static const int soft[] = {1, 2, 63, 71, 75, 98, 101, 111, 255};

	(void)state;
	assert_int_equal(program_code(0), VERDICT_OK);
	assert_int_equal(program_code(99), PROGRAM_STOP);
	for (size_t i = 0; i < N_OF(hard); i++)
		assert_int_equal(program_code(hard[i]), VERDICT_HARD);
	for (size_t i = 0; i < N_OF(soft); i++)
		assert_int_equal(program_code(soft[i]), VERDICT_SOFT);
}

static void
test_run(void **state)
{
	static const char *const env[] = {"PATH=/usr/bin:/bin", "X=7", NULL};
	char path[] = "/tmp/unit-program.XXXXXX";
	struct str words = {0};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(write(fd, "hello\n", 6), 6);
	/* From the beginning, each time; direct and by the shell. */
	assert_int_equal(program_run("grep -q '^hello'", env, fd, 10000,
	    &words), 0);
	assert_int_equal(program_run("grep -q hello && exit 99", env, fd,
	    10000, &words), PROGRAM_STOP);
	assert_int_equal(program_run("exit \"$X\"7", env, fd, 10000, &words),
	    VERDICT_HARD);
	assert_int_equal(program_run("false", env, fd, 10000, &words),
	    VERDICT_SOFT);
	assert_int_equal(words.len, 0);
	assert_int_equal(program_run("kill -9 $$", env, fd, 10000, &words),
	    VERDICT_SOFT);
	assert_non_null(strstr(str_c(&words), "crashed"));
	str_clear(&words);
	assert_int_equal(program_run("sleep 60", env, fd, 10, &words),
	    VERDICT_SOFT);
	assert_non_null(strstr(str_c(&words), "ended"));
	str_free(&words);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
