/* test_ucspitools.c - the tools around tcpserver, without a network: line
 * ends with every split, recordio's lines, what a relay does at an end, DNS
 * lists and the refusing session, ident answers. */
#include "supervise/crlf.h"
#include "supervise/rbl.h"
#include "supervise/record.h"
#include "supervise/relay.h"
#include "supervise/tcpwho.h"

#include "TESTS/unit/unit.h"

#include "lib/sock.h"
#include "lib/tai.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

static const struct {
	const char *in, *add, *fix, *del;
} ends[] = {
	{"", "", "", ""},
	{"a", "a", "a", "a"},
	{"a\n", "a\r\n", "a\r\n", "a\n"},
	{"a\r\n", "a\r\r\n", "a\r\n", "a\n"},
	{"a\r\r\n", "a\r\r\r\n", "a\r\r\n", "a\r\n"},
	{"a\rb\n", "a\rb\r\n", "a\rb\r\n", "a\rb\n"},
	{"a\r", "a\r", "a\r", "a\r"},
	{"\n\n", "\r\n\r\n", "\r\n\r\n", "\n\n"},
	{"\r\n\n\r", "\r\r\n\r\n\r", "\r\n\r\n\r", "\n\n\r"},
	{"\r\r", "\r\r", "\r\r", "\r\r"},
};

static void
test_line_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(ends); i++)
		for (size_t piece = 1; piece < 8; piece++) {
			struct crlf f = {0}, d = {0};
			struct str add = {0}, fix = {0}, del = {0};
			size_t n = strlen(ends[i].in);

			for (size_t at = 0; at < n; at += piece) {
				size_t k = n - at < piece ? n - at : piece;

				crlf_add(&add, ends[i].in + at, k);
				crlf_fix(&f, &fix, ends[i].in + at, k);
				crlf_del(&d, &del, ends[i].in + at, k);
			}
			crlf_del_end(&d, &del);
			assert_string_equal(str_c(&add), ends[i].add);
			assert_string_equal(str_c(&fix), ends[i].fix);
			assert_string_equal(str_c(&del), ends[i].del);
			str_free(&add);
			str_free(&fix);
			str_free(&del);
		}
}

static const struct {
	const char *in, *lines;
} packets[] = {
	{"", "7 < [EOF]\n"},
	{"test\n", "7 < test \n"},
	{"test", "7 < test+\n"},
	{"a\nb\n", "7 < a \n7 < b \n"},
	{"a\nb", "7 < a \n7 < b+\n"},
	{"\n", "7 <  \n"},
	{"EHLO x\r\n", "7 < EHLO x? \n"},
	{"\x01\t\x7f\xc3\n", "7 < ???? \n"},
};

static void
test_record(void **state)
{
	struct str out = {0}, in = {0};
	size_t text = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(packets); i++) {
		str_clear(&out);
		record_cat(&out, 7, '<', packets[i].in,
		    strlen(packets[i].in));
		assert_string_equal(str_c(&out), packets[i].lines);
	}
	/* Long lines become several short ones and lose nothing. */
	for (int i = 0; i < 1000; i++)
		str_catc(&in, 'x');
	str_catc(&in, '\n');
	str_clear(&out);
	record_cat(&out, UINT64_MAX, '>', in.s, in.len);
	for (const char *p = str_c(&out); *p != '\0';) {
		size_t n = strcspn(p, "\n");

		assert_in_range(n, 1, 510);
		for (size_t i = 0; i < n; i++)
			text += p[i] == 'x';
		p += n + 1;
	}
	assert_int_equal(text, 1000);
	assert_string_equal(out.s + out.len - 3, "x \n");
	str_free(&in);
	str_free(&out);
}

/* The second flow goes on when the first has ended, and ends it all. */
static void
upper(struct relay_flow *f, const char *s, size_t n, struct str *out)
{
	(void)f;
	for (size_t i = 0; i < n; i++)
		str_catc(out, s[i] >= 'a' && s[i] <= 'z' ?
		    (char)(s[i] - 32) : s[i]);
	if (n == 0)
		str_cats(out, "!");
}

