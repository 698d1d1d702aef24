/* lib/tlsreq.c - both ends of the conversation with tlsd; see tlsreq.h.
 *
 * Parsers check every byte: tlsd reads requests of programs that talk to the
 * network.  Answers of tlsd are checked the same way, because the process that
 * wrote them talked to the network too. */
#include "lib/tlsreq.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/sock.h"
#include "lib/tai.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 5000         /* a tlsd that stands still */
#define SLACK_MS 5000           /* tlsd keeps the time itself; then we do */

void
tlsfacts_free(struct tlsfacts *f)
{
	str_free(&f->version);
	str_free(&f->cipher);
	str_free(&f->sni);
	str_free(&f->peer);
	str_free(&f->fingerprint);
	str_free(&f->reason);
	*f = (struct tlsfacts){0};
}

int
tlsreq_open(const char *path)
{
	return sock_connect(path, SOCK_SEQPACKET, CONNECT_MS);
}

static void
cat_text(struct str *out, const char *s)
{
	str_catb(out, s != NULL ? s : "", (s != NULL ? strlen(s) : 0) + 1);
}

void
tlsreq_cat(struct str *out, const struct tlsreq *r)
{
	str_catc(out, (char)('0' + (int)r->role));
	str_catc(out, (char)('0' + (int)r->verify));
	str_catc(out, r->given ? '1' : '0');
	str_catu(out, r->timeout_ms);
	str_catc(out, '\0');
	cat_text(out, r->service);
	cat_text(out, r->name);
	cat_text(out, r->altname);
	cat_text(out, r->peer);
	str_catu(out, r->ntlsa);
	str_catc(out, '\0');
	for (size_t i = 0; i < r->ntlsa; i++) {
		str_catc(out, (char)(unsigned char)(r->tlsa[i].len >> 8));
		str_catc(out, (char)(unsigned char)r->tlsa[i].len);
		str_cat(out, &r->tlsa[i]);
	}
}

/* What is left of a packet; s is NULL once something was wrong. */
struct cut {
	const char *s;
	size_t n;
};

/* A text of at most max bytes, each from low to '~'. */
static const char *
take_text(struct cut *c, char low, size_t max)
{
	const char *s = c->s;
	size_t len;

	if (s == NULL)
		return "";
	len = bytes_chr(s, c->n, '\0');
	if (len == c->n || len > max) {
		c->s = NULL;
		return "";
	}
	for (size_t i = 0; i < len; i++)
		if (s[i] < low || s[i] > '~') {
			c->s = NULL;
			return "";
		}
	c->s += len + 1;
	c->n -= len + 1;
	return s;
}

/* Decimal without leading zeros, at most max. */
static uint64_t
take_number(struct cut *c, uint64_t max)
{
	const char *s = take_text(c, '!', 10);
	uint64_t v = 0;
	size_t k = scan_u64(s, &v);

	if (k == 0 || s[k] != '\0' || v > max || (s[0] == '0' && k > 1))
		c->s = NULL;
	return v;
}

/* One byte from '0' to '0' + max. */
static int
take_digit(struct cut *c, int max)
{
	int v;

	if (c->s == NULL || c->n == 0 || *c->s < '0' || *c->s > '0' + max) {
		c->s = NULL;
		return 0;
	}
	v = *c->s - '0';
	c->s++;
	c->n--;
	return v;
}

/* Borrowed bytes as a str that nobody may change or free. */
static struct str
borrow(const char *s, size_t n)
{
	union {
		const char *in;
		char *out;
	} u = {.in = s};

	return (struct str){.s = u.out, .len = n};
}

static struct str
take_record(struct cut *c)
{
	struct str out = {0};
	size_t n;

	if (c->s == NULL || c->n < 2) {
		c->s = NULL;
		return out;
	}
	n = (size_t)(unsigned char)c->s[0] << 8 | (unsigned char)c->s[1];
	if (n == 0 || n > c->n - 2) {
		c->s = NULL;
		return out;
	}
	out = borrow(c->s + 2, n);
	c->s += n + 2;
	c->n -= n + 2;
	return out;
}

static bool
known_combination(int role, int verify)
{
	if (role == TLSREQ_SERVER)
		return verify == TLSREQ_ANY || verify == TLSREQ_ASK;
	return role == TLSREQ_CLIENT && verify != TLSREQ_ASK;
}

