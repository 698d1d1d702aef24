/* test_dns.c - the resolver against name servers that misbehave.
 *
 * A child serves one port on 127.0.0.1, .2 and .3, by UDP and TCP.  What it
 * does stands in the first label of the name asked for, a letter for each of
 * the three (see serve_udp).  It counts in shared memory what it was asked.
 * Where the resolver must wait, the only thing tested is what it does then. */
#include "lib/dns.h"

#include "lib/dns_parse.h"
#include "lib/io.h"
#include "lib/tcp.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define SEEN_MAX 4096

struct seen {
	unsigned udp[3], tcp[3], edns, ad, ids[SEEN_MAX], ports[SEEN_MAX], n;
	bool no_aaaa;           /* silent to AAAA */
};

static struct seen *seen;
static struct dns dns;
static pid_t child;

struct served {
	int udp[3], tcp[3], other;
};

struct packet {
	unsigned char b[2 + 4096];      /* with room for a length */
	size_t n;
	bool edns;
};

static void
cat(struct packet *p, const void *bytes, size_t n)
{
	memcpy(p->b + 2 + p->n, bytes, n);
	p->n += n;
}

/* An answer to the query q: rcode, and one A record ending in last when it is
 * not 0. */
static struct packet
reply(const struct packet *q, unsigned rcode, unsigned char last)
{
	struct packet p = {0};
	size_t name = strlen((const char *)q->b + 2 + 12) + 1;
	unsigned char rec[16] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4,
	    192, 0, 2, last};

	cat(&p, q->b + 2, 12 + name + 4);
	p.b[2 + 2] = 0x81;
	p.b[2 + 3] = (unsigned char)(0x80 | rcode);
	p.b[2 + 7] = last != 0;
	p.b[2 + 9] = p.b[2 + 11] = 0;
	if (last == 0)
		return p;
	if (q->b[2 + 12 + name + 1] == 28) {
		static const unsigned char six[16] = {0x20, 0x01, 0x0d, 0xb8};

		rec[3] = 28;
		rec[11] = 16;
		cat(&p, rec, 12);
		cat(&p, six, 16);
		p.b[2 + p.n - 1] = last;
	} else {
		cat(&p, rec, 16);
	}
	return p;
}

static char
behaviour(const struct packet *q, int s)
{
	return q->b[2 + 12] > s ? (char)q->b[2 + 13 + s] : 'o';
}

static void
serve_udp(const struct served *sv, int s)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof ss;
	struct packet q = {0}, a, bad;
	ssize_t n = recvfrom(sv->udp[s], q.b + 2, 512, 0,
	    (struct sockaddr *)&ss, &len);
	struct ip ip;
	uint16_t port;

	if (n < 17 || ip_from_sockaddr(&ss, &ip, &port) < 0)
		return;
	q.n = (size_t)n;
	q.edns = q.b[2 + 11] == 1;
	seen->udp[s]++;
	seen->edns += q.edns;
	seen->ad += (q.b[2 + 3] & 0x20) != 0;
	if (seen->n < SEEN_MAX) {
		seen->ids[seen->n] = (unsigned)q.b[2] << 8 | q.b[3];
		seen->ports[seen->n++] = port;
	}
	a = reply(&q, 0, (unsigned char)(s + 1));
	if (seen->no_aaaa && a.b[2 + a.n - 2] == 0)
		return;                 /* ends 2001:db8::, not 192.0.2.x */
