/* test_vdirs.c - where new directories go: the order of the first 6,300 by
 * the rule that administrators know, the file, freed places. */
#include "vpop/dirs.h"

#include "vpop/store_ops.h"
#include "TESTS/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char tmp[] = "/tmp/unit-vdirs.XXXXXX";
static const char letters[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static struct vstore *store;

static void
first_6300(void **state)
{
	struct vdirctl c = {0};
	char want[8];

	(void)state;
	vdirs_init(&c);
	for (unsigned i = 1; i < 6300; i++) {
		vdirs_count(&c);
		want[0] = i < 100 ? '\0' : letters[i / 100 - 1];
		want[1] = '\0';
		assert_string_equal(str_c(&c.dir), want);
		assert_int_equal(c.users, i);
		assert_int_equal(c.level_cur, 0);
	}
	str_free(&c.dir);
}

/* What follows is ours: pairs in order, then triples, then from the start. */
static void
deeper(void **state)
{
	struct vdirctl c = {0};
	char want[8];

	(void)state;
	vdirs_init(&c);
	for (unsigned i = 1; i < 6300; i++)
		vdirs_count(&c);
	for (unsigned d = 0; d < 62 * 62; d++)
		for (unsigned i = 0; i < 100; i++) {
			vdirs_count(&c);
			(void)snprintf(want, sizeof want, "%c/%c",
			    letters[d / 62], letters[d % 62]);
			if (!str_eqs(&c.dir, want))
				assert_string_equal(str_c(&c.dir), want);
		}
	for (unsigned d = 0; d < 62 * 62 * 62 + 2; d++) {
		unsigned k = d % (62 * 62 * 62);

		c.users += d == 0 ? 0 : 99;
		vdirs_count(&c);
		(void)snprintf(want, sizeof want, "%c/%c/%c",
		    letters[k / 62 / 62], letters[k / 62 % 62],
		    letters[k % 62]);
		if (!str_eqs(&c.dir, want))
			assert_string_equal(str_c(&c.dir), want);
	}
	str_free(&c.dir);
}

/* The text of older programs, and after it the same place. */
static const struct { const char *text; int r; const char *next; } texts[] = {
	{"0\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n\n", 0, ""},
	{"99\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n\n", 0, "0"},
	{"199\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n0\n", 0, "1"},
	{"198\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n0\n", 0, "0"},
	{"6299\n0\n3\n0 0 0\n61 61 61\n0 2 4\n61 0 0\nz\n", 0, "0/0"},
	/* their index is one ahead in the first pass of a second level */
	{"6399\n1\n3\n0 0 0\n61 61 61\n0 2 4\n0 1 0\n0/0\n", 0, "0/1"},
	{"12499\n1\n3\n0 0 0\n61 61 61\n0 2 4\n0 62 0\n0/z\n", 0, "1/0"},
	/* counted below zero */
	{"18446744073709551615\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n\n", 0,
	    ""},
	/* no line end at the end */
	{"99\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n", 0, "0"},
	{"199\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n0", 0, "1"},
	{"", -1, NULL},
	{"12", -1, NULL},
	{"x\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n\n", -1, NULL},
	{"1\n3\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n\n", -1, NULL},
	{"1\n0\n4\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n\n", -1, NULL},
	{"1\n0\n3\n0 0\n61 61 61\n0 2 4\n0 0 0\n\n", -1, NULL},
	{"1\n0\n3\n0 0 0\n62 61 61\n0 2 4\n0 0 0\n\n", -1, NULL},
	{"1\n0\n3\n9 0 0\n8 61 61\n0 2 4\n0 0 0\n\n", -1, NULL},
	{"1\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n..\n", -1, NULL},
	{"1\n1\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n0/.\n", -1, NULL},
	{"1\n1\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n0\n", -1, NULL},
	{"1\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n/\n", -1, NULL},
};

static void
file_form(void **state)
{
	struct vdirctl c = {0};
	struct str out = {0};

	(void)state;
	vdirs_init(&c);
	vdirs_count(&c);
	vdirs_cat(&out, &c);
	assert_string_equal(str_c(&out),
	    "1\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n\n");
	for (size_t i = 0; i < N_OF(texts); i++) {
		if (vdirs_parse(texts[i].text, strlen(texts[i].text), &c) !=
		    texts[i].r)
			fail_msg("text %zu", i);
		if (texts[i].r < 0) {
			assert_int_equal(c.users, 0);
			continue;
		}
		vdirs_count(&c);
		assert_string_equal(str_c(&c.dir), texts[i].next);
	}
	/* what is written is what was read */
	str_clear(&out);
	assert_int_equal(vdirs_parse(texts[6].text, strlen(texts[6].text), &c),
	    0);
	vdirs_cat(&out, &c);
	assert_string_equal(str_c(&out), texts[6].text);
	str_free(&out);
	str_free(&c.dir);
}

static void
take_want(struct vdirs *d, const char *want)
{
	struct str sub = {0};

	vdirs_take(d, &sub);
	assert_string_equal(str_c(&sub), want);
	str_free(&sub);
}

static void
read_want(const char *file, const char *want)
{
	char path[256], got[4096];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof path, "%s/%s", tmp, file);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(got, 1, sizeof got - 1, f);
	got[n] = '\0';
	(void)fclose(f);
	assert_string_equal(got, want);
}

