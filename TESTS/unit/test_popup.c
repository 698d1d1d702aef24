/* test_popup.c - POP3 before the login: what a talker answers, what it leaves
 * for the monitor, and what it leaves unread.  Codes are what printf | base64
 * says. */
#include "lib/io.h"
#include "pop3d/capa.h"
#include "pop3d/popup.h"

#include "TESTS/unit/unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#define STAMP "<1.2.3@mx.example>"
#define HELLO "+OK valija POP3\r\n"
#define WRONG "-ERR [AUTH] wrong user name or password\r\n"
#define ALWAYS "TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
#define EVER "UTF8 USER\r\nLANG\r\nEXPIRE NEVER\r\n"

enum how { PLAIN = 1, TLS = 2, STLS = 4, APOP = 8, LAST = 16, DELAY = 32 };

struct result {
	enum login_end end;
	char out[16384], packet[LOGIN_PACKET + 1], rest[4096];
	size_t nout, npacket, nrest;
};

static size_t
drain(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = recv(fd, buf + len, size - 1 - len,
	    MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	return len;
}

/* The client has sent n bytes of in, and will send no more. */
static void
play_bytes(enum login_why why, unsigned how, const char *in, size_t n,
    struct result *r)
{
	struct login_config cfg = {.idle_ms = 20000};
	struct popup_config popup = {.delay_s = how & DELAY ? 30 : 0};
	struct login l = {.cfg = &cfg, .why = why, .tag = "",
	    .stamp = how & APOP ? STAMP : "", .tls = how & TLS,
	    .can_starttls = how & STLS, .can_plain = how & (PLAIN | TLS),
	    .last = how & LAST};
	int net[2], word[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, net), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, word), 0);
	assert_int_equal(fd_write_all(net[1], in, n), 0);
	assert_int_equal(shutdown(net[1], SHUT_WR), 0);
	l.rfd = l.wfd = net[0];
	l.pipe = word[0];
	r->end = popup_talk(&l, &popup);
	login_flush(&l);
	r->nout = drain(net[1], r->out, sizeof r->out);
	r->nrest = drain(net[0], r->rest, sizeof r->rest);
	r->npacket = drain(word[1], r->packet, sizeof r->packet);
	str_free(&l.out);
	str_free(&l.line);
	for (size_t i = 0; i < 2; i++) {
		(void)close(net[i]);
		(void)close(word[i]);
	}
}

static void
play(enum login_why why, unsigned how, const char *in, struct result *r)
{
	play_bytes(why, how, in, strlen(in), r);
}

/* ---- words of the beginning ---- */

static void
test_begin(void **state)
{
	static const struct {
		enum login_why why;
		unsigned how;
		const char *out;
	} cases[] = {
		{LOGIN_HELLO, STLS, HELLO},
		{LOGIN_HELLO, APOP, "+OK " STAMP "\r\n"},
		{LOGIN_HELLO, APOP | TLS, "+OK " STAMP "\r\n"},
		{LOGIN_SECURED, TLS, ""},
		{LOGIN_NO_TLS, 0, "-ERR [SYS/TEMP] no TLS now\r\n"},
		{LOGIN_WRONG, TLS, WRONG},
		{LOGIN_UNKNOWN, TLS,
		    "-ERR [SYS/TEMP] authentication service unavailable\r\n"},
	};
	struct result r;

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		play(cases[i].why, cases[i].how, "", &r);
		assert_string_equal(r.out, cases[i].out);
		assert_int_equal(r.end, LOGIN_OVER);
		assert_int_equal(r.npacket, 0);
	}
}

/* After the last attempt nothing is read any more. */
static void
test_last(void **state)
{
	struct result r;

	(void)state;
	play(LOGIN_WRONG, TLS | LAST, "USER ana\r\nPASS x\r\n", &r);
	assert_string_equal(r.out, WRONG);
	assert_int_equal(r.end, LOGIN_OVER);
	assert_int_equal(r.npacket, 0);
	play(LOGIN_UNKNOWN, TLS | LAST, "QUIT\r\n", &r);
	assert_string_equal(r.out,
	    "-ERR [SYS/TEMP] authentication service unavailable\r\n");
	assert_string_equal(r.rest, "QUIT\r\n");
}

/* ---- commands that change nothing ---- */

