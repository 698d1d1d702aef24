/* test_dns_parse.c - names and messages of every wrong shape, resolv.conf, and
 * the exact bytes of a query.  Messages are written here by hand, section by
 * section, and read from heap blocks of exactly their size. */
#include "lib/dns_parse.h"

#include "TESTS/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

/* A message under construction. */
struct wire {
	unsigned char b[70000];
	size_t n;
};

static struct wire w;

static void
u8(unsigned v)
{
	w.b[w.n++] = (unsigned char)v;
}

static void
u16(unsigned v)
{
	u8(v >> 8 & 255);
	u8(v & 255);
}

static void
bytes(const void *p, size_t n)
{
	memcpy(w.b + w.n, p, n);
	w.n += n;
}

/* A name in full; "." is the root. */
static void
name(const char *s)
{
	while (*s != '\0' && *s != '.') {
		size_t n = strcspn(s, ".");

		u8((unsigned)n);
		bytes(s, n);
		s += n + (s[n] == '.');
	}
	u8(0);
}

static void
pointer(size_t to)
{
	u16(0xc000 | (unsigned)to);
}

#define ID 0x1234
#define QUESTION 12             /* where its name begins */

/* Head and question; flags: QR RD RA unless or'ed more. */
static void
begin(const char *q, unsigned type, unsigned flags, unsigned an, unsigned ns,
    unsigned ar)
{
	w.n = 0;
	u16(ID);
	u16(0x8180 | flags);
	u16(1);
	u16(an);
	u16(ns);
	u16(ar);
	name(q);
	u16(type);
	u16(1);
}

/* What follows an owner; rdlen as it is said to be. */
static void
fixed(unsigned type, unsigned rdlen)
{
	u16(type);
	u16(1);
	u16(0);
	u16(300);
	u16(rdlen);
}

static void
opt(unsigned ext)
{
	u8(0);
	u16(41);
	u16(1232);
	u8(ext);
	u8(0);
	u16(0);
	u16(0);
}

static void
address(const char *owner, const char *four)
{
	if (owner == NULL)
		pointer(QUESTION);
	else
		name(owner);
	fixed(1, 4);
	bytes(four, 4);
}

static void
alias(const char *owner, const char *to)
{
	size_t at;

	name(owner);
	fixed(5, 0);
	at = w.n;
	name(to);
	w.b[at - 1] = (unsigned char)(w.n - at);
}

static struct dns_question
question(const char *q, enum dns_type type)
{
	struct dns_question out = {.id = ID, .type = type};

	assert_int_equal(dns_name_pack(q, &out.name), 0);
	return out;
}

static enum dns_verdict
parse_n(size_t n, const char *q, enum dns_type type, struct dns_answer *out)
{
	struct dns_question qu = question(q, type);
	unsigned char *exact = malloc(n ? n : 1);
	enum dns_verdict v;

	assert_non_null(exact);
	memcpy(exact, w.b, n);
	v = dns_answer_parse(exact, n, &qu, out);
	free(exact);
	return v;
}

/* A verdict without an answer. */
static enum dns_verdict
verdict(const char *q, enum dns_type type)
{
	struct dns_answer a = {.n = 77};
	enum dns_verdict v = parse_n(w.n, q, type, &a);

	if (v == DNS_ANSWERED)
		dns_answer_free(&a);
	else
		assert_int_equal(a.n, 77);      /* untouched */
	return v;
}

static enum dns_status
status(const char *q, enum dns_type type)
{
	struct dns_answer a = {0};
	enum dns_status st;

	assert_int_equal(parse_n(w.n, q, type, &a), DNS_ANSWERED);
	st = a.status;
	dns_answer_free(&a);
	return st;
}

/* Names. */

static char label63[64], label64[65], name253[254], name254[255];

static int
make_names(void **state)
{
	(void)state;
	memset(label63, 'a', 63);
	memset(label64, 'a', 64);
	/* 63.63.63.61: 4 lengths, 250 letters and the zero are 255 */
	memset(name253, 'b', 253);
	name253[63] = name253[127] = name253[191] = '.';
	memset(name254, 'b', 254);
	name254[63] = name254[127] = name254[191] = '.';
	return 0;
}

