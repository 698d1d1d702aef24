/* tls/session.c - request, handshake, answer, pump, log line; see session.h.
 *
 * Runs in a process of its own that has nothing but the asker's connection,
 * the peer's socket, one end of a pair, and for a server keyd's connection.
 * The request is read as carefully as the peer's bytes: the program that wrote
 * it talks to the same network. */
#include "tls/session.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "lib/tlsreq.h"
#include "tls/layout.h"
#include "tls/provider.h"
#include "tls/pump.h"
#include "tls/trust.h"

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND_MS 5000          /* the packet with the plain end follows */
#define ANSWER_MS 5000          /* for the asker to be given its end */

struct session {
	const struct session_tools *tools;
	struct context_session named;
	char *packet;
	struct tlsreq req;
	struct str tlsa[TLSREQ_TLSA_MAX];
	int t, plain, give;             /* give: what the asker gets, or -1 */
	struct netbio net;
	SSL *ssl;
	bool demands, timed_out;
	struct tlsfacts facts;
};

/* 0 when fd has what is asked for; -1 at the deadline or without the asker,
 * who is watched when s is given. */
static int
wait_for(struct session *s, int fd, short events, int64_t until)
{
	struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = s->t}};
	int r;

	do {
		int64_t left = until - clock_mono_ms();

		r = poll(p, fd == s->t ? 1 : 2, left > 0 ? (int)left : 0);
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		s->timed_out = true;
	return r > 0 && p[0].revents != 0 ? 0 : -1;
}

