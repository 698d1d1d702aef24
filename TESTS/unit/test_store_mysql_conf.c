/* test_store_mysql_conf.c - etc/vpopmail.mysql: files as they have always been,
 * servers with options, and what is wrong with a line. */
#include "vpop/store_mysql_conf.h"

#include "TESTS/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define R MYCONF_READ
#define U MYCONF_UPDATE

static const struct {
	const char *text;
	size_t n;
	unsigned use[4];
} uses[] = {
	/* one server is for both, two are for reading and changing */
	{"localhost|0|vpopmail|pw|vpopmail\n", 1, {R | U}},
	{"localhost|0|vpopmail|pw|vpopmail", 1, {R | U}},
	{"# a\n\n   \na|0|u|p|d\n# b\nb|0|u|p|d\n", 2, {R, U}},
	{"a|0|u|p|d\r\nb|0|u|p|d\r\n", 2, {R, U}},
	/* several of each */
	{"a|0|u|p|d|read\nb|0|u|p|d|read\nc|0|u|p|d|update\n", 3, {R, R, U}},
	{"a|0|u|p|d|read,update\nb|0|u|p|d|update,read\n", 2,
	    {R | U, R | U}},
	/* lines without a use beside lines with one */
	{"a|0|u|p|d\nb|0|u|p|d|read\n", 2, {R | U, R}},
	{"a|0|u|p|d\nb|0|u|p|d|update\n", 2, {R, U}},
	{"a|0|u|p|d|tls\nb|0|u|p|d\nc|0|u|p|d|read\n", 3, {R, U, R}},
	{"a|0|u|p|d|\n", 1, {R | U}},
	{"a|0|u|p|d| , tls ,\n", 1, {R | U}},
	/* only changing is said: reading will ask it too */
	{"a|0|u|p|d|update\n", 1, {U}},
};

static void
test_uses(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(uses); i++) {
		struct myconf c;
		struct str why = {0};

		assert_int_equal(myconf_parse(uses[i].text,
		    strlen(uses[i].text), &c, &why), 0);
		assert_int_equal(c.n, uses[i].n);
		for (size_t k = 0; k < c.n; k++)
			assert_int_equal(c.server[k].use, uses[i].use[k]);
		assert_int_equal(why.len, 0);
		myconf_free(&c);
		assert_int_equal(c.n, 0);
		str_free(&why);
	}
}

static void
test_values(void **state)
{
	static const char text[] =
	    "db.example.net|3307|vpop|p w:\"'\\$;#|mail\n"
	    "|/run/mysqld/mysqld.sock|v||m|tls-verify, tls-ca=/etc/ca.pem,"
	    "tls-cert=/c,tls-key=/k,timeout=3,update\n";
	struct myconf c;
	struct str why = {0};
	const struct myconf_server *s;

	(void)state;
	assert_int_equal(myconf_parse(text, sizeof text - 1, &c, &why), 0);
	assert_int_equal(c.n, 2);
	s = &c.server[0];
	assert_string_equal(str_c(&s->host), "db.example.net");
	assert_int_equal(s->port, 3307);
	assert_string_equal(str_c(&s->user), "vpop");
	assert_string_equal(str_c(&s->password), "p w:\"'\\$;#");
	assert_string_equal(str_c(&s->database), "mail");
	assert_int_equal(s->socket.len, 0);
	assert_false(s->tls || s->tls_verify);
	assert_int_equal(s->timeout, MYCONF_TIMEOUT);
	s = &c.server[1];
	assert_string_equal(str_c(&s->host), "localhost");
	assert_string_equal(str_c(&s->socket), "/run/mysqld/mysqld.sock");
	assert_int_equal(s->port, 0);
	assert_string_equal(str_c(&s->password), "");
	assert_true(s->tls && s->tls_verify);
	assert_string_equal(str_c(&s->tls_ca), "/etc/ca.pem");
	assert_string_equal(str_c(&s->tls_cert), "/c");
	assert_string_equal(str_c(&s->tls_key), "/k");
	assert_int_equal(s->timeout, 3);
	assert_int_equal(s->use, U);
	myconf_free(&c);
	str_free(&why);
}

