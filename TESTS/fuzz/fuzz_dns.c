/* fuzz_dns.c - any bytes as a DNS message, asked about what its own question
 * says, and as resolv.conf.  What is kept stays inside the limits; a name that
 * is text can be packed again. */
#include "lib/dns_parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_text(const struct str *s)
{
	require(s->len <= DNS_NAME_MAX);
	for (size_t i = 0; i < s->len; i++)
		require(strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.",
		    s->s[i]) != NULL && s->s[i] != '\0');
}

static void
check_record(const struct dns_record *r, enum dns_type type)
{
	switch (type) {
	case DNS_A:
		require(r->ip.family == 4);
		break;
	case DNS_AAAA:
		require(r->ip.family == 6);
		break;
	case DNS_MX:
	case DNS_PTR:
	case DNS_CNAME:
		check_text(&r->data);
		break;
	case DNS_TXT:
	case DNS_TLSA:
		require(r->data.len <= DNS_RDATA_MAX);
		break;
	}
}

static void
ask(const uint8_t *msg, size_t n, const struct dns_question *q)
{
	struct dns_answer a;

	if (dns_answer_parse(msg, n, q, &a) != DNS_ANSWERED)
		return;
	require(a.status != DNS_TEMP);
	require((a.status == DNS_OK) == (a.n > 0));
	require(a.n <= DNS_RECORDS_MAX);
	check_text(&a.cname);
	for (size_t i = 0; i < a.n; i++)
		check_record(&a.rec[i], q->type);
	dns_answer_free(&a);
	require(a.rec == NULL);
}

static void
check_name(const uint8_t *msg, size_t n, size_t at)
{
	struct dns_wire_name name, again;
	struct str s = {0};
	size_t next;

	if (dns_name_read(msg, n, at, &name, &next) < 0)
		return;
	require(name.len >= 1 && name.len <= DNS_WIRE_MAX);
	require(next > at && next <= n);
	if (dns_name_text(&name, &s) == 0 && name.len > 1)
		require(dns_name_pack(str_c(&s), &again) == 0 &&
		    dns_name_equal(&name, &again));
	str_free(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum dns_type types[] = {DNS_A, DNS_CNAME, DNS_PTR,
	    DNS_MX, DNS_TXT, DNS_AAAA, DNS_TLSA};
	struct dns_question q = {.type = DNS_A, .name = {.len = 1}};
	struct dns d = {0};
	bool ad = false;
	const void *text = data;
	size_t next;

	dns_conf_parse(text, n, &d, &ad);
	require(d.nserver <= DNS_SERVERS_MAX);
	for (size_t at = 0; at < n && at < 64; at++)
		check_name(data, n, at);
	if (n > 12) {
		q.id = (uint16_t)(data[0] << 8 | data[1]);
		if (dns_name_read(data, n, 12, &q.name, &next) == 0 &&
		    n - next >= 2)
			for (size_t i = 0; i < sizeof types / sizeof *types;
			    i++)
				if (data[next] == 0 &&
				    data[next + 1] == (unsigned)types[i])
					q.type = types[i];
	}
	ask(data, n, &q);
	return 0;
}
