/* vpop/authd_work.h - answering one question to authdaemond.
 *
 * A worker process has one of these, with the store connection; everything
 * that may block is here.  Who asks is a local user, whom the kernel names;
 * what is asked is a stranger's.  Answers never say more than the asker may
 * know: hashes go to root, vpopmail and the domain's own user. */
#ifndef VPOP_AUTHD_WORK_H
#define VPOP_AUTHD_WORK_H

#include "mail/authproto.h"
#include "vpop/domain.h"
#include "vpop/settings.h"

/* A login service that begins with this is vchkpw's: the answer has FLAGS=,
 * and DENIED=pop, smtp, webmail or imap instead of a refusal. */
#define AUTHD_OURS "vchkpw-"

/* What it works with; tests put their own in. */
struct authd_world {
	const char *vpopmail_dir;
	uid_t uid_vpopmail;
	struct vstore *(*open)(const char *kind, const char *vpopmail_dir);
	enum vdomain_status (*find)(const char *name, struct vdomain *out);
	enum vdomain_status (*each)(vdomain_fn *, void *arg, int *ended_out);
	int64_t (*now)(void);           /* seconds since 1970 */
	int system;                     /* authd_sys.h, or -1 */
	const struct vsettings *set;    /* NULL: they are read; else taken */
};

struct authd_work {
	const struct authd_world *world;
	struct vsettings set;
	struct vstore *store;
	struct str like;        /* a hash as accounts here have them */
	int64_t warned;         /* when lastauth could not be written */
};

struct authd_result {
	enum auth_status status;
	bool guess;             /* a wrong password, or nobody's */
	bool keep;              /* may be given again for a while */
	bool whole;             /* depends on all of the domain */
	bool changed;           /* the user's record was changed */
	struct str typed, real, user;   /* domain as asked, as it is; user;
	                                 * "": not known */
	struct str answer;      /* AUTH_OK and AUTH_FAIL: the bytes to send */
};
void authd_result_free(struct authd_result *);          /* wiped */

/* -1: the settings cannot be read; there is a line in the log. */
__attribute__((warn_unused_result))
int authd_work_init(struct authd_work *, const struct authd_world *);
void authd_work_free(struct authd_work *);
/* Everything but ENUMERATE.  *out is replaced. */
void authd_work_answer(struct authd_work *, const struct auth_request *,
    uid_t asker, struct authd_result *out);
/* Writes the answer to ENUMERATE to fd: 0, or -1 when it is not whole. */
__attribute__((warn_unused_result))
int authd_work_enumerate(struct authd_work *, int fd);

/* In authd_resolve.c: the answer to RESOLVE. */
void authd_work_resolve(struct authd_work *, const struct auth_request *,
    struct authd_result *out);

/* Shared by the two files.  The user asked about and his domain (FAIL: none of
 * ours, or no name; RESOLVE: he may be called as no account is), an account,
 * the flags that count.  AUTH_TEMP has been logged. */
__attribute__((warn_unused_result))
enum auth_status authd_locate(struct authd_work *, const struct auth_request *,
    struct str *user_out, struct vdomain *d_out, struct authd_result *);
__attribute__((warn_unused_result))
enum auth_status authd_account(struct authd_work *, const struct vdomain *,
    const char *user, struct vuser *out);
__attribute__((warn_unused_result))
enum auth_status authd_flags(struct authd_work *, const struct vdomain *,
    const struct vuser *, uint32_t *out);

#endif
