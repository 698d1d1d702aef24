/* test_smtpd.c - the pure parts of qmail-smtpd, every read split at every
 * size, and sessions with queue and verifier made up. */
#include "smtpd/message.h"
#include "smtpd/path.h"
#include "smtpd/proxy.h"
#include "smtpd/sender.h"

#include "TESTS/unit/smtpd_fake.h"
#include "TESTS/unit/unit.h"

#include <stdlib.h>

/* 5321:4.1.2, and what honest clients send. */
static const struct {
	const char *in;
	enum path_status want;
	const char *addr, *rest;
} paths[] = {
	{"<>", PATH_OK, "", ""},
	{"<a@b>", PATH_OK, "a@b", ""},
	{"  <a@b> SIZE=1", PATH_OK, "a@b", " SIZE=1"},
	{"a@b SIZE=1", PATH_OK, "a@b", " SIZE=1"},
	{"<@x,@y.z:a@b>", PATH_OK, "a@b", ""},
	{"<postmaster>", PATH_OK, "postmaster", ""},
	{"<\"a b\"@c>", PATH_OK, "a b@c", ""},
	{"<\"a\\\"\\\\b@x\"@c>", PATH_OK, "a\"\\b@x@c", ""},
	{"<a@[1.2.3.4]>", PATH_OK, "a@[1.2.3.4]", ""},
	{"<a@[IPv6:2001:db8::1]>", PATH_OK, "a@[IPv6:2001:db8::1]", ""},
	{"<a_b+c=d!e%f@g-h_i.J>", PATH_OK, "a_b+c=d!e%f@g-h_i.J", ""},
	{"<\xc3\xb8@\xc3\xb8.x>", PATH_OK, "\xc3\xb8@\xc3\xb8.x", ""},
	{"", PATH_SYNTAX, NULL, NULL},
	{"<", PATH_SYNTAX, NULL, NULL},
	{"<a", PATH_SYNTAX, NULL, NULL},
	{"<a@", PATH_SYNTAX, NULL, NULL},
	{"<a@b", PATH_SYNTAX, NULL, NULL},
	{"<a@b>x", PATH_SYNTAX, NULL, NULL},
	{"<a@b>>", PATH_SYNTAX, NULL, NULL},
	{"<<a@b>>", PATH_SYNTAX, NULL, NULL},
	{"<a@b@c>", PATH_SYNTAX, NULL, NULL},
	{"<@b>", PATH_SYNTAX, NULL, NULL},
	{"<@b:>", PATH_SYNTAX, NULL, NULL},
	{"<@b,c@d>", PATH_SYNTAX, NULL, NULL},
	{"<\"\"@b>", PATH_SYNTAX, NULL, NULL},
	{"<\"a@b\">", PATH_SYNTAX, NULL, NULL},
	{"<\"a>", PATH_SYNTAX, NULL, NULL},
	{"<\"a\\", PATH_SYNTAX, NULL, NULL},
	{"<\"a\tb\"@c>", PATH_SYNTAX, NULL, NULL},
	{"<a\\b@c>", PATH_SYNTAX, NULL, NULL},
	{"<a(x)@c>", PATH_SYNTAX, NULL, NULL},
	{"<a@b.>", PATH_SYNTAX, NULL, NULL},
	{"<a@.b>", PATH_SYNTAX, NULL, NULL},
	{"<a@b..c>", PATH_SYNTAX, NULL, NULL},
	{"<a@[1.2.3.4>", PATH_SYNTAX, NULL, NULL},
	{"<a@[1.2.3.4.5]>", PATH_SYNTAX, NULL, NULL},
	{"<a@[]>", PATH_SYNTAX, NULL, NULL},
	{"<a@[2001:db8::1]>", PATH_SYNTAX, NULL, NULL},
	{"<a@[IPv6:fe80::1%eth0]>", PATH_SYNTAX, NULL, NULL},
	{"<\xff@b>", PATH_UTF8, NULL, NULL},
	{"<\"\xc0\xaf\"@b>", PATH_UTF8, NULL, NULL},
	{"<a@\xed\xa0\x80>", PATH_UTF8, NULL, NULL},
};

static void
test_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(paths); i++) {
		struct path p = {0};
		const char *rest = NULL;

		assert_int_equal(path_parse(paths[i].in, &p, &rest),
		    paths[i].want);
		if (paths[i].want == PATH_OK) {
			assert_string_equal(str_c(&p.addr), paths[i].addr);
			assert_string_equal(rest, paths[i].rest);
		}
		path_free(&p);
	}
}

