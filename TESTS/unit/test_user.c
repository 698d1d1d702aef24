/* test_user.c - accounts found, accounts certainly absent, and a name service
 * that fails: in a mount namespace with an /etc of our own, or without
 * descriptors, an existing user must never come out as absent. */
#include "lib/user.h"

#include "lib/fs.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>

static void
test_root(void **state)
{
	struct user u = {0};
	gid_t gid = 99;

	(void)state;
	assert_int_equal(user_find("root", &u), USER_OK);
	assert_string_equal(str_c(&u.name), "root");
	assert_string_equal(str_c(&u.home), "/root");
	assert_int_equal(u.uid, 0);
	assert_int_equal(u.gid, 0);
	/* used again, it is filled anew */
	assert_int_equal(user_find_uid(0, &u), USER_OK);
	assert_string_equal(str_c(&u.name), "root");
	assert_int_equal(user_find_group("root", &gid), USER_OK);
	assert_int_equal(gid, 0);
	user_free(&u);
	assert_null(u.name.s);
	user_free(&u);
}

static void
test_absent(void **state)
{
	struct user u = {0};
	gid_t gid = 99;

	(void)state;
	assert_int_equal(user_find("no-such-user", &u), USER_NONE);
	assert_int_equal(user_find("", &u), USER_NONE);
	assert_int_equal(user_find("root:x", &u), USER_NONE);
	assert_int_equal(user_find("root\n", &u), USER_NONE);
	assert_int_equal(user_find_uid(3999999999u, &u), USER_NONE);
	assert_int_equal(user_find_group("no-such-group", &gid), USER_NONE);
	assert_int_equal(gid, 99);
	assert_int_equal(u.name.cap, 0);
	user_free(&u);
}

/* Our own /etc, seen by this process only. */
static bool
private_etc(const char *passwd, const char *group)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("etc", "/etc", "tmpfs", 0, NULL) < 0)
		return false;
	if (passwd != NULL && fs_replace("/etc/passwd", "/etc/t", passwd,
	    strlen(passwd), 0644) < 0)
		return false;
	if (group != NULL && fs_replace("/etc/group", "/etc/t", group,
	    strlen(group), 0644) < 0)
		return false;
	return fs_replace("/etc/nsswitch.conf", "/etc/t",
	    "passwd: files\ngroup: files\n", 28, 0644) == 0;
}

#define CHECK(number, ok) do { if (!(ok)) _exit(number); } while (0)

/* A missing or unreadable passwd is a failure, not an empty world. */
static void
no_passwd(void *arg)
{
	struct user u = {0};
	gid_t gid;

	(void)arg;
	CHECK(1, private_etc(NULL, NULL));
	CHECK(2, user_find("root", &u) == USER_TEMP && errno != 0);
	CHECK(3, user_find_uid(0, &u) == USER_TEMP && errno != 0);
	CHECK(4, user_find_group("root", &gid) == USER_TEMP && errno != 0);
}

static void
unreadable_passwd(void *arg)
{
	struct user u = {0};

	(void)arg;
	CHECK(1, private_etc("root:x:0:0::/root:/bin/sh\n", ""));
	CHECK(2, chmod("/etc/passwd", 0) == 0);
	CHECK(3, setuid(54321) == 0);
	CHECK(4, user_find("root", &u) == USER_TEMP && errno == EACCES);
}

