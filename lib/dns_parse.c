/* lib/dns_parse.c - DNS messages taken apart; see dns_parse.h.
 *
 * An answer is read in passes over its records: one that checks all of it,
 * one for each alias that is followed, and one that keeps what was asked for.
 * Nothing is kept from a message that is malformed anywhere. */
#include "lib/dns_parse.h"

#include <stdlib.h>
#include <string.h>

#define HEADER 12               /* bytes */
#define FIXED 10                /* bytes of a record after its name */
#define HOPS_MAX 127            /* count: pointers in one name; a name has no
                                 * more labels than that */

enum {
	CLASS_IN = 1,
	TYPE_NS = 2, TYPE_SOA = 6, TYPE_OPT = 41,
	FLAG_QR = 0x80, FLAG_OPCODE = 0x78, FLAG_TC = 0x02, FLAG_RD = 0x01,
	FLAG_AD = 0x20,
	NOERROR = 0, FORMERR = 1, NXDOMAIN = 3, NOTIMP = 4, BADVERS = 16,
};

/* One record; the message stays where it is. */
struct record {
	struct dns_wire_name owner;
	uint16_t type, class;
	uint32_t ttl;
	size_t rdata, rdlen, next;
};

struct message {
	const unsigned char *b;
	size_t n;
	size_t answer;          /* where the answer section begins */
	uint16_t nanswer, nauthority, nadditional;
	unsigned rcode;         /* with the bits of EDNS */
	bool soa, ns;           /* in the authority section */
};

