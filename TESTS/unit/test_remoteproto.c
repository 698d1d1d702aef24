/* test_remoteproto.c - commands to a qmail-remote that stays. */
#include "mail/remoteproto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_bytes(void **state)
{
	static const char want[] = "a@x\0RET=FULL\0b@y\0NOTIFY=NEVER\0c@y\0";
	struct remote_command c = {.sender = "a@x", .params = "RET=FULL",
	    .n = 2, .rcpt = {{"b@y", "NOTIFY=NEVER"}, {"c@y", ""}}};
	struct remote_command back;
	struct str s = {0};

	(void)state;
	remote_cat_command(&s, &c);
	assert_int_equal(s.len, sizeof want);   /* with the last NUL */
	assert_memory_equal(s.s, want, s.len);
	assert_int_equal(remote_parse_command(s.s, s.len, &back), 0);
	assert_int_equal(back.n, 2);
	assert_string_equal(back.sender, "a@x");
	assert_string_equal(back.params, "RET=FULL");
	assert_string_equal(back.rcpt[0].addr, "b@y");
	assert_string_equal(back.rcpt[0].params, "NOTIFY=NEVER");
	assert_string_equal(back.rcpt[1].addr, "c@y");
	assert_string_equal(back.rcpt[1].params, "");
	/* Cut anywhere it is no command, but where a recipient ends. */
	for (size_t n = 0; n < s.len; n++)
		assert_int_equal(remote_parse_command(s.s, n, &back),
		    n == s.len - 5 ? 0 : -1);
	str_free(&s);
}

static void
test_limits(void **state)
{
	struct remote_command c = {.sender = "", .params = "",
	    .n = REMOTE_RCPTS_MAX};
	struct remote_command back;
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < REMOTE_RCPTS_MAX; i++)
		c.rcpt[i] = (struct remote_rcpt){"u@h", ""};
	remote_cat_command(&s, &c);
	assert_int_equal(remote_parse_command(s.s, s.len, &back), 0);
	assert_int_equal(back.n, REMOTE_RCPTS_MAX);
	str_catb(&s, "u@h\0", 5);
	errno = 0;
	assert_int_equal(remote_parse_command(s.s, s.len, &back), -1);
	assert_int_equal(errno, EPROTO);
	str_clear(&s);
	str_catb(&s, "\0\0", 2);
	while (s.len < REMOTE_PACKET_MAX)
		str_catc(&s, 'a');
	str_catb(&s, "\0", 2);
	assert_int_equal(remote_parse_command(s.s, s.len, &back), -1);
	str_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
