/* vpop/authd_sys.h - system users for authdaemond: the one process of it that
 * stays root, because only root may read /etc/shadow.
 *
 * It is there only when the setting systemusers is 1.  A question is a packet
 * "user NUL password" (without the NUL: who is that?) with a socket for its
 * answer: K and "uid NUL gid NUL home NUL gecos", D for no, Z for not known
 * now.  It trusts its askers no further than their form: they are authdaemond's
 * workers, and who owns one of those learns what he guesses right, one guess
 * at a time, and never a hash.  root itself is nobody here. */
#ifndef VPOP_AUTHD_SYS_H
#define VPOP_AUTHD_SYS_H

#include "lib/str.h"
#include "lib/user.h"
#include "mail/authproto.h"

#define AUTHD_SYS_MAX 2048      /* bytes of a question */
#define AUTHD_SYS_WAIT_MS 20000

/* The hash and whether the account has ended: USER_NONE without a record. */
typedef enum user_status authd_sys_hash(const char *name,
    struct str *hash_out, bool *ended_out);
enum user_status authd_sys_shadow(const char *name, struct str *hash_out,
    bool *ended_out);

/* Starts it: the descriptor to ask on, or -1 with errno.  It ends when all
 * copies of that are closed. */
__attribute__((warn_unused_result))
int authd_sys_start(authd_sys_hash *);
/* password NULL: only who that is.  OK: *out is filled. */
__attribute__((warn_unused_result))
enum auth_status authd_sys_ask(int fd, const char *user, const char *password,
    struct user *out);

#endif
