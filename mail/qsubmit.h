/* mail/qsubmit.h - hand a message to the queue: both ends of HOME/run/queue.
 *
 * The client side, as every program of ours queues mail:
 *
 *	struct qsubmit q;
 *	qsubmit_open(&q);                       (never fails visibly)
 *	qsubmit_put(&q, bytes, n);              the message, LF line ends
 *	qsubmit_from(&q, "a@x");                then the envelope
 *	qsubmit_params(&q, "RET=HDRS");         wishes (mail/dsn.h), if any
 *	qsubmit_to(&q, "b@y");                  any number of times
 *	qsubmit_rcpt_params(&q, "NOTIFY=NEVER");        of that recipient
 *	code = qsubmit_close(&q, &text);        0: on disk.  Else qx.h
 *
 * Errors on the way are kept and come out of qsubmit_close.  When QMAILQUEUE
 * is set in the environment the program it names runs instead, from HOME, with
 * the message on 0 and the envelope on 1, and its own words on descriptor 4 or
 * 6 are understood (exit 82 or 88; "D" permanent, "Z" temporary).
 *
 * The wire, worked example (| separates writes):
 *	u32 5, "x: y\n" | u32 1, "\n" | u32 0 |
 *	u32 14, "Fa@x\0Tb@y\0\0..." | u32 0
 * where wishes stand as "MRET=HDRS\0" after F and "NNOTIFY=NEVER\0" after T;
 * a QMAILQUEUE program, which knows F and T alone, is not given them.
 * And back: one byte code, one byte length, that many bytes of text.  The next
 * message may follow.  A client that closes early has queued nothing. */
#ifndef MAIL_QSUBMIT_H
#define MAIL_QSUBMIT_H

#include "lib/io.h"
#include "lib/str.h"
#include "mail/qx.h"

#include <sys/types.h>

#define QSUBMIT_SOCKET HOME_DIR "/run/queue"
#define QSUBMIT_CHUNK_MAX 65536         /* bytes; larger ones are refused */
#define QSUBMIT_WAIT_MS 30000           /* for a service that is restarting */
#define QSUBMIT_ANSWER_MS 600000        /* for the acknowledgement */

enum qsubmit_state { QSUBMIT_BODY, QSUBMIT_ENVELOPE, QSUBMIT_FAILED };

struct qsubmit {
	enum qsubmit_state state;
	int fail;               /* code of the first trouble */
	int fd;                 /* the service, or -1 */
	pid_t pid;              /* of a QMAILQUEUE program, or 0 */
	int mfd, efd, tfd;      /* its message, envelope, text pipes */
	uint64_t qp;
	bool addressed;         /* by from and to: close adds the last NUL */
	size_t nhold;
	char hold[4 + IO_BUF];  /* a chunk being gathered, after its length */
};

void qsubmit_open(struct qsubmit *);
void qsubmit_put(struct qsubmit *, const void *bytes, size_t n);
void qsubmit_puts(struct qsubmit *, const char *cstr);
/* Addresses without NUL; longer than ADDR_MAX fails with QX_ADDR_LONG. */
void qsubmit_from(struct qsubmit *, const char *sender);
void qsubmit_to(struct qsubmit *, const char *rcpt);
/* The text forms of mail/dsn.h, valid; "" is nothing.  Right after
 * qsubmit_from, and right after the qsubmit_to they belong to. */
void qsubmit_params(struct qsubmit *, const char *text);
void qsubmit_rcpt_params(struct qsubmit *, const char *text);
/* Envelope bytes as they stand, final NUL included (the qmail-queue client). */
void qsubmit_envelope(struct qsubmit *, const void *bytes, size_t n);
/* Makes close fail with this code (unless something failed before). */
void qsubmit_fail(struct qsubmit *, int code);
/* 0 when the message is on disk; else the code, and in *text (cleared first)
 * the reason: the service's or program's words, or those of the table.
 * Releases everything. */
__attribute__((warn_unused_result))
int qsubmit_close(struct qsubmit *, struct str *text);
/* What reports and logs call qp: valid after open. */
uint64_t qsubmit_qp(const struct qsubmit *);

#endif