static void
test_relay(void **state)
{
	struct relay_flow in = {.change = upper}, out = {.change = upper};
	int a[2], b[2], c[2], d[2];
	char buf[64];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(a) | pipe(b) | pipe(c) | pipe(d), 0);
	assert_int_equal(write(a[1], "one", 3), 3);
	assert_int_equal(write(c[1], "two", 3), 3);
	assert_int_equal(close(a[1]) | close(c[1]), 0);
	in.from = a[0];
	in.to = b[1];
	out.from = c[0];
	out.to = d[1];
	assert_int_equal(relay_run(&in, &out), 0);
	n = read(b[0], buf, sizeof buf);
	assert_true(n == 3 || n == 4);          /* the other flow ended it */
	assert_memory_equal(buf, "ONE!", (size_t)n);
	n = read(d[0], buf, sizeof buf);
	assert_int_equal(n, 4);
	assert_memory_equal(buf, "TWO!", 4);
	(void)close(b[0]);
	(void)close(b[1]);
	(void)close(d[0]);
	(void)close(d[1]);
	(void)close(a[0]);
	(void)close(c[0]);
}

/* The peer has gone: what it can no longer be told ends the relay. */
static void
test_relay_gone(void **state)
{
	struct relay_flow in = {.change = upper, .keep_to = true};
	struct relay_flow out = {.change = upper};
	int a[2], b[2], c[2], d[2];

	(void)state;
	assert_int_equal(pipe(a) | pipe(b) | pipe(c) | pipe(d), 0);
	assert_int_equal(write(c[1], "two", 3), 3);
	assert_int_equal(close(d[0]), 0);
	in.from = a[0];
	in.to = b[1];
	out.from = c[0];
	out.to = d[1];
	assert_int_equal(relay_run(&in, &out), 0);
	for (int i = 0; i < 2; i++) {
		(void)close(a[i]);
		(void)close(b[i]);
		(void)close(c[i]);
	}
	(void)close(d[1]);
}

static struct ip
ip_of(const char *s)
{
	struct ip ip;

	assert_int_equal(ip_parse(s, strlen(s), &ip), 0);
	return ip;
}

static void
test_rbl_names(void **state)
{
	struct rbl_source s;
	struct str name = {0};
	struct ip ip = ip_of("192.0.2.10");

	(void)state;
	assert_int_equal(rbl_parse_source("dnsbl.example", false, &s), 0);
	rbl_cat_name(&name, &ip, &s);
	assert_string_equal(str_c(&name), "10.2.0.192.dnsbl.example");
	str_clear(&name);
	ip = ip_of("2001:db8:1:2:3:4:567:89ab");        /* 5782:2.4 */
	assert_int_equal(rbl_parse_source("ugly.example:=127.0.0.2", false,
	    &s), 0);
	rbl_cat_name(&name, &ip, &s);
	assert_string_equal(str_c(&name), "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0."
	    "2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example");
	str_free(&name);
}

static void
test_rbl_sources(void **state)
{
	static const char *const bad[] = {"", ":=127.0.0.2", "a:", "a:x",
	    "a:=", "a:=,", "a:=127.0.0.2,", "a:=127.0.0.2,,127.0.0.3",
	    "a:=127.0.0", "a:=127.0.0.2/33", "a:b:=127.0.0.2"};
	struct rbl_source s;
	struct ip two = ip_of("127.0.0.2"), ten = ip_of("127.0.0.10"),
	    open = ip_of("127.255.255.254");

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_int_equal(rbl_parse_source(bad[i], false, &s), -1);
	assert_int_equal(rbl_parse_source("a.b:=127.0.0.2,127.0.0.8/30", true,
	    &s), 0);
	assert_true(s.allow);
	assert_int_equal(s.base_len, 3);
	assert_true(rbl_is_code(s.codes, &two));
	assert_true(rbl_is_code(s.codes, &ten));
	assert_false(rbl_is_code(s.codes, &open));
}

/* A world of lists: what each answers. */
struct world {
	const char *base;
	enum dns_status a, txt;
	const char *addr, *text;
};
static const struct world world[] = {
	{"listed.x", DNS_OK, DNS_OK, "127.0.0.2", "why\tnot"},
	{"mute.x", DNS_OK, DNS_NODATA, "127.0.0.4", NULL},
	{"none.x", DNS_NXDOMAIN, DNS_NXDOMAIN, NULL, NULL},
	{"down.x", DNS_TEMP, DNS_TEMP, NULL, NULL},
};

