/* send/status.c - reports for programs (RFC 3464); see status.h.
 *
 * The words in bounce/N are partly those of strangers: nothing of them gets
 * into a field but printable ASCII, cut. */
#include "send/status.h"

#include "mail/date.h"
#include "mail/dsn.h"
#include "mail/quote.h"

#include <string.h>

#define FIELD_MAX 900           /* bytes of foreign words in a field */
#define PEER_SAID "Remote host said: "

/* ---- reading ---- */

/* The mark whose leading NUL is at s[0]: its length with both NULs, or 0. */
static size_t
mark_parse(const char *s, size_t n, struct status *out)
{
	size_t len = bytes_chr(s + 1, n - 1, '\0'), i, k;
	uint64_t when;
	const char *m = s + 1;

	if (len == n - 1 || len < 2)
		return 0;
	out->kind = (enum bounce_kind)m[0];
	k = scan_u64(m + 1, &when);
	if (k == 0 || m[1 + k] != ' ')
		return 0;
	out->when = (int64_t)when;
	i = 1 + k + 1;
	out->mta = m + i;
	out->mta_len = bytes_chr(m + i, len - i, ' ');
	i += out->mta_len;
	if (i == len)
		return 0;
	out->wish = m + i + 1;
	out->wish_len = len - i - 1;
	if (out->mta_len == 1 && out->mta[0] == '-')
		out->mta_len = 0;
	out->marked = true;
	return len + 2;
}

/* Where the paragraph at s ends: after its empty line, or before a NUL. */
static size_t
paragraph_end(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\0')
			return i;
		if (s[i] == '\n' && i + 1 < n && s[i + 1] == '\n')
			return i + 2;
	}
	return n;
}

bool
status_next(const char *s, size_t n, size_t *at, struct status *out)
{
	size_t used, line;
	const char *p;

	*out = (struct status){.kind = BOUNCE_FAILED, .mta = "", .wish = ""};
	while (*at < n && s[*at] == '\0') {
		used = mark_parse(s + *at, n - *at, out);
		*at += used > 0 ? used : 1;
	}
	if (*at >= n)
		return false;
	p = s + *at;
	out->paragraph = p;
	out->paragraph_len = paragraph_end(p, n - *at);
	*at += out->paragraph_len;
	line = bytes_chr(p, out->paragraph_len, '\n');
	out->addr = p + (p[0] == '<');
	out->addr_len = line - (p[0] == '<');
	if (line >= 3 && memcmp(p + line - 2, ">:", 2) == 0)
		out->addr_len -= 2;
	if (line < out->paragraph_len)
		line++;
	out->text = p + line;
	out->text_len = out->paragraph_len - line;
	while (out->text_len > 0 && out->text[out->text_len - 1] == '\n')
		out->text_len--;
	return true;
}

/* ---- fields ---- */

/* One line of printable ASCII. */
static void
cat_clean(struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n && i < FIELD_MAX; i++)
		str_catc(out, s[i] >= ' ' && s[i] <= '~' ? s[i] : '?');
}

static void
cat_date(struct str *out, const char *field, int64_t when)
{
	str_cats(out, field);
	date822_cat(out, when);
	str_catc(out, '\n');
}

void
status_cat_message(struct str *out, const char *host, const char *params,
    int64_t arrival)
{
	struct dsn_message m = {0};
	struct str envid = {0};

	str_cats(out, "Reporting-MTA: dns; ");
	cat_clean(out, host, strlen(host));
	str_catc(out, '\n');
	if (dsn_message_parse(params, strlen(params), &m) == 0 &&
	    m.envid.len > 0 && dsn_xtext_decode(&envid, str_c(&m.envid),
	    m.envid.len) == 0) {
		str_cats(out, "Original-Envelope-Id: ");
		cat_clean(out, str_c(&envid), envid.len);
		str_catc(out, '\n');
	}
	cat_date(out, "Arrival-Date: ", arrival);
	str_catc(out, '\n');
	str_free(&envid);
	dsn_message_free(&m);
}

/* Other letters than ASCII's as 6533:3 writes them for old readers. */
static void
cat_utf8(struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = utf8_len(s + i, n - i);
		uint64_t code;

		if (len == 1 && s[i] > ' ' && s[i] <= '~' && s[i] != '\\' &&
		    s[i] != '+' && s[i] != '=') {
			str_catc(out, s[i]);
			continue;
		}
		code = (unsigned char)s[i];
		if (len > 1)
			code &= 0xffu >> (len + 1);
		for (size_t k = 1; k < len; k++)
			code = code << 6 | ((unsigned char)s[i + k] & 63);
		str_cats(out, "\\x{");
		str_catx(out, code, 2);
		str_catc(out, '}');
		i += len > 1 ? len - 1 : 0;
	}
}

