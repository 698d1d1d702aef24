/* test_qshow.c - the lines of qmail-qread and the JSON, with hostile bytes. */
#include "queue/qshow.h"

#include "TESTS/unit/queue_fixture.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "mail/qpath.h"
#include "mail/show.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
test_text(void **state)
{
	static const struct {
		const char *in, *text, *json;
	} cases[] = {
		{"a b~", "a b~", "\"a b~\""},
		{"q\"\\/", "q\"\\/", "\"q\\\"\\\\/\""},
		{"\033[2J\r\t\177", "_[2J___",
		    "\"\\u001b[2J\\u000d\\u0009\\u007f\""},
		{"caf\xc3\xa9", "caf\xc3\xa9", "\"caf\xc3\xa9\""},
		{"x\xc2\x9by", "x_y", "\"x\\u009by\""},     /* 8-bit CSI */
		{"x\xc2\xa0y", "x\xc2\xa0y", "\"x\xc2\xa0y\""},
		{"\xff\xc3", "__", "\"\\ufffd\\ufffd\""},
		{"a\nb", "a\nb", "\"a\\u000ab\""},
	};
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t n = strlen(cases[i].in);

		str_clear(&s);
		show_cat_text(&s, cases[i].in, n);
		assert_string_equal(str_c(&s), cases[i].text);
		str_clear(&s);
		show_cat_json(&s, cases[i].in, n);
		assert_string_equal(str_c(&s), cases[i].json);
	}
	str_free(&s);
}

static struct qscan_msg
example(void)
{
	/* 951782400 = 2000-02-29 00:00:00 UTC */
	struct qscan_msg m = {.id = 4711, .size = 1234,
	    .birth = 951782400 + 3661};

	str_copys(&m.sender, "al ice@x.org");
	assert_true(qscan_parse_list(BYTES("Tb@y\0Dc\033@y\0"), QSCAN_LOCAL,
	    &m));
	assert_true(qscan_parse_list(BYTES("Td@z\0"), QSCAN_REMOTE, &m));
	return m;
}

static void
test_classic(void **state)
{
	struct qscan_msg m = example();
	struct str s = {0};

	(void)state;
	qshow_cat_classic(&s, &m);
	assert_string_equal(str_c(&s),
	    "29 Feb 2000 01:01:01 GMT  #4711  1234  <\"al ice\"@x.org>\n"
	    "\tlocal\tb@y\n"
	    "  done\tlocal\t\"c_\"@y\n"
	    "\tremote\td@z\n");
	qscan_msg_free(&m);
	m = (struct qscan_msg){.id = 5, .todo = true, .held = true,
	    .bouncing = true};
	str_clear(&s);
	qshow_cat_classic(&s, &m);
	assert_string_equal(str_c(&s),
	    "1 Jan 1970 00:00:00 GMT  #5  0  <> bouncing held\n");
	qscan_msg_free(&m);
	str_free(&s);
}

static void
test_json(void **state)
{
	struct qscan_msg m = example();
	struct str s = {0};

	(void)state;
	qshow_cat_json(&s, &m);
	assert_string_equal(str_c(&s),
	    "{\"id\":4711,\"state\":\"queue\",\"birth\":951786061,"
	    "\"size\":1234,\"held\":false,\"bouncing\":false,"
	    "\"sender\":\"al ice@x.org\",\"recipients\":["
	    "{\"address\":\"b@y\",\"channel\":\"local\",\"done\":false},"
	    "{\"address\":\"c\\u001b@y\",\"channel\":\"local\",\"done\":true},"
	    "{\"address\":\"d@z\",\"channel\":\"remote\",\"done\":false}]}\n");
	qscan_msg_free(&m);
	str_clear(&s);
	m = (struct qscan_msg){.id = 5, .todo = true, .uid = 1000, .pid = 77};
	qshow_cat_json(&s, &m);
	assert_string_equal(str_c(&s),
	    "{\"id\":5,\"state\":\"todo\",\"birth\":0,\"size\":0,"
	    "\"uid\":1000,\"qp\":77,\"held\":false,\"bouncing\":false,"
	    "\"sender\":\"\",\"recipients\":[]}\n");
	str_free(&s);
}

static void
test_list(void **state)
{
	uint64_t a = fixture_mess("a\n"), b = fixture_mess("bb\n");
	struct qselect sel = {.sender = "@x"};
	struct str got = {0}, want = {0};
	struct io out;
	uint64_t count;
	int fd;

	(void)state;
	fixture_todo(a, "a@x", "r@y\0");
	fixture_info(b, "b@z", BYTES("Tr@y\0"), NULL, 0);
	fixture_age(qpath_flat("todo", a).s, 0, 0);
	fd = open("out", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	io_init(&out, -1, fd, IO_FOREVER);
	assert_int_equal(qshow_list(&out, &sel, false, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(fs_read("out", &got, 10000), 0);
	str_cats(&want, "1 Jan 1970 00:00:00 GMT  #");
	str_catu(&want, a);
	str_cats(&want, "  2  <a@x>\n\ttodo\tr@y\n");
	assert_string_equal(str_c(&got), str_c(&want));
	assert_int_equal(qshow_list(&out, NULL, true, &count), 0);
	assert_int_equal(count, 2);
	/* one unreadable message does not hide the others */
	fixture_write(qpath_split("info", b).s, "nonsense", 8);
	assert_int_equal(qshow_list(&out, NULL, false, &count), 111);
	assert_int_equal(count, 2);
	assert_int_equal(close(fd), 0);
	str_free(&got);
	str_free(&want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_classic),
		cmocka_unit_test(test_json),
		cmocka_unit_test_setup_teardown(test_list, fixture_setup,
		    fixture_teardown),
	};

	log_init("test_qshow");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
