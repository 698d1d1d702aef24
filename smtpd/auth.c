/* smtpd/auth.c - AUTH PLAIN and LOGIN (RFC 4954).
 *
 * A password is in memory from its line to the checker's answer, then wiped;
 * it is in no log and in no reply.  All that is wrong looks the same. */
#include "mail/sasl.h"
#include "smtpd/session.h"

#include <string.h>

/* What was read of the client's lines holds no secret any more. */
static void
wipe_line(struct smtpd *s)
{
	explicit_bzero(s->io->rbuf, s->io->rpos);
	if (s->line.cap > 0)
		explicit_bzero(s->line.s, s->line.cap);
	str_clear(&s->line);
}

static void
log_auth(const struct smtpd *s, const char *event, const struct str *user)
{
	struct str l = {0};

	wire_log_begin(s, &l, event);
	wire_log_pair(&l, "user", str_c(user), user->len);
	if (s->tls.ok)
		wire_log_pair(&l, "tls", str_c(&s->tls.version),
		    s->tls.version.len);
	wire_log_end(&l);
}

/* Sends the challenge and reads the answer to it.  -1: refused, or over. */
static int
ask(struct smtpd *s, struct sasl *x, enum sasl_step *st)
{
	int r = -1;

	wire_replyf(s, "334 %s", x->challenge);
	switch (wire_line(s, SMTPD_LINE_AUTH)) {
	case WIRE_OK:
		*st = sasl_next(x, str_c(&s->line), s->line.len);
		r = 0;
		break;
	case WIRE_TOOLONG:
		wire_refuse(s, NULL, "500 5.5.6 line too long");
		break;
	case WIRE_BAD:
	case WIRE_GONE:
		break;
	}
	wipe_line(s);
	return r;
}

/* User and password, as far as the client says them.  -1: refused, or over. */
static int
converse(struct smtpd *s, enum sasl_mech mech, const char *initial,
    struct sasl *out)
{
	enum sasl_step st = sasl_begin(out, mech, initial);

	while (st == SASL_MORE)
		if (ask(s, out, &st) < 0)
			return -1;
	switch (st) {
	case SASL_DONE:
		return 0;
	case SASL_CANCELLED:
		wire_refuse(s, NULL, "501 5.7.0 as you like");
		break;
	case SASL_NOT_BASE64:
		wire_refuse(s, NULL, "501 5.5.2 that is no base64");
		break;
	case SASL_MALFORMED:
	case SASL_MORE:
		wire_refuse(s, NULL, "501 5.5.2 that is no PLAIN response");
		break;
	}
	return -1;
}

/* One user with one who was tried before. */
static void
compare_tried(struct smtpd *s, const struct str *user)
{
	if (!bytes_caseeq(str_c(user), user->len, str_c(&s->tried),
	    s->tried.len))
		s->guesses = true;
}

static void
wrong(struct smtpd *s, const struct str *user)
{
	int delay = s->cfg->times.wrong << s->wrong;

	if (s->wrong++ == 0)
		str_copy(&s->tried, user);
	compare_tried(s, user);
	log_auth(s, "auth-failed", user);
	wire_sleep(s, delay);
	if (s->wrong >= SMTPD_AUTH_TRIES) {
		wire_reply(s, "535 5.7.8 wrong user name or password");
		wire_close(s, "auth", "421 4.7.0 too many wrong passwords");
	} else {
		wire_refuse(s, NULL, "535 5.7.8 wrong user name or password");
	}
}

static void
check(struct smtpd *s, const struct sasl *x)
{
	enum checkpw_status st = CHECKPW_WRONG;

	if (x->user.len > 0 && x->pass.len > 0)
		st = checker_ask(s->checker, str_c(&s->peer.ip),
		    x->user.s, x->user.len, x->pass.s, x->pass.len);
	switch (st) {
	case CHECKPW_OK:
		if (s->wrong > 0)
			compare_tried(s, &x->user);
		str_copy(&s->login, &x->user);
		xclient_export(s);
		log_auth(s, "auth", &x->user);
		s->errors = s->junk = 0;
		wire_reply(s, "235 2.7.0 welcome");
		break;
	case CHECKPW_WRONG:
		wrong(s, &x->user);
		break;
	case CHECKPW_TEMP:
		wire_refuse(s, NULL, "454 4.7.0 unable to check passwords "
		    "now");
		break;
	}
}

static bool
allowed(struct smtpd *s)
{
	const char *why = NULL;

	if (s->checker == NULL)
		why = "502 5.5.1 AUTH is not offered";
	else if (!smtpd_auth_offered(s))
		why = "538 5.7.11 STARTTLS first";
	else if (!s->esmtp)
		why = "503 5.5.1 EHLO first";
	else if (s->login.len > 0)
		why = "503 5.5.1 you are known already";
	if (why != NULL)
		wire_refuse(s, NULL, why);
	return why == NULL;
}

void
auth_auth(struct smtpd *s, const char *arg)
{
	struct sasl x = {0};
	size_t n = strcspn(arg, " ");
	const char *first = arg + n + strspn(arg + n, " ");
	enum sasl_mech mech;

	if (allowed(s)) {
		mech = sasl_mech_of(arg, n);
		if (mech == SASL_NO_MECH)
			wire_refuse(s, NULL, "504 5.5.4 AUTH PLAIN or AUTH "
			    "LOGIN");
		else if (converse(s, mech, first, &x) == 0)
			check(s, &x);
	}
	sasl_wipe(&x);
	wipe_line(s);
}
