/* remote/ehlo.c - reading the reply to EHLO; see ehlo.h.  Keywords in any
 * case, each on its own line after the first one. */
#include "remote/ehlo.h"

#include "lib/str.h"

#include <string.h>

#define CODE 4                  /* bytes before a line's text: "250-" */

/* The next word at *s, which moves behind it. */
static size_t
word(const char **s, const char *end, const char **out)
{
	size_t n = 0;

	while (*s < end && **s == ' ')
		(*s)++;
	*out = *s;
	while (*s + n < end && (*s)[n] != ' ')
		n++;
	*s += n;
	return n;
}

static bool
is(const char *w, size_t n, const char *what)
{
	return bytes_caseeq(w, n, what, strlen(what));
}

/* All of w must be digits; left alone when it is not, or does not fit. */
static void
number(const char *w, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned)(unsigned char)w[i] - '0';

		if (d > 9 || v > (UINT64_MAX - d) / 10)
			return;
		v = v * 10 + d;
	}
	if (n > 0)
		*out = v;
}

static void
auth(struct ehlo *e, const char *s, const char *end)
{
	const char *w;
	size_t n;

	while ((n = word(&s, end, &w)) > 0) {
		e->auth_plain = e->auth_plain || is(w, n, "PLAIN");
		e->auth_login = e->auth_login || is(w, n, "LOGIN");
	}
}

/* "RCPTMAX=100 MAILMAX=5" */
static void
limits(struct ehlo *e, const char *s, const char *end)
{
	const char *w;
	size_t n;

	while ((n = word(&s, end, &w)) > 0) {
		if (n > 8 && is(w, 8, "RCPTMAX="))
			number(w + 8, n - 8, &e->rcpt_max);
		else if (n > 8 && is(w, 8, "MAILMAX="))
			number(w + 8, n - 8, &e->mail_max);
	}
}

static void
line(struct ehlo *e, const char *s, const char *end)
{
	static const struct { const char *name; size_t off; } plain[] = {
		{"PIPELINING", offsetof(struct ehlo, pipelining)},
		{"8BITMIME", offsetof(struct ehlo, eightbitmime)},
		{"SMTPUTF8", offsetof(struct ehlo, smtputf8)},
		{"CHUNKING", offsetof(struct ehlo, chunking)},
		{"DSN", offsetof(struct ehlo, dsn)},
		{"STARTTLS", offsetof(struct ehlo, starttls)},
	};
	const char *w;
	size_t n = word(&s, end, &w);

	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		if (is(w, n, plain[i].name))
			memcpy((char *)e + plain[i].off, &(bool){true},
			    sizeof(bool));
	if (is(w, n, "SIZE")) {
		e->size = true;
		n = word(&s, end, &w);
		number(w, n, &e->size_max);
	} else if (is(w, n, "AUTH")) {
		auth(e, s, end);
	} else if (n > 5 && is(w, 5, "AUTH=")) {
		auth(e, w + 5, end);    /* older than the standard */
	} else if (is(w, n, "LIMITS")) {
		limits(e, s, end);
	}
}

void
ehlo_parse(struct ehlo *out, const char *text, size_t n)
{
	size_t i = bytes_chr(text, n, '\n');    /* the greeting */

	*out = (struct ehlo){0};
	while (i < n) {
		const char *s = text + ++i;
		size_t len = bytes_chr(s, n - i, '\n');

		if (len > CODE)
			line(out, s + CODE, s + len);
		i += len;
	}
}
