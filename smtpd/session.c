/* smtpd/session.c - the table of commands and the loop around it.
 *
 * One struct smtpd per session, no state elsewhere.  A command gets here only
 * in the states its line of the table allows. */
#include "smtpd/session.h"

#include "lib/ip.h"
#include "lib/log.h"
#include "lib/tai.h"
#include "smtpd/message.h"
#include "smtpd/path.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {                          /* flags of a command */
	ALONE = 1,              /* nothing may be sent before its reply */
	JUNK = 2,               /* leads to no message by itself */
	BARE = 4,               /* has no argument */
};

struct command {
	const char *verb;
	unsigned states, flags;
	void (*run)(struct smtpd *, const char *arg);
};

static void
copy_peer(struct smtpd_peer *to, const struct smtpd_peer *from)
{
	str_copy(&to->ip, &from->ip);
	str_copy(&to->host, &from->host);
	str_copy(&to->info, &from->info);
	str_copy(&to->local_ip, &from->local_ip);
	str_copy(&to->local_host, &from->local_host);
}

void
smtpd_reset(struct smtpd *s)
{
	message_drop_take(s->msg);
	s->msg = NULL;
	if (s->state != SMTPD_START)
		s->state = SMTPD_READY;
	str_clear(&s->from);
	str_clear(&s->rcpts);
	str_clear(&s->rcpt_wishes);
	s->nrcpts = s->nover = 0;
	s->from_bad = s->utf8 = false;
	dsn_message_free(&s->dsn);
}

void
smtpd_forget(struct smtpd *s)
{
	smtpd_reset(s);
	s->state = SMTPD_START;
	s->esmtp = false;
	str_clear(&s->peer.helo);
	if (s->login.len > 0) {
		str_clear(&s->login);
		xclient_export(s);
	}
}

bool
smtpd_may_relay(const struct smtpd *s)
{
	return s->relayclient != NULL || s->login.len > 0;
}

bool
smtpd_auth_offered(const struct smtpd *s)
{
	return s->checker != NULL && (s->tls.ok || s->cfg->auth_clear);
}

void
smtpd_greet(struct smtpd *s)
{
	wire_replyf(s, "220 %.400s ESMTP", str_c(&s->cfg->greeting));
}

/* Who talks before the greeting is no mail client. */
bool
smtpd_admitted(struct smtpd *s)
{
	struct pollfd p = {.fd = s->io->rfd, .events = POLLIN};
	const char *unused;

	if (s->cfg->times.greet < 0 || s->relayclient != NULL)
		return true;
	if (io_peek(s->io, &unused) == 0 &&
	    poll(&p, 1, s->cfg->times.greet) <= 0)
		return true;
	s->verb = "connect";
	wire_close(s, "early", "554 5.5.1 you spoke before the greeting");
	return false;
}

/* A stranger that says it is us lies. */
static bool
is_our_name(const struct smtpd *s, const char *name)
{
	const struct smtpd_peer *p = &s->peer;
	const struct str *me = &s->cfg->me;
	struct ip them, named, us;
	size_t n = strlen(name);

	if (smtpd_may_relay(s) || s->checker != NULL ||
	    ip_parse(str_c(&p->ip), p->ip.len, &them) < 0 ||
	    ip_parse(str_c(&p->local_ip), p->local_ip.len, &us) < 0 ||
	    ip_is_loopback(&them) || ip_equal(&them, &us))
		return false;
	return (me->len > 0 && bytes_caseeq(name, n, me->s, me->len)) ||
	    (path_literal(name, n, &named) == 0 && ip_equal(&named, &us));
}

/* The argument of HELO and EHLO is kept when it is a word; that it is a name
 * is not demanded (5321:4.1.4). */