static int
read_request(struct session *s)
{
	int type = 0;
	socklen_t len = sizeof type;
	char second;
	ssize_t n;

	/* No more memory than it needs: the session may be a long one. */
	n = recv(s->t, &second, 1, MSG_PEEK | MSG_TRUNC);
	if (n <= 0 || n > TLSREQ_PACKET)
		return -1;
	s->packet = mem_alloc((size_t)n, 1);
	n = sock_recv_fd(s->t, s->packet, (size_t)n, &s->net.fd);
	if (n <= 0 || s->net.fd < 0 || tlsreq_parse(s->packet, (size_t)n,
	    &s->req, s->tlsa) < 0)
		return -1;
	if (getsockopt(s->net.fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    type != SOCK_STREAM)
		return -1;
	if (!s->req.given)
		return sock_pair(SOCK_STREAM, &s->plain, &s->give);
	if (wait_for(s, s->t, POLLIN, clock_mono_ms() + SECOND_MS) < 0 ||
	    sock_recv_fd(s->t, &second, 1, &s->plain) != 1 ||
	    second != 'P' || s->plain < 0 ||
	    getsockopt(s->plain, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    type != SOCK_STREAM)
		return -1;
	return 0;
}

static int
prepare(struct session *s)
{
	const struct session_tools *tl = s->tools;
	bool server = s->req.role == TLSREQ_SERVER;
	BIO *b;

	s->named.service = s->req.service;
	s->net.quiet_max = SESSION_HANDSHAKE;
	if (server && (tl->certs == NULL || tl->certs->standard == NULL)) {
		str_copys(&s->facts.reason, "no certificate is installed");
		return -1;
	}
	s->ssl = SSL_new(server ? tl->certs->standard : tl->client);
	b = s->ssl != NULL ? netbio_new(tl->bio, &s->net) : NULL;
	if (b == NULL) {
		str_copys(&s->facts.reason, "libssl has no memory");
		return -1;
	}
	SSL_set_bio(s->ssl, b, b);
	(void)SSL_set_app_data(s->ssl, &s->named);
	if (server)
		SSL_set_accept_state(s->ssl);
	else
		SSL_set_connect_state(s->ssl);
	/* A ticket of one service is none in another. */
	if (SSL_set_session_id_context(s->ssl,
	    (const unsigned char *)s->req.service,
	    (unsigned)strnlen(s->req.service, SSL_MAX_SID_CTX_LENGTH)) != 1 ||
	    trust_demand(s->ssl, &s->req, tl->public_cas, &s->demands) < 0) {
		str_copys(&s->facts.reason, "libssl refuses the request");
		return -1;
	}
	return 0;
}

/* Why the handshake failed, for people. */
static void
find_reason(struct session *s)
{
	unsigned long e = ERR_peek_error();
	const char *text = ERR_reason_error_string(e);
	struct str *why = &s->facts.reason;
	long verify = SSL_get_verify_result(s->ssl);

	if (s->timed_out)
		str_copys(why, "timeout");
	else if (s->net.over)
		str_copys(why, "too many bytes before the end");
	else if (provider_errno() != 0)
		str_catf(why, "keyd: %s", strerror(provider_errno()));
	else if (s->demands && verify != X509_V_OK)
		str_catf(why, "certificate: %s",
		    X509_verify_cert_error_string(verify));
	else if (s->net.error != 0)
		str_copys(why, strerror(s->net.error));
	else if (s->net.eof)
		str_copys(why, "connection closed");
	else
		str_copys(why, text != NULL ? text : "the program left");
	ERR_clear_error();
}

static int
handshake(struct session *s)
{
	int64_t until = clock_mono_ms() + s->req.timeout_ms;

	for (;;) {
		int r = SSL_do_handshake(s->ssl), e;

		if (r == 1)
			return 0;
		e = SSL_get_error(s->ssl, r);
		if ((e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) ||
		    wait_for(s, s->net.fd, e == SSL_ERROR_WANT_READ ? POLLIN :
		    POLLOUT, until) < 0) {
			find_reason(s);
			return -1;
		}
	}
}

static void
tell_sni(struct session *s)
{
	const char *name = s->req.role == TLSREQ_CLIENT ? s->req.name :
	    SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);

	if (name != NULL && trust_sni_fits(name))
		str_copys(&s->facts.sni, name);
}

static void
collect_facts(struct session *s)
{
	struct tlsfacts *f = &s->facts;

	f->ok = true;
	str_copys(&f->version, SSL_get_version(s->ssl));
	str_copys(&f->cipher, SSL_get_cipher_name(s->ssl));
	f->bits = (unsigned)SSL_get_cipher_bits(s->ssl, NULL);
	trust_tell(s->ssl, &s->req, f);
}

/* The asker gets its descriptor only with good news.  -1: it is gone. */
static int
send_answer(struct session *s)
{
	struct str packet = {0};
	ssize_t r;

	tlsfacts_cat(&packet, &s->facts);
	/* The answers of all sessions are counted together. */
	r = sock_send_fd_until(s->t, packet.s, packet.len,
	    s->facts.ok && !s->req.given ? s->give : -1,
	    clock_mono_ms() + ANSWER_MS);
	str_free(&packet);
	return r < 0 ? -1 : 0;
}

static void
log_quoted(struct str *line, const char *key, const struct str *value)
{
	str_catf(line, " %s=", key);
	log_quote(line, str_c(value), value->len < 300 ? value->len : 300);
}

static void
log_start(const struct session *s, struct str *line)
{
	str_catf(line, "%s pid=%ld role=%s service=",
	    s->facts.ok ? "ok" : "failed", (long)getpid(),
	    s->req.role == TLSREQ_SERVER ? "server" : "client");
	log_quote(line, s->req.service, strlen(s->req.service));
	str_cats(line, " peer=");
	log_quote(line, s->req.peer, strlen(s->req.peer));
}

static void
log_failed(const struct session *s)
{
	struct str line = {0};

	log_start(s, &line);
	if (s->facts.sni.len > 0)
		log_quoted(&line, "sni", &s->facts.sni);
	log_quoted(&line, "reason", &s->facts.reason);
	log_info("%s", str_c(&line));
	str_free(&line);
}

static void
log_ok(const struct session *s, const struct pump *p, enum pump_end end)
{
	const struct tlsfacts *f = &s->facts;
	struct str line = {0};

	log_start(s, &line);
	log_quoted(&line, "version", &f->version);
	log_quoted(&line, "cipher", &f->cipher);
	log_quoted(&line, "sni", &f->sni);
	str_catf(&line, " resumed=%s",
	    SSL_session_reused(s->ssl) ? "yes" : "no");
	if (f->fingerprint.len > 0) {
		log_quoted(&line, "subject", &f->peer);
		str_catf(&line, " verified=%s", f->verified ? "yes" : "no");
	}
	if (f->reason.len > 0)
		log_quoted(&line, "reason", &f->reason);
	str_catf(&line, " in=%llu out=%llu end=%s",
	    (unsigned long long)p->in, (unsigned long long)p->out,
	    pump_end_text(end));
	log_info("%s", str_c(&line));
	str_free(&line);
}

/* From here on the certificates have done their duty. */
static void
pump(struct session *s)
{
	struct pump p = {.ssl = s->ssl, .net = &s->net, .plain = s->plain,
	    .idle_ms = PUMP_IDLE_MS, .linger_ms = PUMP_LINGER_MS,
	    .rest_ms = PUMP_REST_MS};
	enum pump_end end;

	(void)close(s->t);
	s->t = -1;
	/* What the handshake needed goes back to the kernel: sessions wait
	 * for minutes. */
	(void)malloc_trim(0);
	end = pump_run(&p);
	log_ok(s, &p, end);
}

int
session_run(const struct session_tools *tools, int t)
{
	struct session s = {.tools = tools, .t = t, .plain = -1, .give = -1,
	    .net = {.fd = -1}};
	const int one = 1;

	if (read_request(&s) < 0) {
		log_warn("malformed request pid=%ld", (long)getpid());
		return 111;
	}
	/* Records are whole: waiting to fill a segment only delays them. */
	(void)setsockopt(s.net.fd, IPPROTO_TCP, TCP_NODELAY, &one,
	    sizeof one);
	if (prepare(&s) == 0 && handshake(&s) == 0)
		collect_facts(&s);
	if (s.ssl != NULL)
		tell_sni(&s);
	if (s.req.role == TLSREQ_SERVER)
		provider_connect(-1);
	if (!s.facts.ok)
		log_failed(&s);
	if (send_answer(&s) == 0 && s.facts.ok) {
		if (s.give >= 0)
			(void)close(s.give);
		pump(&s);
	}
	SSL_free(s.ssl);
	tlsfacts_free(&s.facts);
	free(s.packet);
	return 0;
}
