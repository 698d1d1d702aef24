/* remote/idna.c - Punycode, one way; see idna.h.  The names are strangers':
 * a label is at most 63 code points, so nothing can overflow. */
#include "remote/idna.h"

#include "mail/quote.h"

#include <string.h>

#define LABEL_MAX 63            /* bytes, 1035:2.3.4 */
/* 3492:5 */
#define BASE 36u
#define TMIN 1u
#define TMAX 26u
#define SKEW 38u
#define DAMP 700u
#define FIRST_BIAS 72u
#define FIRST_N 128u

bool
idna_is_ascii(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] > 127)
			return false;
	return true;
}

/* 3492:6.1 */
static uint32_t
adapt(uint32_t delta, uint32_t points, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / DAMP : delta / 2;
	delta += delta / points;
	for (; delta > (BASE - TMIN) * TMAX / 2; k += BASE)
		delta /= BASE - TMIN;
	return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

static void
cat_digit(struct str *out, uint32_t d)
{
	str_catc(out, (char)(d < 26 ? 'a' + (int)d : '0' + (int)d - 26));
}

/* A number as a variable-length integer: 3492:3.3. */
static void
cat_number(struct str *out, uint32_t q, uint32_t bias)
{
	for (uint32_t k = BASE;; k += BASE) {
		uint32_t t = k <= bias ? TMIN : k >= bias + TMAX ? TMAX :
		    k - bias;

		if (q < t)
			break;
		cat_digit(out, t + (q - t) % (BASE - t));
		q = (q - t) / (BASE - t);
	}
	cat_digit(out, q);
}

static uint32_t
code_point(const char *s, size_t len)
{
	uint32_t v = (unsigned char)s[0];

	if (len > 1)
		v &= 0xffu >> (len + 1);
	for (size_t i = 1; i < len; i++)
		v = v << 6 | ((unsigned char)s[i] & 0x3fu);
	return v;
}

/* 3492:6.3 */
static void
cat_punycode(struct str *out, const uint32_t *cp, size_t count)
{
	uint32_t n = FIRST_N, delta = 0, bias = FIRST_BIAS, done = 0, basic;

	for (size_t i = 0; i < count; i++)
		if (cp[i] < FIRST_N) {
			str_catc(out, ascii_lower((char)cp[i]));
			done++;
		}
	basic = done;
	if (basic > 0)
		str_catc(out, '-');
	for (; done < count; delta++, n++) {
		uint32_t m = UINT32_MAX;

		for (size_t i = 0; i < count; i++)
			if (cp[i] >= n && cp[i] < m)
				m = cp[i];
		delta += (m - n) * (done + 1);
		n = m;
		for (size_t i = 0; i < count; i++) {
			if (cp[i] < n)
				delta++;
			if (cp[i] != n)
				continue;
			cat_number(out, delta, bias);
			bias = adapt(delta, done + 1, done == basic);
			delta = 0;
			done++;
		}
	}
}

static int
cat_label(struct str *out, const char *s, size_t n)
{
	uint32_t cp[LABEL_MAX];
	size_t count = 0, had = out->len;

	if (idna_is_ascii(s, n)) {
		str_catb(out, s, n);
		return 0;
	}
	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_len(s + i, n - i);
		if (len == 0 || count == LABEL_MAX)
			return -1;
		cp[count++] = code_point(s + i, len);
	}
	str_cats(out, "xn--");
	cat_punycode(out, cp, count);
	return out->len - had <= LABEL_MAX ? 0 : -1;
}

int
idna_cat_domain(struct str *out, const char *s, size_t n)
{
	size_t had = out->len;

	for (size_t i = 0, len; i <= n; i += len + 1) {
		len = bytes_chr(s + i, n - i, '.');
		if (i > 0)
			str_catc(out, '.');
		if (cat_label(out, s + i, len) < 0) {
			str_trunc(out, had);
			return -1;
		}
	}
	return 0;
}

bool
idna_cat_addr(struct str *out, const char *addr)
{
	size_t n = strlen(addr), at = bytes_rchr(addr, n, '@');
	size_t had = out->len;

	if (!idna_is_ascii(addr, at))
		return false;
	str_catb(out, addr, at < n ? at + 1 : n);
	if (at == n || idna_cat_domain(out, addr + at + 1, n - at - 1) == 0)
		return true;
	str_trunc(out, had);
	return false;
}
