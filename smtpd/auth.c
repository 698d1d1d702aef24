/* smtpd/auth.c - AUTH PLAIN and LOGIN (RFC 4954, 4616).
 *
 * A password is in memory from its line to the checker's answer, then wiped;
 * it is in no log and in no reply.  All that is wrong looks the same. */
#include "lib/base64.h"
#include "smtpd/session.h"

#include <string.h>

struct secret {
	struct str user, pass;
};

static void
wipe(struct str *s)
{
	if (s->cap > 0)
		explicit_bzero(s->s, s->cap);
	str_free(s);
}

/* What was read of the client's lines holds no secret any more.  Growing
 * strings leave copies behind, so those that take secrets are made large
 * enough before. */
static void
wipe_line(struct smtpd *s)
{
	explicit_bzero(s->io->rbuf, s->io->rpos);
	if (s->line.cap > 0)
		explicit_bzero(s->line.s, s->line.cap);
	str_clear(&s->line);
}

static int
decode(struct str *out, const char *code, size_t n)
{
	str_reserve(out, n);
	return base64_decode(out, code, n);
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

/* The next answer of the client, decoded.  -1: refused, or over. */
static int
ask(struct smtpd *s, const char *challenge, struct str *out)
{
	int r = -1;

	wire_replyf(s, "334 %s", challenge);
	switch (wire_line(s, SMTPD_LINE_AUTH)) {
	case WIRE_OK:
		if (str_eqs(&s->line, "*"))
			wire_refuse(s, NULL, "501 5.7.0 as you like");
		else if (decode(out, str_c(&s->line), s->line.len) < 0)
			wire_refuse(s, NULL, "501 5.5.2 that is no base64");
		else
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

/* A response that came with the command; "=" is an empty one. */
static int
initial(struct smtpd *s, const char *arg, struct str *out)
{
	if (strcmp(arg, "=") == 0)
		return 0;
	if (decode(out, arg, strlen(arg)) == 0)
		return 0;
	wire_refuse(s, NULL, "501 5.5.2 that is no base64");
	return -1;
}

/* "[authzid] NUL authcid NUL password": who somebody wants to act as must be
 * who that is. */
static int
split_plain(struct smtpd *s, const struct str *r, struct secret *out)
{
	const char *p = str_c(r), *end = p + r->len;
	size_t zid = bytes_chr(p, r->len, '\0');
	const char *user = p + zid + 1;
	size_t n = zid < r->len ? bytes_chr(user, (size_t)(end - user), '\0')
	    : 0;
	const char *pass = user + n + 1;

	if (zid == r->len || user + n >= end ||
	    memchr(pass, '\0', (size_t)(end - pass)) != NULL) {
		wire_refuse(s, NULL, "501 5.5.2 that is no PLAIN response");
		return -1;
	}
	str_copyb(&out->user, user, n);
	str_copyb(&out->pass, pass, (size_t)(end - pass));
	if (zid > 0 && !(zid == n && memcmp(p, user, n) == 0))
		str_clear(&out->pass);  /* wrong, like all that is wrong */
	return 0;
}

static int
plain(struct smtpd *s, const char *arg, struct secret *out)
{
	struct str r = {0};
	int x = *arg != '\0' ? initial(s, arg, &r) : ask(s, "", &r);

	if (x == 0)
		x = split_plain(s, &r, out);
	wipe(&r);
	return x;
}

static int
login(struct smtpd *s, const char *arg, struct secret *out)
{
	int x = *arg != '\0' ? initial(s, arg, &out->user) :
	    ask(s, "VXNlcm5hbWU6", &out->user);         /* Username: */

	return x < 0 ? x : ask(s, "UGFzc3dvcmQ6", &out->pass);
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
check(struct smtpd *s, const struct secret *x)
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
	struct secret x = {0};
	size_t n = strcspn(arg, " ");
	const char *first = arg + n + strspn(arg + n, " ");
	int r = -1;

	if (!allowed(s))
		;
	else if (bytes_caseeq(arg, n, "PLAIN", 5))
		r = plain(s, first, &x);
	else if (bytes_caseeq(arg, n, "LOGIN", 5))
		r = login(s, first, &x);
	else
		wire_refuse(s, NULL, "504 5.5.4 AUTH PLAIN or AUTH LOGIN");
	if (r == 0)
		check(s, &x);
	wipe(&x.user);
	wipe(&x.pass);
	wipe_line(s);
}
