/* qmail-clean - remove queue files on request.
 * Runs as:  qmailq, with HOME/queue as working directory.
 * Trusts:   the numbers on descriptor 0 (qmail-todo, qmail-send).
 * Exits:    0 at the end of requests, 100 when an answer cannot be written. */
#include "lib/log.h"
#include "lib/sandbox.h"
#include "mail/limits.h"
#include "mail/qpath.h"
#include "queue/clean.h"

#include <errno.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	static const char *const write[] = {QUEUE_DIR "/pid",
	    QUEUE_DIR "/intd", QUEUE_DIR "/todo", QUEUE_DIR "/mess", NULL};
	struct sandbox_fs fs = {.write = write};
	struct io io;

	(void)argv;
	log_init("qmail-clean");
	if (argc != 1)
		die_usage("qmail-clean");
	if (chdir(QUEUE_DIR) < 0)
		die_sys(111, "unable to change to %s", QUEUE_DIR);
	if (sandbox_daemon(&fs, SANDBOX_NO_TCP | SANDBOX_SCOPED) < 0)
		die_sys(111, "unable to give up rights%s%s",
		    fs.bad != NULL ? ": " : "", fs.bad != NULL ? fs.bad : "");
	if (clean_lock() < 0)
		die_sys(111, "unable to lock %s/intd", QUEUE_DIR);
	io_init(&io, 0, 1, IO_FOREVER);
	return clean_run(&io);
}
