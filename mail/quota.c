/* mail/quota.c - quota texts; see quota.h. */
#include "mail/quota.h"

#include <errno.h>
#include <string.h>

#define PERCENT_MAX 1000u

/* "5000", "10MBS", "100C": the bytes of it, 0 when it is none of them. */
static size_t
scan_term(const char *s, uint64_t *value, bool *is_count)
{
	uint64_t unit = 1;
	size_t at = scan_u64(s, value);

	if (at == 0)
		return 0;
	*is_count = ascii_lower(s[at]) == 'c';
	if (*is_count)
		return at + 1;
	if (ascii_lower(s[at]) == 'k')
		unit = 1024;
	else if (ascii_lower(s[at]) == 'm')
		unit = 1024 * 1024;
	if (unit > 1 && ascii_lower(s[++at]) == 'b')
		at++;
	if (ascii_lower(s[at]) == 's')
		at++;
	if (__builtin_mul_overflow(*value, unit, value) ||
	    *value > INT64_MAX)
		return 0;
	return at;
}

static int
invalid(struct quota *out)
{
	*out = (struct quota){0};
	errno = EINVAL;
	return -1;
}

int
quota_parse(const char *s, size_t n, struct quota *out)
{
	bool had[2] = {false, false};
	struct str copy = {0};
	const char *p;

	*out = (struct quota){0};
	if (n >= 2 && bytes_caseeq(s, 2, "no", 2))
		return 0;
	if (n > 64 || bytes_chr(s, n, '\0') < n)
		return invalid(out);
	str_copyb(&copy, s, n);
	for (p = str_c(&copy);;) {
		uint64_t value = 0;
		bool is_count = false;
		size_t used = scan_term(p, &value, &is_count);

		if (used == 0 || had[is_count] || value > INT64_MAX ||
		    (p[used] != ',' && p[used] != '\0')) {
			str_free(&copy);
			return invalid(out);
		}
		had[is_count] = true;
		*(is_count ? &out->count : &out->bytes) = value;
		if (p[used] == '\0')
			break;
		p += used + 1;
	}
	str_free(&copy);
	return 0;
}

void
quota_cat(struct str *out, const struct quota *q)
{
	if (q->bytes > 0) {
		str_catu(out, q->bytes);
		str_catc(out, 'S');
	}
	if (q->bytes > 0 && q->count > 0)
		str_catc(out, ',');
	if (q->count > 0) {
		str_catu(out, q->count);
		str_catc(out, 'C');
	}
	if (!quota_is_limited(q))
		str_cats(out, "NOQUOTA");
}

bool
quota_is_limited(const struct quota *q)
{
	return q->bytes > 0 || q->count > 0;
}

static bool
over(uint64_t limit, int64_t used)
{
	return limit > 0 && used > 0 && (uint64_t)used > limit;
}

bool
quota_exceeded(const struct quota *q, int64_t bytes, int64_t count)
{
	return over(q->bytes, bytes) || over(q->count, count);
}

static unsigned
percent(uint64_t limit, int64_t used)
{
	double p;

	if (limit == 0 || used <= 0)
		return 0;
	p = (double)used / (double)limit * 100.0;
	return p >= PERCENT_MAX ? PERCENT_MAX : (unsigned)p;
}

unsigned
quota_percent(const struct quota *q, int64_t bytes, int64_t count)
{
	unsigned b = percent(q->bytes, bytes), c = percent(q->count, count);

	return b > c ? b : c;
}
