/* test_spawnproto.c - both ends of the spawn protocol, split at every size. */
#include "mail/limits.h"
#include "mail/spawnproto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void
hello(const char *raw, size_t n, enum spawn_status want, bool wide,
    unsigned max)
{
	struct spawn_hello h = {0};
	enum spawn_status st = SPAWN_MORE;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(st, SPAWN_MORE);
		st = spawn_hello_byte(&h, (unsigned char)raw[i]);
	}
	assert_int_equal(st, want);
	if (want == SPAWN_DONE) {
		assert_int_equal(h.wide, wide);
		assert_int_equal(h.max, max);
	}
}

static void
test_hello(void **state)
{
	struct str s = {0};

	(void)state;
	hello("\x78", 1, SPAWN_DONE, false, 120);
	hello("\xff", 1, SPAWN_DONE, false, 255);
	hello("\0\1\1\0", 4, SPAWN_DONE, true, 256);
	hello("\0\1\0\0", 4, SPAWN_BAD, false, 0);
	hello("\0\2\1\0", 4, SPAWN_DONE, true, 256);
	hello("\0\2\0\0", 4, SPAWN_BAD, false, 0);
	hello("\0\0", 2, SPAWN_BAD, false, 0);
	hello("\0\3", 2, SPAWN_BAD, false, 0);
	hello("\0\1\xff\xff", 4, SPAWN_BAD, false, 0);
	hello("\0\1\1", 3, SPAWN_MORE, false, 0);
	spawn_cat_hello(&s, 1000);
	assert_int_equal(s.len, 4);
	assert_memory_equal(s.s, "\0\1\3\xe8", 4);
	str_clear(&s);
	spawn_cat_hello2(&s, 1000);
	assert_int_equal(s.len, 4);
	assert_memory_equal(s.s, "\0\2\3\xe8", 4);
	str_free(&s);
}

static void
test_command_bytes(void **state)
{
	struct str s = {0};

	(void)state;
	spawn_cat_command(&s, false, 7, "3/26", "a@x", "b@y");
	assert_int_equal(s.len, 1 + 5 + 4 + 4);
	assert_memory_equal(s.s, "\7" "3/26\0a@x\0b@y", s.len);
	str_clear(&s);
	spawn_cat_command(&s, true, 300, "3/26", "", "b@y");
	assert_memory_equal(s.s, "\1\x2c" "3/26\0\0b@y", s.len);
	str_free(&s);
}

/* Two commands in one stream, in pieces of every size. */
static void
test_command_split(void **state)
{
	(void)state;
	for (unsigned wide = 0; wide < 2; wide++) {
		struct str s = {0};

		spawn_cat_command(&s, wide, 5, "0/23", "", "u@h");
		spawn_cat_command(&s, wide, 255, "22/45", "s@h", "v@h");
		for (size_t step = 1; step <= s.len; step++) {
			struct spawn_command c = {0};
			unsigned seen = 0;

			for (size_t at = 0; at < s.len;) {
				size_t n = s.len - at < step ? s.len - at :
				    step, used;
				enum spawn_status st = spawn_command_parse(&c,
				    wide, s.s + at, n, &used);

				at += used;
				assert_int_not_equal(st, SPAWN_BAD);
				if (st != SPAWN_DONE)
					continue;
				if (seen++ == 0) {
					assert_int_equal(c.delnum, 5);
					assert_true(str_eqs(&c.messid,
					    "0/23"));
					assert_true(str_eqs(&c.sender, ""));
					assert_true(str_eqs(&c.rcpt, "u@h"));
				} else {
					assert_int_equal(c.delnum, 255);
					assert_true(str_eqs(&c.sender,
					    "s@h"));
				}
				spawn_command_next(&c);
			}
			assert_int_equal(seen, 2);
			spawn_command_free(&c);
		}
		str_free(&s);
	}
}

/* A group of two, in pieces of every size. */
static void
test_options_split(void **state)
{
	static const char want[] =
	    "\0\5" "0/23\0\0u@h\0+\0RET=HDRS\0NOTIFY=NEVER\0"
	    "\0\6" "0/23\0\0v@h\0\0\0";
	struct str s = {0};

	(void)state;
	spawn_cat_command(&s, 2, 5, "0/23", "", "u@h");
	spawn_cat_options(&s, true, "RET=HDRS", "NOTIFY=NEVER");
	spawn_cat_command(&s, 2, 6, "0/23", "", "v@h");
	spawn_cat_options(&s, false, "", "");
	assert_int_equal(s.len, sizeof want);
	assert_memory_equal(s.s, want, s.len);
	for (size_t step = 1; step <= s.len; step++) {
		struct spawn_command c = {0};
		unsigned seen = 0;

		for (size_t at = 0; at < s.len;) {
			size_t n = s.len - at < step ? s.len - at : step, used;
			enum spawn_status st = spawn_command_parse(&c, 2,
			    s.s + at, n, &used);

			at += used;
			assert_int_not_equal(st, SPAWN_BAD);
			if (st != SPAWN_DONE)
				continue;
			assert_int_equal(c.delnum, seen ? 6 : 5);
			assert_true(str_eqs(&c.rcpt, seen ? "v@h" : "u@h"));
			assert_true(str_eqs(&c.mark, seen ? "" : "+"));
			assert_true(str_eqs(&c.params, seen ? "" :
			    "RET=HDRS"));
			assert_true(str_eqs(&c.rparams, seen ? "" :
			    "NOTIFY=NEVER"));
			seen++;
			spawn_command_next(&c);
		}
		assert_int_equal(seen, 2);
		spawn_command_free(&c);
	}
	str_free(&s);
}