static bool
take_helo(struct smtpd *s, const char *arg)
{
	size_t n = strlen(arg);

	for (size_t i = 0; i < n; i++)
		if (arg[i] <= ' ' || arg[i] > 126)
			n = 0;
	if (n == 0 || n > 255) {
		wire_refuse(s, NULL, "501 5.5.4 your name is missing, or is "
		    "no name");
		return false;
	}
	if (is_our_name(s, arg)) {
		wire_refuse(s, NULL, "550 5.7.1 that name is mine");
		return false;
	}
	smtpd_reset(s);
	s->state = SMTPD_READY;
	str_copys(&s->peer.helo, arg);
	return true;
}

static void
do_helo(struct smtpd *s, const char *arg)
{
	if (!take_helo(s, arg))
		return;
	s->esmtp = false;
	wire_replyf(s, "250 %.400s", str_c(&s->cfg->greeting));
}

static void
do_ehlo(struct smtpd *s, const char *arg)
{
	if (!take_helo(s, arg))
		return;
	s->esmtp = true;
	wire_replyf(s, "250-%.400s", str_c(&s->cfg->greeting));
	wire_reply(s, "250-PIPELINING");
	wire_replyf(s, "250-SIZE %llu",
	    (unsigned long long)s->cfg->databytes);
	wire_reply(s, "250-8BITMIME");
	wire_reply(s, "250-SMTPUTF8");
	wire_reply(s, "250-CHUNKING");
	wire_reply(s, "250-DSN");
	wire_reply(s, "250-ENHANCEDSTATUSCODES");
	if (tls_offered(s))
		wire_reply(s, "250-STARTTLS");
	if (smtpd_auth_offered(s))
		wire_reply(s, "250-AUTH PLAIN LOGIN");
	if (s->xclient)
		wire_reply(s, "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN "
		    "DESTADDR DESTPORT");
	wire_replyf(s, "250 LIMITS RCPTMAX=%d", SMTPD_RCPTS);
}

static void
do_rset(struct smtpd *s, const char *arg)
{
	(void)arg;
	smtpd_reset(s);
	wire_reply(s, "250 2.0.0 ok");
}

static void
do_noop(struct smtpd *s, const char *arg)
{
	(void)arg;
	wire_reply(s, "250 2.0.0 ok");
}

static void
do_vrfy(struct smtpd *s, const char *arg)
{
	if (*arg == '\0')
		wire_refuse(s, NULL, "501 5.5.4 VRFY whom?");
	else
		wire_reply(s, "252 2.5.0 send mail, and see");
}

static void
do_expn(struct smtpd *s, const char *arg)
{
	(void)arg;
	wire_refuse(s, NULL, "502 5.5.1 lists are not shown");
}

static void
do_help(struct smtpd *s, const char *arg)
{
	(void)arg;
	wire_reply(s, "214 2.0.0 see RFC 5321; ask postmaster");
}

static void
do_quit(struct smtpd *s, const char *arg)
{
	(void)arg;
	wire_reply(s, "221 2.0.0 bye");
	wire_end(s, "quit");
}

#define READY_ON (SMTPD_READY | SMTPD_FROM | SMTPD_TO)

static const struct command commands[] = {
	{"MAIL", SMTPD_READY, 0, mailcmd_mail},
	{"RCPT", SMTPD_FROM | SMTPD_TO, 0, rcpt_rcpt},
	{"DATA", SMTPD_FROM | SMTPD_TO, ALONE | BARE, data_data},
	{"BDAT", SMTPD_ANY, 0, data_bdat},      /* its octets must be read */
	{"EHLO", SMTPD_ANY, ALONE | JUNK, do_ehlo},
	{"HELO", SMTPD_ANY, ALONE | JUNK, do_helo},
	{"RSET", SMTPD_ANY, JUNK | BARE, do_rset},
	{"NOOP", SMTPD_ANY, JUNK, do_noop},
	{"QUIT", SMTPD_ANY, BARE, do_quit},
	{"STARTTLS", SMTPD_START | SMTPD_READY, ALONE | BARE, tls_starttls},
	{"AUTH", SMTPD_READY, ALONE | JUNK, auth_auth},
	{"VRFY", SMTPD_ANY, JUNK, do_vrfy},
	{"EXPN", SMTPD_ANY, JUNK, do_expn},
	{"HELP", SMTPD_ANY, JUNK, do_help},
	{"XCLIENT", SMTPD_START | SMTPD_READY, ALONE, xclient_xclient},
};

