/* test_tlsreq.c - requests to tlsd and its answers: bytes by hand, cut short,
 * spoiled; the asker against a tlsd played by the test; the environment. */
#include "TESTS/unit/unit.h"

#include "lib/sock.h"
#include "lib/tlsreq.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#define WIRE(s) s, sizeof(s) - 1

/* Parses a copy in memory of its own size, so that reading on is seen. */
static int
parse(const char *s, size_t n, struct tlsreq *out)
{
	struct str tlsa[TLSREQ_TLSA_MAX];
	char *p = malloc(n ? n : 1);
	int r;

	if (n > 0)
		memcpy(p, s, n);
	errno = 0;
	r = tlsreq_parse(p, n, out, tlsa);
	if (r < 0)
		assert_int_equal(errno, EPROTO);
	free(p);
	return r;
}

static void
test_request(void **state)
{
	static const char wire[] = "22" "0" "30000\0smtp\0mx.a.test\0a.test\0"
	    "192.0.2.1\0002\0\0\4\3\1\1\xff\0\3\2\0\1";
	char tlsa1[] = "\3\1\1\xff", tlsa2[] = "\2\0\1";
	const struct str tlsa[] = {{tlsa1, 4, 5}, {tlsa2, 3, 4}};
	const struct tlsreq in = {.role = TLSREQ_CLIENT,
	    .verify = TLSREQ_DANE, .timeout_ms = 30000, .service = "smtp",
	    .name = "mx.a.test", .altname = "a.test", .peer = "192.0.2.1",
	    .ntlsa = 2, .tlsa = tlsa};
	struct str back[TLSREQ_TLSA_MAX], s = {0};
	struct tlsreq r;

	(void)state;
	tlsreq_cat(&s, &in);
	assert_int_equal(s.len, sizeof wire - 1);
	assert_memory_equal(s.s, wire, s.len);
	assert_int_equal(tlsreq_parse(s.s, s.len, &r, back), 0);
	assert_int_equal(r.role, TLSREQ_CLIENT);
	assert_int_equal(r.verify, TLSREQ_DANE);
	assert_int_equal(r.timeout_ms, 30000);
	assert_string_equal(r.service, "smtp");
	assert_string_equal(r.name, "mx.a.test");
	assert_string_equal(r.altname, "a.test");
	assert_string_equal(r.peer, "192.0.2.1");
	assert_false(r.given);
	assert_int_equal(r.ntlsa, 2);
	assert_int_equal(r.tlsa[0].len, 4);
	assert_memory_equal(r.tlsa[0].s, tlsa1, 4);
	assert_int_equal(r.tlsa[1].len, 3);
	assert_memory_equal(r.tlsa[1].s, tlsa2, 3);
	for (size_t n = 0; n < s.len; n++)
		assert_int_equal(parse(s.s, n, &r), -1);
	str_catc(&s, 'x');
	assert_int_equal(parse(s.s, s.len, &r), -1);
	str_free(&s);
}

