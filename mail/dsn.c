/* mail/dsn.c - wishes about delivery reports (RFC 3461); see dsn.h.
 *
 * Values come from strangers.  What is accepted here is passed on to other
 * servers and written into reports, so it is exactly what the standard
 * allows: no control character comes out of a decoded one. */
#include "mail/dsn.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define PRINTABLE_MIN 32
#define PRINTABLE_MAX 126

static const struct {
	unsigned bit;
	const char *word;
} notify_words[] = {            /* in the order of the text form */
	{DSN_NEVER, "NEVER"},
	{DSN_SUCCESS, "SUCCESS"},
	{DSN_FAILURE, "FAILURE"},
	{DSN_DELAY, "DELAY"},
};
#define NOTIFY_WORDS (sizeof notify_words / sizeof notify_words[0])

void
dsn_message_free(struct dsn_message *m)
{
	str_free(&m->envid);
	*m = (struct dsn_message){0};
}

void
dsn_rcpt_free(struct dsn_rcpt *r)
{
	str_free(&r->orcpt);
	*r = (struct dsn_rcpt){0};
}

/* ---- xtext ---- */

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
is_xchar(char c)
{
	return c > PRINTABLE_MIN && c <= PRINTABLE_MAX && c != '+' && c != '=';
}

int
dsn_xtext_decode(struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int high, low;

		if (is_xchar(s[i])) {
			str_catc(out, s[i]);
			continue;
		}
		if (s[i] != '+' || n - i < 3 || (high = hex_value(s[i + 1])) <
		    0 || (low = hex_value(s[i + 2])) < 0)
			return -1;
		str_catc(out, (char)(unsigned char)(high << 4 | low));
		i += 2;
	}
	return 0;
}

void
dsn_xtext_encode(struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (is_xchar(s[i])) {
			str_catc(out, s[i]);
			continue;
		}
		str_catc(out, '+');
		str_catc(out, "0123456789ABCDEF"[(unsigned char)s[i] >> 4]);
		str_catc(out, "0123456789ABCDEF"[(unsigned char)s[i] & 15]);
	}
}

/* Not empty, well formed, and printable when decoded (3461:4.2, 4.4). */
static bool
xtext_good(const char *s, size_t n)
{
	struct str plain = {0};
	bool good = n > 0 && dsn_xtext_decode(&plain, s, n) == 0;

	for (size_t i = 0; good && i < plain.len; i++)
		good = plain.s[i] >= PRINTABLE_MIN &&
		    plain.s[i] <= PRINTABLE_MAX;
	str_free(&plain);
	return good;
}

/* ---- one parameter ---- */

static int
fail(int e)
{
	errno = e;
	return -1;
}

static int
parse_ret(struct dsn_message *m, const char *val)
{
	if (m->ret != DSN_RET_NONE)
		return fail(EINVAL);
	if (strcasecmp(val, "FULL") == 0)
		m->ret = DSN_RET_FULL;
	else if (strcasecmp(val, "HDRS") == 0)
		m->ret = DSN_RET_HDRS;
	else
		return fail(EINVAL);
	return 0;
}

int
dsn_message_param(struct dsn_message *m, const char *key, const char *val)
{
	size_t n = strlen(val);

	if (strcasecmp(key, "RET") == 0)
		return parse_ret(m, val);
	if (strcasecmp(key, "ENVID") != 0)
		return fail(ENOENT);
	if (m->envid.len > 0 || n > DSN_ENVID_MAX || !xtext_good(val, n))
		return fail(EINVAL);
	str_copyb(&m->envid, val, n);
	return 0;
}

/* NEVER alone, or a list of the others without empty places. */
static int
parse_notify(const char *val, unsigned *out)
{
	unsigned bits = 0;

	for (;;) {
		size_t n = strcspn(val, ","), i;

		for (i = 0; i < NOTIFY_WORDS; i++)
			if (bytes_caseeq(val, n, notify_words[i].word,
			    strlen(notify_words[i].word)))
				break;
		if (i == NOTIFY_WORDS)
			return fail(EINVAL);
		bits |= notify_words[i].bit;
		if (val[n] == '\0')
			break;
		val += n + 1;
	}
	if ((bits & DSN_NEVER) != 0 && bits != DSN_NEVER)
		return fail(EINVAL);
	*out = bits;
	return 0;
}

/* An atom of RFC 822. */
static bool
type_good(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] <= PRINTABLE_MIN || s[i] > PRINTABLE_MAX ||
		    strchr("()<>@,;:\\\".[]", s[i]) != NULL)
			return false;
	return n > 0;
}

