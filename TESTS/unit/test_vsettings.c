/* test_vsettings.c - run-time settings: defaults, values, and files that say
 * what nobody understands. */
#include "vpop/settings.h"

#include "lib/fs.h"
#include "TESTS/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char tmp[] = "/tmp/unit-vsettings.XXXXXX";
static struct vsettings s;
static struct str why;

static void
put(const char *file, const char *bytes, size_t n)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/etc/%s", tmp, file);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void
drop(const char *file)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s/etc/%s", tmp, file);
	assert_int_equal(remove(path), 0);
}

static void
defaults(void **state)
{
	(void)state;
	assert_int_equal(vsettings_load(tmp, &s, &why), 0);
	assert_true(vsetting_is(&s, VSETTING_STORE, "cdb"));
	assert_true(vsetting_is(&s, VSETTING_OVERQUOTA, "defer"));
	assert_false(vsetting_on(&s, VSETTING_QMAILEXT));
	assert_int_equal(s.number[VSETTING_LOGINTRIES], 10);
	assert_string_equal(vsetting_peek(&s, VSETTING_DEFAULTDOMAIN), "");
	assert_string_equal(vsetting_item_peek(&s, VSETTING_WEBMAILHOSTS, 0),
	    "127.0.0.1");
	assert_string_equal(vsetting_item_peek(&s, VSETTING_WEBMAILHOSTS, 1),
	    "::1");
	assert_null(vsetting_item_peek(&s, VSETTING_WEBMAILHOSTS, 2));
	for (unsigned i = 0; i < VSETTING_COUNT; i++)
		assert_false(s.is_set[i]);
	vsettings_free(&s);
}

static void
values(void **state)
{
	(void)state;
	put("store", "mysql \t\nrest\n", 13);
	put("qmailext", "1", 1);
	put("logintries", "0\n", 2);
	put("defaultdomain", "example.com\n", 12);
	put("webmailhosts", "# mine\n\n10.0.0.0/8 \n2001:db8::/32", 33);
	assert_int_equal(vsettings_load(tmp, &s, &why), 0);
	assert_true(vsetting_is(&s, VSETTING_STORE, "mysql"));
	assert_true(s.is_set[VSETTING_STORE]);
	assert_true(vsetting_on(&s, VSETTING_QMAILEXT));
	assert_int_equal(s.number[VSETTING_LOGINTRIES], 0);
	assert_string_equal(vsetting_peek(&s, VSETTING_DEFAULTDOMAIN),
	    "example.com");
	assert_string_equal(vsetting_item_peek(&s, VSETTING_WEBMAILHOSTS, 0),
	    "10.0.0.0/8");
	assert_string_equal(vsetting_item_peek(&s, VSETTING_WEBMAILHOSTS, 1),
	    "2001:db8::/32");
	assert_null(vsetting_item_peek(&s, VSETTING_WEBMAILHOSTS, 2));
	vsettings_free(&s);
	drop("store");
	drop("qmailext");
	drop("logintries");
	drop("defaultdomain");
	drop("webmailhosts");
}

static const struct { const char *file, *text; size_t n; const char *words; }
bad[] = {
	{"store", "pgsql\n", 6, "store: pgsql: not one of cdb mysql"},
	{"store", "\n", 1, "not one of"},
	{"store", "cd", 2, "not one of"},
	{"store", "cdb mysql", 9, "not one of"},
	{"store", "cdb\0", 4, "NUL"},
	{"qmailext", "yes", 3, "not 0 or 1"},
	{"qmailext", "2", 1, "not 0 or 1"},
	{"qmailext", "", 0, "not 0 or 1"},
	{"logintries", "-1", 2, "not a number within 0 1000000"},
	{"logintries", "1000001", 7, "not a number within"},
	{"logintries", "99999999999999999999999", 23, "not a number within"},
	{"minpasswordlength", "0", 1, "not a number within"},
	{"minpasswordlength", "8 bytes", 7, "8_bytes"},
};

static void
misunderstood(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		put(bad[i].file, bad[i].text, bad[i].n);
		assert_int_equal(vsettings_load(tmp, &s, &why), -1);
		if (strstr(str_c(&why), bad[i].words) == NULL)
			assert_string_equal(str_c(&why), bad[i].words);
		assert_non_null(strstr(str_c(&why), bad[i].file));
		vsettings_free(&s);
		drop(bad[i].file);
	}
}

static void
unreadable(void **state)
{
	char path[256];

	(void)state;
	(void)snprintf(path, sizeof path, "%s/etc/store", tmp);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(vsettings_load(tmp, &s, &why), -1);
	assert_non_null(strstr(str_c(&why), "unable to read"));
	vsettings_free(&s);
	assert_int_equal(rmdir(path), 0);
}

/* Every default is a value that its own file might have. */
static void
table(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VSETTING_COUNT; i++) {
		const struct vsetting_entry *e =
		    vsetting_entry((enum vsetting)i);

		assert_true(strlen(e->meaning) > 0);
		if (e->fallback == NULL)
			continue;
		put(e->file, e->fallback, strlen(e->fallback));
		assert_int_equal(vsettings_load(tmp, &s, &why), 0);
		assert_true(s.is_set[i]);
		vsettings_free(&s);
		drop(e->file);
	}
}

/* Every setting has its entry on the page, with its words and its default. */
static void
page(void **state)
{
	struct str text = {0}, want = {0};

	(void)state;
	/* Tests run in the build directory. */
	assert_int_equal(fs_read("../vpop/vpopmail-control.5", &text,
	    1 << 20), 0);
	for (unsigned i = 0; i < VSETTING_COUNT; i++) {
		const struct vsetting_entry *e =
		    vsetting_entry((enum vsetting)i);
		const char *at, *next, *word = e->words;

		str_clear(&want);
		str_catf(&want, "\n.It Pa %s\n", e->file);
		at = strstr(str_c(&text), str_c(&want));
		if (at == NULL)
			fail_msg("no entry of %s", e->file);
		next = strstr(at + 1, "\n.It ");
		assert_non_null(next);
		str_clear(&want);
		if (strcmp(e->kind, "LIST") == 0)
			str_cats(&want, "Default: ");
		else
			str_catf(&want, "Default: %s.\n",
			    e->fallback == NULL ? "none" : e->fallback);
		for (;;) {
			const char *found = strstr(at, str_c(&want));

			if (found == NULL || found > next)
				fail_msg("%s: no %s", e->file, str_c(&want));
			if (strcmp(e->kind, "WORD") != 0 || *word == '\0')
				break;
			str_copyb(&want, word, strcspn(word, " "));
			word += want.len;
			word += *word == ' ';
		}
	}
	str_free(&text);
	str_free(&want);
}

static int
setup(void **state)
{
	char path[256];

	(void)state;
	if (mkdtemp(tmp) == NULL)
		return -1;
	(void)snprintf(path, sizeof path, "%s/etc", tmp);
	return mkdir(path, 0700);
}

static int
teardown(void **state)
{
	char path[256];

	(void)state;
	(void)snprintf(path, sizeof path, "%s/etc", tmp);
	str_free(&why);
	return rmdir(path) + rmdir(tmp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(values),
		cmocka_unit_test(misunderstood),
		cmocka_unit_test(unreadable),
		cmocka_unit_test(table),
		cmocka_unit_test(page),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
