/* test_qrepair.c - queues damaged in every known way, checked, repaired,
 * checked again; and a repair that is killed at each of its steps in turn. */
#include "queue/qrepair.h"

#include "TESTS/unit/queue_fixture.h"
#include "lib/fs.h"
#include "lib/tai.h"
#include "mail/limits.h"
#include "mail/qpath.h"
#include "mail/qrecord.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t now;             /* one moment for all tests */

/* ---- steps that can be counted, and be the last ---- */

static long steps = -1;         /* -1: not counted */

static void
step(void)
{
	if (steps > 0 && --steps == 0)
		_exit(9);
}

int __real_renameat2(int, const char *, int, const char *, unsigned);
int __wrap_renameat2(int, const char *, int, const char *, unsigned);
int __real_mkdir(const char *, mode_t);
int __wrap_mkdir(const char *, mode_t);
int __real_rmdir(const char *);
int __wrap_rmdir(const char *);
int __real_unlink(const char *);
int __wrap_unlink(const char *);
int __wrap_syncfs(int);

int
__wrap_renameat2(int afd, const char *a, int bfd, const char *b, unsigned fl)
{
	step();
	return __real_renameat2(afd, a, bfd, b, fl);
}

int
__wrap_mkdir(const char *path, mode_t mode)
{
	step();
	return __real_mkdir(path, mode);
}

int
__wrap_rmdir(const char *path)
{
	step();
	return __real_rmdir(path);
}

int
__wrap_unlink(const char *path)
{
	step();
	return __real_unlink(path);
}

int
__wrap_syncfs(int fd)
{
	(void)fd;
	return 0;
}

/* ---- running it ---- */

static struct str findings;     /* "path: what\n" of the last run */

static void
note(void *arg, const struct qrepair_finding *f)
{
	(void)arg;
	str_catf(&findings, "%s: %s%s\n", f->path, f->what,
	    f->fix == NULL ? " (left)" : "");
}

static struct qrepair
run(bool fix)
{
	struct qrepair r = {.fix = fix, .uid_queue = getuid(),
	    .uid_send = getuid(), .uid_remote = getuid(), .gid = getgid(),
	    .now = now, .report = note};
	struct str why = {0};

	str_clear(&findings);
	if (qrepair_run(&r, &why) < 0)
		fail_msg("%s", str_c(&why));
	str_free(&why);
	return r;
}

/* Checks, repairs and checks again; the findings of the repair stay.  Returns
 * how many there were, none of which may be left. */
static uint64_t
cured(void)
{
	struct str first = {0};
	struct qrepair r = run(false);
	uint64_t n = r.found;

	assert_int_equal(r.left, n);
	str_copy(&first, &findings);
	r = run(true);
	if (r.found != n || strcmp(str_c(&first), str_c(&findings)) != 0)
		fail_msg("check said:\n%srepair said:\n%s", str_c(&first),
		    str_c(&findings));
	assert_int_equal(r.left, 0);
	r = run(false);
	if (r.found != 0)
		fail_msg("after the repair:\n%s", str_c(&findings));
	assert_false(fixture_there("repair"));
	str_copy(&findings, &first);
	str_free(&first);
	return n;
}

static bool
found(const char *path, const char *what)
{
	struct str s = {0};
	bool yes;

	str_catf(&s, "%s: %s", path, what);
	yes = strstr(str_c(&findings), str_c(&s)) != NULL;
	if (!yes)
		print_error("not among the findings: %s\n%s", str_c(&s),
		    str_c(&findings));
	str_free(&s);
	return yes;
}

/* ---- messages that can be recognised ---- */

/* Message X: mess "X\n", sender X@x; as S4, or as S5 with these lists. */
static uint64_t
make_todo(const char *name)
{
	struct str s = {0};
	uint64_t id;

	str_catf(&s, "%s\n", name);
	id = fixture_mess(str_c(&s));
	str_clear(&s);
	str_catf(&s, "%s@x", name);
	fixture_todo(id, str_c(&s), "r@y\0");
	str_free(&s);
	return id;
}

