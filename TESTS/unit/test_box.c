/* test_box.c - a mailbox as a session sees it, while others change it: order,
 * numbers, files that are found again, and what QUIT does. */
#include "pop3d/box.h"

#include "TESTS/unit/box_fixture.h"
#include "lib/str.h"
#include "mail/mdscan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define MANY 3000
#define STORM 2000
#define STORM_SESSIONS 40

static void
test_none(void **state)
{
	struct box_config none = {.maildir = "nowhere", .uidl = "auto"};
	struct box *b;

	(void)state;
	assert_int_equal(box_open(&b, &none), BOX_NONE);
	assert_null(b);
	none.maildir = "file";
	put("file", "");
	assert_int_equal(box_open(&b, &none), BOX_NONE);
	none.maildir = "tmp";
	assert_int_equal(box_open(&b, &none), BOX_NONE);
	b = opened();
	assert_int_equal(box_count(b), 0);
	box_free(b);
	box_free(NULL);
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
	put("cur/.nfs1", "");
	put_at("cur/by time", "x\n", 1000000001, 500);
	put_at("cur/and name", "xy\n", 1000000001, 500);
	b = opened();
	expect_uidls(b, "1000000001.6.h 1000000001.7.h 1000000001.M0.h "
	    "h* h* 1000000002.M4P1.h,S=3,W=200 1000000002.M5P1.h,S=3,W=1000");
	assert_int_equal(box_size(b, 0), 4);
	assert_int_equal(box_size(b, 1), 9);
	assert_int_equal(box_size(b, 2), 0);
	assert_int_equal(box_size(b, 3), 4);
	assert_int_equal(box_size(b, 4), 3);
	box_stat(b, &n, &bytes);
	assert_int_equal(n, 7);
	assert_int_equal(bytes, 1220);
	box_delete(b, 6);
	box_delete(b, 0);
	assert_true(box_deleted(b, 6));
	assert_false(box_deleted(b, 5));
	box_stat(b, &n, &bytes);
	assert_int_equal(n, 5);
	assert_int_equal(bytes, 216);
	box_undelete(b);
	assert_false(box_deleted(b, 6));
	box_stat(b, &n, &bytes);
	assert_int_equal(n, 7);
	assert_int_equal(bytes, 1220);
	box_free(b);
	/* No QUIT: nothing was touched. */
	assert_true(there("new/1000000002.M5P1.h,S=3,W=1000"));
	assert_true(there("cur/1000000001.6.h:2,"));
}

/* One base name is one message, wherever and how often it stands. */
static void
test_twice(void **state)
{
	struct box_result r;
	struct box *b;
	char text[10];

	(void)state;
	put("new/5.a", "new");
	put("cur/5.a:2,S", "cur");
	put("cur/5.b:2,", "1");
	put("cur/5.b:2,F", "2");
	put("cur/odd:2,", "3");
	put("cur/odd", "4");
	put("new/6.c", "5");
	b = opened();
	assert_int_equal(box_count(b), 4);
	box_free(b);
	b = opened();
	get(b, 0, text, sizeof text);
	assert_string_equal(text, "cur");
	for (size_t i = 0; i < 3; i++)
		box_delete(b, i + (i == 2));
	box_update(b, &r);
	assert_int_equal(r.deleted, 3);
	assert_int_equal(r.failed, 0);
	box_free(b);
	assert_string_equal(listing(), "cur/6.c:2,");
}

static int
by_key_and_name(const void *pa, const void *pc)
{
	const char *a = *(const char *const *)pa, *c = *(const char *const *)pc;
	uint64_t ka = mdname_time(a), kc = mdname_time(c);

	return ka != kc ? (ka > kc) - (ka < kc) : strcmp(a, c);
}

static void
test_many(void **state)
{
	static char name[MANY][64];
	static const char *sorted[MANY];
	struct box *b;
	char path[80];

	(void)state;
	srandom(7);
	for (size_t i = 0; i < MANY; i++) {
		/* Some of one second, some of all times, some of one time. */
		long sec = i % 3 ? random() % 7 : random();

		(void)snprintf(name[i], sizeof name[i], i % 5 ?
		    "%ld.M%ldP%zu.x" : "%ld.M7P%ld.%zu.x", sec,
		    random() % 1000000, i);
		(void)snprintf(path, sizeof path, i % 2 ? "new/%s" :
		    "cur/%s:2,S", name[i]);
		put(path, "");
		sorted[i] = name[i];
	}
	qsort(sorted, MANY, sizeof *sorted, by_key_and_name);
	b = opened();
	assert_int_equal(box_count(b), MANY);
	for (size_t i = 0; i < MANY; i++)
		assert_string_equal(box_uidl(b, i), sorted[i]);
	box_free(b);
}

