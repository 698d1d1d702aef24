/* test_mdscan.c - reading a Maildir while others rename in it; what names
 * tell. */
#include "mail/mdscan.h"

#include "TESTS/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#define STORM 5000                      /* messages */
#define STORM_MS 5000                   /* each of the two storms lasts */

static const struct {
	const char *name;
	uint64_t size, wire, time;
	size_t base;
	const char *flags;
} names[] = {
	{"1000000000.M123456P42.host,S=5,W=7:2,FS", 5, 7,
	    1000000000123456, 34, "FS"},
	{"1000000000.42.host", UINT64_MAX, UINT64_MAX, 1000000000000000, 18,
	    ""},
	{"1000000000.M7N9P42.host,W=07,S=0", 0, 7, 1000000000000007, 32, ""},
	{"1.P42M9Q3.host:2,", UINT64_MAX, UINT64_MAX, 1000009, 14, ""},
	/* A host is no time, and flags are no sizes. */
	{"1.2.M9:2,S=3,W=4", UINT64_MAX, UINT64_MAX, 1000000, 6, "S"},
	{"1.M1234567.x", UINT64_MAX, UINT64_MAX, 1999999, 12, ""},
	{"1.x,S=1x,W=,S=3", 3, UINT64_MAX, 1000000, 15, ""},
	{"1.x,S=99999999999999999999", UINT64_MAX, UINT64_MAX, 1000000, 26,
	    ""},
	{"x,S=12,SW=3", 12, UINT64_MAX, UINT64_MAX, 11, ""},
	{"1x.M3,W=1", UINT64_MAX, 1, UINT64_MAX, 9, ""},
	{"18446744073709551615.M3", UINT64_MAX, UINT64_MAX, UINT64_MAX, 23,
	    ""},
	{"x:1,S", UINT64_MAX, UINT64_MAX, UINT64_MAX, 1, ""},
	{"x:2,S,T", UINT64_MAX, UINT64_MAX, UINT64_MAX, 1, "S"},
	{"", UINT64_MAX, UINT64_MAX, UINT64_MAX, 0, ""},
};

static void
test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		const char *name = names[i].name;

		assert_int_equal(mdname_size(name), names[i].size);
		assert_int_equal(mdname_wire(name), names[i].wire);
		assert_int_equal(mdname_time(name), names[i].time);
		assert_int_equal(mdname_base(name), names[i].base);
		for (const char *f = "DFPRSTa"; *f; f++)
			assert_int_equal(mdname_has_flag(name, *f),
			    strchr(names[i].flags, *f) != NULL);
		assert_false(mdname_has_flag(name, '\0'));
	}
}

/* A Maildir of the test's own; the descriptor. */
static int
make_maildir(char dir[])
{
	int fd;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(mkdirat(fd, "new", 0700), 0);
	assert_int_equal(mkdirat(fd, "cur", 0700), 0);
	assert_int_equal(mkdirat(fd, "tmp", 0700), 0);
	return fd;
}

static void
add(int dir, const char *path)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600);

	assert_true(fd >= 0);
	(void)close(fd);
}

static void
remove_maildir(const char *dir, int fd)
{
	char cmd[100];

	(void)close(fd);
	(void)snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	assert_int_equal(system(cmd), 0);
}

/* Until a change would show. */
static void
settle(void)
{
	struct timespec t = {0, (MDSCAN_DOUBT_MS + 10) * 1000000};

	(void)nanosleep(&t, NULL);
}

static size_t
count(const struct mdscan *m, const char *name, bool is_new)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += strcmp(mdscan_name(m, i), name) == 0 &&
		    m->entries[i].is_new == is_new;
	return n;
}

