/* test_manage.c - domains and accounts as a sequence of steps: what is there
 * when all went well, and that nothing is when one fails. */
#include "vpop/manage.h"

#include "lib/fs.h"
#include "vpop/assign.h"
#include "vpop/vtree.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char tmp[] = "/tmp/unit-manage.XXXXXX";
static char control[64], users[64];
static struct vcommand c;
static struct str why;

static const char *
at(const char *name)
{
	static struct str path;

	str_clear(&path);
	str_catf(&path, "%s/%s", tmp, name);
	return str_c(&path);
}

static bool
there(const char *name)
{
	struct stat st;

	return lstat(at(name), &st) == 0;
}

static void
put(const char *name, const char *text)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static void
is(const char *name, const char *want)
{
	struct str text = {0};

	assert_int_equal(fs_read(at(name), &text, 1 << 20), 0);
	assert_string_equal(str_c(&text), want);
	str_free(&text);
}

static void
ok(enum vpop_error e)
{
	if (e != VPOP_OK)
		assert_string_equal(str_c(&why), "no error");
	str_clear(&why);
}

static void
fails(enum vpop_error e, enum vpop_error want, const char *words)
{
	assert_int_equal(e, want);
	if (strstr(str_c(&why), words) == NULL)
		assert_string_equal(str_c(&why), words);
	str_clear(&why);
}

static int
fresh(void **state)
{
	struct str cmd = {0};
	int r;

	(void)state;
	str_catf(&cmd, "rm -rf %s/* && mkdir -p %s/control %s/users "
	    "%s/domains %s/etc", tmp, tmp, tmp, tmp, tmp);
	r = system(str_c(&cmd));
	str_free(&cmd);
	vstore_close(c.store);
	c.store = vstore_open("cdb", tmp);
	str_clear(&why);
	return r;
}

static const struct vmanage_user postmaster = {.name = "postmaster",
	.hash = "$1$x$y", .gecos = "Postmaster"};

static enum vpop_error
domain_add(const char *name, struct vdomain *d)
{
	const struct vmanage_domain m = {.name = name, .uid = c.uid,
	    .gid = c.gid, .postmaster = &postmaster};

	return vmanage_domain_add(&c, &m, d, &why);
}

static enum vpop_error
user_add(const struct vdomain *d, const char *name)
{
	const struct vmanage_user m = {.name = name, .hash = "h"};

	return vmanage_user_add(&c, d, &m, &why);
}

