/* qmail-bounce - queue the bounce of one message, or tell of its delay.
 * Runs as:  qmails, started by qmail-send with the number, the sender and the
 *           message's wishes.
 * Trusts:   its arguments, control/, bounce/N.  Never: the message.
 * Exits:    0 when the bounce is queued, 100 misuse, 111 try again. */
#include "lib/log.h"
#include "mail/qpath.h"
#include "send/bounce.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	bool delay = false;
	uint64_t id;

	log_init("qmail-bounce");
	if (argc > 1 && strcmp(argv[1], "-d") == 0) {
		delay = true;
		argc--;
		argv++;
	}
	if (argc < 3 || argc > 4 || !qpath_parse(argv[1], &id))
		die_usage("qmail-bounce [-d] number sender [wishes]");
	if (chdir(QUEUE_DIR) < 0)
		die_sys(111, "unable to change to %s", QUEUE_DIR);
	return delay ? bounce_send_delay(id, argv[2], argc > 3 ? argv[3] : "",
	    0) : bounce_send(id, argv[2], argc > 3 ? argv[3] : NULL);
}
