/* test_svstatus.c - supervise's 18 bytes and what svstat says of them. */
#include "supervise/status.h"

#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* 2026-01-02 03:04:05.5 UTC is 0x695735a5 + 500000000 ns = 0x1dcd6500; pid
 * 123456 is 0x0001e240. */
static const unsigned char wire[STATUS_LEN] = {
	0x40, 0, 0, 0, 0x69, 0x57, 0x35, 0xaf, 0x1d, 0xcd, 0x65, 0,
	0x40, 0xe2, 0x01, 0x00, 1, 'd',
};

static void
test_bytes(void **state)
{
	struct status st = {.since = {UINT64_C(0x40000000695735af), 500000000},
	    .pid = 123456, .paused = true, .want = 'd'}, back;
	unsigned char out[STATUS_LEN];

	(void)state;
	status_pack(out, &st);
	assert_memory_equal(out, wire, STATUS_LEN);
	status_unpack(&back, wire);
	assert_true(back.since.sec == st.since.sec);
	assert_int_equal(back.since.nano, 500000000);
	assert_int_equal(back.pid, 123456);
	assert_true(back.paused);
	assert_int_equal(back.want, 'd');
}

static const struct {
	pid_t pid;
	bool paused;
	char want;
	bool normally_up;
	const char *text;
} texts[] = {
	{7, false, 'u', true, "up (pid 7) 10 seconds"},
	{7, false, 'u', false, "up (pid 7) 10 seconds, normally down"},
	{7, true, 'u', true, "up (pid 7) 10 seconds, paused"},
	{7, true, 'd', false,
	    "up (pid 7) 10 seconds, normally down, paused, want down"},
	{7, false, 0, true, "up (pid 7) 10 seconds"},
	{0, false, 'd', false, "down 10 seconds"},
	{0, false, 'd', true, "down 10 seconds, normally up"},
	{0, false, 'u', true, "down 10 seconds, normally up, want up"},
	{0, true, 'u', false, "down 10 seconds, want up"},
};

static void
test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(texts); i++) {
		struct status st = {.since = {1000, 999999999},
		    .pid = texts[i].pid, .paused = texts[i].paused,
		    .want = texts[i].want};
		struct tai now = {1010, 0};
		struct str s = {0};

		status_text(&s, &st, texts[i].normally_up, &now);
		assert_string_equal(str_c(&s), texts[i].text);
		str_free(&s);
	}
}

static void
test_clock_behind(void **state)
{
	struct status st = {.since = {1000, 0}};
	struct tai now = {900, 0};
	struct str s = {0};

	(void)state;
	status_text(&s, &st, false, &now);
	assert_string_equal(str_c(&s), "down 0 seconds");
	str_free(&s);
}

/* Only a file of exactly STATUS_LEN bytes is believed. */
static void
test_lengths(void **state)
{
	char dir[] = "/tmp/test_svstatus.XXXXXX";
	struct status st = {.pid = 5}, back;
	const char *failed;
	int at;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(status_read(AT_FDCWD, &back), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(status_running(AT_FDCWD), STATUS_ABSENT);
	assert_int_equal(status_write(&st, &failed), -1);
	assert_string_equal(failed, "supervise/status.new");
	assert_int_equal(mkdir("supervise", 0700), 0);
	assert_int_equal(status_write(&st, &failed), 0);
	assert_int_equal(status_read(AT_FDCWD, &back), 0);
	assert_int_equal(back.pid, 5);
	for (int n = 0; n <= STATUS_LEN + 1; n++) {
		assert_int_equal(truncate("supervise/status", n), 0);
		assert_int_equal(status_read(AT_FDCWD, &back),
		    n == STATUS_LEN ? 0 : -1);
		if (n != STATUS_LEN)
			assert_int_equal(errno, EBADMSG);
	}
	assert_int_equal(mkfifo("supervise/ok", 0600), 0);
	assert_int_equal(status_running(AT_FDCWD), STATUS_NOT);
	at = open("supervise/ok", O_RDONLY | O_NONBLOCK);
	assert_true(at >= 0);
	assert_int_equal(status_running(AT_FDCWD), STATUS_RUNS);
	(void)close(at);
	assert_int_equal(unlink("supervise/ok"), 0);
	assert_int_equal(unlink("supervise/status"), 0);
	assert_int_equal(rmdir("supervise"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* Letters go into a fifo alone: not into the file that a link leads to. */
static void
test_control(void **state)
{
	char dir[] = "/tmp/test_svstatus.XXXXXX";
	int fd, r;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("supervise", 0700), 0);
	assert_int_equal(status_open_control(AT_FDCWD), -1);
	assert_int_equal(errno, ENOENT);
	fd = open("victim", O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(symlink("../victim", "supervise/control"), 0);
	assert_int_equal(status_open_control(AT_FDCWD), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(unlink("supervise/control"), 0);
	assert_int_equal(mkfifo("supervise/control", 0600), 0);
	assert_int_equal(status_open_control(AT_FDCWD), -1);
	assert_int_equal(errno, ENXIO);
	r = open("supervise/control", O_RDONLY | O_NONBLOCK);
	assert_true(r >= 0);
	fd = status_open_control(AT_FDCWD);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)close(r);
	assert_int_equal(unlink("supervise/control"), 0);
	assert_int_equal(unlink("victim"), 0);
	assert_int_equal(rmdir("supervise"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_clock_behind),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