#define SEND(p) (void)sendto(sv->udp[s], (p).b + 2, (p).n, 0, \
	    (const struct sockaddr *)&ss, len)
	switch (behaviour(&q, s)) {
	case 'o':                       /* right */
		break;
	case 'k':                       /* right, and validated */
		a.b[2 + 3] |= 0x20;
		break;
	case 'f':                       /* SERVFAIL */
		a = reply(&q, 2, 0);
		break;
	case 'r':                       /* REFUSED */
		a = reply(&q, 5, 0);
		break;
	case 'n':
		a = reply(&q, 3, 0);
		break;
	case 'd':                       /* there is no data */
		a = reply(&q, 0, 0);
		break;
	case 's':                       /* silent */
		return;
	case 'w':                       /* silent at first */
		if (seen->udp[s] == 1)
			return;
		break;
	case 'x':                       /* malformed */
		a.n--;
		break;
	case 'e':                       /* FORMERR to EDNS */
		if (q.edns)
			a = reply(&q, 1, 0);
		break;
	case 'E':                       /* silent to EDNS */
		if (q.edns)
			return;
		break;
	case 'F':                       /* FORMERR to everything */
		a = reply(&q, 1, 0);
		break;
	case 'i':                       /* wrong ones first: id */
	case 'I':                       /* more wrong ones, then a right one */
		bad = reply(&q, 0, 99);
		bad.b[2] ^= 1;
		for (int i = 0; i < (behaviour(&q, s) == 'i' ? 9 : 20); i++)
			SEND(bad);
		if (behaviour(&q, s) == 'I')
			return;
		break;
	case 'q':                       /* another name; another case is none */
		bad = reply(&q, 0, 99);
		bad.b[2 + 13] ^= 1;
		SEND(bad);
		bad = reply(&q, 2, 0);
		bad.b[2 + 13] ^= 1;
		SEND(bad);
		a.b[2 + 13] ^= 0x20;
		break;
	case 'm':                       /* no bytes, one byte */
		bad = a;
		bad.n = 0;
		SEND(bad);
		bad.n = 1;
		SEND(bad);
		break;
	case 'a':                       /* from another port */
		bad = reply(&q, 0, 99);
		(void)sendto(sv->other, bad.b + 2, bad.n, 0,
		    (const struct sockaddr *)&ss, len);
		break;
	case 'l':                       /* longer than we said to take */
		a.n = 1233;
		break;
	case 't':                       /* truncated; by TCP right, */
	case 'b':                       /* byte by byte, */
	case 'c':                       /* closed at once, */
	case 'h':                       /* half, then closed, */
	case 'S':                       /* silent, */
	case 'T':                       /* truncated again */
	case 'y':                       /* another id */
		a = reply(&q, 0, 0);
		a.b[2 + 2] |= 2;
		break;
	default:
		_exit(9);
	}
	SEND(a);
#undef SEND
}

static void
serve_tcp(const struct served *sv, int s)
{
	int fd = tcp_accept(sv->tcp[s], NULL, NULL);
	struct packet q = {0}, a;
	size_t got = 0;
	char c;

	if (fd < 0)
		return;
	while (got < 2 || got < 2U + q.b[1]) {
		ssize_t n = read(fd, q.b + got, 512 - got);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	q.n = got > 2 ? got - 2 : 0;
	seen->tcp[s]++;
	a = reply(&q, 0, (unsigned char)(s + 101));
	a.b[0] = (unsigned char)(a.n >> 8);
	a.b[1] = (unsigned char)a.n;
	c = behaviour(&q, s);
	if (c == 'T')
		a.b[2 + 2] |= 2;
	if (c == 'y')
		a.b[2] ^= 1;
	if (c == 'S') {
		while (read(fd, &c, 1) > 0)     /* until it gives up */
			;
	} else if (c == 'b') {
		for (size_t i = 0; i < a.n + 2; i++)
			(void)!write(fd, a.b + i, 1);
	} else if (c == 'h') {
		(void)!write(fd, a.b, a.n);
	} else if (c != 'c') {
		(void)!write(fd, a.b, a.n + 2);
	}
	(void)close(fd);
}

static _Noreturn void
serve(const struct served *sv)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	for (;;) {
		struct pollfd p[6];

		for (int i = 0; i < 3; i++) {
			p[i] = (struct pollfd){.fd = sv->udp[i],
			    .events = POLLIN};
			p[3 + i] = (struct pollfd){.fd = sv->tcp[i],
			    .events = POLLIN};
		}
		if (poll(p, 6, -1) < 0)
			_exit(1);
		for (int i = 0; i < 3; i++) {
			if (p[i].revents)
				serve_udp(sv, i);
			if (p[3 + i].revents)
				serve_tcp(sv, i);
		}
	}
}

static struct ip
loopback(int last)
{
	return (struct ip){.family = 4, .b = {127, 0, 0, (uint8_t)last}};
}

