/* test_qact.c - messages changed with a qmail-send that is only played, and
 * without one. */
#include "queue/qact.h"

#include "TESTS/unit/queue_fixture.h"
#include "lib/fs.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "mail/qpath.h"
#include "queue/qlock.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t
mtime(struct qpath path)
{
	struct stat st;

	assert_int_equal(stat(path.s, &st), 0);
	return st.st_mtim.tv_sec;
}

static void
do_ok(struct qact *a, enum qctl_verb verb, uint64_t id, const char *want)
{
	struct str text = {0};
	enum qact_status st = qact_do(a, verb, id, &text);

	if (st != QACT_DONE || strcmp(str_c(&text), want) != 0)
		fail_msg("%s: %d '%s', want '%s'", qctl_verb_word(verb),
		    (int)st, str_c(&text), want);
	str_free(&text);
}

static void
test_offline(void **state)
{
	uint64_t a = fixture_mess("a"), b = fixture_mess("b");
	uint64_t c = fixture_mess("c");
	struct qact act;
	struct str why = {0};
	int64_t now;
	int fd;

	(void)state;
	fixture_todo(a, "a@x", "r@y\0");
	fixture_info(b, "b@x", BYTES("Tr@y\0"), BYTES("Tr@z\0"));
	fixture_age(qpath_split("local", b).s, 1, 4000000000);
	fixture_age(qpath_split("remote", b).s, 1, 4000000000);
	fixture_info(c, "c@x", BYTES("Tr@y\0"), NULL, 0);
	fixture_age(qpath_split("local", c).s, 1, 4000000000);
	assert_int_equal(qact_open(&act, "nowhere", 1000, &why), 0);
	assert_false(act.online);
	/* qmail-send cannot start meanwhile */
	assert_int_equal(qlock_take(QLOCK_SEND, "info", &fd, &why),
	    QLOCK_BUSY);

	do_ok(&act, QCTL_RETRY, b, "when qmail-send starts");
	now = clock_wall();
	assert_in_range(mtime(qpath_split("local", b)), now - 5, now + 5);
	assert_in_range(mtime(qpath_split("remote", b)), now - 5, now + 5);

	do_ok(&act, QCTL_EXPIRE, b, "when qmail-send starts");
	assert_in_range(mtime(qpath_split("info", b)), now - 1006,
	    now - 1001 + 5);
	do_ok(&act, QCTL_EXPIRE, a, "when qmail-send starts");
	assert_in_range(mtime(qpath_flat("todo", a)), now - 1006,
	    now - 1001 + 5);

	do_ok(&act, QCTL_HOLD, c, "");
	assert_true(fixture_flat_there("hold", c));
	do_ok(&act, QCTL_HOLD, c, "already on hold");
	do_ok(&act, QCTL_FLUSH, 0, "2 messages, when qmail-send starts");
	assert_true(mtime(qpath_split("local", c)) == 4000000000);
	do_ok(&act, QCTL_RELEASE, c, "");
	assert_false(fixture_flat_there("hold", c));
	do_ok(&act, QCTL_RELEASE, c, "was not on hold");
	do_ok(&act, QCTL_FLUSH, 0, "3 messages, when qmail-send starts");
	assert_true(mtime(qpath_split("local", c)) < 4000000000);

	/* with every file a message can have */
	fixture_write(qpath_flat("bounce", b).s, "x", 1);
	fixture_write(qpath_flat("intd", b).s, "x", 1);
	do_ok(&act, QCTL_HOLD, b, "");
	do_ok(&act, QCTL_DELETE, b, "");
	assert_false(fixture_split_there("mess", b));
	assert_false(fixture_split_there("info", b));
	assert_false(fixture_split_there("local", b));
	assert_false(fixture_split_there("remote", b));
	assert_false(fixture_flat_there("bounce", b));
	assert_false(fixture_flat_there("intd", b));
	assert_false(fixture_flat_there("hold", b));
	do_ok(&act, QCTL_DELETE, a, "");
	assert_false(fixture_flat_there("todo", a));
	assert_int_equal(qact_do(&act, QCTL_DELETE, a, &why), QACT_REFUSED);
	assert_string_equal(str_c(&why), "no such message");
	assert_true(fixture_split_there("mess", c));
	assert_int_equal(qact_close(&act), 0);
	assert_int_equal(qlock_take(QLOCK_SEND, "info", &fd, &why),
	    QLOCK_TAKEN);
	assert_int_equal(close(fd), 0);
	str_free(&why);
}

