/* pop3d/popup.c - POP3 before the login; see popup.h.
 *
 * What a client sends is never repeated to it. */
#include "pop3d/popup.h"

#include "mail/sasl.h"
#include "pop3d/capa.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define WRONG "-ERR [AUTH] wrong user name or password\r\n"
/* The words are for fetchmail, which does not know [SYS/TEMP]: with "service"
 * and "unavailable" it is trouble, with "lock" or "wait" a mailbox in use, and
 * all else a wrong password. */
#define UNKNOWN "-ERR [SYS/TEMP] authentication service unavailable\r\n"
#define NO_TLS "-ERR [SYS/TEMP] no TLS now\r\n"

struct popup {
	struct login *l;
	const struct popup_config *cfg;
	struct str user;        /* of USER; empty: not said */
	unsigned errors;
	bool over;
	enum login_end end;
};

static void
finish(struct popup *p, enum login_end end)
{
	p->over = true;
	p->end = end;
}

static void
refuse(struct popup *p, const char *text)
{
	if (p->errors++ < POPUP_ERRORS) {
		login_put(p->l, text);
	} else {
		login_put(p->l, "-ERR that was wrong too often\r\n");
		finish(p, LOGIN_OVER);
	}
}

/* The next line, or it is over. */
static bool
read_line(struct popup *p)
{
	switch (login_line(p->l)) {
	case LOGIN_LINE_OK:
		if (!str_has_nul(&p->l->line))
			return true;
		login_put(p->l, "-ERR a line has no NUL\r\n");
		break;
	case LOGIN_LINE_LONG:
		login_put(p->l, "-ERR this line is too long\r\n");
		break;
	case LOGIN_LINE_GONE:
		break;
	}
	finish(p, LOGIN_OVER);
	return false;
}

/* The monitor is to check this; what it could not be asked about is wrong. */
static void
attempt(struct popup *p, const struct str *user, const struct str *secret)
{
	if (login_say(p->l, user, secret, "") < 0)
		refuse(p, WRONG);
	else
		finish(p, LOGIN_ASK);
}

/* 3206:4 has a code for attempts that policy forbids, but none for USER. */
static bool
may_say_password(struct popup *p, bool coded)
{
	struct str text = {0};

	if (p->l->can_plain)
		return true;
	str_catf(&text, "-ERR %s%s\r\n", coded ? "[AUTH] " : "",
	    p->l->can_starttls ? "STLS first" :
	    "no passwords are taken without TLS");
	refuse(p, str_c(&text));
	str_free(&text);
	return false;
}

static void
do_capa(struct popup *p, const char *arg)
{
	const struct capa c = {.passwords = p->l->can_plain,
	    .stls = p->l->can_starttls, .delay_s = p->cfg->delay_s};

	(void)arg;
	capa_cat(&p->l->out, &c);
}

static void
do_user(struct popup *p, const char *arg)
{
	if (!may_say_password(p, false))
		return;
	str_copys(&p->user, arg);
	login_put(p->l, "+OK PASS?\r\n");
}

static void
do_pass(struct popup *p, const char *arg)
{
	struct str pass = {0};

	if (!may_say_password(p, true))
		return;
	if (p->user.len == 0) {
		refuse(p, "-ERR USER first\r\n");
		return;
	}
	str_copys(&pass, arg);
	attempt(p, &p->user, &pass);
	str_wipe(&pass);
	str_clear(&p->user);
}

/* name SP digest: 16 bytes in hexadecimal, lower case (1939:7); not every
 * client knows the latter, and what checks it compares text. */
static void
do_apop(struct popup *p, const char *arg)
{
	const char *space = strrchr(arg, ' ');
	struct str user = {0}, digest = {0};

	if (*p->l->stamp == '\0') {
		refuse(p, "-ERR APOP is not offered\r\n");
		return;
	}
	if (space == NULL || strspn(space + 1, "0123456789abcdefABCDEF") !=
	    32 || space[33] != '\0') {
		refuse(p, "-ERR APOP name digest\r\n");
		return;
	}
	str_copyb(&user, arg, (size_t)(space - arg));
	str_copys(&digest, space + 1);
	str_lower(&digest);
	attempt(p, &user, &digest);
	str_wipe(&digest);
	str_free(&user);
}

/* AUTH alone: an older way to ask what CAPA tells. */
static void
list_mechs(struct popup *p)
{
	login_put(p->l, "+OK these\r\n");
#define X(id, name) \
	if (p->l->can_plain) \
		login_put(p->l, name "\r\n");
	SASL_MECHS(X)
#undef X
	login_put(p->l, ".\r\n");
}

static enum sasl_step
challenge(struct popup *p, struct sasl *x)
{
	login_put(p->l, "+ ");
	login_put(p->l, x->challenge);
	login_put(p->l, "\r\n");
	if (!read_line(p))
		return SASL_CANCELLED;
	return sasl_next(x, str_c(&p->l->line), p->l->line.len);
}