static void
test_pack(void **state)
{
	static const struct { const char *text, *wire; } good[] = {
		{"a", "\1a"}, {"a.", "\1a"}, {"A.b", "\1A\1b"},
		{"mx.example.org", "\2mx\7example\3org"},
		{"_25._tcp.x", "\3_25\4_tcp\1x"},
		{"a b", "\3a b"}, {"\303\244.de", "\2\303\244\2de"},
	};
	static const char *const bad[] = {"", ".", "..", ".a", "a..", "a..b"};
	struct dns_wire_name n;

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++) {
		assert_int_equal(dns_name_pack(good[i].text, &n), 0);
		assert_int_equal(n.len, strlen(good[i].wire) + 1);
		assert_memory_equal(n.b, good[i].wire, n.len);
	}
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_int_equal(dns_name_pack(bad[i], &n), -1);
	assert_int_equal(dns_name_pack(label63, &n), 0);
	assert_int_equal(dns_name_pack(label64, &n), -1);
	assert_int_equal(dns_name_pack(name253, &n), 0);
	assert_int_equal(n.len, 255);
	assert_int_equal(dns_name_pack(name254, &n), -1);
	{
		char dotted[255];

		(void)snprintf(dotted, sizeof dotted, "%s.", name253);
		assert_int_equal(dns_name_pack(dotted, &n), 0);
		assert_int_equal(n.len, 255);
	}
}

static void
test_equal(void **state)
{
	struct dns_wire_name a, b, c, d;

	(void)state;
	assert_int_equal(dns_name_pack("Mx.EXAMPLE.org", &a), 0);
	assert_int_equal(dns_name_pack("mX.example.ORG", &b), 0);
	assert_int_equal(dns_name_pack("mx.example.orh", &c), 0);
	assert_int_equal(dns_name_pack("mx.example.org.a", &d), 0);
	assert_true(dns_name_equal(&a, &b));
	assert_false(dns_name_equal(&a, &c));
	assert_false(dns_name_equal(&a, &d));
	/* only letters have a case: '[' is 'A' + 26, '{' its "lower" */
	assert_int_equal(dns_name_pack("[", &a), 0);
	assert_int_equal(dns_name_pack("{", &b), 0);
	assert_false(dns_name_equal(&a, &b));
	/* a dot in a label is no boundary: "a.b" of one label, and of two */
	a = (struct dns_wire_name){.len = 5, .b = "\3a.b"};
	b = (struct dns_wire_name){.len = 5, .b = "\1a\1b"};
	assert_false(dns_name_equal(&a, &b));
}

static void
test_text(void **state)
{
	struct dns_wire_name n;
	struct str s = {0};

	(void)state;
	assert_int_equal(dns_name_pack("MX-1._x.Example.ORG", &n), 0);
	assert_int_equal(dns_name_text(&n, &s), 0);
	assert_string_equal(str_c(&s), "mx-1._x.example.org");
	n = (struct dns_wire_name){.len = 1};
	assert_int_equal(dns_name_text(&n, &s), 0);
	assert_string_equal(str_c(&s), "");
	for (unsigned c = 0; c < 256; c++) {
		bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || c == '-' || c == '_';

		n = (struct dns_wire_name){.len = 4, .b = {2, 'x',
		    (unsigned char)c, 0}};
		assert_int_equal(dns_name_text(&n, &s), good ? 0 : -1);
	}
	str_free(&s);
}

static int
read_at(size_t at, struct dns_wire_name *out, size_t *next)
{
	unsigned char *exact = malloc(w.n ? w.n : 1);
	int r;

	assert_non_null(exact);
	memcpy(exact, w.b, w.n);
	r = dns_name_read(exact, w.n, at, out, next);
	free(exact);
	return r;
}