static void
put_filled(const char *path, size_t n, const char *end)
{
	struct str s = {0};

	for (size_t i = 0; i < n; i++)
		str_catc(&s, 'x');
	str_cats(&s, end);
	put(path, str_c(&s));
	str_free(&s);
}

/* A CR or an LF on the border between two reads of 256 KB. */
static void
test_sizes_of_large(void **state)
{
	const size_t border = (size_t)256 << 10;
	struct box *b;

	(void)state;
	put_filled("cur/1.a:2,", border, "\n");
	put_filled("cur/2.a:2,", border - 1, "\r\n");
	put_filled("cur/3.a:2,", border - 1, "\n\n");
	put_filled("cur/4.a:2,", border - 1, "\r");
	put_filled("cur/5.a:2,", border * 3, "\r\r\n\n");
	b = opened();
	assert_int_equal(box_size(b, 0), border + 2);
	assert_int_equal(box_size(b, 1), border + 1);
	assert_int_equal(box_size(b, 2), border - 1 + 4);
	assert_int_equal(box_size(b, 3), border + 2);
	assert_int_equal(box_size(b, 4), border * 3 + 5);
	box_free(b);
}

static void
test_found_again(void **state)
{
	struct box *b;
	char text[10];

	(void)state;
	put("new/1.a", "a");
	put("cur/2.b:2,", "b");
	put("cur/3.c:2,S", "c");
	put("new/4.d", "d");
	put("cur/5.e:2,", "e");
	b = opened();
	move("new/1.a", "cur/1.a:2,");
	move("cur/2.b:2,", "cur/2.b:2,S");
	move("cur/3.c:2,S", "cur/3.c:2,DFPRSTabcdefghijkl");
	move("new/4.d", "cur/4.d:2,FRS");
	move("cur/5.e:2,", "new/5.e");
	for (size_t i = 0; i < 5; i++) {
		get(b, i, text, sizeof text);
		assert_int_equal(text[0], 'a' + (int)i);
	}
	/* And again, with longer and with shorter names. */
	move("cur/3.c:2,DFPRSTabcdefghijkl", "cur/3.c");
	move("cur/4.d:2,FRS", "cur/4.d:2,DFPRSTabcdefghijklm");
	for (size_t i = 5; i-- > 0;) {
		get(b, i, text, sizeof text);
		assert_int_equal(text[0], 'a' + (int)i);
	}
	box_free(b);
}

/* What is gone is gone, and what is no file is never opened. */
static void
test_gone(void **state)
{
	char text[10];
	size_t n;
	uint64_t bytes;
	struct box *b;

	(void)state;
	put("cur/1.a:2,", "1234\n");
	put("cur/2.b:2,", "1234\n");
	put("cur/3.c,W=100:2,", "1234\n");
	assert_int_equal(mkfifo("cur/4.d:2,", 0600), 0);
	assert_int_equal(symlink("../secret", "cur/5.e:2,"), 0);
	put("secret", "secret\n");
	assert_int_equal(mkdir("cur/6.f:2,", 0700), 0);
	put("cur/7.g:2,", "1234\n");
	b = opened();
	assert_int_equal(box_count(b), 6);
	assert_int_equal(box_size(b, 0), 6);
	assert_int_equal(unlink("cur/1.a:2,"), 0);
	assert_int_equal(unlink("cur/2.b:2,"), 0);
	assert_int_equal(unlink("cur/3.c,W=100:2,"), 0);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(box_message(b, i), -1);
		assert_int_equal(errno, ENOENT);
	}
	assert_int_equal(box_size(b, 0), 6);
	assert_int_equal(box_size(b, 1), 0);
	assert_int_equal(box_size(b, 2), 100);
	assert_int_equal(box_size(b, 3), 0);
	assert_int_equal(box_size(b, 4), 0);
	box_stat(b, &n, &bytes);
	assert_int_equal(n, 6);
	assert_int_equal(bytes, 112);
	/* Numbers stay. */
	get(b, 5, text, sizeof text);
	assert_string_equal(text, "1234\n");
	box_free(b);
}

