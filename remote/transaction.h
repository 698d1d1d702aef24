/* remote/transaction.h - MAIL, RCPT, DATA or BDAT: a message given to one
 * host, in as many transactions as that host wants.
 *
 * With PIPELINING, MAIL, every RCPT and DATA go out in one write.  With
 * CHUNKING the message goes out by BDAT in one piece, after the answers to
 * RCPT are known: that costs no round trip more than DATA and spares the
 * transfer when nobody is accepted. */
#ifndef REMOTE_TRANSACTION_H
#define REMOTE_TRANSACTION_H

#include "remote/job.h"
#include "remote/smtp.h"

#define TRANSACTION_RCPTS_MAX 100       /* count, in one: 5321:4.5.3.1.8 */

/* SMTP_OK: every pending recipient was asked for, and the job says what came
 * of it.  SMTP_TEMP, SMTP_PERM: this host takes nothing of the message, s->why
 * says why; what was decided until then is in the job.  Afterwards s->open
 * says whether the session can go on. */
enum smtp_status transaction_run(struct smtp *, struct job *);

#endif
