/* test_keep.c - both ends of a kept program: what a session gets, what a bad
 * packet does, and that a connection is served once or not at all.
 *
 * The template is this program, started again by keep_start; KEEP_TEST says
 * how it behaves. */
#include "lib/keep.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sock.h"

#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define WATCHED "keep_test.file"
#define MODE "KEEP_TEST"

static const char *const self[] = {"/proc/self/exe", NULL};
static const char *const env[] = {"A=1", "PATH=/nowhere", NULL};

/* The program. */

static enum keep_verdict
judge(void *arg, const struct keep_request *q)
{
	const char *v = keep_getenv(q, "JUDGE");

	(void)arg;
	if (v == NULL)
		return KEEP_OK;
	if (strcmp(v, "stop") == 0)
		(void)raise(SIGSTOP);
	if (strcmp(v, "die") == 0)
		(void)raise(SIGKILL);
	return strcmp(v, "stale") == 0 ? KEEP_STALE : KEEP_NOT;
}

/* Tells what it finds; then lives until the peer is gone, or says how to
 * end. */
static int
session(void)
{
	struct str s = {0};
	char c = 0;

	str_catf(&s, "pid=%d parent=%d three=%d tcpkeep=%d", (int)getpid(),
	    (int)getppid(), fcntl(3, F_GETFD), keep_asked());
	for (char **e = environ; *e != NULL; e++)
		str_catf(&s, " %s", *e);
	str_catc(&s, '\n');
	if (fd_write_all(1, s.s, s.len) < 0)
		return 1;
	str_free(&s);
	return read(0, &c, 1) == 1 ? c : 0;
}

/* A child that is slower than the server is patient: is its word still
 * heard? */
static int
late(int conn)
{
	const pid_t parent = getppid();
	const char k[] = "K\0\0\0\1";

	while (getppid() == parent)
		(void)poll(NULL, 0, 10);
	(void)!write(conn, send(3, k, 5, MSG_NOSIGNAL) < 0 &&
	    errno == EPIPE ? "late" : "heard", 4);
	return 0;
}

static int
impostor(const char *mode)
{
	char buf[KEEP_PACKET_MAX];
	int conn;

	if (strcmp(mode, "silent") == 0)
		return (int)read(3, buf, 1);
	if (strcmp(mode, "unready") == 0)
		return send(3, "N\0\0\0", 5, 0) == 5 ? (int)read(3, buf, 1) : 1;
	if (send(3, "H\0\0\0", 5, 0) != 5)
		return 1;
	if (strcmp(mode, "crossed") == 0 && (send(3, "x", 1, 0) != 1 ||
	    send(3, "K\0\0\1\2", 5, 0) != 5 || raise(SIGSTOP) != 0))
		return 1;
	if (sock_recv_fd(3, buf, sizeof buf, &conn) <= 0)
		return 1;
	if (strcmp(mode, "late") == 0 && proc_fork() == 0)
		return late(conn);
	if (strcmp(mode, "garbage") == 0)
		(void)send(3, "K1", 2, 0);
	if (strcmp(mode, "six") == 0)
		(void)send(3, "K\0\0\0\1\1", 6, 0);
	return (int)read(3, buf, 1);
}

static int
program(void)
{
	static struct keep_program kept = {.judge = judge};
	const char *mode = getenv(MODE);

	log_init("kept");
	if (mode != NULL && strcmp(mode, "exits") == 0)
		return 0;
	if (mode != NULL)
		return impostor(mode);
	keep_watch_self(&kept);
	keep_watch(&kept, WATCHED);
	keep_serve(&kept);
	return session();
}

/* The server. */

static struct keep
begin(const char *mode)
{
	struct keep k;

	if (mode != NULL)
		assert_int_equal(setenv(MODE, mode, 1), 0);
	assert_int_equal(keep_start(&k, self), 0);
	(void)unsetenv(MODE);
	assert_false(keep_asked());
	return k;
}

