/* qmail-getpw - find the account that a local part belongs to.
 * Runs as:  qmailp, one-shot or as a worker of qmail-lspawn (--worker: packets
 *           on descriptor 0).
 * Trusts:   the system's accounts.  Never: the local part.
 * Exits:    0 with six NUL-terminated fields on descriptor 1, 100 on misuse,
 *           111, or a code of mail/verdict.h. */
#include "lib/io.h"
#include "lib/log.h"
#include "mail/getpw.h"

#include <string.h>

int
main(int argc, char **argv)
{
	struct users_entry e = {0};
	struct str out = {0};
	int code;

	log_init("qmail-getpw");
	if (argc != 2)
		die_usage("qmail-getpw local | --worker");
	if (strcmp(argv[1], "--worker") == 0)
		return getpw_serve(0);
	code = getpw_find(argv[1], &e);
	if (code != 0)
		return code;
	users_cat_entry(&out, &e);
	if (fd_write_all(1, str_c(&out), out.len) < 0)
		die_sys(111, "unable to write the answer");
	str_free(&out);
	users_entry_free(&e);
	return 0;
}
