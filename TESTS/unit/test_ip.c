/* test_ip.c - addresses: every form of text, mapped ones, networks at every
 * length, the kernel's form, and what is this machine's own. */
#include "lib/ip.h"

#include "TESTS/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

/* In a block of exactly its size, so that a byte too far is seen. */
static int
parse(const char *s, size_t n, struct ip *out)
{
	char *exact = malloc(n ? n : 1);
	int r;

	assert_non_null(exact);
	memcpy(exact, s, n);
	r = ip_parse(exact, n, out);
	free(exact);
	return r;
}

static struct ip
ip(const char *s)
{
	struct ip out;

	assert_int_equal(parse(s, strlen(s), &out), 0);
	return out;
}

static void
test_text(void **state)
{
	/* 5952:4 and 5952:5 where they differ from what is given */
	static const struct { const char *in, *want; } cases[] = {
		{"0.0.0.0", "0.0.0.0"},
		{"1.2.3.4", "1.2.3.4"},
		{"255.255.255.255", "255.255.255.255"},
		{"::", "::"},
		{"::1", "::1"},
		{"1::", "1::"},
		{"2001:0db8::0001", "2001:db8::1"},
		{"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:DB8:ABCD::EF", "2001:db8:abcd::ef"},
		{"0:0:0:0:0:0:0:0", "::"},
		{"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
		{"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
		{"0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"},
		{"0:2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
		{"::1.2.3.4", "::102:304"},
		{"::ffff:1.2.3.4", "1.2.3.4"},
		{"0:0:0:0:0:FFFF:102:304", "1.2.3.4"},
		{"fe80::1%7", "fe80::1%7"},
		{"fe80::1%4294967295", "fe80::1%4294967295"},
		{"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295",
		    "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295"},
	};
	char buf[IP_TEXT];

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct ip a = ip(cases[i].in), b;

		assert_string_equal(ip_text(&a, buf), cases[i].want);
		b = ip(buf);
		assert_true(ip_equal(&a, &b));
	}
	{
		struct ip none = {0};

		assert_string_equal(ip_text(&none, buf), "");
	}
}

static void
test_refused(void **state)
{
	static const char *const cases[] = {
		"", " ", "1", "1.2.3", "1.2.3.", ".1.2.3.4", "1.2.3.4.5",
		"1..3.4", "1.2.3.4 ", " 1.2.3.4", "256.1.1.1", "1.2.3.1000",
		"01.2.3.4", "1.2.3.04", "0x1.2.3.4", "-1.2.3.4", "+1.2.3.4",
		"1.2.3.4/8", "1.2.3.a", "1.2.3.4%1", "4294967295",
		":", ":::", "1:::2", "1::2::3", "1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "g::",
		"::1 ", "[::1]", "::1.2.3", "::1.2.3.4:5", ":1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:", "fe80::1%", "fe80::1%0", "fe80::1%01",
		"fe80::1%4294967296", "fe80::1%nosuchif",
		"fe80::1%averyveryverylonginterface", "2001:db8::1%1",
		"fec0::1%1", "fe80::1%1%1", "%1", "::%lo",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
	};
	struct ip out;

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		if (parse(cases[i], strlen(cases[i]), &out) != -1)
			fail_msg("took %s", cases[i]);
	assert_int_equal(parse("1.2.3.4\0", 8, &out), -1);
	assert_int_equal(parse("::1\0", 4, &out), -1);
	assert_int_equal(parse("fe80::1%1\0", 10, &out), -1);
	/* n says where it ends */
	assert_int_equal(parse("1.2.3.45", 7, &out), 0);
	assert_int_equal(out.b[3], 4);
}

static void
test_scope_name(void **state)
{
	unsigned lo = if_nametoindex("lo");
	struct ip a;

	(void)state;
	if (lo == 0)
		skip();
	a = ip("fe80::1%lo");
	assert_int_equal(a.scope, lo);
}

static void
test_equal(void **state)
{
	struct ip a = ip("fe80::1%1"), b = ip("fe80::1%2"), c = ip("fe80::1");
	struct ip d = ip("1.2.3.4"), e = ip("102:304::");

	(void)state;
	assert_false(ip_equal(&a, &b));
	assert_false(ip_equal(&a, &c));
	assert_true(ip_equal(&a, &a));
	assert_false(ip_equal(&d, &e));
}

static void
test_net(void **state)
{
	static const struct { const char *in, *ip; unsigned bits; } good[] = {
		{"10.0.0.0/8", "10.0.0.0", 8}, {"1.2.3.4", "1.2.3.4", 32},
		{"1.2.3.4/32", "1.2.3.4", 32}, {"0.0.0.0/0", "0.0.0.0", 0},
		{"fd07::/64", "fd07::", 64}, {"::/0", "::", 0},
		{"::1", "::1", 128}, {"::1/128", "::1", 128},
		{"::ffff:10.0.0.0/104", "10.0.0.0", 8},
		{"::ffff:10.0.0.0/96", "10.0.0.0", 0},
		{"::ffff:1.2.3.4", "1.2.3.4", 32},
	};
	static const char *const bad[] = {"", "/8", "1.2.3.4/", "1.2.3.4/33",
	    "1.2.3.4/-1", "1.2.3.4/08", "1.2.3.4/8/8", "1.2.3.4/8 ",
	    "::/129", "::1/", "::ffff:10.0.0.0/95", "::ffff:1.2.3.4/129",
	    "10/8", "1.2.3.4/99999999999999999999"};
	struct ip out;
	unsigned bits;

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++) {
		struct ip want = ip(good[i].ip);

		assert_int_equal(ip_parse_net(good[i].in, strlen(good[i].in),
		    &out, &bits), 0);
		assert_true(ip_equal(&out, &want));
		assert_int_equal(bits, good[i].bits);
	}
	for (size_t i = 0; i < N_OF(bad); i++)
		if (ip_parse_net(bad[i], strlen(bad[i]), &out, &bits) != -1)
			fail_msg("took %s", bad[i]);
}

/* Against a count of equal leading bits, for every length. */
static void
test_in(void **state)
{
	static const struct { const char *a, *b; unsigned same; } cases[] = {
		{"10.1.2.3", "10.1.2.3", 32}, {"10.1.2.3", "10.1.2.2", 31},
		{"10.1.2.3", "10.1.3.3", 23}, {"10.1.2.3", "10.0.2.3", 15},
		{"127.0.0.1", "255.0.0.1", 0}, {"10.128.0.0", "10.0.0.0", 8},
		{"fd07::1", "fd07::1", 128}, {"fd07::1", "fd07::", 127},
		{"fd07::1", "fd07:0:0:1::1", 63}, {"fd07::", "7d07::", 0},
		{"fd07::", "fd87::", 8},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct ip a = ip(cases[i].a), b = ip(cases[i].b);
		unsigned max = a.family == 4 ? 32 : 128;

		for (unsigned bits = 0; bits <= max; bits++) {
			struct ip m = b;

			assert_int_equal(ip_in(&a, &b, bits),
			    bits <= cases[i].same);
			ip_mask(&m, bits);
			assert_int_equal(ip_in(&a, &m, bits),
			    bits <= cases[i].same);
			for (unsigned k = bits; k < max; k++)
				assert_false(m.b[k / 8] & 128U >> k % 8);
		}
	}
	{
		struct ip four = ip("0.0.0.0"), six = ip("::"), none = {0};
		struct ip l = ip("fe80::5%1"), n = ip("fe80::");
		struct ip n2 = ip("fe80::%2");

		assert_false(ip_in(&four, &six, 0));
		assert_false(ip_in(&six, &four, 0));
		assert_false(ip_in(&none, &none, 0));
		assert_true(ip_in(&l, &n, 64));
		assert_false(ip_in(&l, &n2, 64));
	}
}

static void
test_kinds(void **state)
{
	static const struct { const char *s; bool lo, none; } cases[] = {
		{"127.0.0.1", true, false}, {"127.255.255.255", true, false},
		{"126.0.0.1", false, false}, {"128.0.0.1", false, false},
		{"::1", true, false}, {"::2", false, false},
		{"::", false, true}, {"0.0.0.0", false, true},
		{"0.1.2.3", false, true}, {"1.0.0.0", false, false},
		{"::ffff:127.0.0.1", true, false},
		{"7f00::", false, false},
	};
	struct ip none = {0}, far = ip("192.0.2.77"), far6 = ip("2001:db8::7");

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct ip a = ip(cases[i].s);

		assert_int_equal(ip_is_loopback(&a), cases[i].lo);
		assert_int_equal(ip_is_unspecified(&a), cases[i].none);
		if (cases[i].lo || cases[i].none)
			assert_true(ip_is_own(&a));
	}
	assert_false(ip_is_own(&none));
	assert_false(ip_is_loopback(&none) || ip_is_unspecified(&none));
	assert_false(ip_is_own(&far));
	assert_false(ip_is_own(&far6));
}