static const struct {
	unsigned how;
	const char *in, *out;
} answers[] = {
	/* 2449:5; USER, SASL and STLS where they can be used */
	{PLAIN, "CAPA\r\n", "+OK these\r\n" ALWAYS "USER\r\n"
	    "SASL PLAIN LOGIN\r\n" EVER "IMPLEMENTATION valija\r\n.\r\n"},
	{TLS, "capa\r\n", "+OK these\r\n" ALWAYS "USER\r\n"
	    "SASL PLAIN LOGIN\r\n" EVER "IMPLEMENTATION valija\r\n.\r\n"},
	{STLS, "CAPA\r\n", "+OK these\r\n" ALWAYS "STLS\r\n" EVER
	    "IMPLEMENTATION valija\r\n.\r\n"},
	{PLAIN | STLS | DELAY, "CAPA  \r\n", "+OK these\r\n" ALWAYS "USER\r\n"
	    "SASL PLAIN LOGIN\r\nSTLS\r\n" EVER "LOGIN-DELAY 30\r\n"
	    "IMPLEMENTATION valija\r\n.\r\n"},
	{TLS, "CAPA x\r\n", "-ERR "},
	/* both ends of a line */
	{TLS, "QUIT\n", "+OK bye\r\n"},
	{TLS, "quit\r\n", "+OK bye\r\n"},
	{TLS, "QUIT x\r\nQUIT\r\n", "-ERR "},
	/* what is no command, or none yet: 1939:4 */
	{TLS, "\r\n", "-ERR "},
	{TLS, " QUIT\r\n", "-ERR "},
	{TLS, "QUI\r\n", "-ERR "},
	{TLS, "QUITS\r\n", "-ERR "},
	{TLS, "QUIT\t\r\n", "-ERR "},
	{TLS, "STAT\r\n", "-ERR "},
	{TLS, "NOOP\r\n", "-ERR "},
	{TLS, "XTND XMIT\r\n", "-ERR "},
	/* 6856:2, 6856:3 */
	{TLS, "UTF8\r\n", "+OK UTF-8 it is\r\n"},
	{0, "utf8\r\n", "+OK UTF-8 it is\r\n"},
	{TLS, "UTF8 USER\r\n", "-ERR "},
	{0, "LANG\r\n", "+OK these\r\nen English\r\n.\r\n"},
	{0, "LANG EN\r\n", "+OK en it is\r\n"},
	{0, "LANG en-GB\r\n", "+OK en it is\r\n"},
	{0, "LANG *\r\n", "+OK en it is\r\n"},
	{0, "LANG i-default\r\n", "+OK en it is\r\n"},
	{0, "LANG eng\r\n", "-ERR only English is spoken here\r\n"},
	{0, "LANG de\r\n", "-ERR only English is spoken here\r\n"},
	{0, "LANG de en\r\n", "-ERR only English is spoken here\r\n"},
	/* USER and PASS */
	{TLS, "USER ana\r\n", "+OK PASS?\r\n"},
	{PLAIN, "USER ana\r\n", "+OK PASS?\r\n"},
	{TLS, "USER\r\n", "-ERR "},
	{TLS, "USER  \r\n", "-ERR "},
	{TLS, "PASS x\r\n", "-ERR USER first\r\n"},
	{TLS, "PASS\r\n", "-ERR USER first\r\n"},
	/* no password goes where others can read it; 3206:4 about USER */
	{STLS, "USER ana\r\n", "-ERR STLS first\r\n"},
	{STLS, "PASS x\r\n", "-ERR [AUTH] STLS first\r\n"},
	{STLS, "AUTH PLAIN\r\n", "-ERR [AUTH] STLS first\r\n"},
	{STLS, "AUTH PLAIN AGFuYQBzZWNyZXQ=\r\n",
	    "-ERR [AUTH] STLS first\r\n"},
	{STLS, "AUTH\r\n", "+OK these\r\n.\r\n"},
	{0, "USER ana\r\n", "-ERR no passwords are taken without TLS\r\n"},
	{0, "PASS x\r\n",
	    "-ERR [AUTH] no passwords are taken without TLS\r\n"},
	/* AUTH */
	{TLS, "AUTH\r\n", "+OK these\r\nPLAIN\r\nLOGIN\r\n.\r\n"},
	{TLS, "AUTH CRAM-MD5\r\n", "-ERR AUTH PLAIN LOGIN\r\n"},
	{TLS, "AUTH PLAIN\r\n*\r\n", "+ \r\n-ERR as you like\r\n"},
	{TLS, "AUTH PLAIN\r\nx\r\n", "+ \r\n-ERR that is no base64\r\n"},
	{TLS, "AUTH PLAIN\r\n\r\n", "+ \r\n-ERR that is no PLAIN response\r\n"},
	{TLS, "AUTH PLAIN YW5h\r\n", "-ERR that is no PLAIN response\r\n"},
	{TLS, "AUTH PLAIN *\r\n", "-ERR that is no base64\r\n"},
	{TLS, "AUTH LOGIN\r\n*\r\n", "+ VXNlcm5hbWU6\r\n-ERR as you like\r\n"},
	{TLS, "AUTH LOGIN\r\nYW5h\r\n*\r\n",
	    "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n-ERR as you like\r\n"},
	{TLS, "AUTH LOGIN\r\nYW5h\r\n", "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n"},
	/* what the monitor must not be asked */
	{TLS, "AUTH LOGIN =\r\nc2VjcmV0\r\n", "+ UGFzc3dvcmQ6\r\n" WRONG},
	{TLS, "AUTH LOGIN YQBi\r\nc2VjcmV0\r\n", "+ UGFzc3dvcmQ6\r\n" WRONG},
	{TLS, "AUTH PLAIN AABzZWNyZXQ=\r\n", WRONG},
	{TLS, "USER a\tb\r\nPASS x\r\n", "+OK PASS?\r\n" WRONG},
	{TLS, "USER a\tb\r\nPASS x\r\nPASS y\r\n",
	    "+OK PASS?\r\n" WRONG "-ERR USER first\r\n"},
	/* APOP: 32 digits */
	{TLS, "APOP ana 0123456789abcdef0123456789abcdef\r\n",
	    "-ERR APOP is not offered\r\n"},
	{APOP, "APOP ana\r\n", "-ERR APOP name digest\r\n"},
	{APOP, "APOP\r\n", "-ERR that is not how it is used\r\n"},
	{APOP, "APOP ana 0123456789abcdef0123456789abcde\r\n",
	    "-ERR APOP name digest\r\n"},
	{APOP, "APOP ana 0123456789abcdef0123456789abcdef0\r\n",
	    "-ERR APOP name digest\r\n"},
	{APOP, "APOP ana 0123456789abcdef0123456789abcdeg\r\n",
	    "-ERR APOP name digest\r\n"},
	{APOP, "APOP  0123456789abcdef0123456789abcdef\r\n",
	    "-ERR APOP name digest\r\n"},
	/* STLS */
	{TLS, "STLS\r\n", "-ERR this is TLS\r\n"},
	{0, "STLS\r\n", "-ERR [SYS/TEMP] no TLS now\r\n"},
	{STLS, "STLS x\r\n", "-ERR that is not how it is used\r\n"},
	/* in one go */
	{TLS, "USER ana\r\nUTF8\r\nQUIT\r\n",
	    "+OK PASS?\r\n+OK UTF-8 it is\r\n+OK bye\r\n"},
};

