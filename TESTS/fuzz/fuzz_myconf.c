/* fuzz_myconf.c - lines of database servers. */
#include "vpop/store_mysql_conf.h"

#include "TESTS/fuzz/fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct myconf c;
	struct str why = {0};
	int r = myconf_parse((const char *)data, n, &c, &why);

	if ((r == 0) != (c.n > 0) || (r == 0) != (why.len == 0))
		abort();
	for (size_t i = 0; i < c.n; i++)
		if (c.server[i].use == 0 || c.server[i].host.len == 0 ||
		    c.server[i].timeout == 0)
			abort();
	myconf_free(&c);
	str_free(&why);
	return 0;
}
