/* test_remote_parse.c - what qmail-remote reads of others: replies, EHLO,
 * routes, parts of MIME; each in every split where it comes in pieces. */
#include "TESTS/unit/unit.h"

#include "remote/ehlo.h"
#include "remote/idna.h"
#include "remote/mime.h"
#include "remote/reply.h"
#include "remote/routes.h"
#include "remote/tlspolicy.h"

static const struct {
	const char *wire;
	enum reply_status want;
	unsigned code;
	const char *text;
	size_t used;            /* 0: all */
} replies[] = {
	{"250 ok\r\n", REPLY_DONE, 250, "250 ok\n", 0},
	{"250\r\n", REPLY_DONE, 250, "250\n", 0},
	{"250 \r\n", REPLY_DONE, 250, "250 \n", 0},
	{"250-a\r\n250-b\r\n250 c\r\n", REPLY_DONE, 250,
	    "250-a\n250-b\n250 c\n", 0},
	{"250-a\r\n250\r\n", REPLY_DONE, 250, "250-a\n250\n", 0},
	{"220 hi\n", REPLY_DONE, 220, "220 hi\n", 0},
	{"220 one\r\n250 two\r\n", REPLY_DONE, 220, "220 one\n", 9},
	{"354 \xc3\xbc\r\n", REPLY_DONE, 354, "354 \xc3\xbc\n", 0},
	{"500 \x1b\x07\t\x7f\xff\xc2\x9b.\r\n", REPLY_DONE, 500,
	    "500 ?? ???.\n", 0},
	{"250-a\r\n", REPLY_MORE, 250, "250-a\n", 0},
	{"250 unfinished", REPLY_MORE, 0, "", 0},
	{"", REPLY_MORE, 0, "", 0},
	{"199 x\r\n", REPLY_BAD, 0, "199 x\n", 0},
	{"600 x\r\n", REPLY_BAD, 0, "600 x\n", 0},
	{"25 ok\r\n", REPLY_BAD, 0, "25 ok\n", 0},
	{"2500\r\n", REPLY_BAD, 0, "2500\n", 0},
	{"250ok\r\n", REPLY_BAD, 0, "250ok\n", 0},
	{"\r\n", REPLY_BAD, 0, "\n", 0},
	{"hello\r\n", REPLY_BAD, 0, "hello\n", 0},
	{"250-a\r\n251 b\r\n", REPLY_BAD, 250, "250-a\n251 b\n", 0},
	{"2\xb2 0 x\r\n", REPLY_BAD, 0, "2? 0 x\n", 0},
};

static void
test_replies_every_split(void **state)
{
	(void)state;
	for (size_t c = 0; c < N_OF(replies); c++)
		for (size_t step = 1; step <= strlen(replies[c].wire) + 1;
		    step++) {
			const char *s = replies[c].wire;
			size_t n = strlen(s), at = 0, used;
			enum reply_status st = REPLY_MORE;
			struct reply r = {0};

			while (st == REPLY_MORE && at < n) {
				st = reply_feed(&r, s + at,
				    n - at < step ? n - at : step, &used);
				at += used;
			}
			assert_int_equal(st, replies[c].want);
			assert_int_equal(r.code, replies[c].code);
			assert_string_equal(str_c(&r.text), replies[c].text);
			assert_int_equal(at, replies[c].used != 0 ?
			    replies[c].used : n);
			reply_free(&r);
		}
}

