/* smtpd/qmtpd.h - one QMTP session: package after package from anybody.
 *
 *	C: 12:\nSubject: x\n,7:ana@a.b,20:7:joe@c.d,7:eve@c.d,,
 *	S: 23:Kok 1795408500 qp 4711,36:Dthere is nobody of that name (#5.1.1),
 *
 * A package is a message, a sender, and a netstring around the recipients;
 * for each recipient there is one answer, in their order, after the last byte
 * of the package.
 *
 * The first byte of the message says how its lines end.  After LF they end
 * with LF and are kept as they are.  After CR they end with CR LF, which is
 * kept as LF; other CRs belong to their line; an LF alone could be taken for a
 * line end that the sender did not write, so such a message is refused.
 *
 * Recipients are not kept: the queue takes each as it comes, and a byte
 * remembers what the answer will be. */
#ifndef SMTPD_QMTPD_H
#define SMTPD_QMTPD_H

#include "smtpd/nsd.h"

#define QMTPD_RCPTS 65536       /* of one package, count; more are to be sent
                                 * again: Z */

/* The exit code: 0, 100 for what is no QMTP, 111 for more than is taken. */
__attribute__((warn_unused_result))
int qmtpd_session(struct io *, const struct nsd_config *);

/* Lines of the second kind, in pieces of any size; pure. */
struct qmtpd_lines {
	bool cr;                        /* a CR waits for what follows it */
	bool bare_lf;                   /* there was one: nothing more comes */
};
/* Appends what the n bytes mean; n is 0 at the end. */
void qmtpd_lines_feed(struct qmtpd_lines *, const char *s, size_t n,
    struct str *out);

#endif
