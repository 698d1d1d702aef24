/* test_cdb.c - what is written is found, a damaged or cut file defers and
 * never says "no such key", and a failed writer leaves nothing behind. */
#include "lib/cdb.h"

#include "lib/fs.h"
#include "TESTS/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static char tmp[] = "/tmp/unit-cdb.XXXXXX";

static size_t
entries(void)
{
	DIR *d = opendir(".");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n - 2;
}

/* n records key-I -> value-I, and a few odd ones. */
static void
make_db(int n)
{
	struct cdb_writer *w;
	char key[32], value[32];

	assert_int_equal(cdbwriter_open("db.tmp", &w), 0);
	for (int i = 0; i < n; i++) {
		int k = snprintf(key, sizeof key, "key-%d", i);
		int v = snprintf(value, sizeof value, "value-%d", i);

		assert_int_equal(cdbwriter_add(w, key, (size_t)k, value,
		    (size_t)v), 0);
	}
	assert_int_equal(cdbwriter_add(w, "", 0, "empty key", 9), 0);
	assert_int_equal(cdbwriter_add(w, "empty value", 11, "", 0), 0);
	assert_int_equal(cdbwriter_add(w, "a\0b", 3, "c\0d", 3), 0);
	assert_int_equal(cdbwriter_add(w, "twice", 5, "first", 5), 0);
	assert_int_equal(cdbwriter_add(w, "twice", 5, "second", 6), 0);
	assert_int_equal(cdbwriter_commit(w, "db", 0644), 0);
}

