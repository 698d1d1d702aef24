/* filter.c - read, change, write; see filter.h. */
#include "supervise/filter.h"

#include "supervise/tool.h"

#include "lib/io.h"

#include <errno.h>
#include <unistd.h>

void
filter_run(void (*change)(void *arg, const char *s, size_t n,
    struct str *out), void *arg)
{
	char buf[IO_BUF];
	struct str out = {0};
	ssize_t n;

	do {
		n = read(0, buf, sizeof buf);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			tool_die(111, "unable to read");
		}
		str_clear(&out);
		change(arg, buf, (size_t)n, &out);
		if (fd_write_all(1, str_c(&out), out.len) < 0)
			tool_die(111, "unable to write");
	} while (n != 0);
	_exit(0);
}
