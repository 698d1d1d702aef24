/* condredirect - send the message elsewhere if a program says so.
 * Runs as:  a user, from .qmail.
 * Trusts:   its arguments, SENDER and DTLINE of qmail-local.
 * Exits:    99 redirected, skip the rest of .qmail; 0 not; 100, 111. */
#include "lib/log.h"
#include "lib/sig.h"
#include "local/helper.h"

#include <signal.h>

int
main(int argc, char **argv)
{
	const char *rcpt, *sender;
	union {
		char **in;
		const char *const *out;
	} args = {.in = argv};

	log_init("condredirect");
	if (argc < 3)
		die_usage("condredirect address program [arg ...]");
	rcpt = argv[1];
	sender = helper_env("SENDER");
	switch (helper_run(args.out + 2)) {
	case 0:
		break;
	case 111:
		die(111, "%s says: later", argv[2]);
	default:
		return 0;
	}
	helper_rewind();
	sig_ignore(SIGPIPE);
	helper_forward(sender, &rcpt, 1);
	return 99;
}
