/* send/bounce.h - reports to senders: their text and their submission.
 *
 * bounce/N is a paragraph per failed recipient, "<address>:" LF, the reason,
 * an empty line.  Of a message with wishes (mail/dsn.h) each paragraph has a
 * mark before it, and there may be paragraphs about successes:
 *
 *	NUL kind TIME SP mta SP wishes NUL
 *
 * TIME is in seconds, mta is who gave the reason ("-": nobody), wishes is the
 * recipient's text form.  Worked example:
 *	\0F1764000000 mx.y NOTIFY=FAILURE\0<a@y>:\nNo such user.\n\n
 *
 * With marks, or with wishes of the message, the report is the multipart of
 * RFC 3464; else it is QSBMF as ever. */
#ifndef SEND_BOUNCE_H
#define SEND_BOUNCE_H

#include "lib/str.h"

#include <stdint.h>

enum bounce_kind {
	BOUNCE_FAILED = 'F',
	BOUNCE_DELAYED = 'Y',
	BOUNCE_DELIVERED = 'D',
	BOUNCE_RELAYED = 'R',
};

/* Tells the sender of message id what bounce/id says, with a copy of the
 * message, at most bouncemaxbytes of it.  params: the message's wishes; NULL:
 * neither it nor a recipient has any.  The null sender's bounce goes to
 * doublebounceto.  Working directory HOME/queue.  0 or 111; dies 111 on
 * unreadable control files. */
int bounce_send(uint64_t id, const char *sender, const char *params);
/* The same with paragraphs about delays, from a descriptor. */
int bounce_send_delay(uint64_t id, const char *sender, const char *params,
    int fd);

#endif
