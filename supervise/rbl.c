/* rbl.c - DNS lists and refusing; see rbl.h.
 *
 * The client and the lists are strangers.  A list that cannot be asked is
 * never taken for one that does not have the client, but by policy. */
#include "supervise/rbl.h"

#include "lib/tai.h"

#include <string.h>

#define NAME "rblsmtpd.local"

/* One code of the list at s; its length with the comma, 0 when it is none. */
static size_t
scan_code(const char *s, struct ip *net, unsigned *bits)
{
	size_t n = strcspn(s, ",");

	if (ip_parse_net(s, n, net, bits) < 0)
		return 0;
	return n + (s[n] == ',' && s[n + 1] != '\0');
}

int
rbl_parse_source(const char *arg, bool allow, struct rbl_source *out)
{
	const char *codes = strstr(arg, ":=");

	*out = (struct rbl_source){.allow = allow, .base = arg,
	    .base_len = strcspn(arg, ":"),
	    .codes = codes != NULL ? codes + 2 : NULL};
	if (out->base_len == 0 || out->base_len > DNS_NAME_MAX ||
	    (codes == NULL && arg[out->base_len] != '\0') ||
	    (codes != NULL && arg + out->base_len != codes))
		return -1;
	if (codes == NULL)
		return 0;
	codes += 2;
	do {
		struct ip net;
		unsigned bits;
		size_t n = scan_code(codes, &net, &bits);

		if (n == 0)
			return -1;
		codes += n;
	} while (*codes != '\0' && *codes != ',');
	return *codes == '\0' ? 0 : -1;
}

bool
rbl_is_code(const char *codes, const struct ip *ip)
{
	struct ip net;
	unsigned bits;
	size_t n;

	while ((n = scan_code(codes, &net, &bits)) > 0) {
		if (ip_in(ip, &net, bits))
			return true;
		codes += n;
	}
	return false;
}

void
rbl_cat_name(struct str *out, const struct ip *ip,
    const struct rbl_source *s)
{
	for (size_t i = ip->family == 4 ? 4 : 16; i-- > 0;) {
		if (ip->family == 4) {
			str_catu(out, ip->b[i]);
		} else {
			str_catx(out, ip->b[i] & 15u, 1);
			str_catc(out, '.');
			str_catx(out, (uint64_t)ip->b[i] >> 4, 1);
		}
		str_catc(out, '.');
	}
	str_catb(out, s->base, s->base_len);
}

void
rbl_cat_text(struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n && i < RBL_TEXT_MAX; i++)
		str_catc(out, s[i] >= 32 && s[i] < 127 ? s[i] : '?');
}

static void
set_text(struct str *text, const struct dns_answer *txt)
{
	str_clear(text);
	if (txt->status == DNS_OK && txt->n > 0)
		rbl_cat_text(text, str_c(&txt->rec[0].data),
		    txt->rec[0].data.len);
}

/* A of name; DNS_NODATA when none of the results counts. */
static enum dns_status
ask_address(const struct rbl_source *s, const char *name, rbl_ask *ask,
    void *arg)
{
	struct dns_answer a = {0};
	enum dns_status st = ask(arg, name, DNS_A, &a);
	bool found = s->codes == NULL;

	for (size_t i = 0; st == DNS_OK && !found && i < a.n; i++)
		found = rbl_is_code(s->codes, &a.rec[i].ip);
	if (st == DNS_OK && !found)
		st = DNS_NODATA;
	dns_answer_free(&a);
	return st;
}

/* DNS_OK: listed, and why in *text. */
static enum dns_status
ask_list(const struct rbl_source *s, const char *name, rbl_ask *ask,
    void *arg, struct str *text)
{
	struct dns_answer txt = {0};
	enum dns_status st = DNS_OK, st_txt;

	if (s->codes != NULL)
		st = ask_address(s, name, ask, arg);
	if (st != DNS_OK)
		return st;
	st_txt = ask(arg, name, DNS_TXT, &txt);
	txt.status = st_txt;
	set_text(text, &txt);
	dns_answer_free(&txt);
	return s->codes != NULL ? DNS_OK : st_txt;
}