static int
udp_at(const struct ip *ip, uint16_t port)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage ss;
	socklen_t len = ip_to_sockaddr(ip, port, &ss);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&ss, len), 0);
	return fd;
}

static int
start(void **state)
{
	struct served sv;
	uint16_t port = 0;

	(void)state;
	seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(seen != MAP_FAILED);
	for (int i = 0; i < 3; i++) {
		struct ip ip = loopback(i + 1);

		sv.tcp[i] = tcp_listen(&ip, port, 5, false);
		assert_true(sv.tcp[i] >= 0);
		assert_int_equal(tcp_local(sv.tcp[i], NULL, &port), 0);
		sv.udp[i] = udp_at(&ip, port);
		dns.server[i] = (struct dns_server){.ip = ip, .port = port};
		if (i == 0)
			sv.other = udp_at(&ip, 0);
	}
	dns.total_ms = DNS_TOTAL_MS;
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		serve(&sv);
	for (int i = 0; i < 3; i++) {
		(void)close(sv.udp[i]);
		(void)close(sv.tcp[i]);
	}
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	return 0;
}

static int
each(void **state)
{
	(void)state;
	memset(seen, 0, sizeof *seen);
	dns.nserver = 3;
	dns.total_ms = DNS_TOTAL_MS;
	dns.trust_ad = false;
	return 0;
}

/* Asks for an A record: its last byte, or 1000 + the status. */
static int
ask(const char *how)
{
	struct dns_answer a;
	char name[80];
	enum dns_status st;
	int r;

	(void)snprintf(name, sizeof name, "%s.Test", how);
	memset(seen, 0, sizeof *seen);
	st = dns_ask(&dns, name, DNS_A, &a);
	assert_int_equal(a.status, st);
	assert_int_equal(a.n, st == DNS_OK);
	r = st == DNS_OK ? a.rec[0].ip.b[3] : 1000 + (int)st;
	dns_answer_free(&a);
	return r;
}

static void
test_plain(void **state)
{
	(void)state;
	assert_int_equal(ask("ooo"), 1);
	assert_int_equal(seen->udp[0], 1);
	assert_int_equal(seen->udp[1] + seen->udp[2], 0);
	assert_int_equal(seen->edns, 1);
	assert_int_equal(ask("nnn"), 1000 + DNS_NXDOMAIN);
	assert_int_equal(ask("ddd"), 1000 + DNS_NODATA);
	assert_int_equal(seen->udp[1], 0);      /* an answer is an answer */
	assert_int_equal(ask("n.."), 1000 + DNS_NXDOMAIN);
	assert_int_equal(seen->udp[0], 0);      /* no name, no question */
	dns.nserver = 0;
	assert_int_equal(ask("ooo"), 1000 + DNS_TEMP);
}

/* What fails in words is passed over, and asked no more. */
static void
test_failing(void **state)
{
	(void)state;
	assert_int_equal(ask("foo"), 2);
	assert_int_equal(ask("roo"), 2);
	assert_int_equal(ask("xro"), 3);
	assert_int_equal(ask("Foo"), 2);
	assert_int_equal(seen->udp[0], 2);      /* with EDNS and without */
	assert_int_equal(ask("frx"), 1000 + DNS_TEMP);
	for (int i = 0; i < 3; i++)
		assert_int_equal(seen->udp[i], 1);
	assert_int_equal(ask("fnn"), 1000 + DNS_NXDOMAIN);
}

/* Nobody there: the kernel says so at once. */
static void
test_gone(void **state)
{
	struct dns_server was = dns.server[0];

	(void)state;
	dns.server[0].ip = loopback(9);
	assert_int_equal(ask("ooo"), 2);
	dns.nserver = 1;
	assert_int_equal(ask("ooo"), 1000 + DNS_TEMP);
	dns.server[0] = was;
}

static void
test_wrong(void **state)
{
	(void)state;
	dns.nserver = 1;
	assert_int_equal(ask("i"), 1);
	assert_int_equal(seen->tcp[0], 0);
	assert_int_equal(ask("I"), 101);        /* too many: by TCP */
	assert_int_equal(seen->udp[0], 1);
	assert_int_equal(seen->tcp[0], 1);
	assert_int_equal(ask("q"), 1);
	assert_int_equal(ask("m"), 1);
	assert_int_equal(ask("a"), 1);
	assert_int_equal(seen->tcp[0], 0);
}

