/* test_rules.c - lines of rules as keys and data, the order in which they are
 * looked for, files of the original tcprules, damaged files. */
#include "supervise/rules.h"

#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static char tmp[] = "/tmp/unit-rules.XXXXXX";

#define DATA(text) (text), sizeof(text) - 1
#define BAD NULL, NULL, 0

static const struct {
	const char *line;
	const char *key, *data;
	size_t n;
} lines[] = {
	{"1.2.3.4:allow", "1.2.3.4", DATA("")},
	{"1.2.3.4:deny", "1.2.3.4", DATA("D\0")},
	{"1.2.3.4:deny \t ", "1.2.3.4", DATA("D\0")},
	{":allow", "", DATA("")},
	{"127.:allow,RELAYCLIENT=\"\"", "127.", DATA("+RELAYCLIENT=\0")},
	{"10.0.0.:allow,A=/x/,B=+a=b,c+", "10.0.0.",
	    DATA("+A=x\0+B=a=b,c\0")},
	{":deny,A=\"1\"", "", DATA("D\0+A=1\0")},
	{":allow,A=\":allow,\"", "", DATA("+A=:allow,\0")},
	{":allow,A==x=", "", DATA("+A=x\0")},
	{"=Known.EDU:allow", "=known.edu", DATA("")},
	{"=.abuser.edu:deny", "=.abuser.edu", DATA("D\0")},
	{"=:allow", "=", DATA("")},
	{"Joe@1.2.3.4:allow", "Joe@1.2.3.4", DATA("")},
	{"Joe@=One.Two:allow", "Joe@=one.two", DATA("")},
	{"a=b@1.2.3.4:allow", "a=b@1.2.3.4", DATA("")},
	/* networks: host bits go, a whole address is an address */
	{"10.1.2.3/9:deny", "10.0.0.0/9", DATA("D\0")},
	{"1.2.3.4/32:deny", "1.2.3.4", DATA("D\0")},
	{"0.0.0.0/0:deny", "0.0.0.0/0", DATA("D\0")},
	/* IPv6 in one form only */
	{"::1:allow", "::1", DATA("")},
	{"2001:DB8:0:0::A:allow", "2001:db8::a", DATA("")},
	{"[2001:db8::a]:allow", "2001:db8::a", DATA("")},
	{"2001:db8::/32:deny", "2001:db8::/32", DATA("D\0")},
	{"[2001:db8:ffff::]/32:deny", "2001:db8::/32", DATA("D\0")},
	{"[2001:db8::/32]:deny", "2001:db8::/32", DATA("D\0")},
	{"2001:db8:deny", NULL, NULL, 0},
	{"2001:db8::deny", "2001:db8::/32", DATA("D\0")},
	{"1:2:3:4:5:6:7::deny", "1:2:3:4:5:6:7:0/112", DATA("D\0")},
	{"::1/128:deny", "::1", DATA("D\0")},
	{"::/0:deny", "::/0", DATA("D\0")},
	{"::ffff:1.2.3.4:deny", "1.2.3.4", DATA("D\0")},
	{"joe@::1:allow", "joe@::1", DATA("")},
	{"joe@[::1]:allow", "joe@::1", DATA("")},
	/* no rules */
	{"1.2.3.4:", BAD},
	{"1.2.3.4:allowed", BAD},
	{"1.2.3.4:denyA=/x/", BAD},
	{"1.2.3.4: allow", BAD},
	{"1.2.3.4:allow,", BAD},
	{"1.2.3.4:allow,A", BAD},
	{"1.2.3.4:allow,A=", BAD},
	{"1.2.3.4:allow,A=/x", BAD},
	{"1.2.3.4:allow,A=/x/y", BAD},
	{"1.2.3.4:allow,=/x/", BAD},
	{"1.2.3.4:allow\r", BAD},
	{"a:b:allow", BAD},
	{"a:b@1.2.3.4:allow", BAD},
	{"=a:b:allow", BAD},
	{"=a/8:allow", BAD},
	{"10.0.0.0/33:allow", BAD},
	{"10.0.0.0/:allow", BAD},
	{"10/8:allow", BAD},
	{"/8:allow", BAD},
	{"::1/129:allow", BAD},
	{"[::1:allow", BAD},
	{"[]:allow", BAD},
	{"2001:db8:::allow", "2001:db8::", DATA("")},
	{"2001:db8::::allow", BAD},
	{"2001::db8::deny", BAD},
	{"fe80::1%lo:allow", BAD},
	{"joe@10.0.0.0/8:allow", BAD},
	{"1.2.3-:allow", BAD},
	{"1.2.-5:allow", BAD},
	{"1.2.a-5:allow", BAD},
	{"1.2.5-3:allow", BAD},
};