static void
test_read(void **state)
{
	struct dns_wire_name out, want;
	size_t next, at;

	(void)state;
	w.n = 0;
	memset(w.b, 0, 12);
	w.n = 12;
	name("mx.example.org");                 /* 12; example at 15 */
	at = w.n;                               /* 28 */
	bytes("\1a", 2);
	pointer(15);
	assert_int_equal(read_at(12, &out, &next), 0);
	assert_int_equal(next, at);
	assert_int_equal(read_at(at, &out, &next), 0);
	assert_int_equal(next, w.n);
	assert_int_equal(dns_name_pack("a.example.org", &want), 0);
	assert_true(dns_name_equal(&out, &want));
	/* a pointer to a pointer, and one to a zero: the root */
	pointer(at + 2);
	assert_int_equal(read_at(w.n - 2, &out, &next), 0);
	assert_int_equal(dns_name_pack("example.org", &want), 0);
	assert_true(dns_name_equal(&out, &want));
	pointer(27);
	assert_int_equal(read_at(w.n - 2, &out, &next), 0);
	assert_int_equal(out.len, 1);
	assert_int_equal(next, w.n);
	/* cut at every byte */
	for (size_t n = at; n < at + 4; n++) {
		w.n = n;
		assert_int_equal(read_at(at, &out, &next), -1);
	}
	for (size_t n = 12; n < at; n++) {
		w.n = n;
		assert_int_equal(read_at(12, &out, &next), -1);
	}
}

static void
test_read_bad(void **state)
{
	struct dns_wire_name out;
	size_t next;

	(void)state;
	memset(w.b, 0, 12);
	/* to itself; to its own label; forward; past the end; into the head */
	w.n = 12;
	pointer(12);
	u8(0);
	assert_int_equal(read_at(12, &out, &next), -1);
	w.n = 12;
	bytes("\1a", 2);
	pointer(12);
	u8(0);
	assert_int_equal(read_at(12, &out, &next), -1);
	w.n = 12;
	pointer(14);
	u8(0);
	assert_int_equal(read_at(12, &out, &next), -1);
	w.n = 12;
	pointer(0x3fff);
	assert_int_equal(read_at(12, &out, &next), -1);
	for (size_t to = 0; to < 12; to++) {
		w.n = 12;
		pointer(to);
		assert_int_equal(read_at(12, &out, &next), -1);
	}
	/* two that point at each other */
	w.n = 12;
	pointer(14);
	pointer(12);
	assert_int_equal(read_at(12, &out, &next), -1);
	assert_int_equal(read_at(14, &out, &next), -1);
	/* back, then a label that runs forward into the pointer again */
	w.n = 12;
	bytes("\1a\1b", 4);
	pointer(12);
	assert_int_equal(read_at(14, &out, &next), -1);
	/* back, then forward again, though not as far as it began */
	w.n = 12;
	pointer(14);
	u8(0);
	u8(0);
	pointer(12);
	assert_int_equal(read_at(16, &out, &next), -1);
	/* reserved kinds of label: 0x40, 0x80 and all between */
	for (unsigned c = 64; c < 192; c++) {
		w.n = 12;
		u8(c);
		for (unsigned i = 0; i < 200; i++)
			u8(0);
		assert_int_equal(read_at(12, &out, &next), -1);
	}
	/* begins past the end */
	w.n = 12;
	assert_int_equal(read_at(12, &out, &next), -1);
	assert_int_equal(read_at(5000, &out, &next), -1);
}

static void
test_read_long(void **state)
{
	struct dns_wire_name out;
	size_t next, at;

	(void)state;
	memset(w.b, 0, 12);
	w.n = 12;
	name(name253);
	assert_int_equal(read_at(12, &out, &next), 0);
	assert_int_equal(out.len, 255);
	w.n = 12;
	name(name254);
	assert_int_equal(read_at(12, &out, &next), -1);
	/* the same by a pointer: 2 + 253 are good, 3 + 253 are not */
	w.n = 12;
	bytes("\x3f", 1);
	bytes(label63, 63);
	bytes("\x3f", 1);
	bytes(label63, 63);
	bytes("\x3f", 1);
	bytes(label63, 63);
	bytes("\x3b", 1);
	bytes(label63, 59);
	u8(0);                                  /* 3 * 64 + 60 + 1 = 253 */
	at = w.n;
	bytes("\1a", 2);
	pointer(12);
	assert_int_equal(read_at(at, &out, &next), 0);
	assert_int_equal(out.len, 255);
	at = w.n;
	bytes("\2ab", 3);
	pointer(12);
	assert_int_equal(read_at(at, &out, &next), -1);
	/* 127 labels of one letter are the most there can be */
	w.n = 12;
	for (int i = 0; i < 127; i++)
		bytes("\1x", 2);
	u8(0);
	assert_int_equal(read_at(12, &out, &next), 0);
	/* a long ladder of pointers ends by its length */
	w.n = 12;
	u8(0);
	at = 12;
	for (int i = 0; i < 7000; i++) {
		size_t here = w.n;

		pointer(at);
		at = here;
	}
	assert_int_equal(read_at(at, &out, &next), -1);
	assert_int_equal(read_at(13 + 2 * 126, &out, &next), 0);
	assert_int_equal(read_at(13 + 2 * 127, &out, &next), -1);
}

