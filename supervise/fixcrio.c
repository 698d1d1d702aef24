/* fixcrio - put a CR before each LF that lacks one, both ways, around a
 * program.
 * Runs as:  whoever starts it, in front of a program of a tcpserver chain; a
 *           child of the program carries the bytes.
 * Trusts:   its arguments.  Never: the bytes it carries.
 * Exits:    100 misuse, 111 when the program cannot be run; else it is the
 *           program. */
#include "supervise/crlf.h"
#include "supervise/relay.h"
#include "supervise/tool.h"

#include "lib/log.h"

static void
fix(struct relay_flow *f, const char *s, size_t n, struct str *out)
{
	crlf_fix(f->arg, out, s, n);
}

int
main(int argc, char **argv)
{
	struct crlf reads = {0}, writes = {0};
	struct relay_flow in = {.change = fix, .arg = &reads};
	struct relay_flow out = {.change = fix, .arg = &writes};

	log_init("fixcrio");
	if (argc < 2)
		tool_usage(100, "fixcrio program [ arg ... ]");
	relay_program(argv + 1, &in, &out);
}
