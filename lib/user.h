/* lib/user.h - accounts, with failures told apart from absence.
 *
 * A directory service that fails must never read as "no such user": that
 * would bounce mail. */
#ifndef LIB_USER_H
#define LIB_USER_H

#include "lib/str.h"

#include <sys/types.h>

enum user_status {
	USER_OK,
	USER_NONE,              /* certainly no such account */
	USER_TEMP,              /* could not be asked; errno */
};

struct user {
	struct str name, home, gecos, shell;
	uid_t uid;
	gid_t gid;
};

__attribute__((warn_unused_result))
enum user_status user_find(const char *name, struct user *out);
__attribute__((warn_unused_result))
enum user_status user_find_uid(uid_t, struct user *out);
__attribute__((warn_unused_result))
enum user_status user_find_group(const char *name, gid_t *out);
void user_free(struct user *);

/* For a program's start: dies 111 with the name and the reason. */
void user_need(const char *name, uid_t *uid_out, gid_t *gid_out);
uid_t user_need_uid(const char *name);
gid_t user_need_group(const char *name);
/* The same for a static program, which has no name service: /etc/passwd. */
void user_need_file(const char *name, uid_t *uid_out, gid_t *gid_out);

#endif
