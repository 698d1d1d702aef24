/* remote/encode.c - transfer encodings; see encode.h. */
#include "remote/encode.h"

#include <string.h>

#define COLUMNS 76              /* bytes of an encoded line: 2045:6.7, 6.8 */

static void
three(struct str *out, const unsigned char b[3])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	char four[4] = {digits[b[0] >> 2],
	    digits[(b[0] & 3) << 4 | b[1] >> 4],
	    digits[(b[1] & 15) << 2 | b[2] >> 6], digits[b[2] & 63]};

	str_catb(out, four, 4);
}

/* One or two bytes that are the last. */
static void
rest(struct str *out, const unsigned char *s, size_t n)
{
	unsigned char b[3] = {s[0], n > 1 ? s[1] : 0, 0};

	three(out, b);
	for (size_t i = n; i < 3; i++)
		out->s[out->len - 3 + i] = '=';
}

void
encode_base64_feed(struct encode *e, struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		e->left[e->nleft++] = (unsigned char)s[i];
		if (e->nleft < 3)
			continue;
		three(out, e->left);
		e->nleft = 0;
		e->column += 4;
		if (e->column == COLUMNS) {
			str_catc(out, '\n');
			e->column = 0;
		}
	}
}

void
encode_base64_end(struct encode *e, struct str *out)
{
	if (e->nleft > 0) {
		rest(out, e->left, e->nleft);
		e->column += 4;
	}
	if (e->column > 0)
		str_catc(out, '\n');
	*e = (struct encode){0};
}

/* One encoded character of n bytes; a soft line end before it when it would
 * leave no column for the "=" of one after it. */
static void
qp_put(struct encode *e, struct str *out, const char *s, size_t n)
{
	if (e->column + n > COLUMNS - 1) {
		str_cats(out, "=\n");
		e->column = 0;
	}
	str_catb(out, s, n);
	e->column += n;
}

static void
qp_hex(struct encode *e, struct str *out, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char s[3] = {'=', digits[c >> 4], digits[c & 15]};

	qp_put(e, out, s, 3);
}

static void
qp_space(struct encode *e, struct str *out, bool last)
{
	if (e->space != '\0' && last)
		qp_hex(e, out, (unsigned char)e->space);
	else if (e->space != '\0')
		qp_put(e, out, &e->space, 1);
	e->space = '\0';
}

void
encode_qp_feed(struct encode *e, struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\n') {
			qp_space(e, out, true);
			str_catc(out, '\n');
			e->column = 0;
			continue;
		}
		qp_space(e, out, false);
		if (c == ' ' || c == '\t')
			e->space = s[i];
		else if (c < ' ' || c > 126 || c == '=')
			qp_hex(e, out, c);
		else
			qp_put(e, out, s + i, 1);
	}
}

void
encode_qp_end(struct encode *e, struct str *out)
{
	qp_space(e, out, true);
	if (e->column > 0)
		str_cats(out, "=\n");   /* no line end that was not there */
	*e = (struct encode){0};
}