static void
domain(void **state)
{
	struct vdomain d = {0}, alias = {0};
	struct stat st;
	struct str want = {0};

	(void)state;
	ok(domain_add("example.com", &d));
	str_catf(&want, "| %s/bin/vdelivermail '' bounce-no-mailbox\n", tmp);
	is("domains/example.com/.qmail-default", str_c(&want));
	str_clear(&want);
	str_catf(&want, "postmaster:$1$x$y:1:0:Postmaster:%s/domains/"
	    "example.com/postmaster:NOQUOTA\n", tmp);
	is("domains/example.com/vpasswd", str_c(&want));
	is("domains/example.com/postmaster/lastauth", "0.0.0.0");
	assert_true(there("domains/example.com/postmaster/Maildir/tmp"));
	assert_false(there("domains/example.com/" VMANAGE_UNFINISHED));
	assert_int_equal(stat(at("domains/example.com"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	is("control/rcpthosts", "example.com\n");
	is("domains/.dir-control", "1\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n"
	    "\n");
	fails(domain_add("example.com", &d), VPOP_DOMAIN_EXISTS,
	    "example.com");
	/* alias domains */
	ok(vmanage_alias_domain_add(&c, &d, "example.es", &why));
	fails(vmanage_alias_domain_add(&c, &d, "example.es", &why),
	    VPOP_DOMAIN_EXISTS, "example.es");
	assert_int_equal(vdomain_find("example.es", &alias), VDOMAIN_OK);
	assert_true(vdomain_is_alias(&alias));
	fails(vmanage_domain_del(&c, &d, &why), VPOP_CANNOT_UPDATE,
	    "alias domain example.es");
	ok(vmanage_alias_domain_del(&c, &alias, &why));
	ok(vmanage_domain_del(&c, &d, &why));
	assert_int_equal(vdomain_find("example.com", &d), VDOMAIN_NONE);
	assert_false(there("domains/example.com"));
	assert_false(there("domains/" VMANAGE_TRASH "example.com"));
	is("control/rcpthosts", "");
	is("control/virtualdomains", "");
	is("users/assign", ".\n");
	is("domains/.dir-control", "0\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n"
	    "\n");
	vdomain_free(&d);
	vdomain_free(&alias);
	str_free(&want);
}

/* The last step cannot be done: nothing is left. */
static void
domain_undone(void **state)
{
	struct vdomain d = {0};

	(void)state;
	assert_int_equal(mkdir(at("control/rcpthosts"), 0755), 0);
	fails(domain_add("example.com", &d), VPOP_CANNOT_UPDATE, "rcpthosts");
	assert_false(there("domains/example.com"));
	assert_false(there("domains/" VMANAGE_TRASH "example.com"));
	assert_false(there("users/assign"));
	is("domains/.dir-control", "0\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n"
	    "\n");
	assert_int_equal(rmdir(at("control/rcpthosts")), 0);
	/* somebody else's directory */
	assert_int_equal(mkdir(at("domains/example.com"), 0755), 0);
	put("domains/example.com/x", "x");
	fails(domain_add("example.com", &d), VPOP_NO_DOMAIN_DIR,
	    "File exists");
	is("domains/example.com/x", "x");
	/* half made by one that was killed */
	put("domains/example.com/" VMANAGE_UNFINISHED, "");
	ok(domain_add("example.com", &d));
	assert_false(there("domains/example.com/x"));
	/* killed before the last file */
	put("domains/example.com/" VMANAGE_UNFINISHED, "");
	put("control/rcpthosts", "");
	fails(domain_add("example.com", &d), VPOP_DOMAIN_EXISTS, "");
	is("control/rcpthosts", "example.com\n");
	assert_false(there("domains/example.com/" VMANAGE_UNFINISHED));
	/* a removal that fails in its last file */
	assert_int_equal(mkdir(at("users/assign.new"), 0755), 0);
	fails(vmanage_domain_del(&c, &d, &why), VPOP_CANNOT_UPDATE, "assign");
	assert_int_equal(rmdir(at("users/assign.new")), 0);
	assert_true(there("domains/example.com/vpasswd"));
	is("control/rcpthosts", "example.com\n");
	/* one whose tree is gone already */
	assert_int_equal(vtree_remove(at("domains/example.com")), 0);
	ok(vmanage_domain_del(&c, &d, &why));
	vdomain_free(&d);
}

/* What killed programs left goes with the next; a domain's that is known, and
 * what is no domain's, stays. */
static void
others_trash(void **state)
{
	struct vdomain d = {0}, e = {0};

	(void)state;
	ok(domain_add("a.com", &d));
	ok(domain_add("b.com", &e));
	assert_int_equal(mkdir(at("domains/" VMANAGE_TRASH "b.com"), 0700), 0);
	assert_int_equal(mkdir(at("domains/" VMANAGE_TRASH "c.com"), 0700), 0);
	assert_int_equal(mkdir(at("domains/" VMANAGE_TRASH "x'y"), 0700), 0);
	ok(vmanage_domain_del(&c, &d, &why));
	assert_true(there("domains/" VMANAGE_TRASH "b.com"));
	assert_false(there("domains/" VMANAGE_TRASH "c.com"));
	assert_true(there("domains/" VMANAGE_TRASH "x'y"));
	ok(vmanage_domain_del(&c, &e, &why));
	assert_false(there("domains/" VMANAGE_TRASH "b.com"));
	vdomain_free(&d);
	vdomain_free(&e);
}

static void
catchall(void **state)
{
	const struct vmanage_domain m = {.name = "a.com", .uid = c.uid,
	    .gid = c.gid, .postmaster = &postmaster, .catchall =
	    "postmaster"};
	const struct vmanage_domain bad = {.name = "b.com", .uid = c.uid,
	    .gid = c.gid, .action = "jo`id`@c.com"};
	struct vdomain d = {0}, b = {0};

	(void)state;
	ok(vmanage_domain_add(&c, &m, &d, &why));
	fails(vmanage_user_del(&c, &d, "postmaster", &why), VPOP_CATCHALL,
	    "postmaster");
	assert_true(there("domains/a.com/postmaster/Maildir"));
	put("domains/a.com/.qmail-default",
	    "| /x/vdelivermail '' postmaster@a.com\n");
	fails(vmanage_user_del(&c, &d, "postmaster", &why), VPOP_CATCHALL,
	    "");
	put("domains/a.com/.qmail-default", "| /x/vdelivermail '' delete\n");
	ok(vmanage_user_del(&c, &d, "postmaster", &why));
	fails(vmanage_domain_add(&c, &bad, &b, &why), VPOP_BAD_EMAIL, "shell");
	assert_false(there("domains/b.com"));
	vdomain_free(&d);
	vdomain_free(&b);
}

static void
user(void **state)
{
	struct vdomain d = {0};
	struct vuser u = {0};
	struct vdomain_ref ref;
	struct str big = {0};
	struct vmanage_user m = {.name = "big", .hash = "h"};

	(void)state;
	ok(domain_add("a.com", &d));
	ref = vdomain_ref_peek(&d);
	ok(user_add(&d, "jo"));
	fails(user_add(&d, "jo"), VPOP_USERNAME_EXISTS, "jo");
	assert_int_equal(vstore_user_get(c.store, &ref, "jo", &u), VSTORE_OK);
	assert_string_equal(str_c(&u.quota), "NOQUOTA");
	str_copys(&u.quota, "5000S");
	ok(vmanage_user_set(&c, &d, &u, &why));
	vuser_free(&u);
	assert_int_equal(vstore_user_get(c.store, &ref, "jo", &u), VSTORE_OK);
	assert_string_equal(str_c(&u.quota), "5000S");
	ok(vmanage_user_del(&c, &d, "jo", &why));
	assert_false(there("domains/a.com/jo"));
	fails(vmanage_user_del(&c, &d, "jo", &why), VPOP_NO_USER, "jo");
	/* a place with somebody's mail in it is nobody's */
	assert_int_equal(mkdir(at("domains/a.com/jo"), 0700), 0);
	assert_int_equal(mkdir(at("domains/a.com/jo/Maildir"), 0700), 0);
	put("domains/a.com/jo/mail", "secret");
	fails(user_add(&d, "jo"), VPOP_USER_DIR_EXISTS, "jo");
	(void)mkdir(at("domains/a.com/jo/Maildir"), 0700);
	is("domains/a.com/jo/mail", "secret");
	assert_int_equal(unlink(at("domains/a.com/jo/mail")), 0);
	put("domains/a.com/jo/Maildir/lastauth", "");
	fails(user_add(&d, "jo"), VPOP_USER_DIR_EXISTS, "jo");
	assert_int_equal(unlink(at("domains/a.com/jo/Maildir/lastauth")), 0);
	put("domains/a.com/jo/lastauth", "0.0.0.0");
	ok(user_add(&d, "jo"));
	/* a directory that went */
	assert_int_equal(vtree_remove(at("domains/a.com/jo")), 0);
	ok(vmanage_user_dir(&c, &d, &u, &why));
	assert_true(there("domains/a.com/jo/Maildir/new"));
	ok(vmanage_user_dir(&c, &d, &u, &why));
	/* what does not fit */
	for (int i = 0; i < 65; i++)
		str_catc(&big, 'x');
	m.gecos = str_c(&big);
	fails(vmanage_user_add(&c, &d, &m, &why), VPOP_GECOS_LONG, "64");
	m.gecos = "a:b";
	fails(vmanage_user_add(&c, &d, &m, &why), VPOP_BAD_CHAR, "comment");
	m.gecos = "a\nb";
	fails(vmanage_user_add(&c, &d, &m, &why), VPOP_BAD_CHAR, "comment");
	assert_false(there("domains/a.com/big"));
	str_free(&big);
	vuser_free(&u);
	vdomain_free(&d);
}

/* A directory elsewhere than below the domain's is not removed. */
static void
user_elsewhere(void **state)
{
	struct vdomain d = {0};
	struct vdomain_ref ref;
	struct vuser u = {0};

	(void)state;
	ok(domain_add("a.com", &d));
	ref = vdomain_ref_peek(&d);
	str_copys(&u.name, "jo");
	str_copys(&u.dir, at("domains/a.com/../../keep"));
	str_copys(&u.quota, "NOQUOTA");
	assert_int_equal(mkdir(at("keep"), 0700), 0);
	assert_int_equal(vstore_user_add(c.store, &ref, &u), VSTORE_OK);
	ok(vmanage_user_del(&c, &d, "jo", &why));
	assert_true(there("keep"));
	vuser_free(&u);
	vdomain_free(&d);
}

static void
bulk(void **state)
{
	struct vdomain d = {0};
	struct vdomain_ref ref;
	struct vmanage_bulk *b;
	struct str before = {0};
	char name[16];
	struct vmanage_user m = {.name = name, .hash = "h"};
	uint64_t n;

	(void)state;
	ok(domain_add("a.com", &d));
	ref = vdomain_ref_peek(&d);
	assert_int_equal(fs_read(at("domains/a.com/vpasswd"), &before, 4096),
	    0);
	for (int keep = 0; keep < 2; keep++) {
		ok(vmanage_bulk_begin(&c, &d, &b, &why));
		for (int i = 0; i < 150; i++) {
			(void)snprintf(name, sizeof name, "u%d", i);
			ok(vmanage_bulk_user(b, &m, &why));
		}
		fails(vmanage_bulk_user(b, &m, &why), VPOP_USERNAME_EXISTS,
		    "u149");
		ok(vmanage_bulk_end(b, keep == 1, &why));
		if (keep == 0) {
			is("domains/a.com/vpasswd", str_c(&before));
			assert_false(there("domains/a.com/u0"));
		}
	}
	assert_int_equal(vstore_user_count(c.store, &ref, &n), VSTORE_OK);
	assert_int_equal(n, 151);
	/* postmaster is the first, so the 99th is u97 */
	assert_true(there("domains/a.com/u97/Maildir/cur"));
	assert_true(there("domains/a.com/0/u98/Maildir/cur"));
	str_free(&before);
	vdomain_free(&d);
}

static void
deep_tree(void **state)
{
	char cwd[256];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof cwd));
	assert_int_equal(mkdir(at("t"), 0700), 0);
	assert_int_equal(mkdir(at("out"), 0700), 0);
	put("out/kept", "k");
	assert_int_equal(symlink("../out", at("t/link")), 0);
	assert_int_equal(chdir(at("t")), 0);
	for (int i = 0; i < 2000; i++) {
		assert_int_equal(mkdir("aaaaaaaaaaaa", 0700), 0);
		assert_int_equal(symlink(tmp, "l"), 0);
		assert_int_equal(chdir("aaaaaaaaaaaa"), 0);
	}
	assert_int_equal(chdir(cwd), 0);
	assert_int_equal(vtree_remove_bare(at("t")), -1);
	assert_int_equal(errno, ENOTEMPTY);
	assert_int_equal(vtree_remove(at("t")), 0);
	assert_false(there("t"));
	is("out/kept", "k");
	assert_int_equal(symlink("out", at("l")), 0);
	assert_int_equal(vtree_empty(at("l")), -1);
	assert_int_equal(vtree_remove(at("l")), 0);
	assert_false(there("l"));
	is("out/kept", "k");
	assert_int_equal(vtree_remove(at("never")), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(domain, fresh),
		cmocka_unit_test_setup(domain_undone, fresh),
		cmocka_unit_test_setup(others_trash, fresh),
		cmocka_unit_test_setup(catchall, fresh),
		cmocka_unit_test_setup(user, fresh),
		cmocka_unit_test_setup(user_elsewhere, fresh),
		cmocka_unit_test_setup(bulk, fresh),
		cmocka_unit_test_setup(deep_tree, fresh),
	};
	int r;

	if (mkdtemp(tmp) == NULL)
		return 1;
	(void)snprintf(control, sizeof control, "%s/control", tmp);
	(void)snprintf(users, sizeof users, "%s/users", tmp);
	assign_set_dirs(control, users);
	vmanage_quiet(true);
	assign_set_lazy(false);
	str_copys(&c.home, tmp);
	c.uid = geteuid();
	c.gid = getegid();
	str_copys(&c.settings.value[VSETTING_STORE], "cdb");
	r = cmocka_run_group_tests(tests, NULL, NULL);
	if (vtree_remove(tmp) < 0)
		return 1;
	vstore_close(c.store);
	vsettings_free(&c.settings);
	str_free(&c.home);
	str_free(&why);
	return r;
}
