/* test_users.c - users/assign lines, users/cdb and what it answers. */
#include "TESTS/unit/unit.h"

#include "lib/io.h"
#include "mail/users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char top[] = "/tmp/test_users.XXXXXX";

static int
setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(top));
	return chdir(top);
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink("cdb");
	(void)unlink("cdb.tmp");
	return rmdir(top);
}

#define T(s) s, sizeof(s) - 1

static void
test_line(void **state)
{
	static const char want[] = "joe\0" "503\0" "78\0" "/home/joe\0" "-\0"
	    "list";
	struct users_line l = {0};

	(void)state;
	assert_null(users_parse_line(
	    T("+Joe-list:joe:503:78:/home/joe:-:list:"), &l));
	assert_true(l.wild);
	assert_int_equal(l.nname, 8);
	assert_memory_equal(l.name, "Joe-list", 8);
	assert_int_equal(l.value.len, sizeof want - 1);
	assert_memory_equal(l.value.s, want, sizeof want - 1);
	/* Nothing is said about what follows the seventh colon. */
	assert_null(users_parse_line(T("=j:joe:503:78:/h:::junk"), &l));
	assert_false(l.wild);
	assert_null(users_parse_line(T("+:alias:7790:2108:/var/q:-::"), &l));
	assert_int_equal(l.nname, 0);
	users_line_free(&l);
}

static void
test_bad_lines(void **state)
{
	static const struct {
		const char *line;
		size_t n;
	} bad[] = {
		{T("")}, {T("=")}, {T("=joe")}, {T("joe:joe:1:2:/h:::")},
		{T("=joe:joe:1:2:/h::")}, {T("=joe:joe:1:2:/h:")},
		{T("=joe:joe:x:2:/h:::")}, {T("=joe:joe:1:-2:/h:::")},
		{T("=joe:joe::2:/h:::")}, {T("=joe::1:2:/h:::")},
		{T("=joe:joe:1:2::::")}, {T("=joe:joe:1:2:h:::")},
		{T("=joe:joe:4294967295:2:/h:::")},
		{T("=joe:joe:99999999999:2:/h:::")},
		{T("=joe:joe:18446744073709551617:2:/h:::")},
		{T("=joe:joe:1:2:/h:::\0")}, {T("=j\0e:joe:1:2:/h:::")},
		{T("#comment")}, {T("..")},
	};
	struct users_line l = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_non_null(users_parse_line(bad[i].line, bad[i].n, &l));
	users_line_free(&l);
}

static void
test_entry(void **state)
{
	static const struct {
		const char *s;
		size_t n;
		int want;
	} c[] = {
		{T("u\0" "1\0" "2\0" "/h\0" "-\0" "e"), 0},
		{T("u\0" "1\0" "2\0" "/h\0" "-\0" "e\0"), 0},
		{T("u\0" "1\0" "2\0" "/h\0" "\0" ""), 0},
		{T("u\0" "1\0" "2\0" "/h\0" "\0" "\0"), 0},
		{T("u\0" "1\0" "2\0" "/h\0" ""), -1},
		{T("u\0" "1\0" "2\0" "/h\0" "-\0" "e\0x"), -1},
		{T("u\0" "1\0" "2\0" "/h\0" "-\0" "e\0\0"), -1},
		{T("u\0" "1x\0" "2\0" "/h\0" "-\0" "e"), -1},
		{T("u\0" "\0" "2\0" "/h\0" "-\0" "e"), -1},
		{T("\0" "1\0" "2\0" "/h\0" "-\0" "e"), -1},
		{T("u\0" "1\0" "2\0" "\0" "-\0" "e"), -1},
		{T(""), -1},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(c); i++) {
		struct users_entry e = {0}, again = {0};
		struct str s = {0};

		assert_int_equal(users_parse_entry(c[i].s, c[i].n, &e),
		    c[i].want);
		if (c[i].want == 0) {
			users_cat_entry(&s, &e);
			assert_int_equal(users_parse_entry(str_c(&s), s.len,
			    &again), 0);
			assert_int_equal(again.uid, 1);
			assert_int_equal(again.gid, 2);
			assert_string_equal(str_c(&again.home), "/h");
		}
		users_entry_free(&e);
		users_entry_free(&again);
		str_free(&s);
	}
}

static const char table[] =
    "=root:admin:100:10:/home/admin:::\n"
    "=Mixed.Case:mix:101:10:/home/mix:-:x:\n"
    "+joe-:joe:503:78:/home/joe:-::\n"
    "=joe:joe:503:78:/home/joe:::\n"
    "=joe:second:504:78:/home/second:::\n"
    "+joe-list-:listmaster:504:78:/home/lists:-:joe/:\n"
    "+:alias:7790:2108:/var/qmail/alias:-::\n"
    ".\n"
    "this is not read\n";

static void
compile(const char *text, size_t n)
{
	const char *why;
	size_t line;

	assert_int_equal(users_compile(text, n, "cdb", "cdb.tmp", &line,
	    &why), 0);
}