static enum dns_status
ask_world(void *arg, const char *name, enum dns_type type,
    struct dns_answer *out)
{
	unsigned *asked = arg;

	++*asked;
	for (size_t i = 0; i < N_OF(world); i++) {
		const char *at = strstr(name, world[i].base);

		if (at == NULL)
			continue;
		assert_int_equal(strncmp(name, "1.2.0.192.", 10), 0);
		out->status = type == DNS_A ? world[i].a : world[i].txt;
		if (out->status != DNS_OK)
			return out->status;
		out->rec = calloc(1, sizeof *out->rec);
		assert_non_null(out->rec);
		out->n = 1;
		if (type == DNS_A)
			out->rec[0].ip = ip_of(world[i].addr);
		else
			str_copys(&out->rec[0].data, world[i].text);
		return DNS_OK;
	}
	fail_msg("unknown list %s", name);
	return DNS_TEMP;
}

static const struct {
	const char *sources;            /* "-r a -a b", options first */
	enum rbl_verdict want;
	const char *text;
	unsigned asked;
} decisions[] = {
	{"", RBL_PASS, "", 0},
	{"r=none.x", RBL_PASS, "", 1},
	{"r=listed.x", RBL_TEMP, "why?not", 1},
	{"b r=listed.x", RBL_PERM, "why?not", 1},
	{"r=none.x r=listed.x r=mute.x", RBL_TEMP, "why?not", 2},
	{"r=mute.x", RBL_PASS, "", 1},                  /* no TXT */
	{"a=listed.x r=listed.x", RBL_PASS, "", 1},
	{"r=listed.x a=listed.x", RBL_TEMP, "why?not", 1},
	{"a=none.x r=listed.x", RBL_TEMP, "why?not", 2},
	/* Result codes. */
	{"r=listed.x:=127.0.0.2", RBL_TEMP, "why?not", 2},
	{"r=listed.x:=127.0.0.3", RBL_PASS, "", 1},
	{"b r=mute.x:=127.0.0.0/24", RBL_PERM,
	    "192.0.2.1 is listed by mute.x", 2},
	{"a=listed.x:=127.0.0.3 r=listed.x", RBL_TEMP, "why?not", 2},
	/* A list that cannot be asked. */
	{"r=down.x", RBL_PASS, "", 1},
	{"r=down.x r=listed.x", RBL_TEMP, "why?not", 2},
	{"c r=down.x", RBL_TEMP, "192.0.2.1 could not be looked up now, try "
	    "again later: down.x", 1},
	{"cb r=down.x", RBL_TEMP, "192.0.2.1 could not be looked up now, try "
	    "again later: down.x", 1},
	{"a=down.x r=listed.x", RBL_PASS, "", 1},
	{"cb a=down.x r=listed.x", RBL_TEMP, "why?not", 2},
	{"cb a=none.x r=listed.x", RBL_PERM, "why?not", 2},
};

static void
test_rbl_decide(void **state)
{
	struct ip client = ip_of("192.0.2.1");

	(void)state;
	for (size_t i = 0; i < N_OF(decisions); i++) {
		struct rbl_policy p = {0};
		struct str text = {0};
		const char *w = decisions[i].sources;
		struct str word[4] = {0};
		unsigned asked = 0;

		for (size_t k = 0; *w != '\0'; k++) {
			size_t n = strcspn(w, " ");

			assert_in_range(k, 0, 3);
			str_copyb(&word[k], w, n);
			w += n + (w[n] == ' ');
			if (n < 2 || word[k].s[1] != '=') {
				p.permanent |= memchr(word[k].s, 'b', n) != NULL;
				p.closed |= memchr(word[k].s, 'c', n) != NULL;
				continue;
			}
			assert_int_equal(rbl_parse_source(word[k].s + 2,
			    word[k].s[0] == 'a', &p.source[p.n++]), 0);
		}
		assert_int_equal(rbl_decide(&p, &client, ask_world, &asked,
		    &text), decisions[i].want);
		assert_string_equal(str_c(&text), decisions[i].text);
		assert_int_equal(asked, decisions[i].asked);
		str_free(&text);
		for (size_t k = 0; k < N_OF(word); k++)
			str_free(&word[k]);
	}
}

/* A name server that says nothing: its silence over the first list leaves no
 * time for the others. */
