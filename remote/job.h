/* remote/job.h - one message to some recipients of one host: what is asked
 * for, and what has become of each recipient so far.
 *
 * A recipient goes from JOB_TODO to one of the others, or by way of
 * JOB_RETRY: that host said "not now", another may say more.  What concerns
 * the message, not one recipient, is an event: it is said once in the report,
 * however many recipients it is about. */
#ifndef REMOTE_JOB_H
#define REMOTE_JOB_H

#include "lib/str.h"
#include "remote/message.h"

#include <stdbool.h>

enum job_state {
	JOB_TODO,               /* nobody was asked, or nobody answered */
	JOB_RETRY,              /* deferred; another host may be asked */
	JOB_DEFER,              /* deferred, and that is it for now */
	JOB_FAIL,               /* refused for good */
	JOB_DONE,               /* delivered */
};

struct job_rcpt {
	const char *addr;       /* borrowed */
	const char *params;     /* mail/dsn.h; "" */
	enum job_state state;
	unsigned event;         /* the event that decided, or 0: its own text */
	struct str text;        /* why, when event is 0 */
};

struct job {
	const char *sender, *params;
	const struct message *message;
	size_t n;
	struct job_rcpt *rcpt;
	bool asked;             /* some host was asked for a recipient */
	unsigned events;        /* count; the last one is described by: */
	enum job_state event_state;
	struct str event_text;
	struct str host, ip, tls_version, tls_cipher;   /* of the last session,
	                         * for the log */
	unsigned code;          /* the last reply that decided something */
	bool dsn;               /* wishes about reports were passed on */
};

void job_free(struct job *);            /* rcpt stays the caller's */
/* Recipients that still want a host. */
size_t job_pending(const struct job *);
void job_rcpt_set(struct job_rcpt *, enum job_state, const struct str *text);
/* What happens to the message as a whole: every recipient of which which(i)
 * is true gets the state (all pending ones when which is NULL). */
void job_event(struct job *, enum job_state, const struct str *text,
    const bool *which);

/* Appends the report: per recipient r, h or s with text and NUL, then K, Z or
 * D with text and NUL.  Recipient records are left out when no host was asked
 * and the message record says it all.  Of each record at most max bytes. */
void job_report(const struct job *, size_t max, struct str *out);
/* Appends "+key=value ..." and NUL: mta ip tls cipher code, and dsn=relayed
 * when wishes about reports were passed on. */
void job_report_log(const struct job *, struct str *out);

#endif
