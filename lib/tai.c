/* lib/tai.c - clocks and TAI64N labels; see tai.h. */
#include "lib/tai.h"

#include <stdlib.h>

#define TAI_UNIX UINT64_C(4611686018427387914)  /* 2^62 + 10 */

struct timespec
clock_wall_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
#ifdef CLOCK_TEST
	const char *off = getenv("VALIJA_CLOCK_OFFSET");

	if (off != NULL)
		t.tv_sec += strtoll(off, NULL, 10);
#endif
	return t;
}

int64_t
clock_wall(void)
{
	return clock_wall_ns().tv_sec;
}

int64_t
clock_mono_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct tai
tai_now(void)
{
	struct timespec t = clock_wall_ns();

	return (struct tai){TAI_UNIX + (uint64_t)t.tv_sec,
	    (uint32_t)t.tv_nsec};
}

int64_t
tai_unix(const struct tai *t)
{
	return (int64_t)(t->sec - TAI_UNIX);
}

void
tai_pack(unsigned char out[TAI_PACK], const struct tai *t)
{
	for (int i = 0; i < 8; i++)
		out[i] = (unsigned char)(t->sec >> (56 - 8 * i));
	for (int i = 0; i < 4; i++)
		out[8 + i] = (unsigned char)(t->nano >> (24 - 8 * i));
}

void
tai_unpack(struct tai *out, const unsigned char in[TAI_PACK])
{
	out->sec = 0;
	out->nano = 0;
	for (int i = 0; i < 8; i++)
		out->sec = out->sec << 8 | in[i];
	for (int i = 8; i < 12; i++)
		out->nano = out->nano << 8 | in[i];
}

void
tai_cat_label(struct str *out, const struct tai *t)
{
	str_catc(out, '@');
	str_catx(out, t->sec, 16);
	str_catx(out, t->nano, 8);
}

/* The digits shift through sec and nano as through one 96-bit number, so any
 * run has a meaning: the last eight are nanoseconds. */
size_t
tai_scan_label(struct tai *out, const char *s, size_t n)
{
	uint64_t sec = 0, nano = 0;
	size_t i;

	if (n == 0 || s[0] != '@')
		return 0;
	for (i = 1; i < n; i++) {
		unsigned d;

		if (s[i] >= '0' && s[i] <= '9')
			d = (unsigned)(s[i] - '0');
		else if (s[i] >= 'a' && s[i] <= 'f')
			d = (unsigned)(s[i] - 'a') + 10;
		else
			break;
		sec = sec << 4 | nano >> 28;
		nano = (nano << 4 & UINT32_MAX) | d;
	}
	if (i == 1)
		return 0;
	out->sec = sec;
	out->nano = (uint32_t)nano;
	return i;
}
