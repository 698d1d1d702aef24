/* test_maildir.c - Maildir deliveries, alone and in batches. */
#include "TESTS/unit/unit.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "mail/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char top[] = "/tmp/test_maildir.XXXXXX";
#define HEAD "Return-Path: <>\n"
#define TEXT "Subject: x\n\nbody\n"

static int
setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(top));
	assert_int_equal(chdir(top), 0);
	(void)umask(077);
	return 0;
}

static void
remove_tree(const char *dir)
{
	struct str p = {0};
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0)
			continue;
		str_clear(&p);
		str_catf(&p, "%s/%s", dir, e->d_name);
		if (unlink(str_c(&p)) < 0)
			remove_tree(str_c(&p));
	}
	if (d != NULL)
		(void)closedir(d);
	(void)rmdir(dir);
	str_free(&p);
}

static int
teardown(void **state)
{
	(void)state;
	remove_tree(top);
	return 0;
}

static int
message_bytes(const char *text, size_t n)
{
	char path[] = "mess.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(fd_write_all(fd, text, n), 0);
	return fd;      /* at its end: the position must not matter */
}

static int
message(const char *text)
{
	return message_bytes(text, strlen(text));
}

static size_t
count(const char *dir, struct str *one)
{
	struct dirent *e;
	DIR *d = opendir(dir);
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.') {
			n++;
			str_copys(one, e->d_name);
		}
	(void)closedir(d);
	return n;
}