static void
test_find(void **state)
{
	static const struct {
		const char *local, *user, *dash, *ext;
	} c[] = {
		{"joe", "joe", "", ""},                 /* the first of two */
		{"JOE", "joe", "", ""},
		{"joe-", "joe", "-", ""},
		{"joe-Foo", "joe", "-", "Foo"},         /* case is kept */
		{"joe-list-Owner", "listmaster", "-", "joe/Owner"},
		{"joe-list", "joe", "-", "list"},
		{"Joe-LIST-x", "listmaster", "-", "joe/x"},
		{"root", "admin", "", ""},
		{"root-x", "alias", "-", "root-x"},
		{"mixed.case", "mix", "-", "x"},
		{"j", "alias", "-", "j"},
		{"", "alias", "-", ""},
		{"joelist", "alias", "-", "joelist"},
	};
	struct cdb_file *f;

	(void)state;
	compile(T(table));
	assert_int_equal(cdbfile_open("cdb", &f), CDB_OK);
	for (size_t i = 0; i < N_OF(c); i++) {
		struct users_entry e = {0};

		assert_int_equal(users_find(f, c[i].local, &e), CDB_OK);
		assert_string_equal(str_c(&e.user), c[i].user);
		assert_string_equal(str_c(&e.dash), c[i].dash);
		assert_string_equal(str_c(&e.ext), c[i].ext);
		users_entry_free(&e);
	}
	cdbfile_close(f);
}

/* The keys as other programs make and read them. */
static void
test_keys(void **state)
{
	struct str v = {0};
	struct cdb_file *f;

	(void)state;
	compile(T(table));
	assert_int_equal(cdbfile_open("cdb", &f), CDB_OK);
	assert_int_equal(cdbfile_get(f, "", 0, &v), CDB_OK);
	assert_string_equal(str_c(&v), "-");
	str_clear(&v);
	assert_int_equal(cdbfile_get(f, "!joe\0", 5, &v), CDB_OK);
	assert_int_equal(v.len, sizeof "joe\0" "503\0" "78\0" "/home/joe\0\0"
	    - 1);
	str_clear(&v);
	assert_int_equal(cdbfile_get(f, "!joe-", 5, &v), CDB_OK);
	str_clear(&v);
	assert_int_equal(cdbfile_get(f, "!", 1, &v), CDB_OK);
	str_clear(&v);
	assert_int_equal(cdbfile_get(f, "!mixed.case\0", 12, &v), CDB_OK);
	str_free(&v);
	cdbfile_close(f);
}

static void
test_nobody(void **state)
{
	struct users_entry e = {0};
	struct cdb_file *f;

	(void)state;
	compile(T("=a:a:1:1:/a:::\n+b-:b:2:2:/b:-::\n.\n"));
	assert_int_equal(cdbfile_open("cdb", &f), CDB_OK);
	assert_int_equal(users_find(f, "b", &e), CDB_NONE);
	assert_int_equal(users_find(f, "", &e), CDB_NONE);
	assert_int_equal(users_find(f, "a-", &e), CDB_NONE);
	cdbfile_close(f);
	compile(T(".\n"));
	assert_int_equal(cdbfile_open("cdb", &f), CDB_OK);
	assert_int_equal(users_find(f, "b", &e), CDB_NONE);
	cdbfile_close(f);
	users_entry_free(&e);
}

/* A table that lacks the key of last bytes, or has a value that is none. */
static void
test_malformed_table(void **state)
{
	struct users_entry e = {0};
	struct cdb_writer *w;
	struct cdb_file *f;

	(void)state;
	assert_int_equal(cdbwriter_open("cdb.tmp", &w), 0);
	assert_int_equal(cdbwriter_add(w, "!bad\0", 5, "x", 1), 0);
	assert_int_equal(cdbwriter_commit(w, "cdb", 0644), 0);
	assert_int_equal(cdbfile_open("cdb", &f), CDB_OK);
	assert_int_equal(users_find(f, "bad", &e), CDB_TEMP);
	assert_int_equal(users_find(f, "other", &e), CDB_TEMP);
	cdbfile_close(f);
	users_entry_free(&e);
}

static void
test_bad_files(void **state)
{
	static const struct {
		const char *text;
		size_t n, line;
	} c[] = {
		{T(""), 1}, {T("=a:a:1:1:/a:::\n"), 2},
		{T("=a:a:1:1:/a:::\n."), 2}, {T("=a:a:1:1:/a:::\n\n.\n"), 2},
		{T("=a:a:1:1:/a:::\n=b:b\n.\n"), 2},
	};
	const char *why;
	size_t line;

	(void)state;
	compile(T("=a:a:1:1:/a:::\n.\n"));
	for (size_t i = 0; i < N_OF(c); i++) {
		assert_int_equal(users_compile(c[i].text, c[i].n, "cdb",
		    "cdb.tmp", &line, &why), -1);
		assert_non_null(why);
		assert_int_equal(line, c[i].line);
		/* The old table stands, nothing else does. */
		assert_int_equal(access("cdb", F_OK), 0);
		assert_int_equal(access("cdb.tmp", F_OK), -1);
	}
	assert_int_equal(users_compile(T(".\n"), "no/cdb", "no/cdb.tmp",
	    &line, &why), -1);
	assert_null(why);
	assert_int_equal(errno, ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_malformed_table),
		cmocka_unit_test(test_bad_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
