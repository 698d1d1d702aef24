/* qmail-clean - remove queue files on request.
 * Runs as:  qmailq, with HOME/queue as working directory.
 * Trusts:   the numbers on descriptor 0 (qmail-todo, qmail-send).
 * Exits:    0 at the end of requests, 100 when an answer cannot be written. */
#include "lib/log.h"
#include "mail/limits.h"
#include "mail/qpath.h"
#include "queue/clean.h"

#include <errno.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct io io;

	(void)argv;
	log_init("qmail-clean");
	if (argc != 1)
		die_usage("qmail-clean");
	if (chdir(QUEUE_DIR) < 0)
		die_sys(111, "unable to change to %s", QUEUE_DIR);
	if (clean_lock() < 0)
		die_sys(111, "unable to lock %s/intd", QUEUE_DIR);
	io_init(&io, 0, 1, IO_FOREVER);
	return clean_run(&io);
}
