/* test_queuectl.c - command lines of qmail-queuectl. */
#include "queue/queuectl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define WORDS 12

static int
parse(struct queuectl *ctl, const char *line, struct str *why)
{
	char copy[300], *argv[WORDS + 2];
	char *s = copy;
	int argc = 0;
	static char prog[] = "qmail-queuectl";
	static char kept[WORDS][100];   /* options point into them */

	argv[argc++] = prog;
	(void)strncpy(copy, line, sizeof copy - 1);
	copy[sizeof copy - 1] = '\0';
	while (*s != '\0' && argc <= WORDS) {
		size_t n = strcspn(s, "|");

		memcpy(kept[argc - 1], s, n);
		kept[argc - 1][n] = '\0';
		argv[argc] = kept[argc - 1];
		argc++;
		s += n + (s[n] == '|');
	}
	argv[argc] = NULL;
	str_clear(why);
	return queuectl_parse(ctl, argc, argv, why);
}

static void
test_good(void **state)
{
	struct queuectl ctl;
	struct str why = {0};

	(void)state;
	assert_int_equal(parse(&ctl, "list", &why), 0);
	assert_int_equal(ctl.command, QUEUECTL_LIST);
	queuectl_free(&ctl);

	assert_int_equal(parse(&ctl, "delete|12|#7|12|-n", &why), 0);
	assert_int_equal(ctl.command, QUEUECTL_ACT);
	assert_int_equal(ctl.verb, QCTL_DELETE);
	assert_int_equal(ctl.sel.ids.n, 2);
	assert_true(ctl.sel.ids.ids[0] == 7 && ctl.sel.ids.ids[1] == 12);
	assert_true(ctl.dry_run);
	queuectl_free(&ctl);

	assert_int_equal(parse(&ctl, "--sender=@x|hold|--recipient|*@y|"
	    "--age|>2 days|--json", &why), 0);
	assert_int_equal(ctl.verb, QCTL_HOLD);
	assert_string_equal(ctl.sel.sender, "@x");
	assert_string_equal(ctl.sel.rcpt, "*@y");
	assert_int_equal(ctl.sel.age, QSELECT_OLDER);
	assert_int_equal(ctl.sel.seconds, 172800);
	assert_true(ctl.json);
	queuectl_free(&ctl);

	assert_int_equal(parse(&ctl, "release|--held", &why), 0);
	queuectl_free(&ctl);
	assert_int_equal(parse(&ctl, "expire|--all", &why), 0);
	queuectl_free(&ctl);
	assert_int_equal(parse(&ctl, "show|--sender=", &why), 0);
	assert_string_equal(ctl.sel.sender, "");
	queuectl_free(&ctl);
	assert_int_equal(parse(&ctl, "flush", &why), 0);
	assert_int_equal(ctl.verb, QCTL_FLUSH);
	queuectl_free(&ctl);
	assert_int_equal(parse(&ctl, "repair|--dry-run", &why), 0);
	assert_int_equal(ctl.command, QUEUECTL_REPAIR);
	queuectl_free(&ctl);
	str_free(&why);
}

static void
test_wrong(void **state)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{"", ""},
		{"--all", ""},
		{"list|--colour", ""},
		{"list|--json=yes", ""},
		{"remove|5", "no such command: remove"},
		{"delete", "say which messages: numbers, a condition, or "
		    "--all"},
		{"hold|--dry-run", "say which messages: numbers, a "
		    "condition, or --all"},
		{"delete|x5", "no message number: x5"},
		{"delete|0", "no message number: 0"},
		{"delete|5 ", "no message number: 5_"},
		{"delete|\033[m", "no message number: _[m"},
		{"delete|--sender", "an option lacks its value"},
		{"delete|--sender=a|--sender=b", "--sender given twice"},
		{"delete|--recipient=a|--recipient=b",
		    "--recipient given twice"},
		{"delete|--age=1d|--age=2d", "--age given twice"},
		{"delete|--age=old", "no age: old"},
		{"delete|--all|5", "--all and a condition contradict each "
		    "other"},
		{"delete|--all|--held", "--all and a condition contradict "
		    "each other"},
		{"flush|5", "this command is for the whole queue: flush"},
		{"check|--held", "this command is for the whole queue: "
		    "check"},
		{"repair|--all", "this command is for the whole queue: "
		    "repair"},
	};
	struct queuectl ctl;
	struct str why = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (parse(&ctl, cases[i].line, &why) == 0)
			fail_msg("accepted: %s", cases[i].line);
		assert_string_equal(str_c(&why), cases[i].why);
		queuectl_free(&ctl);
	}
	str_free(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
