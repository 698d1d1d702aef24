/* queue/qcheck.h - the commands check and repair of qmail-queuectl. */
#ifndef QUEUE_QCHECK_H
#define QUEUE_QCHECK_H

#include <stdbool.h>

/* Looks up the users, takes both locks, runs qrepair.h, prints to standard
 * output.  HOME/queue is the working directory.  The exit code: 0 clean or
 * all cured, 1 something was found (check) or is left (repair), 111 trouble,
 * a running service included. */
__attribute__((warn_unused_result))
int qcheck_main(bool fix, bool json);

#endif
