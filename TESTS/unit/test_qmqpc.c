/* test_qmqpc.c - the QMQP client: server lines, envelopes with every read
 * split, and servers that answer, refuse, hang up and say nonsense. */
#include "remote/qmqpc.h"

#include "TESTS/unit/unit.h"

#include "lib/sock.h"
#include "lib/tcp.h"
#include "mail/limits.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static const struct {
	const char *line;
	int want;
	const char *host;
	const char *ip;         /* NULL: a name */
	unsigned port;
} lines[] = {
	{"192.0.2.1", 0, "192.0.2.1", "192.0.2.1", 628},
	{"192.0.2.1:1628", 0, "192.0.2.1", "192.0.2.1", 1628},
	{"2001:db8::1", 0, "2001:db8::1", "2001:db8::1", 628},
	{"[2001:db8::1]", 0, "2001:db8::1", "2001:db8::1", 628},
	{"[2001:db8::1]:25", 0, "2001:db8::1", "2001:db8::1", 25},
	{"mx.example", 0, "mx.example", NULL, 628},
	{"mx.example:65535", 0, "mx.example", NULL, 65535},
	{"", -1, NULL, NULL, 0},
	{":628", -1, NULL, NULL, 0},
	{"192.0.2.1:", -1, NULL, NULL, 0},
	{"192.0.2.1:0", -1, NULL, NULL, 0},
	{"192.0.2.1:65536", -1, NULL, NULL, 0},
	{"192.0.2.1:1x", -1, NULL, NULL, 0},
	{"[192.0.2.1", -1, NULL, NULL, 0},
	{"[2001:db8::1]x", -1, NULL, NULL, 0},
	{"[mx.example]", -1, NULL, NULL, 0},
	{"two words", -1, NULL, NULL, 0},
	{"a/b", -1, NULL, NULL, 0},
};

static void
test_lines(void **state)
{
	struct qmqpc_server s;
	char text[IP_TEXT];

	(void)state;
	for (size_t i = 0; i < N_OF(lines); i++) {
		assert_int_equal(qmqpc_parse_server(lines[i].line, &s),
		    lines[i].want);
		if (lines[i].want < 0)
			continue;
		assert_int_equal(s.nhost, strlen(lines[i].host));
		assert_memory_equal(s.host, lines[i].host, s.nhost);
		assert_int_equal(s.port, lines[i].port);
		assert_int_equal(s.ip.family == 0, lines[i].ip == NULL);
		if (lines[i].ip != NULL)
			assert_string_equal(ip_text(&s.ip, text),
			    lines[i].ip);
	}
}

#define WIRE(s) (s), sizeof(s) - 1

static const struct {
	const char *wire;
	size_t n;
	enum qx want;
	const char *out;
} envelopes[] = {
	{WIRE("Fa@x\0Tb@y\0\0"), QX_OK, "3:a@x,3:b@y,"},
	{WIRE("F\0Tb@y\0Tc\0\0more"), QX_OK, "0:,3:b@y,1:c,"},
	{WIRE("Fa@x\0\0"), QX_OK, "3:a@x,"},
	{WIRE("\0"), QX_PROTO, NULL},
	{WIRE("Tb@y\0Fa@x\0\0"), QX_PROTO, NULL},
	{WIRE("Fa@x\0Fb@y\0\0"), QX_PROTO, NULL},
	{WIRE("a@x\0\0"), QX_PROTO, NULL},
	{WIRE(""), QX_READ, NULL},
	{WIRE("Fa@x\0Tb@y\0"), QX_READ, NULL},
	{WIRE("Fa@x\0Tb@y"), QX_READ, NULL},
};

static enum qx
read_envelope(const char *s, size_t n, size_t piece, struct str *out)
{
	static struct io io;
	int a, b;
	enum qx x;

	assert_int_equal(sock_pair(SOCK_STREAM, &a, &b), 0);
	for (size_t at = 0; at < n; at += piece)
		assert_true(send(b, s + at, n - at < piece ? n - at : piece,
		    MSG_DONTWAIT) > 0);
	assert_int_equal(close(b), 0);
	io_init(&io, a, -1, 1000);
	x = qmqpc_envelope(&io, out);
	assert_int_equal(close(a), 0);
	return x;
}

