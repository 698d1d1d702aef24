/* test_vload.c - accounts from a file: what is read, what is refused, and
 * hashing by several processes. */
#include "vpop/vload.h"

#include "vpop/password.h"
#include "TESTS/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static char tmp[] = "/tmp/unit-vload.XXXXXX";
static struct vsettings set;

static enum vpop_error
load(struct vload *l, const char *bytes, size_t n, bool hashed,
    struct str *why)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof path, "%s/f", tmp);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	(void)close(fd);
	str_clear(why);
	return vload_read(l, &set, path, hashed, why);
}

#define T(s) s, sizeof s - 1
static const struct {
	const char *s;
	size_t n;
	bool hashed;
	enum vpop_error want;
	const char *words;
} bad[] = {
	{T("jo\n"), false, VPOP_CONFIG, "line 1: there is no colon"},
	{T("jo:a:b:1:x\n"), false, VPOP_CONFIG, "more than three"},
	{T("ok:pw\n\njo:\n"), false, VPOP_PASSWD_SHORT, "line 3"},
	{T(":pw\n"), false, VPOP_ILLEGAL_USERNAME, "line 1"},
	{T("a b:pw\n"), false, VPOP_ILLEGAL_USERNAME, "line 1"},
	{T("../x:pw\n"), false, VPOP_ILLEGAL_USERNAME, "line 1"},
	{T("a@b.com:pw\n"), false, VPOP_ILLEGAL_USERNAME, "line 1"},
	{T("j\303\266:pw\n"), false, VPOP_ILLEGAL_USERNAME, "line 1"},
	{T("jo:pw\nan:pw\nJO:pw\n"), false, VPOP_USERNAME_EXISTS, "line 3"},
	{T("jo:p\0w\n"), false, VPOP_BAD_CHAR, "line 1: a NUL"},
	{T("jo:pw:a\tb\n"), false, VPOP_BAD_CHAR, "comment"},
	{T("jo:pw:a:12G\n"), false, VPOP_BAD_CHAR, "quota"},
	{T("jo:\n"), true, VPOP_CRYPT, "no hash"},
	{T("jo:pw:1234567890123456789012345678901234567890123456789012345678"
	    "9012345\n"), false, VPOP_GECOS_LONG, "line 1"},
};

static void
refused(void **state)
{
	struct str why = {0};
	struct vload l;

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		assert_int_equal(load(&l, bad[i].s, bad[i].n, bad[i].hashed,
		    &why), bad[i].want);
		if (strstr(str_c(&why), bad[i].words) == NULL)
			assert_string_equal(str_c(&why), bad[i].words);
		assert_null(strstr(str_c(&why), "pw"));
		vload_free(&l);
	}
	assert_int_equal(vload_read(&l, &set, "/nowhere/f", false, &why),
	    VPOP_FILE);
	vload_free(&l);
	str_free(&why);
}

static void
long_line(void **state)
{
	struct str text = {0}, why = {0};
	struct vload l;

	(void)state;
	str_cats(&text, "jo:");
	while (text.len <= VLOAD_LINE_MAX)
		str_catc(&text, 'x');
	assert_int_equal(load(&l, text.s, text.len, false, &why),
	    VPOP_CONFIG);
	vload_free(&l);
	str_trunc(&text, 3 + VPOP_PASSWORD_MAX + 1);
	assert_int_equal(load(&l, text.s, text.len, false, &why),
	    VPOP_PASSWD_LONG);
	vload_free(&l);
	str_free(&text);
	str_free(&why);
}

static void
taken(void **state)
{
	struct str why = {0};
	struct vload l;

	(void)state;
	assert_int_equal(load(&l, T("\r\nJo:p w:Jo Doe:1K\r\n\nan:q\n"
	    "eve:r::5c\nx1:s:c:"), false, &why), VPOP_OK);
	assert_int_equal(l.n, 4);
	assert_string_equal(l.user[0].name, "jo");
	assert_string_equal(l.user[0].password, "p w");
	assert_string_equal(l.user[0].gecos, "Jo Doe");
	assert_string_equal(str_c(&l.user[0].quota), "1024S");
	assert_int_equal(l.user[0].line, 2);
	assert_string_equal(l.user[1].gecos, "an");
	assert_int_equal(l.user[1].quota.len, 0);
	assert_string_equal(l.user[2].gecos, "eve");
	assert_string_equal(str_c(&l.user[2].quota), "5C");
	assert_string_equal(l.user[3].gecos, "c");
	assert_int_equal(l.user[3].line, 6);
	vload_free(&l);
	/* no line end at the end, and nothing at all */
	assert_int_equal(load(&l, T("jo:p"), false, &why), VPOP_OK);
	assert_string_equal(l.user[0].password, "p");
	vload_free(&l);
	assert_int_equal(load(&l, "", 0, false, &why), VPOP_OK);
	assert_int_equal(l.n, 0);
	vload_free(&l);
	str_free(&why);
}

static void
hashes(void **state)
{
	struct vprogress p = {.what = "test"};
	struct str text = {0}, why = {0};
	struct vload l;

	(void)state;
	for (int i = 0; i < 101; i++)
		str_catf(&text, "u%d:p%d\n", i, i);
	assert_int_equal(load(&l, text.s, text.len, false, &why), VPOP_OK);
	assert_int_equal(vload_hash(&l, "md5", 64, &p, &why), VPOP_OK);
	assert_int_equal(p.done, 101);
	for (int i = 0; i < 101; i++) {
		char pw[16];

		(void)snprintf(pw, sizeof pw, "p%d", i);
		assert_int_equal(password_verify(str_c(&l.user[i].hash), pw),
		    PASSWORD_OK);
	}
	assert_int_equal(vload_hash(&l, "sha512", 64, &p, &why), VPOP_CRYPT);
	assert_non_null(strstr(str_c(&why), "line 1: no hash"));
	vload_free(&l);
	str_free(&text);
	str_free(&why);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(long_line),
		cmocka_unit_test(taken),
		cmocka_unit_test(hashes),
	};
	struct str cmd = {0};
	int r;

	if (mkdtemp(tmp) == NULL)
		return 1;
	set.number[VSETTING_MINPASSWORDLENGTH] = 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	str_catf(&cmd, "rm -rf %s", tmp);
	if (system(str_c(&cmd)) != 0)
		return 1;
	str_free(&cmd);
	return r;
}
