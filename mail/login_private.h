/* mail/login_private.h - between the parts of mail/login.h. */
#ifndef MAIL_LOGIN_PRIVATE_H
#define MAIL_LOGIN_PRIVATE_H

#include "mail/login.h"

/* In a talker: gives up everything but the connection and the pipe, which
 * becomes l->pipe.  Does not return on failure. */
void login_confine(struct login *, int pipe, pid_t monitor);

enum login_ran {
	LOGIN_HAD_IT,                   /* the connection was the user's */
	LOGIN_SAYS_WRONG,
	LOGIN_SAYS_NOTHING,             /* it cannot be known now: logged */
};
/* Runs cfg->argv with the three fields (closed here) on descriptor 3, to its
 * end.  0 and 1 are closed once the connection is the user's. */
enum login_ran login_run(const struct login_config *, const char *tag,
    int fields);

#endif
