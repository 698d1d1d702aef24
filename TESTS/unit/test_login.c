/* test_login.c - the talker's half of a login: lines, what of them is left
 * unread, answers, and the packet. */
#include "mail/login.h"

#include "TESTS/unit/unit.h"

#include "lib/io.h"
#include "lib/tai.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define BYTES(s) (s), sizeof(s) - 1
#define FOREVER_MS 60000        /* what ends a broken run */

static struct login_config cfg = {.idle_ms = FOREVER_MS};

/* ---- the packet ---- */

static void
test_parse(void **state)
{
	static const struct {
		const char *s;
		size_t n;
		int want;
		const char *user, *secret, *tag;
	} cases[] = {
		{BYTES("jo\0x\0\0"), 0, "jo", "x", ""},
		{BYTES("jo@example.com\0p w\0A1\0"), 0, "jo@example.com",
		    "p w", "A1"},
		{BYTES("j\xc3\xb6\0\xff\r\n\x01\0\0"), 0, "j\xc3\xb6",
		    "\xff\r\n\x01", ""},
		{BYTES("jo\0\0\0"), 0, "jo", "", ""},
		{BYTES("jo\0x\0!~\0"), 0, "jo", "x", "!~"},
		{BYTES(""), -1, NULL, NULL, NULL},
		{BYTES("jo"), -1, NULL, NULL, NULL},
		{BYTES("jo\0"), -1, NULL, NULL, NULL},
		{BYTES("jo\0x"), -1, NULL, NULL, NULL},
		{BYTES("jo\0x\0"), -1, NULL, NULL, NULL},
		{BYTES("jo\0x\0tag"), -1, NULL, NULL, NULL},
		{BYTES("jo\0x\0\0\0"), -1, NULL, NULL, NULL},
		{BYTES("jo\0x\0t\0u\0"), -1, NULL, NULL, NULL},
		{BYTES("jo\0x\0\0more"), -1, NULL, NULL, NULL},
		{BYTES("\0x\0\0"), -1, NULL, NULL, NULL},
		{BYTES("\0\0\0"), -1, NULL, NULL, NULL},
		{BYTES("j\no\0x\0\0"), -1, NULL, NULL, NULL},
		{BYTES("j\x1bo\0x\0\0"), -1, NULL, NULL, NULL},
		{BYTES("jo\x7f\0x\0\0"), -1, NULL, NULL, NULL},
		{BYTES("jo\0x\0a b\0"), -1, NULL, NULL, NULL},
		{BYTES("jo\0x\0a\r\n\0"), -1, NULL, NULL, NULL},
		{BYTES("jo\0x\0\x7f\0"), -1, NULL, NULL, NULL},
		{BYTES("jo\0x\0\xc3\0"), -1, NULL, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct login_packet p = {0};

		if (login_parse(cases[i].s, cases[i].n, &p) != cases[i].want)
			fail_msg("case %zu", i);
		if (cases[i].want == 0) {
			assert_string_equal(str_c(&p.user), cases[i].user);
			assert_string_equal(str_c(&p.secret),
			    cases[i].secret);
			assert_string_equal(str_c(&p.tag), cases[i].tag);
		}
		login_packet_wipe(&p);
		assert_null(p.secret.s);
	}
}

/* 512 bytes for user, secret, an empty stamp and their NULs; 64 of a tag. */
static void
test_parse_limits(void **state)
{
	(void)state;
	for (size_t n = 500; n < 520; n++)
		for (size_t tag = 63; tag < 67; tag++) {
			struct login_packet p = {0};
			char s[600] = "j";

			memset(s + 2, 'x', n);
			memset(s + n + 3, 't', tag);
			/* j NUL, n bytes and a NUL, and the stamp's NUL */
			assert_int_equal(login_parse(s, n + 3 + tag + 1, &p),
			    n + 4 <= 512 && tag <= 64 ? 0 : -1);
			login_packet_wipe(&p);
		}
}

/* What the talker says on its pipe; the length, -1 when it was refused. */
static ssize_t
said(const char *stamp, const char *user, size_t nuser, const char *secret,
    size_t nsecret, const char *tag, char *out, size_t size)
{
	struct str u = {0}, s = {0};
	struct login l = {.cfg = &cfg, .stamp = stamp};
	ssize_t n = -1;
	int fd[2], r;

	assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
	l.pipe = fd[1];
	str_copyb(&u, user, nuser);
	str_copyb(&s, secret, nsecret);
	r = login_say(&l, &u, &s, tag);
	n = read(fd[0], out, size);
	assert_int_equal(r < 0, n < 0);
	(void)close(fd[0]);
	(void)close(fd[1]);
	str_free(&u);
	str_free(&s);
	return n;
}

static void
test_say(void **state)
{
	char got[2000], big[600];
	char tag[70];

	(void)state;
	assert_int_equal(said("", BYTES("jo"), BYTES("a b"), "A1", got,
	    sizeof got), 10);
	assert_memory_equal(got, "jo\0a b\0A1\0", 10);
	assert_int_equal(said("<1@h>", BYTES("jo"), BYTES(""), "", got,
	    sizeof got), 5);
	assert_memory_equal(got, "jo\0\0\0", 5);
	assert_int_equal(said("", BYTES(""), BYTES("x"), "", got, 10), -1);
	assert_int_equal(said("", BYTES("j\0o"), BYTES("x"), "", got, 10),
	    -1);
	assert_int_equal(said("", BYTES("jo"), BYTES("x\0"), "", got, 10),
	    -1);
	assert_int_equal(said("", BYTES("jo"), BYTES("\0"), "", got, 10), -1);
	assert_int_equal(said("", BYTES("j\to"), BYTES("x"), "", got, 10),
	    -1);
	assert_int_equal(said("", BYTES("jo"), BYTES("x"), "a b", got, 10),
	    -1);
	memset(tag, 't', sizeof tag);
	tag[64] = '\0';
	assert_int_equal(said("", BYTES("jo"), BYTES("x"), tag, got,
	    sizeof got), 70);
	tag[64] = 't';
	tag[65] = '\0';
	assert_int_equal(said("", BYTES("jo"), BYTES("x"), tag, got, 10), -1);
	/* jo, the secret, 5 of the stamp and three NULs: 512 */
	memset(big, 'x', sizeof big);
	assert_int_equal(said("<1@h>", BYTES("jo"), big, 502, "", got,
	    sizeof got), 507);
	assert_int_equal(said("<1@h>", BYTES("jo"), big, 503, "", got, 10),
	    -1);
	assert_int_equal(said("", big, sizeof big, BYTES("x"), "", got, 10),
	    -1);
}

static void
test_say_tag(void **state)
{
	struct login l = {.cfg = &cfg};
	char got[10];
	int fd[2];

	(void)state;
	assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
	l.pipe = fd[1];
	assert_int_equal(login_say_tag(&l, "a b"), -1);
	assert_int_equal(read(fd[0], got, sizeof got), -1);
	assert_int_equal(login_say_tag(&l, "A.7"), 0);
	assert_int_equal(read(fd[0], got, sizeof got), 4);
	assert_memory_equal(got, "A.7\0", 4);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

/* ---- lines ---- */

static void
open_line(struct login *l, bool socket, int *far)
{
	int fd[2];

	if (socket)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	else
		assert_int_equal(pipe(fd), 0);
	*l = (struct login){.cfg = &cfg, .stamp = "", .rfd = fd[0],
	    .wfd = fd[0], .pipe = -1};
	*far = fd[1];
}

static void
close_line(struct login *l, int far)
{
	(void)close(l->rfd);
	if (far >= 0)
		(void)close(far);
	str_free(&l->line);
	str_free(&l->out);
}

static void
want_line(struct login *l, const char *s, size_t n)
{
	assert_int_equal(login_line(l), LOGIN_LINE_OK);
	assert_int_equal(l->line.len, n);
	assert_memory_equal(str_c(&l->line), s, n + 1);
}

/* Sends the rest once the reader has taken what is there. */
static pid_t
send_later(const struct login *l, int far, const char *s, size_t n)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int there = 1;

		while (ioctl(l->rfd, FIONREAD, &there) == 0 && there > 0)
			(void)poll(NULL, 0, 1);
		_exit(write(far, s, n) == (ssize_t)n ? 0 : 1);
	}
	return pid;
}

