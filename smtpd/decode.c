/* smtpd/decode.c - see decode.h.
 *
 * Text inside a line is looked at by memchr, a chunk at a time; only what
 * stands at the ends of lines goes through the state machine. */
#include "smtpd/decode.h"

#include <string.h>

/* Bytes of plain text at s, before a CR, LF or NUL. */
static size_t
text_span(const char *s, size_t n)
{
	const char *p = memchr(s, '\n', n);

	if (p != NULL)
		n = (size_t)(p - s);
	p = memchr(s, '\r', n);
	if (p != NULL)
		n = (size_t)(p - s);
	p = memchr(s, '\0', n);
	return p != NULL ? (size_t)(p - s) : n;
}

/* One byte where text_span found none, or at the beginning of a line. */
static enum decode_status
step(struct decode *d, char c, decode_sink *sink, void *arg)
{
	bool last = d->state == DECODE_DOT;
	bool dot = last || d->state == DECODE_DOT_LF;

	switch (d->state) {
	case DECODE_TEXT_CR:
		if (c != '\n')
			return DECODE_CR;
		sink(arg, "\n", 1);
		d->state = DECODE_BOL;
		return DECODE_MORE;
	case DECODE_DOT_CR:
		return c == '\n' ? DECODE_END : DECODE_CR;
	case DECODE_BOL:
	case DECODE_BOL_LF:
	case DECODE_TEXT:
	case DECODE_DOT:
	case DECODE_DOT_LF:
		break;
	}
	switch (c) {
	case '\0':
		return DECODE_NUL;
	case '\r':
		/* A dot alone that does not end the data is kept: elsewhere
		 * it might end them. */
		if (dot && !last)
			sink(arg, ".", 1);
		d->state = last ? DECODE_DOT_CR : DECODE_TEXT_CR;
		return DECODE_MORE;
	case '\n':
		if (!d->barelf)
			return DECODE_LF;
		if (dot)
			sink(arg, ".", 1);
		sink(arg, "\n", 1);
		d->state = DECODE_BOL_LF;
		return DECODE_MORE;
	default:
		break;
	}
	if (c == '.' && d->dots && (d->state == DECODE_BOL ||
	    d->state == DECODE_BOL_LF)) {
		d->state = d->state == DECODE_BOL ? DECODE_DOT :
		    DECODE_DOT_LF;
		return DECODE_MORE;
	}
	sink(arg, &c, 1);
	d->state = DECODE_TEXT;
	return DECODE_MORE;
}

enum decode_status
decode_feed(struct decode *d, const char *s, size_t n, size_t *used,
    decode_sink *sink, void *arg)
{
	enum decode_status st = DECODE_MORE;
	size_t i = 0;

	while (i < n && st == DECODE_MORE) {
		size_t k = 0;

		if (d->state == DECODE_TEXT || (d->state != DECODE_TEXT_CR &&
		    d->state != DECODE_DOT_CR && s[i] != '.'))
			k = text_span(s + i, n - i);
		if (k > 0) {
			sink(arg, s + i, k);
			d->state = DECODE_TEXT;
			i += k;
		} else {
			st = step(d, s[i], sink, arg);
			i++;
		}
	}
	*used = i;
	return st;
}