static uint16_t
get16(const unsigned char *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void
put16(unsigned char *p, unsigned v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

/* Names. */

int
dns_name_pack(const char *text, struct dns_wire_name *out)
{
	size_t at = 0;

	while (*text != '\0') {
		size_t n = strcspn(text, ".");

		/* one byte stays for the final zero */
		if (n == 0 || n > DNS_LABEL_MAX || at + 1 + n > DNS_WIRE_MAX - 1)
			return -1;
		out->b[at++] = (unsigned char)n;
		memcpy(out->b + at, text, n);
		at += n;
		text += n;
		if (*text == '.')
			text++;
	}
	if (at == 0)
		return -1;
	out->b[at++] = 0;
	out->len = at;
	return 0;
}

int
dns_name_text(const struct dns_wire_name *name, struct str *out)
{
	str_clear(out);
	for (size_t at = 0; name->b[at] != 0; at += 1U + name->b[at]) {
		if (at > 0)
			str_catc(out, '.');
		for (size_t i = 1; i <= name->b[at]; i++) {
			char c = ascii_lower((char)name->b[at + i]);

			if ((c < 'a' || c > 'z') && (c < '0' || c > '9') &&
			    c != '-' && c != '_')
				return -1;
			str_catc(out, c);
		}
	}
	return 0;
}

/* Lengths are below 64, so they are nothing that case could change. */
bool
dns_name_equal(const struct dns_wire_name *a, const struct dns_wire_name *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		if (ascii_lower((char)a->b[i]) != ascii_lower((char)b->b[i]))
			return false;
	return true;
}

int
dns_name_read(const unsigned char *msg, size_t n, size_t at,
    struct dns_wire_name *out, size_t *next_out)
{
	size_t floor = at, next = 0, len = 0;
	unsigned hops = 0;

	for (;;) {
		size_t c;

		if (at >= n)
			return -1;
		c = msg[at];
		if (c >= 0xc0) {
			size_t to;

			if (n - at < 2 || ++hops > HOPS_MAX)
				return -1;
			if (next == 0)
				next = at + 2;
			to = get16(msg + at) & 0x3fffU;
			/* before all that was read of this name so far, so
			 * that it must end */
			if (to < HEADER || to >= floor)
				return -1;
			at = floor = to;
			continue;
		}
		if (c > DNS_LABEL_MAX)          /* 0x40, 0x80: 6891:5 */
			return -1;
		if (n - at < 1 + c || DNS_WIRE_MAX - len < 1 + c)
			return -1;
		memcpy(out->b + len, msg + at, 1 + c);
		len += 1 + c;
		at += 1 + c;
		if (c == 0)
			break;
	}
	out->len = len;
	*next_out = next != 0 ? next : at;
	return 0;
}

void
dns_reverse_name(const struct ip *ip, struct str *out)
{
	str_clear(out);
	if (ip->family == 4) {
		for (size_t i = 4; i-- > 0;)
			str_catf(out, "%u.", (unsigned)ip->b[i]);
		str_cats(out, "in-addr.arpa");
	} else if (ip->family == 6) {
		for (size_t i = 16; i-- > 0;)
			str_catf(out, "%x.%x.", ip->b[i] & 15U,
			    (unsigned)ip->b[i] >> 4);
		str_cats(out, "ip6.arpa");
	}
}

/* Queries. */

size_t
dns_query_make(const struct dns_question *q, unsigned char out[DNS_QUERY_MAX])
{
	size_t at = HEADER;

	memset(out, 0, HEADER);
	put16(out, q->id);
	out[2] = FLAG_RD;
	out[3] = q->want_ad ? FLAG_AD : 0;      /* 6840:5.7 */
	put16(out + 4, 1);
	memcpy(out + at, q->name.b, q->name.len);
	at += q->name.len;
	put16(out + at, (unsigned)q->type);
	put16(out + at + 2, CLASS_IN);
	at += 4;
	if (q->edns) {
		put16(out + 10, 1);
		memset(out + at, 0, 11);
		put16(out + at + 1, TYPE_OPT);
		put16(out + at + 3, DNS_UDP_MAX);
		at += 11;
	}
	return at;
}

/* Answers. */

static int
record_read(const struct message *m, size_t at, struct record *out)
{
	const unsigned char *p;

	if (dns_name_read(m->b, m->n, at, &out->owner, &at) < 0 ||
	    m->n - at < FIXED)
		return -1;
	p = m->b + at;
	out->type = get16(p);
	out->class = get16(p + 2);
	out->ttl = (uint32_t)get16(p + 4) << 16 | get16(p + 6);
	out->rdlen = get16(p + 8);
	out->rdata = at + FIXED;
	if (m->n - out->rdata < out->rdlen)
		return -1;
	out->next = out->rdata + out->rdlen;
	return 0;
}

/* The name at at, which must be the last of this record's data. */
static int
record_name(const struct message *m, const struct record *r, size_t at,
    struct dns_wire_name *out)
{
	size_t next;

	if (at >= r->next ||
	    dns_name_read(m->b, m->n, at, out, &next) < 0 || next != r->next)
		return -1;
	return 0;
}

static bool
is_refusal(unsigned rcode)
{
	return rcode == FORMERR || rcode == NOTIMP || rcode == BADVERS;
}

/* Is this a response to the question, as far as its head says? */
static bool
is_ours(const unsigned char *msg, size_t n, const struct dns_question *q,
    size_t *answer_out)
{
	struct dns_wire_name name;
	size_t at;

	if (n < HEADER || get16(msg) != q->id || !(msg[2] & FLAG_QR) ||
	    (msg[2] & FLAG_OPCODE) != 0)
		return false;
	/* some repeat no question when they could not read it */
	if ((n == HEADER || get16(msg + 4) == 0) && is_refusal(msg[3] & 15))
		return true;
	if (get16(msg + 4) != 1 ||
	    dns_name_read(msg, n, HEADER, &name, &at) < 0 || n - at < 4)
		return false;
	*answer_out = at + 4;
	return dns_name_equal(&name, &q->name) &&
	    get16(msg + at) == (unsigned)q->type &&
	    get16(msg + at + 2) == CLASS_IN;
}

/* Reads every record once. */
static int
message_check(struct message *m)
{
	size_t at = m->answer;
	bool opt = false;
	struct record r;

	for (unsigned i = 0; i < m->nanswer; i++) {
		if (record_read(m, at, &r) < 0)
			return -1;
		at = r.next;
	}
	for (unsigned i = 0; i < m->nauthority; i++) {
		if (record_read(m, at, &r) < 0)
			return -1;
		m->soa |= r.type == TYPE_SOA && r.class == CLASS_IN;
		m->ns |= r.type == TYPE_NS && r.class == CLASS_IN;
		at = r.next;
	}
	for (unsigned i = 0; i < m->nadditional; i++) {
		if (record_read(m, at, &r) < 0)
			return -1;
		at = r.next;
		if (r.type != TYPE_OPT)
			continue;
		if (opt || r.owner.len != 1)    /* 6891:6.1.1 */
			return -1;
		opt = true;
		m->rcode |= (unsigned)(r.ttl >> 24) << 4;
	}
	return 0;
}

/* Follows the aliases from *name.  *hops_out says how many there were; -1
 * when there are too many, or one is malformed. */
static int
follow(const struct message *m, enum dns_type type,
    struct dns_wire_name *name, unsigned *hops_out)
{
	*hops_out = 0;
	for (;;) {
		struct dns_wire_name to;
		bool alias = false;
		size_t at = m->answer;

		for (unsigned i = 0; i < m->nanswer; i++) {
			struct record r;

			if (record_read(m, at, &r) < 0)
				return -1;
			at = r.next;
			if (r.class != CLASS_IN ||
			    !dns_name_equal(&r.owner, name))
				continue;
			if (r.type == (unsigned)type)
				return 0;
			if (r.type != DNS_CNAME || alias)
				continue;
			if (record_name(m, &r, r.rdata, &to) < 0)
				return -1;
			alias = true;
		}
		if (!alias)
			return 0;
		if (++*hops_out > DNS_ALIAS_MAX)
			return -1;
		*name = to;
	}
}

/* TXT: strings of a length byte each, joined. */
static int
text_join(const unsigned char *p, size_t n, struct str *out)
{
	while (n > 0) {
		size_t len = p[0];

		if (n - 1 < len)
			return -1;
		str_catb(out, p + 1, len);
		p += 1 + len;
		n -= 1 + len;
	}
	return 0;
}

enum use { KEEP, SKIP, BROKEN };

/* A record of the wanted type. */
static enum use
record_take(const struct message *m, const struct record *r,
    struct dns_record *out)
{
	const unsigned char *p = m->b + r->rdata;
	struct dns_wire_name name;
	size_t skip = 0;

	switch (r->type) {
	case DNS_A:
	case DNS_AAAA:
		if (r->rdlen != (r->type == DNS_A ? 4U : 16U))
			return BROKEN;
		if (r->type == DNS_A) {
			out->ip.family = 4;
			memcpy(out->ip.b, p, 4);
			return KEEP;
		}
		/* a mapped one is no address to connect to: 4291:2.5.5.2 */
		if (memcmp(p, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0)
			return SKIP;
		out->ip.family = 6;
		memcpy(out->ip.b, p, 16);
		return KEEP;
	case DNS_MX:
		if (r->rdlen < 3)
			return BROKEN;
		out->pref = get16(p);
		skip = 2;
		__attribute__((fallthrough));
	case DNS_CNAME:
	case DNS_PTR:
		if (record_name(m, r, r->rdata + skip, &name) < 0)
			return BROKEN;
		return dns_name_text(&name, &out->data) == 0 ? KEEP : SKIP;
	case DNS_TXT:
		if (r->rdlen == 0 || text_join(p, r->rdlen, &out->data) < 0)
			return BROKEN;
		break;
	default:
		str_catb(&out->data, p, r->rdlen);
		break;
	}
	return out->data.len <= DNS_RDATA_MAX ? KEEP : SKIP;
}

/* Keeps what belongs to name.  -1 when a record is malformed; *unusable_out
 * says that something was there that could not be kept. */
static int
collect(const struct message *m, enum dns_type type,
    const struct dns_wire_name *name, struct dns_answer *out,
    bool *unusable_out)
{
	size_t at = m->answer;

	*unusable_out = false;
	for (unsigned i = 0; i < m->nanswer; i++) {
		struct dns_record rec = {0};
		struct record r;
		enum use use;

		if (record_read(m, at, &r) < 0)
			return -1;
		at = r.next;
		if (r.type != (unsigned)type || r.class != CLASS_IN ||
		    !dns_name_equal(&r.owner, name) ||
		    out->n == DNS_RECORDS_MAX)
			continue;
		use = record_take(m, &r, &rec);
		if (use == KEEP) {
			if (out->rec == NULL)
				out->rec = mem_alloc(DNS_RECORDS_MAX,
				    sizeof *out->rec);
			out->rec[out->n++] = rec;
			continue;
		}
		str_free(&rec.data);
		if (use == BROKEN)
			return -1;
		*unusable_out = true;
	}
	return 0;
}

static enum dns_verdict
message_verdict(const struct message *m, const struct dns_question *q,
    struct dns_answer *out)
{
	struct dns_wire_name name = q->name;
	unsigned hops;
	bool unusable;

	if (is_refusal(m->rcode))
		return DNS_NO_EDNS;
	if (m->rcode != NOERROR && m->rcode != NXDOMAIN)
		return DNS_FAILED;
	if (follow(m, q->type, &name, &hops) < 0 ||
	    collect(m, q->type, &name, out, &unusable) < 0)
		return DNS_MALFORMED;
	if (hops > 0 && dns_name_text(&name, &out->cname) < 0)
		str_clear(&out->cname);
	if (out->n > 0)
		out->status = DNS_OK;
	else if (unusable)
		return DNS_FAILED;      /* there, but nothing to go by */
	else if (m->rcode == NXDOMAIN)
		out->status = DNS_NXDOMAIN;
	else if (m->ns && !m->soa)
		return DNS_FAILED;      /* a referral: 2308:2.2 */
	else
		out->status = DNS_NODATA;
	return DNS_ANSWERED;
}

enum dns_verdict
dns_answer_parse(const unsigned char *msg, size_t n,
    const struct dns_question *q, struct dns_answer *out)
{
	struct message m = {.b = msg, .n = n};
	struct dns_answer a = {0};
	enum dns_verdict v;

	if (!is_ours(msg, n, q, &m.answer))
		return DNS_NOT_OURS;
	if (msg[2] & FLAG_TC)
		return DNS_TRUNCATED;
	m.rcode = msg[3] & 15;
	m.nanswer = get16(msg + 6);
	m.nauthority = get16(msg + 8);
	m.nadditional = get16(msg + 10);
	if (is_refusal(m.rcode))
		return DNS_NO_EDNS;     /* whatever the rest looks like */
	if (message_check(&m) < 0)
		return DNS_MALFORMED;
	v = message_verdict(&m, q, &a);
	if (v != DNS_ANSWERED) {
		dns_answer_free(&a);
		return v;
	}
	a.ad = msg[3] & FLAG_AD;
	*out = a;
	return v;
}

void
dns_answer_free(struct dns_answer *a)
{
	for (size_t i = 0; i < a->n; i++)
		str_free(&a->rec[i].data);
	free(a->rec);
	str_free(&a->cname);
	*a = (struct dns_answer){0};
}

/* resolv.conf */

/* The next word of [*s, end), or NULL. */
static const char *
word(const char **s, const char *end, size_t *len_out)
{
	const char *from;

	while (*s < end && (**s == ' ' || **s == '\t' || **s == '\r'))
		(*s)++;
	from = *s;
	while (*s < end && **s != ' ' && **s != '\t' && **s != '\r')
		(*s)++;
	*len_out = (size_t)(*s - from);
	return *len_out > 0 ? from : NULL;
}

static bool
is_word(const char *s, size_t n, const char *want)
{
	return s != NULL && n == strlen(want) && memcmp(s, want, n) == 0;
}

static void
conf_line(const char *s, const char *end, struct dns *d, bool *trust_ad_out)
{
	size_t n;
	const char *w = word(&s, end, &n);

	if (is_word(w, n, "nameserver")) {
		struct ip ip;

		w = word(&s, end, &n);
		if (w != NULL && d->nserver < DNS_SERVERS_MAX &&
		    ip_parse(w, n, &ip) == 0) {
			d->server[d->nserver].ip = ip;
			d->server[d->nserver++].port = 53;
		}
	} else if (is_word(w, n, "options")) {
		while ((w = word(&s, end, &n)) != NULL)
			if (is_word(w, n, "trust-ad"))
				*trust_ad_out = true;
	}
}

void
dns_conf_parse(const char *s, size_t n, struct dns *d, bool *trust_ad_out)
{
	while (n > 0) {
		size_t line = bytes_chr(s, n, '\n');

		conf_line(s, s + line, d, trust_ad_out);
		if (line == n)
			break;
		s += line + 1;
		n -= line + 1;
	}
}
