/* test_qscan.c - messages read from a small queue in each of its states. */
#include "queue/qscan.h"

#include "TESTS/unit/queue_fixture.h"
#include "mail/qpath.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void
test_empty(void **state)
{
	struct qscan_ids ids = {0};
	struct qscan_msg m = {0};
	struct str why = {0};
	uint64_t mess = 9, todo = 9;

	(void)state;
	assert_int_equal(qscan_list(&ids, &why), 0);
	assert_int_equal(ids.n, 0);
	assert_int_equal(qscan_count(&mess, &todo, &why), 0);
	assert_int_equal(mess, 0);
	assert_int_equal(todo, 0);
	assert_int_equal(qscan_load(5, &m, &why), QSCAN_GONE);
	qscan_msg_free(&m);
	qscan_ids_free(&ids);
	str_free(&why);
}

static void
test_todo(void **state)
{
	uint64_t id = fixture_mess("Subject: x\n\nhello\n");
	struct qscan_msg m = {0};
	struct qscan_rcpt r;
	struct str why = {0};
	size_t at = 0;

	(void)state;
	fixture_todo(id, "a@x", "b@y\0c@z\0");
	fixture_age(qpath_flat("todo", id).s, 1000, 2000);
	/* S4 with stale files of an interrupted preprocessing */
	fixture_info(id, "stale@x", BYTES("Tstale@y\0"), NULL, 0);
	assert_int_equal(qscan_load(id, &m, &why), QSCAN_OK);
	assert_true(m.todo);
	assert_false(m.held);
	assert_false(m.bouncing);
	assert_int_equal(m.size, 18);
	assert_int_equal(m.birth, 2000);
	assert_int_equal(m.uid, 1000);
	assert_int_equal(m.pid, 77);
	assert_true(str_eqs(&m.sender, "a@x"));
	assert_int_equal(m.nrcpt, 2);
	assert_int_equal(m.nleft, 2);
	assert_true(qscan_rcpt_next(&m, &at, &r));
	assert_int_equal(r.channel, QSCAN_RAW);
	assert_string_equal(r.addr, "b@y");
	assert_true(qscan_rcpt_next(&m, &at, &r));
	assert_string_equal(r.addr, "c@z");
	assert_false(qscan_rcpt_next(&m, &at, &r));
	qscan_msg_free(&m);
	str_free(&why);
}

static void
test_info(void **state)
{
	uint64_t id = fixture_mess("hello\n");
	struct qscan_msg m = {0};
	struct qscan_rcpt r;
	struct str why = {0};
	size_t at = 0;

	(void)state;
	fixture_info(id, "", BYTES("Tb@y\0Dc@y\0"), BYTES("Td@z\0"));
	fixture_write(qpath_split("info", id).s, BYTES("F\0MRET=HDRS\0"
	    "Nl0 NOTIFY=NEVER\0nr0 NOTIFY=DELAY\0"));
	fixture_write(qpath_flat("bounce", id).s, BYTES("<c@y>:\nno\n\n"));
	fixture_write(qpath_flat("hold", id).s, "", 0);
	fixture_age(qpath_split("info", id).s, 1, 3000);
	fixture_age(qpath_split("local", id).s, 1, 3100);
	fixture_age(qpath_split("remote", id).s, 1, 3400);
	assert_int_equal(qscan_load(id, &m, &why), QSCAN_OK);
	assert_false(m.todo);
	assert_true(m.held);
	assert_true(m.bouncing);
	assert_int_equal(m.birth, 3000);
	assert_int_equal(m.next_local, 3100);
	assert_int_equal(m.next_remote, 3400);
	assert_int_equal(m.sender.len, 0);
	assert_int_equal(m.nrcpt, 3);
	assert_int_equal(m.nleft, 2);
	assert_true(qscan_rcpt_next(&m, &at, &r));
	assert_true(r.channel == QSCAN_LOCAL && !r.done);
	assert_true(qscan_rcpt_next(&m, &at, &r));
	assert_true(r.channel == QSCAN_LOCAL && r.done);
	assert_string_equal(r.addr, "c@y");
	assert_true(qscan_rcpt_next(&m, &at, &r));
	assert_true(r.channel == QSCAN_REMOTE && !r.done);
	assert_string_equal(r.addr, "d@z");
	qscan_msg_free(&m);
	str_free(&why);
}