/* The classic sizes of 5321:4.5.3.1: 2^31 and the like cannot occur, because
 * a line has 2048 bytes. */
static void
test_path_lengths(void **state)
{
	static const struct {
		size_t local, label, labels;
		enum path_status want;
	} cases[] = {
		{1, 63, 1, PATH_OK}, {1, 64, 1, PATH_LONG},
		{1, 1, 128, PATH_OK}, {1, 1, 129, PATH_LONG},
		{64, 1, 1, PATH_OK}, {65, 1, 1, PATH_OK},
		{898, 1, 1, PATH_OK}, {899, 1, 1, PATH_LONG},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct path p = {0};
		struct str s = {0};
		const char *rest;

		str_catc(&s, '<');
		for (size_t k = 0; k < cases[i].local; k++)
			str_catc(&s, 'l');
		for (size_t k = 0; k < cases[i].labels; k++) {
			str_catc(&s, k == 0 ? '@' : '.');
			for (size_t j = 0; j < cases[i].label; j++)
				str_catc(&s, 'h');
		}
		str_catc(&s, '>');
		assert_int_equal(path_parse(str_c(&s), &p, &rest),
		    cases[i].want);
		path_free(&p);
		str_free(&s);
	}
}

static void
test_params(void **state)
{
	const char *at = "  size=10 Smtputf8 X-a=b;c BAD=a=b";
	struct str key = {0}, value = {0};
	bool has;

	(void)state;
	assert_int_equal(param_next(&at, &key, &value, &has), PARAM_OK);
	assert_string_equal(str_c(&key), "SIZE");
	assert_string_equal(str_c(&value), "10");
	assert_int_equal(param_next(&at, &key, &value, &has), PARAM_OK);
	assert_string_equal(str_c(&key), "SMTPUTF8");
	assert_false(has);
	assert_int_equal(param_next(&at, &key, &value, &has), PARAM_OK);
	assert_string_equal(str_c(&value), "b;c");
	assert_int_equal(param_next(&at, &key, &value, &has), PARAM_SYNTAX);
	at = "   ";
	assert_int_equal(param_next(&at, &key, &value, &has), PARAM_END);
	at = " A=";
	assert_int_equal(param_next(&at, &key, &value, &has), PARAM_SYNTAX);
	at = " A=\x80";
	assert_int_equal(param_next(&at, &key, &value, &has), PARAM_SYNTAX);
	str_free(&key);
	str_free(&value);
}

static void
gather(void *arg, const char *s, size_t n)
{
	str_catb(arg, s, n);
}

#define WIRE(s) s, sizeof(s) - 1
static const struct {
	const char *in;
	size_t n;
	bool dots, barelf;
	enum decode_status want;
	size_t used;
	const char *out;
} decodes[] = {
	{WIRE("a\r\n.\r\nX"), true, false, DECODE_END, 6, "a\n"},
	{WIRE(".\r\nX"), true, false, DECODE_END, 3, ""},
	{WIRE("..\r\n.a\r\n.\r\n"), true, false, DECODE_END, 11, ".\na\n"},
	{WIRE("a.\r\n\r\n.\r\n"), true, false, DECODE_END, 9, "a.\n\n"},
	{WIRE("a\n"), true, false, DECODE_LF, 2, "a"},
	{WIRE("\n"), true, false, DECODE_LF, 1, ""},
	{WIRE("a\r\n.\n"), true, false, DECODE_LF, 5, "a\n"},
	{WIRE("a\n.\r\n"), true, false, DECODE_LF, 2, "a"},
	{WIRE("a\rb"), true, false, DECODE_CR, 3, "a"},
	{WIRE("a\r\r\n"), true, false, DECODE_CR, 3, "a"},
	{WIRE("a\r\n.\rb"), true, false, DECODE_CR, 6, "a\n"},
	{WIRE("a\r\n.\r.\r\n"), true, false, DECODE_CR, 6, "a\n"},
	{WIRE("a\0b"), true, false, DECODE_NUL, 2, "a"},
	{WIRE("\0"), true, false, DECODE_NUL, 1, ""},
	{WIRE("a\r\n.\0\r\n"), true, false, DECODE_NUL, 5, "a\n"},
	{WIRE("a\r\0\n"), true, false, DECODE_CR, 3, "a"},
	{WIRE("a\n.\n.\r\n\r\n.\nb\r\n.\r\n"), true, true, DECODE_END, 17,
	    "a\n.\n.\n\n.\nb\n"},
	{WIRE("a\n..\nb\n.c\r\n.\r\n"), true, true, DECODE_END, 14,
	    "a\n.\nb\nc\n"},
	{WIRE("a\rb"), true, true, DECODE_CR, 3, "a"},
	{WIRE(".\r\n..\r\n"), false, false, DECODE_MORE, 7, ".\n..\n"},
	{WIRE("a\n"), false, false, DECODE_LF, 2, "a"},
	{WIRE("a\n.\r\n"), false, true, DECODE_MORE, 5, "a\n.\n"},
};