static void
do_auth(struct popup *p, const char *arg)
{
	size_t n = strcspn(arg, " ");
	enum sasl_mech mech = sasl_mech_of(arg, n);
	enum sasl_step st;
	struct sasl x;

	if (*arg == '\0') {
		list_mechs(p);
		return;
	}
	if (!may_say_password(p, true))
		return;
	if (mech == SASL_NO_MECH) {
		refuse(p, "-ERR AUTH " SASL_NAMES "\r\n");
		return;
	}
	st = sasl_begin(&x, mech, arg + n + strspn(arg + n, " "));
	while (st == SASL_MORE)
		st = challenge(p, &x);
	if (st == SASL_DONE)
		attempt(p, &x.user, &x.pass);
	else if (!p->over)
		refuse(p, st == SASL_CANCELLED ? "-ERR as you like\r\n" :
		    st == SASL_NOT_BASE64 ? "-ERR that is no base64\r\n" :
		    "-ERR that is no PLAIN response\r\n");
	sasl_wipe(&x);
}

/* The monitor answers, because it knows whether there is TLS. */
static void
do_stls(struct popup *p, const char *arg)
{
	(void)arg;
	if (p->l->tls)
		refuse(p, "-ERR this is TLS\r\n");
	else if (!p->l->can_starttls)
		refuse(p, NO_TLS);
	else
		finish(p, LOGIN_STARTTLS);
}

/* Names and passwords are bytes, and so are messages: nothing is to be
 * switched. */
static void
do_utf8(struct popup *p, const char *arg)
{
	(void)arg;
	login_put(p->l, "+OK UTF-8 it is\r\n");
}

static void
do_lang(struct popup *p, const char *arg)
{
	struct str answer = {0};

	if (capa_lang(&answer, arg))
		login_put(p->l, str_c(&answer));
	else
		refuse(p, str_c(&answer));
	str_free(&answer);
}

static void
do_quit(struct popup *p, const char *arg)
{
	(void)arg;
	login_put(p->l, "+OK bye\r\n");
	finish(p, LOGIN_OVER);
}

enum args { NONE, SOME, ANY, REST };    /* REST: with all its spaces */

static const struct {
	const char *verb;
	enum args args;
	void (*handler)(struct popup *, const char *arg);
} commands[] = {
	{"APOP", SOME, do_apop},
	{"AUTH", ANY, do_auth},
	{"CAPA", NONE, do_capa},
	{"LANG", ANY, do_lang},
	{"PASS", REST, do_pass},
	{"QUIT", NONE, do_quit},
	{"STLS", NONE, do_stls},
	{"USER", SOME, do_user},
	{"UTF8", NONE, do_utf8},
};

static void
obey(struct popup *p)
{
	const char *line = str_c(&p->l->line);
	size_t n = strcspn(line, " ");
	const char *arg = line + n + (line[n] == ' ');

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		enum args args = commands[i].args;

		if (!bytes_caseeq(line, n, commands[i].verb, 4))
			continue;
		if (args != REST)
			arg += strspn(arg, " ");
		if ((args == NONE && *arg != '\0') ||
		    (args == SOME && *arg == '\0'))
			refuse(p, "-ERR that is not how it is used\r\n");
		else
			commands[i].handler(p, arg);
		return;
	}
	refuse(p, "-ERR unknown command, or not before the login\r\n");
}

/* What is to be said before the first command; false: it is over. */
static bool
begin(struct popup *p)
{
	struct login *l = p->l;

	switch (l->why) {
	case LOGIN_HELLO:
		login_put(l, *l->stamp != '\0' ? "+OK " : "+OK valija POP3");
		login_put(l, l->stamp);
		login_put(l, "\r\n");
		break;
	case LOGIN_SECURED:
		break;
	case LOGIN_NO_TLS:
		login_put(l, NO_TLS);
		break;
	case LOGIN_WRONG:
		login_put(l, WRONG);
		break;
	case LOGIN_UNKNOWN:
		login_put(l, UNKNOWN);
		break;
	}
	return !l->last;
}

enum login_end
popup_talk(struct login *l, void *arg)
{
	struct popup p = {.l = l, .cfg = arg, .end = LOGIN_OVER};

	if (begin(&p))
		while (!p.over && read_line(&p))
			obey(&p);
	str_wipe(&l->line);
	str_free(&p.user);
	return p.end;
}

static void
cat_host(struct str *out, const char *host)
{
	size_t begin = out->len;

	for (; *host != '\0' && out->len - begin < POPUP_HOST; host++)
		str_catc(out, strchr("abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", *host) != NULL ?
		    *host : '_');
	if (out->len == begin)
		str_cats(out, "localhost");
}

int
popup_stamp(struct str *out, const char *host)
{
	uint64_t random;

	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return -1;
	str_clear(out);
	str_catf(out, "<%ld.%jd.%ju@", (long)getpid(), (intmax_t)time(NULL),
	    (uintmax_t)random);
	cat_host(out, host);
	str_catc(out, '>');
	return 0;
}
