/* qreceipt - answer a Notice-Requested-Upon-Delivery-To field.
 * Runs as:  a user, from .qmail: message on 0.
 * Trusts:   its argument, SENDER of qmail-local.  Never: the message.
 * Exits:    0 (answered, or nothing to answer), 100, 111. */
#include "lib/log.h"
#include "lib/sig.h"
#include "local/helper.h"
#include "local/receipt.h"

#include <signal.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
	struct str why = {0};
	int code;

	log_init("qreceipt");
	if (argc != 2)
		die_usage("qreceipt address");
	sig_ignore(SIGPIPE);
	code = receipt_answer(0, argv[1], helper_env("SENDER"),
	    getenv("DTLINE"), &why);
	if (code != 0)
		die(code, "%s", str_c(&why));
	str_free(&why);
	return 0;
}