static const struct {
	const char *wire;
	size_t len;
	int want;
} requests[] = {
	{WIRE("1001000\0smtp\0\0\0\0000\0"), 0},
	{WIRE("130300000\0smtp\0\0\0\0000\0"), 0},     /* ask the client */
	{WIRE("1011000\0smtp\0\0\0\0000\0"), 0},       /* plain end follows */
	{WIRE("2001000\0smtp\0\0\0\0000\0"), 0},       /* no name: no SNI */
	{WIRE("2101000\0smtp\0a\0\0\0000\0"), 0},
	{WIRE(""), -1},
	{WIRE("0001000\0smtp\0\0\0\0000\0"), -1},      /* roles */
	{WIRE("3001000\0smtp\0\0\0\0000\0"), -1},
	{WIRE("1101000\0smtp\0a\0\0\0000\0"), -1},     /* server: no such */
	{WIRE("1201000\0smtp\0a\0\0\0001\0\0\1a"), -1},
	{WIRE("2301000\0smtp\0a\0\0\0000\0"), -1},     /* client: no such */
	{WIRE("2401000\0smtp\0a\0\0\0000\0"), -1},
	{WIRE("1021000\0smtp\0\0\0\0000\0"), -1},
	{WIRE("2101000\0smtp\0\0\0\0000\0"), -1},      /* verify which name? */
	{WIRE("2201000\0smtp\0a\0\0\0000\0"), -1},     /* DANE without records */
	{WIRE("2001000\0smtp\0a\0\0\0001\0\0\1a"), -1}, /* and the reverse */
	{WIRE("2201000\0smtp\0a\0\0\0001\0\0\0"), -1}, /* an empty record */
	{WIRE("2201000\0smtp\0a\0\0\00021\0\0\1a"), -1},
	{WIRE("100999\0smtp\0\0\0\0000\0"), -1},       /* times */
	{WIRE("100300001\0smtp\0\0\0\0000\0"), -1},
	{WIRE("100\0smtp\0\0\0\0000\0"), -1},
	{WIRE("10001000\0smtp\0\0\0\0000\0"), -1},
	{WIRE("1001000x\0smtp\0\0\0\0000\0"), -1},
	{WIRE("10018446744073709551617\0smtp\0\0\0\0000\0"), -1},
	{WIRE("1001000\0\0\0\0\0000\0"), -1},          /* no service */
	{WIRE("1001000\0sm tp\0\0\0\0000\0"), -1},     /* bytes */
	{WIRE("1001000\0smtp\0a\nb\0\0\0000\0"), -1},
	{WIRE("1001000\0smtp\0\0\0\x80\0000\0"), -1},
};

static void
test_bad_requests(void **state)
{
	struct str s = {0};
	struct tlsreq r;

	(void)state;
	for (size_t i = 0; i < N_OF(requests); i++)
		assert_int_equal(parse(requests[i].wire, requests[i].len, &r),
		    requests[i].want);
	/* A name of 1024 bytes is taken, one of 1025 is not. */
	for (size_t n = TLSREQ_TEXT; n <= TLSREQ_TEXT + 1; n++) {
		str_copyb(&s, WIRE("2001000\0smtp\0"));
		for (size_t i = 0; i < n; i++)
			str_catc(&s, 'a');
		str_catb(&s, WIRE("\0\0\0000\0"));
		assert_int_equal(parse(s.s, s.len, &r),
		    n == TLSREQ_TEXT ? 0 : -1);
	}
	str_free(&s);
}

static void
test_facts(void **state)
{
	static const char wire[] = "11TLSv1.3\0TLS_AES_128_GCM_SHA256\000128\0"
	    "mx.a.test\0CN = a b\0ab01\0\0";
	struct tlsfacts f = {.ok = true, .verified = true, .bits = 128};
	struct tlsfacts b = {0};
	struct str s = {0};

	(void)state;
	str_copys(&f.version, "TLSv1.3");
	str_copys(&f.cipher, "TLS_AES_128_GCM_SHA256");
	str_copys(&f.sni, "mx.a.test");
	str_copys(&f.peer, "CN = a b");
	str_copys(&f.fingerprint, "ab01");
	tlsfacts_cat(&s, &f);
	assert_int_equal(s.len, sizeof wire - 1);
	assert_memory_equal(s.s, wire, s.len);
	for (size_t n = 0; n < s.len; n++)
		assert_int_equal(tlsfacts_parse(s.s, n, &b), -1);
	assert_int_equal(tlsfacts_parse(s.s, s.len, &b), 0);
	assert_true(b.ok && b.verified);
	assert_int_equal(b.bits, 128);
	assert_string_equal(str_c(&b.sni), "mx.a.test");
	assert_string_equal(str_c(&b.peer), "CN = a b");
	assert_int_equal(tlsfacts_parse("11\0\000\0\0\0\0\0x", 10, &b), -1);
	assert_int_equal(tlsfacts_parse("21\0\0000\0\0\0\0\0", 10, &b), -1);
	/* Whatever a certificate says, one line of printable bytes comes. */
	str_copyb(&f.peer, "a\nb\0c\xc3\xa9%", 8);
	str_copyb(&f.sni, "a b", 3);
	str_clear(&f.reason);
	for (int i = 0; i < 3000; i++)
		str_catc(&f.reason, 'r');
	str_clear(&s);
	tlsfacts_cat(&s, &f);
	assert_int_equal(tlsfacts_parse(s.s, s.len, &b), 0);
	assert_string_equal(str_c(&b.peer), "a?b?c??%");
	assert_string_equal(str_c(&b.sni), "a?b");
	assert_int_equal(b.reason.len, TLSREQ_TEXT);
	str_free(&s);
	tlsfacts_free(&f);
	tlsfacts_free(&b);
	assert_null(b.peer.s);
}

