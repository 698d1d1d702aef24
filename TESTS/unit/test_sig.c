/* test_sig.c - signals come through the descriptor, each once, and only those
 * asked for. */
#include "lib/sig.h"

#include "lib/proc.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

static bool
readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 2000) == 1;
}

static void
test_delivery(void **state)
{
	static const int want[] = {SIGTERM, SIGALRM, SIGCHLD, 0};
	int fd = sig_open(want);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(sig_next(fd), 0);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(raise(SIGALRM), 0);
	assert_int_equal(raise(SIGTERM), 0);    /* pending once only */
	assert_true(readable(fd));
	assert_int_equal(sig_next(fd), SIGALRM);
	assert_int_equal(sig_next(fd), SIGTERM);
	assert_int_equal(sig_next(fd), 0);
	(void)close(fd);
	assert_int_equal(sig_next(fd), 0);
	/* left blocked: nobody reads, nobody dies */
	assert_int_equal(raise(SIGTERM), 0);
}

/* Started with SIGCHLD ignored, as some containers do. */
static void
born_deaf(void *arg)
{
	static const int want[] = {SIGCHLD, 0};
	int fd, status;
	pid_t pid;

	(void)arg;
	(void)signal(SIGCHLD, SIG_IGN);
	fd = sig_open(want);
	pid = fork();
	if (pid == 0)
		_exit(9);
	if (!readable(fd) || sig_next(fd) != SIGCHLD)
		_exit(1);
	if (proc_reap(&status) != pid || WEXITSTATUS(status) != 9)
		_exit(2);
}

static void
test_sigchld_ignored(void **state)
{
	(void)state;
	unit_dies(born_deaf, NULL, 0, "");
}

static void
ignore_pipe(void *arg)
{
	int r, w;

	(void)arg;
	sig_ignore(SIGPIPE);
	if (proc_pipe(&r, &w) < 0)
		_exit(1);
	(void)close(r);
	if (write(w, "x", 1) >= 0 || errno != EPIPE)
		_exit(2);
}

static void
test_ignore(void **state)
{
	(void)state;
	unit_dies(ignore_pipe, NULL, 0, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sigchld_ignored),
		cmocka_unit_test(test_ignore),
		cmocka_unit_test(test_delivery),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
