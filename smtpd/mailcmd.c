/* smtpd/mailcmd.c - MAIL: who sends, and what the message will want. */
#include "smtpd/ours.h"
#include "smtpd/path.h"
#include "smtpd/sender.h"
#include "smtpd/session.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#define FREE_MIN ((uint64_t)1 << 20)    /* bytes the queue's disk must have */
#define FREE_FILES 100          /* and files that can be made */

struct mail_params {
	uint64_t size;
	bool have_size, have_body, have_auth;
};

/* A number too large for us is too large. */
static int
parse_size(const char *v, uint64_t *out)
{
	size_t n = strspn(v, "0123456789");

	if (n == 0 || v[n] != '\0' || n > 20)
		return -1;
	if (scan_u64(v, out) == 0)
		*out = UINT64_MAX;
	return 0;
}

/* NULL, or the refusal of one parameter. */
static const char *
take_param(struct smtpd *s, struct mail_params *p, const char *key,
    const char *value, bool has_value)
{
	if (strcmp(key, "SIZE") == 0) {
		if (p->have_size || parse_size(value, &p->size) < 0)
			return "501 5.5.4 SIZE is no number, or twice";
		p->have_size = true;
	} else if (strcmp(key, "BODY") == 0) {
		if (bytes_caseeq(value, strlen(value), "BINARYMIME", 10))
			return "504 5.5.4 BINARYMIME is not offered";
		if (p->have_body ||
		    (!bytes_caseeq(value, strlen(value), "7BIT", 4) &&
		    !bytes_caseeq(value, strlen(value), "8BITMIME", 8)))
			return "501 5.5.4 BODY is 7BIT or 8BITMIME, once";
		p->have_body = true;
	} else if (strcmp(key, "SMTPUTF8") == 0) {
		if (has_value || s->utf8)
			return "501 5.5.4 SMTPUTF8 has no value";
		s->utf8 = true;
	} else if (strcmp(key, "AUTH") == 0) {
		/* Whom our client vouches for is not passed on (4954:5). */
		if (p->have_auth || !has_value)
			return "501 5.5.4 AUTH is an address, once";
		p->have_auth = true;
	} else if (dsn_message_param(&s->dsn, key, value) < 0) {
		return errno == ENOENT ? "555 5.5.4 unknown parameter" :
		    "501 5.5.4 that parameter is malformed, or twice";
	}
	return NULL;
}

static const char *
take_params(struct smtpd *s, const char *rest, struct mail_params *p)
{
	struct str key = {0}, value = {0};
	enum param_status st;
	const char *why = NULL;
	bool has_value;

	while (why == NULL && (st = param_next(&rest, &key, &value,
	    &has_value)) != PARAM_END)
		why = st == PARAM_SYNTAX ? "501 5.5.4 parameters are KEY or "
		    "KEY=value" :
		    take_param(s, p, str_c(&key), str_c(&value), has_value);
	str_free(&key);
	str_free(&value);
	return why;
}

/* Room for this message and half of it again (1870:6.1). */
static const char *
check_size(const struct smtpd *s, uint64_t size)
{
	uint64_t max = s->cfg->databytes, room;
	struct statvfs v;

	if (size == UINT64_MAX || (max > 0 && size > max))
		return "552 5.3.4 the message is larger than I take";
	if (statvfs(s->cfg->queue_dir, &v) < 0)
		return NULL;            /* the queue will say it */
	room = (uint64_t)v.f_bavail * v.f_frsize;
	if (room < FREE_MIN || room - FREE_MIN < size ||
	    (v.f_files > 0 && v.f_favail < FREE_FILES))
		return "452 4.3.1 no room for that message now";
	return NULL;
}

static bool
is_bad_sender(const struct str *bad, const struct str *from)
{
	size_t at = bytes_rchr(str_c(from), from->len, '@');

	for (size_t i = 0; i < bad->len; i += strlen(bad->s + i) + 1) {
		const char *b = bad->s + i;
		size_t n = strlen(b);

		if (from->len > 0 && (bytes_caseeq(b, n, from->s, from->len) ||
		    (*b == '@' && bytes_caseeq(b, n, from->s + at,
		    from->len - at))))
			return true;
	}
	return false;
}

/* What a client must have done before it may send at all. */
static const char *
check_client(const struct smtpd *s)
{
	const struct smtpd_config *cfg = s->cfg;

	if (cfg->tls == SMTPD_TLS_MUST && !s->tls.ok)
		return "530 5.7.0 STARTTLS first";
	if (s->login.len == 0 && (cfg->auth_must ||
	    (cfg->submission && (!cfg->auth_never ||
	    s->relayclient == NULL))))
		return "530 5.7.0 AUTH first";
	return NULL;
}

static const char *
check_mail(struct smtpd *s, const struct path *p, const char *rest)
{
	struct mail_params params = {0};
	const char *why = take_params(s, rest, &params);

	if (why == NULL && p->utf8 && !s->utf8)
		why = "553 5.6.7 such an address needs SMTPUTF8";
	if (why == NULL)
		why = check_size(s, params.size);
	if (why == NULL && s->cfg->submission && s->login.len > 0 &&
	    !sender_allowed(&s->cfg->senderlogins, &s->cfg->locals, &s->login,
	    &p->addr))
		why = "553 5.7.1 that sender is not yours";
	return why;
}

void
mailcmd_mail(struct smtpd *s, const char *arg)
{
	struct path p = {0};
	const char *rest = NULL, *why = check_client(s);

	if (why == NULL && !bytes_caseeq(arg, strnlen(arg, 5), "FROM:", 5))
		why = "501 5.5.4 MAIL FROM:<address>";
	if (why == NULL)
		why = ours_path_refusal(path_parse(arg + 5, &p, &rest));
	if (why == NULL)
		why = check_mail(s, &p, rest);
	if (why != NULL) {
		wire_refuse(s, NULL, why);
		smtpd_reset(s);
	} else {
		ours_localiphost(s, &p);
		str_copy(&s->from, &p.addr);
		s->from_bad = is_bad_sender(&s->cfg->badmailfrom, &s->from);
		s->state = SMTPD_FROM;
		wire_reply(s, "250 2.1.0 ok");
	}
	path_free(&p);
}
