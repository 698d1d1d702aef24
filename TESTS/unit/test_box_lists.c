/* test_box_lists.c - identifiers and sizes that are kept in a Maildir: ours,
 * and those that other servers left there. */
#include "pop3d/box.h"

#include "TESTS/unit/box_fixture.h"
#include "lib/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define COURIER "courierpop3dsizelist"
#define DOVECOT "dovecot-uidlist"

/* openssl mac -macopt size:16 -macopt hexkey:00000000000000000000000000000000
 * SIPHASH of "a b", and of 71 times "x". */
#define HASH_A_B "h2e811d9a5b7dd615c47844ba02768e6d"
#define HASH_71 "h585c3dbd13f46079d57d6df0bdff555b"
#define HASH_LIKE "h05585a37cb9b4a091ff32e6212303c76"
#define LIKE_A_HASH "h00112233445566778899aabbccddeeff"

static void
test_own_uidl(void **state)
{
	char path[100], name[72] = "";
	struct box *b;

	(void)state;
	memset(name, 'x', 71);
	(void)snprintf(path, sizeof path, "cur/%s:2,S", name);
	put_at(path, "", 4, 0);
	(void)snprintf(path, sizeof path, "cur/%s:2,S", name + 1);
	put_at(path, "", 3, 0);
	put_at("cur/a b", "", 1, 0);
	put_at("cur/!~,;", "", 2, 0);
	put_at("cur/" LIKE_A_HASH, "", 5, 0);
	put_at("cur/h00112233445566778899aabbccddeefg", "", 6, 0);
	put_at("cur/\x7f", "", 7, 0);
	put_at("cur/a\x80", "", 8, 0);
	put_at("cur/a\nb", "", 9, 0);
	b = opened();
	assert_string_equal(box_uidl(b, 0), HASH_A_B);
	assert_string_equal(box_uidl(b, 1), "!~,;");
	assert_string_equal(box_uidl(b, 2), name + 1);
	assert_string_equal(box_uidl(b, 3), HASH_71);
	assert_string_equal(box_uidl(b, 4), HASH_LIKE);
	assert_string_equal(box_uidl(b, 5),
	    "h00112233445566778899aabbccddeefg");
	for (size_t i = 6; i < 9; i++)
		assert_int_equal(strlen(box_uidl(b, i)), 33);
	box_free(b);
	assert_false(there("pop3d.uidl"));
}

static void
messages(void)
{
	put("cur/1.a:2,S", "1\n");
	put("cur/2.b:2,", "12\n");
	put("new/3.c", "123\n");
}

/* As Debian's servers write them. */
static const char courier[] =
    "/3 8 1795444690\n"
    "1.a:2,S 1000 5:1795444690:0\n"
    "2.b 2000 7:1795444690:0\n"
    "9.gone:2, 6 6:1795444690:0\n";
static const char dovecot[] =
    "3 V1795444690 N12 Gc8996b08d24f046b0d0c0000507bea1d\n"
    "10 W3000 :1.a:2,S\n"
    "11 :2.b:2,\n"
    "12 :9.gone:2,\n";

static void
test_import_courier(void **state)
{
	struct box *b;

	(void)state;
	messages();
	put(COURIER, courier);
	b = opened();
	expect_uidls(b, "UID5-1795444690 UID7-1795444690 3.c");
	assert_int_equal(box_size(b, 0), 1000);
	assert_int_equal(box_size(b, 1), 2000);
	assert_int_equal(box_size(b, 2), 5);
	box_free(b);
	/* From now on it is ours that counts. */
	put(COURIER, "/3 9 1\n3.c 9 8:1:0\n1.a 9 9:1:0\n");
	put("new/4.d", "1234\n");
	move("cur/2.b:2,", "cur/2.b:2,RS");
	b = opened();
	expect_uidls(b, "UID5-1795444690 UID7-1795444690 3.c 4.d");
	assert_int_equal(box_size(b, 0), 1000);
	assert_int_equal(box_size(b, 1), 2000);
	assert_int_equal(box_size(b, 3), 6);
	box_free(b);
	assert_int_equal(unlink(COURIER), 0);
	put(DOVECOT, dovecot);
	b = opened();
	expect_uidls(b, "UID5-1795444690 UID7-1795444690 3.c 4.d");
	box_free(b);
}