static bool
is_ascii(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] > 127)
			return false;
	return true;
}

static void
cat_original(struct str *out, const struct status *st)
{
	struct dsn_rcpt r = {0};
	struct str addr = {0};
	size_t type, n;
	const char *s;

	if (dsn_rcpt_parse(st->wish, st->wish_len, &r) == 0 &&
	    r.orcpt.len > 0) {
		s = str_c(&r.orcpt);
		n = r.orcpt.len;
		type = bytes_chr(s, n, ';') + 1;
		str_cats(out, "Original-Recipient: ");
		str_catb(out, s, type);
		if (!is_ascii(s, n))
			cat_utf8(out, s + type, n - type);
		else if (dsn_xtext_decode(&addr, s + type, n - type) == 0)
			cat_clean(out, str_c(&addr), addr.len);
		str_catc(out, '\n');
	}
	str_free(&addr);
	dsn_rcpt_free(&r);
}

static void
cat_final(struct str *out, const struct status *st)
{
	struct str addr = {0};

	str_cats(out, "Final-Recipient: ");
	if (is_ascii(st->addr, st->addr_len)) {
		quote_cat_addr(&addr, st->addr, st->addr_len);
		str_cats(out, "rfc822;");
		cat_clean(out, str_c(&addr), addr.len);
	} else {
		str_cats(out, "utf-8;");
		cat_utf8(out, st->addr, st->addr_len);
	}
	str_catc(out, '\n');
	str_free(&addr);
}

static const char *
action(enum bounce_kind kind)
{
	switch (kind) {
	case BOUNCE_DELAYED:
		return "delayed";
	case BOUNCE_DELIVERED:
		return "delivered";
	case BOUNCE_RELAYED:
		return "relayed";
	case BOUNCE_FAILED:
	default:
		return "failed";
	}
}

static size_t
digits(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] >= '0' && s[i] <= '9')
		i++;
	return i;
}

/* Length of "c.d.d" (3463:2) at s, 0 when there is none, nor of an address. */
static size_t
code_len(const char *s, size_t n, char class)
{
	size_t subject, detail;

	if (n < 5 || s[0] != class || s[1] != '.')
		return 0;
	subject = digits(s + 2, n - 2);
	if (subject == 0 || subject > 3 || 2 + subject == n ||
	    s[2 + subject] != '.')
		return 0;
	detail = digits(s + 3 + subject, n - 3 - subject);
	if (detail == 0 || detail > 3)
		return 0;
	n -= 3 + subject + detail;
	s += 3 + subject + detail;
	return n > 1 && s[0] == '.' && digits(s + 1, 1) > 0 ? 0 :
	    3 + subject + detail;
}

static bool
find_code(struct str *out, const struct status *st, char class)
{
	const char *s = st->text;

	for (size_t i = 0; i < st->text_len; i++) {
		size_t n = code_len(s + i, st->text_len - i, class);

		if (n == 0 || (i > 0 && (s[i - 1] == '.' ||
		    digits(s + i - 1, 1) > 0)))
			continue;
		if (out != NULL)
			str_catb(out, s + i, n);
		return true;
	}
	return false;
}

void
status_cat_code(struct str *out, const struct status *st)
{
	char class = st->kind == BOUNCE_FAILED ? '5' :
	    st->kind == BOUNCE_DELAYED ? '4' : '2';

	if (find_code(out, st, class))
		return;
	str_catc(out, class);
	str_cats(out, class == '5' && find_code(NULL, st, '4') ? ".4.7" :
	    ".0.0");
}

/* What the host at the other end said: three digits come first. */
static void
cat_diagnostic(struct str *out, const struct status *st)
{
	const size_t skip = sizeof PEER_SAID - 1;

	for (size_t i = 0; i + skip + 3 <= st->text_len; i++) {
		const char *s = st->text + i;

		if (memcmp(s, PEER_SAID, skip) != 0)
			continue;
		s += skip;
		if (digits(s, 3) == 3) {
			str_cats(out, "Diagnostic-Code: smtp; ");
			cat_clean(out, s, bytes_chr(s, st->text_len - i -
			    skip, '\n'));
			str_catc(out, '\n');
		}
		return;
	}
}

void
status_cat_rcpt(struct str *out, const struct status *st)
{
	cat_original(out, st);
	cat_final(out, st);
	str_catf(out, "Action: %s\nStatus: ", action(st->kind));
	status_cat_code(out, st);
	str_catc(out, '\n');
	if (st->mta_len > 0) {
		str_cats(out, "Remote-MTA: dns; ");
		cat_clean(out, st->mta, st->mta_len);
		str_catc(out, '\n');
	}
	cat_diagnostic(out, st);
	if (st->marked)
		cat_date(out, "Last-Attempt-Date: ", st->when);
	str_catc(out, '\n');
}
