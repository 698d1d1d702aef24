/* test_route.c - locals, percenthack, virtualdomains, envnoathost. */
#include "control/route.h"

#include "TESTS/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char dir[] = "/tmp/test_route.XXXXXX";

static void
path_of(char *path, size_t n, const char *file)
{
	(void)snprintf(path, n, "%s/%s", dir, file);
}

static void
put(const char *file, const char *text)
{
	char path[128];
	FILE *f;

	path_of(path, sizeof path, file);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	control_set_dir(dir);
	put("me", "mx.example\n");
	put("locals", "localhost\n# no\nhome.example \n");
	put("percenthack", "hack.example\n");
	put("virtualdomains",
	    "ana@virt.example:ana-vip\n"
	    "virt.example:first\n"
	    "virt.example:last\n"
	    ".sub.example:sub\n"
	    "except.sub.example:\n"
	    "home.example:never\n"
	    "no colon\n");
	return 0;
}

static int
teardown(void **state)
{
	static const char *const files[] = {"me", "locals", "percenthack",
	    "virtualdomains"};
	char path[128];

	(void)state;
	for (size_t i = 0; i < N_OF(files); i++) {
		path_of(path, sizeof path, files[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

static const struct {
	const char *rcpt, *want;
	enum route_channel channel;
} routes[] = {
	{"ana", "ana@mx.example", ROUTE_REMOTE},        /* me is no local */
	{"", "@mx.example", ROUTE_REMOTE},
	{"ana@LOCALhost", "ana@LOCALhost", ROUTE_LOCAL},
	{"ana@home.example", "ana@home.example", ROUTE_LOCAL},
	{"a@b@localhost", "a@b@localhost", ROUTE_LOCAL},
	{"Ana@virt.Example", "ana-vip-Ana@virt.Example", ROUTE_LOCAL},
	{"bo@virt.example", "last-bo@virt.example", ROUTE_LOCAL},
	{"bo@x.virt.example", "bo@x.virt.example", ROUTE_REMOTE},
	{"bo@a.sub.example", "sub-bo@a.sub.example", ROUTE_LOCAL},
	{"bo@b.a.sub.example", "sub-bo@b.a.sub.example", ROUTE_LOCAL},
	{"bo@sub.example", "bo@sub.example", ROUTE_REMOTE},
	{"bo@except.sub.example", "bo@except.sub.example", ROUTE_REMOTE},
	{"bo%far.example@hack.example", "bo@far.example", ROUTE_REMOTE},
	{"a%b%localhost@hack.example", "a%b@localhost", ROUTE_LOCAL},
	{"a%b%hack.example@hack.example", "a@b", ROUTE_REMOTE},
	{"bo@hack.example", "bo@hack.example", ROUTE_REMOTE},
	{"a%b@far.example", "a%b@far.example", ROUTE_REMOTE},
};

static void
test_routes(void **state)
{
	struct route r = {0};
	struct str out = {0};
	enum control_id failed;

	(void)state;
	assert_int_equal(route_load(&r, &failed), 0);
	for (size_t i = 0; i < N_OF(routes); i++) {
		assert_int_equal(route_find(&r, routes[i].rcpt, &out),
		    routes[i].channel);
		assert_string_equal(str_c(&out), routes[i].want);
	}
	route_free(&r);
	put("virtualdomains", ":all\nfree.example:\n");
	assert_int_equal(route_load(&r, &failed), 0);
	assert_int_equal(route_find(&r, "u@far.example", &out), ROUTE_LOCAL);
	assert_string_equal(str_c(&out), "all-u@far.example");
	assert_int_equal(route_find(&r, "u@free.example", &out), ROUTE_REMOTE);
	str_free(&out);
	route_free(&r);
}

static void
test_trouble(void **state)
{
	struct route r = {0};
	enum control_id failed;
	char path[128];

	(void)state;
	path_of(path, sizeof path, "percenthack");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(route_load(&r, &failed), -1);
	assert_int_equal(failed, CONTROL_PERCENTHACK);
	assert_int_equal(errno, EISDIR);
	assert_null(r.locals.slots);
	assert_int_equal(rmdir(path), 0);
	path_of(path, sizeof path, "me");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(route_load(&r, &failed), -1);
	assert_int_equal(failed, CONTROL_ENVNOATHOST);
	assert_int_equal(errno, ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_trouble),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