static void
test_import_dovecot(void **state)
{
	struct box *b;

	(void)state;
	messages();
	put(DOVECOT, dovecot);
	b = opened();
	/* 1795444690 is 0x6b044fd2. */
	expect_uidls(b, "0000000a6b044fd2 0000000b6b044fd2 3.c");
	assert_int_equal(box_size(b, 0), 3000);
	assert_int_equal(box_size(b, 1), 4);
	box_free(b);
	assert_int_equal(unlink("pop3d.uidl"), 0);
	cfg.uidl = "dovecot %u-%v";
	b = opened();
	expect_uidls(b, "10-1795444690 11-1795444690 3.c");
	box_free(b);
	assert_int_equal(unlink("pop3d.uidl"), 0);
	cfg.uidl = "dovecot";
	b = opened();
	expect_uidls(b, "0000000a6b044fd2 0000000b6b044fd2 3.c");
	box_free(b);
	assert_int_equal(unlink("pop3d.uidl"), 0);
	cfg.uidl = "courier";
	b = opened();
	expect_uidls(b, "1.a 2.b 3.c");
	box_free(b);
	assert_false(there("pop3d.uidl"));
}

/* The list is there before the messages. */
static void
test_import_early(void **state)
{
	struct box *b;

	(void)state;
	put(DOVECOT, dovecot);
	b = opened();
	assert_int_equal(box_count(b), 0);
	box_free(b);
	assert_false(there("pop3d.uidl"));
	messages();
	b = opened();
	expect_uidls(b, "0000000a6b044fd2 0000000b6b044fd2 3.c");
	box_free(b);
	assert_true(there("pop3d.uidl"));
}

static void
test_which(void **state)
{
	struct box *b;

	(void)state;
	messages();
	put_at(COURIER, courier, 1000, 0);
	put_at(DOVECOT, dovecot, 1000, 1);
	cfg.uidl = "name";
	b = opened();
	expect_uidls(b, "1.a 2.b 3.c");
	box_free(b);
	assert_false(there("pop3d.uidl"));
	cfg.uidl = "auto";
	b = opened();
	expect_uidls(b, "0000000a6b044fd2 0000000b6b044fd2 3.c");
	box_free(b);
	assert_int_equal(unlink("pop3d.uidl"), 0);
	put_at(COURIER, courier, 1000, 2);
	b = opened();
	expect_uidls(b, "UID5-1795444690 UID7-1795444690 3.c");
	box_free(b);
	assert_int_equal(unlink("pop3d.uidl"), 0);
	/* The newest that makes sense. */
	put_at(COURIER, "/9\n", 1000, 2);
	b = opened();
	expect_uidls(b, "0000000a6b044fd2 0000000b6b044fd2 3.c");
	box_free(b);
	assert_int_equal(unlink("pop3d.uidl"), 0);
	assert_int_equal(unlink(DOVECOT), 0);
	b = opened();
	expect_uidls(b, "1.a 2.b 3.c");
	box_free(b);
	assert_false(there("pop3d.uidl"));
	/* Links are not followed. */
	put("list", courier);
	assert_int_equal(unlink(COURIER), 0);
	assert_int_equal(symlink("list", COURIER), 0);
	b = opened();
	expect_uidls(b, "1.a 2.b 3.c");
	box_free(b);
}

static void
test_settings(void **state)
{
	static const char *const bad[] = {"", "x", "courier x", "dovecot ",
	    "dovecot x", "dovecot %m", "dovecotx", "Auto", "name "};
	struct box *b;

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		assert_false(box_uidl_config_ok(bad[i]));
		cfg.uidl = bad[i];
		assert_int_equal(box_open(&b, &cfg), BOX_TEMP);
		assert_int_equal(errno, EINVAL);
	}
	assert_true(box_uidl_config_ok("auto"));
	assert_true(box_uidl_config_ok("dovecot"));
	assert_true(box_uidl_config_ok("dovecot %f"));
}

/* Two that another server called the same, one that may not stand in a reply,
 * and one that is like a base name. */