int
tlsreq_parse(const char *s, size_t n, struct tlsreq *out,
    struct str tlsa_out[TLSREQ_TLSA_MAX])
{
	struct cut c = {s, n};
	int role = take_digit(&c, 2), verify = take_digit(&c, 3);

	*out = (struct tlsreq){.role = (enum tlsreq_role)role,
	    .verify = (enum tlsreq_verify)verify};
	out->given = take_digit(&c, 1) == 1;
	out->timeout_ms = (unsigned)take_number(&c, 300000);
	out->service = take_text(&c, '!', TLSREQ_SHORT);
	out->name = take_text(&c, '!', TLSREQ_TEXT);
	out->altname = take_text(&c, '!', TLSREQ_TEXT);
	out->peer = take_text(&c, '!', TLSREQ_SHORT);
	out->ntlsa = (size_t)take_number(&c, TLSREQ_TLSA_MAX);
	out->tlsa = tlsa_out;
	for (size_t i = 0; c.s != NULL && i < out->ntlsa; i++)
		tlsa_out[i] = take_record(&c);
	if (c.s == NULL || c.n != 0 || n > TLSREQ_PACKET ||
	    !known_combination(role, verify) || out->timeout_ms < 1000 ||
	    *out->service == '\0' ||
	    (verify == TLSREQ_NAME && *out->name == '\0') ||
	    (verify == TLSREQ_DANE) != (out->ntlsa > 0)) {
		errno = EPROTO;
		return -1;
	}
	return 0;
}

/* So that whatever is written can be parsed. */
static void
cat_clean(struct str *out, const struct str *text, char low)
{
	size_t n = text->len < TLSREQ_TEXT ? text->len : TLSREQ_TEXT;

	for (size_t i = 0; i < n; i++)
		str_catc(out, text->s[i] < low || text->s[i] > '~' ? '?' :
		    text->s[i]);
	str_catc(out, '\0');
}

void
tlsfacts_cat(struct str *out, const struct tlsfacts *f)
{
	str_catc(out, f->ok ? '1' : '0');
	str_catc(out, f->verified ? '1' : '0');
	cat_clean(out, &f->version, '!');
	cat_clean(out, &f->cipher, '!');
	str_catu(out, f->bits);
	str_catc(out, '\0');
	cat_clean(out, &f->sni, '!');
	cat_clean(out, &f->peer, ' ');
	cat_clean(out, &f->fingerprint, '!');
	cat_clean(out, &f->reason, ' ');
}

int
tlsfacts_parse(const char *s, size_t n, struct tlsfacts *out)
{
	struct cut c = {s, n};
	bool ok = take_digit(&c, 1) == 1, verified = take_digit(&c, 1) == 1;
	const char *version = take_text(&c, '!', TLSREQ_TEXT);
	const char *cipher = take_text(&c, '!', TLSREQ_TEXT);
	unsigned bits = (unsigned)take_number(&c, 100000);
	const char *sni = take_text(&c, '!', TLSREQ_TEXT);
	const char *peer = take_text(&c, ' ', TLSREQ_TEXT);
	const char *fingerprint = take_text(&c, '!', TLSREQ_TEXT);
	const char *reason = take_text(&c, ' ', TLSREQ_TEXT);

	if (c.s == NULL || c.n != 0) {
		errno = EPROTO;
		return -1;
	}
	out->ok = ok;
	out->verified = verified;
	out->bits = bits;
	str_copys(&out->version, version);
	str_copys(&out->cipher, cipher);
	str_copys(&out->sni, sni);
	str_copys(&out->peer, peer);
	str_copys(&out->fingerprint, fingerprint);
	str_copys(&out->reason, reason);
	return 0;
}

static int
send_request(int t, const struct tlsreq *req, int net, int plain)
{
	int64_t until = clock_mono_ms() + (int64_t)req->timeout_ms;
	struct tlsreq r = *req;
	struct str packet = {0};
	ssize_t sent = -1;

	r.given = plain >= 0;
	tlsreq_cat(&packet, &r);
	if (packet.len > TLSREQ_PACKET)
		errno = EMSGSIZE;
	else
		sent = sock_send_fd_until(t, packet.s, packet.len, net, until);
	str_free(&packet);
	if (sent >= 0 && plain >= 0)
		sent = sock_send_fd_until(t, "P", 1, plain, until);
	fd_close(net);
	if (plain >= 0)
		fd_close(plain);
	return sent < 0 ? -1 : 0;
}

