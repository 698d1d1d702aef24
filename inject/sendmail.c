/* sendmail - queue a message as programs have called sendmail since ever;
 * also mailq and newaliases.
 * Runs as:  whoever calls it.
 * Trusts:   control/ and its own environment.  Never: the message.
 * Exits:    sysexits.h: 0, 64 misuse, 65 bad message or address, 71 unable to
 *           run a program, 74 unable to read, 75 try again, 77 refused. */
#include "inject/smrun.h"
#include "lib/log.h"

#include <sysexits.h>

int
main(int argc, char **argv)
{
	struct smopts opts;
	struct str why = {0};
	int code;

	log_init("sendmail");
	if (smopts_parse(&opts, argc, argv, &why) == -1)
		die(EX_USAGE, "%s", str_c(&why));
	code = smrun(&opts, &why);
	if (code != EX_OK)
		die(code, "%s", str_c(&why));
	smopts_free(&opts);
	str_free(&why);
	return code;
}
