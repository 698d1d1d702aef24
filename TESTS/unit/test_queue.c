/* test_queue.c - envelopes from submitters, the files of one submission, and
 * the requests of qmail-clean, in a queue of its own. */
#include "lib/fs.h"
#include "lib/io.h"
#include "mail/limits.h"
#include "mail/qpath.h"
#include "mail/qrecord.h"
#include "queue/clean.h"
#include "queue/envelope.h"
#include "queue/qmsg.h"

#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define WIRE(s) s, sizeof(s) - 1

static const struct {
	const char *wire;
	size_t len;
	enum qx want;
	size_t n;
} envelopes[] = {
	{WIRE("Fa@x\0Tb@y\0\0"), QX_OK, 10},
	{WIRE("F\0Tb@y\0Tc@y\0\0"), QX_OK, 12},
	{WIRE("Fa@x\0\0"), QX_OK, 5},                   /* no recipient */
	{WIRE("Fa@x\0Tb@y\0\0Tlater\0"), QX_OK, 10},    /* ignored */
	{WIRE("Tb@y\0Fa@x\0\0"), QX_PROTO, 0},
	{WIRE("Fa@x\0Fb@y\0\0"), QX_PROTO, 0},
	{WIRE("\0"), QX_PROTO, 0},
	{WIRE("Fa@x\0Xb@y\0\0"), QX_PROTO, 0},
	/* wishes: after F and T, once, and only what is allowed */
	{WIRE("Fa@x\0MRET=HDRS\0Tb@y\0NNOTIFY=NEVER\0Tc@y\0\0"),
	    QX_OK, 39},
	{WIRE("Fa@x\0MENVID=q\0\0"), QX_OK, 14},
	{WIRE("MRET=HDRS\0Fa@x\0Tb@y\0\0"), QX_PROTO, 0},
	{WIRE("Fa@x\0Tb@y\0MRET=HDRS\0\0"), QX_PROTO, 0},
	{WIRE("Fa@x\0NNOTIFY=NEVER\0Tb@y\0\0"), QX_PROTO, 0},
	{WIRE("Fa@x\0MRET=HDRS\0MENVID=q\0Tb@y\0\0"), QX_PROTO, 0},
	{WIRE("Fa@x\0Tb@y\0NNOTIFY=NEVER\0NORCPT=rfc822;a@b\0\0"),
	    QX_PROTO, 0},
	{WIRE("Fa@x\0M\0Tb@y\0\0"), QX_PROTO, 0},
	{WIRE("Fa@x\0Tb@y\0N\0\0"), QX_PROTO, 0},
	{WIRE("Fa@x\0Tb@y\0NNOTIFY=never\0\0"), QX_PROTO, 0},
	{WIRE("Fa@x\0Tb@y\0NRET=HDRS\0\0"), QX_PROTO, 0},
	{WIRE("Fa@x\0MENVID=a+0Ab\0Tb@y\0\0"), QX_PROTO, 0},
	{WIRE("Fa@x\0Tb@y\0NNOTIFY=NEVER"), QX_READ, 0},
	{WIRE(""), QX_READ, 0},
	{WIRE("Fa@x\0Tb@y\0"), QX_READ, 0},             /* writer gave up */
	{WIRE("Fa@x\0Tb@y"), QX_READ, 0},
};

/* As many as allowed, and one more. */
static void
test_recipients(void)
{
	const size_t len = 2 + 2 * (ENVELOPE_RCPTS + 1) + 1;
	char *e = calloc(1, len);
	size_t n;

	assert_non_null(e);
	e[0] = 'F';
	for (size_t i = 0; i < ENVELOPE_RCPTS; i++)
		e[2 + 2 * i] = 'T';
	assert_int_equal(envelope_check(e, len, &n), QX_OK);
	assert_int_equal(n, 2 + 2 * ENVELOPE_RCPTS);
	e[2 + 2 * ENVELOPE_RCPTS] = 'T';
	assert_int_equal(envelope_check(e, len, &n), QX_REFUSED);
	free(e);
}