static uint64_t
make_info(const char *name)
{
	struct str s = {0};
	uint64_t id;

	str_catf(&s, "%s\n", name);
	id = fixture_mess(str_c(&s));
	str_clear(&s);
	str_catf(&s, "%s@x", name);
	fixture_info(id, str_c(&s), BYTES("Tl@y\0"), BYTES("Dr@y\0"));
	fixture_write(qpath_flat("bounce", id).s, name, strlen(name));
	fixture_write(qpath_flat("hold", id).s, "", 0);
	str_free(&s);
	return id;
}

/* All files of a message get another number, as a restore would do it. */
static void
rename_message(uint64_t from, uint64_t to)
{
	static const char *const split[] = {"mess", "info", "local", "remote"};
	static const char *const flat[] = {"todo", "intd", "bounce", "hold"};

	for (int i = 0; i < 4; i++) {
		(void)rename(qpath_split(split[i], from).s,
		    qpath_split(split[i], to).s);
		(void)rename(qpath_flat(flat[i], from).s,
		    qpath_flat(flat[i], to).s);
	}
}

static bool
sender_is(const char *bytes, size_t n, const char *name)
{
	size_t len = strlen(name);

	return n >= len + 4 && bytes[0] == 'F' &&
	    memcmp(bytes + 1, name, len) == 0 &&
	    memcmp(bytes + 1 + len, "@x", 3) == 0;
}

/* The message under this number is name's, with all that belongs to it. */
static void
assert_whole(uint64_t id, const char *name, bool todo)
{
	struct str mess = {0}, env = {0}, want = {0};
	struct qrecord rec = {0};

	str_catf(&want, "%s\n", name);
	if (fs_read(qpath_split("mess", id).s, &mess, 1000) < 0)
		fail_msg("%s: no mess file %" PRIu64, name, id);
	assert_string_equal(str_c(&mess), str_c(&want));
	if (fs_read(todo ? qpath_flat("todo", id).s :
	    qpath_split("info", id).s, &env, 1000) < 0)
		fail_msg("%s: no envelope %" PRIu64, name, id);
	if (todo) {
		assert_int_equal(qrecord_parse(env.s, env.len, &rec),
		    QRECORD_OK);
		assert_int_equal(strncmp(str_c(&rec.sender), name,
		    strlen(name)), 0);
	} else {
		assert_true(sender_is(env.s, env.len, name));
		assert_true(fixture_holds(qpath_split("local", id).s,
		    BYTES("Tl@y\0")));
		assert_true(fixture_holds(qpath_split("remote", id).s,
		    BYTES("Dr@y\0")));
		assert_true(fixture_holds(qpath_flat("bounce", id).s, name,
		    strlen(name)));
		assert_true(fixture_flat_there("hold", id));
	}
	qrecord_free(&rec);
	str_free(&mess);
	str_free(&env);
	str_free(&want);
}

/* ---- tests ---- */

static void
test_clean(void **state)
{
	uint64_t id;

	(void)state;
	make_todo("a");
	make_info("b");
	id = make_todo("c");            /* S4 after a crash in preprocessing */
	fixture_info(id, "old@x", BYTES("Told@y\0"), NULL, 0);
	id = fixture_mess("being received\n");
	fixture_age(qpath_split("mess", id).s, now - QUEUE_OSSIFIED, 0);
	fixture_write(qpath_flat("intd", id).s, BYTES("u0\0p1"));
	id = fixture_mess("finished\n");        /* S5, nothing left to do */
	fixture_info(id, "", NULL, 0, NULL, 0);
	fixture_write("pid/1.2.3", "", 0);
	fixture_age("pid/1.2.3", now - QUEUE_OSSIFIED, 0);
	assert_int_equal(cured(), 0);
	assert_int_equal(run(false).nmess, 4);
}

