/* qmail-newu - compile users/assign to users/cdb.
 * Runs as:  root.
 * Trusts:   nothing in the file; one bad line keeps the old table.
 * Exits:    0 done, 100 on misuse, 111 on any trouble. */
#include "lib/fs.h"
#include "lib/log.h"
#include "mail/users.h"

#include <unistd.h>

int
main(int argc, char **argv)
{
	struct str text = {0};
	const char *why;
	size_t line;

	(void)argv;
	log_init("qmail-newu");
	if (argc != 1)
		die_usage("qmail-newu");
	if (chdir(USERS_DIR) < 0)
		die_sys(111, "unable to enter %s", USERS_DIR);
	if (fs_read("assign", &text, USERS_FILE_MAX) < 0)
		die_sys(111, "unable to read %s/assign", USERS_DIR);
	if (users_compile(str_c(&text), text.len, "cdb", "cdb.tmp", &line,
	    &why) < 0) {
		if (why == NULL)
			die_sys(111, "unable to write %s/cdb", USERS_DIR);
		die(111, "unable to use %s/assign: line %zu: %s", USERS_DIR,
		    line, why);
	}
	str_free(&text);
	return 0;
}
