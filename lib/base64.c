/* lib/base64.c - see base64.h. */
#include "lib/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "abcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct str *out, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (; n > 0; p += 3) {
		size_t k = n < 3 ? n : 3;
		uint32_t v = (uint32_t)p[0] << 16;

		if (k > 1)
			v |= (uint32_t)p[1] << 8;
		if (k > 2)
			v |= p[2];
		for (unsigned i = 0; i < 4; i++)
			str_catc(out, i > k ? '=' :
			    digits[v >> (18 - 6 * i) & 63]);
		n -= k;
	}
}

/* 0..63, or 64. */
static uint32_t
value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0' + 52);
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Four digits, the last pad of them "=".  -1 when they are not, or when bits
 * that stand for nothing are set. */
static int
take_four(struct str *out, const char *s, unsigned pad)
{
	uint32_t v = 0;
	char b[3];

	for (unsigned i = 0; i < 4; i++) {
		uint32_t d = i < 4 - pad ? value(s[i]) : 0;

		if (d == 64)
			return -1;
		v = v << 6 | d;
	}
	for (unsigned i = 0; i < 3; i++)
		b[i] = (char)(unsigned char)(v >> (16 - 8 * i) & 255);
	str_catb(out, b, 3 - pad);
	return (pad > 0 && (v & 0xff)) || (pad > 1 && (v & 0xff00)) ? -1 : 0;
}

int
base64_decode(struct str *out, const char *s, size_t n)
{
	size_t had = out->len;
	int r = n % 4 == 0 ? 0 : -1;

	for (size_t i = 0; r == 0 && i < n; i += 4) {
		unsigned pad = 0;

		if (i + 4 == n)
			pad = s[i + 3] != '=' ? 0 : s[i + 2] != '=' ? 1 : 2;
		r = take_four(out, s + i, pad);
	}
	if (r < 0)
		str_trunc(out, had);
	return r;
}