/* "-ERR " stands for one line that begins so, before what QUIT says. */
static void
test_answers(void **state)
{
	struct result r;

	(void)state;
	for (size_t i = 0; i < N_OF(answers); i++) {
		play(LOGIN_SECURED, answers[i].how, answers[i].in, &r);
		if (strcmp(answers[i].out, "-ERR ") == 0) {
			assert_memory_equal(r.out, "-ERR ", 5);
			assert_null(memchr(r.out, '[', r.nout));
		} else {
			assert_string_equal(r.out, answers[i].out);
		}
		assert_int_equal(r.end, LOGIN_OVER);
		assert_int_equal(r.npacket, 0);
	}
}

/* ---- attempts ---- */

#define DIGEST "0123456789abcdef0123456789abcdef"
#define WORDS(s) s, sizeof(s)           /* with the last NUL */

static const struct {
	unsigned how;
	const char *in, *out, *packet;
	size_t n;
	const char *rest;
} attempts[] = {
	{TLS, "USER ana\r\nPASS secret\r\n", "+OK PASS?\r\n",
	    WORDS("ana\0secret\0"), ""},
	{PLAIN, "user ana\npass secret\n", "+OK PASS?\r\n",
	    WORDS("ana\0secret\0"), ""},
	/* the password is all that follows, 1939:7 */
	{TLS, "USER a b\r\nPASS  se cret \r\n", "+OK PASS?\r\n",
	    WORDS("a b\0 se cret \0"), ""},
	{TLS, "USER ana\r\nPASS PASS\r\n", "+OK PASS?\r\n",
	    WORDS("ana\0PASS\0"), ""},
	{TLS, "USER \xc3\xb8\r\nPASS \xc3\xa5\r\n", "+OK PASS?\r\n",
	    WORDS("\xc3\xb8\0\xc3\xa5\0"), ""},
	/* the last USER counts */
	{TLS, "USER bob\r\nUSER ana\r\nCAPA x\r\nPASS s\r\n",
	    "+OK PASS?\r\n+OK PASS?\r\n-ERR that is not how it is used\r\n",
	    WORDS("ana\0s\0"), ""},
	/* what follows is for who has the connection next */
	{TLS, "USER ana\r\nPASS secret\r\nSTAT\r\nRETR 1\r\n", "+OK PASS?\r\n",
	    WORDS("ana\0secret\0"), "STAT\r\nRETR 1\r\n"},
	{TLS, "USER ana\r\nPASS secret\r\n\n", "+OK PASS?\r\n",
	    WORDS("ana\0secret\0"), "\n"},
	{TLS, "AUTH PLAIN AGFuYQBzZWNyZXQ=\r\nSTAT\r\n", "",
	    WORDS("ana\0secret\0"), "STAT\r\n"},
	{TLS, "auth plain\r\nAGFuYQBzZWNyZXQ=\r\nSTAT\r\n", "+ \r\n",
	    WORDS("ana\0secret\0"), "STAT\r\n"},
	{TLS, "AUTH LOGIN\r\nYW5h\r\nc2VjcmV0\r\nSTAT\r\n",
	    "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n",
	    WORDS("ana\0secret\0"), "STAT\r\n"},
	{TLS, "AUTH LOGIN YW5h\r\nc2VjcmV0\r\n", "+ UGFzc3dvcmQ6\r\n",
	    WORDS("ana\0secret\0"), ""},
	/* bob\0ana\0secret: not oneself; nobody's password is empty */
	{TLS, "AUTH PLAIN Ym9iAGFuYQBzZWNyZXQ=\r\n", "",
	    WORDS("ana\0\0"), ""},
	/* the digest is sent in the clear, and meant to be */
	{APOP | STLS, "APOP ana " DIGEST "\r\nSTAT\r\n", "",
	    WORDS("ana\0" DIGEST "\0"), "STAT\r\n"},
	{APOP, "APOP a b " DIGEST "\r\n", "",
	    WORDS("a b\0" DIGEST "\0"), ""},
	{APOP, "APOP Ana 0123456789ABCDEF0123456789abcdef\r\n", "",
	    WORDS("Ana\0" "0123456789abcdef0123456789abcdef\0"), ""},
};

