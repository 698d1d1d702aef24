/* smtpd/sender.h - may this login send as this address?
 *
 * Always: as itself.  A login with "@" is an address, and stands for its
 * extensions too (ana@x: ana-list@x); one without stands for login@ and
 * login-ext@ at every local domain.  Further by control/senderlogins, a line
 * each:
 *
 *	ana:info@example.org            ana may send as this address
 *	ana:@example.net                as any address there
 *	daemon:*                        as anybody
 *	*:shared@example.org            everybody as this address
 *
 * Case does not matter.  Everybody may send with the null sender. */
#ifndef SMTPD_SENDER_H
#define SMTPD_SENDER_H

#include "lib/str.h"

/* locals and lines: records ended by NUL. */
bool sender_allowed(const struct str *lines, const struct str *locals,
    const struct str *login, const struct str *addr);

#endif