static const char wire[] = "USER jo\r\n\nPASS a\rb\0c\r\r\n\r\nX\nSTAT\r\n";

/* Whatever pieces it comes in: the lines are the same, and of what follows
 * them nothing is touched. */
static void
test_lines(void **state)
{
	(void)state;
	for (size_t k = 0; k <= sizeof wire - 7; k++)
		for (int socket = 0; socket < 2; socket++) {
			struct login l;
			char rest[20];
			int far, status;
			pid_t pid;

			open_line(&l, socket, &far);
			assert_int_equal(write(far, wire, k), k);
			pid = send_later(&l, far, wire + k,
			    sizeof wire - 1 - k);
			want_line(&l, BYTES("USER jo"));
			want_line(&l, BYTES(""));
			want_line(&l, BYTES("PASS a\rb\0c\r"));
			want_line(&l, BYTES(""));
			want_line(&l, BYTES("X"));
			assert_int_equal(waitpid(pid, &status, 0), pid);
			assert_int_equal(status, 0);
			assert_int_equal(read(l.rfd, rest, sizeof rest), 6);
			assert_memory_equal(rest, "STAT\r\n", 6);
			close_line(&l, far);
		}
}

static void
test_long(void **state)
{
	static char s[3 * LOGIN_LINE];
	struct login l;
	char c;
	int far;

	(void)state;
	memset(s, 'x', sizeof s);
	s[LOGIN_LINE - 2] = '\r';
	s[LOGIN_LINE - 1] = '\n';
	open_line(&l, true, &far);
	assert_int_equal(write(far, s, sizeof s), sizeof s);
	assert_int_equal(login_line(&l), LOGIN_LINE_OK);
	assert_int_equal(l.line.len, LOGIN_LINE - 2);
	assert_int_equal(login_line(&l), LOGIN_LINE_LONG);
	for (size_t i = 0; i < LOGIN_LINE; i++)
		assert_int_equal(recv(l.rfd, &c, 1, MSG_DONTWAIT), 1);
	assert_int_equal(recv(l.rfd, &c, 1, MSG_DONTWAIT), -1);
	close_line(&l, far);
}

