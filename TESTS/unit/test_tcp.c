/* test_tcp.c - the race for a connection against listeners on 127.0.0.0/8:
 * answering, refusing, and silent (a listener whose backlog is full drops what
 * comes); listening and accepting; names of ports. */
#include "lib/tcp.h"

#include "lib/io.h"
#include "TESTS/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#define LONG_MS 20000           /* a wait that no test waits for */

static size_t
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

static struct ip
ip(const char *s)
{
	struct ip out;

	assert_int_equal(ip_parse(s, strlen(s), &out), 0);
	return out;
}

static int
listen_at(const char *s, uint16_t port, int backlog)
{
	struct ip a = ip(s);
	int fd = tcp_listen(&a, port, backlog, false);

	assert_true(fd >= 3);
	return fd;
}

static uint16_t
port_of(int fd)
{
	uint16_t port;

	assert_int_equal(tcp_local(fd, NULL, &port), 0);
	return port;
}

/* A listener that answers nobody any more; *held keeps its backlog full. */
static int
silent_at(const char *s, uint16_t port, int held[4])
{
	struct ip a = ip(s);
	int l = listen_at(s, port, 0);
	struct sockaddr_storage ss;
	socklen_t len = ip_to_sockaddr(&a, port_of(l), &ss);

	for (int i = 0; i < 4; i++) {
		held[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		assert_true(held[i] >= 0);
		(void)connect(held[i], (const struct sockaddr *)&ss, len);
	}
	return l;
}

static void
silent_end(int l, int held[4])
{
	for (int i = 0; i < 4; i++)
		(void)close(held[i]);
	(void)close(l);
}

static void
test_first(void **state)
{
	int l = listen_at("127.0.0.1", 0, 5), fd, s, outcome[2];
	struct tcp_options o = {.port = port_of(l), .each_ms = LONG_MS,
	    .total_ms = LONG_MS, .head_ms = LONG_MS};
	struct ip addr[] = {ip("127.0.0.1"), ip("127.0.0.2")}, peer;
	size_t won = 9;
	uint16_t port;

	(void)state;
	fd = tcp_connect(addr, 2, &o, outcome, &won);
	assert_true(fd >= 3);
	assert_int_equal(won, 0);
	assert_int_equal(outcome[0], TCP_WON);
	assert_int_equal(outcome[1], TCP_UNTRIED);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(tcp_blocking(fd), 0);
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(tcp_peer(fd, &peer, &port), 0);
	assert_true(ip_equal(&peer, &addr[0]));
	assert_int_equal(port, o.port);

	assert_true(fcntl(l, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(l, F_GETFD), FD_CLOEXEC);
	s = tcp_accept(l, &peer, &port);
	assert_true(s >= 3);
	assert_false(fcntl(s, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(s, F_GETFD), FD_CLOEXEC);
	assert_int_equal(port, port_of(fd));
	assert_true(ip_equal(&peer, &addr[0]));
	assert_int_equal(write(fd, "x", 1), 1);
	{
		char c;

		assert_int_equal(read(s, &c, 1), 1);
	}
	assert_int_equal(tcp_accept(l, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	(void)close(s);
	(void)close(fd);
	(void)close(l);
}

/* Refused is known at once, so the next one does not wait for its turn. */
static void
test_refused(void **state)
{
	int l = listen_at("127.0.0.3", 0, 5), fd, outcome[3];
	struct tcp_options o = {.port = port_of(l), .each_ms = LONG_MS,
	    .head_ms = TCP_ONE_BY_ONE};
	struct ip addr[] = {ip("127.0.0.1"), ip("127.0.0.2"), ip("127.0.0.3")};
	struct ip none = {0};
	size_t won;

	(void)state;
	fd = tcp_connect(addr, 3, &o, outcome, &won);
	assert_true(fd >= 0);
	assert_int_equal(won, 2);
	assert_int_equal(outcome[0], ECONNREFUSED);
	assert_int_equal(outcome[1], ECONNREFUSED);
	assert_int_equal(outcome[2], TCP_WON);
	(void)close(fd);
	assert_int_equal(tcp_connect(addr, 2, &o, outcome, &won), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(tcp_connect(addr, 0, &o, NULL, NULL), -1);
	assert_int_equal(errno, EDESTADDRREQ);
	addr[0] = none;
	fd = tcp_connect(addr, 3, &o, outcome, NULL);
	assert_int_equal(outcome[0], EAFNOSUPPORT);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)close(l);
}

static void
test_silent(void **state)
{
	int held[4], l = silent_at("127.0.0.1", 0, held), fd, outcome[3];
	int l2 = listen_at("127.0.0.2", port_of(l), 5);
	struct tcp_options o = {.port = port_of(l), .each_ms = LONG_MS,
	    .head_ms = 1};
	struct ip addr[] = {ip("127.0.0.1"), ip("127.0.0.2"), ip("127.0.0.3")};
	size_t won, before = count_fds();

	(void)state;
	/* the second wins beside the first */
	fd = tcp_connect(addr, 2, &o, outcome, &won);
	assert_true(fd >= 0);
	assert_int_equal(won, 1);
	assert_int_equal(outcome[0], TCP_LOST);
	(void)close(fd);
	/* in its time only: the first is over then */
	o.head_ms = TCP_ONE_BY_ONE;
	o.each_ms = 50;
	fd = tcp_connect(addr, 2, &o, outcome, &won);
	assert_true(fd >= 0);
	assert_int_equal(won, 1);
	assert_int_equal(outcome[0], ETIMEDOUT);
	(void)close(fd);
	/* nobody: refused says more than silent, whichever came first */
	addr[1] = ip("127.0.0.3");
	assert_int_equal(tcp_connect(addr, 2, &o, outcome, &won), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(outcome[0], ETIMEDOUT);
	assert_int_equal(outcome[1], ECONNREFUSED);
	assert_int_equal(tcp_connect(addr, 1, &o, NULL, NULL), -1);
	assert_int_equal(errno, ETIMEDOUT);
	/* the total ends it, and says nothing against the address */
	o.each_ms = LONG_MS;
	o.total_ms = 50;
	assert_int_equal(tcp_connect(addr, 2, &o, outcome, &won), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_int_equal(outcome[0], TCP_LOST);
	assert_int_equal(outcome[1], TCP_UNTRIED);
	assert_int_equal(count_fds(), before);
	(void)close(l2);
	silent_end(l, held);
}

static void
test_many(void **state)
{
	struct ip addr[TCP_RACE_MAX + 2];
	int l = listen_at("127.0.0.1", 0, 5), outcome[TCP_RACE_MAX + 2], fd;
	struct tcp_options o = {.port = port_of(l), .each_ms = LONG_MS};
	size_t won;

	(void)state;
	for (size_t i = 0; i < N_OF(addr); i++)
		addr[i] = ip("127.0.0.9");
	addr[TCP_RACE_MAX - 1] = addr[TCP_RACE_MAX] = ip("127.0.0.1");
	fd = tcp_connect(addr, N_OF(addr), &o, outcome, &won);
	assert_true(fd >= 0);
	assert_int_equal(won, TCP_RACE_MAX - 1);
	assert_int_equal(outcome[TCP_RACE_MAX], TCP_UNTRIED);
	assert_int_equal(outcome[TCP_RACE_MAX + 1], TCP_UNTRIED);
	(void)close(fd);
	addr[TCP_RACE_MAX - 1] = ip("127.0.0.9");
	assert_int_equal(tcp_connect(addr, N_OF(addr), &o, outcome, &won), -1);
	(void)close(l);
}

static void
test_source(void **state)
{
	int l = listen_at("127.0.0.1", 0, 5), fd, outcome;
	struct ip addr = ip("127.0.0.1"), from = ip("127.0.0.77"), seen;
	struct ip bad = ip("192.0.2.1"), six = ip("::1");
	struct tcp_options o = {.port = port_of(l), .each_ms = LONG_MS,
	    .source4 = &from, .source6 = &six};
	uint16_t port, free_port;

	(void)state;
	fd = tcp_connect(&addr, 1, &o, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(tcp_local(fd, &seen, &port), 0);
	assert_true(ip_equal(&seen, &from));
	assert_true(port > 0);
	(void)close(fd);

	fd = listen_at("127.0.0.77", 0, 1);
	free_port = port_of(fd);
	(void)close(fd);
	o.source_port = free_port;
	fd = tcp_connect(&addr, 1, &o, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(tcp_local(fd, &seen, &port), 0);
	assert_true(ip_equal(&seen, &from));
	assert_int_equal(port, free_port);
	(void)close(fd);
	o.source_port = 0;
	o.source4 = &bad;
	assert_int_equal(tcp_connect(&addr, 1, &o, &outcome, NULL), -1);
	assert_int_equal(errno, EADDRNOTAVAIL);
	assert_int_equal(outcome, EADDRNOTAVAIL);
	o.source4 = &six;
	assert_int_equal(tcp_connect(&addr, 1, &o, &outcome, NULL), -1);
	assert_int_equal(outcome, EAFNOSUPPORT);
	(void)close(l);
}

static void
test_interleave(void **state)
{
	/* a digit is IPv4, a letter IPv6 */
	static const struct { const char *in, *want; } cases[] = {
		{"", ""}, {"1", "1"}, {"a", "a"}, {"1a", "1a"}, {"a1", "a1"},
		{"12", "12"}, {"12a", "1a2"}, {"ab1", "a1b"},
		{"abc123", "a1b2c3"}, {"123abc", "1a2b3c"},
		{"abcd1", "a1bcd"}, {"a1b2", "a1b2"}, {"1abc2", "1a2bc"},
		{"ab12cd", "a1b2cd"},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		size_t n = strlen(cases[i].in);
		struct ip addr[8] = {{0}};

		for (size_t k = 0; k < n; k++) {
			addr[k].family = cases[i].in[k] < 'a' ? 4 : 6;
			addr[k].b[0] = (uint8_t)cases[i].in[k];
		}
		tcp_interleave(addr, n);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(addr[k].b[0], cases[i].want[k]);
	}
}

static bool
reaches(const char *s, uint16_t port)
{
	struct ip a = ip(s);
	struct tcp_options o = {.port = port, .each_ms = LONG_MS};
	int fd = tcp_connect(&a, 1, &o, NULL, NULL);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static void
test_listen(void **state)
{
	struct ip none = {0}, any6 = ip("::"), any4 = ip("0.0.0.0");
	bool six = access("/proc/net/if_inet6", R_OK) == 0;
	int l, l2, outside;

	(void)state;
	l = tcp_listen(&any4, 0, 5, false);
	assert_true(l >= 0);
	assert_true(reaches("127.0.0.1", port_of(l)));
	assert_false(reaches("::1", port_of(l)));
	/* taken */
	outside = tcp_listen(&any4, port_of(l), 5, false);
	assert_int_equal(outside, -1);
	assert_int_equal(errno, EADDRINUSE);
	(void)close(l);

	l = tcp_listen(&none, 0, 5, false);
	assert_true(l >= 0);
	assert_true(reaches("127.0.0.1", port_of(l)));
	if (six)
		assert_true(reaches("::1", port_of(l)));
	(void)close(l);
	if (!six)
		return;
	l = tcp_listen(&any6, 0, 5, true);
	assert_true(l >= 0);
	assert_false(reaches("127.0.0.1", port_of(l)));
	assert_true(reaches("::1", port_of(l)));
	l2 = tcp_listen(&any4, port_of(l), 5, false);
	assert_true(l2 >= 0);           /* beside it */
	(void)close(l2);
	(void)close(l);
	/* an IPv4 peer of such a socket is IPv4 here */
	l = tcp_listen(&any6, 0, 5, false);
	assert_true(l >= 0);
	assert_true(reaches("127.0.0.1", port_of(l)));
	l2 = tcp_accept(l, &none, NULL);
	assert_true(l2 >= 0);
	assert_int_equal(none.family, 4);
	(void)close(l2);
	(void)close(l);
}

/* A port whose last connections linger can be listened on again. */
static void
test_reuse(void **state)
{
	int l = listen_at("127.0.0.1", 0, 5), fd, s;
	struct ip addr = ip("127.0.0.1");
	uint16_t port = port_of(l);
	struct tcp_options o = {.port = port, .each_ms = LONG_MS};

	(void)state;
	fd = tcp_connect(&addr, 1, &o, NULL, NULL);
	assert_true(fd >= 0);
	s = tcp_accept(l, NULL, NULL);
	assert_true(s >= 0);
	(void)close(s);                 /* first: it keeps TIME-WAIT */
	(void)close(fd);
	(void)close(l);
	l = listen_at("127.0.0.1", port, 5);
	(void)close(l);
}

static void
low_fds(void *arg)
{
	int l, fd;
	struct ip addr = ip("127.0.0.1");
	struct tcp_options o = {.each_ms = LONG_MS};

	(void)arg;
	(void)close(0);
	(void)close(1);
	(void)close(2);
	l = tcp_listen(&addr, 0, 5, false);
	if (l < 3 || tcp_local(l, NULL, &o.port) < 0)
		_exit(1);
	fd = tcp_connect(&addr, 1, &o, NULL, NULL);
	if (fd < 3 || tcp_accept(l, NULL, NULL) < 3)
		_exit(2);
}

static void
test_low_fds(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(unit_child(low_fds, NULL, text, sizeof text), 0);
}

static void
test_port(void **state)
{
	static const struct { const char *s; int port; } cases[] = {
		{"25", 25}, {"0", 0}, {"65535", 65535}, {"65536", -1},
		{"99999999999999999999", -1}, {"25x", -1}, {"", -1},
		{"-1", -1}, {" 25", -1}, {"nosuchservice", -1},
		{"tcp", -1}, {"smtp", 25}, {"mail", 25}, {"submission", 587},
		{"smt", -1}, {"smtpx", -1}, {"tftp", -1},
	};
	bool table = access("/etc/services", R_OK) == 0;

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		uint16_t port = 1;

		if (!table && cases[i].s[0] >= 'a' && cases[i].port > 0)
			continue;
		if (cases[i].port < 0) {
			assert_int_equal(tcp_parse_port(cases[i].s, &port),
			    -1);
			assert_int_equal(errno, EINVAL);
			assert_int_equal(port, 1);
		} else {
			assert_int_equal(tcp_parse_port(cases[i].s, &port), 0);
			assert_int_equal(port, cases[i].port);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_interleave),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_low_fds),
		cmocka_unit_test(test_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