/* Of type utf-8 the address may have bytes above 127 as they are (6533:3). */
static bool
orcpt_good(const char *val, size_t n)
{
	size_t type = bytes_chr(val, n, ';');
	struct str ascii = {0};
	bool good;

	if (type == n || !type_good(val, type))
		return false;
	str_copyb(&ascii, val + type + 1, n - type - 1);
	if (bytes_caseeq(val, type, "utf-8", 5))
		for (size_t i = 0; i < ascii.len; i++)
			if ((unsigned char)ascii.s[i] > 127)
				ascii.s[i] = 'x';
	good = xtext_good(str_c(&ascii), ascii.len);
	str_free(&ascii);
	return good;
}

int
dsn_rcpt_param(struct dsn_rcpt *r, const char *key, const char *val)
{
	size_t n = strlen(val);

	if (strcasecmp(key, "NOTIFY") == 0)
		return r->notify != 0 ? fail(EINVAL) :
		    parse_notify(val, &r->notify);
	if (strcasecmp(key, "ORCPT") != 0)
		return fail(ENOENT);
	if (r->orcpt.len > 0 || n > DSN_ORCPT_MAX || !orcpt_good(val, n))
		return fail(EINVAL);
	str_copyb(&r->orcpt, val, n);
	return 0;
}

/* ---- the text form ---- */

/* A space between two of them. */
static void
cat_key(struct str *out, size_t start, const char *key)
{
	if (out->len > start)
		str_catc(out, ' ');
	str_cats(out, key);
}

void
dsn_message_cat(struct str *out, const struct dsn_message *m)
{
	size_t start = out->len;

	if (m->ret != DSN_RET_NONE)
		cat_key(out, start, m->ret == DSN_RET_FULL ? "RET=FULL" :
		    "RET=HDRS");
	if (m->envid.len > 0) {
		cat_key(out, start, "ENVID=");
		str_cat(out, &m->envid);
	}
}

void
dsn_rcpt_cat(struct str *out, const struct dsn_rcpt *r)
{
	size_t start = out->len;
	const char *before = "NOTIFY=";

	for (size_t i = 0; i < NOTIFY_WORDS; i++) {
		if ((r->notify & notify_words[i].bit) == 0)
			continue;
		str_cats(out, before);
		str_cats(out, notify_words[i].word);
		before = ",";
	}
	if (r->orcpt.len > 0) {
		cat_key(out, start, "ORCPT=");
		str_cat(out, &r->orcpt);
	}
}

/* "KEY=value" at s up to a space or the end, into one of the two structs. */
static int
parse_one(const char *s, size_t n, struct dsn_message *m, struct dsn_rcpt *r)
{
	size_t eq = bytes_chr(s, n, '=');
	struct str key = {0}, val = {0};
	int got = -1;

	if (eq < n) {
		str_copyb(&key, s, eq);
		str_copyb(&val, s + eq + 1, n - eq - 1);
		got = m != NULL ? dsn_message_param(m, str_c(&key),
		    str_c(&val)) : dsn_rcpt_param(r, str_c(&key),
		    str_c(&val));
	}
	str_free(&key);
	str_free(&val);
	return got;
}

/* All of them, into m or r; what is not as cat writes it is not the text
 * form: any other case, order, space or a NUL. */
static int
parse_text(const char *s, size_t n, struct dsn_message *m,
    struct dsn_rcpt *r)
{
	struct str again = {0};
	size_t at = 0;
	bool same;

	if (n > DSN_TEXT_MAX)
		return fail(EPROTO);
	while (at < n) {
		size_t len = bytes_chr(s + at, n - at, ' ');

		if (parse_one(s + at, len, m, r) < 0)
			return fail(EPROTO);
		at += len + (len < n - at);
	}
	if (m != NULL)
		dsn_message_cat(&again, m);
	else
		dsn_rcpt_cat(&again, r);
	same = again.len == n && memcmp(str_c(&again), n > 0 ? s : "", n) == 0;
	str_free(&again);
	return same ? 0 : fail(EPROTO);
}

int
dsn_message_parse(const char *s, size_t n, struct dsn_message *out)
{
	dsn_message_free(out);
	if (parse_text(s, n, out, NULL) == 0)
		return 0;
	dsn_message_free(out);
	return fail(EPROTO);
}

int
dsn_rcpt_parse(const char *s, size_t n, struct dsn_rcpt *out)
{
	dsn_rcpt_free(out);
	if (parse_text(s, n, NULL, out) == 0)
		return 0;
	dsn_rcpt_free(out);
	return fail(EPROTO);
}
