/* smtpd/xclient.c - whose connection this is, according to a trusted peer:
 * the PROXY header and the XCLIENT command.
 *
 * Trust comes from the environment alone, that is from the tcprules.  What a
 * balancer's own address may do, its clients may not: RELAYCLIENT is
 * forgotten.  A balancer that passes its client's bytes on after XCLIENT must
 * not lend it that command: it is good for once. */
#include "lib/tai.h"
#include "smtpd/path.h"
#include "smtpd/proxy.h"
#include "smtpd/session.h"

#include <stdlib.h>
#include <string.h>

/* No value that a shell could take for a function. */
static void
export(const char *name, const char *value)
{
	int r = value != NULL && *value != '(' ? setenv(name, value, 1) :
	    unsetenv(name);

	if (r < 0)
		abort();        /* the names are constants, memory is there */
}

static const char *
or_null(const struct str *s)
{
	return s->len > 0 ? str_c(s) : NULL;
}

void
xclient_export(const struct smtpd *s)
{
	export("TCPREMOTEIP", or_null(&s->peer.ip));
	export("TCPREMOTEHOST", or_null(&s->peer.host));
	export("TCPREMOTEINFO", or_null(s->login.len > 0 ? &s->login :
	    &s->peer.info));
	export("TCPLOCALIP", or_null(&s->peer.local_ip));
	export("RELAYCLIENT", s->relayclient != NULL || s->login.len == 0 ?
	    s->relayclient : "");
}

static void
forget_peer(struct smtpd *s)
{
	str_clear(&s->peer.host);
	str_clear(&s->peer.info);
	s->relayclient = NULL;
	s->peer.proxied = true;
}

static void
copy_ip(struct str *out, const struct ip *ip)
{
	char buf[IP_TEXT];

	str_copys(out, ip_text(ip, buf));
}

int
xclient_proxy(struct smtpd *s)
{
	struct proxy_facts f;
	struct str head = {0};
	enum proxy_status st = PROXY_MORE;
	int64_t until = clock_mono_ms() + s->cfg->times.proxy, left;

	s->verb = "PROXY";
	/* A byte at a time, but from a buffer: nothing behind it is taken. */
	while (st == PROXY_MORE && head.len < PROXY_MAX) {
		char c;
		size_t got, used;

		left = until - clock_mono_ms();
		s->io->timeout = left > 0 ? (int)left : 0;
		if (io_get(s->io, &c, 1, &got) != IO_OK)
			break;
		str_catc(&head, c);
		st = proxy_parse(head.s, head.len, &f, &used);
	}
	s->io->timeout = s->cfg->times.idle;
	str_free(&head);
	if (st == PROXY_OK) {
		forget_peer(s);
		copy_ip(&s->peer.ip, &f.from);
		copy_ip(&s->peer.local_ip, &f.to);
		xclient_export(s);
	} else if (st == PROXY_LOCAL) {
		/* No address is no reason to relay: "UNKNOWN" is somebody. */
		s->relayclient = NULL;
		xclient_export(s);
	} else {
		wire_end(s, st == PROXY_BAD ? "proxy_header" :
		    "no_proxy_header");
		return -1;
	}
	return 0;
}

/* "[UNAVAILABLE]" and "[TEMPUNAVAIL]" stand for what is not known. */
static bool
is_unknown(const struct str *v)
{
	return bytes_caseeq(str_c(v), v->len, "[UNAVAILABLE]", 13) ||
	    bytes_caseeq(str_c(v), v->len, "[TEMPUNAVAIL]", 13);
}

static int
take_address(struct str *out, const struct str *v)
{
	const char *s = str_c(v);
	size_t n = v->len;
	struct ip ip;

	if (n > 5 && bytes_caseeq(s, 5, "IPv6:", 5)) {
		s += 5;
		n -= 5;
	}
	if (ip_parse(s, n, &ip) < 0)
		return -1;
	copy_ip(out, &ip);
	return 0;
}

/* One attribute into the peer to be. */
static int
take_attribute(struct smtpd_peer *p, struct str *login, const char *key,
    struct str *v)
{
	struct str plain = {0};
	int r = 0;

	if (is_unknown(v))
		str_clear(v);
	if (dsn_xtext_decode(&plain, str_c(v), v->len) < 0 ||
	    str_has_nul(&plain)) {
		str_free(&plain);
		return -1;
	}
	if (strcmp(key, "ADDR") == 0)
		r = plain.len > 0 ? take_address(&p->ip, &plain) :
		    (str_clear(&p->ip), 0);
	else if (strcmp(key, "NAME") == 0)
		str_copy(&p->host, &plain);
	else if (strcmp(key, "HELO") == 0)
		str_copy(&p->helo, &plain);
	else if (strcmp(key, "DESTADDR") == 0)
		r = plain.len > 0 ? take_address(&p->local_ip, &plain) : 0;
	else if (strcmp(key, "LOGIN") == 0)
		str_copy(login, &plain);
	else if (strcmp(key, "PORT") != 0 && strcmp(key, "PROTO") != 0 &&
	    strcmp(key, "DESTPORT") != 0)
		r = -1;
	str_free(&plain);
	return r;
}

static void
swap_str(struct str *a, struct str *b)
{
	struct str t = *a;

	*a = *b;
	*b = t;
}

void
xclient_xclient(struct smtpd *s, const char *arg)
{
	struct smtpd_peer p = {0};
	struct str login = {0}, key = {0}, value = {0}, l = {0};
	enum param_status st;
	bool has_value, any = false;
	int r = 0;

	str_copy(&p.ip, &s->peer.ip);
	str_copy(&p.local_ip, &s->peer.local_ip);
	while (r == 0 && (st = param_next(&arg, &key, &value, &has_value)) !=
	    PARAM_END) {
		any = true;
		r = st == PARAM_OK && has_value ?
		    take_attribute(&p, &login, str_c(&key), &value) : -1;
	}
	if (r < 0 || !any) {
		wire_refuse(s, NULL, "501 5.5.4 malformed attributes");
	} else {
		forget_peer(s);
		smtpd_forget(s);
		swap_str(&s->peer.ip, &p.ip);
		swap_str(&s->peer.local_ip, &p.local_ip);
		swap_str(&s->peer.host, &p.host);
		swap_str(&s->peer.helo, &p.helo);
		swap_str(&s->login, &login);
		s->xclient = false;
		xclient_export(s);
		wire_log_begin(s, &l, "xclient");
		wire_log_end(&l);
		smtpd_greet(s);
	}
	str_free(&p.ip);
	str_free(&p.local_ip);
	str_free(&p.host);
	str_free(&p.helo);
	str_free(&login);
	str_free(&key);
	str_free(&value);
}