static void
test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(decodes); i++)
		for (size_t cut = 1; cut <= decodes[i].n; cut++) {
			struct decode d = {.dots = decodes[i].dots,
			    .barelf = decodes[i].barelf};
			enum decode_status st = DECODE_MORE;
			struct str out = {0};
			size_t at = 0, used;

			while (st == DECODE_MORE && at < decodes[i].n) {
				size_t n = decodes[i].n - at;

				st = decode_feed(&d, decodes[i].in + at,
				    n < cut ? n : cut, &used, gather, &out);
				at += used;
			}
			assert_int_equal(st, decodes[i].want);
			assert_int_equal(at, decodes[i].used);
			assert_string_equal(str_c(&out), decodes[i].out);
			str_free(&out);
		}
}

static const struct {
	const char *in;
	size_t n;
	enum proxy_status want;
	const char *from, *to;
	unsigned from_port;
} headers[] = {
	{WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1000 25\r\n"), PROXY_OK, "1.2.3.4",
	    "5.6.7.8", 1000},
	{WIRE("PROXY TCP6 2001:db8::1 ::1 65535 25\r\n"), PROXY_OK,
	    "2001:db8::1", "::1", 65535},
	{WIRE("PROXY UNKNOWN\r\n"), PROXY_LOCAL, NULL, NULL, 0},
	{WIRE("PROXY UNKNOWN ff ff 1 2\r\n"), PROXY_LOCAL, NULL, NULL, 0},
	{WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1000\r\n"), PROXY_BAD, NULL, NULL,
	    0},
	{WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 65536 25\r\n"), PROXY_BAD, NULL,
	    NULL, 0},
	{WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 -1 25\r\n"), PROXY_BAD, NULL, NULL,
	    0},
	{WIRE("PROXY TCP4 ::1 ::1 1 25\r\n"), PROXY_BAD, NULL, NULL, 0},
	{WIRE("PROXY TCP5 1.2.3.4 5.6.7.8 1 25\r\n"), PROXY_BAD, NULL, NULL,
	    0},
	{WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1 25\n"), PROXY_BAD, NULL, NULL, 0},
	{WIRE("PROXY TCP4 1.2.3.4 5.6.7.8 1 25 x\r\n"), PROXY_BAD, NULL, NULL,
	    0},
	{WIRE("EHLO x\r\n"), PROXY_BAD, NULL, NULL, 0},
	{WIRE("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\1\2\3\4\5\6\7\x8\x3\xe8\0"
	    "\x19"), PROXY_OK, "1.2.3.4", "5.6.7.8", 1000},
	{WIRE("\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24"
	    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
	    "\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4\x3\xe8\0\x19"), PROXY_OK,
	    "2001:db8::1", "1.2.3.4", 1000},
	{WIRE("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"), PROXY_LOCAL, NULL, NULL, 0},
	{WIRE("\r\n\r\n\0\r\nQUIT\n\x21\0\0\0"), PROXY_LOCAL, NULL, NULL, 0},
	{WIRE("\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0"), PROXY_BAD, NULL, NULL, 0},
	{WIRE("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\4\1\2\3\4"), PROXY_BAD, NULL,
	    NULL, 0},
	{WIRE("\r\n\r\n\0\r\nQUIT\n\x21\x31\0\0"), PROXY_BAD, NULL, NULL, 0},
	{WIRE("\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"), PROXY_BAD, NULL, NULL,
	    0},
};

static void
test_proxy(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(headers); i++) {
		enum proxy_status st = PROXY_MORE;
		struct proxy_facts f;
		char buf[IP_TEXT];
		size_t n, used;

		for (n = 1; n <= headers[i].n && st == PROXY_MORE; n++)
			st = proxy_parse(headers[i].in, n, &f, &used);
		assert_int_equal(st, headers[i].want);
		if (st == PROXY_OK || st == PROXY_LOCAL)
			assert_int_equal(used, headers[i].n);
		if (st != PROXY_OK)
			continue;
		assert_string_equal(ip_text(&f.from, buf), headers[i].from);
		assert_string_equal(ip_text(&f.to, buf), headers[i].to);
		assert_int_equal(f.from_port, headers[i].from_port);
		assert_int_equal(f.to_port, 25);
	}
}

