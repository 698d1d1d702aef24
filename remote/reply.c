/* remote/reply.c - reading SMTP replies; see reply.h.  All lines of a reply
 * have the same code (5321:4.2.1); a line may end in LF alone, since nothing
 * depends on it. */
#include "remote/reply.h"

#include "mail/quote.h"

#include <string.h>

void
reply_cat_clean(struct str *out, const char *s, size_t n)
{
	size_t len;

	for (size_t i = 0; i < n; i += len) {
		unsigned char c = (unsigned char)s[i];

		len = utf8_len(s + i, n - i);
		/* U+0080-009F are control characters too. */
		if (len == 0 || c < ' ' || c == 127 ||
		    (c == 0xc2 && (unsigned char)s[i + 1] < 0xa0)) {
			str_catc(out, c == '\t' ? ' ' : '?');
			len = len == 0 ? 1 : len;
		} else {
			str_catb(out, s + i, len);
		}
	}
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The code of a line; 0 when it has none. */
static unsigned
line_code(const char *s, size_t n)
{
	if (n < 3 || s[0] < '2' || s[0] > '5' || !is_digit(s[1]) ||
	    !is_digit(s[2]) || (n > 3 && s[3] != ' ' && s[3] != '-'))
		return 0;
	return (unsigned)(s[0] - '0') * 100 + (unsigned)(s[1] - '0') * 10 +
	    (unsigned)(s[2] - '0');
}

static void
keep_line(struct reply *r, const char *s, size_t n)
{
	size_t had = r->text.len;

	if (had >= REPLY_TEXT_MAX)
		return;
	reply_cat_clean(&r->text, s, n);
	if (r->text.len >= REPLY_TEXT_MAX) {
		size_t cut = REPLY_TEXT_MAX - 1;

		/* not inside a character */
		while (cut > had && (r->text.s[cut] & 0xc0) == 0x80)
			cut--;
		str_trunc(&r->text, cut);
	}
	str_catc(&r->text, '\n');
}

static enum reply_status
end_line(struct reply *r)
{
	const char *s = str_c(&r->line);
	size_t n = r->line.len;
	unsigned code;
	bool more;

	if (n > 0 && s[n - 1] == '\r')
		n--;
	code = line_code(s, n);
	more = n > 3 && s[3] == '-';
	keep_line(r, s, n);
	if (code == 0 || (r->code != 0 && code != r->code) ||
	    ++r->lines > REPLY_LINES_MAX)
		return REPLY_BAD;
	r->code = code;
	str_clear(&r->line);
	return more ? REPLY_MORE : REPLY_DONE;
}

enum reply_status
reply_feed(struct reply *r, const char *s, size_t n, size_t *used)
{
	enum reply_status st = REPLY_MORE;
	size_t at = 0;

	while (st == REPLY_MORE && at < n) {
		size_t len = bytes_chr(s + at, n - at, '\n');

		if (len > REPLY_LINE_MAX - r->line.len) {
			len = REPLY_LINE_MAX - r->line.len;
			str_catb(&r->line, s + at, len);
			at += len;
			keep_line(r, str_c(&r->line), r->line.len);
			st = REPLY_BAD;
			break;
		}
		str_catb(&r->line, s + at, len);
		at += len;
		if (at < n) {
			at++;
			st = end_line(r);
		}
	}
	*used = at;
	return st;
}

void
reply_clear(struct reply *r)
{
	r->code = 0;
	r->lines = 0;
	str_clear(&r->text);
	str_clear(&r->line);
}

void
reply_free(struct reply *r)
{
	str_free(&r->text);
	str_free(&r->line);
	*r = (struct reply){0};
}

unsigned
reply_class(const struct reply *r)
{
	return r->code / 100;
}

/* Digits at s, at most three; 0 when there are none or more. */
static size_t
number(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n <= 3 ? n : 0;
}

size_t
reply_enhanced(const struct reply *r, const char **out)
{
	const char *s = str_c(&r->text);
	size_t a, b;

	if (r->text.len < 9 || s[4] != s[0] || s[5] != '.')
		return 0;
	s += 4;
	a = number(s + 2);
	if (a == 0 || s[2 + a] != '.')
		return 0;
	b = number(s + 3 + a);
	if (b == 0 || strchr(" \n", s[3 + a + b]) == NULL)
		return 0;
	*out = s;
	return 3 + a + b;
}