static void
test_rbl_time(void **state)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sin;
	struct rbl_policy p = {.n = 10};
	struct rbl_dns d = {.dns = {.nserver = 1}};
	struct ip client = ip_of("192.0.2.1");
	struct str text = {0};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), asked = 0;
	char packet[600];
	ssize_t n;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	d.dns.server[0].ip = ip_of("127.0.0.1");
	d.dns.server[0].port = ntohs(sin.sin_port);
	d.until = clock_mono_ms() + 300;
	assert_int_equal(rbl_parse_source("first.x", false, &p.source[0]), 0);
	for (size_t i = 1; i < p.n; i++)
		assert_int_equal(rbl_parse_source("other.x", false,
		    &p.source[i]), 0);
	assert_int_equal(rbl_decide(&p, &client, rbl_ask_dns, &d, &text),
	    RBL_PASS);
	assert_true(clock_mono_ms() >= d.until);
	for (; (n = recv(fd, packet, sizeof packet, MSG_DONTWAIT)) > 0;
	    asked++)
		assert_non_null(memmem(packet, (size_t)n, "\5first", 6));
	assert_true(asked >= 1);
	p.closed = true;
	assert_int_equal(rbl_decide(&p, &client, rbl_ask_dns, &d, &text),
	    RBL_TEMP);
	assert_int_equal(recv(fd, packet, sizeof packet, MSG_DONTWAIT), -1);
	assert_int_equal(close(fd), 0);
	str_free(&text);
}

static void
test_rbl_text(void **state)
{
	struct str in = {0}, out = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		str_cats(&in, "a\r\n");
	rbl_cat_text(&out, in.s, in.len);
	assert_int_equal(out.len, 200);
	assert_int_equal(strspn(out.s, "a?"), 200);
	str_free(&in);
	str_free(&out);
}

/* What the client says, in pieces; what it hears. */
static void
converse(const char *said, size_t piece, enum rbl_verdict v, int timeout,
    struct str *heard)
{
	static struct io io;
	char buf[4096];
	ssize_t got;
	int a, b;

	assert_int_equal(sock_pair(SOCK_STREAM, &a, &b), 0);
	for (size_t at = 0, n = strlen(said); at < n; at += piece)
		assert_true(send(b, said + at, n - at < piece ? n - at :
		    piece, MSG_DONTWAIT) > 0);
	if (timeout > 5000)
		assert_int_equal(shutdown(b, SHUT_WR), 0);
	io_init(&io, a, a, 1000);
	rbl_session(&io, v, "no", timeout);
	assert_int_equal(shutdown(a, SHUT_WR), 0);
	while ((got = read(b, buf, sizeof buf)) > 0)
		str_catb(heard, buf, (size_t)got);
	assert_int_equal(close(a) | close(b), 0);
}

static const struct {
	const char *said;
	enum rbl_verdict v;
	int timeout;
	const char *heard;
} sessions[] = {
	{"help\nquit\n", RBL_TEMP, 60000, "220 rblsmtpd.local\r\n451 no\r\n"
	    "221 rblsmtpd.local\r\n"},
	{"HeLo x\r\nEHLO\r\nMAIL FROM:<>\r\nRSET\r\nNOOP\r\nRCPT TO:<a>\r\n"
	    "DATA\r\n", RBL_PERM, 60000, "220 rblsmtpd.local\r\n"
	    "250 rblsmtpd.local\r\n250 rblsmtpd.local\r\n"
	    "250 rblsmtpd.local\r\n250 rblsmtpd.local\r\n"
	    "250 rblsmtpd.local\r\n553 no\r\n553 no\r\n"},
	{"QUITE\r\nHELOX\r\n\r\n", RBL_TEMP, 60000, "220 rblsmtpd.local\r\n"
	    "451 no\r\n451 no\r\n451 no\r\n"},
	{"quit\r\nhelp\r\n", RBL_TEMP, 60000, "220 rblsmtpd.local\r\n"
	    "221 rblsmtpd.local\r\n"},
	{"help", RBL_TEMP, 60000, "220 rblsmtpd.local\r\n"},
	{"", RBL_PERM, 0, "553 no\r\n"},
	{"", RBL_TEMP, 50, "220 rblsmtpd.local\r\n"},   /* time is over */
};

