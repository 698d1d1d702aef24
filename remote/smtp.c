/* remote/smtp.c - the beginning and the end of a session; see smtp.h. */
#include "remote/smtp.h"

#include "lib/base64.h"
#include "lib/io.h"
#include "lib/tai.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define QUIT_MS 1000            /* to send QUIT; its answer is not awaited */
#define REMOTE_SAID "Remote host said: "        /* what log readers look for */

void
smtp_say(struct smtp *s, const char *text, bool quote)
{
	str_clear(&s->why);
	str_catf(&s->why, "%s %s\n", str_c(&s->ip), text);
	if (quote && s->reply.text.len > 0) {
		str_cats(&s->why, REMOTE_SAID);
		str_cat(&s->why, &s->reply.text);
	}
}

void
smtp_out_of_turn(struct smtp *s)
{
	s->open = false;
	reply_clear(&s->reply);
	smtp_say(s, "answered before it was asked. (#4.5.0)", false);
}

void
smtp_put(struct smtp *s, const char *line)
{
	/* A failure shows when the answer is read. */
	(void)wire_puts(&s->wire, line, s->cfg->reply_ms);
	(void)wire_puts(&s->wire, "\r\n", s->cfg->reply_ms);
}

bool
smtp_get(struct smtp *s, int timeout_ms, const char *doing)
{
	struct str text = {0};
	enum wire_status st = wire_reply(&s->wire, &s->reply, timeout_ms);

	if (st == WIRE_OK && s->reply.code != 421)
		return true;
	s->open = false;
	switch (st) {
	case WIRE_OK:
		str_cats(&text, "closes the connection");
		break;
	case WIRE_EOF:
	case WIRE_HEARD:
		str_cats(&text, "has closed the connection");
		break;
	case WIRE_TIMEOUT:
		str_cats(&text, "does not answer in time");
		break;
	case WIRE_BAD:
		str_cats(&text, "does not speak SMTP");
		break;
	case WIRE_ERROR:
		str_catf(&text, "is lost (%s)", strerror(errno));
		break;
	}
	str_catf(&text, ", %s. (#4.4.2)", doing);
	smtp_say(s, str_c(&text), st == WIRE_OK || st == WIRE_BAD);
	str_free(&text);
	return false;
}

bool
smtp_ask(struct smtp *s, const char *line, const char *doing)
{
	if (s->wire.ipos < s->wire.ilen) {
		smtp_out_of_turn(s);
		return false;
	}
	smtp_put(s, line);
	return smtp_get(s, s->cfg->reply_ms, doing);
}

static enum smtp_status
refused(struct smtp *s, const char *text)
{
	smtp_say(s, text, true);
	return reply_class(&s->reply) == 5 ? SMTP_PERM : SMTP_TEMP;
}

static enum smtp_status
hello(struct smtp *s, bool with_helo)
{
	struct str line = {0};
	bool got;

	s->can = (struct ehlo){0};
	if (!with_helo) {
		str_catf(&line, "EHLO %s", str_c(&s->cfg->helohost));
		got = smtp_ask(s, str_c(&line), "asked with EHLO");
		str_free(&line);
		/* Old servers may hang up on a word they do not know. */
		if (!got)
			return s->wire.ended && s->reply.code == 0 ?
			    SMTP_AGAIN_HELO : SMTP_TEMP;
		if (reply_class(&s->reply) == 2) {
			ehlo_parse(&s->can, str_c(&s->reply.text),
			    s->reply.text.len);
			return SMTP_OK;
		}
		if (reply_class(&s->reply) != 5)
			return refused(s, "does not answer EHLO.");
	}
	str_catf(&line, "HELO %s", str_c(&s->cfg->helohost));
	got = smtp_ask(s, str_c(&line), "asked with HELO");
	str_free(&line);
	if (!got)
		return SMTP_TEMP;
	return reply_class(&s->reply) == 2 ? SMTP_OK :
	    refused(s, "refuses our name.");
}