static void
test_envelope(void **state)
{
	struct str s = {0}, out = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(envelopes); i++)
		for (size_t piece = 1; piece <= envelopes[i].n + 1; piece++) {
			str_clear(&out);
			assert_int_equal(read_envelope(envelopes[i].wire,
			    envelopes[i].n, piece, &out), envelopes[i].want);
			if (envelopes[i].out != NULL)
				assert_string_equal(str_c(&out),
				    envelopes[i].out);
		}
	for (size_t len = ADDR_MAX; len <= ADDR_MAX + 1; len++) {
		str_copys(&s, "F");
		for (size_t i = 0; i < len; i++)
			str_catc(&s, 'x');
		str_catb(&s, "\0", 2);
		assert_int_equal(read_envelope(s.s, s.len, 100, &out),
		    len > ADDR_MAX ? QX_ADDR_LONG : QX_OK);
	}
	str_free(&s);
	str_free(&out);
}

/* A server: takes `take' bytes (or all), says its words, leaves. */
static pid_t
serve(int fd, size_t take, const char *answer, int stay)
{
	pid_t pid = fork();
	size_t have = 0;
	char buf[4096];
	ssize_t n;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	while (have < take && (n = read(fd, buf, take - have < sizeof buf ?
	    take - have : sizeof buf)) > 0)
		have += (size_t)n;
	(void)!write(fd, answer, strlen(answer));
	if (stay > 0)
		(void)poll(NULL, 0, stay);
	_exit(have == take ? 0 : 1);
}

/* "5:hello," and "3:a@x,3:b@y," within: 8 + 12 bytes; "20:" "," around */
#define WHOLE 24

static const struct {
	size_t take;
	const char *answer;
	int stay;               /* ms after the answer */
	enum qx want;
	bool sent;
} servers[] = {
	{WHOLE, "7:Kok 1 2,", 0, QX_OK, true},
	{WHOLE, "5:Zbusy,", 0, QX_TEMP, true},
	{WHOLE, "3:Dno,", 0, QX_REFUSED, true},
	{WHOLE, "", 0, QX_CONVERSATION, true},
	{WHOLE, "0:,", 0, QX_CONVERSATION, true},
	{WHOLE, "4:what,", 0, QX_CONVERSATION, true},
	{WHOLE, "07:Kok 1 2,", 0, QX_CONVERSATION, true},
	{WHOLE, "7:Kok 1", 0, QX_CONVERSATION, true},
	{WHOLE, "7:Kok 1 2;", 0, QX_CONVERSATION, true},
	{WHOLE, "99999:Kok", 0, QX_CONVERSATION, true},
	{WHOLE, "", 5000, QX_CONVERSATION, true},       /* says nothing */
};

static void
test_exchange(void **state)
{
	struct str message = {0}, envelope = {0}, words = {0};
	bool sent;

	(void)state;
	str_copys(&message, "hello");
	str_copys(&envelope, "3:a@x,3:b@y,");
	for (size_t i = 0; i < N_OF(servers); i++) {
		int a, b, status;
		pid_t pid;

		assert_int_equal(sock_pair(SOCK_STREAM, &a, &b), 0);
		pid = serve(b, servers[i].take, servers[i].answer,
		    servers[i].stay);
		assert_int_equal(close(b), 0);
		assert_int_equal(qmqpc_exchange(a, &message, &envelope, 500,
		    &sent, &words), servers[i].want);
		assert_int_equal(sent, servers[i].sent);
		assert_int_equal(close(a), 0);
		if (servers[i].stay > 0)
			assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (servers[i].stay == 0)       /* it got neither less nor */
			assert_int_equal(status, 0);            /* more */
	}
	assert_string_equal(str_c(&words), "");
	str_free(&message);
	str_free(&envelope);
	str_free(&words);
}

