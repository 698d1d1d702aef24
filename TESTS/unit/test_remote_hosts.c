/* test_remote_hosts.c - lists of hosts from a made-up name server, the table
 * of timeouts in files of the test, and the report. */
#include "TESTS/unit/unit.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "remote/job.h"
#include "remote/mxlist.h"
#include "remote/tcpto.h"

#include <stdio.h>
#include <stdlib.h>

/* A zone: lines "name MX pref target", "name A address", "name TEMP",
 * "name NONE" (the name is there, with nothing of use). */
static const char *const *zone;

static void
add(struct dns_answer *a, uint16_t pref, const char *text, bool is_ip)
{
	struct dns_record *r;

	a->rec = mem_resize(a->rec, a->n + 1, sizeof *a->rec);
	r = &a->rec[a->n++];
	*r = (struct dns_record){.pref = pref};
	if (is_ip)
		assert_int_equal(ip_parse(text, strlen(text), &r->ip), 0);
	else
		str_copys(&r->data, text);
}

static enum dns_status
ask(const char *name, bool mx, struct dns_answer *out)
{
	bool exists = false;

	*out = (struct dns_answer){0};
	for (size_t i = 0; zone[i] != NULL; i++) {
		char owner[64], kind[8], rest[64] = "", target[64] = "";
		unsigned pref = 0;

		assert_true(sscanf(zone[i], "%63s %7s %63s", owner, kind,
		    rest) >= 2);
		if (strcmp(owner, name) != 0)
			continue;
		exists = true;
		if (strcmp(kind, "TEMP") == 0)
			return out->status = DNS_TEMP;
		if (mx && strcmp(kind, "MX") == 0) {
			(void)sscanf(zone[i], "%*s %*s %u %63s", &pref,
			    target);
			add(out, (uint16_t)pref, target, false);
		} else if (!mx && strcmp(kind, "A") == 0) {
			add(out, 0, rest, true);
		}
	}
	return out->status = out->n > 0 ? DNS_OK : exists ? DNS_NODATA :
	    DNS_NXDOMAIN;
}

static enum dns_status
fake_ask(const struct dns *d, const char *name, enum dns_type type,
    struct dns_answer *out)
{
	(void)d;
	return ask(name, type == DNS_MX, out);
}

static enum dns_status
fake_addresses(const struct dns *d, const char *name, struct dns_answer *out)
{
	(void)d;
	return ask(name, false, out);
}

static bool
fake_own(const void *own, const struct ip *ip)
{
	struct ip us;

	(void)own;
	assert_int_equal(ip_parse("9.9.9.9", 7, &us), 0);
	return ip_equal(&us, ip);
}

static const struct mx_source source = {.ask = fake_ask,
    .addresses = fake_addresses, .is_own = fake_own, .own = &source};

/* The addresses as text, "1.1.1.1 2.2.2.2"; the status in front if not OK. */
static const char *
find(const char *domain, bool relay)
{
	static char out[512];
	struct mxlist l;
	enum mx_status st = relay ? mxlist_relay(&l, &source, domain) :
	    mxlist_find(&l, &source, domain);
	char text[IP_TEXT];
	size_t n = 0;

	out[0] = '\0';
	if (st != MX_OK)
		(void)snprintf(out, sizeof out, "status %d", (int)st);
	for (size_t i = 0; st == MX_OK && i < l.naddr; i++)
		n += (size_t)snprintf(out + n, sizeof out - n, "%s%s",
		    i > 0 ? " " : "", ip_text(&l.addr[i].ip, text));
	mxlist_free(&l);
	return out;
}

#define STATUS(n) "status " #n
_Static_assert(MX_TEMP == 1 && MX_NO_DOMAIN == 2 && MX_NULL == 3 &&
    MX_NO_ADDRESS == 4 && MX_SELF == 5 && MX_LITERAL == 6, "as below");