static void
test_proxy_endless(void **state)
{
	struct proxy_facts f;
	struct str s = {0};
	size_t used;

	(void)state;
	str_cats(&s, "PROXY ");
	while (s.len < 106)
		str_catc(&s, 'x');
	assert_int_equal(proxy_parse(s.s, s.len, &f, &used), PROXY_MORE);
	str_catc(&s, 'x');
	assert_int_equal(proxy_parse(s.s, s.len, &f, &used), PROXY_BAD);
	str_free(&s);
}

static const struct {
	const char *login, *addr;
	bool want;
} senders[] = {
	{"ana", "ana@l.example", true},
	{"ana", "ANA-x@L2.example", true},
	{"ana", "ana@other.example", false},
	{"ana", "anax@l.example", false},
	{"ana", "ana", false},
	{"ana", "", true},
	{"ana", "info@x.example", true},
	{"ana", "any@y.example", true},
	{"ana", "any@z.y.example", false},
	{"ana", "shared@x.example", true},
	{"bob", "info@x.example", false},
	{"bob", "shared@x.example", true},
	{"root", "whoever@x.example", true},
	{"bob@v.example", "bob@v.example", true},
	{"bob@v.example", "bob-a@V.example", true},
	{"bob@v.example", "bob@l.example", false},
	{"bob@v.example", "x@v.example", false},
	{"", "x@v.example", false},
};

static void
test_sender(void **state)
{
	static const char lines[] = "ana:info@x.example\0ana:@y.example\0"
	    "root:*\0*:shared@x.example\0nonsense\0:x@v.example";
	static const char locals[] = "l.example\0l2.example";
	struct str ls = {0}, lo = {0}, login = {0}, addr = {0};

	(void)state;
	str_copyb(&ls, lines, sizeof lines);
	str_copyb(&lo, locals, sizeof locals);
	for (size_t i = 0; i < N_OF(senders); i++) {
		str_copys(&login, senders[i].login);
		str_copys(&addr, senders[i].addr);
		assert_int_equal(sender_allowed(&ls, &lo, &login, &addr),
		    senders[i].want);
	}
	str_free(&ls);
	str_free(&lo);
	str_free(&login);
	str_free(&addr);
}

/* Misconfigured, AUTH must be closed, never open. */
static void
test_checkpw_arguments(void **state)
{
	static const struct {
		const char *args[6];
		size_t first;           /* where the program is; 9: refused */
	} cases[] = {
		{{"/bin/checkpassword", "/bin/true"}, 0},
		{{"/bin/checkpassword", "a", "b"}, 0},
		{{"mx.example.org", "/bin/checkpassword", "true"}, 1},
		{{"nohostnohost", "checkpassword", "true"}, 1},
		{{"sh", "-c", "x"}, 0},
		{{"checkpassword", "true"}, 0},
		{{"/bin/checkpassword"}, 9},
		{{"mx.example.org", "/bin/true"}, 0},
		{{"mx.example.org", "/bin/true", "x"}, 9},
		{{"mx.example.org", "true", "true"}, 9},
		{{"/bin/true", "/bin/true"}, 9},
		{{"true", "x"}, 9},
	};
	const char *why;

	(void)state;
	assert_int_equal(setenv("PATH", "/bin:/usr/bin", 1), 0);
	assert_null(smtpd_config_checkpw(NULL, 0, &why));
	assert_null(why);
	for (size_t i = 0; i < N_OF(cases); i++) {
		const char *const *args = cases[i].args, *const *got;
		size_t n = 0;

		while (args[n] != NULL)
			n++;
		got = smtpd_config_checkpw(args, n, &why);
		if (cases[i].first == 9) {
			assert_null(got);
			assert_non_null(why);
		} else {
			assert_ptr_equal(got, args + cases[i].first);
			assert_null(why);
		}
	}
}

/* A client that says all at once; the replies' codes in a row. */
static char *
codes(struct smtpd_config *cfg, const char *in, size_t n)
{
	static char out[200];
	struct str replies = {0};
	size_t k = 0;

	(void)!smtpd_fake_play(cfg, in, n, &replies);
	for (size_t i = 0; i < replies.len && k + 5 < sizeof out;) {
		if (replies.s[i + 3] == ' ') {
			memcpy(out + k, replies.s + i, 3);
			out[k + 3] = ' ';
			k += 4;
		}
		i += bytes_chr(replies.s + i, replies.len - i, '\n') + 1;
	}
	out[k > 0 ? k - 1 : 0] = '\0';
	str_free(&replies);
	return out;
}

