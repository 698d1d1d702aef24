/* queue/clean.h - what qmail-clean does; HOME/queue is the working directory.
 *
 * Requests are NUL-terminated: "foop/N" removes intd/N, then mess/S/N;
 * "todo/N" removes intd/N, then todo/N; "done/N" removes todo/N, intd/N, then
 * mess/S/N.  What is not there is fine.  Exactly one byte answers each: '+'
 * done, '!' something could not be removed, 'x' not a request. */
#ifndef QUEUE_CLEAN_H
#define QUEUE_CLEAN_H

#include "lib/io.h"

/* Waits until the qmail-clean before this one, which may have requests left
 * in its pipe, has ended; until then nobody may count on what is there.  A
 * descriptor, or -1 with errno.  The lock, on the directory intd, which is of
 * qmailq alone, is held until it is closed: qmail-clean holds it for life. */
__attribute__((warn_unused_result))
int clean_lock(void);
/* Until the end of input: 0.  100 when an answer cannot be written. */
int clean_run(struct io *);
/* One request without its NUL: the answer. */
char clean_request(const char *s, size_t n);
/* Removes files in pid/ and intd/ older than QUEUE_OSSIFIED seconds: nobody
 * receives a message for that long. */
void clean_old(int64_t now);

#endif