static void
test_reply_limits(void **state)
{
	static char line[REPLY_LINE_MAX + 10];
	struct reply r = {0};
	size_t used, i;

	(void)state;
	memset(line, 'x', sizeof line);
	memcpy(line, "250 ", 4);
	assert_int_equal(reply_feed(&r, line, sizeof line, &used), REPLY_BAD);
	assert_true(used <= REPLY_LINE_MAX);
	reply_clear(&r);
	for (i = 0; i < REPLY_LINES_MAX; i++)
		assert_int_equal(reply_feed(&r, "250-more\r\n", 10, &used),
		    REPLY_MORE);
	assert_int_equal(reply_feed(&r, "250-more\r\n", 10, &used),
	    REPLY_BAD);
	assert_true(r.text.len <= REPLY_TEXT_MAX);
	/* Cut between characters. */
	for (size_t shift = 0; shift < 4; shift++) {
		reply_clear(&r);
		memset(line, 'x', sizeof line);
		memcpy(line, "250-", 4);
		line[3000] = '\n';
		assert_int_equal(reply_feed(&r, line, 3001, &used),
		    REPLY_MORE);
		memcpy(line, "250 ", 4);
		for (i = 4 + shift; i + 3 < 3000; i += 3)
			memcpy(line + i, "\xe2\x82\xac", 3);
		line[i] = '\n';
		assert_int_equal(reply_feed(&r, line, i + 1, &used),
		    REPLY_DONE);
		assert_true(r.text.len <= REPLY_TEXT_MAX &&
		    r.text.len > REPLY_TEXT_MAX - 5);
		for (i = 0; i + 1 < r.text.len; i++)
			if ((r.text.s[i] & 0xf0) == 0xe0)
				assert_true((r.text.s[i + 2] & 0xc0) == 0x80);
	}
	reply_free(&r);
}

