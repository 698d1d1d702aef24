/* smtpd/tls.c - STARTTLS: the connection is given to tlsd, or to a UCSPI-TLS
 * wrapper, and comes back as plain text.
 *
 * The client is not trusted: nothing it said before the handshake counts
 * afterwards.  tlsd and the wrapper are. */
#include "lib/log.h"
#include "smtpd/session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FACTS_MAX 16384         /* bytes a wrapper may say of a handshake */

bool
tls_offered(const struct smtpd *s)
{
	if (s->tls.ok || s->cfg->tls == SMTPD_TLS_NEVER)
		return false;
	return s->cfg->ssl_ctl >= 0 || (s->cfg->net_socket &&
	    access(s->cfg->tls_socket, F_OK) == 0);
}

void
tls_log(struct smtpd *s)
{
	const struct tlsfacts *f = &s->tls;
	struct str l = {0};

	wire_log_begin(s, &l, f->ok ? "tls" : "tls-failed");
	if (f->ok) {
		wire_log_pair(&l, "tls", str_c(&f->version), f->version.len);
		wire_log_pair(&l, "cipher", str_c(&f->cipher),
		    f->cipher.len);
		if (f->sni.len > 0)
			wire_log_pair(&l, "sni", str_c(&f->sni), f->sni.len);
		if (f->peer.len > 0)
			wire_log_pair(&l, "peer", str_c(&f->peer),
			    f->peer.len);
		str_cats(&l, f->verified ? " verify=YES" : " verify=NO");
	} else {
		wire_log_pair(&l, "reason", str_c(&f->reason),
		    f->reason.len);
	}
	wire_log_end(&l);
}

/* Moves the session to other descriptors and an empty buffer. */
static void
move_io(struct smtpd *s, int rfd, int wfd)
{
	s->total_in += s->io->nread;
	s->total_out += s->io->nwritten;
	io_init(s->io, rfd, wfd, s->cfg->times.idle);
}

static int
ask_tlsd(struct smtpd *s, int t)
{
	struct tlsreq req = {.role = TLSREQ_SERVER, .verify = TLSREQ_ANY,
	    .timeout_ms = (unsigned)s->cfg->times.tls, .service = "smtp",
	    .name = "", .altname = "", .peer = str_c(&s->peer.ip)};
	int rfd = s->io->rfd, wfd = s->io->wfd, plain = -1;
	enum tlsreq_status st = tlsreq_start(t, &req, rfd, &s->tls, &plain);

	if (st == TLSREQ_GONE)
		str_catf(&s->tls.reason, "no tlsd: %s", strerror(errno));
	if (st != TLSREQ_OK)
		return -1;
	/* The same numbers go on, so that 0 and 1 are never free.  plain may
	 * be rfd already, which was given away. */
	if ((plain != rfd && dup2(plain, rfd) < 0) ||
	    (plain != wfd && dup2(plain, wfd) < 0)) {
		str_cats(&s->tls.reason, "unable to move descriptors");
		return -1;
	}
	if (plain != rfd && plain != wfd)
		(void)close(plain);
	move_io(s, rfd, wfd);
	return 0;
}

/* What a wrapper answers: NAME=value NUL ... NUL.  -1 when it does not. */
static int
read_facts(const struct smtpd *s, struct str *out)
{
	struct pollfd p = {.fd = s->cfg->ssl_ctl, .events = POLLIN};

	for (;;) {
		char c;

		if (out->len > FACTS_MAX ||
		    poll(&p, 1, s->cfg->times.tls) <= 0 ||
		    read(p.fd, &c, 1) != 1)
			return -1;
		str_catc(out, c);
		if (c == '\0' && (out->len == 1 ||
		    out->s[out->len - 2] == '\0'))
			return 0;
	}
}

static int
ask_wrapper(struct smtpd *s)
{
	struct str facts = {0};
	int r = fd_write_all(s->cfg->ssl_ctl, "Y", 1);

	if (r == 0)
		r = read_facts(s, &facts);
	for (size_t i = 0; r == 0 && i < facts.len &&
	    facts.s[i] != '\0'; i += strlen(facts.s + i) + 1) {
		char *eq = strchr(facts.s + i, '=');

		if (eq == NULL || strncmp(facts.s + i, "SSL_", 4) != 0)
			continue;
		*eq = '\0';
		r = setenv(facts.s + i, eq + 1, 1);
		*eq = '=';
	}
	str_free(&facts);
	if (r < 0) {
		str_cats(&s->tls.reason, "no answer from the TLS wrapper");
		return -1;
	}
	tlsfacts_getenv(&s->tls);
	if (!s->tls.ok)         /* one that does not say what it did */
		str_copys(&s->tls.version, "TLS");
	s->tls.ok = true;
	move_io(s, s->cfg->ssl_read, s->cfg->ssl_write);
	return 0;
}

void
tls_starttls(struct smtpd *s, const char *arg)
{
	int t = -1, r;

	(void)arg;
	if (s->tls.ok || s->cfg->tls == SMTPD_TLS_NEVER) {
		wire_refuse(s, NULL, s->tls.ok ? "503 5.5.1 this is TLS" :
		    "502 5.5.1 STARTTLS is not offered");
		return;
	}
	if (s->cfg->ssl_ctl < 0) {
		if (s->cfg->net_socket)
			t = tlsreq_open(s->cfg->tls_socket);
		if (t < 0) {
			wire_refuse(s, NULL, "454 4.7.0 no TLS now");
			return;
		}
	}
	wire_reply(s, "220 2.0.0 go ahead");
	wire_flush(s);
	r = t >= 0 ? ask_tlsd(s, t) : ask_wrapper(s);
	tls_log(s);
	if (r < 0) {
		s->tls.ok = false;
		wire_end(s, "tls-failed");
		return;
	}
	if (t >= 0)
		tlsfacts_setenv(&s->tls);
	smtpd_forget(s);
}
