/* smtpd/received.h - the trace field of a received message (5321:4.4). */
#ifndef SMTPD_RECEIVED_H
#define SMTPD_RECEIVED_H

#include "smtpd/session.h"

/* The whole field with its line end.  Foreign bytes in it are host name bytes,
 * or a quoted recipient; none can begin a line. */
void received_cat(struct str *out, const struct smtpd *, uint64_t qp,
    int64_t now);

#endif