static enum smtp_status
handshake(struct smtp *s, const struct smtp_peer *p, int t)
{
	struct tlsreq req = {.role = TLSREQ_CLIENT, .verify = TLSREQ_ANY,
	    .timeout_ms = (unsigned)s->cfg->handshake_ms, .service = "smtp",
	    .name = str_c(&p->tls->name), .altname = str_c(&p->tls->altname),
	    .peer = str_c(&s->ip)};
	struct str text = {0};
	enum tlsreq_status st;
	int plain = -1;

	if (p->tls->level == TLS_VERIFY)
		req.verify = TLSREQ_NAME;
	if (p->tls->level == TLS_DANE) {
		req.verify = TLSREQ_DANE;
		req.ntlsa = p->tls->ntlsa;
		req.tlsa = p->tls->tlsa;
	}
	st = tlsreq_start(t, &req, s->fd, &s->tls, &plain);
	s->fd = -1;
	if (st == TLSREQ_OK && s->tls.ok && wire_init(&s->wire, plain) == 0) {
		s->fd = plain;
		return SMTP_OK;
	}
	s->open = false;
	if (plain >= 0)
		(void)close(plain);
	if (st == TLSREQ_GONE) {
		str_catf(&text, "could not be asked by TLS: our TLS service "
		    "is not there (%s). (#4.7.5)", strerror(errno));
		smtp_say(s, str_c(&text), false);
	} else {
		str_cats(&text, "failed to agree with us on TLS: ");
		reply_cat_clean(&text, str_c(&s->tls.reason),
		    s->tls.reason.len);
		str_cats(&text, " (#4.7.5)");
		smtp_say(s, str_c(&text), false);
	}
	str_free(&text);
	s->tls.ok = false;
	return st != TLSREQ_GONE && p->tls->level == TLS_MAY &&
	    !p->tls_first ? SMTP_AGAIN_CLEAR : SMTP_TEMP;
}

static bool
is_optional(const struct smtp_peer *p)
{
	return p->tls->level == TLS_MAY && !p->tls_first;
}

/* Ours to start TLS with, or -1.  Without the socket no TLS is installed, and
 * mail that does not need it goes on without; a service that was installed
 * and is down is trouble that ends. */
static int
open_service(struct smtp *s, const struct smtp_peer *p, enum smtp_status *st)
{
	int t = tlsreq_open(s->cfg->tls_socket);
	struct str text = {0};

	*st = SMTP_OK;
	if (t >= 0 || (errno == ENOENT && is_optional(p)))
		return t;
	str_catf(&text, "could not be asked by TLS: unable to reach our TLS "
	    "service (%s). (#4.7.5)", strerror(errno));
	smtp_say(s, str_c(&text), false);
	str_free(&text);
	*st = SMTP_TEMP;
	return -1;
}

static enum smtp_status
start_tls(struct smtp *s, const struct smtp_peer *p)
{
	enum smtp_status st;
	int t;

	if (!s->can.starttls || p->in_clear || p->tls->level == TLS_NEVER) {
		if (p->tls->level == TLS_MAY || p->tls->level == TLS_NEVER)
			return SMTP_OK;
		smtp_say(s, "does not offer STARTTLS, which mail for it "
		    "needs. (#4.7.4)", false);
		return SMTP_TEMP;
	}
	t = open_service(s, p, &st);
	if (t < 0)
		return st;
	if (!smtp_ask(s, "STARTTLS", "asked for TLS")) {
		(void)close(t);
		return SMTP_TEMP;
	}
	if (wire_disturbed(&s->wire)) {
		(void)close(t);
		smtp_out_of_turn(s);
		return SMTP_TEMP;
	}
	if (reply_class(&s->reply) != 2) {
		(void)close(t);
		if (is_optional(p))
			return SMTP_OK;
		smtp_say(s, "offers STARTTLS and refuses it. (#4.7.4)", true);
		return SMTP_TEMP;
	}
	st = handshake(s, p, t);
	return st == SMTP_OK ? hello(s, false) : st;
}