static void
test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(lines); i++) {
		const char *why;
		struct rule r;
		enum rules_line kind = rules_parse(lines[i].line,
		    strlen(lines[i].line), &r, &why);

		if (kind != (lines[i].key == NULL ? RULES_BAD : RULES_RULE))
			fail_msg("%s: %d", lines[i].line, (int)kind);
		if (lines[i].key == NULL) {
			assert_non_null(why);
			continue;
		}
		assert_null(why);
		assert_false(r.range);
		assert_string_equal(str_c(&r.key), lines[i].key);
		assert_int_equal(r.data.len, lines[i].n);
		assert_memory_equal(str_c(&r.data), lines[i].data, lines[i].n);
		assert_int_equal(r.family != 0, strchr(lines[i].key, '/') !=
		    NULL);
		rule_free(&r);
	}
}

static void
test_no_rules(void **state)
{
	static const char *const blank[] = {"", " ", "\t ", "#", "#a:allow",
	    "no colon here", "1.2.3.4"};
	struct rule r;
	const char *why;

	(void)state;
	for (size_t i = 0; i < N_OF(blank); i++)
		assert_int_equal(rules_parse(blank[i], strlen(blank[i]), &r,
		    &why), RULES_BLANK);
	assert_int_equal(rules_parse("1.2\0:deny", 9, &r, &why), RULES_BAD);
	assert_int_equal(rules_parse(":allow,A=/\0/", 12, &r, &why),
	    RULES_BAD);
}

static void
test_useless(void **state)
{
	static const struct { const char *line; bool useless; } all[] = {
		{"1.2.3.4:deny", false}, {"1.2.3.:deny", false},
		{"1.:deny", false}, {":deny", false}, {"=x:deny", false},
		{"1.2.3-5.:deny", false}, {"1.2.3.4-5:deny", false},
		{"1.2.3:deny", true}, {"1.2.3.4.:deny", true},
		{"localhost:deny", true}, {"1.2.256.:deny", true},
		{"1.2.3.04:deny", true}, {"10.*:deny", true},
		{"1.2-5:deny", true}, {".:deny", true},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(all); i++) {
		struct rule r;
		const char *why;

		assert_int_equal(rules_parse(all[i].line, strlen(all[i].line),
		    &r, &why), RULES_RULE);
		if (r.useless != all[i].useless)
			fail_msg("%s", all[i].line);
		rule_free(&r);
	}
}

/* Compiles n bytes of text to path; reads of at most piece bytes. */
static enum rules_compiled
compile(const char *text, size_t n, size_t piece, struct rules_report *rep)
{
	enum rules_compiled r;
	struct cdb_writer *w;
	static struct io io;
	int fd[2], status;
	pid_t writer;

	*rep = (struct rules_report){0};
	assert_int_equal(pipe2(fd, O_DIRECT), 0);       /* writes stay apart */
	writer = fork();
	assert_true(writer >= 0);
	if (writer == 0) {
		for (size_t at = 0; at < n; at += piece)
			if (write(fd[1], text + at, n - at < piece ? n - at :
			    piece) < 0)
				_exit(1);
		_exit(0);
	}
	assert_int_equal(close(fd[1]), 0);
	io_init(&io, fd[0], -1, IO_FOREVER);
	assert_int_equal(cdbwriter_open("cdb.tmp", &w), 0);
	r = rules_compile(&io, w, rep);
	if (r == RULES_OK)
		assert_int_equal(cdbwriter_commit(w, "cdb", 0644), 0);
	else
		cdbwriter_abort(w);
	assert_int_equal(close(fd[0]), 0);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	return r;
}

static void
compile_ok(const char *text)
{
	struct rules_report rep;

	assert_int_equal(compile(text, strlen(text), 4096, &rep), RULES_OK);
	str_free(&rep.line);
}

/* The key that answers for a client; NULL for none. */
static const char *
answer(const char *ip, const char *host, const char *info)
{
	static char found[256];
	const struct rules_client c = {.ip = ip, .host = host, .info = info};
	struct str key = {0}, data = {0};
	struct cdb_file *f;
	enum cdb_status st;

	assert_int_equal(cdbfile_open("cdb", &f), CDB_OK);
	st = rules_find(f, &c, &key, &data);
	cdbfile_close(f);
	assert_int_not_equal(st, CDB_TEMP);
	(void)snprintf(found, sizeof found, "%s", str_c(&key));
	str_free(&key);
	str_free(&data);
	return st == CDB_OK ? found : NULL;
}

