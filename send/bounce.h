/* send/bounce.h - the text of a bounce (QSBMF) and its submission. */
#ifndef SEND_BOUNCE_H
#define SEND_BOUNCE_H

#include <stdint.h>

/* Tells the sender of message id what bounce/id says, with a copy of the
 * message, at most bouncemaxbytes of it.  The null sender's bounce goes to
 * doublebounceto.  Working directory HOME/queue.  0 or 111; dies 111 on
 * unreadable control files. */
int bounce_send(uint64_t id, const char *sender);

#endif