static void
test_rbl_session(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(sessions); i++)
		for (size_t piece = 1; piece < 20; piece += 3) {
			struct str heard = {0};

			converse(sessions[i].said, piece, sessions[i].v,
			    sessions[i].timeout, &heard);
			assert_string_equal(str_c(&heard), sessions[i].heard);
			str_free(&heard);
		}
}

static const struct {
	const char *line;
	const char *info;       /* NULL: none */
} idents[] = {
	{"6193, 23 : USERID : UNIX : stjohns", "stjohns"},      /* 1413:6 */
	{"6193,23:userid:OTHER:a b", "a_b"},
	{"6193 , 23 : USERID : UNIX ,UTF-8 : $(id)`x;", "__id__x_"},
	{"6193, 23 : USERID : UNIX :\t x:y", "x_y"},
	{"6193, 23 : ERROR : NO-USER", NULL},
	{"6193, 24 : USERID : UNIX : other", NULL},
	{"23, 6193 : USERID : UNIX : other", NULL},
	{"6193, 23 : USERID : UNIX :", NULL},
	{"6193, 23 : USERID", NULL},
	{"", NULL},
	{":::", NULL},
};

static void
test_ident(void **state)
{
	struct str out = {0}, line = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(idents); i++) {
		size_t n = strlen(idents[i].line);
		char *copy = malloc(n + 1);     /* reads past it are seen */

		assert_non_null(copy);
		memcpy(copy, idents[i].line, n);
		assert_int_equal(tcpwho_parse_ident(copy, n, 6193, 23, &out),
		    idents[i].info != NULL);
		if (idents[i].info != NULL)
			assert_string_equal(str_c(&out), idents[i].info);
		free(copy);
	}
	str_cats(&line, "1,2:USERID:U:");
	for (int i = 0; i < 500; i++)
		str_catc(&line, 'u');
	assert_true(tcpwho_parse_ident(line.s, line.len, 1, 2, &out));
	assert_int_equal(out.len, TCPWHO_INFO_MAX);
	str_free(&line);
	str_free(&out);
}

/* Host arguments that need no name server. */
static void
test_host(void **state)
{
	static const struct {
		const char *host;
		int family;
		enum tcpwho_status want;
		const char *first;
	} hosts[] = {
		{"", 0, TCPWHO_OK, "127.0.0.1"},
		{"0", 0, TCPWHO_OK, "127.0.0.1"},
		{"127.000.000.001", 0, TCPWHO_OK, "127.0.0.1"},
		{"[127.000.000.001]", 0, TCPWHO_OK, "127.0.0.1"},
		{"010.1.2.3", 4, TCPWHO_OK, "10.1.2.3"},
		{"[2001:DB8::1]", 0, TCPWHO_OK, "2001:db8::1"},
		{"2001:db8::1", 6, TCPWHO_OK, "2001:db8::1"},
		{"2001:db8::1", 4, TCPWHO_NONE, NULL},
		{"192.0.2.1", 6, TCPWHO_NONE, NULL},
		{"localhost", 4, TCPWHO_OK, "127.0.0.1"},
		{"LocalHost.", 6, TCPWHO_OK, "::1"},
	};
	const struct ip zero = ip_of("127.0.0.1");
	struct ip out[TCPWHO_ADDRS];
	char text[IP_TEXT];
	struct dns dns = {0};
	size_t n;

	(void)state;
	for (size_t i = 0; i < N_OF(hosts); i++) {
		assert_int_equal(tcpwho_host(&dns, hosts[i].host, &zero,
		    hosts[i].family, out, &n), hosts[i].want);
		assert_int_equal(n > 0, hosts[i].first != NULL);
		if (n > 0)
			assert_string_equal(ip_text(&out[0], text),
			    hosts[i].first);
	}
	/* A label that no DNS question can hold. */
	assert_int_equal(tcpwho_host(&dns, "thislabelistoolongbecausedns"
	    "hasalimitof63charactersinasinglelabel.x.", &zero, 0, out, &n),
	    TCPWHO_TEMP);
	assert_int_equal(errno, EPROTO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_relay_gone),
		cmocka_unit_test(test_rbl_names),
		cmocka_unit_test(test_rbl_sources),
		cmocka_unit_test(test_rbl_decide),
		cmocka_unit_test(test_rbl_time),
		cmocka_unit_test(test_rbl_text),
		cmocka_unit_test(test_rbl_session),
		cmocka_unit_test(test_ident),
		cmocka_unit_test(test_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
