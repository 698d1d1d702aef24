/* mailsubj - mail what is on descriptor 0 with a subject to recipients.
 * Runs as:  whoever calls it.
 * Trusts:   its arguments, as far as they are one line each.
 * Exits:    as qmail-inject does; 100 misuse, 111 unable to run it. */
#include "inject/prefix.h"
#include "lib/log.h"
#include "mail/quote.h"

#include <string.h>

int
main(int argc, char **argv)
{
	static const char *const inject[] = {HOME_DIR "/bin/qmail-inject",
	    "-h", NULL};
	struct str header = {0};
	int i, code;

	log_init("mailsubj");
	if (argc < 3)
		die_usage("mailsubj subject recipient ...");
	for (i = 1; i < argc; i++)
		if (!quote_safe(argv[i], strlen(argv[i])))
			die(100, "argument %d has a line end in it", i);
	str_cats(&header, "Subject: ");
	str_cats(&header, argv[1]);
	str_cats(&header, "\nTo: ");
	for (i = 2; i < argc; i++) {
		if (i > 2)
			str_cats(&header, ",\n  ");
		str_cats(&header, argv[i]);
	}
	str_cats(&header, "\n\n");
	code = prefix_run(inject, &header);
	str_free(&header);
	return code;
}
