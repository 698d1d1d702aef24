/* addcr - put a CR before each LF, from descriptor 0 to 1.
 * Trusts:   nothing it reads.
 * Exits:    0 at the end of the input, 111 on trouble. */
#include "supervise/crlf.h"
#include "supervise/filter.h"

#include "lib/log.h"

static void
add(void *arg, const char *s, size_t n, struct str *out)
{
	(void)arg;
	crlf_add(out, s, n);
}

int
main(void)
{
	log_init("addcr");
	filter_run(add, NULL);
}
