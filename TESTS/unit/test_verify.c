/* test_verify.c - the asking end of HOME/run/rcpt against services that answer,
 * die, come back, keep silent and talk nonsense. */
#include "mail/verify.h"

#include "lib/sock.h"
#include "TESTS/unit/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static char dir[] = "/tmp/unit-verify.XXXXXX";

static pid_t service;

static void
wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (poll(&p, 1, -1) < 1)
		;
}

/* Answers turn by turn from the list; "" closes the connection, "!" ends the
 * whole service. */
static void
serve(int listener, const char *const *answers)
{
	char buf[2000];

	for (;;) {
		int fd;

		wait_readable(listener);
		fd = sock_accept(listener);
		for (;;) {
			ssize_t n;

			wait_readable(fd);
			n = recv(fd, buf, sizeof buf - 1, 0);
			if (n <= 0)
				break;
			buf[n] = '\0';
			if (*answers == NULL || strcmp(*answers, "!") == 0)
				_exit(0);
			if (strcmp(*answers, "=") == 0) {
				buf[0] = 'K';
				if (send(fd, buf, (size_t)n, 0) != n)
					_exit(1);
			} else if (**answers == '\0') {
				answers++;
				break;
			} else if (send(fd, *answers, strlen(*answers),
			    0) < 0) {
				_exit(1);
			}
			answers++;
		}
		(void)close(fd);
	}
}

static void
start(const char *const *answers)
{
	int listener = sock_listen("s", SOCK_SEQPACKET, 10, 0666);

	assert_true(listener >= 0);
	service = fork();
	assert_true(service >= 0);
	if (service == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(listener, answers);
	}
	(void)close(listener);
}

static void
stop(void)
{
	(void)kill(service, SIGKILL);
	assert_int_equal(waitpid(service, NULL, 0), service);
}

static void
test_answers(void **state)
{
	static const char *const answers[] = {"=", "Dno such user", "Zlater",
	    "K", "D", "?what", "Dx\nESC\033\xff", NULL};
	struct verify v = {.fd = -1};
	struct str text = {0};
	int fd;

	(void)state;
	start(answers);
	assert_int_equal(verify_ask(&v, "s", "jo@x", &text), VERIFY_OK);
	assert_string_equal(str_c(&text), "o@x");
	fd = v.fd;
	assert_int_equal(verify_ask(&v, "s", "jo", &text), VERIFY_NO);
	assert_string_equal(str_c(&text), "no such user");
	assert_int_equal(verify_ask(&v, "s", "jo", &text), VERIFY_TEMP);
	assert_string_equal(str_c(&text), "later");
	assert_int_equal(verify_ask(&v, "s", "jo", &text), VERIFY_OK);
	assert_string_equal(str_c(&text), "");
	assert_int_equal(verify_ask(&v, "s", "jo", &text), VERIFY_NO);
	assert_int_equal(verify_ask(&v, "s", "jo", &text), VERIFY_TEMP);
	assert_int_equal(verify_ask(&v, "s", "jo", &text), VERIFY_NO);
	assert_string_equal(str_c(&text), "x?ESC??");
	assert_int_equal(v.fd, fd);
	verify_close(&v);
	assert_int_equal(v.fd, -1);
	stop();
	str_free(&text);
}

static void
test_not_asked(void **state)
{
	struct verify v = {.fd = -1};
	struct str text = {0};
	char big[1004];

	(void)state;
	memset(big, 'x', sizeof big);
	big[1003] = '\0';
	assert_int_equal(verify_ask(&v, "nowhere", "", &text), VERIFY_NO);
	assert_int_equal(verify_ask(&v, "nowhere", big, &text), VERIFY_NO);
	assert_false(v.down);
	big[1002] = '\0';
	assert_int_equal(verify_ask(&v, "nowhere", big, &text), VERIFY_TEMP);
	assert_true(v.down);
	assert_true(text.len > 0);
	str_free(&text);
}

/* A connection from before the restart is worth nothing; nobody notices. */
static void
test_restart(void **state)
{
	static const char *const first[] = {"K", NULL};
	static const char *const second[] = {"Dno", "", "Kagain", "", "", "K",
	    NULL};
	struct verify v = {.fd = -1};
	struct str text = {0};

	(void)state;
	start(first);
	assert_int_equal(verify_ask(&v, "s", "jo", &text), VERIFY_OK);
	stop();
	start(second);
	assert_int_equal(verify_ask(&v, "s", "jo", &text), VERIFY_NO);
	/* "" and then "Kagain" */
	assert_int_equal(verify_ask(&v, "s", "jo", &text), VERIFY_OK);
	assert_string_equal(str_c(&text), "again");
	/* closed twice: it is the question that kills it */
	assert_int_equal(verify_ask(&v, "s", "jo", &text), VERIFY_TEMP);
	assert_int_equal(v.fd, -1);
	assert_int_equal(verify_ask(&v, "s", "jo", &text), VERIFY_OK);
	verify_close(&v);
	stop();
	str_free(&text);
}

/* It comes back while it is waited for. */
static void
test_patience(void **state)
{
	static const char *const answers[] = {"K", NULL};
	struct verify v = {.fd = -1};
	struct str text = {0};
	pid_t pid;

	(void)state;
	(void)unlink("s");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int listener;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)usleep(300000);
		listener = sock_listen("s", SOCK_SEQPACKET, 10, 0666);
		if (listener < 0)
			_exit(1);
		serve(listener, answers);
	}
	assert_int_equal(verify_ask(&v, "s", "jo", &text), VERIFY_OK);
	verify_close(&v);
	service = pid;
	stop();
	str_free(&text);
}

static void
test_packets(void **state)
{
	struct str out = {0}, text = {0};
	char big[400];

	(void)state;
	memset(big, 'y', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	verify_cat_answer(&out, VERIFY_TEMP, big);
	assert_int_equal(out.len, 1 + VERIFY_TEXT_MAX);
	assert_int_equal(verify_parse_answer(str_c(&out), out.len, &text),
	    VERIFY_TEMP);
	assert_int_equal(text.len, VERIFY_TEXT_MAX);
	str_clear(&out);
	verify_cat_answer(&out, VERIFY_NO, "a\r\n250 ok");
	assert_string_equal(str_c(&out), "Da??250 ok");
	str_clear(&out);
	verify_cat_answer(&out, VERIFY_OK, "");
	assert_string_equal(str_c(&out), "K");
	assert_int_equal(verify_parse_answer("K\0", 2, &text), VERIFY_OK);
	assert_string_equal(str_c(&text), "?");
	str_clear(&out);
	verify_cat_answer(&out, VERIFY_FULL, "mailbox is full");
	assert_string_equal(str_c(&out), "Fmailbox is full");
	assert_int_equal(verify_parse_answer(str_c(&out), out.len, &text),
	    VERIFY_FULL);
	assert_string_equal(str_c(&text), "mailbox is full");
	assert_int_equal(verify_parse_answer("", 0, &text), VERIFY_TEMP);
	assert_int_equal(verify_parse_answer("k", 1, &text), VERIFY_TEMP);
	str_free(&out);
	str_free(&text);
}

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL ? -1 : chdir(dir);
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink("s");
	return chdir("/") < 0 ? -1 : rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_not_asked),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_packets),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