/* The answer's length, its descriptor in *fd_out; -1 with errno. */
static ssize_t
wait_answer(int t, unsigned timeout_ms, char *buf, size_t n, int *fd_out)
{
	int64_t until = clock_mono_ms() + (int64_t)timeout_ms + SLACK_MS;
	struct pollfd p = {.fd = t, .events = POLLIN};
	int r;

	*fd_out = -1;
	do {
		int64_t left = until - clock_mono_ms();

		r = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (r < 0 && errno == EINTR);
	if (r == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	return r < 0 ? -1 : sock_recv_fd(t, buf, n, fd_out);
}

static enum tlsreq_status
start(int t, const struct tlsreq *req, int net, int plain,
    struct tlsfacts *facts, int *plain_out)
{
	char *buf;
	ssize_t n;

	tlsfacts_free(facts);
	*plain_out = -1;
	if (send_request(t, req, net, plain) < 0)
		return TLSREQ_GONE;
	buf = mem_alloc(TLSREQ_PACKET, 1);
	n = wait_answer(t, req->timeout_ms, buf, TLSREQ_PACKET, plain_out);
	if (n == 0) {
		errno = ECONNRESET;
		n = -1;
	}
	if (n > 0 && tlsfacts_parse(buf, (size_t)n, facts) < 0)
		n = -1;
	free(buf);
	/* A descriptor comes when it is due, and never otherwise. */
	if (n > 0 && (*plain_out >= 0) != (facts->ok && plain < 0)) {
		errno = EPROTO;
		n = -1;
	}
	if (n > 0)
		return facts->ok ? TLSREQ_OK : TLSREQ_FAILED;
	if (*plain_out >= 0)
		fd_close(*plain_out);
	*plain_out = -1;
	facts->ok = false;
	return TLSREQ_GONE;
}

enum tlsreq_status
tlsreq_start(int t, const struct tlsreq *req, int net,
    struct tlsfacts *facts, int *plain_out)
{
	enum tlsreq_status st = start(t, req, net, -1, facts, plain_out);

	fd_close(t);
	return st;
}

enum tlsreq_status
tlsreq_start_on(int t, const struct tlsreq *req, int net, int plain,
    struct tlsfacts *facts)
{
	int none;
	enum tlsreq_status st = start(t, req, net, plain, facts, &none);

	fd_close(t);
	return st;
}

static void
put_env(const char *name, const char *value)
{
	int r = *value != '\0' ? setenv(name, value, 1) : unsetenv(name);

	if (r < 0)
		die(111, "out of memory");
}

void
tlsfacts_setenv(const struct tlsfacts *f)
{
	struct str bits = {0};

	if (f->bits > 0)
		str_catu(&bits, f->bits);
	put_env("SSL_PROTOCOL", str_c(&f->version));
	put_env("SSL_CIPHER", str_c(&f->cipher));
	put_env("SSL_CIPHER_USEKEYSIZE", str_c(&bits));
	put_env("SSL_TLS_SNI_SERVERNAME", str_c(&f->sni));
	put_env("SSL_CLIENT_S_DN", str_c(&f->peer));
	put_env("SSL_CLIENT_FINGERPRINT", str_c(&f->fingerprint));
	put_env("SSL_CLIENT_VERIFY", f->verified ? "SUCCESS" :
	    f->fingerprint.len > 0 ? "FAILED" : "NONE");
	str_free(&bits);
}

static void
get_env(struct str *out, const char *name)
{
	const char *s = getenv(name);

	str_copys(out, s != NULL ? s : "");
}

void
tlsfacts_getenv(struct tlsfacts *f)
{
	struct str text = {0};
	uint64_t bits = 0;

	tlsfacts_free(f);
	get_env(&f->version, "SSL_PROTOCOL");
	get_env(&f->cipher, "SSL_CIPHER");
	get_env(&f->sni, "SSL_TLS_SNI_SERVERNAME");
	get_env(&f->peer, "SSL_CLIENT_S_DN");
	get_env(&f->fingerprint, "SSL_CLIENT_FINGERPRINT");
	get_env(&text, "SSL_CIPHER_USEKEYSIZE");
	if (scan_u64(str_c(&text), &bits) > 0 && bits <= 100000)
		f->bits = (unsigned)bits;
	get_env(&text, "SSL_CLIENT_VERIFY");
	f->ok = f->version.len > 0;
	f->verified = f->ok && str_eqs(&text, "SUCCESS");
	str_free(&text);
}