static void
test_edns(void **state)
{
	(void)state;
	dns.nserver = 1;
	assert_int_equal(ask("e"), 1);
	assert_int_equal(seen->udp[0], 2);
	assert_int_equal(seen->edns, 1);
	assert_int_equal(ask("F"), 1000 + DNS_TEMP);
	assert_int_equal(seen->udp[0], 2);
	/* the last round goes without */
	assert_int_equal(ask("E"), 1);
	assert_int_equal(seen->udp[0], 3);
	assert_int_equal(seen->edns, 2);
}

static void
test_tcp(void **state)
{
	(void)state;
	assert_int_equal(ask("t"), 101);
	assert_int_equal(seen->udp[0], 1);
	assert_int_equal(seen->tcp[0], 1);
	assert_int_equal(ask("b"), 101);
	assert_int_equal(ask("l"), 101);
	assert_int_equal(ask("co"), 2);
	assert_int_equal(ask("ho"), 2);
	assert_int_equal(ask("To"), 2);
	assert_int_equal(ask("yo"), 2);
	assert_int_equal(seen->tcp[0], 1);
	dns.total_ms = 300;
	assert_int_equal(ask("So"), 1000 + DNS_TEMP);
	assert_int_equal(seen->tcp[0], 1);
	assert_int_equal(seen->udp[1], 0);
}

static void
test_silent(void **state)
{
	(void)state;
	assert_int_equal(ask("so"), 2);
	assert_int_equal(seen->udp[0], 1);
	/* once more, with another id and port */
	dns.nserver = 1;
	assert_int_equal(ask("w"), 1);
	assert_int_equal(seen->udp[0], 2);
	assert_int_not_equal(seen->ids[0] << 16 | seen->ports[0],
	    seen->ids[1] << 16 | seen->ports[1]);
	/* the total bounds it */
	dns.total_ms = 200;
	assert_int_equal(ask("s"), 1000 + DNS_TEMP);
	assert_int_equal(seen->udp[0], 1);
}

static void
test_ad(void **state)
{
	struct dns_answer a;

	(void)state;
	assert_int_equal(dns_ask(&dns, "k.test", DNS_A, &a), DNS_OK);
	assert_false(a.ad);
	assert_int_equal(seen->ad, 0);
	dns_answer_free(&a);
	dns.trust_ad = true;
	assert_int_equal(dns_ask(&dns, "k.test", DNS_A, &a), DNS_OK);
	assert_true(a.ad);
	assert_int_equal(seen->ad, 1);
	dns_answer_free(&a);
	assert_int_equal(dns_ask(&dns, "o.test", DNS_A, &a), DNS_OK);
	assert_false(a.ad);
	dns_answer_free(&a);
}

static void
test_addresses(void **state)
{
	struct dns_answer a;

	(void)state;
	assert_int_equal(dns_addresses(&dns, "o.test.", &a), DNS_OK);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.rec[0].ip.family, 6);
	assert_int_equal(a.rec[1].ip.family, 4);
	assert_int_equal(seen->udp[0], 2);
	dns_answer_free(&a);
	assert_int_equal(dns_addresses(&dns, "nnn.test", &a), DNS_NXDOMAIN);
	dns_answer_free(&a);
	assert_int_equal(dns_addresses(&dns, "ddd.test", &a), DNS_NODATA);
	dns_answer_free(&a);
	assert_int_equal(dns_addresses(&dns, "fff.test", &a), DNS_TEMP);
	dns_answer_free(&a);
	assert_int_equal(dns_addresses(&dns, "a..b", &a), DNS_NXDOMAIN);
	dns_answer_free(&a);
	/* one found, one silent */
	seen->no_aaaa = true;
	assert_int_equal(dns_addresses(&dns, "ooo.test", &a), DNS_OK);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.rec[0].ip.family, 4);
	assert_false(a.ad);
	dns_answer_free(&a);
}