static void
test_attempts(void **state)
{
	struct result r;

	(void)state;
	for (size_t i = 0; i < N_OF(attempts); i++) {
		play(LOGIN_SECURED, attempts[i].how, attempts[i].in, &r);
		assert_string_equal(r.out, attempts[i].out);
		assert_int_equal(r.end, LOGIN_ASK);
		assert_int_equal(r.npacket, attempts[i].n);
		assert_memory_equal(r.packet, attempts[i].packet, r.npacket);
		assert_string_equal(r.rest, attempts[i].rest);
	}
}

/* The monitor answers, and looks whether there is more. */
static void
test_stls(void **state)
{
	struct result r;

	(void)state;
	play(LOGIN_HELLO, STLS, "CAPA\r\nSTLS\r\n\x16\x03", &r);
	assert_non_null(strstr(r.out, "\r\nSTLS\r\n"));
	assert_string_equal(r.out + r.nout - 5, "\r\n.\r\n");
	assert_int_equal(r.end, LOGIN_STARTTLS);
	assert_int_equal(r.npacket, 0);
	assert_string_equal(r.rest, "\x16\x03");
}

/* ---- limits ---- */

static void
test_lines(void **state)
{
	static char line[2 * LOGIN_LINE];
	struct result r;
	int n;

	(void)state;
	/* The longest line: LF included. */
	n = snprintf(line, sizeof line, "LANG %0*d\r\nQUIT\r\n",
	    LOGIN_LINE - 7, 0);
	assert_int_equal(n, LOGIN_LINE + 6);
	play(LOGIN_SECURED, TLS, line, &r);
	assert_string_equal(r.out,
	    "-ERR only English is spoken here\r\n+OK bye\r\n");
	n = snprintf(line, sizeof line, "LANG %0*d\r\nQUIT\r\n",
	    LOGIN_LINE - 6, 0);
	assert_int_equal(n, LOGIN_LINE + 7);
	play(LOGIN_SECURED, TLS, line, &r);
	assert_string_equal(r.out, "-ERR this line is too long\r\n");
	assert_int_equal(r.end, LOGIN_OVER);
	play(LOGIN_SECURED, TLS, "USER a\r\nAUTH PLAIN", &r);
	assert_string_equal(r.out, "+OK PASS?\r\n");
	assert_int_equal(r.end, LOGIN_OVER);
	/* NUL, in a command and in an answer */
	play_bytes(LOGIN_SECURED, TLS, "USER a\0b\r\nQUIT\r\n", 16, &r);
	assert_string_equal(r.out, "-ERR a line has no NUL\r\n");
	assert_int_equal(r.end, LOGIN_OVER);
	play_bytes(LOGIN_SECURED, TLS, "AUTH PLAIN\r\n\0\r\nQUIT\r\n", 21, &r);
	assert_string_equal(r.out, "+ \r\n-ERR a line has no NUL\r\n");
	assert_int_equal(r.end, LOGIN_OVER);
}