static void
test_make(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(maildir_make("made"), 0);
	assert_int_equal(stat("made/tmp", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat("made/new", &st), 0);
	assert_int_equal(stat("made/cur", &st), 0);
	errno = 0;
	assert_int_equal(maildir_make("made"), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(maildir_make("no/such/dir"), -1);
	assert_int_equal(errno, ENOENT);
}

static void
test_one(void **state)
{
	struct maildir_file f, *one = &f;
	struct str name = {0}, path = {0}, got = {0};
	const char *end;
	int m = message(TEXT);

	(void)state;
	assert_int_equal(maildir_make("one"), 0);
	assert_int_equal(maildir_write(&f, "./one/", HEAD, strlen(HEAD), m,
	    NULL), MAILDIR_OK);
	/* Not before it is committed. */
	assert_int_equal(count("one/new", &name), 0);
	assert_int_equal(count("one/tmp", &name), 1);
	maildir_commit(&one, 1);
	assert_int_equal(f.status, MAILDIR_OK);
	maildir_free(&f);
	assert_int_equal(count("one/tmp", &name), 0);
	assert_int_equal(count("one/new", &name), 1);
	/* 16 + 17 bytes in 4 lines. */
	end = strchr(str_c(&name), ',');
	assert_non_null(end);
	assert_string_equal(end, ",S=33,W=37");
	assert_true(name.s[0] >= '1' && name.s[0] <= '9');
	assert_null(strchr(str_c(&name), ':'));
	str_catf(&path, "one/new/%s", str_c(&name));
	assert_int_equal(fs_read(str_c(&path), &got, 1000), 0);
	assert_string_equal(str_c(&got), HEAD TEXT);
	str_free(&name);
	str_free(&path);
	str_free(&got);
	(void)close(m);
}

/* The same key replaces, another does not. */
static void
test_key(void **state)
{
	struct stat st = {.st_ino = 4711, .st_mtim = {1700000000, 123456789}};
	struct maildir_key key = maildir_key_of(&st, "jo", "x");
	struct maildir_key other = maildir_key_of(&st, "jo", "y");
	struct str a = {0}, b = {0};
	int m = message(TEXT);

	(void)state;
	assert_true(key.rcpt != other.rcpt);
	assert_int_equal(maildir_make("key"), 0);
	for (int i = 0; i < 5; i++) {
		struct maildir_file f, *one = &f;
		const struct maildir_key *k = &key;

		if (i == 2) {
			key.step = 1;
		} else if (i == 3) {
			k = &other;
		} else if (i == 4) {
			key.step = 0;
			key.nsec++;
		}
		assert_int_equal(maildir_write(&f, "key/", "", 0, m, k),
		    MAILDIR_OK);
		maildir_commit(&one, 1);
		assert_int_equal(f.status, MAILDIR_OK);
		maildir_free(&f);
		assert_int_equal(count("key/new", i == 0 ? &a : &b),
		    i < 2 ? 1 : i);
		if (i == 1)
			assert_string_equal(str_c(&a), str_c(&b));
	}
	assert_int_equal(strncmp(str_c(&a), "1700000000.M123456K", 19), 0);
	/* 16 digits of the hash, and the host. */
	assert_int_equal(strspn(str_c(&a) + 19, "0123456789abcdef"), 16);
	assert_int_equal(a.s[35], '.');
	str_free(&a);
	str_free(&b);
	(void)close(m);
}

static void
test_batch(void **state)
{
	struct maildir_file f[20], *p[20];
	struct str name = {0};
	int m = message(TEXT);

	(void)state;
	assert_int_equal(maildir_make("b0"), 0);
	assert_int_equal(maildir_make("b1"), 0);
	assert_int_equal(maildir_make("b2"), 0);
	for (int i = 0; i < 20; i++) {
		static const char *const dir[] = {"b0/", "b1/", "b2/"};

		p[i] = &f[i];
		assert_int_equal(maildir_write(p[i], dir[i % 3], HEAD,
		    strlen(HEAD), m, NULL), MAILDIR_OK);
	}
	/* One Maildir loses its new/: it fails, the others do not. */
	assert_int_equal(rmdir("b1/new"), 0);
	/* Another message failed before. */
	f[3].status = MAILDIR_WRITE;
	maildir_commit(p, 20);
	for (int i = 0; i < 20; i++)
		assert_int_equal(f[i].status, i == 3 ? MAILDIR_WRITE :
		    i % 3 == 1 ? MAILDIR_PLACE : MAILDIR_OK);
	assert_int_equal(f[1].error, ENOENT);
	for (int i = 0; i < 20; i++)
		maildir_free(p[i]);
	assert_int_equal(count("b0/new", &name), 6);
	assert_int_equal(count("b2/new", &name), 6);
	/* Nothing stays behind in tmp. */
	assert_int_equal(count("b0/tmp", &name), 0);
	assert_int_equal(count("b1/tmp", &name), 0);
	maildir_commit(p, 0);
	str_free(&name);
	(void)close(m);
}

static void
test_trouble(void **state)
{
	struct maildir_file f;
	struct str name = {0};
	int m = message(TEXT), dir = open(".", O_RDONLY);

	(void)state;
	assert_int_equal(maildir_write(&f, "nowhere/", "", 0, m, NULL),
	    MAILDIR_CREATE);
	assert_int_equal(f.error, ENOENT);
	maildir_free(&f);
	assert_int_equal(maildir_make("tr"), 0);
	/* What cannot be read leaves nothing. */
	assert_int_equal(maildir_write(&f, "tr/", HEAD, strlen(HEAD), dir,
	    NULL), MAILDIR_READ);
	assert_int_equal(f.error, EISDIR);
	maildir_free(&f);
	assert_int_equal(count("tr/tmp", &name), 0);
	for (int s = MAILDIR_OK; s <= MAILDIR_DIRSYNC; s++)
		assert_true(strlen(maildir_verb((enum maildir_status)s)) > 0);
	str_free(&name);
	(void)close(m);
	(void)close(dir);
}

/* More than one read, and a size to the byte. */
static void
test_large(void **state)
{
	struct maildir_file f, *one = &f;
	struct str text = {0}, name = {0}, path = {0}, got = {0};
	int m;

	(void)state;
	for (int i = 0; i < 200001; i++)
		str_catc(&text, (char)('a' + i % 26));
	m = message(str_c(&text));
	assert_int_equal(maildir_make("large"), 0);
	assert_int_equal(maildir_write(&f, "large/", HEAD, strlen(HEAD), m,
	    NULL), MAILDIR_OK);
	maildir_commit(&one, 1);
	maildir_free(&f);
	assert_int_equal(count("large/new", &name), 1);
	/* Its last line is not ended. */
	assert_string_equal(strchr(str_c(&name), ','), ",S=200017");
	str_catf(&path, "large/new/%s", str_c(&name));
	assert_int_equal(fs_read(str_c(&path), &got, 1 << 20), 0);
	assert_int_equal(got.len, 200017);
	assert_memory_equal(got.s + strlen(HEAD), text.s, text.len);
	str_free(&text);
	str_free(&name);
	str_free(&path);
	str_free(&got);
	(void)close(m);
}

/* Delivers into "size" and says what its name has from the comma on. */
static void
expect_sizes(const char *head, const char *text, size_t n, const char *want)
{
	struct maildir_file f, *one = &f;
	int m = message_bytes(text, n);

	assert_int_equal(maildir_write(&f, "size/", head, strlen(head), m,
	    NULL), MAILDIR_OK);
	maildir_commit(&one, 1);
	assert_int_equal(f.status, MAILDIR_OK);
	assert_string_equal(strchr(str_c(&f.final), ','), want);
	maildir_free(&f);
	(void)close(m);
}

static void
test_sizes(void **state)
{
	static const struct {
		const char *head, *text;
		size_t n;
		const char *want;
	} cases[] = {
		{"", "", 0, ",S=0,W=0"},
		{"", "\n", 1, ",S=1,W=2"},
		{"", "\r\n", 2, ",S=2,W=2"},
		{"", "\n\n", 2, ",S=2,W=4"},
		{"", "\n\r\n", 3, ",S=3,W=4"},
		{"", "\r\n\n", 3, ",S=3,W=4"},
		{"", "\r\r\n", 3, ",S=3,W=3"},
		{"", "a\rb\n", 4, ",S=4,W=5"},        /* a bare CR */
		{"", "\r", 1, ",S=1"},
		{"", "a\n\r", 3, ",S=3"},
		{"", "a\nb", 3, ",S=3"},
		{"h\n", "", 0, ",S=2,W=3"},
		{"h\n", "\n", 1, ",S=3,W=5"},
		{"h\r", "\n", 1, ",S=3,W=3"},
		{"h\r", "a\n", 2, ",S=4,W=5"},
		{"h\n", "\0\n\0\n", 4, ",S=6,W=9"},
		{"h\n", "\xc3\xa4\xff\n", 4, ",S=6,W=8"},
	};

	(void)state;
	assert_int_equal(maildir_make("size"), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_sizes(cases[i].head, cases[i].text, cases[i].n,
		    cases[i].want);
}

/* CR LF, LF and what is before them on every place around the end of what is
 * read at once (64 KiB). */
static void
test_sizes_at_the_seam(void **state)
{
	const size_t seam = 65536;
	struct str text = {0};
	char want[64];

	(void)state;
	for (size_t k = seam - 6; k <= seam + 2; k++) {
		str_clear(&text);
		while (text.len < k)
			str_catc(&text, 'a');
		str_cats(&text, "\r\n\nb\n");
		(void)snprintf(want, sizeof want, ",S=%zu,W=%zu", k + 5,
		    k + 7);
		expect_sizes("", text.s, text.len, want);
		(void)snprintf(want, sizeof want, ",S=%zu,W=%zu", k + 7,
		    k + 10);
		expect_sizes("h\n", text.s, text.len, want);
		str_catc(&text, '\r');
		(void)snprintf(want, sizeof want, ",S=%zu", k + 6);
		expect_sizes("", text.s, text.len, want);
	}
	/* More than two of them, all LF. */
	str_clear(&text);
	while (text.len < 3 * seam)
		str_catc(&text, '\n');
	expect_sizes("", text.s, text.len, ",S=196608,W=393216");
	str_free(&text);
}

/* L6: a hundred processes, one Maildir, no message over another. */
static void
test_parallel(void **state)
{
	struct str name = {0};
	int m = message(TEXT);

	(void)state;
	assert_int_equal(maildir_make("par"), 0);
	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			for (int k = 0; k < 3; k++) {
				struct maildir_file f, *one = &f;

				if (maildir_write(&f, "par/", "", 0, m,
				    NULL) != MAILDIR_OK)
					_exit(1);
				maildir_commit(&one, 1);
				if (f.status != MAILDIR_OK)
					_exit(1);
				maildir_free(&f);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 100; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count("par/new", &name), 300);
	str_free(&name);
	(void)close(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_sizes_at_the_seam),
		cmocka_unit_test(test_parallel),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