static void
test_reverse(void **state)
{
	struct ip four = {.family = 4, .b = {192, 0, 2, 1}};
	struct ip six = {.family = 6, .b = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x5a}};
	struct str s = {0};

	(void)state;
	dns_reverse_name(&four, &s);
	assert_string_equal(str_c(&s), "1.2.0.192.in-addr.arpa");
	dns_reverse_name(&six, &s);             /* 3596:2.5 */
	assert_string_equal(str_c(&s), "a.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
	str_free(&s);
}

/* Queries. */

static void
test_query(void **state)
{
	static const char plain[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0"
	    "\2mx\7example\3org\0\0\x0f\0\1";
	static const char edns[] = "\x12\x34\1\x20\0\1\0\0\0\0\0\1"
	    "\2mx\7example\3org\0\0\x1c\0\1"
	    "\0\0\x29\x04\xd0\0\0\0\0\0\0";
	struct dns_question q = question("mx.example.org", DNS_MX);
	unsigned char out[DNS_QUERY_MAX];

	(void)state;
	assert_int_equal(dns_query_make(&q, out), sizeof plain - 1);
	assert_memory_equal(out, plain, sizeof plain - 1);
	q.type = DNS_AAAA;
	q.edns = q.want_ad = true;
	assert_int_equal(dns_query_make(&q, out), sizeof edns - 1);
	assert_memory_equal(out, edns, sizeof edns - 1);
	q = question(name253, DNS_A);
	q.edns = true;
	assert_int_equal(dns_query_make(&q, out), DNS_QUERY_MAX);
}

/* Answers. */

static void
test_addresses(void **state)
{
	struct dns_answer a;

	(void)state;
	begin("Host.Example", 1, 0x20, 2, 0, 1);
	address(NULL, "\300\0\2\1");
	address("hOST.example", "\300\0\2\2");
	opt(0);
	assert_int_equal(parse_n(w.n, "host.example", DNS_A, &a),
	    DNS_ANSWERED);
	assert_int_equal(a.status, DNS_OK);
	assert_int_equal(a.n, 2);
	assert_true(a.ad);
	assert_int_equal(a.rec[0].ip.family, 4);
	assert_memory_equal(a.rec[0].ip.b, "\300\0\2\1", 4);
	assert_memory_equal(a.rec[1].ip.b, "\300\0\2\2", 4);
	assert_int_equal(a.cname.len, 0);
	dns_answer_free(&a);
	assert_null(a.rec);

	begin("h", 28, 0, 2, 0, 0);
	pointer(QUESTION);
	fixed(28, 16);
	bytes("\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	pointer(QUESTION);
	fixed(28, 16);
	bytes("\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4", 16);
	assert_int_equal(parse_n(w.n, "h", DNS_AAAA, &a), DNS_ANSWERED);
	assert_false(a.ad);
	assert_int_equal(a.n, 1);               /* no mapped one */
	assert_int_equal(a.rec[0].ip.family, 6);
	dns_answer_free(&a);
}

/* Every cut of a message is noticed, and read no further. */
static void
test_cuts(void **state)
{
	struct dns_answer a = {0};

	(void)state;
	begin("a.example", 15, 0, 2, 1, 2);
	pointer(QUESTION);
	fixed(15, 9);
	u16(10);
	bytes("\4mail", 5);
	pointer(QUESTION + 2);
	pointer(QUESTION);
	fixed(15, 3);
	u16(20);
	name(".");
	pointer(QUESTION + 2);
	fixed(2, 2);
	pointer(QUESTION);
	address("mail.example", "\1\2\3\4");
	opt(0);
	for (size_t n = 0; n < w.n; n++) {
		enum dns_verdict v = parse_n(n, "a.example", DNS_MX, &a);

		assert_int_equal(v, n < 12 + 11 + 4 ? DNS_NOT_OURS :
		    DNS_MALFORMED);
	}
	assert_int_equal(parse_n(w.n, "a.example", DNS_MX, &a), DNS_ANSWERED);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.rec[0].pref, 10);
	assert_string_equal(str_c(&a.rec[0].data), "mail.example");
	assert_int_equal(a.rec[1].pref, 20);
	assert_string_equal(str_c(&a.rec[1].data), "");         /* 7505:3 */
	dns_answer_free(&a);
}

static void
test_not_ours(void **state)
{
	static const char good[] = "host.example";

	(void)state;
#define MESSAGE() do { \
	begin(good, 1, 0, 1, 0, 0); \
	address(NULL, "\1\2\3\4"); \
} while (0)
	MESSAGE();
	assert_int_equal(verdict(good, DNS_A), DNS_ANSWERED);
	assert_int_equal(verdict("hosu.example", DNS_A), DNS_NOT_OURS);
	assert_int_equal(verdict("example", DNS_A), DNS_NOT_OURS);
	assert_int_equal(verdict(good, DNS_AAAA), DNS_NOT_OURS);
	for (int bit = 0; bit < 16; bit++) {
		MESSAGE();
		w.b[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(verdict(good, DNS_A), DNS_NOT_OURS);
	}
	MESSAGE();
	w.b[2] &= 0x7f;                         /* a query */
	assert_int_equal(verdict(good, DNS_A), DNS_NOT_OURS);
	MESSAGE();
	w.b[2] |= 0x08;                         /* another opcode */
	assert_int_equal(verdict(good, DNS_A), DNS_NOT_OURS);
	MESSAGE();
	w.b[5] = 0;
	assert_int_equal(verdict(good, DNS_A), DNS_NOT_OURS);
	w.b[5] = 2;
	assert_int_equal(verdict(good, DNS_A), DNS_NOT_OURS);
	MESSAGE();
	w.b[12 + 14 + 3] = 3;                   /* class CH */
	assert_int_equal(verdict(good, DNS_A), DNS_NOT_OURS);
	MESSAGE();
	w.b[2] |= 0x02;
	assert_int_equal(verdict(good, DNS_A), DNS_TRUNCATED);
#undef MESSAGE
}

static void
test_rcodes(void **state)
{
	(void)state;
	for (unsigned rcode = 0; rcode < 16; rcode++) {
		begin("a.b", 1, rcode, 0, 0, 0);
		if (rcode == 0)
			assert_int_equal(status("a.b", DNS_A), DNS_NODATA);
		else if (rcode == 3)
			assert_int_equal(status("a.b", DNS_A), DNS_NXDOMAIN);
		else if (rcode == 1 || rcode == 4)
			assert_int_equal(verdict("a.b", DNS_A), DNS_NO_EDNS);
		else
			assert_int_equal(verdict("a.b", DNS_A), DNS_FAILED);
	}
	/* 6891:6.1.3: BADVERS looks like an empty answer otherwise */
	begin("a.b", 1, 0, 0, 0, 1);
	opt(1);
	assert_int_equal(verdict("a.b", DNS_A), DNS_NO_EDNS);
	begin("a.b", 1, 3, 0, 0, 1);
	opt(1);                                 /* 19: whatever that is */
	assert_int_equal(verdict("a.b", DNS_A), DNS_FAILED);
	begin("a.b", 1, 0, 0, 0, 2);
	opt(0);
	opt(0);
	assert_int_equal(verdict("a.b", DNS_A), DNS_MALFORMED);
	/* FORMERR that repeats nothing, or counts what is not there */
	begin("a.b", 1, 1, 0, 0, 0);
	w.n = 12;
	assert_int_equal(verdict("a.b", DNS_A), DNS_NO_EDNS);
	w.b[5] = 0;
	assert_int_equal(verdict("a.b", DNS_A), DNS_NO_EDNS);
	w.b[1] ^= 1;
	assert_int_equal(verdict("a.b", DNS_A), DNS_NOT_OURS);
	begin("a.b", 1, 1, 0, 0, 1);
	assert_int_equal(verdict("a.b", DNS_A), DNS_NO_EDNS);
	/* but SERVFAIL must say what it is about */
	begin("a.b", 1, 2, 0, 0, 0);
	w.n = 12;
	assert_int_equal(verdict("a.b", DNS_A), DNS_NOT_OURS);
}

static void
soa(const char *owner)
{
	name(owner);
	fixed(6, 22);
	name(".");
	name(".");
	bytes("\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1", 20);
}

static void
ns(const char *owner)
{
	name(owner);
	fixed(2, 3);
	name("n");
}

/* 2308:2.2: with SOA it is an answer, with NS alone a referral. */
static void
test_negative(void **state)
{
	(void)state;
	begin("x.example", 15, 0, 0, 1, 0);
	soa("example");
	assert_int_equal(status("x.example", DNS_MX), DNS_NODATA);
	begin("x.example", 15, 0, 0, 2, 0);
	ns("example");
	soa("example");
	assert_int_equal(status("x.example", DNS_MX), DNS_NODATA);
	begin("x.example", 15, 0, 0, 1, 0);
	ns("example");
	assert_int_equal(verdict("x.example", DNS_MX), DNS_FAILED);
	begin("x.example", 15, 3, 0, 1, 0);
	ns("example");
	assert_int_equal(status("x.example", DNS_MX), DNS_NXDOMAIN);
	/* an answer of other names, types and classes is none */
	begin("x.example", 1, 0, 3, 0, 0);
	address("y.example", "\1\2\3\4");
	name("x.example");
	fixed(28, 16);
	bytes("0123456789abcdef", 16);
	name("x.example");
	u16(1);
	u16(3);
	u16(0);
	u16(0);
	u16(4);
	bytes("\1\2\3\4", 4);
	assert_int_equal(status("x.example", DNS_A), DNS_NODATA);
}

static void
test_alias(void **state)
{
	char from[16], to[16];
	struct dns_answer a;

	(void)state;
	begin("a.x", 1, 0, 3, 0, 0);
	address("c.y", "\1\2\3\4");             /* in any order */
	alias("B.x", "C.y");
	alias("a.x", "b.X");
	assert_int_equal(parse_n(w.n, "a.x", DNS_A, &a), DNS_ANSWERED);
	assert_int_equal(a.n, 1);
	assert_string_equal(str_c(&a.cname), "c.y");
	dns_answer_free(&a);
	/* to nothing; the code is about the last name: 6604:3 */
	begin("a.x", 1, 3, 1, 0, 0);
	alias("a.x", "b.x");
	assert_int_equal(parse_n(w.n, "a.x", DNS_A, &a), DNS_ANSWERED);
	assert_int_equal(a.status, DNS_NXDOMAIN);
	assert_string_equal(str_c(&a.cname), "b.x");
	dns_answer_free(&a);
	begin("a.x", 1, 0, 1, 0, 0);
	alias("a.x", "b.x");
	assert_int_equal(status("a.x", DNS_A), DNS_NODATA);
	/* of another class it leads nowhere */
	begin("a.x", 1, 0, 2, 0, 0);
	alias("a.x", "b.x");
	w.b[12 + 5 + 4 + 5 + 3] = 3;
	address("b.x", "\1\2\3\4");
	assert_int_equal(status("a.x", DNS_A), DNS_NODATA);
	/* asked for by itself */
	begin("a.x", 5, 0, 2, 0, 0);
	alias("a.x", "b.x");
	alias("b.x", "c.x");
	assert_int_equal(parse_n(w.n, "a.x", DNS_CNAME, &a), DNS_ANSWERED);
	assert_int_equal(a.n, 1);
	assert_string_equal(str_c(&a.rec[0].data), "b.x");
	assert_int_equal(a.cname.len, 0);
	dns_answer_free(&a);
	/* through a name that could not be text: 2317:4 */
	begin("1.x", 12, 0, 2, 0, 0);
	alias("1.x", "1.0/25.x");
	name("1.0/25.x");
	fixed(12, 5);
	name("h.y");
	assert_int_equal(parse_n(w.n, "1.x", DNS_PTR, &a), DNS_ANSWERED);
	assert_int_equal(a.n, 1);
	assert_string_equal(str_c(&a.rec[0].data), "h.y");
	assert_int_equal(a.cname.len, 0);
	dns_answer_free(&a);
	/* eight are followed, nine and rings are not */
	for (unsigned n = 8; n <= 9; n++) {
		begin("c0", 1, 0, n + 1, 0, 0);
		for (unsigned i = 0; i < n; i++) {
			(void)snprintf(from, sizeof from, "c%u", i);
			(void)snprintf(to, sizeof to, "c%u", i + 1);
			alias(from, to);
		}
		address(to, "\1\2\3\4");
		assert_int_equal(verdict("c0", DNS_A), n == 8 ? DNS_ANSWERED :
		    DNS_MALFORMED);
	}
	begin("a.x", 1, 0, 2, 0, 0);
	alias("a.x", "b.x");
	alias("b.x", "a.x");
	assert_int_equal(verdict("a.x", DNS_A), DNS_MALFORMED);
	begin("a.x", 1, 0, 1, 0, 0);
	alias("a.x", "a.x");
	assert_int_equal(verdict("a.x", DNS_A), DNS_MALFORMED);
}

static void
test_records(void **state)
{
	struct dns_answer a;

	(void)state;
	begin("t", 16, 0, 2, 0, 0);
	pointer(QUESTION);
	fixed(16, 9);
	bytes("\3abc\0\3d\0f", 9);
	pointer(QUESTION);
	fixed(16, 1);
	u8(0);
	assert_int_equal(parse_n(w.n, "t", DNS_TXT, &a), DNS_ANSWERED);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.rec[0].data.len, 6);
	assert_memory_equal(str_c(&a.rec[0].data), "abcd\0f", 6);
	assert_int_equal(a.rec[1].data.len, 0);
	dns_answer_free(&a);

	begin("t", 52, 0, 1, 0, 0);
	pointer(QUESTION);
	fixed(52, 5);
	bytes("\3\1\1\xff\0", 5);
	assert_int_equal(parse_n(w.n, "t", DNS_TLSA, &a), DNS_ANSWERED);
	assert_int_equal(a.rec[0].data.len, 5);
	assert_memory_equal(str_c(&a.rec[0].data), "\3\1\1\xff\0", 5);
	dns_answer_free(&a);

	/* a name with a space is passed over; alone it is no answer */
	begin("m", 15, 0, 2, 0, 0);
	pointer(QUESTION);
	fixed(15, 6);
	u16(5);
	bytes("\2a \0", 4);
	pointer(QUESTION);
	fixed(15, 5);
	u16(10);
	bytes("\1b\0", 3);
	assert_int_equal(parse_n(w.n, "m", DNS_MX, &a), DNS_ANSWERED);
	assert_int_equal(a.n, 1);
	assert_string_equal(str_c(&a.rec[0].data), "b");
	dns_answer_free(&a);
	begin("m", 15, 0, 1, 0, 0);
	pointer(QUESTION);
	fixed(15, 6);
	u16(5);
	bytes("\2a \0", 4);
	assert_int_equal(verdict("m", DNS_MX), DNS_FAILED);
}