static void
test_update(void **state)
{
	struct box_result r;
	struct box *b;

	(void)state;
	put("new/1.a", "a");
	put("new/2.b", "b");
	put("cur/3.c:2,", "c");
	put("cur/4.d:2,S", "d");
	put("new/5.e:2,F", "e");
	put("cur/6.f:2,", "f");
	put("new/7.g", "g");
	put("cur/8.h:2,", "h");
	b = opened();
	move("cur/4.d:2,S", "cur/4.d:2,FS");
	assert_int_equal(unlink("cur/3.c:2,"), 0);
	put("new/9.i", "came later");
	put("cur/3.cc:2,", "is another");
	move("new/7.g", "cur/7.g:2,S");
	/* It cannot be removed: a directory where the file was. */
	assert_int_equal(unlink("cur/8.h:2,"), 0);
	assert_int_equal(mkdir("cur/8.h:2,", 0700), 0);
	box_delete(b, 0);
	box_delete(b, 2);
	box_delete(b, 3);
	box_delete(b, 7);
	box_update(b, &r);
	assert_int_equal(r.deleted, 3);
	assert_int_equal(r.failed, 1);
	assert_int_equal(r.error, EISDIR);
	box_free(b);
	assert_string_equal(listing(), "cur/2.b:2, cur/3.cc:2, cur/5.e:2,F "
	    "cur/6.f:2, cur/7.g:2,S cur/8.h:2, new/9.i");
}

/* Never over a file that is there. */
static void
test_move_not_over(void **state)
{
	struct box_result r;
	struct box *b;
	char text[10];

	(void)state;
	put("new/1.a", "a");
	b = opened();
	put("cur/1.a:2,", "b");
	box_update(b, &r);
	box_free(b);
	assert_string_equal(listing(), "cur/1.a:2, new/1.a");
	b = opened();
	get(b, 0, text, sizeof text);
	assert_string_equal(text, "b");
	box_free(b);
}

/* Messages with flag T were never counted (Maildir++). */
static void
test_maildirsize(void **state)
{
	struct box_result r;
	struct box *b;

	(void)state;
	put("maildirsize", "100000S\n1000 9\n");
	put("new/1.a,S=100,W=101", "");
	put("cur/2.b:2,S", "1234567");
	put("cur/3.c,S=50:2,ST", "");
	put("cur/4.d,S=9:2,", "");
	put("cur/5.e,S=70:2,", "");
	b = opened();
	assert_int_equal(unlink("cur/5.e,S=70:2,"), 0);
	for (size_t i = 0; i < 5; i++)
		if (i != 3)
			box_delete(b, i);
	box_update(b, &r);
	assert_int_equal(r.deleted, 4);
	assert_int_equal(r.failed, 0);
	box_free(b);
	expect_file("maildirsize", "100000S\n1000 9\n-107 -2\n");
}

/* Sizes of names that no sum has room for. */
static void
test_maildirsize_huge(void **state)
{
	struct box_result r;
	struct box *b;

	(void)state;
	put("maildirsize", "100000S\n1000 9\n");
	put("cur/1.a,S=9223372036854775807:2,", "");
	put("cur/2.b,S=9223372036854775807:2,", "");
	put("cur/3.c,S=9223372036854775808:2,", "four");
	b = opened();
	for (size_t i = 0; i < 3; i++)
		box_delete(b, i);
	box_update(b, &r);
	assert_int_equal(r.deleted, 3);
	box_free(b);
	expect_file("maildirsize",
	    "100000S\n1000 9\n-9223372036854775807 -3\n");
}

static void
test_tmp(void **state)
{
	struct timespec old[2] = {{.tv_sec = time(NULL) - 36 * 3600 - 60},
	    {.tv_sec = time(NULL) - 36 * 3600 - 60}};
	struct box_result r;
	struct box *b;

	(void)state;
	put("tmp/1.old", "");
	put("tmp/2.young", "");
	put("tmp/3.read", "");
	put("tmp/.dot", "");
	assert_int_equal(mkdir("tmp/4.dir", 0700), 0);
	assert_int_equal(utimensat(AT_FDCWD, "tmp/1.old", old, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, "tmp/.dot", old, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, "tmp/4.dir", old, 0), 0);
	old[0].tv_sec = time(NULL);
	assert_int_equal(utimensat(AT_FDCWD, "tmp/3.read", old, 0), 0);
	b = opened();
	box_free(b);
	assert_true(there("tmp/1.old"));
	b = opened();
	box_update(b, &r);
	box_free(b);
	assert_false(there("tmp/1.old"));
	assert_true(there("tmp/2.young"));
	assert_true(there("tmp/3.read"));
	assert_true(there("tmp/.dot"));
	assert_true(there("tmp/4.dir"));
}

/* Until it is killed: flags of one message after the other. */
static void
storm(void)
{
	for (unsigned turn = 0;; turn++)
		for (int i = 0; i < STORM; i++) {
			static const char *const info[] = {":2,", ":2,F",
			    ":2,FS"};
			char from[64], to[64];

			(void)snprintf(from, sizeof from, turn == 0 && i % 2 ?
			    "new/%d.x" : "cur/%d.x%s", i, info[turn % 3]);
			(void)snprintf(to, sizeof to, "cur/%d.x%s", i,
			    info[(turn + 1) % 3]);
			(void)rename(from, to);
		}
}

