/* vpop/opensmtp.h - POP before SMTP: addresses that may relay for a while
 * because somebody logged in from there.
 *
 * Kept in VPOPMAIL/etc/open-smtp, under open-smtp.lock, a line each,
 *	IP:allow,RELAYCLIENT="",RBLSMTPD=""<TAB>seconds since 1970
 * or in the table relay.  With etc/tcp.smtp they become etc/tcp.smtp.cdb, the
 * rules of tcpserver.  Nothing of this system adds to them. */
#ifndef VPOP_OPENSMTP_H
#define VPOP_OPENSMTP_H

#include "vpop/command.h"

struct opensmtp {
	uint64_t before;        /* what is older goes */
	struct str kept;        /* the lines of open-smtp that stay */
	struct str rules;       /* for tcprules */
};

/* Forgets what is older than age seconds and compiles the rules, if there are
 * any.  0, or -1 with the reason in why: then the rules are as before. */
__attribute__((warn_unused_result))
int opensmtp_clear(struct opensmtp *, struct vcommand *, uint64_t age,
    struct str *why);

#endif
