/* recordio - show on descriptor 2 what a program reads and writes.
 * Runs as:  whoever starts it, in front of a program of a tcpserver chain; a
 *           child of the program carries the bytes.
 * Trusts:   its arguments.  Never: the bytes it carries.
 * Exits:    100 misuse, 111 when the program cannot be run; else it is the
 *           program. */
#include "supervise/record.h"
#include "supervise/relay.h"
#include "supervise/tool.h"

#include "lib/io.h"
#include "lib/log.h"

#include <unistd.h>

struct side {
	uint64_t pid;
	char mark;
};

/* A line at a time: each is one write and comes out whole. */
static void
show(const struct str *lines)
{
	const char *p = str_c(lines), *end = p + lines->len;

	while (p < end) {
		size_t n = bytes_chr(p, (size_t)(end - p), '\n') + 1;

		if (fd_write_all(2, p, n) < 0)
			return;         /* the bytes go on without the record */
		p += n;
	}
}

static void
record(struct relay_flow *f, const char *s, size_t n, struct str *out)
{
	const struct side *side = f->arg;
	struct str lines = {0};

	record_cat(&lines, side->pid, side->mark, s, n);
	show(&lines);
	str_free(&lines);
	str_catb(out, s, n);
}

int
main(int argc, char **argv)
{
	struct side reads = {(uint64_t)getpid(), '<'};
	struct side writes = {(uint64_t)getpid(), '>'};
	struct relay_flow in = {.change = record, .arg = &reads};
	struct relay_flow out = {.change = record, .arg = &writes};

	log_init("recordio");
	if (argc < 2)
		tool_usage(100, "recordio program [ arg ... ]");
	relay_program(argv + 1, &in, &out);
}