static void
test_long_words(void **state)
{
	static char line[2 * CHECKPW_MAX];
	struct result r;
	int n;

	(void)state;
	/* "ana", the password, the stamp and three NULs are 512 bytes. */
	n = snprintf(line, sizeof line, "USER ana\r\nPASS %0*d\r\n",
	    CHECKPW_MAX - 6, 7);
	play_bytes(LOGIN_SECURED, TLS, line, (size_t)n, &r);
	assert_int_equal(r.end, LOGIN_ASK);
	n = snprintf(line, sizeof line, "USER ana\r\nPASS %0*d\r\n",
	    CHECKPW_MAX - 5, 7);
	play_bytes(LOGIN_SECURED, TLS, line, (size_t)n, &r);
	assert_int_equal(r.end, LOGIN_OVER);
	assert_string_equal(r.out, "+OK PASS?\r\n" WRONG);
	assert_int_equal(r.npacket, 0);
}

static size_t
count(const char *s, const char *what)
{
	size_t n = 0;

	while ((s = strstr(s, what)) != NULL) {
		s += strlen(what);
		n++;
	}
	return n;
}

/* A dozen wrong commands are answered; the next one is the last. */
static void
test_errors(void **state)
{
	struct str in = {0};
	struct result r;

	(void)state;
	for (unsigned i = 0; i < 12; i++)
		str_cats(&in, "NOOP\r\n");
	str_cats(&in, "UTF8\r\n");
	play(LOGIN_SECURED, TLS, str_c(&in), &r);
	assert_int_equal(count(r.out, "-ERR "), 12);
	assert_int_equal(count(r.out, "+OK "), 1);
	str_cats(&in, "AUTH PLAIN x\r\nUTF8\r\n");
	play(LOGIN_SECURED, TLS, str_c(&in), &r);
	assert_int_equal(count(r.out, "-ERR "), 13);
	assert_int_equal(count(r.out, "+OK "), 1);
	assert_int_equal(r.end, LOGIN_OVER);
	assert_string_equal(r.rest, "UTF8\r\n");
	str_free(&in);
}

/* ---- stamps ---- */

static void
test_stamp(void **state)
{
	static const struct {
		const char *host, *want;
	} hosts[] = {
		{"mx.example.org", "mx.example.org"},
		{"mx-1.Example", "mx-1.Example"},
		{"a b>c<d@e\r\n\x80", "a_b_c_d_e___"},
		{"", "localhost"},
		{"0123456789012345678901234567890123456789012345678901234567890"
		    "123456789",
		    "0123456789012345678901234567890123456789012345678901234567890"
		    "123"},
	};
	struct str s = {0}, before = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(hosts); i++) {
		long long pid, now;
		unsigned long long random;
		char host[80];

		assert_int_equal(popup_stamp(&s, hosts[i].host), 0);
		assert_int_equal(sscanf(str_c(&s), "<%lld.%lld.%llu@%79[^>]>",
		    &pid, &now, &random, host), 4);
		assert_string_equal(host, hosts[i].want);
		assert_int_equal(pid, getpid());
		assert_true(now >= time(NULL) - 2 && now <= time(NULL));
		assert_int_equal(s.s[s.len - 1], '>');
		assert_int_equal(strlen(str_c(&s)), s.len);
		assert_false(str_eqs(&before, str_c(&s)));
		str_copy(&before, &s);
	}
	/* The random part is not a constant. */
	assert_int_equal(popup_stamp(&before, "x"), 0);
	assert_int_equal(popup_stamp(&s, "x"), 0);
	assert_string_not_equal(str_c(&s), str_c(&before));
	str_free(&s);
	str_free(&before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_last),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_stls),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_words),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_stamp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