static void
test_enhanced(void **state)
{
	static const struct { const char *wire, *want; } cases[] = {
		{"550 5.1.1 no\r\n", "5.1.1"}, {"550 5.1.1\r\n", "5.1.1"},
		{"451 4.7.500 x\r\n", "4.7.500"},
		{"550-5.7.1 a\r\n550 5.7.1 b\r\n", "5.7.1"},
		{"550 4.1.1 no\r\n", ""}, {"550 no\r\n", ""},
		{"550 5.1 no\r\n", ""}, {"550 5.1.1.1 no\r\n", ""},
		{"550 5.1.1000 no\r\n", ""}, {"550 5.x.1 no\r\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct reply r = {0};
		const char *s = "";
		size_t used, n;

		assert_int_equal(reply_feed(&r, cases[i].wire,
		    strlen(cases[i].wire), &used), REPLY_DONE);
		n = reply_enhanced(&r, &s);
		assert_int_equal(n, strlen(cases[i].want));
		assert_memory_equal(s, cases[i].want, n);
		reply_free(&r);
	}
}

static struct ehlo
ehlo_of(const char *text)
{
	struct ehlo e;

	ehlo_parse(&e, text, strlen(text));
	return e;
}

static void
test_ehlo(void **state)
{
	struct ehlo e = ehlo_of("250-mx PIPELINING\n250-pipelining\n"
	    "250-8BITMIME\n250-SMTPUTF8\n250-Size 1000\n250-DSN\n"
	    "250-CHUNKING\n250-STARTTLS\n250-AUTH LOGIN  PLAIN\n"
	    "250 LIMITS RCPTMAX=20 MAILMAX=7 FOO=1\n");

	(void)state;
	assert_true(e.pipelining && e.eightbitmime && e.smtputf8 && e.size &&
	    e.dsn && e.chunking && e.starttls && e.auth_plain &&
	    e.auth_login);
	assert_int_equal(e.size_max, 1000);
	assert_int_equal(e.rcpt_max, 20);
	assert_int_equal(e.mail_max, 7);
	/* The first line is a name. */
	e = ehlo_of("250 PIPELINING\n");
	assert_false(e.pipelining);
	e = ehlo_of("250-x\n250 8BITMIMES\n");
	assert_false(e.eightbitmime);
	e = ehlo_of("250-x\n250-SIZE\n250-AUTH=LOGIN\n250-\n250\n");
	assert_true(e.size && e.size_max == 0 && e.auth_login);
	assert_false(e.auth_plain);
	e = ehlo_of("250-x\n250 SIZE abc\n");
	assert_int_equal(e.size_max, 0);
	e = ehlo_of("");
	assert_false(e.size);
	e = ehlo_of("250-x\n250-LIMITS RCPTMAX= MAILMAX=x\n");
	assert_true(e.rcpt_max == 0 && e.mail_max == 0);
}

static const struct {
	const char *domain;
	enum routes_status want;
	const char *name;
	uint16_t port;
	enum tls_level tls;
	const char *auth;
} found[] = {
	{"a.example", ROUTES_FOUND, "relay.example", 0, TLS_DEFAULT, ""},
	{"A.EXAMPLE", ROUTES_FOUND, "relay.example", 0, TLS_DEFAULT, ""},
	{"x.a.example", ROUTES_FOUND, "any", 2525, TLS_DEFAULT, ""},
	{"b.example", ROUTES_FOUND, "", 0, TLS_DEFAULT, ""},
	{"x.s.example", ROUTES_FOUND, "[::1]", 587, TLS_REQUIRE, ""},
	{"s.example", ROUTES_FOUND, "any", 2525, TLS_DEFAULT, ""},
	{"auth.example", ROUTES_FOUND, "r", 587, TLS_VERIFY, "me"},
	{"auth2.example", ROUTES_FOUND, "r", 0, TLS_REQUIRE, "me"},
	{"[10.0.0.1]", ROUTES_FOUND, "lit", 0, TLS_DEFAULT, ""},
	{"[IPv6:::2]", ROUTES_FOUND, "lit6", 0, TLS_DEFAULT, ""},
	{"colon.example", ROUTES_FOUND, "r", 0, TLS_DEFAULT, ""},
	{"never.example", ROUTES_FOUND, "", 0, TLS_NEVER, ""},
	{"bad1.example", ROUTES_BAD, NULL, 0, TLS_DEFAULT, NULL},
	{"bad2.example", ROUTES_BAD, NULL, 0, TLS_DEFAULT, NULL},
	{"bad3.example", ROUTES_BAD, NULL, 0, TLS_DEFAULT, NULL},
	{"bad4.example", ROUTES_BAD, NULL, 0, TLS_DEFAULT, NULL},
	{"", ROUTES_FOUND, "any", 2525, TLS_DEFAULT, ""},
};

static void
test_routes(void **state)
{
	static const char lines[] = "a.example:relay.example\0" "b.example:\0"
	    "no colon\0" ".s.example:[::1]:587 tls=require\0"
	    "auth.example:r:587\tauth=me\0"
	    "auth2.example:r  tls=REQUIRE  auth=me\0" "[10.0.0.1]:lit\0"
	    "[IPv6:::2]:lit6\0" "colon.example:r:\0"
	    "never.example: tls=never\0" "bad1.example:r:99999\0"
	    "bad2.example:r x=y\0" "bad3.example:[::1\0"
	    "bad4.example:[::1]x\0" ":old\0" ":any:2525\0";
	struct str all = {0};
	struct routes r = {0};

	(void)state;
	str_copyb(&all, lines, sizeof lines - 1);
	routes_load(&r, &all);
	for (size_t i = 0; i < N_OF(found); i++) {
		struct relay got;
		const char *reason = NULL;

		assert_int_equal(routes_find(&r, found[i].domain, &got,
		    &reason), found[i].want);
		if (found[i].want == ROUTES_BAD) {
			assert_non_null(reason);
			continue;
		}
		assert_string_equal(str_c(&got.name), found[i].name);
		assert_int_equal(got.port, found[i].port);
		assert_int_equal(got.tls, found[i].tls);
		assert_string_equal(str_c(&got.auth), found[i].auth);
		relay_free(&got);
	}
	routes_free(&r);
	str_copys(&all, "x.example:y");
	str_catc(&all, '\0');
	routes_load(&r, &all);
	{
		const char *reason;
		struct relay got;

		assert_int_equal(routes_find(&r, "z.example", &got, &reason),
		    ROUTES_NONE);
	}
	routes_free(&r);
	str_free(&all);
}

static void
test_mime(void **state)
{
	static const char header[] =
	    "Subject: Content-Type: text/plain\n"
	    "content-TYPE : (a (nested) comment) Multipart/Mixed;\n"
	    "\tcharset=x; BOUNDARY = \"a \\\"b\" ; boundary=no\n"
	    "Content-Type: text/plain\n"
	    "Content-Transfer-Encoding:\n 8BIT (eight)\n"
	    "MIME-Version: 1.0\n";
	struct mime m;

	(void)state;
	mime_parse(&m, header, sizeof header - 1, false);
	assert_true(m.has_version && m.has_type);
	assert_int_equal(m.kind, MIME_MULTIPART);
	assert_int_equal(m.cte, MIME_8BIT);
	assert_string_equal(str_c(&m.boundary), "a \"b");
	mime_free(&m);
	mime_parse(&m, "", 0, false);
	assert_int_equal(m.kind, MIME_TEXT);
	mime_parse(&m, "", 0, true);
	assert_int_equal(m.kind, MIME_MESSAGE);
	mime_parse(&m, "Content-Type: nonsense\n", 23, false);
	assert_int_equal(m.kind, MIME_OTHER);
	mime_parse(&m, "Content-Type: text/plain; boundary=\"unfinished", 46,
	    false);
	assert_int_equal(m.kind, MIME_TEXT);
	mime_free(&m);
}

/* 3492:7.1 (A, C, I, L; L ends in a hyphen there only in upper case) and
 * names in use. */
static void
test_idna(void **state)
{
	static const struct { const char *utf8, *want; } names[] = {
		{"plain.Example", "plain.Example"}, {"", ""}, {".", "."},
		{"a..b", "a..b"},
		{"\xc3\xbc.example", "xn--tda.example"},
		{"m\xc3\xbcnchen.example", "xn--mnchen-3ya.example"},
		{"B\xc3\xbc" "cher.example", "xn--bcher-kva.example"},
		{"\xe2\x98\x83.net", "xn--n3h.net"},
		{"\xe4\xbb\x96\xe4\xbb\xac\xe4\xb8\xba\xe4\xbb\x80\xe4\xb9\x88\xe4"
		    "\xb8\x8d\xe8\xaf\xb4\xe4\xb8\xad\xe6\x96\x87",
		    "xn--ihqwcrb4cv8a8dqg056pqjye"},
		{"\xf0\x9f\x92\xa9.la", "xn--ls8h.la"},
		{"\xff.example", NULL}, {"\xc0\xaf", NULL},
	};
	struct str out = {0}, longer = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		int r = idna_cat_domain(&out, names[i].utf8,
		    strlen(names[i].utf8));

		assert_int_equal(r, names[i].want != NULL ? 0 : -1);
		assert_string_equal(str_c(&out), r == 0 ? names[i].want : "");
		str_clear(&out);
	}
	for (size_t i = 0; i < 64; i++)
		str_cats(&longer, i % 2 ? "\xf0\x9f\x92\xa9" : "\xc3\xbc");
	assert_int_equal(idna_cat_domain(&out, longer.s, longer.len), -1);
	assert_true(idna_cat_addr(&out, "a@\xc3\xbc.example"));
	assert_string_equal(str_c(&out), "a@xn--tda.example");
	assert_false(idna_cat_addr(&out, "\xc3\xbc@x.example"));
	assert_false(idna_cat_addr(&out, "a@\xff"));
	str_free(&out);
	str_free(&longer);
}

static void
test_tlsa(void **state)
{
	char r[70] = {3, 1, 1};

	(void)state;
	assert_true(tls_policy_usable(r, 35));
	assert_false(tls_policy_usable(r, 34));
	assert_false(tls_policy_usable(r, 36));
	assert_false(tls_policy_usable(r, 3));
	assert_false(tls_policy_usable("", 0));
	r[2] = 2;
	assert_true(tls_policy_usable(r, 67));
	assert_false(tls_policy_usable(r, 35));
	r[2] = 0;
	assert_true(tls_policy_usable(r, 4));
	r[2] = 3;
	assert_false(tls_policy_usable(r, 67));
	r[2] = 1;
	r[0] = 1;
	assert_false(tls_policy_usable(r, 35));
	r[0] = 2;
	assert_true(tls_policy_usable(r, 35));
	r[1] = 2;
	assert_false(tls_policy_usable(r, 35));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies_every_split),
		cmocka_unit_test(test_reply_limits),
		cmocka_unit_test(test_enhanced),
		cmocka_unit_test(test_ehlo),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_mime),
		cmocka_unit_test(test_idna),
		cmocka_unit_test(test_tlsa),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