/* What the other end does in its turn: answers, with or without descriptor. */
struct script {
	const char *answer;
	size_t n;
	bool pass, given, vanish;
};

static void
play(int listener, const struct script *sc)
{
	struct str tlsa[TLSREQ_TLSA_MAX];
	char buf[1000];
	struct tlsreq r;
	int t = -1, net, plain = -1, a, b;
	ssize_t n;

	while (t < 0)
		t = sock_accept(listener);
	(void)fcntl(t, F_SETFL, 0);
	n = sock_recv_fd(t, buf, sizeof buf, &net);
	if (n < 0 || net < 0 || tlsreq_parse(buf, (size_t)n, &r, tlsa) < 0 ||
	    r.given != sc->given)
		_exit(1);
	if (sc->given && (sock_recv_fd(t, buf, sizeof buf, &plain) != 1 ||
	    buf[0] != 'P' || plain < 0))
		_exit(2);
	if (sc->vanish)
		_exit(0);
	if (sock_pair(SOCK_STREAM, &a, &b) < 0)
		_exit(3);
	if (sock_send_fd(t, sc->answer, sc->n, sc->pass ? b : -1) < 0)
		_exit(4);
	(void)close(b);
	/* An asker that was lied to has closed them. */
	(void)send(sc->given ? plain : a, "hello", 5, MSG_NOSIGNAL);
	(void)send(net, "cipher", 6, MSG_NOSIGNAL);
	_exit(0);
}

