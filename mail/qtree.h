/* mail/qtree.h - the queue as a tree: what must be there, whose it is.
 *
 * The installer makes it, the queue tool checks and repairs it; both from
 * these tables.  Paths are relative to HOME/queue ("" is the queue itself),
 * the group is qmail everywhere. */
#ifndef MAIL_QTREE_H
#define MAIL_QTREE_H

#define QTREE_GROUP "qmail"

/* X(path, owner, mode) */
#define QTREE_DIRS(X)                                                         \
	X("", "qmailq", 0750)                                                 \
	X("pid", "qmailq", 0700)                                              \
	X("intd", "qmailq", 0700)                                             \
	X("todo", "qmailq", 0750)                                             \
	X("lock", "qmailq", 0750)                                             \
	X("bounce", "qmails", 0700)                                           \
	X("hold", "qmails", 0700)

/* With their subdirectories 0 .. QUEUE_SPLIT-1, all of the same mode. */
#define QTREE_SPLIT_DIRS(X)                                                   \
	X("mess", "qmailq", 0750)                                             \
	X("info", "qmails", 0700)                                             \
	X("local", "qmails", 0700)                                            \
	X("remote", "qmails", 0700)

/* X(path, owner, mode, bytes of zeros when new) */
#define QTREE_FILES(X)                                                        \
	X("lock/sendmutex", "qmails", 0600, 0)                                \
	X("lock/tcpto", "qmailr", 0644, 1024)

/* X(path, owner, mode) */
#define QTREE_FIFOS(X)                                                        \
	X("lock/trigger", "qmails", 0622)

/* While it exists a repair is unfinished: no service may start (and only a
 * second repair may go on). */
#define QTREE_REPAIR "repair"
/* What a repair could not put in order, a directory per message. */
#define QTREE_DAMAGED "damaged"

#endif