/* A large message to a server that does not take it all: it has nothing, and
 * what it said first counts. */
static void
test_early_answer(void **state)
{
	struct str message = {0}, envelope = {0}, words = {0};
	bool sent;
	int a, b;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 1 << 20; i++)
		str_catc(&message, 'x');
	str_copys(&envelope, "3:a@x,3:b@y,");
	for (int i = 0; i < 3; i++) {
		static const char *const said[] = {"6:Dlarge,", "7:Kok 1 2,",
		    ""};
		static const enum qx want[] = {QX_REFUSED, QX_CONVERSATION,
		    QX_CONVERSATION};

		assert_int_equal(sock_pair(SOCK_STREAM, &a, &b), 0);
		assert_int_equal(write(b, said[i], strlen(said[i])),
		    strlen(said[i]));
		assert_int_equal(shutdown(b, SHUT_RD), 0);
		assert_int_equal(qmqpc_exchange(a, &message, &envelope, 300,
		    &sent, &words), want[i]);
		assert_false(sent);
		assert_int_equal(close(a) | close(b), 0);
	}
	str_free(&message);
	str_free(&envelope);
	str_free(&words);
}

/* Listens on a free port of ::1; a child serves one connection. */
static pid_t
listen_one(const char *answer, struct str *line)
{
	const struct ip lo = {.family = 6, .b = {[15] = 1}};
	struct pollfd p = {.events = POLLIN};
	uint16_t port;
	pid_t pid;
	int fd;

	p.fd = tcp_listen(&lo, 0, 5, true);
	assert_true(p.fd >= 0);
	assert_int_equal(tcp_local(p.fd, NULL, &port), 0);
	str_catf(line, "[::1]:%u", port);
	str_catc(line, '\0');
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (poll(&p, 1, 5000) != 1 ||
		    (fd = tcp_accept(p.fd, NULL, NULL)) < 0)
			_exit(2);
		(void)close(p.fd);
		_exit(serve(fd, WHOLE, answer, 0) > 0 ? 0 : 1);
	}
	assert_int_equal(close(p.fd), 0);
	return pid;
}

/* A dead one, one that is busy, one that takes it; a fourth is not asked. */
static void
test_order(void **state)
{
	struct str message = {0}, envelope = {0}, list = {0}, dead = {0};
	pid_t pid[3];
	int status;

	(void)state;
	str_copys(&message, "hello");
	str_copys(&envelope, "3:a@x,3:b@y,");
	pid[0] = listen_one("", &dead);
	assert_int_equal(kill(pid[0], SIGKILL), 0);
	assert_int_equal(waitpid(pid[0], &status, 0), pid[0]);
	str_cats(&list, "no server");
	str_catc(&list, '\0');
	str_cat(&list, &dead);
	pid[0] = listen_one("5:Zbusy,", &list);
	pid[1] = listen_one("7:Kok 1 2,", &list);
	pid[2] = listen_one("3:Dno,", &list);
	assert_int_equal(qmqpc_send(&list, &message, &envelope), QX_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(waitpid(pid[2], &status, WNOHANG), 0);
	assert_int_equal(kill(pid[2], SIGKILL), 0);
	assert_int_equal(waitpid(pid[2], &status, 0), pid[2]);
	/* Nobody is there. */
	assert_int_equal(qmqpc_send(&dead, &message, &envelope),
	    QX_CONNREFUSED);
	/* An answer that never came ends it. */
	str_clear(&list);
	pid[0] = listen_one("", &list);
	pid[1] = listen_one("7:Kok 1 2,", &list);
	assert_int_equal(qmqpc_send(&list, &message, &envelope),
	    QX_CONVERSATION);
	assert_int_equal(waitpid(pid[0], &status, 0), pid[0]);
	assert_int_equal(waitpid(pid[1], &status, WNOHANG), 0);
	assert_int_equal(kill(pid[1], SIGKILL), 0);
	assert_int_equal(waitpid(pid[1], &status, 0), pid[1]);
	str_free(&message);
	str_free(&envelope);
	str_free(&list);
	str_free(&dead);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