/* Lines longer than the first buffer, lines that are none, empty fields. */
static void
odd_passwd(void *arg)
{
	struct str pw = {0}, gr = {0};
	struct user u = {0};
	gid_t gid;

	(void)arg;
	str_cats(&pw, "root:x:0:0::/root:/bin/sh\n"
	    "# comment\n\nbroken\nbad:x:nonumber:5:::\n"
	    "long:x:7:8:");
	for (int i = 0; i < 9000; i++)
		str_catc(&pw, 'g');
	str_cats(&pw, ":/long:/bin/sh\nempty:x:9:10:::\nlast:x:11:12:g:/h:/s");
	str_cats(&gr, "big:x:77:");
	for (int i = 0; i < 3000; i++)
		str_catf(&gr, "%smember%d", i ? "," : "", i);
	str_cats(&gr, "\nnext:x:78:\n");
	CHECK(1, private_etc(str_c(&pw), str_c(&gr)));
	CHECK(2, user_find("long", &u) == USER_OK && u.gecos.len == 9000 &&
	    u.uid == 7 && u.gid == 8 && str_eqs(&u.home, "/long"));
	CHECK(3, user_find("empty", &u) == USER_OK && u.gecos.len == 0 &&
	    u.home.len == 0 && u.shell.len == 0);
	CHECK(4, user_find("last", &u) == USER_OK && str_eqs(&u.shell, "/s"));
	CHECK(5, user_find("broken", &u) == USER_NONE);
	CHECK(6, user_find("bad", &u) == USER_NONE);
	CHECK(7, user_find("LAST", &u) == USER_NONE);
	CHECK(8, user_find_uid(7, &u) == USER_OK && str_eqs(&u.name, "long"));
	CHECK(9, user_find_group("big", &gid) == USER_OK && gid == 77);
	CHECK(10, user_find_group("next", &gid) == USER_OK && gid == 78);
	user_free(&u);
	str_free(&pw);
	str_free(&gr);
}

/* Where not even root is found, "no" says nothing: a service that failed is
 * hidden by the C library behind the next one's answer. */
static void
no_root(void *arg)
{
	struct user u = {0};

	(void)arg;
	CHECK(1, private_etc("ana:x:7:8::/ana:/bin/sh\n", ""));
	CHECK(2, user_find("ana", &u) == USER_OK);
	CHECK(3, user_find("bo", &u) == USER_TEMP);
	user_free(&u);
}

/* An entry past every sane size defers. */
static void
huge_passwd(void *arg)
{
	struct str pw = {0};
	struct user u = {0};

	(void)arg;
	str_cats(&pw, "huge:x:7:8:");
	for (int i = 0; i < 3 << 20; i++)
		str_catc(&pw, 'g');
	str_cats(&pw, ":/:/\n");
	CHECK(1, private_etc(str_c(&pw), ""));
	CHECK(2, user_find("huge", &u) == USER_TEMP && errno == ERANGE);
	str_free(&pw);
}

static void
no_fds(void *arg)
{
	struct rlimit rl = {0, 0};
	struct user u = {0};
	gid_t gid;

	(void)arg;
	CHECK(1, private_etc("root:x:0:0::/root:/bin/sh\n", "root:x:0:\n"));
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	CHECK(2, user_find("root", &u) == USER_TEMP);
	CHECK(3, user_find("no-such-user", &u) == USER_TEMP);
	CHECK(4, user_find_group("root", &gid) == USER_TEMP);
}

static void
test_failing_service(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	unit_dies(no_passwd, NULL, 0, "");
	unit_dies(unreadable_passwd, NULL, 0, "");
	unit_dies(odd_passwd, NULL, 0, "");
	unit_dies(no_root, NULL, 0, "");
	unit_dies(huge_passwd, NULL, 0, "");
	unit_dies(no_fds, NULL, 0, "");
}

static void
need_nobody(void *arg)
{
	uid_t uid;
	gid_t gid;

	(void)arg;
	user_need_file("no-such-user", &uid, &gid);
}

/* root: 0 and 0, daemon: 1 and 1, on every Debian. */
static void
test_file(void **state)
{
	uid_t uid = 9;
	gid_t gid = 9;

	(void)state;
	user_need_file("root", &uid, &gid);
	assert_int_equal(uid, 0);
	assert_int_equal(gid, 0);
	user_need_file("daemon", &uid, &gid);
	assert_int_equal(uid, 1);
	assert_int_equal(gid, 1);
	unit_dies(need_nobody, NULL, 111,
	    "no account no-such-user in /etc/passwd");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		/* first: in this process no name service is loaded yet */
		cmocka_unit_test(test_failing_service),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
