/* test_vdomain.c - virtual domains found and listed: what is one, what is
 * something else, and what cannot be told. */
#include "vpop/domain.h"

#include "mail/users.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char tmp[] = "/tmp/unit-vdomain.XXXXXX";

static void
put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", tmp, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static const char assign[] =
    "=root:root:0:0:/root:-::\n"
    "+zeta.example-:zeta.example:89:90:/v/domains/zeta.example:-::\n"
    "+Example.COM-:example.com:89:90:/v/domains/0/example.com/:-::\n"
    "+alias.example-:example.com:89:90:/v/domains/0/example.com:-::\n"
    "+list.example-:alias:7790:2108:/var/qmail/alias:-:lists-:\n"
    "+plain-:plain:1000:1000:/home/plain:-::\n"
    "+other.example-:x:1000:1000:/home/x:.::\n"
    "+zeta.example-:second.example:1:2:/second:-::\n"
    "+:alias:7790:2108:/var/qmail/alias:-::\n"
    ".\n";

static void
compile(const char *text)
{
	char cdb[256], next[256];
	const char *why;
	size_t line;

	(void)snprintf(cdb, sizeof cdb, "%s/cdb", tmp);
	(void)snprintf(next, sizeof next, "%s/cdb.tmp", tmp);
	put("assign", text);
	assert_int_equal(users_compile(text, strlen(text), cdb, next, &line,
	    &why), 0);
}

static void
find(void **state)
{
	struct vdomain d = {0};
	struct vdomain_ref r;

	(void)state;
	compile(assign);
	assert_int_equal(vdomain_find("EXAMPLE.com", &d), VDOMAIN_OK);
	assert_string_equal(str_c(&d.name), "example.com");
	assert_string_equal(str_c(&d.real), "example.com");
	assert_string_equal(str_c(&d.dir), "/v/domains/0/example.com");
	assert_int_equal(d.uid, 89);
	assert_int_equal(d.gid, 90);
	assert_false(vdomain_is_alias(&d));
	assert_int_equal(vdomain_find("alias.example", &d), VDOMAIN_OK);
	assert_true(vdomain_is_alias(&d));
	r = vdomain_ref_peek(&d);
	assert_string_equal(r.name, "example.com");
	assert_string_equal(r.dir, "/v/domains/0/example.com");
	assert_int_equal(vdomain_find("zeta.example", &d), VDOMAIN_OK);
	assert_string_equal(str_c(&d.real), "zeta.example");

	assert_int_equal(vdomain_find("example", &d), VDOMAIN_NONE);
	assert_int_equal(vdomain_find("sub.example.com", &d), VDOMAIN_NONE);
	assert_int_equal(vdomain_find("example.com-x", &d), VDOMAIN_NONE);
	assert_int_equal(vdomain_find("list.example", &d), VDOMAIN_NONE);
	assert_int_equal(vdomain_find("other.example", &d), VDOMAIN_NONE);
	assert_int_equal(vdomain_find("root", &d), VDOMAIN_NONE);
	assert_int_equal(vdomain_find("", &d), VDOMAIN_NONE);
	assert_int_equal(vdomain_find("a/b.c", &d), VDOMAIN_NONE);
	assert_string_equal(str_c(&d.name), "");
	vdomain_free(&d);
}

static int
gather(void *arg, const struct vdomain *d)
{
	str_catf(arg, "%s>%s;", str_c(&d->name), str_c(&d->real));
	return 0;
}

static int
stop(void *arg, const struct vdomain *d)
{
	(void)gather(arg, d);
	return -3;
}

static void
list(void **state)
{
	struct str got = {0};
	int ended;

	(void)state;
	compile(assign);
	assert_int_equal(vdomain_each(gather, &got, &ended), VDOMAIN_OK);
	assert_int_equal(ended, 0);
	assert_string_equal(str_c(&got), "alias.example>example.com;"
	    "example.com>example.com;zeta.example>zeta.example;");
	str_clear(&got);
	assert_int_equal(vdomain_each(stop, &got, &ended), VDOMAIN_OK);
	assert_int_equal(ended, -3);
	assert_string_equal(str_c(&got), "alias.example>example.com;");
	str_free(&got);
}

static void
cannot_tell(void **state)
{
	struct vdomain d = {0};
	struct str got = {0};
	int ended;

	(void)state;
	put("cdb", "this is not a table of users at all");
	errno = 0;
	assert_int_equal(vdomain_find("example.com", &d), VDOMAIN_TEMP);
	assert_int_not_equal(errno, 0);
	put("assign", "+example.com-:broken\n.\n");
	assert_int_equal(vdomain_each(gather, &got, &ended), VDOMAIN_TEMP);
	assert_int_equal(errno, EPROTO);
	assert_string_equal(str_c(&got), "");
	/* no table is no domain */
	vdomain_set_dir("/nowhere/at/all");
	assert_int_equal(vdomain_find("example.com", &d), VDOMAIN_NONE);
	assert_int_equal(vdomain_each(gather, &got, &ended), VDOMAIN_OK);
	vdomain_set_dir(tmp);
	str_free(&got);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(tmp) == NULL)
		return -1;
	vdomain_set_dir(tmp);
	return 0;
}

static int
teardown(void **state)
{
	char path[256];

	(void)state;
	(void)snprintf(path, sizeof path, "%s/cdb", tmp);
	(void)remove(path);
	(void)snprintf(path, sizeof path, "%s/assign", tmp);
	(void)remove(path);
	return rmdir(tmp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(find),
		cmocka_unit_test(list),
		cmocka_unit_test(cannot_tell),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
