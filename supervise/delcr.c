/* delcr - remove a CR before each LF, from descriptor 0 to 1.
 * Trusts:   nothing it reads.
 * Exits:    0 at the end of the input, 111 on trouble. */
#include "supervise/crlf.h"
#include "supervise/filter.h"

#include "lib/log.h"

static void
del(void *arg, const char *s, size_t n, struct str *out)
{
	struct crlf *c = arg;

	crlf_del(c, out, s, n);
	if (n == 0)
		crlf_del_end(c, out);
}

int
main(void)
{
	struct crlf c = {0};

	log_init("delcr");
	filter_run(del, &c);
}