static void
test_end(void **state)
{
	struct login l;
	int far;

	(void)state;
	for (int socket = 0; socket < 2; socket++) {
		open_line(&l, socket, &far);
		assert_int_equal(write(far, "A\nunfinished", 12), 12);
		(void)close(far);
		want_line(&l, BYTES("A"));
		assert_int_equal(login_line(&l), LOGIN_LINE_GONE);
		close_line(&l, -1);
	}
}

/* A line may take idle_ms in all, however its bytes trickle. */
static void
test_time(void **state)
{
	int64_t start = clock_mono_ms();
	struct login l;
	int far, status;
	pid_t pid;

	(void)state;
	cfg.idle_ms = 50;
	open_line(&l, true, &far);
	assert_int_equal(login_line(&l), LOGIN_LINE_GONE);
	assert_true(clock_mono_ms() - start >= 50);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(l.rfd);
		while (send(far, "x", 1, MSG_NOSIGNAL) == 1)
			(void)poll(NULL, 0, 10);
		_exit(0);
	}
	assert_int_equal(login_line(&l), LOGIN_LINE_GONE);
	assert_true(clock_mono_ms() - start < FOREVER_MS);
	close_line(&l, far);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	cfg.idle_ms = FOREVER_MS;
}

/* ---- answers ---- */

