/* qmail-qread - list the messages in the queue.
 * Runs as:  root or qmails; others cannot read the queue.
 * Trusts:   nothing that is written in the queue's files.
 * Exits:    0, 100 on misuse, 111 when part of the queue cannot be read. */
#include "lib/log.h"
#include "mail/qpath.h"
#include "queue/qshow.h"

#include <string.h>

int
main(int argc, char **argv)
{
	struct io out;
	struct str why = {0};
	bool json = argc == 2 && strcmp(argv[1], "-j") == 0;
	uint64_t count;

	log_init("qmail-qread");
	if (argc > 2 || (argc == 2 && !json))
		die_usage("qmail-qread [-j]");
	if (qscan_enter(QUEUE_DIR, &why) < 0)
		die(111, "%s", str_c(&why));
	io_init(&out, -1, 1, IO_FOREVER);
	return qshow_list(&out, NULL, json, &count);
}
