/* test_oom.c - every allocation of a piece of code fails in its turn, and all
 * after it too or only that one.  The code may then leave with 111, or tell a
 * temporary failure, or manage without; it must never crash, and never take
 * lack of memory for an answer such as "no such user".
 *
 * This program's own malloc stands before the C library's, which is how the
 * failures reach name services and tinycdb as well; the address sanitizer
 * wants that place for itself, so there this test is empty. */
#include "lib/cdb.h"
#include "lib/fs.h"
#include "lib/heap.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/map.h"
#include "lib/proc.h"
#include "lib/sock.h"
#include "lib/user.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#if defined(__SANITIZE_ADDRESS__)
#define FAILING 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FAILING 0
#endif
#endif
#ifndef FAILING
#define FAILING 1
#endif

static long countdown = -1;     /* fails when it reaches 0; -1: never */
static bool for_good;           /* and every one after it */
static long calls;

#if FAILING
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

static bool
fails(void)
{
	calls++;
	if (countdown < 0)
		return false;
	if (countdown > 0) {
		countdown--;
		return false;
	}
	if (!for_good)
		countdown = -1;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return fails() ? NULL : __libc_realloc(p, n);
}

void *
reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, bytes);
}
#endif

/* Exit codes of a task: 0 right answer, TEMP a failure told, WRONG worse. */
enum { TEMP = 50, WRONG = 60 };

static char tmp[] = "/tmp/unit-oom.XXXXXX";

static int
task_user(void)
{
	struct user u = {0};
	enum user_status st = user_find("root", &u);

	if (st == USER_NONE)
		return WRONG;
	if (st == USER_TEMP)
		return errno != 0 ? TEMP : WRONG + 1;
	return str_eqs(&u.name, "root") && u.uid == 0 ? 0 : WRONG + 2;
}

static int
task_user_uid(void)
{
	struct user u = {0};
	enum user_status st = user_find_uid(0, &u);

	if (st != USER_OK)
		return st == USER_TEMP ? TEMP : WRONG;
	return str_eqs(&u.home, "/root") ? 0 : WRONG + 1;
}

static int
task_group(void)
{
	gid_t gid = 1;
	enum user_status st = user_find_group("root", &gid);

	if (st != USER_OK)
		return st == USER_TEMP ? TEMP : WRONG;
	return gid == 0 ? 0 : WRONG + 1;
}

static int
task_cdb_read(void)
{
	struct cdb_file *f;
	struct str s = {0};
	enum cdb_status st = cdbfile_open("db", &f);

	if (st != CDB_OK)
		return st == CDB_TEMP ? TEMP : WRONG;
	st = cdbfile_get(f, "key", 3, &s);
	if (st != CDB_OK)
		return st == CDB_TEMP ? TEMP : WRONG + 1;
	return str_eqs(&s, "value") ? 0 : WRONG + 2;
}

/* The one in place must stay whole whatever happens to the next. */
static int
task_cdb_write(void)
{
	struct cdb_writer *w;

	if (cdbwriter_open("new.tmp", &w) < 0)
		return TEMP;
	for (int i = 0; i < 3000; i++)
		if (cdbwriter_add(w, &i, sizeof i, "v", 1) < 0) {
			cdbwriter_abort(w);
			return TEMP;
		}
	return cdbwriter_commit(w, "new", 0600) < 0 ? TEMP : 0;
}

static int
task_map_heap(void)
{
	static char values[100];
	struct map m = {0};
	struct heap h = {0};
	struct heap_item it;

	for (uint64_t i = 0; i < 100; i++) {
		map_set_id(&m, i, &values[i]);
		heap_put(&h, (int64_t)(100 - i), i);
	}
	for (uint64_t i = 0; i < 100; i++)
		if (map_get_id(&m, i) != &values[i])
			return WRONG;
	if (!heap_min(&h, &it) || it.id != 99)
		return WRONG + 1;
	map_free(&m);
	heap_free(&h);
	return 0;
}

static int
task_files(void)
{
	struct str s = {0};

	if (fs_replace("file", "file.tmp", "text", 4, 0600) < 0 ||
	    fs_read("file", &s, 100) < 0)
		return TEMP;
	str_catf(&s, "%s-%d", "x", 5);
	return str_eqs(&s, "textx-5") ? 0 : WRONG;
}