static void
test_mxlist(void **state)
{
	static const char *const z[] = {
		"order MX 30 c", "order MX 10 a", "order MX 20 b",
		"a A 1.1.1.1", "b A 2.2.2.2", "c A 3.3.3.3",
		"a A 2001::1", "us A 9.9.9.9", "us A 4.4.4.4", "bad TEMP",
		"implicit A 5.5.5.5", "implicitus A 9.9.9.9",
		"backup MX 10 a", "backup MX 20 us", "backup MX 30 b",
		"equal MX 10 a", "equal MX 10 us",
		"better MX 5 a", "better MX 10 b", "better MX 10 us",
		"tempbetter MX 5 bad", "tempbetter MX 10 us",
		"skip MX 5 bad", "skip MX 10 b",
		"gone MX 5 nobody", "null MX 0", "nullandmore MX 0",
		"nullandmore MX 10 a", "down TEMP", "text NONE",
		"many MX 1 m1", "many MX 2 m2", "m1 A 1.0.0.1",
		"m1 A 1.0.0.2", "m1 A 1.0.0.3", "m1 A 1.0.0.4",
		"m2 A 1.0.1.1", "m2 A 1.0.1.2", NULL,
	};
	static const struct { const char *domain, *want; } cases[] = {
		{"order", "2001::1 1.1.1.1 2.2.2.2 3.3.3.3"},
		{"implicit", "5.5.5.5"}, {"implicitus", STATUS(5)},
		{"backup", "2001::1 1.1.1.1"}, {"equal", STATUS(5)},
		{"better", "2001::1 1.1.1.1"}, {"tempbetter", STATUS(1)},
		{"skip", "2.2.2.2"}, {"gone", STATUS(4)},
		{"null", STATUS(3)}, {"nullandmore", "2001::1 1.1.1.1"},
		{"down", STATUS(1)}, {"text", STATUS(4)},
		{"nothing", STATUS(2)},
		{"[1.2.3.4]", "1.2.3.4"}, {"[9.9.9.9]", STATUS(5)},
		{"[IPv6:::5]", "::5"}, {"[ipv6:2001::9]", "2001::9"},
		{"[x]", STATUS(6)}, {"[", STATUS(6)}, {"[1.2.3.4", STATUS(6)},
		{"[]", STATUS(6)}, {"[1.2.3.4]x", STATUS(6)},
	};

	(void)state;
	zone = z;
	for (size_t i = 0; i < N_OF(cases); i++)
		for (int k = 0; k < 20; k++)
			assert_string_equal(find(cases[i].domain, false),
			    cases[i].want);
	assert_int_equal(strlen(find("many", false)), 5 * 7 + 4);
}

static void
test_relay(void **state)
{
	static const char *const z[] = {"a A 1.1.1.1", "a MX 10 b",
	    "b A 2.2.2.2", "us A 9.9.9.9", "bad TEMP", NULL};

	(void)state;
	zone = z;
	assert_string_equal(find("a", true), "1.1.1.1");
	assert_string_equal(find("us", true), "9.9.9.9");
	assert_string_equal(find("9.9.9.9", true), "9.9.9.9");
	assert_string_equal(find("[9.9.9.9]", true), "9.9.9.9");
	assert_string_equal(find("[::7]", true), "::7");
	assert_string_equal(find("bad", true), STATUS(1));
	assert_string_equal(find("nobody", true), STATUS(4));
}

static void
test_shuffle(void **state)
{
	static const char *const z[] = {"d MX 1 a", "d MX 1 b", "d MX 1 c",
	    "a A 1.1.1.1", "b A 2.2.2.2", "c A 3.3.3.3", NULL};
	bool seen[256] = {false};
	unsigned kinds = 0;

	(void)state;
	zone = z;
	/* Six orders; a thousand tries miss one in 1e-79 of all runs. */
	for (int i = 0; i < 1000; i++) {
		const char *s = find("d", false);
		unsigned key = (unsigned)(s[0] - '0') * 16 +
		    (unsigned)(s[8] - '0') * 4 + (unsigned)(s[16] - '0');

		kinds += seen[key] ? 0 : 1;
		seen[key] = true;
	}
	assert_int_equal(kinds, 6);
}

/* The table of timeouts. */

static char path[] = "tcpto-test";

static void
new_table(size_t n)
{
	static const char zeros[4096];

	assert_int_equal(fs_replace(path, "tcpto-test.tmp", zeros, n, 0600),
	    0);
}

static struct ip
ip_of(const char *s)
{
	struct ip ip;

	assert_int_equal(ip_parse(s, strlen(s), &ip), 0);
	return ip;
}