static void
test_unique(void **state)
{
	struct box *b;

	(void)state;
	messages();
	put("cur/4.d:2,", "");
	put("cur/5.e:2,", "");
	put(DOVECOT, "3 V7 N9\n1 Psame :1.a\n2 Psame :2.b\n3 P3.\x7f"
	    "c :3.c\n4 P5.e :4.d\n");
	for (int turn = 0; turn < 2; turn++) {
		b = opened();
		expect_uidls(b, "same h* 3.c 5.e h*");
		box_free(b);
	}
	/* It stays so when the one it was like is gone. */
	assert_int_equal(unlink("cur/4.d:2,"), 0);
	assert_int_equal(unlink("cur/1.a:2,S"), 0);
	b = opened();
	expect_uidls(b, "h* 3.c h*");
	box_free(b);
}

/* As long as it was, but not without an end. */
static void
test_long_given(void **state)
{
	char given[257], list[600];
	struct box *b;

	(void)state;
	messages();
	(void)snprintf(given, sizeof given, "%0256d", 7);
	(void)snprintf(list, sizeof list, "3 V7 N9\n1 P%s :1.a\n2 P%s :2.b\n",
	    given, given + 1);
	put(DOVECOT, list);
	for (int turn = 0; turn < 2; turn++) {
		b = opened();
		assert_string_equal(box_uidl(b, 0), "1.a");
		assert_string_equal(box_uidl(b, 1), given + 1);
		box_free(b);
	}
}

/* A list that is not as it was written is as good as none, and is made again
 * from what it came from. */
static void
test_broken(void **state)
{
	struct box *b;
	int fd;

	(void)state;
	messages();
	put(COURIER, courier);
	b = opened();
	box_free(b);
	fd = open("pop3d.uidl", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 40), 1);
	(void)close(fd);
	b = opened();
	expect_uidls(b, "UID5-1795444690 UID7-1795444690 3.c");
	box_free(b);
	assert_int_equal(unlink(COURIER), 0);
	b = opened();
	expect_uidls(b, "UID5-1795444690 UID7-1795444690 3.c");
	box_free(b);
	put("pop3d.uidl", "");
	b = opened();
	expect_uidls(b, "1.a 2.b 3.c");
	box_free(b);
}