static int
task_io(void)
{
	static struct io io;
	struct str s = {0};
	int a, b;

	if (sock_pair(SOCK_STREAM, &a, &b) < 0)
		return TEMP;
	io_init(&io, a, b, 1000);
	if (io_puts(&io, "one line\n") != IO_OK ||
	    io_getdelim(&io, &s, '\n', 100) != IO_OK)
		return TEMP;
	return str_eqs(&s, "one line") ? 0 : WRONG;
}

static int
task_spawn(void)
{
	const char *argv[] = {"true", NULL};
	struct proc_spawn sp = {.argv = argv};
	int status;
	pid_t pid;

	if (proc_spawn(&sp, &pid) < 0)
		return TEMP;
	return proc_wait(pid, &status) < 0 || status != 0 ? WRONG : 0;
}

static int
task_sock(void)
{
	int l = sock_listen("socket", SOCK_STREAM, 5, 0600), c;

	if (l < 0)
		return TEMP;
	c = sock_connect("socket", SOCK_STREAM, 0);
	return c < 0 ? TEMP : 0;
}

struct sweep {
	int (*task)(void);
	long at;
	bool for_good;
};

static void
run_task(void *arg)
{
	const struct sweep *s = arg;
	int r;

	log_init("oom");
	calls = 0;
	for_good = s->for_good;
	countdown = s->at;
	r = s->task();
	countdown = -1;
	/* Nothing failed any more: the sweep is over. */
	if (r == 0 && calls <= s->at)
		_exit(99);
	_exit(r);
}

/* With crashes, a signal is taken for a failure told: glibc 2.36 itself dies
 * of some failures while it starts its name services, and whoever waits for
 * such a process defers. */
static void
sweep(int (*task)(void), bool crashes)
{
	if (!FAILING)
		skip();
	for (int good = 0; good < 2; good++) {
		long at;

		for (at = 0; at < 2000; at++) {
			struct sweep s = {task, at, good};
			char text[2000];
			int status = unit_child(run_task, &s, text,
			    sizeof text);

			if (!WIFEXITED(status) && crashes)
				continue;
			if (!WIFEXITED(status))
				fail_msg("signal %d with allocation %ld gone: "
				    "%s", WTERMSIG(status), at, text);
			if (WEXITSTATUS(status) == 99)
				break;
			if (WEXITSTATUS(status) == 111)
				assert_non_null(strstr(text,
				    "oom: fatal: out of memory: "));
			else if (WEXITSTATUS(status) != 0 &&
			    WEXITSTATUS(status) != TEMP)
				fail_msg("exit %d with allocation %ld gone: "
				    "%s", WEXITSTATUS(status), at, text);
		}
		assert_in_range(at, 0, 1999);
	}
}

#define TEST(name, crashes)                                                   \
	static void                                                           \
	test_##name(void **state)                                             \
	{                                                                     \
		(void)state;                                                  \
		sweep(task_##name, crashes);                                  \
	}

TEST(user, true)
TEST(user_uid, true)
TEST(group, true)
TEST(cdb_read, false)
TEST(cdb_write, false)
TEST(map_heap, false)
TEST(files, false)
TEST(io, false)
TEST(spawn, false)
TEST(sock, false)

/* The real thing: an address space that ends. */
static void
no_address_space(void *arg)
{
	struct rlimit rl = {64 << 20, 64 << 20};
	struct str s = {0};

	(void)arg;
	log_init("oom");
	(void)setrlimit(RLIMIT_AS, &rl);
	for (;;)
		str_catb(&s, tmp, sizeof tmp);
}

static void
test_address_space(void **state)
{
	(void)state;
	if (!FAILING)
		skip();
	unit_dies(no_address_space, NULL, 111, "oom: fatal: out of memory: ");
}

static int
setup(void **state)
{
	struct cdb_writer *w;

	(void)state;
	return mkdtemp(tmp) == NULL || chdir(tmp) < 0 ||
	    cdbwriter_open("db.tmp", &w) < 0 ||
	    cdbwriter_add(w, "key", 3, "value", 5) < 0 ||
	    cdbwriter_commit(w, "db", 0600) < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = {"db", "new", "new.tmp", "file",
	    "file.tmp", "socket"};

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++)
		(void)unlink(names[i]);
	return chdir("/") < 0 ? -1 : rmdir(tmp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_user_uid),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_cdb_read),
		cmocka_unit_test(test_cdb_write),
		cmocka_unit_test(test_map_heap),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_io),
		cmocka_unit_test(test_spawn),
		cmocka_unit_test(test_sock),
		cmocka_unit_test(test_address_space),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
