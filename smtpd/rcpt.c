/* smtpd/rcpt.c - RCPT: may mail go there, and is there anybody?
 *
 * The order: postmaster and abuse of ours are always accepted (5321:4.5.1,
 * 2142); then the sender, then relaying, then existence.  Refusals are said
 * here and not at MAIL, so that the log has both addresses. */
#include "smtpd/ours.h"

#include <errno.h>
#include <string.h>

const char *
ours_path_refusal(enum path_status st)
{
	switch (st) {
	case PATH_OK:
		break;
	case PATH_SYNTAX:
		return "501 5.1.3 that is no address";
	case PATH_LONG:
		return "501 5.1.3 that address is too long";
	case PATH_UTF8:
		return "553 5.6.7 that address is no UTF-8";
	}
	return NULL;
}

void
ours_localiphost(const struct smtpd *s, struct path *p)
{
	const struct str *host = &s->cfg->localiphost;
	struct ip us;

	if (!p->literal || host->len == 0)
		return;
	if ((ip_parse(str_c(&s->peer.local_ip), s->peer.local_ip.len, &us) < 0
	    || !ip_equal(&us, &p->ip)) && !ip_is_own(&p->ip))
		return;
	str_trunc(&p->addr, bytes_rchr(p->addr.s, p->addr.len, '@') + 1);
	str_cat(&p->addr, host);
	p->literal = false;
}

bool
ours_is_local(const struct smtpd *s, const struct str *addr)
{
	const struct str *l = &s->cfg->locals;
	size_t at = bytes_rchr(str_c(addr), addr->len, '@');

	for (size_t i = 0; at < addr->len && i < l->len;
	    i += strlen(l->s + i) + 1)
		if (bytes_caseeq(addr->s + at + 1, addr->len - at - 1,
		    l->s + i, strlen(l->s + i)))
			return true;
	return false;
}

static bool
is_reserved(const struct str *addr)
{
	size_t n = bytes_rchr(str_c(addr), addr->len, '@');

	return bytes_caseeq(str_c(addr), n, "postmaster", 10) ||
	    (n < addr->len && bytes_caseeq(str_c(addr), n, "abuse", 5));
}

/* Does somebody read that?  NULL, or the reply into *text. */
static const char *
ask_verifier(struct smtpd *s, const char *addr, struct str *text)
{
	struct str why = {0};

	switch (verify_ask(&s->verify, s->cfg->rcpt_socket, addr, &why)) {
	case VERIFY_OK:
		str_free(&why);
		return NULL;
	case VERIFY_NO:
		str_copys(text, "550 5.1.1 ");
		break;
	case VERIFY_FULL:
		str_copys(text, "552 5.2.2 ");
		break;
	case VERIFY_TEMP:
		str_copys(text, "451 4.3.0 ");
		break;
	}
	if (why.len > 0)
		str_cat(text, &why);
	else
		str_cats(text, "try again later");
	str_free(&why);
	return str_c(text);
}

/* NULL, or why this recipient is refused. */
static const char *
check(struct smtpd *s, const struct path *p, struct str *text)
{
	enum rcpthosts_status listed = rcpthosts_find(&s->cfg->rcpthosts,
	    str_c(&p->addr), p->addr.len);
	bool ours;

	if (listed == RCPTHOSTS_TEMP)
		return "451 4.3.0 unable to read the list of domains";
	ours = listed == RCPTHOSTS_YES || ours_is_local(s, &p->addr);
	if (ours && is_reserved(&p->addr))
		return NULL;
	if (s->from_bad)
		return "553 5.7.1 your sender is not welcome here";
	if (listed == RCPTHOSTS_NO && !smtpd_may_relay(s))
		return "550 5.7.1 that domain is none of mine, and you may "
		    "not relay";
	if (!ours || (s->relayclient != NULL && *s->relayclient != '\0'))
		return NULL;
	/* The verifier lets nobody relay by percenthack, but they may. */
	if (smtpd_may_relay(s) && memchr(p->addr.s, '%', p->addr.len) != NULL)
		return NULL;
	return ask_verifier(s, str_c(&p->addr), text);
}

static const char *
take_params(struct smtpd *s, const char *rest, struct str *wishes)
{
	struct dsn_rcpt dsn = {0};
	struct str key = {0}, value = {0};
	enum param_status st;
	const char *why = NULL;
	bool has_value;

	(void)s;
	while (why == NULL && (st = param_next(&rest, &key, &value,
	    &has_value)) != PARAM_END) {
		if (st == PARAM_SYNTAX)
			why = "501 5.5.4 parameters are KEY or KEY=value";
		else if (dsn_rcpt_param(&dsn, str_c(&key), str_c(&value)) < 0)
			why = errno == ENOENT ? "555 5.5.4 unknown parameter" :
			    "501 5.5.4 that parameter is malformed, or twice";
	}
	if (why == NULL)
		dsn_rcpt_cat(wishes, &dsn);
	dsn_rcpt_free(&dsn);
	str_free(&key);
	str_free(&value);
	return why;
}

static const char *
too_many(struct smtpd *s)
{
	if (s->nrcpts < SMTPD_RCPTS)
		return NULL;
	if (++s->nover > SMTPD_RCPTS_OVER)
		s->errors = SMTPD_ERRORS_MAX + 1;
	return "452 4.5.3 too many recipients: send this one apart";
}

static void
take_recipient(struct smtpd *s, const struct path *p, const struct str *wishes)
{
	str_cat(&s->rcpts, &p->addr);
	if (s->relayclient != NULL)
		str_cats(&s->rcpts, s->relayclient);
	str_catc(&s->rcpts, '\0');
	str_cat(&s->rcpt_wishes, wishes);
	str_catc(&s->rcpt_wishes, '\0');
	s->nrcpts++;
	s->state = SMTPD_TO;
	wire_reply(s, "250 2.1.5 ok");
}

void
rcpt_rcpt(struct smtpd *s, const char *arg)
{
	struct path p = {0};
	struct str wishes = {0}, text = {0};
	const char *rest = NULL, *why = NULL;

	if (!bytes_caseeq(arg, strnlen(arg, 3), "TO:", 3))
		why = "501 5.5.4 RCPT TO:<address>";
	if (why == NULL)
		why = ours_path_refusal(path_parse(arg + 3, &p, &rest));
	if (why == NULL && p.addr.len == 0)
		why = "501 5.1.3 nobody is no recipient";
	if (why == NULL && p.utf8 && !s->utf8)
		why = "553 5.6.7 such an address needs SMTPUTF8";
	if (why == NULL)
		why = take_params(s, rest, &wishes);
	if (why == NULL)
		why = too_many(s);
	if (why == NULL) {
		ours_localiphost(s, &p);
		why = check(s, &p, &text);
	}
	if (why != NULL)
		wire_refuse(s, str_c(&p.addr), why);
	else
		take_recipient(s, &p, &wishes);
	str_free(&wishes);
	str_free(&text);
	path_free(&p);
}
