/* vresolve - say where mail for an address goes, and why.
 * Runs as:  root or vpopmail; as another user it sees less.
 * Trusts:   control files, users/cdb, accounts, authdaemond.
 * Exits:    0 there is somebody for each, 100 not, or misuse, 111 it cannot be
 *           said now. */
#include "lib/io.h"
#include "lib/log.h"
#include "lib/sig.h"
#include "vpop/vanswer.h"

#include <signal.h>
#include <string.h>

int
main(int argc, char **argv)
{
	struct resolver r;
	struct resolve a = {0};
	struct str out = {0};
	bool json = argc > 1 && strcmp(argv[1], "-j") == 0;
	int first = json ? 2 : 1, code = 0;

	log_init("vresolve");
	if (argc <= first || argv[first][0] == '-')
		die_usage("vresolve [-j] address ...");
	sig_ignore(SIGPIPE);
	resolver_init(&r, USERS_DIR "/cdb", AUTHPROTO_SOCKET);
	for (int i = first; i < argc; i++) {
		int c;

		resolve_address(&r, argv[i], true, &a);
		str_clear(&out);
		if (json)
			vanswer_cat_json(&out, argv[i], &a);
		else
			vanswer_cat_text(&out, &a);
		if (fd_write_all(1, str_c(&out), out.len) < 0)
			die_sys(111, "unable to write");
		c = vanswer_code(a.status);
		code = c > code ? c : code;
	}
	str_free(&out);
	resolve_free(&a);
	resolver_free(&r);
	return code;
}
