/* test_assign.c - qmail's files about domains: what is written where, that
 * nothing else changes, and that taking away gives the bytes from before. */
#include "vpop/assign.h"

#include "lib/fs.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char tmp[] = "/tmp/unit-assign.XXXXXX";
static struct str control, users;

static const char *
at(const char *name)
{
	static struct str path;
	bool user = strcmp(name, "assign") == 0 || strcmp(name, "cdb") == 0;

	str_clear(&path);
	str_catf(&path, "%s/%s", str_c(user ? &users : &control), name);
	return str_c(&path);
}

static void
put(const char *name, const char *text)
{
	int fd;

	if (text == NULL) {
		(void)unlink(at(name));
		return;
	}
	fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

/* NULL: it is not there. */
static void
is(const char *name, const char *want)
{
	struct str text = {0};
	int r = fs_read(at(name), &text, 1 << 20);

	if (want == NULL) {
		assert_int_equal(r, -1);
		assert_int_equal(errno, ENOENT);
	} else {
		assert_int_equal(r, 0);
		assert_string_equal(str_c(&text), want);
	}
	str_free(&text);
}

static struct vdomain
domain(const char *name, const char *real)
{
	struct vdomain d = {.uid = 89, .gid = 90};

	str_copys(&d.name, name);
	str_copys(&d.real, real);
	str_catf(&d.dir, "/v/domains/%s", real);
	return d;
}

static void
add(const char *name, const char *real)
{
	struct vdomain d = domain(name, real);
	struct str why = {0};

	if (assign_domain_add(&d, &why) < 0)
		assert_string_equal(str_c(&why), "");
	str_free(&why);
	vdomain_free(&d);
}

static void
del(const char *name)
{
	struct str why = {0};

	if (assign_domain_del(name, &why) < 0)
		assert_string_equal(str_c(&why), "");
	str_free(&why);
}

static void
fails(const char *name, const char *words)
{
	struct vdomain d = domain(name, name);
	struct str why = {0};

	assert_int_equal(assign_domain_add(&d, &why), -1);
	if (strstr(str_c(&why), words) == NULL)
		assert_string_equal(str_c(&why), words);
	str_free(&why);
	vdomain_free(&d);
}

static struct assign_state
look(const char *name)
{
	struct vdomain d = domain(name, name);
	struct assign_state s;
	struct str why = {0};

	assert_int_equal(assign_look(&d, &s, &why), 0);
	str_free(&why);
	vdomain_free(&d);
	return s;
}

static int
fresh(void **state)
{
	static const char *const all[] = {"assign", "cdb", "virtualdomains",
	    "locals", "rcpthosts", "morercpthosts", "morercpthosts.cdb", "me"};

	(void)state;
	for (size_t i = 0; i < N_OF(all); i++)
		(void)unlink(at(all[i]));
	return 0;
}

static void
first_and_last(void **state)
{
	struct vdomain d = {0};
	struct stat st;

	(void)state;
	add("example.com", "example.com");
	is("assign", "+example.com-:example.com:89:90:"
	    "/v/domains/example.com:-::\n.\n");
	is("virtualdomains", "example.com:example.com\n");
	is("rcpthosts", "example.com\n");
	is("morercpthosts", NULL);
	is("locals", NULL);
	assert_int_equal(stat(at("rcpthosts"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(vdomain_find("example.com", &d), VDOMAIN_OK);
	assert_int_equal(d.uid, 89);
	assert_string_equal(str_c(&d.dir), "/v/domains/example.com");
	del("example.com");
	is("assign", ".\n");
	is("virtualdomains", "");
	is("rcpthosts", "");            /* missing would mean the world */
	assert_int_equal(vdomain_find("example.com", &d), VDOMAIN_NONE);
	vdomain_free(&d);
}

static void
order(void **state)
{
	(void)state;
	add("b.example.org", "b.example.org");
	add("example.org", "example.org");
	add("a.example.org", "a.example.org");
	add("zz.example.com", "zz.example.com");
	add("a.b.example.com", "a.b.example.com");
	add("example.com", "example.com");
	add("other.es", "other.es");
	is("rcpthosts", "example.com\na.b.example.com\nzz.example.com\n"
	    "example.org\na.example.org\nb.example.org\nother.es\n");
	add("alias.es", "example.com");
	is("virtualdomains", "alias.es:alias.es\nexample.com:example.com\n"
	    "a.b.example.com:a.b.example.com\n"
	    "zz.example.com:zz.example.com\nexample.org:example.org\n"
	    "a.example.org:a.example.org\nb.example.org:b.example.org\n"
	    "other.es:other.es\n");
}

/* What is there, sorted or not, keeps bytes and order. */
static void
keeps(void **state)
{
	static const char assign[] = "=jo:jo:1:1:/home/jo:::\n"
	    "+jo-:jo:1:1:/home/jo:-::\n+zz.org-:zz.org:1:1:/z:-::\n"
	    "+b.com-:b.com:1:1:/b:-::\n.\nwhat follows\n";
	static const char vdoms[] = "# mine\njo@b.com:jo\n.c.com:c\nzz.org:zz\n"
	    "b.com:b  \n:catchall";
	static const char hosts[] = "zz.org\nb.com\n.c.com\n\n#x\nq.es\t\n";

	(void)state;
	put("assign", assign);
	put("virtualdomains", vdoms);
	put("rcpthosts", hosts);
	put("locals", "localhost\nM.com\nb.es");
	add("m.com", "m.com");
	is("locals", "localhost\nb.es");
	is("rcpthosts", "m.com\nzz.org\nb.com\n.c.com\n\n#x\nq.es\t\n");
	is("virtualdomains", "# mine\njo@b.com:jo\n.c.com:c\nm.com:m.com\n"
	    "zz.org:zz\nb.com:b  \n:catchall");
	add("zzz.org", "zzz.org");
	is("virtualdomains", "# mine\njo@b.com:jo\n.c.com:c\nm.com:m.com\n"
	    "zz.org:zz\nb.com:b  \n:catchall\nzzz.org:zzz.org");
	del("zzz.org");
	del("m.com");
	is("assign", assign);
	is("virtualdomains", vdoms);
	is("rcpthosts", hosts);
}

static void
again(void **state)
{
	struct stat a, b;

	(void)state;
	add("example.com", "example.com");
	assert_int_equal(stat(at("rcpthosts"), &a), 0);
	add("EXAMPLE.com", "EXAMPLE.com");      /* a name in capitals */
	add("example.com", "example.com");
	assert_int_equal(stat(at("rcpthosts"), &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	is("virtualdomains", "example.com:example.com\n");
	del("never.com");
	assert_int_equal(stat(at("rcpthosts"), &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	/* killed after assign, before cdb */
	assert_int_equal(unlink(at("cdb")), 0);
	assert_false(look("example.com").cdb);
	add("example.com", "example.com");
	assert_true(look("example.com").cdb);
}

static void
replaces(void **state)
{
	(void)state;
	put("virtualdomains", "a.com:a.com\nb.com:jo\nc.com:c.com\nb.com:x\n");
	add("b.com", "b.com");
	is("virtualdomains", "a.com:a.com\nb.com:b.com\nc.com:c.com\n");
}

static void
name_of(char *out, size_t n, int i)
{
	(void)snprintf(out, n, "d%03d.example.com", i);
}

static void
fifty(void **state)
{
	struct str hosts = {0}, more = {0};
	struct assign_state s;
	char name[32];

	(void)state;
	put("rcpthosts", "first.es\n# no domain\n");
	for (int i = 0; i < 60; i++) {
		name_of(name, sizeof name, i);
		add(name, name);
		str_catf(i < 49 ? &hosts : &more, "%s\n", name);
	}
	str_cats(&hosts, "first.es\n# no domain\n");
	is("rcpthosts", str_c(&hosts));
	is("morercpthosts", str_c(&more));
	s = look("d059.example.com");
	assert_true(s.assign && s.cdb && s.virtualdomains && s.more &&
	    s.more_cdb);
	assert_false(s.rcpthosts || s.locals);
	s = look("d001.example.com");
	assert_true(s.rcpthosts && !s.more && !s.more_cdb);
	/* a place in rcpthosts is free again, for the next */
	del("d001.example.com");
	add("d070.example.com", "d070.example.com");
	assert_true(look("d070.example.com").rcpthosts);
	del("d070.example.com");
	for (int i = 59; i >= 0; i--) {
		name_of(name, sizeof name, i);
		del(name);
		if (i == 50)
			assert_false(look(name).more_cdb);
	}
	is("rcpthosts", "first.es\n# no domain\n");
	is("morercpthosts", NULL);
	is("morercpthosts.cdb", NULL);
	str_free(&hosts);
	str_free(&more);
}

static void
local_by_default(void **state)
{
	(void)state;
	put("me", "mx.example.com\n");
	add("mx.example.com", "mx.example.com");
	is("locals", "");
}

/* Each step that cannot be done leaves all as it was. */
static void
undone(void **state)
{
	static const char bad[] = "+b.com-:b.com:1:1:/b:-::\n"
	    "+c.com:not a line\n.\n";

	(void)state;
	put("assign", bad);
	put("virtualdomains", "b.com:b.com\n");
	put("locals", "a.com\n");
	fails("a.com", "line 3");
	is("assign", bad);
	is("cdb", NULL);
	put("assign", "+b.com-:b.com:1:1:/b:-::\n");
	fails("a.com", "no last line");
	is("assign", "+b.com-:b.com:1:1:/b:-::\n");
	/* the last step fails */
	put("assign", "+b.com-:b.com:1:1:/b:-::\n.\n");
	assert_int_equal(mkdir(at("rcpthosts.new"), 0700), 0);
	fails("a.com", "rcpthosts: unable to write");
	assert_int_equal(rmdir(at("rcpthosts.new")), 0);
	is("assign", "+b.com-:b.com:1:1:/b:-::\n.\n");
	is("virtualdomains", "b.com:b.com\n");
	is("locals", "a.com\n");
	is("cdb", NULL);
	is("rcpthosts", NULL);
	/* what cannot be read is never taken for empty */
	assert_int_equal(mkdir(at("rcpthosts"), 0700), 0);
	fails("a.com", "rcpthosts: unable to read: Is a directory");
	assert_int_equal(rmdir(at("rcpthosts")), 0);
	is("virtualdomains", "b.com:b.com\n");
}

static void
more_without_text(void **state)
{
	struct str hosts = {0};

	(void)state;
	for (int i = 0; i < 50; i++)
		str_catf(&hosts, "h%02d.com\n", i);
	put("rcpthosts", str_c(&hosts));
	put("morercpthosts.cdb", "something");
	fails("zz.com", "without its text");
	is("morercpthosts.cdb", "something");
	is("assign", NULL);
	is("cdb", NULL);
	is("virtualdomains", NULL);
	str_free(&hosts);
}

static void
made_by_the_caller(void **state)
{
	struct str hosts = {0}, why = {0};

	(void)state;
	for (int i = 0; i < 50; i++)
		str_catf(&hosts, "h%02d.com\n", i);
	put("rcpthosts", str_c(&hosts));
	assign_set_lazy(true);
	add("zz.com", "zz.com");
	assign_set_lazy(false);
	is("morercpthosts", "zz.com\n");
	is("morercpthosts.cdb", NULL);
	assert_true(look("zz.com").cdb);
	assert_int_equal(assign_make_cdbs(&why), 0);
	assert_true(look("zz.com").more_cdb);
	str_free(&hosts);
	str_free(&why);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(first_and_last, fresh),
		cmocka_unit_test_setup(order, fresh),
		cmocka_unit_test_setup(keeps, fresh),
		cmocka_unit_test_setup(again, fresh),
		cmocka_unit_test_setup(replaces, fresh),
		cmocka_unit_test_setup(fifty, fresh),
		cmocka_unit_test_setup(local_by_default, fresh),
		cmocka_unit_test_setup(undone, fresh),
		cmocka_unit_test_setup(more_without_text, fresh),
		cmocka_unit_test_setup(made_by_the_caller, fresh),
	};
	struct str cmd = {0};
	int r;

	if (mkdtemp(tmp) == NULL)
		return 1;
	str_catf(&control, "%s/control", tmp);
	str_catf(&users, "%s/users", tmp);
	if (mkdir(str_c(&control), 0755) < 0 || mkdir(str_c(&users), 0755) < 0)
		return 1;
	assign_set_dirs(str_c(&control), str_c(&users));
	r = cmocka_run_group_tests(tests, NULL, NULL);
	str_catf(&cmd, "rm -rf %s", tmp);
	if (system(str_c(&cmd)) != 0)
		return 1;
	str_free(&cmd);
	str_free(&control);
	str_free(&users);
	return r;
}