static void
test_tcpto(void **state)
{
	static const char *const hosts[] = {"192.0.2.7", "2001:db8::7"};

	(void)state;
	for (size_t h = 0; h < 2; h++) {
		const struct ip ip = ip_of(hosts[h]), other = ip_of(h == 0 ?
		    "192.0.2.8" : "2001:db8::8");
		const int64_t t = 1000000;

		new_table(1024);
		assert_false(tcpto_is_dead(path, &ip, t, 0));
		tcpto_note(path, &ip, true, t);
		assert_false(tcpto_is_dead(path, &ip, t, 0));
		tcpto_note(path, &ip, true, t + 119);   /* counts once */
		assert_false(tcpto_is_dead(path, &ip, t + 119, 0));
		tcpto_note(path, &ip, true, t + 120);
		assert_true(tcpto_is_dead(path, &ip, t + 120, 0));
		assert_true(tcpto_is_dead(path, &ip, t + 120 + 3839, 0));
		assert_false(tcpto_is_dead(path, &ip, t + 120 + 3840, 0));
		assert_true(tcpto_is_dead(path, &ip, t + 120 + 3840, 1));
		assert_true(tcpto_is_dead(path, &ip, t + 120 + 5823, 31));
		assert_false(tcpto_is_dead(path, &ip, t + 120 + 5824, 31));
		assert_false(tcpto_is_dead(path, &other, t + 120, 0));
		/* The clock was put back. */
		assert_false(tcpto_is_dead(path, &ip, t - 1, 0));
		tcpto_note(path, &other, false, t);     /* makes no record */
		tcpto_note(path, &ip, false, t + 200);
		assert_false(tcpto_is_dead(path, &ip, t + 200, 0));
		/* After 2038. */
		for (int i = 0; i < 12; i++)
			tcpto_note(path, &ip, true, 5000000000 + 200 * i);
		assert_true(tcpto_is_dead(path, &ip, 5000002300, 0));
	}
	(void)unlink(path);
	assert_false(tcpto_is_dead(path, &(struct ip){.family = 4}, 5, 0));
	tcpto_note(path, &(struct ip){.family = 4}, true, 5);
}

/* Byte by byte, as programs of old read it. */
static void
test_tcpto_format(void **state)
{
	static const unsigned char want[16] = {192, 0, 2, 7, 1, 0, 0, 0,
	    0x15, 0xcd, 0x5b, 0x07, 0, 0, 0, 0};
	static const unsigned char want6[32] = {0x20, 1, 0xd, 0xb8, 0, 0, 0,
	    0, 0, 0, 0, 0, 0, 0, 0, 7, 1, 0, 0, 0, 0, 0, 0, 0,
	    0x15, 0xcd, 0x5b, 0x07, 0, 0, 0, 0};
	struct str file = {0};
	struct ip ip = ip_of("192.0.2.7");

	(void)state;
	new_table(1024);
	tcpto_note(path, &ip, true, 123456789);
	assert_int_equal(fs_read(path, &file, 10000), 0);
	assert_int_equal(file.len, 1024);
	assert_memory_equal(file.s, want, 16);
	for (size_t i = 16; i < 1024; i++)
		assert_int_equal(file.s[i], 0);
	ip = ip_of("2001:db8::7");
	tcpto_note(path, &ip, true, 123456789);
	str_clear(&file);
	assert_int_equal(fs_read(path, &file, 10000), 0);
	assert_memory_equal(file.s, want, 16);
	assert_memory_equal(file.s + 1024, want6, 32);
	str_clear(&file);
	assert_int_equal(tcpto_cat(path, 123456799, &file), 0);
	assert_string_equal(str_c(&file),
	    "192.0.2.7 timed out 10 seconds ago; # recent timeouts: 1\n"
	    "2001:db8::7 timed out 10 seconds ago; # recent timeouts: 1\n");
	assert_int_equal(tcpto_clear(path), 0);
	str_clear(&file);
	assert_int_equal(tcpto_cat(path, 123456799, &file), 0);
	assert_int_equal(file.len, 0);
	assert_int_equal(fs_read(path, &file, 10000), 0);
	assert_int_equal(file.len, 1024);
	str_free(&file);
	(void)unlink(path);
	assert_int_equal(tcpto_clear(path), -1);
}

