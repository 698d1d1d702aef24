/* test_box.c - a mailbox as a session sees it, while others change it. */
#include "pop3d/box.h"

#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char dir[] = "/tmp/unit-box.XXXXXX";
static struct box_config cfg = {.maildir = dir, .uidl = "auto"};

static void
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t n = strlen(text);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	(void)close(fd);
}

/* An empty Maildir, which is the working directory too. */
static int
setup(void **state)
{
	(void)state;
	assert_int_equal(chdir("/tmp"), 0);
	memcpy(strchr(dir, '.'), ".XXXXXX", 7);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("new", 0700), 0);
	assert_int_equal(mkdir("cur", 0700), 0);
	assert_int_equal(mkdir("tmp", 0700), 0);
	return 0;
}

static int
teardown(void **state)
{
	char cmd[100];

	(void)state;
	(void)snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd);
}

static struct box *
opened(void)
{
	struct box *b;

	assert_int_equal(box_open(&b, &cfg), BOX_OK);
	return b;
}

static void
test_order_and_sizes(void **state)
{
	struct box *b;
	size_t n;
	uint64_t bytes;

	(void)state;
	put("new/1000000002.M5P1.h,S=3,W=1000", "");
	put("cur/1000000002.M4P1.h,S=3,W=200:2,S", "");
	put("cur/1000000001.7.h:2,", "a\nb\r\nc\n");
	put("cur/1000000001.6.h:2,", "a\r");
	put("cur/1000000001.M0.h:2,", "");
	b = opened();
	assert_int_equal(box_count(b), 5);
	assert_string_equal(box_uidl(b, 0), "1000000001.6.h");
	assert_string_equal(box_uidl(b, 1), "1000000001.7.h");
	assert_string_equal(box_uidl(b, 2), "1000000001.M0.h");
	assert_string_equal(box_uidl(b, 3), "1000000002.M4P1.h,S=3,W=200");
	assert_string_equal(box_uidl(b, 4), "1000000002.M5P1.h,S=3,W=1000");
	assert_int_equal(box_size(b, 0), 4);
	assert_int_equal(box_size(b, 1), 9);
	assert_int_equal(box_size(b, 2), 0);
	box_stat(b, &n, &bytes);
	assert_int_equal(n, 5);
	assert_int_equal(bytes, 1213);
	box_delete(b, 4);
	box_stat(b, &n, &bytes);
	assert_int_equal(n, 4);
	assert_int_equal(bytes, 213);
	box_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_order_and_sizes, setup,
	        teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