/* Each rule of the file is the answer once the ones before it are gone. */
static void
test_order(void **state)
{
	static const char *const rules[] = {
		"xyz@86.75.30.9", "xyz@=one.two.three", "86.75.30.9",
		"=one.two.three", "86.75.30.8/30", "86.75.30.8/29",
		"86.75.30.", "86.75.30.0/24", "86.75.16.0/20", "86.75.",
		"86.", "84.0.0.0/6", "0.0.0.0/0", "=.two.three", "=.three",
		"=", "",
	};

	(void)state;
	for (size_t from = 0; from < N_OF(rules); from++) {
		struct str text = {0};

		for (size_t i = N_OF(rules); i-- > from;)
			str_catf(&text, "%s:allow\n", rules[i]);
		compile_ok(str_c(&text));
		assert_string_equal(answer("86.75.30.9", "One.Two.Three",
		    "xyz"), rules[from]);
		str_free(&text);
	}
}

static void
test_order6(void **state)
{
	static const char *const rules[] = {
		"2001:db8::9", "2001:db8::8/126", "2001:db8::/64",
		"2001:db8::/32", "2000::/3", "::/0", "",
	};

	(void)state;
	for (size_t from = 0; from < N_OF(rules); from++) {
		struct str text = {0};

		str_cats(&text, "0.0.0.0/0:deny\n32.:deny\n0.:deny\n");
		for (size_t i = from; i < N_OF(rules); i++)
			str_catf(&text, "%s:allow\n", rules[i]);
		compile_ok(str_c(&text));
		assert_string_equal(answer("2001:DB8:0::9", NULL, NULL),
		    rules[from]);
		str_free(&text);
	}
	compile_ok("::/0:deny\n");
	assert_null(answer("1.2.3.4", NULL, NULL));
	assert_string_equal(answer("::ffff:1.2.3.4%1", NULL, NULL) == NULL ?
	    "none" : "some", "none");
}

static void
test_lookups(void **state)
{
	(void)state;
	compile_ok("127.0-5.:allow,W=/1/\n# comment\n=known.edu:allow\n"
	    "=.abuser.edu:deny\n18.23.0.250-999:deny\n");
	assert_string_equal(answer("127.0.0.1", NULL, NULL), "127.0.");
	assert_string_equal(answer("127.5.9.9", NULL, NULL), "127.5.");
	assert_null(answer("127.6.0.1", NULL, NULL));
	assert_null(answer("127.10.0.1", NULL, NULL));
	assert_string_equal(answer("18.23.0.255", NULL, NULL), "18.23.0.255");
	assert_null(answer("18.23.0.256", NULL, NULL));
	assert_null(answer("18.23.0.249", NULL, NULL));
	assert_string_equal(answer("::ffff:127.3.0.1", NULL, NULL), "127.3.");
	assert_string_equal(answer("9.9.9.9", "known.edu", NULL),
	    "=known.edu");
	assert_null(answer("9.9.9.9", "abuser.edu", NULL));
	assert_string_equal(answer("9.9.9.9", "x.y.abuser.edu", NULL),
	    "=.abuser.edu");
	assert_null(answer("9.9.9.9", NULL, NULL));
	/* what is no address is still text with dots */
	compile_ok("a.b.:deny\n");
	assert_string_equal(answer("a.b.c", NULL, NULL), "a.b.");
	/* of two equal ones the first counts, in whatever form it is */
	compile_ok("2001:db8:0::/32:allow\n[2001:db8::]/32:deny\n");
	assert_string_equal(answer("2001:db8::1", NULL, NULL),
	    "2001:db8::/32");
}

/* A file as the original tcprules makes it: nothing but its keys. */
static void
test_original_file(void **state)
{
	struct cdb_writer *w;

	(void)state;
	assert_int_equal(cdbwriter_open("cdb.tmp", &w), 0);
	assert_int_equal(cdbwriter_add(w, "127.", 4, "+RELAYCLIENT=\0", 14), 0);
	assert_int_equal(cdbwriter_add(w, "10.0.0.0/8", 10, "D\0", 2), 0);
	assert_int_equal(cdbwriter_add(w, "/", 1, "", 0), 0);
	assert_int_equal(cdbwriter_commit(w, "cdb", 0644), 0);
	assert_string_equal(answer("127.0.0.1", NULL, NULL), "127.");
	assert_null(answer("10.1.2.3", NULL, NULL));
}

