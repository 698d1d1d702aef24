/* smtpd/qmqpd.h - one QMQP session: one message for any recipients, from a
 * client that is believed.
 *
 *	C: 64:26:Subject: hi\n\nhello\n...,7:ana@a.b,7:joe@c.d,,
 *	S: 23:Kok 1795408500 qp 4711,
 *
 * One netstring around the message, the sender and the recipients; one back.
 * Nothing is queued unless all of it came.  Whoever may connect may send
 * anywhere: tcpserver's rules say who that is.  The bytes are not believed. */
#ifndef SMTPD_QMQPD_H
#define SMTPD_QMQPD_H

#include "smtpd/nsd.h"

/* The exit code: 0, 100 for what is no QMQP, 111 for more than is taken. */
__attribute__((warn_unused_result))
int qmqpd_session(struct io *, const struct nsd_config *);

#endif