static void
test_session(void **state)
{
	static const char in[] = "EHLO x\r\n"
	    "MAIL FROM:<a@b> RET=HDRS ENVID=x+2By\r\n"
	    "RCPT TO:<c@d> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;e@f\r\n"
	    "RCPT TO:<no@example.org>\r\nRCPT TO:<g@h>\r\n"
	    "DATA\r\nx\r\n.\r\nQUIT\r\n";
	struct smtpd_config cfg;

	(void)state;
	smtpd_fake_reset();
	smtpd_fake_config(&cfg);
	cfg.relayclient = "";
	assert_string_equal(codes(&cfg, in, sizeof in - 1),
	    "220 250 250 250 550 250 354 250 221");
	assert_int_equal(smtpd_fake.queued, 1);
	assert_string_equal(str_c(&smtpd_fake.envelope),
	    "Fa@b|MRET=HDRS ENVID=x+2By|Tc@d|"
	    "NNOTIFY=SUCCESS,FAILURE ORCPT=rfc822;e@f|Tg@h|");
	smtpd_config_free(&cfg);
	smtpd_fake_reset();
}

/* Whatever is cut off before the dot is queued by nobody. */
static void
test_cut_off(void **state)
{
	static const char in[] = "EHLO x\r\nMAIL FROM:<a@b>\r\n"
	    "RCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\n";
	struct smtpd_config cfg;

	(void)state;
	smtpd_fake_reset();
	smtpd_fake_config(&cfg);
	cfg.relayclient = "";
	for (size_t n = 0; n < sizeof in - 1; n++) {
		(void)codes(&cfg, in, n);
		assert_int_equal(smtpd_fake.queued, 0);
	}
	(void)codes(&cfg, in, sizeof in - 1);
	assert_int_equal(smtpd_fake.queued, 1);
	smtpd_config_free(&cfg);
	smtpd_fake_reset();
}

/* Each of these queues nothing and says so. */
static void
test_refused_messages(void **state)
{
	static const struct {
		const char *data, *want;
		size_t n;
	} cases[] = {
		{"a\n.\r\n", "220 250 250 250 354 521", 5},
		{"a\r\n.\n\r\n", "220 250 250 250 354 521", 7},
		{"a\rb\r\n.\r\n", "220 250 250 250 354 521", 8},
		{"a\0\r\n.\r\n", "220 250 250 250 354 521", 7},
	};
	struct smtpd_config cfg;

	(void)state;
	smtpd_fake_reset();
	smtpd_fake_config(&cfg);
	cfg.relayclient = "";
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct str in = {0};

		str_cats(&in, "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"
		    "DATA\r\n");
		str_catb(&in, cases[i].data, cases[i].n);
		assert_string_equal(codes(&cfg, in.s, in.len),
		    cases[i].want);
		str_free(&in);
	}
	assert_int_equal(smtpd_fake.queued, 0);
	assert_int_equal(smtpd_fake.dropped, N_OF(cases));
	smtpd_config_free(&cfg);
	smtpd_fake_reset();
}

/* Time: nothing said at all, and a session that is too old. */
static void
test_times(void **state)
{
	struct smtpd_config cfg;
	struct str out = {0};
	struct io io;
	int fd[2], back[2];

	(void)state;
	smtpd_fake_reset();
	smtpd_fake_config(&cfg);
	cfg.times.idle = 1;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(pipe(back), 0);
	io_init(&io, fd[0], back[1], 1);
	assert_int_equal(smtpd_session(&io, &cfg, NULL), 0);
	assert_non_null(strstr(str_c(&smtpd_fake.log), "reason=timeout"));
	for (int i = 0; i < 2; i++) {
		(void)close(fd[i]);
		(void)close(back[i]);
	}
	cfg.times.idle = 60000;
	cfg.times.session = -1;
	cfg.relayclient = "";
	assert_int_equal(smtpd_fake_play(&cfg, "NOOP\r\nNOOP\r\n", 12, &out),
	    0);
	assert_non_null(strstr(str_c(&smtpd_fake.log),
	    "reason=session_time"));
	str_free(&out);
	smtpd_config_free(&cfg);
	smtpd_fake_reset();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_path_lengths),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_proxy_endless),
		cmocka_unit_test(test_sender),
		cmocka_unit_test(test_checkpw_arguments),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_refused_messages),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
