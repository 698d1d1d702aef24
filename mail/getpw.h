/* mail/getpw.h - the account of a local part, from the system's accounts.
 *
 * "jo-list" is account jo-list, or jo with extension list, or, when neither
 * has a home of its own, alias with extension jo-list.  uid 0 is no account
 * here.  Whatever keeps the truth from being known is a code of its own, never
 * "no such user": that would bounce mail. */
#ifndef MAIL_GETPW_H
#define MAIL_GETPW_H

#include "mail/users.h"

#define GETPW_BREAK '-'

/* 0 and *out, or VERDICT_HOMEFS, VERDICT_NOALIAS, VERDICT_SYSTEM (errno). */
__attribute__((warn_unused_result))
int getpw_find(const char *local, struct users_entry *out);
/* Answers packets of mail/localproto.h on sock until its end; exit code. */
int getpw_serve(int sock);

#endif