static void
test_layout(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(rmdir("hold"), 0);
	assert_int_equal(rmdir("mess/7"), 0);
	assert_int_equal(chmod("info/3", 0755), 0);
	assert_int_equal(chmod("lock/sendmutex", 0644), 0);
	assert_int_equal(unlink("lock/tcpto"), 0);
	assert_int_equal(unlink("lock/trigger"), 0);
	fixture_write("lock/queued", "", 0);
	assert_int_equal(chmod("lock/queued", 0640), 0);
	assert_int_equal(cured(), 7);
	assert_true(found("hold", "it is missing"));
	assert_true(found("info/3", "its mode is 0755, not 0700"));
	assert_int_equal(stat("lock/tcpto", &st), 0);
	assert_int_equal(st.st_size, 1024);
	assert_int_equal(stat("lock/trigger", &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0622);
	assert_int_equal(stat("mess/7", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
}

static void
test_modes(void **state)
{
	uint64_t a = make_todo("a"), b = make_info("b");
	struct stat st;

	(void)state;
	assert_int_equal(chmod(qpath_split("mess", a).s, 0600), 0);
	assert_int_equal(chmod(qpath_split("info", b).s, 0644), 0);
	assert_int_equal(cured(), 2);
	assert_int_equal(stat(qpath_split("mess", a).s, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(stat(qpath_split("info", b).s, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void
test_owners(void **state)
{
	uint64_t a = make_todo("a");
	struct stat st;

	(void)state;
	if (getuid() != 0)
		return;
	assert_int_equal(chown(qpath_split("mess", a).s, 1234, 1234), 0);
	assert_int_equal(chown("bounce", 1234, 0), 0);
	assert_int_equal(cured(), 2);
	assert_int_equal(stat(qpath_split("mess", a).s, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(stat("bounce", &st), 0);
	assert_int_equal(st.st_uid, 0);
}

/* Every message has another's number, or one that nobody has. */
static void
test_restored(void **state)
{
	uint64_t a = make_todo("a"), b = make_info("b"), c = make_info("c");
	uint64_t d = make_todo("d"), young = fixture_mess("s2\n");

	(void)state;
	rename_message(a, 1);
	rename_message(b, a);
	rename_message(c, b);
	rename_message(1, c);
	rename_message(d, 123456789);
	rename_message(young, 987654321);
	fixture_age(qpath_split("mess", 987654321).s, now, 0);
	assert_int_equal(cured(), 5);
	assert_whole(a, "a", true);
	assert_whole(b, "b", false);
	assert_whole(c, "c", false);
	assert_whole(d, "d", true);
	assert_true(fixture_split_there("mess", young));
	assert_false(fixture_there("damaged"));
}

/* Another split, a split todo, and files without subdirectory. */
static void
test_resplit(void **state)
{
	uint64_t a = make_todo("a"), b = make_info("b");
	char path[80], sub[40];

	(void)state;
	assert_int_equal(mkdir("mess/40", 0750), 0);
	assert_int_equal(mkdir("todo/5", 0750), 0);
	(void)snprintf(path, sizeof path, "mess/40/%" PRIu64, a);
	assert_int_equal(rename(qpath_split("mess", a).s, path), 0);
	(void)snprintf(path, sizeof path, "todo/5/%" PRIu64, a);
	assert_int_equal(rename(qpath_flat("todo", a).s, path), 0);
	assert_int_equal(rename(qpath_split("info", b).s,
	    qpath_flat("info", b).s), 0);
	(void)snprintf(sub, sizeof sub, "local/%u",
	    (unsigned)((b + 1) % QUEUE_SPLIT));
	(void)snprintf(path, sizeof path, "%s/%" PRIu64, sub, b);
	assert_int_equal(rename(qpath_split("local", b).s, path), 0);
	assert_int_equal(cured(), 4);   /* two messages, two directories */
	assert_whole(a, "a", true);
	assert_whole(b, "b", false);
	assert_false(fixture_there("mess/40"));
	assert_false(fixture_there("todo/5"));
}

static void
test_leftovers(void **state)
{
	uint64_t a = fixture_mess("a\n"), b = fixture_mess("b\n");
	uint64_t c = make_info("c"), d = make_todo("d");

	(void)state;
	fixture_age(qpath_split("mess", a).s, now - QUEUE_OSSIFIED - 1, now);
	fixture_write(qpath_flat("intd", a).s, "u", 1);
	fixture_age(qpath_split("mess", b).s, now - QUEUE_OSSIFIED - 1, now);
	fixture_write("intd/55", "u", 1);
	fixture_write("hold/66", "", 0);
	fixture_write("pid/77.1.1", "x", 1);
	fixture_age("pid/77.1.1", now - QUEUE_OSSIFIED - 1, now);
	fixture_write(qpath_flat("intd", c).s, "u", 1);
	fixture_write(qpath_flat("intd", d).s, "u", 1);         /* S4: fine */
	assert_int_equal(cured(), 7);
	assert_false(fixture_split_there("mess", a));
	assert_false(fixture_flat_there("intd", a));
	assert_false(fixture_split_there("mess", b));
	assert_false(fixture_there("intd/55"));
	assert_false(fixture_there("hold/66"));
	assert_false(fixture_there("pid/77.1.1"));
	assert_false(fixture_flat_there("intd", c));
	assert_whole(c, "c", false);
	assert_whole(d, "d", true);
	assert_false(fixture_there("damaged"));
}

/* What might be somebody's mail is set aside with all its files. */
static void
test_damaged(void **state)
{
	uint64_t a = make_todo("a"), b = make_todo("b"), c = make_todo("c");
	uint64_t d = make_info("d"), e = make_info("e"), f = make_info("f");
	uint64_t g = fixture_mess("g\n"), ok = make_info("ok");
	struct str dir = {0};

	(void)state;
	fixture_write(qpath_split("mess", a).s, "b\n", 2);      /* wrong sum */
	assert_int_equal(truncate(qpath_flat("todo", b).s, 70), 0);
	fixture_write(qpath_flat("todo", c).s, BYTES("u1\0p1\0Tx\0"));
	fixture_write(qpath_split("info", d).s, BYTES("Fa"));
	fixture_write(qpath_split("remote", e).s, BYTES("Q\0"));
	assert_int_equal(unlink(qpath_split("mess", f).s), 0);
	fixture_write(qpath_split("local", g).s, BYTES("Tl@y\0"));
	fixture_age(qpath_split("mess", g).s, 0, 0);
	fixture_write("todo/88", BYTES("u1\0p1\0Fx\0Tx\0"));
	fixture_write("bounce/99", "x", 1);
	assert_int_equal(cured(), 9);
	assert_true(found(qpath_split("mess", a).s, "it is not the message"));
	assert_true(found(qpath_flat("todo", b).s, "the envelope is torn"));
	assert_true(found(qpath_flat("todo", c).s, "it is no envelope"));
	assert_true(found(qpath_split("info", d).s, "it is no sender"));
	assert_true(found(qpath_split("remote", e).s, "it is no list"));
	assert_true(found(qpath_split("info", f).s, "its message is not"));
	assert_true(found(qpath_split("local", g).s, "its message has no"));
	assert_true(found("todo/88", "its message is not there"));
	assert_true(found("bounce/99", "its message is not there"));
	str_catf(&dir, "damaged/%" PRIu64 "/mess", d);
	assert_true(fixture_holds(str_c(&dir), "d\n", 2));
	str_clear(&dir);
	str_catf(&dir, "damaged/%" PRIu64 "/local", d);
	assert_true(fixture_holds(str_c(&dir), BYTES("Tl@y\0")));
	str_clear(&dir);
	str_catf(&dir, "damaged/%" PRIu64 "/mess", g);
	assert_true(fixture_holds(str_c(&dir), "g\n", 2));
	assert_true(fixture_there("damaged/88/todo"));
	assert_true(fixture_there("damaged/99/bounce"));
	assert_whole(ok, "ok", false);
	/* the same number again does not disturb what is there */
	fixture_write("bounce/99", "y", 1);
	assert_int_equal(cured(), 1);
	assert_true(fixture_holds("damaged/99/bounce", "x", 1));
	assert_true(fixture_holds("damaged/99.1/bounce", "y", 1));
	str_free(&dir);
}

static void
test_strays(void **state)
{
	uint64_t a = make_todo("a");
	struct qrepair r;
	char path[64];

	(void)state;
	fixture_write("core", "x", 1);
	fixture_write("lock/old", "x", 1);
	fixture_write("mess/3/README", "x", 1);
	fixture_write("todo/007", "x", 1);
	assert_int_equal(mkdir("info/1/24", 0700), 0);
	assert_int_equal(symlink("/etc/passwd", "bounce/5"), 0);
	assert_int_equal(mkdir("pid/dir", 0700), 0);
	/* two files for one purpose: neither is touched */
	(void)snprintf(path, sizeof path, "todo/3/%" PRIu64, a);
	assert_int_equal(mkdir("todo/3", 0700), 0);
	fixture_write(path, "x", 1);
	r = run(true);
	assert_int_equal(r.found, 9);   /* and the directory todo/3 */
	assert_int_equal(r.left, 9);
	assert_true(found("core", "it is no part of a queue (left)"));
	assert_true(found("lock/old", "it is no part of a queue (left)"));
	assert_true(found("mess/3/README", "is not named by a number (left)"));
	assert_true(found("todo/007", "is not named by a number (left)"));
	assert_true(found("info/1/24", "is not a regular file (left)"));
	assert_true(found("bounce/5", "is not a regular file (left)"));
	assert_true(fixture_there(path));
	assert_whole(a, "a", true);
}

/* A set of files finds its new place taken (two names of one inode). */
static void
test_taken(void **state)
{
	uint64_t a = make_info("a");

	(void)state;
	assert_int_equal(link(qpath_split("mess", a).s,
	    qpath_split("mess", 24).s), 0);
	fixture_info(24, "twin@x", NULL, 0, NULL, 0);
	assert_int_equal(run(true).aside, 1);
	assert_whole(a, "a", false);
	assert_int_equal(run(false).found, 0);
}

/* The same found late: the message stays together. */
static void
test_taken_late(void **state)
{
	uint64_t a = make_info("a"), b = make_info("b");
	char sub[48], name[32];

	(void)state;
	(void)snprintf(name, sizeof name, "damaged/%" PRIu64 "/mess", a);
	rename_message(a, 1);
	/* number a is claimed twice, by files that no repair touches */
	fixture_write(qpath_flat("bounce", a).s, "x", 1);
	assert_int_equal(mkdir("bounce/3", 0700), 0);
	(void)snprintf(sub, sizeof sub, "bounce/3/%" PRIu64, a);
	fixture_write(sub, "y", 1);
	assert_int_equal(run(true).aside, 1);
	assert_false(fixture_split_there("mess", a));
	assert_true(fixture_holds(name, "a\n", 2));
	assert_true(fixture_holds(qpath_flat("bounce", a).s, "x", 1));
	assert_whole(b, "b", false);
}

/* ---- killed at every step ---- */

/* A message that a service would see is whole, under whatever number. */
static void
assert_no_halves(uint64_t id, long k)
{
	struct str mess = {0};
	bool todo = fixture_flat_there("todo", id);
	char name[2] = {0};
	struct stat st;

	if (!todo && !fixture_split_there("info", id)) {
		/* what is alone must look young to the sweep */
		if (stat(qpath_split("mess", id).s, &st) == 0 &&
		    st.st_atim.tv_sec < now - 3600)
			fail_msg("step %ld: %" PRIu64 " looks old", k, id);
		return;
	}
	if (!fixture_split_there("mess", id))
		fail_msg("step %ld: %" PRIu64 " has no mess file", k, id);
	if (fs_read(qpath_split("mess", id).s, &mess, 100) < 0 ||
	    mess.len != 2)
		fail_msg("step %ld: mess %" PRIu64, k, id);
	name[0] = mess.s[0];
	assert_whole(id, name, todo);
	str_free(&mess);
}

/* Is this file, beginning so, in damaged/N, or damaged/N.1 if the first was
 * interrupted? */
static bool
aside(const char *number, const char *file, const char *begin)
{
	struct str s = {0};
	char path[80];
	bool yes = false;

	for (int i = 0; i < 2 && !yes; i++) {
		(void)snprintf(path, sizeof path, "damaged/%s%s/%s", number,
		    i ? ".1" : "", file);
		str_clear(&s);
		yes = fs_read(path, &s, 1000) == 0 &&
		    strncmp(str_c(&s), begin, strlen(begin)) == 0;
	}
	str_free(&s);
	return yes;
}

static void
test_killed(void **state)
{
	bool ended = false;
	char name[24];
	long k;

	(void)state;
	for (k = 1; !ended && k < 1000; k++) {
		uint64_t a, b, c, d, e;
		uint64_t all[4];
		int status;
		pid_t pid;

		a = make_todo("a");
		b = make_info("b");
		c = make_info("c");
		d = make_info("d");
		fixture_age(qpath_split("mess", a).s, 0, 0);
		fixture_age(qpath_split("mess", b).s, 0, 0);
		rename_message(a, 1);
		rename_message(b, a);
		rename_message(c, b);
		rename_message(1, c);
		all[0] = a;
		all[1] = b;
		all[2] = c;
		all[3] = d;
		e = make_info("e");
		fixture_write(qpath_split("info", e).s, BYTES("Fe"));
		fixture_age(qpath_split("mess", e).s, 0, 0);
		fixture_write("todo/91", BYTES("u1\0p1\0Fx\0Tx\0"));
		fixture_write("info/22/91", BYTES("Fx\0"));
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			steps = k;
			(void)run(true);
			_exit(0);
		}
		assert_true(waitpid(pid, &status, 0) == pid);
		assert_true(WIFEXITED(status));
		ended = WEXITSTATUS(status) == 0;
		if (!ended)
			assert_int_equal(WEXITSTATUS(status), 9);
		for (int i = 0; i < 4; i++)
			assert_no_halves(all[i], k);
		(void)run(true);
		if (run(false).found != 0)
			fail_msg("step %ld: %s", k, str_c(&findings));
		assert_whole(a, "a", true);
		assert_whole(b, "b", false);
		assert_whole(c, "c", false);
		assert_whole(d, "d", false);
		assert_true(aside("91", "todo", "u1"));
		assert_true(aside("91", "info", "Fx"));
		(void)snprintf(name, sizeof name, "%" PRIu64, e);
		assert_true(aside(name, "mess", "e\n"));
		assert_true(aside(name, "info", "Fe"));
		assert_true(aside(name, "local", "Tl@y"));
		assert_int_equal(fixture_teardown(NULL), 0);
		assert_int_equal(fixture_setup(NULL), 0);
	}
	assert_true(ended);
	assert_true(k > 40);            /* it did have steps to die at */
}

/* What an interrupted run left is never mistaken: a stranger in repair/. */
static void
test_foreign_repair(void **state)
{
	struct qrepair r = {.fix = true, .uid_queue = getuid(),
	    .uid_send = getuid(), .uid_remote = getuid(), .gid = getgid(),
	    .now = now, .report = note};
	struct str why = {0};

	(void)state;
	assert_int_equal(mkdir("repair", 0700), 0);
	str_clear(&findings);
	r.fix = false;
	assert_int_equal(qrepair_run(&r, &why), 0);
	assert_true(found("repair", "a repair was interrupted"));
	assert_int_equal(mkdir("repair/x", 0700), 0);
	r.fix = true;
	assert_int_equal(qrepair_run(&r, &why), -1);
	assert_string_equal(str_c(&why),
	    "repair holds what no repair put there: x");
	assert_true(fixture_there("repair"));
	assert_int_equal(rmdir("repair/x"), 0);
	assert_int_equal(qrepair_run(&r, &why), 0);
	assert_false(fixture_there("repair"));
	str_free(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup,                \
    fixture_teardown)
		T(test_clean),
		T(test_layout),
		T(test_modes),
		T(test_owners),
		T(test_restored),
		T(test_resplit),
		T(test_leftovers),
		T(test_damaged),
		T(test_strays),
		T(test_taken),
		T(test_taken_late),
		T(test_killed),
		T(test_foreign_repair),
	};
	int r;

	now = clock_wall();
	r = cmocka_run_group_tests(tests, NULL, NULL);

	str_free(&findings);
	return r;
}