/* Data of lengths that its type cannot have. */
static void
test_rdata(void **state)
{
	static const struct { unsigned type, n; const char *b; } bad[] = {
		{1, 0, ""}, {1, 3, "\1\2\3"}, {1, 5, "\1\2\3\4\5"},
		{28, 4, "\1\2\3\4"}, {28, 15, "0123456789abcde"},
		{15, 0, ""}, {15, 2, "\0\1"}, {15, 4, "\0\1\1a"},
		{15, 6, "\0\1\1a\0x"},          /* bytes after the name */
		{15, 4, "\0\1\xc0\x40"},        /* forward */
		{12, 0, ""}, {12, 2, "\1a"}, {5, 1, "\1"},
		{16, 0, ""}, {16, 1, "\1"}, {16, 4, "\1a\2b"},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		begin("d", bad[i].type, 0, 1, 0, 0);
		pointer(QUESTION);
		fixed(bad[i].type, bad[i].n);
		bytes(bad[i].b, bad[i].n);
		assert_int_equal(verdict("d", (enum dns_type)bad[i].type),
		    DNS_MALFORMED);
		/* a name that only ends in what comes after the data */
		u8(0);
		assert_int_equal(verdict("d", (enum dns_type)bad[i].type),
		    DNS_MALFORMED);
	}
}

