/* vpop/progress.c - how far the work on many has come; see command.h. */
#include "vpop/command.h"

#include "lib/io.h"
#include "lib/tai.h"

#include <unistd.h>

#define BAR 40                  /* characters */
#define EVERY_MS 100

static void
show(const struct vprogress *p, const char *before, const char *after)
{
	struct str out = {0};
	int r;

	str_catf(&out, "%s%s: %llu", before, p->what,
	    (unsigned long long)p->done);
	if (p->all > 0) {
		uint64_t most = p->done < p->all ? p->done : p->all;
		unsigned part = (unsigned)((long double)most * BAR /
		    (long double)p->all);

		str_catf(&out, " of %llu", (unsigned long long)p->all);
		if (*before != '\0') {
			str_cats(&out, " [");
			for (unsigned i = 0; i < BAR; i++)
				str_catc(&out, i < part ? '#' : '.');
			str_catc(&out, ']');
		}
	}
	str_cats(&out, after);
	r = fd_write_all(2, str_c(&out), out.len);
	(void)r;                /* it is only for eyes */
	str_free(&out);
}

void
vprogress_step(struct vprogress *p, uint64_t done)
{
	int64_t now = clock_mono_ms();

	p->done = done;
	if (p->last_ms != 0 && now - p->last_ms < EVERY_MS)
		return;
	p->last_ms = now > 0 ? now : 1;
	if (isatty(2))
		show(p, "\r", "");
}

void
vprogress_end(struct vprogress *p)
{
	if (isatty(2))
		show(p, "\r", "\n");
	else
		show(p, "", "\n");
}
