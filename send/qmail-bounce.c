/* qmail-bounce - queue the bounce of one message.
 * Runs as:  qmails, started by qmail-send with the number and the sender.
 * Trusts:   its arguments, control/, bounce/N.  Never: the message.
 * Exits:    0 when the bounce is queued, 100 misuse, 111 try again. */
#include "lib/log.h"
#include "mail/qpath.h"
#include "send/bounce.h"

#include <signal.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	uint64_t id;

	log_init("qmail-bounce");
	if (argc != 3 || !qpath_parse(argv[1], &id))
		die_usage("qmail-bounce number sender");
	if (chdir(QUEUE_DIR) < 0)
		die_sys(111, "unable to change to %s", QUEUE_DIR);
	return bounce_send(id, argv[2]);
}