static void
test_envelopes(void **state)
{
	char big[ADDR_MAX + 8];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof envelopes / sizeof envelopes[0]; i++) {
		assert_int_equal(envelope_check(envelopes[i].wire,
		    envelopes[i].len, &n), envelopes[i].want);
		if (envelopes[i].want == QX_OK)
			assert_int_equal(n, envelopes[i].n);
	}
	/* With its NUL an address may have 1003 bytes, and no more. */
	memset(big, 'a', sizeof big);
	big[0] = 'F';
	big[1 + ADDR_MAX] = big[2 + ADDR_MAX] = '\0';
	assert_int_equal(envelope_check(big, ADDR_MAX + 3, &n), QX_OK);
	big[1 + ADDR_MAX] = 'a';
	big[3 + ADDR_MAX] = '\0';
	assert_int_equal(envelope_check(big, ADDR_MAX + 4, &n),
	    QX_ADDR_LONG);
	test_recipients();
}

static char dir[] = "/tmp/test_queue.XXXXXX";

static int
setup(void **state)
{
	static const char *const names[] = {"pid", "intd", "todo", "mess"};
	char path[64];

	(void)state;
	if (mkdtemp(dir) == NULL || chdir(dir) < 0)
		return -1;
	for (size_t i = 0; i < 4; i++)
		if (mkdir(names[i], 0700) < 0)
			return -1;
	for (unsigned i = 0; i < QUEUE_SPLIT; i++) {
		(void)snprintf(path, sizeof path, "mess/%u", i);
		if (mkdir(path, 0700) < 0)
			return -1;
	}
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = {"pid", "intd", "todo", "mess"};
	char path[64];

	(void)state;
	for (unsigned i = 0; i < QUEUE_SPLIT; i++) {
		(void)snprintf(path, sizeof path, "mess/%u", i);
		if (rmdir(path) < 0)
			return -1;
	}
	for (size_t i = 0; i < 4; i++)
		if (rmdir(names[i]) < 0)
			return -1;
	return chdir("/") < 0 ? -1 : rmdir(dir);
}

static bool
there(struct qpath p)
{
	return access(p.s, F_OK) == 0;
}

static void
sweep(uint64_t id)
{
	char request[64];
	int n = snprintf(request, sizeof request, "foop/%" PRIu64, id);

	assert_int_equal(clean_request(request, (size_t)n), '+');
}