static void
default_text(struct str *text, const struct rbl_source *s,
    const struct ip *client, const char *why)
{
	char buf[IP_TEXT];
	struct str t = {0};

	if (text->len > 0)
		return;
	str_cats(&t, ip_text(client, buf));
	str_cats(&t, why);
	str_catb(&t, s->base, s->base_len);
	rbl_cat_text(text, str_c(&t), t.len);
	str_free(&t);
}

enum rbl_verdict
rbl_decide(const struct rbl_policy *p, const struct ip *client, rbl_ask *ask,
    void *arg, struct str *text)
{
	struct str name = {0};
	enum rbl_verdict v = RBL_PASS;
	bool temporary = !p->permanent;

	str_clear(text);
	for (size_t i = 0; i < p->n; i++) {
		const struct rbl_source *s = &p->source[i];
		enum dns_status st;

		str_clear(&name);
		rbl_cat_name(&name, client, s);
		st = s->allow ? ask_address(s, str_c(&name), ask, arg) :
		    ask_list(s, str_c(&name), ask, arg, text);
		if (st == DNS_NXDOMAIN || st == DNS_NODATA)
			continue;
		if (s->allow) {
			if (st == DNS_OK || !p->closed)
				break;
			temporary = true;
			continue;
		}
		if (st == DNS_TEMP) {
			if (!p->closed)
				continue;
			temporary = true;
			str_clear(text);
			default_text(text, s, client,
			    " could not be looked up now, try again later: ");
		} else {
			default_text(text, s, client, " is listed by ");
		}
		v = temporary ? RBL_TEMP : RBL_PERM;
		break;
	}
	if (v == RBL_PASS)
		str_clear(text);
	str_free(&name);
	return v;
}

enum dns_status
rbl_ask_dns(void *arg, const char *name, enum dns_type type,
    struct dns_answer *out)
{
	struct rbl_dns *d = arg;
	int64_t left = d->until - clock_mono_ms();

	if (left <= 0)
		return DNS_TEMP;
	d->dns.total_ms = (int)left;
	return dns_ask(&d->dns, name, type, out);
}

static bool
is_verb(const char *line, size_t n, const char *verb)
{
	size_t len = strlen(verb);

	return n >= len && bytes_caseeq(line, len, verb, len) &&
	    (n == len || line[len] == ' ' || line[len] == '\r');
}

/* false: it was QUIT. */
static bool
answer(struct io *io, const char *line, size_t n, const char *refusal)
{
	static const char *const polite[] = {"HELO", "EHLO", "MAIL", "RSET",
	    "NOOP"};

	if (is_verb(line, n, "QUIT")) {
		(void)io_puts(io, "221 " NAME "\r\n");
		return false;
	}
	for (size_t i = 0; i < sizeof polite / sizeof polite[0]; i++)
		if (is_verb(line, n, polite[i])) {
			(void)io_puts(io, "250 " NAME "\r\n");
			return true;
		}
	(void)io_puts(io, refusal);
	return true;
}

/* Only the first bytes of a line are kept: no verb is longer. */
static void
talk(struct io *io, const char *refusal, int64_t until)
{
	char line[16], c;
	size_t n = 0, got;
	int64_t left;

	while ((left = until - clock_mono_ms()) > 0) {
		io->timeout = (int)left;
		if (io_get(io, &c, 1, &got) != IO_OK)
			return;
		if (c != '\n') {
			if (n < sizeof line)
				line[n++] = c;
			continue;
		}
		if (!answer(io, line, n, refusal))
			return;
		n = 0;
	}
}

void
rbl_session(struct io *io, enum rbl_verdict v, const char *text,
    int timeout_ms)
{
	struct str refusal = {0};

	str_cats(&refusal, v == RBL_PERM ? "553 " : "451 ");
	str_cats(&refusal, text);
	str_cats(&refusal, "\r\n");
	if (timeout_ms == 0) {
		io->timeout = 1000;     /* a line fits where nothing waits */
		(void)io_puts(io, str_c(&refusal));
	} else {
		(void)io_puts(io, "220 " NAME "\r\n");
		talk(io, str_c(&refusal), clock_mono_ms() + timeout_ms);
		io->timeout = 1000;
	}
	(void)io_flush(io);
	str_free(&refusal);
}