/* More hosts than places: the one that is missed least goes. */
static void
test_tcpto_full(void **state)
{
	struct ip ip = ip_of("10.0.0.0");

	(void)state;
	new_table(1024);
	for (unsigned i = 0; i < 64; i++) {
		ip.b[3] = (uint8_t)i;
		tcpto_note(path, &ip, true, 1000000 + (int64_t)i * 10);
	}
	ip.b[3] = 0;
	tcpto_note(path, &ip, true, 1000000 + 120);     /* twice: stays */
	ip.b[3] = 100;
	tcpto_note(path, &ip, true, 1000700);   /* takes the place of .1 */
	ip.b[3] = 1;
	tcpto_note(path, &ip, true, 1000820);   /* once again, of .2's */
	assert_false(tcpto_is_dead(path, &ip, 1000820, 0));
	ip.b[3] = 0;
	assert_true(tcpto_is_dead(path, &ip, 1000820, 0));
	ip.b[3] = 100;
	tcpto_note(path, &ip, true, 1000820);
	assert_true(tcpto_is_dead(path, &ip, 1000820, 0));
	(void)unlink(path);
}

/* The report. */

#define WANT(s) s, sizeof(s) - 1

static void
check(struct job *j, const char *want, size_t n)
{
	struct str out = {0};

	job_report(j, SIZE_MAX, &out);
	assert_int_equal(out.len, n);
	assert_memory_equal(out.s, want, n);
	str_free(&out);
}

static void
test_report(void **state)
{
	const struct str no = {(char[]){"no\n"}, 3, 4};
	const struct str later = {(char[]){"later\n"}, 6, 7};
	const struct str ok = {(char[]){"ok\n"}, 3, 4};
	struct job_rcpt r[3] = {{.addr = "a"}, {.addr = "b"}, {.addr = "c"}};
	struct job j = {.rcpt = r, .n = 3};
	const bool first[] = {true, false, false};
	const bool second[] = {false, true, false};

	(void)state;
	job_event(&j, JOB_DEFER, &later, NULL);
	check(&j, WANT("Zlater\n\0"));
	job_event(&j, JOB_FAIL, &no, (const bool[]){true, true, true});
	check(&j, WANT("Dno\n\0"));
	j.asked = true;
	check(&j, WANT("r\0r\0r\0Dno\n\0"));
	/* Each for itself. */
	job_rcpt_set(&r[0], JOB_FAIL, &no);
	job_rcpt_set(&r[1], JOB_RETRY, &later);
	job_rcpt_set(&r[2], JOB_FAIL, &no);
	assert_int_equal(job_pending(&j), 1);
	check(&j, WANT("hno\n\0slater\n\0hno\n\0Z\0"));
	job_rcpt_set(&r[1], JOB_FAIL, &no);
	check(&j, WANT("hno\n\0hno\n\0hno\n\0D\0"));
	/* One is delivered, another deferred with the message, the third
	 * refused. */
	job_event(&j, JOB_DONE, &ok, first);
	check(&j, WANT("r\0hno\n\0hno\n\0Kok\n\0"));
	job_event(&j, JOB_DEFER, &later, second);
	check(&j, WANT("r\0slater\n\0hno\n\0Kok\n\0"));
	/* Two events, nobody delivered: the last one is the message's. */
	job_event(&j, JOB_FAIL, &no, first);
	check(&j, WANT("r\0slater\n\0hno\n\0Dno\n\0"));
	{
		struct str out = {0}, words = {0};

		str_cats(&words, "0123456\xc3\xbcxyz\n");
		job_rcpt_set(&r[1], JOB_FAIL, &words);
		job_report(&j, 11, &out);
		assert_memory_equal(out.s + 2, "h0123456\n", 10);
		str_clear(&out);
		job_report(&j, 12, &out);
		assert_memory_equal(out.s + 2, "h0123456\xc3\xbc\n", 12);
		str_clear(&out);
		job_report(&j, 15, &out);
		assert_memory_equal(out.s + 2, "h0123456\xc3\xbcxyz\n", 15);
		str_free(&out);
		str_free(&words);
	}
	job_free(&j);
}

static void
test_report_log(void **state)
{
	struct job j = {.code = 250, .dsn = true};
	struct str out = {0};

	(void)state;
	str_copys(&j.host, "mx.example");
	str_copys(&j.ip, "192.0.2.1");
	str_copys(&j.tls_version, "TLSv1.3 x\n");
	job_report_log(&j, &out);
	assert_memory_equal(out.s, "+mta=mx.example ip=192.0.2.1 "
	    "tls=TLSv1.3_x/ code=250 dsn=relayed", out.len);
	job_free(&j);
	j = (struct job){0};
	str_clear(&out);
	job_report_log(&j, &out);
	assert_string_equal(out.s, "+");
	str_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mxlist),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_shuffle),
		cmocka_unit_test(test_tcpto),
		cmocka_unit_test(test_tcpto_format),
		cmocka_unit_test(test_tcpto_full),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_report_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