static void
put(const char *file, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", tmp, file);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
places(void **state)
{
	struct vdirs d;
	char path[256];

	(void)state;
	assert_int_equal(vdirs_begin(&d, store, "example.com", tmp),
	    VSTORE_OK);
	for (int i = 1; i < 100; i++)
		take_want(&d, "");
	take_want(&d, "0");
	assert_int_equal(vdirs_end(&d, true), VSTORE_OK);
	read_want(".dir-control",
	    "100\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n0\n");

	/* a place that became free is the first to be used, once */
	assert_int_equal(vdirs_begin(&d, store, "example.com", tmp),
	    VSTORE_OK);
	(void)snprintf(path, sizeof path, "%s/0/bob", tmp);
	vdirs_give(&d, path);
	(void)snprintf(path, sizeof path, "%s/joe", tmp);
	vdirs_give(&d, path);
	vdirs_give(&d, "/elsewhere/0/bob");
	(void)snprintf(path, sizeof path, "%s/../x/bob", tmp);
	vdirs_give(&d, path);
	assert_int_equal(vdirs_end(&d, true), VSTORE_OK);
	read_want(".dir_control_free", "0\n");
	read_want(".dir-control",
	    "96\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n0\n");

	put(".dir_control_free", "# places\n../..\n/etc\n 1/2 # two\n3\n0/\n");
	assert_int_equal(vdirs_begin(&d, store, "example.com", tmp),
	    VSTORE_OK);
	take_want(&d, "1/2");
	take_want(&d, "3");
	assert_int_equal(vdirs_end(&d, true), VSTORE_OK);
	read_want(".dir_control_free", "# places\n../..\n/etc\n0/\n");
	assert_int_equal(vdirs_begin(&d, store, "example.com", tmp),
	    VSTORE_OK);
	take_want(&d, "0");
	take_want(&d, "1");             /* the hundredth again */
	assert_int_equal(vdirs_end(&d, false), VSTORE_OK);      /* forgotten */
	read_want(".dir-control",
	    "98\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n0\n");
	read_want(".dir_control_free", "# places\n../..\n/etc\n0/\n");
}

static void
troubles(void **state)
{
	struct vdirs d, other;
	struct flock fl = {.l_type = F_WRLCK};
	char path[256];
	int fd;

	(void)state;
	assert_int_equal(vdirs_begin(&d, store, "x", "/nowhere/at/all"),
	    VSTORE_TEMP);
	assert_non_null(strstr(vstore_reason_peek(store), "/nowhere"));
	put(".dir-control", "broken\n");
	assert_int_equal(vdirs_begin(&d, store, "x", tmp), VSTORE_TEMP);
	assert_non_null(strstr(vstore_reason_peek(store), ".dir-control"));
	(void)snprintf(path, sizeof path, "%s/.dir-control", tmp);
	assert_int_equal(remove(path), 0);

	/* one at a time, also beside an older program */
	store->lock_ms = 60;
	assert_int_equal(vdirs_begin(&d, store, "x", tmp), VSTORE_OK);
	assert_int_equal(vdirs_begin(&other, store, "x", tmp), VSTORE_TEMP);
	assert_non_null(strstr(vstore_reason_peek(store), "lock"));
	assert_int_equal(vdirs_end(&d, true), VSTORE_OK);
	(void)snprintf(path, sizeof path, "%s/.dir_control_free.lock", tmp);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETLK, &fl), 0);
	assert_int_equal(vdirs_begin(&d, store, "x", tmp), VSTORE_TEMP);
	(void)close(fd);
	assert_int_equal(vdirs_begin(&d, store, "x", tmp), VSTORE_OK);
	take_want(&d, "0");             /* the free place "0/" from before */
	assert_int_equal(vdirs_end(&d, true), VSTORE_OK);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(tmp) == NULL)
		return -1;
	store = vstore_open("cdb", tmp);
	return 0;
}

static int
teardown(void **state)
{
	char path[512];
	struct dirent *e;
	DIR *d = opendir(tmp);

	(void)state;
	vstore_close(store);
	while ((e = readdir(d)) != NULL) {
		(void)snprintf(path, sizeof path, "%s/%s", tmp, e->d_name);
		(void)remove(path);
	}
	(void)closedir(d);
	return rmdir(tmp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_6300),
		cmocka_unit_test(deeper),
		cmocka_unit_test(file_form),
		cmocka_unit_test(places),
		cmocka_unit_test(troubles),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