static void
test_submission(void **state)
{
	struct qrecord rec = {0};
	struct str todo = {0};
	struct qmsg m;
	struct stat st;
	uint64_t id;
	int fd;

	(void)state;
	assert_int_equal(qmsg_create(&m), QX_OK);
	id = m.id;
	assert_int_equal(stat(qpath_split("mess", id).s, &st), 0);
	assert_int_equal(st.st_ino, id);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(qmsg_body(&m, "Received: x\n", 12, "a: b\n", 5),
	    QX_OK);
	assert_int_equal(qmsg_body(&m, "\nbody\n", 6, "", 0), QX_OK);
	assert_false(there(qpath_flat("todo", id)));
	assert_int_equal(qmsg_publish(&m, 1000, 77, WIRE("Fa@x\0Tb@y\0")),
	    QX_OK);
	assert_true(there(qpath_flat("todo", id)));
	assert_false(there(qpath_flat("intd", id)));
	assert_int_equal(fs_read(qpath_flat("todo", id).s, &todo, 4096), 0);
	/* The records of old, readable by old tools. */
	assert_memory_equal(todo.s, "u1000\0p77,", 10);
	assert_memory_equal(todo.s + todo.len - 10, "Fa@x\0Tb@y", 10);
	assert_int_equal(qrecord_parse(todo.s, todo.len, &rec), QRECORD_OK);
	assert_int_equal(rec.size, 23);
	fd = open(qpath_split("mess", id).s, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(qrecord_check_mess(fd, &rec), QRECORD_OK);
	assert_int_equal(pwrite(fd, "X", 1, 3), 1);
	assert_int_equal(qrecord_check_mess(fd, &rec), QRECORD_TORN);
	assert_int_equal(close(fd), 0);
	/* Visible, so somebody may know its number: it must not be free. */
	qmsg_discard(&m);
	assert_false(there(qpath_flat("todo", id)));
	assert_true(there(qpath_flat("intd", id)));
	assert_true(there(qpath_split("mess", id)));
	sweep(id);
	qrecord_free(&rec);
	str_free(&todo);
}

static void
test_discard_before_publish(void **state)
{
	struct qmsg m;
	uint64_t id;

	(void)state;
	assert_int_equal(qmsg_create(&m), QX_OK);
	id = m.id;
	qmsg_discard(&m);
	assert_false(there(qpath_split("mess", id)));
	qmsg_discard(&m);                       /* harmless twice */
	/* setup's teardown proves that nothing else is left behind */
}

/* A leftover of an earlier owner of the number is in the way in intd. */
static void
test_leftover_intd(void **state)
{
	struct qmsg m;
	uint64_t id;
	int fd;

	(void)state;
	assert_int_equal(qmsg_create(&m), QX_OK);
	fd = open(qpath_flat("intd", m.id).s, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	id = m.id;
	assert_int_equal(qmsg_publish(&m, 0, 1, WIRE("F\0")), QX_OK);
	qmsg_discard(&m);
	sweep(id);
}

static void
touch(struct qpath p)
{
	int fd = open(p.s, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
}

/* The sweep took it for a leftover, because the clock jumped. */
static void
test_swept_while_received(void **state)
{
	struct qmsg m;

	(void)state;
	assert_int_equal(qmsg_create(&m), QX_OK);
	assert_int_equal(unlink(qpath_split("mess", m.id).s), 0);
	assert_int_equal(qmsg_publish(&m, 0, 1, WIRE("F\0")), QX_MESS);
	assert_false(there(qpath_flat("todo", m.id)));
	assert_false(there(qpath_flat("intd", m.id)));
	qmsg_discard(&m);
}

/* All 64 bits of a number are good, in every name. */
static void
test_large_number(void **state)
{
	uint64_t id = 0;

	(void)state;
	assert_true(qpath_parse("18446744073709551615", &id));
	assert_true(id == UINT64_MAX);
	assert_string_equal(qpath_flat("todo", id).s,
	    "todo/18446744073709551615");
	assert_false(qpath_parse("18446744073709551616", &id));
	assert_false(qpath_parse("018446744073709551615", &id));
	assert_int_equal(clean_request("todo/18446744073709551615", 25), '+');
}

/* A foreign file has the name that is ours by number: another number. */
static void
test_number_taken(void **state)
{
	struct qmsg m;
	glob_t left;
	uint64_t id;

	(void)state;
	assert_int_equal(qmsg_create(&m), QX_OK);
	id = m.id;
	touch(qpath_flat("intd", 1));
	qmsg_discard(&m);
	assert_int_equal(rename("intd/1", qpath_split("mess", id).s), 0);
	assert_int_equal(qmsg_create(&m), QX_OK);
	assert_true(m.id != id);
	assert_true(there(qpath_split("mess", id)));
	qmsg_discard(&m);
	assert_int_equal(unlink(qpath_split("mess", id).s), 0);
	/* The file with the number that was taken waits for the sweep. */
	if (glob("pid/*", 0, NULL, &left) == 0) {
		for (size_t i = 0; i < left.gl_pathc; i++)
			assert_int_equal(unlink(left.gl_pathv[i]), 0);
		globfree(&left);
	}
}

static void
make_all(void)
{
	touch(qpath_split("mess", 26));
	touch(qpath_flat("intd", 26));
	touch(qpath_flat("todo", 26));
}

static void
test_clean_requests(void **state)
{
	static const char *const bad[] = {"", "foop", "foop/", "foop/a",
	    "foop/026", "foop/26x", "foop/-1", "todo/../26", "mess/26",
	    "foop/99999999999999999999", "done/1/2", "done/"};

	(void)state;
	make_all();
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(clean_request(bad[i], strlen(bad[i])), 'x');
	assert_int_equal(clean_request("todo/26", 7), '+');
	assert_false(there(qpath_flat("intd", 26)));
	assert_false(there(qpath_flat("todo", 26)));
	assert_true(there(qpath_split("mess", 26)));
	make_all();
	assert_int_equal(clean_request("foop/26", 7), '+');
	assert_true(there(qpath_flat("todo", 26)));
	assert_false(there(qpath_split("mess", 26)));
	make_all();
	assert_int_equal(clean_request("done/26", 7), '+');
	assert_false(there(qpath_flat("todo", 26)));
	assert_false(there(qpath_split("mess", 26)));
	assert_int_equal(clean_request("done/26", 7), '+');     /* not there */
	assert_int_equal(mkdir(qpath_flat("todo", 26).s, 0700), 0);
	assert_int_equal(clean_request("done/26", 7), '!');
	assert_int_equal(rmdir(qpath_flat("todo", 26).s), 0);
}

/* One answer a request, whatever is wrong with it: the historical program
 * answered once for every bad byte. */
static void
test_clean_answers_once(void **state)
{
	static const char wire[] =
	    "foop/1a2b3c4d\0foop/27\0\0"
	    "foop/111111111111111111111111111111111111111111111111111111111111"
	    "11111111111111111111111111111111111111111111111111111111111111111"
	    "11111111111111111111111111111111111111111111111111111111111111111"
	    "\0done/27\0";
	char got[16];
	struct io io;
	int in[2], out[2];

	(void)state;
	for (size_t step = 1; step < sizeof wire; step += 7) {
		ssize_t n;

		assert_int_equal(pipe(in), 0);
		assert_int_equal(pipe(out), 0);
		assert_int_equal(write(in[1], wire, sizeof wire - 1),
		    sizeof wire - 1);
		assert_int_equal(close(in[1]), 0);
		io_init(&io, in[0], out[1], IO_FOREVER);
		assert_int_equal(clean_run(&io), 0);
		assert_int_equal(close(out[1]), 0);
		n = read(out[0], got, sizeof got);
		assert_int_equal(n, 5);
		assert_memory_equal(got, "x+xx+", 5);
		assert_int_equal(close(in[0]), 0);
		assert_int_equal(close(out[0]), 0);
	}
}

static void
test_clean_old(void **state)
{
	const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	(void)state;
	touch(qpath_flat("pid", 1));
	touch(qpath_flat("pid", 2));
	touch(qpath_flat("intd", 3));
	assert_int_equal(utimensat(AT_FDCWD, qpath_flat("pid", 1).s, old, 0),
	    0);
	assert_int_equal(utimensat(AT_FDCWD, qpath_flat("intd", 3).s, old, 0),
	    0);
	clean_old(1000 + QUEUE_OSSIFIED);
	assert_true(there(qpath_flat("pid", 1)));
	clean_old(1001 + QUEUE_OSSIFIED);
	assert_false(there(qpath_flat("pid", 1)));
	assert_false(there(qpath_flat("intd", 3)));
	assert_true(there(qpath_flat("pid", 2)));
	assert_int_equal(unlink(qpath_flat("pid", 2).s), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelopes),
		cmocka_unit_test(test_submission),
		cmocka_unit_test(test_discard_before_publish),
		cmocka_unit_test(test_leftover_intd),
		cmocka_unit_test(test_number_taken),
		cmocka_unit_test(test_swept_while_received),
		cmocka_unit_test(test_large_number),
		cmocka_unit_test(test_clean_requests),
		cmocka_unit_test(test_clean_answers_once),
		cmocka_unit_test(test_clean_old),
	};

	return cmocka_run_group_tests_name("queue", tests, setup, teardown);
}