static void
test_notes_split(void **state)
{
	struct str s = {0};

	(void)state;
	spawn_cat_report(&s, 2, 258, "Kok\n", 4);
	spawn_cat_notes(&s, "dsn=relayed");
	spawn_cat_report(&s, 2, 3, "Zno", 3);
	spawn_cat_notes(&s, "");
	for (size_t step = 1; step <= s.len; step++) {
		struct spawn_report r = {0};
		unsigned seen = 0;

		for (size_t at = 0; at < s.len;) {
			size_t n = s.len - at < step ? s.len - at : step, used;

			if (spawn_report_parse(&r, 2, s.s + at, n, &used) ==
			    SPAWN_DONE) {
				assert_int_equal(r.delnum, seen ? 3 : 258);
				assert_true(str_eqs(&r.text, seen ? "Zno" :
				    "Kok\n"));
				assert_true(str_eqs(&r.notes, seen ? "" :
				    "dsn=relayed"));
				seen++;
				spawn_report_next(&r);
			}
			at += used;
		}
		assert_int_equal(seen, 2);
		spawn_report_free(&r);
	}
	str_free(&s);
}

static void
test_command_too_long(void **state)
{
	struct spawn_command c = {0};
	char big[4 * ADDR_MAX + 2];
	size_t used;

	(void)state;
	memset(big, 'a', sizeof big);
	big[0] = 1;
	assert_int_equal(spawn_command_parse(&c, false, big, sizeof big,
	    &used), SPAWN_BAD);
	spawn_command_free(&c);
}

static void
messid(const char *s, bool want)
{
	struct str m = {0};

	str_cats(&m, s);
	assert_int_equal(spawn_messid_ok(&m), want);
	str_free(&m);
}

static void
test_messid(void **state)
{
	(void)state;
	messid("3/26", true);
	messid("26", true);
	messid("", false);
	messid("/26", false);
	messid("3/", false);
	messid("3/2/6", false);
	messid("../26", false);
	messid("3/26a", false);
}

static void
test_report_split_and_cut(void **state)
{
	struct str s = {0}, big = {0};

	(void)state;
	spawn_cat_report(&s, true, 258, "Kok\n", 4);
	spawn_cat_report(&s, true, 3, "Z\0no", 4);       /* NUL left out */
	for (size_t step = 1; step <= s.len; step++) {
		struct spawn_report r = {0};
		unsigned seen = 0;

		for (size_t at = 0; at < s.len;) {
			size_t n = s.len - at < step ? s.len - at : step, used;

			if (spawn_report_parse(&r, true, s.s + at, n, &used) ==
			    SPAWN_DONE) {
				assert_int_equal(r.delnum, seen ? 3 : 258);
				assert_true(str_eqs(&r.text, seen ? "Zno" :
				    "Kok\n"));
				seen++;
				spawn_report_next(&r);
			}
			at += used;
		}
		assert_int_equal(seen, 2);
		spawn_report_free(&r);
	}
	str_clear(&s);
	for (int i = 0; i < REPORT_MAX + 500; i++)
		str_catc(&big, 'x');
	spawn_cat_report(&s, false, 9, big.s, big.len);
	{
		struct spawn_report r = {0};
		size_t used;

		assert_int_equal(spawn_report_parse(&r, false, s.s, s.len,
		    &used), SPAWN_DONE);
		assert_int_equal(r.text.len, REPORT_MAX);
		spawn_report_free(&r);
	}
	str_free(&s);
	str_free(&big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_command_bytes),
		cmocka_unit_test(test_command_split),
		cmocka_unit_test(test_options_split),
		cmocka_unit_test(test_notes_split),
		cmocka_unit_test(test_command_too_long),
		cmocka_unit_test(test_messid),
		cmocka_unit_test(test_report_split_and_cut),
	};

	return cmocka_run_group_tests_name("spawnproto", tests, NULL, NULL);
}