static struct keep
begin_ready(const char *mode)
{
	struct keep k = begin(mode);
	struct pollfd p = {.fd = k.fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_int_equal(keep_look(&k), KEEP_OK);
	assert_int_equal(keep_look(&k), KEEP_OK);
	return k;
}

static int
wait_for(pid_t pid)
{
	int status;

	assert_int_equal(proc_wait(pid, &status), 0);
	return status;
}

/* Ends the template, which must leave with this status. */
static void
finish(struct keep *k, int status)
{
	keep_stop(k);
	assert_int_equal(k->fd, -1);
	keep_stop(k);
	assert_int_equal(wait_for(k->pid), status);
}

static enum keep_verdict
give(struct keep *k, const char *log, const char *const *vars, int *client,
    pid_t *pid)
{
	struct str l = {0};
	enum keep_verdict v;
	int conn;

	assert_int_equal(sock_pair(SOCK_STREAM, client, &conn), 0);
	str_cats(&l, log);
	v = keep_give(k, conn, &l, vars, pid);
	str_free(&l);
	fd_close(conn);
	return v;
}

/* Not served: nobody else has the connection. */
static void
refused(struct keep *k, const char *const *vars, enum keep_verdict want)
{
	int client;
	pid_t pid;
	char c;

	assert_int_equal(give(k, "", vars, &client, &pid), want);
	assert_int_equal(read(client, &c, 1), 0);
	fd_close(client);
}

/* Served: what the session says. */
static int
served(struct keep *k, const char *const *vars, char *text, size_t size,
    pid_t *pid)
{
	size_t len = 0;
	int client;
	ssize_t n;

	assert_int_equal(give(k, "", vars, &client, pid), KEEP_OK);
	while (len + 1 < size && (len == 0 || text[len - 1] != '\n') &&
	    (n = read(client, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return client;
}

static void
expect_session(const char *text, pid_t pid, const char *vars)
{
	char want[400];

	(void)snprintf(want, sizeof want,
	    "pid=%d parent=%d three=-1 tcpkeep=0%s\n", (int)pid,
	    (int)getpid(), vars);
	assert_string_equal(text, want);
}

static void
test_sessions(void **state)
{
	static const char *const other[] = {"B=x=y", NULL};
	static const char *const none[] = {NULL};
	struct keep k = begin_ready(NULL);
	char text[400];
	pid_t one, two, three;
	int a, b, c;

	(void)state;
	a = served(&k, env, text, sizeof text, &one);
	expect_session(text, one, " A=1 PATH=/nowhere");
	b = served(&k, other, text, sizeof text, &two);
	expect_session(text, two, " B=x=y");
	c = served(&k, none, text, sizeof text, &three);
	expect_session(text, three, "");
	assert_int_equal(write(b, "\7", 1), 1);
	assert_int_equal(wait_for(two), 7 << 8);
	/* The others outlive their template. */
	finish(&k, 0);
	assert_int_equal(waitpid(one, NULL, WNOHANG), 0);
	assert_int_equal(write(a, "\3", 1), 1);
	assert_int_equal(wait_for(one), 3 << 8);
	fd_close(c);
	assert_int_equal(wait_for(three), 0);
	fd_close(a);
	fd_close(b);
}

static void
test_log(void **state)
{
	char want[200], text[200] = "";
	int fd[2], err = dup(2), client;
	struct keep k;
	size_t len = 0;
	pid_t pid;
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(dup2(fd[1], 2), 2);
	k = begin_ready(NULL);
	assert_int_equal(dup2(err, 2), 2);
	(void)close(fd[1]);
	assert_int_equal(give(&k, "pid \001.\nagain \001\n", env, &client,
	    &pid), KEEP_OK);
	fd_close(client);
	(void)wait_for(pid);
	finish(&k, 0);
	while ((n = read(fd[0], text + len, sizeof text - 1 - len)) > 0)
		len += (size_t)n;
	(void)snprintf(want, sizeof want, "pid %d.\nagain %d\n", (int)pid,
	    (int)pid);
	assert_string_equal(text, want);
	(void)close(fd[0]);
	(void)close(err);
}

static void
test_judged(void **state)
{
	static const char *const not[] = {"JUDGE=not", NULL};
	static const char *const stale[] = {"JUDGE=stale", NULL};
	static char huge[KEEP_PACKET_MAX];
	const char *const large[] = {huge, NULL};
	struct keep k = begin_ready(NULL);
	char text[400];
	pid_t pid;

	(void)state;
	refused(&k, not, KEEP_NOT);
	refused(&k, stale, KEEP_STALE);
	memset(huge, 'x', sizeof huge - 1);
	huge[1] = '=';
	refused(&k, large, KEEP_NOT);
	/* With the log's NUL this is the largest that fits. */
	huge[sizeof huge - 2] = '\0';
	assert_int_equal(write(served(&k, large, text, sizeof text, &pid),
	    "\5", 1), 1);
	assert_int_equal(wait_for(pid), 5 << 8);
	finish(&k, 0);
}

static void
put_file(const char *text)
{
	FILE *f = fopen(WATCHED ".new", "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(WATCHED ".new", WATCHED), 0);
}

static void
test_watched(void **state)
{
	struct keep k;
	char text[400];
	pid_t pid;
	FILE *f;

	(void)state;
	(void)unlink(WATCHED);
	k = begin_ready(NULL);
	fd_close(served(&k, env, text, sizeof text, &pid));
	(void)wait_for(pid);
	put_file("made");
	refused(&k, env, KEEP_STALE);
	finish(&k, 0);

	k = begin_ready(NULL);
	fd_close(served(&k, env, text, sizeof text, &pid));
	(void)wait_for(pid);
	put_file("same");               /* another file of the same size */
	refused(&k, env, KEEP_STALE);
	finish(&k, 0);

	k = begin_ready(NULL);
	f = fopen(WATCHED, "a");        /* the same file, grown */
	assert_non_null(f);
	assert_true(fputs("!", f) >= 0);
	assert_int_equal(fclose(f), 0);
	refused(&k, env, KEEP_STALE);
	finish(&k, 0);

	k = begin_ready(NULL);
	assert_int_equal(unlink(WATCHED), 0);
	refused(&k, env, KEEP_STALE);
	finish(&k, 0);
}

static void
test_gone(void **state)
{
	static const char *const die_now[] = {"JUDGE=die", NULL};
	static const char *const stop[] = {"JUDGE=stop", NULL};
	static const char *const odd[] = {"garbage", "six"};
	struct keep k = begin_ready(NULL);

	(void)state;
	assert_int_equal(kill(k.pid, SIGKILL), 0);
	assert_int_equal(wait_for(k.pid), SIGKILL);
	k.pid = 0;
	refused(&k, env, KEEP_GONE);
	assert_int_equal(k.fd, -1);
	assert_int_equal(keep_look(&k), KEEP_GONE);

	k = begin_ready(NULL);
	refused(&k, die_now, KEEP_GONE);
	assert_int_equal(wait_for(k.pid), SIGKILL);

	/* One that stands still is not waited for, and killed. */
	k = begin_ready(NULL);
	refused(&k, stop, KEEP_GONE);
	assert_int_equal(wait_for(k.pid), SIGKILL);

	for (size_t i = 0; i < N_OF(odd); i++) {
		k = begin_ready(odd[i]);
		refused(&k, env, KEEP_GONE);
		assert_int_equal(wait_for(k.pid), SIGKILL);
	}
}

/* A server that ends before it has read that the template is ready. */
static void
test_unread(void **state)
{
	struct keep k = begin(NULL);
	struct pollfd p = {.fd = k.fd, .events = POLLIN};

	(void)state;
	assert_int_equal(poll(&p, 1, 60000), 1);
	finish(&k, 0);
}

static void
test_once(void **state)
{
	struct keep k = begin_ready("late");
	char text[8] = "";
	int client;
	pid_t pid;

	(void)state;
	/* The child comes when we have given up: it must not get through. */
	assert_int_equal(give(&k, "", env, &client, &pid), KEEP_GONE);
	(void)wait_for(k.pid);
	assert_int_equal(read(client, text, sizeof text), 4);
	assert_string_equal(text, "late");
	fd_close(client);

	/* It came just before: then it has the connection. */
	k = begin_ready("crossed");
	assert_int_equal(waitpid(k.pid, NULL, WUNTRACED), k.pid);
	assert_int_equal(give(&k, "", env, &client, &pid), KEEP_OK);
	assert_int_equal(pid, 0x102);
	(void)wait_for(k.pid);
	fd_close(client);
}

static void
test_not_ready(void **state)
{
	static const char *const missing[] = {"/nonexistent/program", NULL};
	struct keep k;
	struct pollfd p = {.events = POLLIN};

	(void)state;
	assert_int_equal(keep_start(&k, missing), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(k.fd, -1);
	assert_false(keep_asked());

	k = begin("silent");
	assert_int_equal(keep_look(&k), KEEP_NOT);
	finish(&k, 0);

	k = begin("exits");
	(void)wait_for(k.pid);
	assert_int_equal(keep_look(&k), KEEP_GONE);
	assert_int_equal(k.fd, -1);

	k = begin("unready");
	p.fd = k.fd;
	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_int_equal(keep_look(&k), KEEP_GONE);
	assert_int_equal(wait_for(k.pid), 0);
}

#define P(s) {s, sizeof(s) - 1}
static const struct {
	const char *bytes;
	size_t n;
} malformed[] = {
	P("x"), P("log"), P("log\0A=1"), P("\0A"), P("\0A\0"), P("\0=1\0"),
	P("\0A=1\0\0"), P("\0\0A=1\0"), P("\0A=1\0B\0"), P("\0A=1\0=\0"),
	P("\0A=1\0B=2"),
};

static void
test_parse(void **state)
{
	static const char good[] = "log\0A=1\0AB=\0C==x";
	struct keep_request q;

	(void)state;
	assert_false(keep_parse("", 0, &q));
	for (size_t i = 0; i < N_OF(malformed); i++)
		assert_false(keep_parse(malformed[i].bytes, malformed[i].n,
		    &q));
	assert_true(keep_parse("", 1, &q));
	assert_int_equal(q.n, 0);
	assert_null(keep_getenv(&q, "A"));
	assert_true(keep_parse(good, sizeof good, &q));
	assert_string_equal(q.log, "log");
	assert_string_equal(keep_getenv(&q, "A"), "1");
	assert_string_equal(keep_getenv(&q, "AB"), "");
	assert_string_equal(keep_getenv(&q, "C"), "=x");
	assert_null(keep_getenv(&q, "B"));
	assert_null(keep_getenv(&q, "ABC"));
	assert_null(keep_getenv(&q, "log"));
}

/* A template trusts its server, and yet does nothing with what it cannot
 * read. */
static void
test_nonsense(void **state)
{
	static char over[KEEP_PACKET_MAX + 1];
	int err = dup(2), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(dup2(null, 2), 2);
	for (size_t i = 0; i <= N_OF(malformed) + 1; i++) {
		struct keep k = begin_ready(NULL);
		const char *p = i < N_OF(malformed) ? malformed[i].bytes :
		    i == N_OF(malformed) ? "\0A=1" : over;
		size_t n = i < N_OF(malformed) ? malformed[i].n :
		    i == N_OF(malformed) ? 5 : sizeof over;
		int pass = i == N_OF(malformed) ? -1 : null;

		over[1] = 'A';
		over[2] = '=';
		memset(over + 3, 'x', sizeof over - 4);
		assert_int_equal(sock_send_fd(k.fd, p, n, pass), n);
		assert_int_equal(wait_for(k.pid), 111 << 8);
		keep_stop(&k);
	}
	assert_int_equal(dup2(err, 2), 2);
	(void)close(err);
	(void)close(null);
}

static void
serve_anything(void *arg)
{
	int fd = *(int *)arg;
	static struct keep_program p;

	if (fd >= 0)
		fd = fcntl(fd, F_DUPFD, 100);
	(void)close(3);
	if (fd >= 0 && dup2(fd, 3) < 0)
		_exit(1);
	keep_serve(&p);
}

static void
test_no_socket(void **state)
{
	int file = open("/dev/null", O_RDWR | O_CLOEXEC), none = -1;
	int stream, other;

	(void)state;
	assert_int_equal(sock_pair(SOCK_STREAM, &stream, &other), 0);
	unit_dies(serve_anything, &none, 111, "TCPKEEP is set, but not by");
	unit_dies(serve_anything, &file, 111, "TCPKEEP is set, but not by");
	unit_dies(serve_anything, &stream, 111, "TCPKEEP is set, but not by");
	(void)close(file);
	fd_close(stream);
	fd_close(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_judged),
		cmocka_unit_test(test_watched),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_not_ready),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_no_socket),
	};

	if (keep_asked())
		return program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