/* Sessions see all messages, reach each one and remove what they delete. */
static void
test_storm(void **state)
{
	size_t left = STORM;
	char path[64];
	pid_t pid;

	(void)state;
	for (int i = 0; i < STORM; i++) {
		(void)snprintf(path, sizeof path, i % 2 ? "new/%d.x" :
		    "cur/%d.x:2,", i);
		put(path, "");
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		storm();
	for (size_t k = 0; k < STORM_SESSIONS; k++) {
		struct box *b = opened();
		struct box_result r;

		assert_int_equal(box_count(b), left);
		for (size_t i = k % 10; i < left; i += 10) {
			int fd = box_message(b, i);

			assert_true(fd >= 0);
			(void)close(fd);
		}
		for (size_t i = 0; i < STORM / STORM_SESSIONS; i++)
			box_delete(b, i * left * STORM_SESSIONS / STORM);
		box_update(b, &r);
		assert_int_equal(r.deleted, STORM / STORM_SESSIONS);
		assert_int_equal(r.failed, 0);
		box_free(b);
		left -= STORM / STORM_SESSIONS;
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(left, 0);
	assert_string_equal(listing(), "");
}

static void
test_slots(void **state)
{
	struct box *b[3], *c;

	(void)state;
	cfg.sessions = 3;
	for (size_t i = 0; i < 3; i++)
		b[i] = opened();
	assert_int_equal(box_open(&c, &cfg), BOX_BUSY);
	assert_null(c);
	box_free(b[1]);
	b[1] = opened();
	assert_int_equal(box_open(&c, &cfg), BOX_BUSY);
	cfg.sessions = 4;
	c = opened();
	box_free(c);
	/* Any number, but those that count are counted still. */
	cfg.sessions = 0;
	c = opened();
	box_free(c);
	cfg.sessions = 3;
	assert_int_equal(box_open(&c, &cfg), BOX_BUSY);
	for (size_t i = 0; i < 3; i++)
		box_free(b[i]);
	/* Mail can be read where the file cannot be. */
	assert_int_equal(unlink("pop3d.lock"), 0);
	assert_int_equal(symlink("/etc/passwd", "pop3d.lock"), 0);
	cfg.sessions = 1;
	b[0] = opened();
	b[1] = opened();
	box_free(b[0]);
	box_free(b[1]);
}

static void
test_delay(void **state)
{
	struct timespec t[2] = {{0}};
	struct box *b;

	(void)state;
	cfg.delay_s = 100;
	b = opened();
	box_free(b);
	assert_int_equal(box_open(&b, &cfg), BOX_SOON);
	for (int i = 0; i < 2; i++)
		t[i].tv_sec = time(NULL) - 90;
	assert_int_equal(utimensat(AT_FDCWD, "pop3d.lock", t, 0), 0);
	assert_int_equal(box_open(&b, &cfg), BOX_SOON);
	for (int i = 0; i < 2; i++)
		t[i].tv_sec = time(NULL) - 101;
	assert_int_equal(utimensat(AT_FDCWD, "pop3d.lock", t, 0), 0);
	b = opened();
	box_free(b);
	/* It was a login. */
	assert_int_equal(box_open(&b, &cfg), BOX_SOON);
	/* One that failed was none. */
	for (int i = 0; i < 2; i++)
		t[i].tv_sec = time(NULL) - 101;
	assert_int_equal(utimensat(AT_FDCWD, "pop3d.lock", t, 0), 0);
	move("cur", "away");
	assert_int_equal(box_open(&b, &cfg), BOX_NONE);
	move("away", "cur");
	b = opened();
	box_free(b);
	/* The clock was put back. */
	for (int i = 0; i < 2; i++)
		t[i].tv_sec = time(NULL) + 3600;
	assert_int_equal(utimensat(AT_FDCWD, "pop3d.lock", t, 0), 0);
	b = opened();
	box_free(b);
	cfg.delay_s = 0;
	b = opened();
	box_free(b);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_none),
	    T(test_order_and_sizes),
	    T(test_twice),
	    T(test_many),
	    T(test_sizes_of_large),
	    T(test_found_again),
	    T(test_gone),
	    T(test_update),
	    T(test_move_not_over),
	    T(test_maildirsize),
	    T(test_maildirsize_huge),
	    T(test_tmp),
	    T(test_storm),
	    T(test_slots),
	    T(test_delay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
