/* mconnect-io - the conversation of mconnect: descriptor 0 to the network with
 * a CR for each line, the network to descriptor 1.
 * Runs as:  whoever starts mconnect, from tcpclient: the network is 6 and 7.
 * Trusts:   nothing it reads.
 * Exits:    0 at the end of what the network sends, 111 on trouble. */
#include "supervise/crlf.h"
#include "supervise/relay.h"
#include "supervise/tool.h"

#include "lib/log.h"

static void
add(struct relay_flow *f, const char *s, size_t n, struct str *out)
{
	(void)f;
	crlf_add(out, s, n);
}

static void
pass(struct relay_flow *f, const char *s, size_t n, struct str *out)
{
	(void)f;
	str_catb(out, s, n);
}

int
main(void)
{
	/* 7 is the same socket as 6: the answers are still to come. */
	struct relay_flow in = {.from = 0, .to = 7, .change = add,
	    .keep_to = true};
	struct relay_flow out = {.from = 6, .to = 1, .change = pass};

	log_init("mconnect-io");
	if (relay_run(&in, &out) < 0)
		tool_die(111, "unable to wait for data");
	return 0;
}