static void
refuse_state(struct smtpd *s, const struct command *c)
{
	if (s->state == SMTPD_START)
		wire_refuse(s, NULL, "503 5.5.1 EHLO first");
	else if (s->state == SMTPD_CHUNK)
		wire_refuse(s, NULL, "503 5.5.1 the message is not complete");
	else if (c->states & (SMTPD_FROM | SMTPD_TO))
		wire_refuse(s, NULL, "503 5.5.1 MAIL first");
	else
		wire_refuse(s, NULL, "503 5.5.1 not within a transaction");
}

/* Who pipes a script into us on this machine may, as ever, not wait. */
static bool
must_wait(const struct smtpd *s, const struct command *c)
{
	if (s->relayclient != NULL && !s->cfg->net_socket)
		return false;
	if (c->run == do_quit || c->run == data_bdat)
		return false;
	return (c->flags & ALONE) || !s->esmtp;
}

static void
run(struct smtpd *s, const struct command *c, const char *arg)
{
	s->verb = c->verb;
	if (must_wait(s, c) && wire_ahead(s)) {
		wire_close(s, "pipelining", "503 5.5.0 you did not wait for "
		    "the reply");
		return;
	}
	if (c->flags & JUNK)
		s->junk++;
	if (!(s->state & c->states))
		refuse_state(s, c);
	else if ((c->flags & BARE) && *arg != '\0')
		wire_refuse(s, NULL, "501 5.5.4 no argument is allowed");
	else
		c->run(s, arg);
}

/* What is said to us by web browsers, other protocols' clients, and TLS on a
 * port that does not begin with it. */
static bool
is_foreign(const char *line, size_t n)
{
	static const char *const verbs[] = {"GET", "POST", "PUT", "HEAD",
	    "CONNECT", "OPTIONS", "DELETE", "PATCH", "TRACE", "PRI", "USER",
	    "PASS", "CAPABILITY", "LOGIN"};

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (bytes_caseeq(line, n, verbs[i], strlen(verbs[i])))
			return true;
	for (size_t i = 0; i < n; i++) {
		char c = ascii_lower(line[i]);

		if (c < 'a' || c > 'z')
			return true;
	}
	return n == 0 && *line != '\0';
}

static void
unknown(struct smtpd *s)
{
	s->verb = "unknown";
	if (++s->unknown > SMTPD_UNKNOWN_MAX)
		wire_close(s, "unknown_commands", "421 4.7.0 too many unknown "
		    "commands");
	else
		wire_refuse(s, NULL, "500 5.5.2 unknown command");
}

static void
dispatch(struct smtpd *s)
{
	const char *line, *arg;
	size_t n;

	str_rstrip(&s->line);
	line = str_c(&s->line);
	n = strcspn(line, " ");
	arg = line + n + strspn(line + n, " ");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		const struct command *c = &commands[i];

		if (!bytes_caseeq(line, n, c->verb, strlen(c->verb)))
			continue;
		if (c->run == xclient_xclient && !s->xclient)
			break;
		run(s, c, arg);
		return;
	}
	s->verb = "unknown";
	if (is_foreign(line, n))
		wire_close(s, "foreign", "521 5.5.1 this is SMTP");
	else
		unknown(s);
}

