/* smtpd/ours.h - what MAIL and RCPT share: is that address ours? */
#ifndef SMTPD_OURS_H
#define SMTPD_OURS_H

#include "smtpd/path.h"
#include "smtpd/session.h"

/* The reply, or NULL for PATH_OK. */
const char *ours_path_refusal(enum path_status);
/* user@[our address] becomes user@localiphost. */
void ours_localiphost(const struct smtpd *, struct path *);
/* The domain is in control/locals. */
bool ours_is_local(const struct smtpd *, const struct str *addr);

#endif
