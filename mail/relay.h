/* mail/relay.h - queue a message that was delivered here once more, for
 * somebody else. */
#ifndef MAIL_RELAY_H
#define MAIL_RELAY_H

#include "lib/str.h"

/* Reads the message from where fd stands.  0 and *qp_out, or a code of
 * mail/qx.h and the reason in why. */
__attribute__((warn_unused_result))
int relay_message(int fd, const char *dtline, const char *sender,
    const char *const *rcpts, size_t n, uint64_t *qp_out, struct str *why);

#endif
