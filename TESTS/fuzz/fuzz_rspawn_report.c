/* fuzz_rspawn_report.c - any bytes as qmail-remote's output, at once and one
 * by one: the same report, capped, and never a bounce without a D or h. */
#include "rspawn/report.h"

#include "mail/limits.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *s = (const char *)data;
	struct report a = {0}, b = {0};
	struct str x = {0}, y = {0};

	report_add(&a, s, n);
	for (size_t i = 0; i < n; i++)
		report_add(&b, s + i, 1);
	report_end(&a, 0, &x);
	report_end(&b, 0, &y);
	require(x.len == y.len && memcmp(x.s, y.s, x.len) == 0);
	require(x.len > 0 && strchr("KZD", x.s[0]) != NULL);
	require(x.len <= REPORT_MAX + 1 && !str_has_nul(&x));
	if (x.s[0] == 'D')
		require(memchr(s, 'D', n) != NULL || memchr(s, 'h', n) != NULL);
	report_free(&a);
	report_free(&b);
	str_free(&x);
	str_free(&y);
	return 0;
}