static void
one_command(struct smtpd *s)
{
	s->verb = "line";
	/* Only what follows AUTH may be longer; its handler looks again. */
	switch (wire_line(s, SMTPD_LINE_AUTH)) {
	case WIRE_OK:
		if (s->line.len > SMTPD_LINE - 2 && !(s->line.len > 5 &&
		    bytes_caseeq(s->line.s, 5, "AUTH ", 5))) {
			wire_refuse(s, NULL, "500 5.5.2 line too long");
			break;
		}
		s->commands++;
		dispatch(s);
		break;
	case WIRE_TOOLONG:
		wire_refuse(s, NULL, "500 5.5.2 line too long");
		break;
	case WIRE_BAD:
	case WIRE_GONE:
		break;
	}
}

/* Has the client had enough of us? */
static void
judge(struct smtpd *s)
{
	if (s->over)
		return;
	s->verb = "session";
	if (s->errors > SMTPD_ERRORS_MAX)
		wire_close(s, "errors", "421 4.7.0 too many errors");
	else if (s->junk > SMTPD_JUNK_MAX)
		wire_close(s, "junk", "421 4.7.0 too many commands without a "
		    "message");
	else if (!(s->state & SMTPD_CHUNK) &&
	    clock_mono_ms() - s->begun > s->cfg->times.session)
		wire_close(s, "session_time", "421 4.4.2 this session has "
		    "lasted long enough");
}

static void
summary(struct smtpd *s)
{
	struct str l = {0};

	wire_log_begin(s, &l, "end");
	if (s->tls.ok)
		wire_log_pair(&l, "tls", str_c(&s->tls.version),
		    s->tls.version.len);
	wire_log_pair(&l, "reason", s->reason, strlen(s->reason));
	if (s->nrcpts > 0) {            /* cut off: whom it would have gone to */
		wire_log_pair(&l, "from", str_c(&s->from), s->from.len);
		wire_log_rcpts(s, &l);
	}
	str_catf(&l, " messages=%u recipients=%u refused=%u commands=%u "
	    "in=%llu out=%llu ms=%lld", s->messages, s->recipients,
	    s->refused, s->commands,
	    (unsigned long long)(s->total_in + s->io->nread),
	    (unsigned long long)(s->total_out + s->io->nwritten),
	    (long long)(clock_mono_ms() - s->begun));
	wire_log_end(&l);
	wire_log_others(s);
}

static void
release(struct smtpd *s)
{
	smtpd_reset(s);
	verify_close(&s->verify);
	tlsfacts_free(&s->tls);
	str_free(&s->peer.ip);
	str_free(&s->peer.host);
	str_free(&s->peer.info);
	str_free(&s->peer.helo);
	str_free(&s->peer.local_ip);
	str_free(&s->peer.local_host);
	str_free(&s->login);
	str_free(&s->tried);
	str_free(&s->from);
	str_free(&s->rcpts);
	str_free(&s->rcpt_wishes);
	str_free(&s->line);
}

int
smtpd_session(struct io *io, const struct smtpd_config *cfg,
    struct checker *checker)
{
	struct smtpd s = {.io = io, .cfg = cfg, .checker = checker,
	    .verify = {.fd = -1}, .relayclient = cfg->relayclient,
	    .xclient = cfg->xclient, .state = SMTPD_START, .verb = "connect",
	    .reason = "lost", .begun = clock_mono_ms()};

	copy_peer(&s.peer, &cfg->peer);
	str_reserve(&s.line, SMTPD_LINE);       /* see auth.c */
	if (cfg->inside_tls)
		tlsfacts_getenv(&s.tls);
	if (!cfg->proxy || xclient_proxy(&s) == 0) {
		if (s.tls.ok)
			tls_log(&s);
		if (smtpd_admitted(&s))
			smtpd_greet(&s);
	}
	while (!s.over) {
		one_command(&s);
		judge(&s);
	}
	wire_flush(&s);
	summary(&s);
	/* Behind a balancer the address that connected is not to blame.  A
	 * slip of the user who is known now is none; but a password of one's
	 * own is no licence to guess those of others. */
	if (s.wrong > 0 && (s.login.len == 0 || s.guesses) &&
	    !s.peer.proxied)
		s.code = SMTPD_EXIT_WRONG;
	release(&s);
	return s.code;
}