/* What cannot be done is said, and what was there stays. */
static void
test_offline_trouble(void **state)
{
	uint64_t a = fixture_mess("a");
	struct qact act;
	struct str why = {0};

	(void)state;
	fixture_todo(a, "a@x", "r@y\0");
	assert_int_equal(qact_open(&act, "nowhere", 1000, &why), 0);
	assert_int_equal(mkdir(qpath_flat("bounce", a).s, 0700), 0);
	assert_int_equal(qact_do(&act, QCTL_DELETE, a, &why), QACT_TROUBLE);
	assert_non_null(strstr(str_c(&why), "unable to remove bounce/"));
	assert_true(fixture_flat_there("todo", a));
	assert_int_equal(qact_close(&act), 0);
	assert_int_equal(rename("lock", "lock.x"), 0);
	assert_int_equal(qact_open(&act, "nowhere", 1000, &why), -1);
	assert_string_equal(str_c(&why), "unable to open lock/sendmutex: "
	    "No such file or directory");
	str_free(&why);
}

/* A missing lock file is made, for the one who will need it. */
static void
test_lock_made(void **state)
{
	struct str why = {0};
	struct stat st;
	int fd, other;

	(void)state;
	assert_int_equal(qlock_take(QLOCK_QUEUED, "lock", &fd, &why),
	    QLOCK_TAKEN);
	assert_int_equal(stat(QLOCK_QUEUED, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(qlock_take(QLOCK_QUEUED, "lock", &other, &why),
	    QLOCK_BUSY);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(QLOCK_QUEUED), 0);
	assert_int_equal(symlink("tcpto", QLOCK_QUEUED), 0);
	assert_int_equal(qlock_take(QLOCK_QUEUED, "lock", &fd, &why),
	    QLOCK_TROUBLE);
	str_free(&why);
}

/* ---- a played qmail-send ---- */

/* Answers n requests with what is given; then closes. */
static pid_t
play(int listener, const char *const *answers, size_t n)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};
	struct qctl_line line = {0};
	struct qctl_request req;
	char c;
	size_t used;
	pid_t pid = fork();
	int fd;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	(void)poll(&p, 1, 5000);
	fd = sock_accept(listener);
	for (size_t i = 0; i < n;) {
		struct pollfd q = {.fd = fd, .events = POLLIN};

		if (poll(&q, 1, 5000) != 1 || read(fd, &c, 1) != 1)
			_exit(1);
		if (qctl_request_parse(&line, &c, 1, &used, &req) !=
		    QCTL_DONE)
			continue;
		if (write(fd, answers[i], strlen(answers[i])) < 0)
			_exit(2);
		i++;
	}
	_exit(0);
}

static void
test_online(void **state)
{
	static const char *const answers[] = {
		"ok\n", "ok 2 deliveries are running\n",
		"no no such message\n", "ok 3 messages\n", "what?\n",
	};
	struct qact act;
	struct str text = {0};
	int lock, listener, status;
	pid_t pid;

	(void)state;
	lock = fs_lock(QLOCK_SEND, 0600, false);
	assert_true(lock >= 0);
	assert_int_equal(qact_open(&act, "control", 1000, &text), -1);
	assert_string_equal(str_c(&text), "qmail-send is running, but unable "
	    "to reach it at control: No such file or directory");
	listener = sock_listen("control", SOCK_STREAM, 5, 0600);
	assert_true(listener >= 0);
	pid = play(listener, answers, 5);
	assert_int_equal(qact_open(&act, "control", 1000, &text), 0);
	assert_true(act.online);
	do_ok(&act, QCTL_HOLD, 5, "");
	do_ok(&act, QCTL_DELETE, 6, "2 deliveries are running");
	assert_int_equal(qact_do(&act, QCTL_RETRY, 7, &text), QACT_REFUSED);
	assert_string_equal(str_c(&text), "no such message");
	do_ok(&act, QCTL_FLUSH, 0, "3 messages");
	assert_int_equal(qact_do(&act, QCTL_RETRY, 8, &text), QACT_TROUBLE);
	assert_string_equal(str_c(&text),
	    "qmail-send's answer makes no sense");
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_int_equal(status, 0);
	assert_int_equal(qact_do(&act, QCTL_RETRY, 9, &text), QACT_TROUBLE);
	assert_int_equal(qact_close(&act), 0);
	assert_int_equal(close(lock), 0);
	assert_int_equal(close(listener), 0);
	str_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup,                \
    fixture_teardown)
		T(test_offline),
		T(test_offline_trouble),
		T(test_lock_made),
		T(test_online),
	};

	sig_ignore(SIGPIPE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