/* What was put leaves before a wait and not before, in one piece. */
static void
test_together(void **state)
{
	struct login l;
	char got[100];
	int far, status;
	pid_t pid;

	(void)state;
	open_line(&l, true, &far);
	assert_int_equal(write(far, "A\r\nB\r\n", 6), 6);
	login_put(&l, "+OK hello\r\n");
	want_line(&l, BYTES("A"));
	login_put(&l, "+OK a\r\n");
	want_line(&l, BYTES("B"));
	login_put(&l, "+OK b\r\n");
	assert_int_equal(recv(far, got, sizeof got, MSG_DONTWAIT), -1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		ssize_t n = recv(far, got, sizeof got, 0);

		_exit(n == 25 && memcmp(got, "+OK hello\r\n+OK a\r\n+OK b\r\n",
		    25) == 0 && write(far, "C\r\n", 3) == 3 ? 0 : 1);
	}
	want_line(&l, BYTES("C"));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(l.out.len, 0);
	login_put(&l, "+OK bye\r\n");
	login_flush(&l);
	assert_int_equal(recv(far, got, sizeof got, MSG_DONTWAIT), 9);
	close_line(&l, far);
}

/* A client that asks and asks is not answered from an ever larger store. */
static void
test_much(void **state)
{
	struct login l;
	char got[100];
	int far;

	(void)state;
	open_line(&l, true, &far);
	assert_int_equal(write(far, "A\nB\n", 4), 4);
	for (int i = 0; i < 1000; i++)
		login_put(&l, "+OK text\r\n");
	want_line(&l, BYTES("A"));
	assert_int_equal(recv(far, got, sizeof got, MSG_DONTWAIT), 100);
	assert_int_equal(l.out.len, 0);
	close_line(&l, far);
}

/* A client that takes nothing: too late, and no line is read any more. */
static void
test_takes_nothing(void **state)
{
	struct login l;
	char line[1001];
	int far;

	(void)state;
	memset(line, 'x', 1000);
	line[1000] = '\0';
	cfg.idle_ms = 50;
	open_line(&l, true, &far);
	assert_int_equal(write(far, "A\r\n", 3), 3);
	for (int i = 0; i < 4000; i++)
		login_put(&l, line);
	login_flush(&l);
	assert_true(l.gone);
	assert_int_equal(l.out.len, 0);
	assert_int_equal(login_line(&l), LOGIN_LINE_GONE);
	close_line(&l, far);
	cfg.idle_ms = FOREVER_MS;
	open_line(&l, true, &far);
	(void)close(far);
	login_put(&l, "+OK\r\n");
	login_flush(&l);
	assert_true(l.gone);
	close_line(&l, -1);
}

static void
test_more(void **state)
{
	struct login l;
	int far;

	(void)state;
	open_line(&l, true, &far);
	assert_false(login_more(&l));
	assert_int_equal(write(far, "STLS\r\n\r", 7), 7);
	want_line(&l, BYTES("STLS"));
	assert_true(login_more(&l));
	assert_true(login_more(&l));
	close_line(&l, far);
	open_line(&l, true, &far);
	(void)close(far);
	assert_false(login_more(&l));
	close_line(&l, -1);
}

/* ---- the program that has the connection ---- */

static void
test_taken(void **state)
{
	static const char *const nonsense[] = {"", "x", "3x", "-1", "1", "2",
	    "99999999999999999999", "1024"};
	char number[20], c;
	int fd[2], w;

	(void)state;
	assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
	w = fcntl(fd[1], F_DUPFD, 20);
	(void)close(fd[1]);
	(void)snprintf(number, sizeof number, "%d", w);
	assert_int_equal(setenv(LOGIN_FD_ENV, number, 1), 0);
	assert_int_equal(read(fd[0], &c, 1), -1);
	login_taken();
	assert_int_equal(read(fd[0], &c, 1), 1);
	assert_int_equal(read(fd[0], &c, 1), 0);        /* closed */
	assert_null(getenv(LOGIN_FD_ENV));
	login_taken();
	for (size_t i = 0; i < N_OF(nonsense); i++) {
		assert_int_equal(setenv(LOGIN_FD_ENV, nonsense[i], 1), 0);
		login_taken();
		assert_null(getenv(LOGIN_FD_ENV));
		assert_true(fcntl(1, F_GETFD) >= 0);
		assert_true(fcntl(2, F_GETFD) >= 0);
	}
	(void)close(fd[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_limits),
		cmocka_unit_test(test_say),
		cmocka_unit_test(test_say_tag),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_much),
		cmocka_unit_test(test_takes_nothing),
		cmocka_unit_test(test_more),
		cmocka_unit_test(test_taken),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
