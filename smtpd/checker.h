/* smtpd/checker.h - a process apart that runs the checkpassword program.
 *
 * The session gives up the right to execute programs and to read files; a
 * checkpassword program may need both, and to be setuid.  So, where passwords
 * are checked, a child is made before the session's first byte that does
 * nothing else: it reads a question, runs the program, answers a letter.  It
 * trusts the session no further than that; after a few wrong passwords it
 * ends. */
#ifndef SMTPD_CHECKER_H
#define SMTPD_CHECKER_H

#include "mail/checkpw.h"

struct checker { int fd; };

/* 0, or -1 with errno. */
__attribute__((warn_unused_result))
int checker_start(struct checker *out, const char *const *argv,
    unsigned tries);
/* ip: the client's address, for the program's TCPREMOTEIP. */
__attribute__((warn_unused_result))
enum checkpw_status checker_ask(struct checker *, const char *ip,
    const char *user, size_t nuser, const char *pass, size_t npass);

#endif
