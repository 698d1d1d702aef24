/* bouncesaying - return the message with a text, perhaps if a program says so.
 * Runs as:  a user, from .qmail.
 * Trusts:   its arguments.
 * Exits:    100 with the text on descriptor 1, 0 when the program did not
 *           want that, 111. */
#include "lib/io.h"
#include "lib/log.h"
#include "lib/str.h"
#include "local/helper.h"

int
main(int argc, char **argv)
{
	struct str text = {0};
	union {
		char **in;
		const char *const *out;
	} args = {.in = argv};

	log_init("bouncesaying");
	if (argc < 2)
		die_usage("bouncesaying text [program [arg ...]]");
	if (argc > 2)
		switch (helper_run(args.out + 2)) {
		case 0:
			break;
		case 111:
			die(111, "%s says: later", argv[2]);
		default:
			return 0;
		}
	str_cats(&text, argv[1]);
	str_catc(&text, '\n');
	if (fd_write_all(1, str_c(&text), text.len) < 0)
		die_sys(111, "unable to write");
	str_free(&text);
	return 100;
}