static void
test_words(void **state)
{
	static const char bytes[] = "+A=1\0x\0\0+\0+B\0+=c\0D\0+C=\0+D=cut";
	struct str data = {0};
	const char *word;
	size_t at = 0;

	(void)state;
	str_catb(&data, bytes, sizeof bytes - 1);
	assert_int_equal(rules_next(&data, &at, &word), RULES_SET);
	assert_string_equal(word, "A=1");
	assert_int_equal(rules_next(&data, &at, &word), RULES_DENY);
	assert_int_equal(rules_next(&data, &at, &word), RULES_SET);
	assert_string_equal(word, "C=");
	assert_int_equal(rules_next(&data, &at, &word), RULES_END);
	assert_int_equal(rules_next(&data, &at, &word), RULES_END);
	str_free(&data);
}

/* The same file whatever the pieces of input, the bad line named. */
static void
test_pieces(void **state)
{
	static const char good[] = "1.2.3.4:deny\n\n#x\n2001:db8::/32:allow,"
	    "A=/b/\n1.2.3-4.:allow";
	static const char bad[] = "1.2.3.4:deny\n\nfoo:bar\n:allow\n";
	struct str first = {0}, file = {0};
	struct rules_report rep;

	(void)state;
	for (size_t piece = 1; piece <= sizeof good; piece++) {
		char buf[8192];
		ssize_t n;
		int fd;

		assert_int_equal(compile(good, sizeof good - 1, piece, &rep),
		    RULES_OK);
		str_free(&rep.line);
		fd = open("cdb", O_RDONLY | O_CLOEXEC);
		n = read(fd, buf, sizeof buf);
		assert_true(n > 2048);
		(void)close(fd);
		str_copyb(piece == 1 ? &first : &file, buf, (size_t)n);
		if (piece > 1) {
			assert_int_equal(file.len, first.len);
			assert_memory_equal(file.s, first.s, first.len);
		}
		assert_int_equal(compile(bad, sizeof bad - 1, piece, &rep),
		    RULES_SYNTAX);
		assert_int_equal(rep.number, 3);
		assert_string_equal(str_c(&rep.line), "foo:bar");
		str_free(&rep.line);
	}
	str_free(&first);
	str_free(&file);
}

static void
test_too_long(void **state)
{
	struct rules_report rep;
	struct str text = {0};

	(void)state;
	str_cats(&text, ":allow,A=\"");
	while (text.len < RULES_LINE_MAX - 1)
		str_catc(&text, 'x');
	str_catc(&text, '"');
	assert_int_equal(text.len, RULES_LINE_MAX);
	assert_int_equal(compile(str_c(&text), text.len, 4096, &rep),
	    RULES_OK);
	str_free(&rep.line);
	str_copyb(&text, text.s, text.len - 1);
	str_cats(&text, "xx\"");
	assert_int_equal(compile(str_c(&text), text.len, 4096, &rep),
	    RULES_SYNTAX);
	assert_true(rep.line.len <= 100);
	str_free(&rep.line);
	str_free(&text);
}

/* Every prefix of a file, and one with wild offsets: an error or an answer. */
static void
test_damaged(void **state)
{
	const struct rules_client c = {.ip = "10.1.2.3"};
	char buf[8192];
	ssize_t n;
	int fd;

	(void)state;
	compile_ok("10.0.0.0/8:deny\n10.:allow\n");
	fd = open("cdb", O_RDONLY | O_CLOEXEC);
	n = read(fd, buf, sizeof buf);
	(void)close(fd);
	assert_true(n > 2048);
	for (ssize_t cut = 0; cut < n; cut++) {
		struct str key = {0}, data = {0};
		enum cdb_status st;
		struct cdb_file *f;

		fd = open("cut", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		    0600);
		assert_int_equal(write(fd, buf, (size_t)cut), cut);
		(void)close(fd);
		st = cdbfile_open("cut", &f);
		if (st != CDB_OK) {
			assert_int_equal(st, CDB_TEMP);
			continue;
		}
		st = rules_find(f, &c, &key, &data);
		assert_true(st != CDB_OK || data.len == 2);
		cdbfile_close(f);
		str_free(&key);
		str_free(&data);
	}
}

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(tmp) == NULL || chdir(tmp) < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink("cdb");
	(void)unlink("cut");
	return chdir("/") < 0 || rmdir(tmp) < 0 ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_no_rules),
		cmocka_unit_test(test_useless),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_order6),
		cmocka_unit_test(test_lookups),
		cmocka_unit_test(test_original_file),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
