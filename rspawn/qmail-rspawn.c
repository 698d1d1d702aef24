/* qmail-rspawn - have remote deliveries made by qmail-remote.
 * Runs as:  qmailr, group qmail, started by qmail-start.
 * Trusts:   qmail-send's commands on descriptor 0.  Never: the message, the
 *           addresses, what qmail-remote says.
 * Exits:    0 when commands end and the last delivery is reported, 111. */
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/user.h"
#include "mail/qpath.h"
#include "rspawn/rspawn.h"

#include <stdlib.h>
#include <unistd.h>

int
main(void)
{
	struct rspawn_config cfg = {.command_fd = 0, .report_fd = 1};
	const char *remote = getenv("QMAILREMOTE");
	bool other = remote != NULL && *remote != '\0';

	log_init("qmail-rspawn");
	if (chdir(QUEUE_DIR "/mess") < 0)
		die_sys(111, "unable to enter %s", QUEUE_DIR "/mess");
	if (rspawn_clear_tcpto("../lock/tcpto") < 0)
		log_sys("unable to clear %s", QUEUE_DIR "/lock/tcpto");
	/* No more than that: what stands in for qmail-remote (signers, filters)
	 * may write where it likes. */
	if (sandbox_undumpable() < 0 || sandbox_limits(NULL, 0) < 0)
		die_sys(111, "unable to give up rights");
	cfg.queue_uid = user_need_uid("qmailq");
	/* Somebody else's program has the historical interface. */
	cfg.remote = other ? remote : "qmail-remote";
	cfg.stay = !other;
	cfg.max = rspawn_capacity();
	if (rspawn_run(&cfg) < 0)
		die_sys(111, "unable to go on serving qmail-send");
	return 0;
}
