/* test_checkpw.c - what a checkpassword program is given, and what its end
 * means.  The programs are shell scripts. */
#include "mail/checkpw.h"

#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char dir[] = "/tmp/unit-checkpw.XXXXXX";

static enum checkpw_status
run_sh(const char *script, const char *user, const char *pass)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};

	return checkpw_run(argv, user, strlen(user), pass, strlen(pass), "s");
}

static size_t
slurp(const char *name, char *buf, size_t size)
{
	FILE *f = fopen(name, "r");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, size, f);
	assert_int_equal(fclose(f), 0);
	return n;
}

static void
test_codes(void **state)
{
	static const struct {
		const char *script;
		enum checkpw_status want;
	} cases[] = {
		{"exit 0", CHECKPW_OK},
		{"exit 1", CHECKPW_WRONG},
		{"exit 3", CHECKPW_WRONG},
		{"exit 2", CHECKPW_TEMP},
		{"exit 111", CHECKPW_TEMP},
		{"exit 100", CHECKPW_TEMP},
		{"kill -9 $$", CHECKPW_TEMP},
		{"kill -15 $$", CHECKPW_TEMP},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		if (run_sh(cases[i].script, "jo", "x") != cases[i].want)
			fail_msg("%s", cases[i].script);
}

static void
test_bytes(void **state)
{
	const char *argv[] = {"/bin/sh", "-c", "cat <&3 >got; echo noise; "
	    "pwd -P >/dev/null; read x; test -z \"$x\"", NULL};
	char got[64];

	(void)state;
	/* 8-bit bytes and spaces as they are; input is empty, output lost. */
	assert_int_equal(checkpw_run(argv, "j\xc3\xb6 x", 5, "p\n\xff w", 5,
	    "<1.2@h>"), CHECKPW_OK);
	assert_int_equal(slurp("got", got, sizeof got), 20);
	assert_memory_equal(got, "j\xc3\xb6 x\0p\n\xff w\0<1.2@h>\0", 20);
	assert_int_equal(checkpw_run(argv, "jo", 2, "x", 1, ""), CHECKPW_OK);
	assert_int_equal(slurp("got", got, sizeof got), 6);
	assert_memory_equal(got, "jo\0x\0\0", 6);
}

static void
test_limits(void **state)
{
	const char *argv[] = {"/bin/sh", "-c", "cat <&3 >got", NULL};
	char big[CHECKPW_MAX + 1], got[CHECKPW_MAX + 1];

	(void)state;
	memset(big, 'x', sizeof big);
	(void)unlink("got");
	assert_int_equal(checkpw_run(argv, "", 0, "x", 1, ""), CHECKPW_WRONG);
	assert_int_equal(checkpw_run(argv, "jo", 2, "", 0, ""), CHECKPW_WRONG);
	assert_int_equal(checkpw_run(argv, "a\0b", 3, "x", 1, ""),
	    CHECKPW_WRONG);
	assert_int_equal(checkpw_run(argv, "jo", 2, "x\0", 2, ""),
	    CHECKPW_WRONG);
	/* 512 bytes with the three NULs; each field may be what is too much. */
	for (size_t n = 500; n <= sizeof big; n++) {
		enum checkpw_status user, pass, want = n + 4 <= CHECKPW_MAX ?
		    CHECKPW_OK : CHECKPW_WRONG;

		(void)unlink("got");
		user = checkpw_run(argv, big, n, "p", 1, "");
		assert_int_equal(access("got", F_OK),
		    want == CHECKPW_OK ? 0 : -1);
		if (want == CHECKPW_OK)
			assert_int_equal(slurp("got", got, sizeof got),
			    n + 4);
		pass = checkpw_run(argv, "u", 1, big, n, "");
		assert_int_equal(user, want);
		assert_int_equal(pass, want);
	}
	big[509] = '\0';
	assert_int_equal(checkpw_run(argv, "u", 1, "p", 1, big),
	    CHECKPW_WRONG);
	big[507] = '\0';
	assert_int_equal(checkpw_run(argv, "u", 1, "p", 1, big), CHECKPW_OK);
}

/* Nothing but 0, 1, 2, 3 is open in it. */
static void
test_descriptors(void **state)
{
	int extra = fcntl(0, F_DUPFD, 7);

	(void)state;
	assert_int_equal(extra, 7);
	assert_int_equal(run_sh("for f in 4 5 6 7 8 9; do "
	    "test ! -e /proc/self/fd/$f || exit 1; done", "jo", "x"),
	    CHECKPW_OK);
	(void)close(extra);
}

static void
test_no_program(void **state)
{
	const char *argv[] = {"/nonexistent/checkpw", "true", NULL};

	(void)state;
	assert_int_equal(checkpw_run(argv, "jo", 2, "x", 1, ""),
	    CHECKPW_TEMP);
}

/* It and what it started are killed. */
static void
test_time(void **state)
{
	const char *argv[] = {"/bin/sh", "-c",
	    "sleep 600 & echo $! >child; wait", NULL};
	char text[32] = "";
	long pid;

	(void)state;
	assert_int_equal(checkpw_run_within(argv, "jo", 2, "x", 1, "", 2000),
	    CHECKPW_TEMP);
	(void)slurp("child", text, sizeof text - 1);
	pid = strtol(text, NULL, 10);
	assert_true(pid > 1);
	/* Killed is certain, buried (by init) it is soon. */
	for (int i = 0; i < 500 && kill((pid_t)pid, 0) == 0; i++) {
		char path[64], stat[256] = "";
		int fd;

		(void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)             /* buried since it was asked */
			continue;
		if (read(fd, stat, sizeof stat - 1) > 0 &&
		    strstr(stat, ") Z ") != NULL) {
			(void)close(fd);
			return;
		}
		(void)close(fd);
		(void)usleep(10000);
	}
	assert_int_equal(kill((pid_t)pid, 0), -1);
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
	(void)unlink("got");
	(void)unlink("child");
	return chdir("/") < 0 ? -1 : rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_no_program),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