static const struct { const char *text, *why; } bad[] = {
	{"", "no line names a server"},
	{"# only this\n", "no line names a server"},
	{"a|0|u|secret\n", "line 1: too few fields"},
	{"\n#\nlocalhost\n", "line 3: too few fields"},
	{"a|0|u|secret|d|read|x\n", "line 1: too many fields"},
	{"a|0x|u|secret|d\n", "line 1: the port"},
	{"a||u|secret|d\n", "line 1: the port"},
	{"a|-1|u|secret|d\n", "line 1: the port"},
	{"a|65536|u|secret|d\n", "line 1: the port"},
	{"a|99999999999999999999999|u|secret|d\n", "line 1: the port"},
	{"|0|u|secret|d\n", "line 1: there is no server name"},
	{"a|0||secret|d\n", "line 1: there is no user"},
	{"a|0|u|secret|\n", "line 1: there is no database"},
	{"a|0|u|secret|d|reed\n", "line 1: an option is not known"},
	{"a|0|u|secret|d|timeout=0\n", "line 1: timeout"},
	{"a|0|u|secret|d|timeout=3601\n", "line 1: timeout"},
	{"a|0|u|secret|d|timeout=5s\n", "line 1: timeout"},
	{"a|0|u|secret|d|tls-verify\n", "line 1: tls-verify needs tls-ca"},
	{"a|0|u|secret|d|tls-ca=ca.pem\n", "line 1: a file of TLS"},
	{"a|0|u|secret|d|tls-cert=/c\n", "line 1: tls-cert and tls-key"},
	{"a|0|u|secret|d|read\n", "no server is for updates"},
	{"a|0|u|secret|d\nb|0|u|secret|d\nc|0|u|secret|d\n",
	    "a third server must say"},
};

static void
test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct myconf c;
		struct str why = {0};

		assert_int_equal(myconf_parse(bad[i].text,
		    strlen(bad[i].text), &c, &why), -1);
		assert_int_equal(strncmp(str_c(&why), bad[i].why,
		    strlen(bad[i].why)), 0);
		assert_null(strstr(str_c(&why), "secret"));
		assert_int_equal(c.n, 0);
		assert_null(c.server[0].host.s);
		str_free(&why);
	}
}

static void
test_many(void **state)
{
	struct str text = {0}, why = {0};
	struct myconf c;

	(void)state;
	for (int i = 0; i < MYCONF_SERVERS; i++)
		str_cats(&text, "a|0|u|p|d|read,update\n");
	assert_int_equal(myconf_parse(str_c(&text), text.len, &c, &why), 0);
	assert_int_equal(c.n, MYCONF_SERVERS);
	myconf_free(&c);
	str_cats(&text, "a|0|u|p|d|read,update\n");
	assert_int_equal(myconf_parse(str_c(&text), text.len, &c, &why), -1);
	assert_string_equal(str_c(&why),
	    "line 17: there are more than 16 servers");
	str_copyb(&text, "a|0|u|p\0|d\n", 11);
	assert_int_equal(myconf_parse(str_c(&text), text.len, &c, &why), -1);
	assert_string_equal(str_c(&why), "line 1: there is a NUL in it");
	str_free(&text);
	str_free(&why);
}

static void
test_load(void **state)
{
	char path[] = "/tmp/unit-myconf.XXXXXX";
	struct str why = {0};
	struct myconf c;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a|0|u|p|d\n", 10), 10);
	(void)close(fd);
	assert_int_equal(myconf_load(path, &c, &why), 0);
	assert_int_equal(c.n, 1);
	myconf_free(&c);
	(void)unlink(path);
	assert_int_equal(myconf_load(path, &c, &why), -1);
	assert_int_equal(strncmp(str_c(&why), path, strlen(path)), 0);
	assert_non_null(strstr(str_c(&why), "No such file"));
	assert_int_equal(c.n, 0);
	str_free(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uses),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