static enum smtp_status
log_in(struct smtp *s, const struct smtp_peer *p)
{
	size_t ulen = strlen(p->user), plen = strlen(p->password);
	struct str raw = {0}, line = {0};
	bool got = false;

	if (s->can.auth_plain) {
		str_catc(&raw, '\0');
		str_catb(&raw, p->user, ulen);
		str_catc(&raw, '\0');
		str_catb(&raw, p->password, plen);
		str_cats(&line, "AUTH PLAIN ");
		base64_encode(&line, raw.s, raw.len);
		got = smtp_ask(s, str_c(&line), "asked to log us in");
	} else if (s->can.auth_login) {
		got = smtp_ask(s, "AUTH LOGIN", "asked to log us in");
		if (got && s->reply.code == 334) {
			base64_encode(&line, p->user, ulen);
			got = smtp_ask(s, str_c(&line), "given our user name");
		}
		if (got && s->reply.code == 334) {
			str_clear(&line);
			base64_encode(&line, p->password, plen);
			got = smtp_ask(s, str_c(&line), "given our password");
		}
	} else {
		reply_clear(&s->reply);
		smtp_say(s, "offers no way to log in that we know. (#4.7.0)",
		    false);
		return SMTP_TEMP;
	}
	if (raw.cap > 0)
		explicit_bzero(raw.s, raw.cap);
	if (line.cap > 0)
		explicit_bzero(line.s, line.cap);
	str_free(&raw);
	str_free(&line);
	if (!got)
		return SMTP_TEMP;
	if (reply_class(&s->reply) == 2)
		return SMTP_OK;
	/* Our settings are wrong: mail waits until they are right. */
	smtp_say(s, "does not log us in. (#4.7.8)", true);
	return SMTP_TEMP;
}

static enum smtp_status
begin(struct smtp *s, const struct smtp_peer *p)
{
	enum smtp_status st;
	int t;

	if (p->tls_first) {
		t = open_service(s, p, &st);
		if (t >= 0)
			st = handshake(s, p, t);
		if (st != SMTP_OK)
			return st;
	}
	if (!smtp_get(s, s->cfg->reply_ms, "before it greeted us"))
		return SMTP_TEMP;
	if (reply_class(&s->reply) != 2)
		return refused(s, "does not want to talk to us.");
	st = hello(s, p->with_helo);
	if (st == SMTP_AGAIN_HELO && (p->with_helo || s->tls.ok))
		st = SMTP_TEMP;
	if (st == SMTP_OK && !p->tls_first)
		st = start_tls(s, p);
	if (st == SMTP_OK && p->user != NULL)
		st = log_in(s, p);
	return st == SMTP_AGAIN_HELO && s->tls.ok ? SMTP_TEMP : st;
}

enum smtp_status
smtp_open_take(struct smtp *s, const struct remote_config *cfg, int fd,
    const struct smtp_peer *p)
{
	char text[IP_TEXT];
	enum smtp_status st;

	s->cfg = cfg;
	s->fd = fd;
	s->open = true;
	s->needs_rset = false;
	s->transactions = 0;
	s->since_ms = clock_mono_ms();
	tlsfacts_free(&s->tls);
	reply_clear(&s->reply);
	str_clear(&s->why);
	str_copys(&s->host, p->name);
	str_copys(&s->ip, ip_text(&p->ip, text));
	if (wire_init(&s->wire, fd) < 0) {
		smtp_say(s, "cannot be waited for. (#4.3.0)", false);
		st = SMTP_TEMP;
	} else {
		st = begin(s, p);
	}
	if (st != SMTP_OK)
		smtp_close(s);
	return st;
}

void
smtp_close(struct smtp *s)
{
	if (s->fd < 0)
		return;
	if (s->open) {
		(void)wire_puts(&s->wire, "QUIT\r\n", QUIT_MS);
		(void)wire_flush(&s->wire, QUIT_MS);
	}
	(void)close(s->fd);
	s->fd = -1;
	s->open = false;
}

void
smtp_free(struct smtp *s)
{
	smtp_close(s);
	reply_free(&s->reply);
	tlsfacts_free(&s->tls);
	str_free(&s->host);
	str_free(&s->ip);
	str_free(&s->why);
}
