/* test_prefix.c - text before our own input, into programs that read it all,
 * some of it, or nothing, and that end in every way. */
#include "inject/prefix.h"

#include "TESTS/unit/unit.h"

#include "lib/io.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

/* prefix_run with these bytes on descriptor 0; what it printed, in *out. */
static int
run(const char *const *argv, const char *text, const char *in, size_t n,
    struct str *out)
{
	int fd = memfd_create("in", MFD_CLOEXEC);
	int to = memfd_create("out", MFD_CLOEXEC);
	int old0 = fcntl(0, F_DUPFD_CLOEXEC, 10);
	int old1 = fcntl(1, F_DUPFD_CLOEXEC, 10);
	struct str prefix = {0};
	struct io io;
	int code;

	assert_true(fd >= 0 && to >= 0 && old1 >= 0);
	assert_int_equal(write(fd, in, n), (ssize_t)n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(dup2(fd, 0), 0);
	assert_int_equal(dup2(to, 1), 1);
	str_cats(&prefix, text);
	code = prefix_run(argv, &prefix);
	assert_int_equal(dup2(old1, 1), 1);
	if (old0 >= 0) {
		assert_int_equal(dup2(old0, 0), 0);
		(void)close(old0);
	}
	(void)close(old1);
	(void)close(fd);
	assert_int_equal(lseek(to, 0, SEEK_SET), 0);
	io_init(&io, to, -1, IO_FOREVER);
	str_clear(out);
	assert_int_equal(io_slurp(&io, out, 1 << 24), IO_OK);
	(void)close(to);
	str_free(&prefix);
	return code;
}

#define SH(script) (const char *const[]){"/bin/sh", "-c", script, NULL}

static void
test_run(void **state)
{
	static char big[1 << 20];
	struct str out = {0};

	(void)state;
	assert_int_equal(run(SH("cat"), "Date: x\n", "a\n\nb", 4, &out), 0);
	assert_string_equal(str_c(&out), "Date: x\na\n\nb");
	assert_int_equal(run(SH("cat"), "", "", 0, &out), 0);
	assert_int_equal(out.len, 0);
	assert_int_equal(run(SH("exit 7"), "x", "y", 1, &out), 7);
	memset(big, 'x', sizeof big);
	assert_int_equal(run(SH("cat"), "12", big, sizeof big, &out), 0);
	assert_int_equal(out.len, sizeof big + 2);
	/* Those that do not read it all. */
	assert_int_equal(run(SH("exit 0"), "12", big, sizeof big, &out), 0);
	assert_int_equal(run(SH("exec <&-; sleep 0.1; exit 100"), "12", big,
	    sizeof big, &out), 100);
	str_free(&out);
}

static void
test_trouble(void **state)
{
	static const char *const nothing[] = {"/nonexistent", NULL};
	struct str out = {0};
	int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int old2 = fcntl(2, F_DUPFD_CLOEXEC, 10);

	(void)state;
	assert_true(quiet >= 0 && old2 >= 0);
	assert_int_equal(dup2(quiet, 2), 2);
	assert_int_equal(run(nothing, "x", "", 0, &out), 111);
	assert_int_equal(run(SH("kill -9 $$"), "x", "", 0, &out), 111);
	assert_int_equal(dup2(old2, 2), 2);
	(void)close(quiet);
	(void)close(old2);
	str_free(&out);
}

/* What cannot be read must not look like a whole message. */
static void
test_unreadable_input(void **state)
{
	struct str prefix = {0};
	int dir = open("/", O_RDONLY | O_CLOEXEC);
	int old0 = fcntl(0, F_DUPFD_CLOEXEC, 10);
	int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int old2 = fcntl(2, F_DUPFD_CLOEXEC, 10);

	(void)state;
	assert_int_equal(dup2(dir, 0), 0);
	assert_int_equal(dup2(quiet, 2), 2);
	assert_int_equal(prefix_run(SH("cat >/dev/null; exit 0"), &prefix),
	    111);
	assert_int_equal(dup2(old2, 2), 2);
	if (old0 >= 0)
		assert_int_equal(dup2(old0, 0), 0);
	(void)close(dir);
	(void)close(quiet);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_unreadable_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