static void
test_list_and_count(void **state)
{
	uint64_t a = fixture_mess("a"), b = fixture_mess("b");
	uint64_t c = fixture_mess("c");
	struct qscan_ids ids = {0};
	struct str why = {0};
	uint64_t mess, todo;

	(void)state;
	fixture_todo(a, "", "x@y\0");
	fixture_todo(b, "", "x@y\0");
	fixture_info(b, "", NULL, 0, NULL, 0);
	fixture_info(c, "", NULL, 0, NULL, 0);
	fixture_write("todo/.lock", "", 0);
	fixture_write("todo/0123", "", 0);
	fixture_write("info/0/core", "", 0);
	assert_int_equal(qscan_list(&ids, &why), 0);
	assert_int_equal(ids.n, 3);
	for (size_t i = 1; i < ids.n; i++)
		assert_true(ids.ids[i - 1] < ids.ids[i]);
	assert_int_equal(qscan_count(&mess, &todo, &why), 0);
	assert_int_equal(mess, 3);
	assert_int_equal(todo, 2);
	qscan_ids_free(&ids);
	str_free(&why);
}

static void
test_bad(void **state)
{
	static const struct {
		const char *dir;
		const char *bytes;
		size_t n;
	} cases[] = {
		{"info", BYTES("")},
		{"info", BYTES("F")},
		{"info", BYTES("Fa@x")},
		{"info", BYTES("Ta@x\0")},
		{"info", BYTES("Fa@x\0Fb@x\0")},
		{"info", BYTES("Fa@x\0\0")},
		{"info", BYTES("Fa@x\0MRET=HDRS")},
		{"local", BYTES("Tb@y")},
		{"local", BYTES("Fb@y\0")},
		{"local", BYTES("Tb@y\0\0")},
		{"remote", BYTES("Tb@y\0X\0")},
	};
	struct qscan_msg m = {0};
	struct str why = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t id = 1000 + i;

		fixture_info(id, "a@x", BYTES("Tb@y\0"), BYTES("Dc@y\0"));
		fixture_write(qpath_split(cases[i].dir, id).s, cases[i].bytes,
		    cases[i].n);
		if (qscan_load(id, &m, &why) != QSCAN_BAD)
			fail_msg("case %zu is not bad", i);
		assert_non_null(strstr(str_c(&why), cases[i].dir));
	}
	fixture_write("todo/77", BYTES("u0\0p1\0Fa@x\0Tb"));
	assert_int_equal(qscan_load(77, &m, &why), QSCAN_BAD);
	assert_string_equal(str_c(&why),
	    "todo/77 is torn: never acknowledged");
	fixture_write("todo/77", BYTES("hello\n\0"));
	assert_int_equal(qscan_load(77, &m, &why), QSCAN_BAD);
	assert_string_equal(str_c(&why), "todo/77 is no envelope");
	qscan_msg_free(&m);
	str_free(&why);
}

static void
test_trouble(void **state)
{
	struct qscan_ids ids = {0};
	struct qscan_msg m = {0};
	struct str why = {0};
	uint64_t mess, todo;

	(void)state;
	assert_int_equal(rename("info/3", "info/x"), 0);
	assert_int_equal(qscan_list(&ids, &why), -1);
	assert_string_equal(str_c(&why),
	    "unable to read info/3: No such file or directory");
	assert_int_equal(rename("todo", "todo.x"), 0);
	assert_int_equal(qscan_count(&mess, &todo, &why), -1);
	assert_string_equal(str_c(&why),
	    "unable to read todo: No such file or directory");
	/* a directory where a file should be */
	assert_int_equal(mkdir("info/1/24", 0700), 0);
	assert_int_equal(qscan_load(24, &m, &why), QSCAN_TROUBLE);
	assert_string_equal(str_c(&why),
	    "unable to read info/1/24: Is a directory");
	qscan_ids_free(&ids);
	qscan_msg_free(&m);
	str_free(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup,                \
    fixture_teardown)
		T(test_empty),
		T(test_todo),
		T(test_info),
		T(test_list_and_count),
		T(test_bad),
		T(test_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