/* Ids and ports: every bit is even, none comes again more than by chance. */
static void
test_random(void **state)
{
	enum { N = 2000 };
	static unsigned char id_was[65536], port_was[65536];
	unsigned ids = 0, ports = 0, low = 65535, high = 0, sixteenth[16] = {0};

	(void)state;
	dns.nserver = 1;
	for (int i = 0; i < N; i++) {
		struct dns_answer a;

		assert_int_equal(dns_ask(&dns, "n.test", DNS_A, &a),
		    DNS_NXDOMAIN);
		dns_answer_free(&a);
	}
	assert_int_equal(seen->n, N);
	for (unsigned i = 0; i < N; i++) {
		unsigned id = seen->ids[i], port = seen->ports[i];

		ids += !id_was[id];
		ports += !port_was[port];
		id_was[id] = port_was[port] = 1;
		low = port < low ? port : low;
		high = port > high ? port : high;
		sixteenth[port >> 12]++;
	}
	/* 2000 of 65536: 1970 are expected to differ, 6 is one sigma */
	assert_true(ids > 1920);
	assert_true(ports > 1920);
	assert_true(low >= 1024 && low < 3000 && high > 63000);
	for (unsigned k = 0; k < 16; k++) {
		unsigned ones = 0;

		for (unsigned i = 0; i < N; i++)
			ones += seen->ids[i] >> k & 1;
		assert_in_range(ones, 850, 1150);       /* sigma: 22 */
		assert_in_range(sixteenth[k], 40, 200); /* 125; 94 at 0 */
	}
}

/* setenv and the resolver's own reading. */
static void
test_init(void **state)
{
	struct dns d;
	char buf[IP_TEXT];

	(void)state;
	assert_int_equal(setenv("DNSCACHEIP", "10.7.0.53  fd07::53", 1), 0);
	dns_init(&d);
	assert_int_equal(d.nserver, 2);
	assert_string_equal(ip_text(&d.server[0].ip, buf), "10.7.0.53");
	assert_string_equal(ip_text(&d.server[1].ip, buf), "fd07::53");
	assert_int_equal(d.server[0].port, 53);
	assert_int_equal(d.total_ms, DNS_TOTAL_MS);
	assert_false(d.trust_ad);
	assert_int_equal(setenv("DNSCACHEIP", "0.0.0.0 ::1", 1), 0);
	dns_init(&d);
	assert_string_equal(ip_text(&d.server[0].ip, buf), "127.0.0.1");
	assert_true(d.trust_ad);
	assert_int_equal(setenv("DNSCACHEIP", "127.0.0.1 192.0.2.1", 1), 0);
	dns_init(&d);
	assert_false(d.trust_ad);
	assert_int_equal(setenv("DNSCACHEIP", "nonsense", 1), 0);
	dns_init(&d);
	assert_int_equal(d.nserver, 1);
	assert_string_equal(ip_text(&d.server[0].ip, buf), "127.0.0.1");
	assert_int_equal(unsetenv("DNSCACHEIP"), 0);
	dns_init(&d);
	assert_true(d.nserver >= 1);
}

/* An address is asked for under its reversed name; every test's end has as
 * many descriptors as its beginning. */
static void
test_name_of(void **state)
{
	struct ip ip = {.family = 4, .b = {192, 0, 2, 7}};
	struct dns_answer a;
	int fd = dup(0), fd2;

	(void)state;
	(void)close(fd);
	dns.nserver = 1;
	dns.total_ms = 100;
	/* the first label is "7": the server ends, and nobody answers */
	assert_int_equal(dns_name_of(&dns, &ip, &a), DNS_TEMP);
	dns_answer_free(&a);
	fd2 = dup(0);
	(void)close(fd2);
	assert_int_equal(fd, fd2);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup(f, each)
	const struct CMUnitTest tests[] = {
		CASE(test_plain),
		CASE(test_failing),
		CASE(test_gone),
		CASE(test_wrong),
		CASE(test_edns),
		CASE(test_tcp),
		CASE(test_silent),
		CASE(test_ad),
		CASE(test_addresses),
		CASE(test_random),
		CASE(test_init),
		CASE(test_name_of),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