static void
test_read(void **state)
{
	char dir[] = "/tmp/unit-mdscan.XXXXXX", name[260];
	int fd = make_maildir(dir);
	struct mdscan m = {0};

	(void)state;
	settle();
	assert_int_equal(mdscan_read(fd, NULL, &m), 0);
	assert_int_equal(m.n, 0);
	assert_true(m.steady);
	assert_false(m.watched);

	add(fd, "new/1.a,S=3");
	add(fd, "cur/2.b:2,S");
	add(fd, "cur/.nfs000");
	add(fd, "cur/:2,S");
	assert_int_equal(mkdirat(fd, "cur/dir", 0700), 0);
	(void)snprintf(name, sizeof name, "cur/%0255d", 7);
	add(fd, name);
	/* At once, when another change might have the same time. */
	assert_int_equal(mdscan_read(fd, NULL, &m), 0);
	assert_true(m.watched);
	assert_false(m.steady);
	assert_int_equal(m.n, 3);
	mdscan_free(&m);

	settle();
	assert_int_equal(mdscan_read(fd, NULL, &m), 0);
	assert_false(m.watched);
	assert_true(m.steady);
	assert_int_equal(m.n, 3);
	assert_int_equal(count(&m, "1.a,S=3", true), 1);
	assert_int_equal(count(&m, "2.b:2,S", false), 1);
	assert_int_equal(count(&m, name + 4, false), 1);
	for (size_t i = 0; i < m.n; i++)
		assert_int_equal(m.entries[i].base,
		    mdname_base(mdscan_name(&m, i)));
	/* It appends. */
	assert_int_equal(mdscan_read(fd, NULL, &m), 0);
	assert_int_equal(m.n, 6);
	mdscan_free(&m);

	assert_int_equal(renameat(fd, "new", fd, "old"), 0);
	assert_int_equal(mdscan_read(fd, NULL, &m), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(m.n, 0);
	remove_maildir(dir, fd);
}

/* Names over several reads of the kernel's. */
static void
test_many(void **state)
{
	char dir[] = "/tmp/unit-mdscan.XXXXXX", path[300];
	int fd = make_maildir(dir);
	struct mdscan m = {0};
	static bool seen[20000];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		(void)snprintf(path, sizeof path, "%s/%d.%0*d:2,",
		    i % 2 ? "new" : "cur", i, i % 200 + 1, i);
		add(fd, path);
	}
	settle();
	assert_int_equal(mdscan_read(fd, NULL, &m), 0);
	assert_int_equal(m.n, 20000);
	for (size_t i = 0; i < m.n; i++) {
		const char *name = mdscan_name(&m, i);
		int k = atoi(name);

		(void)snprintf(path, sizeof path, "%d.%0*d:2,", k,
		    k % 200 + 1, k);
		assert_string_equal(name, path);
		assert_int_equal(m.entries[i].is_new, k % 2);
		assert_false(seen[k]);
		seen[k] = true;
	}
	mdscan_free(&m);
	remove_maildir(dir, fd);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Renames one message after the other, as a reader would that sets flags;
 * half of them begin in new/.  Until it is killed. */
static void
storm(int dir, long pause_ns)
{
	struct timespec pause = {0, pause_ns};

	for (unsigned turn = 0;; turn++)
		for (int i = 0; i < STORM; i++) {
			static const char *const info[] = {":2,", ":2,F"};
			char from[64], to[64];

			(void)snprintf(from, sizeof from, turn == 0 && i % 2 ?
			    "new/%d.x" : "cur/%d.x%s", i, info[turn % 2]);
			(void)snprintf(to, sizeof to, "cur/%d.x%s", i,
			    info[1 - turn % 2]);
			(void)renameat(dir, from, dir, to);
			if (pause_ns > 0)
				(void)nanosleep(&pause, NULL);
		}
}

static size_t
missing(const struct mdscan *m)
{
	static bool seen[STORM];
	size_t n = STORM;

	memset(seen, 0, sizeof seen);
	for (size_t i = 0; i < m->n; i++) {
		int k = atoi(mdscan_name(m, i));

		n -= !seen[k];
		seen[k] = true;
	}
	return n;
}

/* What reading alone finds; false when it would not end: in tmpfs what is
 * renamed comes once more, further on. */
static bool
read_plainly(int dir, struct mdscan *m)
{
	static const char *const sub[] = {"new", "cur"};
	bool ends = true;

	m->cap = (size_t)4 * STORM;
	m->entries = mem_alloc(m->cap, sizeof *m->entries);

	for (size_t i = 0; i < N_OF(sub); i++) {
		DIR *d = fdopendir(openat(dir, sub[i],
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		const struct dirent *e;

		assert_non_null(d);
		while ((e = readdir(d)) != NULL && ends) {
			if (e->d_name[0] == '.')
				continue;
			ends = m->n < m->cap - 1;
			m->entries[m->n++] = (struct mdscan_entry){
			    .at = (uint32_t)m->pool.len};
			str_catb(&m->pool, e->d_name, strlen(e->d_name) + 1);
		}
		(void)closedir(d);
	}
	return ends;
}

static void
run_storm(long pause_ns, size_t *plain_out)
{
	char dir[] = "/tmp/unit-mdscan.XXXXXX", path[64];
	int fd = make_maildir(dir);
	struct mdscan_watch watch = MDSCAN_WATCH_NONE;
	size_t scans = 0, lost = 0, watched = 0;
	int64_t until;
	pid_t pid;

	for (int i = 0; i < STORM; i++) {
		(void)snprintf(path, sizeof path, i % 2 ? "new/%d.x" :
		    "cur/%d.x:2,", i);
		add(fd, path);
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		storm(fd, pause_ns);
	*plain_out = 0;
	for (until = now_ms() + STORM_MS; now_ms() < until; scans++) {
		struct mdscan m = {0}, plain = {0};

		assert_int_equal(mdscan_read(fd, scans % 64 ? &watch : NULL,
		    &m), 0);
		lost += missing(&m);
		watched += m.watched;
		mdscan_free(&m);
		if (scans % 8 == 0) {
			if (read_plainly(fd, &plain))
				*plain_out += missing(&plain);
			mdscan_free(&plain);
		}
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	print_message("%zu scans, %zu watched, %zu missing; %zu missing "
	    "without a watch\n", scans, watched, lost, *plain_out);
	assert_int_equal(lost, 0);
	assert_true(watched > scans / 2);
	mdscan_unwatch(&watch);
	remove_maildir(dir, fd);
}

/* That reading alone loses some is what says that this can fail. */
static void
test_storm(void **state)
{
	size_t flat_out, slow;

	(void)state;
	run_storm(0, &flat_out);
	run_storm(1000000, &slow);
	assert_true(flat_out + slow > 0);
}

/* Where a user has no inotify instance left.  Exit code 2: that cannot be had
 * here. */
static void
without_watch(void *arg)
{
	int maildir = *(int *)arg, limit;
	struct mdscan m = {0};

	if (unshare(CLONE_NEWUSER) < 0)
		_exit(2);
	limit = open("/proc/sys/user/max_inotify_instances",
	    O_WRONLY | O_CLOEXEC);
	if (limit < 0 || write(limit, "0\n", 2) != 2)
		_exit(2);
	if (inotify_init1(IN_CLOEXEC) >= 0)
		_exit(2);
	if (renameat(maildir, "new/1.a", maildir, "cur/1.a:2,") < 0 ||
	    mdscan_read(maildir, NULL, &m) < 0)
		_exit(3);
	if (m.watched || count(&m, "1.a:2,", false) == 0 ||
	    count(&m, "1.a", true) != 0 || count(&m, "2.b", false) == 0)
		_exit(4);
}

static void
test_no_watch(void **state)
{
	char dir[] = "/tmp/unit-mdscan.XXXXXX", text[1000];
	int fd = make_maildir(dir), status;

	(void)state;
	add(fd, "new/1.a");
	add(fd, "cur/2.b");
	status = unit_child(without_watch, &fd, text, sizeof text);
	remove_maildir(dir, fd);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_storm),
	    cmocka_unit_test(test_no_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