static enum tlsreq_status
ask(const struct script *sc, struct tlsfacts *f)
{
	char path[] = "/tmp/unit-tlsreq.XXXXXX", buf[10];
	const struct tlsreq req = {.role = TLSREQ_SERVER, .timeout_ms = 1000,
	    .service = "smtp", .name = "", .altname = "", .peer = ""};
	int l, net, far, t, plain = -1, mine = -1, status;
	enum tlsreq_status st;
	pid_t pid;

	assert_non_null(mkdtemp(path));
	assert_int_equal(chdir(path), 0);
	l = sock_listen("s", SOCK_SEQPACKET, 5, 0600);
	assert_true(l >= 0);
	pid = fork();
	if (pid == 0)
		play(l, sc);
	assert_int_equal(sock_pair(SOCK_STREAM, &net, &far), 0);
	t = tlsreq_open("s");
	assert_true(t >= 0);
	if (sc->given) {
		int yours;

		assert_int_equal(sock_pair(SOCK_STREAM, &mine, &yours), 0);
		st = tlsreq_start_on(t, &req, net, yours, f);
		assert_int_equal(fcntl(yours, F_GETFD), -1);
	} else {
		st = tlsreq_start(t, &req, net, f, &plain);
	}
	assert_int_equal(fcntl(t, F_GETFD), -1);
	if (plain != net)
		assert_int_equal(fcntl(net, F_GETFD), -1);
	assert_int_equal(plain >= 0, st == TLSREQ_OK && !sc->given);
	if (st == TLSREQ_OK) {
		assert_int_equal(read(sc->given ? mine : plain, buf, 10), 5);
		assert_int_equal(read(far, buf, 10), 6);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	if (plain >= 0)
		(void)close(plain);
	if (mine >= 0)
		(void)close(mine);
	(void)close(far);
	(void)close(l);
	(void)unlink("s");
	assert_int_equal(chdir("/"), 0);
	(void)rmdir(path);
	return st;
}

static void
test_asker(void **state)
{
	static const struct script good = {WIRE("10TLSv1.3\0c\0001\0\0\0\0\0"),
	    true, false, false};
	static const struct script onto = {WIRE("10TLSv1.3\0c\0001\0\0\0\0\0"),
	    false, true, false};
	static const struct script refused = {WIRE("00\0\0000\0\0\0\0bad\0"),
	    false, false, false};
	/* ok without a descriptor, a descriptor without ok, nonsense */
	static const struct script lies[] = {
	    {WIRE("10TLSv1.3\0c\0001\0\0\0\0\0"), false, false, false},
	    {WIRE("10TLSv1.3\0c\0001\0\0\0\0\0"), true, true, false},
	    {WIRE("00\0\0000\0\0\0\0bad\0"), true, false, false},
	    {WIRE("1"), true, false, false},
	    {WIRE(""), false, false, true},
	    {WIRE(""), false, true, true}};
	struct tlsfacts f = {0};

	(void)state;
	assert_int_equal(ask(&good, &f), TLSREQ_OK);
	assert_true(f.ok);
	assert_string_equal(str_c(&f.version), "TLSv1.3");
	assert_int_equal(ask(&onto, &f), TLSREQ_OK);
	assert_int_equal(ask(&refused, &f), TLSREQ_FAILED);
	assert_false(f.ok);
	assert_string_equal(str_c(&f.reason), "bad");
	for (size_t i = 0; i < N_OF(lies); i++) {
		assert_int_equal(ask(&lies[i], &f), TLSREQ_GONE);
		assert_false(f.ok);
	}
	assert_int_equal(tlsreq_open("/nonexistent/tls"), -1);
	assert_int_equal(errno, ENOENT);
	tlsfacts_free(&f);
}

static void
test_env(void **state)
{
	struct tlsfacts f = {.ok = true, .bits = 256}, b = {0};

	(void)state;
	assert_int_equal(setenv("SSL_CLIENT_S_DN", "stale", 1), 0);
	str_copys(&f.version, "TLSv1.2");
	str_copys(&f.cipher, "ECDHE-RSA-AES256-GCM-SHA384");
	str_copys(&f.sni, "mail.a.test");
	tlsfacts_setenv(&f);
	assert_string_equal(getenv("SSL_PROTOCOL"), "TLSv1.2");
	assert_string_equal(getenv("SSL_CIPHER_USEKEYSIZE"), "256");
	assert_string_equal(getenv("SSL_CLIENT_VERIFY"), "NONE");
	assert_null(getenv("SSL_CLIENT_S_DN"));
	tlsfacts_getenv(&b);
	assert_true(b.ok);
	assert_false(b.verified);
	assert_int_equal(b.bits, 256);
	assert_string_equal(str_c(&b.sni), "mail.a.test");
	str_copys(&f.fingerprint, "00ff");
	tlsfacts_setenv(&f);
	assert_string_equal(getenv("SSL_CLIENT_VERIFY"), "FAILED");
	f.verified = true;
	tlsfacts_setenv(&f);
	tlsfacts_getenv(&b);
	assert_true(b.verified);
	assert_int_equal(unsetenv("SSL_PROTOCOL"), 0);
	tlsfacts_getenv(&b);
	assert_false(b.ok || b.verified);
	tlsfacts_free(&f);
	tlsfacts_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_asker),
		cmocka_unit_test(test_env),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