static void
test_round_trip(void **state)
{
	struct cdb_file *f;
	struct str s = {0};
	struct stat st;

	(void)state;
	make_db(1000);
	assert_int_equal(entries(), 1);
	assert_int_equal(stat("db", &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(cdbfile_open("db", &f), CDB_OK);
	for (int i = 0; i < 1000; i++) {
		char key[32], value[32];
		int k = snprintf(key, sizeof key, "key-%d", i);

		(void)snprintf(value, sizeof value, "value-%d", i);
		str_clear(&s);
		assert_int_equal(cdbfile_get(f, key, (size_t)k, &s), CDB_OK);
		assert_string_equal(str_c(&s), value);
	}
	assert_int_equal(cdbfile_get(f, "key-1000", 8, &s), CDB_NONE);
	assert_string_equal(str_c(&s), "value-999");
	assert_int_equal(cdbfile_get(f, "empty value", 11, &s), CDB_OK);
	assert_string_equal(str_c(&s), "value-999");
	str_clear(&s);
	assert_int_equal(cdbfile_get(f, "", 0, &s), CDB_OK);
	assert_string_equal(str_c(&s), "empty key");
	str_clear(&s);
	assert_int_equal(cdbfile_get(f, "a\0b", 3, &s), CDB_OK);
	assert_int_equal(s.len, 3);
	assert_memory_equal(s.s, "c\0d", 3);
	str_clear(&s);
	assert_int_equal(cdbfile_get(f, "twice", 5, &s), CDB_OK);
	assert_string_equal(str_c(&s), "first");
	cdbfile_close(f);
	cdbfile_close(NULL);
	str_free(&s);
	assert_int_equal(unlink("db"), 0);
}

static void
test_empty_db(void **state)
{
	struct cdb_writer *w;
	struct cdb_file *f;
	struct str s = {0};

	(void)state;
	assert_int_equal(cdbwriter_open("db.tmp", &w), 0);
	assert_int_equal(cdbwriter_commit(w, "db", 0600), 0);
	assert_int_equal(cdbfile_open("db", &f), CDB_OK);
	assert_int_equal(cdbfile_get(f, "x", 1, &s), CDB_NONE);
	cdbfile_close(f);
	assert_int_equal(unlink("db"), 0);
}

/* The same answers without a map; then every cut and every changed byte: an
 * answer of the file or TEMP, and never one that is in neither. */
static void
test_ask(void **state)
{
	struct str s = {0}, bytes = {0};

	(void)state;
	make_db(300);
	for (int i = 0; i < 300; i++) {
		char key[32], value[32];
		int k = snprintf(key, sizeof key, "key-%d", i);

		(void)snprintf(value, sizeof value, "value-%d", i);
		str_clear(&s);
		assert_int_equal(cdb_ask("db", key, (size_t)k, 20, &s),
		    CDB_OK);
		assert_string_equal(str_c(&s), value);
	}
	assert_int_equal(cdb_ask("db", "key-300", 7, 20, &s), CDB_NONE);
	assert_int_equal(cdb_ask("db", "key-2999", 8, 20, &s), CDB_NONE);
	str_clear(&s);
	assert_int_equal(cdb_ask("db", "", 0, 20, &s), CDB_OK);
	assert_string_equal(str_c(&s), "empty key");
	assert_int_equal(cdb_ask("db", "empty value", 11, 0, &s), CDB_OK);
	assert_string_equal(str_c(&s), "empty key");
	str_clear(&s);
	assert_int_equal(cdb_ask("db", "a\0b", 3, 3, &s), CDB_OK);
	assert_memory_equal(s.s, "c\0d", 3);
	assert_int_equal(cdb_ask("db", "a\0b", 3, 2, &s), CDB_TEMP);
	assert_int_equal(errno, EINVAL);
	str_clear(&s);
	assert_int_equal(cdb_ask("db", "twice", 5, 20, &s), CDB_OK);
	assert_string_equal(str_c(&s), "first");
	assert_int_equal(cdb_ask("none", "x", 1, 9, &s), CDB_NONE);
	assert_int_equal(cdb_ask(".", "x", 1, 9, &s), CDB_TEMP);
	assert_int_equal(mkfifo("pipe", 0600), 0);
	assert_int_equal(cdb_ask("pipe", "x", 1, 9, &s), CDB_TEMP);
	assert_int_equal(unlink("pipe"), 0);

	assert_int_equal(fs_read("db", &bytes, 1 << 20), 0);
	for (size_t cut = 0; cut < bytes.len; cut += 7) {
		assert_int_equal(truncate("db", (off_t)(bytes.len - cut)), 0);
		str_clear(&s);
		switch (cdb_ask("db", "key-299", 7, 20, &s)) {
		case CDB_OK:
			assert_string_equal(str_c(&s), "value-299");
			break;
		case CDB_NONE:
			fail_msg("none after a cut of %zu", cut);
			break;
		case CDB_TEMP:
			assert_int_equal(s.len, 0);
			break;
		}
	}
	str_free(&s);
	str_free(&bytes);
}

/* A table said to be endless, of slots that are other keys': it ends. */
static void
test_ask_endless(void **state)
{
	unsigned char head[2048], slots[8192];
	struct str s = {0};
	FILE *f = fopen("db", "w");

	(void)state;
	assert_non_null(f);
	for (size_t i = 0; i < sizeof head; i += 8) {
		memcpy(head + i, "\0\10\0\0\377\377\377\177", 8);
	}
	memset(slots, 1, sizeof slots);
	assert_int_equal(fwrite(head, 1, sizeof head, f), sizeof head);
	for (int i = 0; i < 1100; i++)          /* more than is looked at */
		assert_int_equal(fwrite(slots, 1, sizeof slots, f),
		    sizeof slots);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(cdb_ask("db", "key", 3, 20, &s), CDB_TEMP);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(unlink("db"), 0);
	str_free(&s);
}

static void
test_stale(void **state)
{
	struct cdb_file *f;

	(void)state;
	make_db(1);
	assert_int_equal(cdbfile_open("db", &f), CDB_OK);
	assert_false(cdbfile_stale(f, "db"));
	make_db(1);
	assert_true(cdbfile_stale(f, "db"));
	assert_int_equal(unlink("db"), 0);
	assert_true(cdbfile_stale(f, "db"));
	cdbfile_close(f);
}

static void
test_no_database(void **state)
{
	struct cdb_file *f;

	(void)state;
	assert_int_equal(cdbfile_open("none", &f), CDB_NONE);
	assert_int_equal(cdbfile_open(".", &f), CDB_TEMP);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(cdbfile_open("/dev/null", &f), CDB_TEMP);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(cdbfile_open("fifo", &f), CDB_TEMP);
	assert_int_equal(cdbfile_open("fifo/x", &f), CDB_TEMP);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(unlink("fifo"), 0);
}

static void
put(const char *bytes, size_t n)
{
	assert_int_equal(fs_replace("cut", "cut.tmp", bytes, n, 0600), 0);
}

/* Asks the file "cut" for a key that the whole one has. */
static void
ask_cut(size_t at)
{
	struct str s = {0};
	struct cdb_file *f;
	enum cdb_status st = cdbfile_open("cut", &f);

	if (st == CDB_OK) {
		st = cdbfile_get(f, "key-7", 5, &s);
		cdbfile_close(f);
	}
	if (st == CDB_OK)
		assert_string_equal(str_c(&s), "value-7");
	else if (st == CDB_NONE)
		fail_msg("cut at %zu: the key seems absent", at);
	str_free(&s);
}

/* Cut after every byte: never CDB_NONE for a key that was there. */
static void
test_truncated(void **state)
{
	struct str whole = {0};

	(void)state;
	make_db(20);
	assert_int_equal(fs_read("db", &whole, 1 << 20), 0);
	for (size_t n = 0; n < whole.len; n += n < 2000 ? 97 : 1) {
		put(whole.s, n);
		ask_cut(n);
	}
	assert_int_equal(unlink("db") | unlink("cut"), 0);
	str_free(&whole);
}

/* Random damage: any answer, but no crash and nothing outside the file. */
static void
test_damaged(void **state)
{
	struct str whole = {0}, s = {0};
	struct cdb_file *f;

	(void)state;
	srandom(3);
	make_db(20);
	assert_int_equal(fs_read("db", &whole, 1 << 20), 0);
	for (int i = 0; i < 300; i++) {
		struct str bad = {0};

		str_copy(&bad, &whole);
		for (int j = 0; j < 200; j++)
			bad.s[(size_t)random() % bad.len] = (char)random();
		put(bad.s, bad.len);
		assert_int_equal(cdbfile_open("cut", &f), CDB_OK);
		for (int k = 0; k < 20; k++) {
			char key[32];
			int n = snprintf(key, sizeof key, "key-%d", k);

			str_clear(&s);
			assert_in_range(cdbfile_get(f, key, (size_t)n, &s),
			    CDB_OK, CDB_TEMP);
			assert_true(s.len <= whole.len);
		}
		cdbfile_close(f);
		str_free(&bad);
	}
	assert_int_equal(unlink("db") | unlink("cut"), 0);
	str_free(&whole);
	str_free(&s);
}

static void
test_writer_failures(void **state)
{
	struct cdb_writer *w;

	(void)state;
	assert_int_equal(cdbwriter_open("none/tmp", &w), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(cdbwriter_open("db.tmp", &w), 0);
	assert_int_equal(cdbwriter_add(w, "a", 1, "b", 1), 0);
	cdbwriter_abort(w);
	assert_int_equal(entries(), 0);
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(cdbwriter_open("db.tmp", &w), 0);
	assert_int_equal(cdbwriter_add(w, "a", 1, "b", 1), 0);
	assert_int_equal(cdbwriter_commit(w, "d", 0600), -1);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(entries(), 1);
	assert_int_equal(rmdir("d"), 0);
	/* a link in the way is not followed */
	assert_int_equal(symlink("victim", "db.tmp"), 0);
	assert_int_equal(cdbwriter_open("db.tmp", &w), 0);
	cdbwriter_abort(w);
	assert_int_equal(entries(), 0);
}

/* The disk fills up while it is written, in the records or in the tables. */
static void
full_disk(void *arg)
{
	const rlim_t *max = arg;
	struct rlimit rl = {*max, *max};
	struct cdb_writer *w;
	int r = 0;

	(void)signal(SIGXFSZ, SIG_IGN);
	(void)setrlimit(RLIMIT_FSIZE, &rl);
	if (cdbwriter_open("db.tmp", &w) < 0)
		_exit(1);
	for (int i = 0; i < 5000 && r == 0; i++)
		r = cdbwriter_add(w, &i, sizeof i, "value", 5);
	if (r < 0)
		cdbwriter_abort(w);
	else if (cdbwriter_commit(w, "db", 0600) == 0)
		_exit(2);
}

static void
test_full_disk(void **state)
{
	/* 2048 bytes of header, 5000 * 17 of records, 5000 * 16 of tables */
	static const rlim_t max[] = {0, 2000, 2100, 50000, 87000, 87100,
	    100000, 160000, 167047};

	(void)state;
	make_db(1);
	for (size_t i = 0; i < N_OF(max); i++) {
		rlim_t m = max[i];
		struct cdb_file *f;

		unit_dies(full_disk, &m, 0, "");
		assert_int_equal(entries(), 1);
		assert_int_equal(cdbfile_open("db", &f), CDB_OK);
		cdbfile_close(f);
	}
	assert_int_equal(unlink("db"), 0);
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
	return chdir("/") < 0 ? -1 : rmdir(tmp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_empty_db),
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_ask_endless),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_no_database),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_writer_failures),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
