/* queue/queuectl.h - the command line of qmail-queuectl.
 *
 * Parsing is separate from doing, so that each can be tried alone. */
#ifndef QUEUE_QUEUECTL_H
#define QUEUE_QUEUECTL_H

#include "mail/qctl.h"
#include "queue/qselect.h"

enum queuectl_command {
	QUEUECTL_LIST,
	QUEUECTL_SHOW,
	QUEUECTL_ACT,           /* verb says what */
	QUEUECTL_CHECK,
	QUEUECTL_REPAIR,
};

struct queuectl {
	enum queuectl_command command;
	enum qctl_verb verb;
	struct qselect sel;
	bool json, dry_run;
};

/* -1: the words make no command; why says what is wrong, empty for "print the
 * usage".  out is to be freed either way. */
__attribute__((warn_unused_result))
int queuectl_parse(struct queuectl *out, int argc, char **argv,
    struct str *why);
void queuectl_free(struct queuectl *);

/* HOME/queue is the working directory; standard output is written, trouble is
 * logged.  The exit code of the program: 0 done, 1 a check found something,
 * 100 a named message does not exist or was refused, 111 trouble. */
__attribute__((warn_unused_result))
int queuectl_run(struct queuectl *);

#endif
