/* fuzz_vlimits.c - any bytes as domain limits, and as counters of a split
 * directory: what is read is within its bounds, and what is written is read
 * back the same. */
#include "TESTS/fuzz/fuzz.h"

#include "vpop/dirs.h"
#include "vpop/limits.h"

#include <stdlib.h>
#include <string.h>

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
limits(const char *s, size_t n)
{
	struct vlimits l, again;
	struct str out = {0}, twice = {0};

	(void)vlimits_parse(s, n, &l);
	require(vlimits_is_valid(&l));
	vlimits_cat(&out, &l, s, n);
	(void)vlimits_parse(str_c(&out), out.len, &again);
	require(vlimits_equal(&l, &again));
	/* what is not ours is kept once, not once for each time */
	vlimits_cat(&twice, &again, str_c(&out), out.len);
	require(twice.len == out.len &&
	    memcmp(twice.s, out.s, out.len) == 0);
	str_free(&out);
	str_free(&twice);
}

static void
places(const char *s, size_t n)
{
	struct vdirctl c = {0}, again = {0};
	struct str out = {0};
	int r = vdirs_parse(s, n, &c);

	require(r == 0 || (c.users == 0 && c.dir.len == 0));
	vdirs_cat(&out, &c);
	require(vdirs_parse(str_c(&out), out.len, &again) == 0);
	require(again.users == c.users && again.level_cur == c.level_cur &&
	    str_eqs(&again.dir, str_c(&c.dir)));
	for (int i = 0; i < 300; i++)
		vdirs_count(&c);
	str_clear(&out);
	vdirs_cat(&out, &c);
	require(vdirs_parse(str_c(&out), out.len, &again) == 0);
	require(again.users == c.users);
	require(strspn(str_c(&c.dir), VDIRS_LIST "/") == c.dir.len);
	require(c.dir.len <= 5);
	str_free(&out);
	str_free(&c.dir);
	str_free(&again.dir);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *s = (const char *)data;

	limits(s, n);
	places(s, n);
	return 0;
}