/* The address that the kernel would leave with is ours. */
static void
test_own(void **state)
{
	struct ip to = ip("192.0.2.1"), here;
	struct sockaddr_storage ss;
	socklen_t n = ip_to_sockaddr(&to, 9, &ss);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	if (fd < 0 || connect(fd, (const struct sockaddr *)&ss, n) < 0) {
		(void)close(fd);
		skip();                         /* no route at all */
	}
	n = sizeof ss;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
	assert_int_equal(ip_from_sockaddr(&ss, &here, NULL), 0);
	assert_true(ip_is_own(&here));
	(void)close(fd);
}

static void
test_sockaddr(void **state)
{
	static const char *const cases[] = {"1.2.3.4", "2001:db8::1",
	    "fe80::1%9", "::"};
	struct sockaddr_storage ss;
	struct ip back, none = {0}, four = ip("9.8.7.6");
	struct sockaddr_in6 six = {.sin6_family = AF_INET6,
	    .sin6_scope_id = 3};
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct ip a = ip(cases[i]);
		socklen_t n = ip_to_sockaddr(&a, 4660, &ss);

		assert_int_equal(n, a.family == 4 ? sizeof(struct sockaddr_in)
		    : sizeof(struct sockaddr_in6));
		assert_int_equal(ip_from_sockaddr(&ss, &back, &port), 0);
		assert_true(ip_equal(&a, &back));
		assert_int_equal(port, 4660);
		assert_int_equal(ip_from_sockaddr(&ss, &back, NULL), 0);
	}
	/* 4660 is 0x1234, in network order */
	(void)ip_to_sockaddr(&four, 4660, &ss);
	assert_memory_equal((const char *)&ss + 2, "\x12\x34\x09\x08\x07\x06",
	    6);
	assert_int_equal(ip_to_sockaddr(&none, 1, &ss), (socklen_t)-1);
	assert_int_equal(ip_from_sockaddr(&ss, &back, &port), -1);
	/* mapped, and a scope on what has none */
	assert_int_equal(inet_pton(AF_INET6, "::ffff:9.8.7.6",
	    &six.sin6_addr), 1);
	memcpy(&ss, &six, sizeof six);
	assert_int_equal(ip_from_sockaddr(&ss, &back, NULL), 0);
	assert_true(ip_equal(&back, &four));
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &six.sin6_addr),
	    1);
	memcpy(&ss, &six, sizeof six);
	assert_int_equal(ip_from_sockaddr(&ss, &back, NULL), 0);
	assert_int_equal(back.scope, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_scope_name),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_net),
		cmocka_unit_test(test_in),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_sockaddr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