static void
test_limits(void **state)
{
	struct dns_answer a;

	(void)state;
	begin("h", 1, 0, DNS_RECORDS_MAX + 50, 0, 0);
	for (unsigned i = 0; i < DNS_RECORDS_MAX + 50; i++) {
		char four[4] = {10, 0, (char)(i / 100), (char)(i % 100)};

		address(NULL, four);
	}
	assert_int_equal(parse_n(w.n, "h", DNS_A, &a), DNS_ANSWERED);
	assert_int_equal(a.n, DNS_RECORDS_MAX);
	assert_int_equal(a.rec[DNS_RECORDS_MAX - 1].ip.b[3], 99);
	dns_answer_free(&a);
	/* more counted than there are */
	begin("h", 1, 0, 65535, 0, 0);
	address(NULL, "\1\2\3\4");
	assert_int_equal(verdict("h", DNS_A), DNS_MALFORMED);
	begin("h", 1, 0, 1, 65535, 65535);
	address(NULL, "\1\2\3\4");
	assert_int_equal(verdict("h", DNS_A), DNS_MALFORMED);
	/* the longest data kept, and one byte more */
	for (unsigned n = DNS_RDATA_MAX; n <= DNS_RDATA_MAX + 1; n++) {
		begin("h", 52, 0, 1, 0, 0);
		pointer(QUESTION);
		fixed(52, n);
		for (unsigned i = 0; i < n; i++)
			u8(i & 255);
		assert_int_equal(verdict("h", DNS_TLSA),
		    n == DNS_RDATA_MAX ? DNS_ANSWERED : DNS_FAILED);
	}
	/* what follows the last record is no part of it */
	begin("h", 1, 0, 1, 0, 0);
	address(NULL, "\1\2\3\4");
	bytes("junk", 4);
	assert_int_equal(verdict("h", DNS_A), DNS_ANSWERED);
}

