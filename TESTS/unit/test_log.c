/* test_log.c - the form of a line, one write each, cut but never broken, and
 * no foreign byte through log_quote. */
#include "lib/log.h"

#include "lib/str.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

/* Everything in here goes to descriptor 2, as a packet a write. */
static void
say(void *arg)
{
	(void)arg;
	log_init("prog-x");
	log_info("text %d", 1);
	log_warn("text %s", "two");
	errno = ENOENT;
	log_sys("unable to open %s", "a");
	if (errno != ENOENT)
		_exit(1);
	errno = EIO;
	die_sys(111, "unable to read %s", "b");
}

static void
test_lines(void **state)
{
	char text[2048];
	int status = unit_child(say, NULL, text, sizeof text);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 111);
	assert_string_equal(text, "prog-x: text 1\n"
	    "prog-x: warning: text two\n"
	    "prog-x: warning: unable to open a: No such file or directory\n"
	    "prog-x: fatal: unable to read b: Input/output error\n");
}

static void
leave_100(void *arg)
{
	log_init("p");
	die(100, "%s", (const char *)arg);
}

static void
leave_usage(void *arg)
{
	log_init("p");
	die_usage(arg);
}

static void
test_exits(void **state)
{
	char usage[] = "p [-x] file", reason[] = "no such thing: %s";

	(void)state;
	unit_dies(leave_100, reason, 100, "p: fatal: no such thing: %s\n");
	unit_dies(leave_usage, usage, 100, "p: usage: p [-x] file\n");
}

static void
say_long(void *arg)
{
	const size_t *n = arg;
	struct str s = {0};

	for (size_t i = 0; i < *n; i++)
		str_catc(&s, 'x');
	log_init("p");
	errno = ENOENT;
	log_sys("%s", str_c(&s));
	str_free(&s);
}

/* Cut somewhere, but one LF, at the end, and one write. */
static void
test_long_lines(void **state)
{
	(void)state;
	for (size_t n = 1120; n < 1300; n++) {
		char text[4096];
		int status = unit_child(say_long, &n, text, sizeof text);
		size_t len = strlen(text);

		assert_int_equal(status, 0);
		assert_ptr_equal(strchr(text, '\n'), text + len - 1);
		assert_true(len <= 1200);
		assert_memory_equal(text, "p: warning: xxxx", 16);
		if (n < 1150)
			assert_non_null(strstr(text,
			    "x: No such file or directory\n"));
	}
}

static void
test_one_write(void **state)
{
	char buf[300];
	int sv[2], saved = dup(2);

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	(void)dup2(sv[0], 2);
	errno = EACCES;
	log_sys("a %d", 7);
	log_info("b");
	(void)dup2(saved, 2);
	assert_int_equal(recv(sv[1], buf, sizeof buf, 0),
	    sizeof "valija: warning: a 7: Permission denied\n" - 1);
	assert_int_equal(recv(sv[1], buf, sizeof buf, 0),
	    sizeof "valija: b\n" - 1);
	(void)close(sv[0]);
	(void)close(sv[1]);
	(void)close(saved);
}

static void
closed_stderr(void *arg)
{
	(void)arg;
	(void)close(2);
	log_warn("nobody hears");
	die(111, "nobody either");
}

static void
test_closed(void **state)
{
	(void)state;
	unit_dies(closed_stderr, NULL, 111, "");
}

static void
test_quote(void **state)
{
	char all[256];
	struct str s = {0};

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	str_cats(&s, "+");
	log_quote(&s, all, sizeof all);
	assert_int_equal(s.len, 257);
	for (int i = 0; i < 256; i++) {
		int want = i == '\n' ? '/' :
		    i < 33 || i > 126 || i == '%' ? '_' : i;

		assert_int_equal(s.s[i + 1], want);
	}
	log_quote(&s, NULL, 0);
	assert_int_equal(s.len, 257);
	str_free(&s);
}

/* The client's end; 0 and 2 of a child are the other one, or 2 is not. */
static int client[2];

static void
log_to_client(void *arg)
{
	const bool *same = arg;

	if (dup2(client[1], 0) < 0 || (*same && dup2(client[1], 2) < 0))
		_exit(1);
	log_spare_client();
	log_info("a line");
}

static void
test_spare_client(void **state)
{
	char text[200];
	bool same = true;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	assert_int_equal(unit_child(log_to_client, &same, text, sizeof text),
	    0);
	assert_string_equal(text, "");
	same = false;
	assert_int_equal(unit_child(log_to_client, &same, text, sizeof text),
	    0);
	assert_non_null(strstr(text, "a line"));
	assert_int_equal(recv(client[0], text, sizeof text, MSG_DONTWAIT), -1);
	(void)close(client[0]);
	(void)close(client[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_write),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_exits),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_spare_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
