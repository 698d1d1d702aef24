/* queue/qshow.h - messages of the queue as text and as JSON.
 *
 * Senders and recipients are strangers' bytes: mail/show.h. */
#ifndef QUEUE_QSHOW_H
#define QUEUE_QSHOW_H

#include "lib/io.h"
#include "queue/qselect.h"

/* An address, quoted as in a header field where it has to be. */
void qshow_cat_addr(struct str *, const char *addr);
/* "23 Nov 2026 04:35:00 GMT" */
void qshow_cat_date(struct str *, int64_t unix_time);

/* The lines of qmail-qread:
 *	DATE  #ID  SIZE  <SENDER>[ bouncing][ held]
 *		local	RCPT            or
 *	  done	remote	RCPT            or, before preprocessing,
 *		todo	RCPT */
void qshow_cat_classic(struct str *, const struct qscan_msg *);
/* One object on one line; see qmail-qread(8). */
void qshow_cat_json(struct str *, const struct qscan_msg *);
/* What both show as "state": "todo" or "queue". */
const char *qshow_state(const struct qscan_msg *);

/* Prints every message that sel selects (NULL: all), and counts them.  0, or
 * 111 when something could not be read or written, which was logged. */
__attribute__((warn_unused_result))
int qshow_list(struct io *out, const struct qselect *sel, bool json,
    uint64_t *count_out);

#endif