/* Lines of what is gone leave when they are most of it, and many. */
static void
test_prune(void **state)
{
	struct str list = {0};
	struct box_result r;
	struct stat before, after;
	struct box *b;
	char path[40];

	(void)state;
	str_cats(&list, "/3 300 7\n");
	for (int i = 0; i < 200; i++) {
		(void)snprintf(path, sizeof path, "cur/%d.a:2,", 100 + i);
		put(path, "x\n");
		str_catf(&list, "%d.a 3 %d:7:0\n", 100 + i, i + 1);
	}
	put(COURIER, str_c(&list));
	str_free(&list);
	b = opened();
	assert_string_equal(box_uidl(b, 199), "UID200-7");
	for (size_t i = 0; i < 100; i++)
		box_delete(b, i);
	box_update(b, &r);
	box_free(b);
	assert_int_equal(stat("pop3d.uidl", &before), 0);
	/* Half: not yet. */
	b = opened();
	assert_string_equal(box_uidl(b, 99), "UID200-7");
	box_update(b, &r);
	box_free(b);
	assert_int_equal(stat("pop3d.uidl", &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	b = opened();
	assert_string_equal(box_uidl(b, 0), "UID101-7");
	box_delete(b, 0);
	box_update(b, &r);
	box_free(b);
	assert_int_equal(stat("pop3d.uidl", &after), 0);
	assert_true(after.st_size < before.st_size * 2 / 3);
	b = opened();
	assert_int_equal(box_count(b), 99);
	assert_string_equal(box_uidl(b, 0), "UID102-7");
	assert_string_equal(box_uidl(b, 98), "UID200-7");
	box_free(b);
}

/* What was read is kept; what is kept is not read. */
static void
test_sizes_kept(void **state)
{
	struct box *b;

	(void)state;
	put("cur/1.a:2,", "12\n");
	put("cur/2.b,W=77:2,", "12\n");
	put("cur/odd name", "");
	put("cur/a\nb", "");
	b = opened();
	assert_int_equal(box_size(b, 0), 4);
	box_free(b);
	assert_true(there("pop3d.sizes"));
	put("cur/1.a:2,", "another size\n");
	b = opened();
	assert_int_equal(box_size(b, 0), 4);
	box_free(b);
	/* Without it, and when it is nonsense. */
	for (int i = 0; i < 2; i++) {
		b = opened();
		if (i == 0)
			assert_int_equal(unlink("pop3d.sizes"), 0);
		else
			put("pop3d.sizes", "pop3d.sizes 1 1 0\n9 1.a\n");
		assert_int_equal(box_size(b, 0), 14);
		box_free(b);
	}
	expect_file("tmp/../cur/1.a:2,", "another size\n");
}

/* A file for one size of a thousand is not worth its making, but a large
 * message is. */
static void
test_sizes_worth(void **state)
{
	struct str large = {0};
	struct box *b;
	char path[40];

	(void)state;
	for (int i = 0; i < 640; i++) {
		(void)snprintf(path, sizeof path, "cur/%d.a,W=9:2,", i);
		put(path, "");
	}
	for (int i = 0; i < 8; i++) {
		(void)snprintf(path, sizeof path, "cur/9%d.a:2,", i);
		put(path, "x");
	}
	b = opened();
	assert_int_equal(box_count(b), 648);
	/* Those 8 sort between the others. */
	for (size_t i = 0, seen = 0; i < 648 && seen < 8; i++)
		seen += box_size(b, i) == 3;
	box_free(b);
	assert_false(there("pop3d.sizes"));
	put("cur/1000.a:2,", "x");
	put("cur/1001.a:2,", "x");
	b = opened();
	for (size_t i = 0; i < 650; i++)
		(void)box_size(b, i);
	box_free(b);
	assert_true(there("pop3d.sizes"));

	for (int i = 0; i < 1 << 20; i++)
		str_catc(&large, 'x');
	put("cur/2000.a:2,", str_c(&large));
	str_free(&large);
	b = opened();
	assert_int_equal(box_size(b, 650), (1 << 20) + 2);
	box_free(b);
	put("cur/2000.a:2,", "");
	put("cur/97.a:2,", "longer");
	b = opened();
	assert_int_equal(box_size(b, 650), (1 << 20) + 2);
	for (size_t i = 0; i < 651; i++)
		assert_true(box_size(b, i) != 8);
	box_free(b);
}

/* No file can be written: mail is read all the same, and identifiers are what
 * the other server's list says. */
static void
without_space(void *arg)
{
	struct rlimit none = {0, 0};
	struct box_result r;
	struct box *b;

	(void)arg;
	(void)signal(SIGXFSZ, SIG_IGN);
	cfg.sessions = 2;
	cfg.delay_s = 1;
	if (setrlimit(RLIMIT_FSIZE, &none) < 0 ||
	    box_open(&b, &cfg) != BOX_OK)
		_exit(2);
	if (strcmp(box_uidl(b, 1), "UID7-1795444690") != 0 ||
	    box_size(b, 2) != 5)
		_exit(3);
	box_delete(b, 0);
	box_update(b, &r);
	if (r.deleted != 1 || r.failed != 0)
		_exit(4);
	box_free(b);
}

static void
test_no_space(void **state)
{
	char text[1000];
	int status;

	(void)state;
	messages();
	put(COURIER, courier);
	status = unit_child(without_space, NULL, text, sizeof text);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_false(there("pop3d.uidl"));
	assert_false(there("pop3d.sizes"));
	assert_int_equal(system("test -z \"$(ls tmp)\""), 0);
	assert_string_equal(listing(), "cur/2.b:2, cur/3.c:2,");
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_own_uidl),
	    T(test_import_courier),
	    T(test_import_dovecot),
	    T(test_import_early),
	    T(test_which),
	    T(test_settings),
	    T(test_unique),
	    T(test_long_given),
	    T(test_broken),
	    T(test_prune),
	    T(test_sizes_kept),
	    T(test_sizes_worth),
	    T(test_no_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
