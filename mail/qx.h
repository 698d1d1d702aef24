/* mail/qx.h - the exit codes of qmail-queue: the one table.
 *
 * 11..40 are permanent, everything else but 0 is temporary. */
#ifndef MAIL_QX_H
#define MAIL_QX_H

#include <stdbool.h>

/* X(ID, code, text) */
#define QX_TABLE(X)                                                           \
	X(OK, 0, "queued")                                                    \
	X(ADDR_LONG, 11, "envelope address too long")                         \
	X(REFUSED, 31, "mail server permanently rejected message")            \
	X(NOMEM, 51, "out of memory")                                         \
	X(TIMEOUT, 52, "timeout")                                             \
	X(WRITE, 53, "unable to write the queue (disk full?)")                \
	X(READ, 54, "unable to read message or envelope")                     \
	X(CONFIG, 55, "unable to read configuration")                         \
	X(NETWORK, 56, "network trouble")                                     \
	X(HOME, 61, "unable to enter the home directory")                     \
	X(QUEUE, 62, "unable to reach the queue service")                     \
	X(PIDFILE, 63, "unable to create a file in queue/pid")                \
	X(MESS, 64, "unable to place the message in queue/mess")              \
	X(INTD, 65, "unable to create a file in queue/intd")                  \
	X(TODO, 66, "unable to place the envelope in queue/todo")             \
	X(TEMP, 71, "mail server temporarily rejected message")               \
	X(CONNTIME, 72, "connection to mail server timed out")                \
	X(CONNREFUSED, 73, "connection to mail server rejected")              \
	X(CONVERSATION, 74, "communication with mail server failed")          \
	X(BUG, 81, "internal bug")                                            \
	X(CUSTOM, 82, "refused with a text of its own")                       \
	X(CUSTOM2, 88, "refused with a text of its own")                      \
	X(PROTO, 91, "envelope format error")                                 \
	X(EXEC, 120, "unable to start the queueing program")

enum qx {
#define X(id, code, text) QX_##id = code,
	QX_TABLE(X)
#undef X
};

const char *qx_text(int code);          /* never NULL */
bool qx_permanent(int code);

#endif