static void
test_conf(void **state)
{
	static const char text[] =
	    "# nameserver 9.9.9.9\n; nameserver 9.9.9.8\n"
	    "search example.org\nnameserver 10.0.0.1\r\n"
	    "\tnameserver\t fd07::53 \nnameserver nonsense\n"
	    "nameservers 1.1.1.1\nnameserver\noptions ndots:1 trust-adx\n"
	    "nameserver fe80::1%5 # comment\nnameserver 10.0.0.4";
	struct dns d = {0};
	bool ad = false;
	char buf[IP_TEXT];

	(void)state;
	dns_conf_parse(text, sizeof text - 1, &d, &ad);
	assert_int_equal(d.nserver, 3);
	assert_string_equal(ip_text(&d.server[0].ip, buf), "10.0.0.1");
	assert_string_equal(ip_text(&d.server[1].ip, buf), "fd07::53");
	assert_string_equal(ip_text(&d.server[2].ip, buf), "fe80::1%5");
	assert_int_equal(d.server[2].port, 53);
	assert_false(ad);
	dns_conf_parse("options edns0 trust-ad timeout:1", 32, &d, &ad);
	assert_true(ad);
	for (size_t n = 0; n < sizeof text; n++) {
		char *exact = malloc(n ? n : 1);

		assert_non_null(exact);
		memcpy(exact, text, n);
		d = (struct dns){0};
		dns_conf_parse(exact, n, &d, &ad);
		assert_true(d.nserver <= 3);
		free(exact);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pack),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_bad),
		cmocka_unit_test(test_read_long),
		cmocka_unit_test(test_reverse),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_rcodes),
		cmocka_unit_test(test_negative),
		cmocka_unit_test(test_alias),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_rdata),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_conf),
	};

	return cmocka_run_group_tests(tests, make_names, NULL);
}
