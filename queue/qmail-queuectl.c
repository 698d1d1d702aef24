/* qmail-queuectl - list, change, check and repair the queue.
 * Runs as:  root (or qmails for what only asks qmail-send).
 * Trusts:   its arguments and control/.  Never: what is in the queue's files.
 * Exits:    0, 1 (check found something), 100 misuse or refusal, 111 trouble. */
#include "lib/log.h"
#include "lib/sig.h"
#include "mail/qpath.h"
#include "queue/queuectl.h"

#include <signal.h>

#define USAGE                                                                 \
	"qmail-queuectl list|show|delete|expire|retry|hold|release "          \
	"[--json] [--dry-run] [--sender PATTERN] [--recipient PATTERN] "      \
	"[--age AGE] [--held] [--all] [NUMBER ...] | flush | "                \
	"check [--json] | repair [--json] [--dry-run]"

int
main(int argc, char **argv)
{
	struct queuectl ctl;
	struct str why = {0};

	log_init("qmail-queuectl");
	sig_ignore(SIGPIPE);
	if (queuectl_parse(&ctl, argc, argv, &why) < 0) {
		if (why.len == 0)
			die_usage(USAGE);
		die(100, "%s", str_c(&why));
	}
	if (qscan_enter(QUEUE_DIR, &why) < 0)
		die(111, "%s", str_c(&why));
	return queuectl_run(&ctl);
}
