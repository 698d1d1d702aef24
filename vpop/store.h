/* vpop/store.h - where accounts are kept: one interface, two stores.
 *
 * "cdb" needs no server: vpasswd and vpasswd.cdb in the domain's directory
 * (store_cdb.c).  "mysql" is MariaDB with vpopmail's tables (store_mysql.c).
 * Which one is the setting "store" (settings.h); vstore_open chooses.  A
 * program that never changes accounts needs none of this: it asks authdaemond
 * (mail/authproto.h).
 *
 * Domains are real domains, lower case; dir is the domain's directory as
 * users/assign has it (domain.h).  VSTORE_TEMP is never an answer about an
 * account; vstore_reason then says what went wrong.  Callbacks return 0 to go
 * on, anything else ends the walk with that value. */
#ifndef VPOP_STORE_H
#define VPOP_STORE_H

#include "vpop/vpop.h"

#include <stdint.h>
#include <sys/types.h>

enum vstore_status {
	VSTORE_OK,
	VSTORE_NONE,            /* certainly not there */
	VSTORE_EXISTS,
	VSTORE_WIDE,            /* a value does not fit the store: reason */
	VSTORE_TEMP,            /* could not be asked or done: reason */
};

struct vuser {
	struct str name;
	struct str hash;        /* crypt(3) string; empty: no password */
	unsigned apop;          /* 0 pop, 1 apop: pw_uid, whatever the file has */
	uint32_t flags;         /* VPOP_NO_...: pw_gid */
	struct str gecos, dir, quota, clear;    /* dir "": to be made */
};
void vuser_free(struct vuser *);

struct vdomain_ref { const char *name, *dir; uid_t uid; gid_t gid; };

struct vlimits {                /* of a domain; -1 or 0: no limit */
	int64_t maxpopaccounts, maxaliases, maxforwards, maxautoresponders,
	    maxmailinglists;    /* -1: unlimited */
	uint64_t diskquota_mb, maxmsgcount, defaultquota, defaultmaxmsgcount;
	uint32_t disable;       /* the VPOP_NO_... and DELETE_SPAM bits */
	unsigned perm_account, perm_alias, perm_forward, perm_autoresponder,
	    perm_maillist, perm_maillist_users, perm_maillist_moderators,
	    perm_quota, perm_defaultquota;      /* 1 create 2 modify 4 delete:
	                         * denied to administrators but postmaster */
};

struct vdirctl {                /* counters of a directory that is split */
	uint64_t users;
	int level_cur, level_max, start[3], end[3], mod[3], index[3];
	struct str dir;
};

enum vstore_width { VSTORE_W_NAME, VSTORE_W_HASH, VSTORE_W_GECOS,
	VSTORE_W_DIR, VSTORE_W_QUOTA, VSTORE_W_CLEAR };

struct vstore;

/* Never fails visibly: what is wrong comes out of the first call. */
struct vstore *vstore_open(const char *kind, const char *vpopmail_dir);
void vstore_close(struct vstore *);
const char *vstore_reason_peek(const struct vstore *);
/* How many bytes the store keeps of it; 0: it has no place for it. */
size_t vstore_width(struct vstore *, enum vstore_width);

#define VSTORE_CHECK __attribute__((warn_unused_result))
typedef int vstore_user_fn(void *arg, const struct vuser *);
typedef int vstore_alias_fn(void *arg, const char *alias, const char *line);
typedef int vstore_ip_fn(void *arg, const char *ip, const char *domain);

/* EXISTS: the store already knows the domain; nothing was changed. */
VSTORE_CHECK enum vstore_status vstore_domain_add(struct vstore *,
    const struct vdomain_ref *);
/* Users, aliases, limits, lastauth.  OK also when nothing is left of it, as
 * when its directory has been moved away, which keeps the files of the cdb
 * store as they were. */
VSTORE_CHECK enum vstore_status vstore_domain_del(struct vstore *,
    const struct vdomain_ref *);

VSTORE_CHECK enum vstore_status vstore_user_get(struct vstore *,
    const struct vdomain_ref *, const char *user, struct vuser *out);
VSTORE_CHECK enum vstore_status vstore_user_add(struct vstore *,
    const struct vdomain_ref *, const struct vuser *);
/* As add, for an account that is in another store: it keeps a name that
 * would not be given to a new one. */
VSTORE_CHECK enum vstore_status vstore_user_load(struct vstore *,
    const struct vdomain_ref *, const struct vuser *);
VSTORE_CHECK enum vstore_status vstore_user_set(struct vstore *,
    const struct vdomain_ref *, const struct vuser *);
VSTORE_CHECK enum vstore_status vstore_user_del(struct vstore *,
    const struct vdomain_ref *, const char *user);
/* By name.  *ended_out: what the callback returned.  When a record cannot be
 * understood the others are given and then VSTORE_TEMP comes. */
VSTORE_CHECK enum vstore_status vstore_user_each(struct vstore *,
    const struct vdomain_ref *, vstore_user_fn *, void *arg, int *ended_out);
VSTORE_CHECK enum vstore_status vstore_user_count(struct vstore *,
    const struct vdomain_ref *, uint64_t *out);
/* Between these two, changes of one domain may be kept back and written at
 * once: for loading many users. */
VSTORE_CHECK enum vstore_status vstore_bulk_begin(struct vstore *,
    const struct vdomain_ref *);
VSTORE_CHECK enum vstore_status vstore_bulk_end(struct vstore *);

/* Makes anew what is derived of what an administrator may edit by hand
 * (vpasswd.cdb of vpasswd); nothing to do in other stores.  EXISTS: it was as
 * it should be and nothing was written. */
VSTORE_CHECK enum vstore_status vstore_domain_index(struct vstore *,
    const struct vdomain_ref *);

/* alias NULL: all, by name.  In the cdb store they are .qmail files. */
VSTORE_CHECK enum vstore_status vstore_alias_each(struct vstore *,
    const struct vdomain_ref *, const char *alias, vstore_alias_fn *,
    void *arg, int *ended_out);
/* Whether the mailbox of the same name, when there is one, gets the message
 * too, as a table made by vpopmail 5.6 can say. */
VSTORE_CHECK enum vstore_status vstore_alias_keeps(struct vstore *,
    const struct vdomain_ref *, const char *alias, bool *out);
VSTORE_CHECK enum vstore_status vstore_alias_add(struct vstore *,
    const struct vdomain_ref *, const char *alias, const char *line);
VSTORE_CHECK enum vstore_status vstore_alias_del(struct vstore *,
    const struct vdomain_ref *, const char *alias, const char *line);
                                        /* line NULL: all of them */

/* Seconds since 1970; NONE: never, not even made. */
VSTORE_CHECK enum vstore_status vstore_lastauth_get(struct vstore *,
    const struct vdomain_ref *, const struct vuser *, int64_t *when_out,
    struct str *ip_out);
VSTORE_CHECK enum vstore_status vstore_lastauth_set(struct vstore *,
    const struct vdomain_ref *, const struct vuser *, int64_t when,
    const char *ip);

/* domain NULL: the default.  get answers the default when a domain has none
 * of its own (VSTORE_NONE then, and *out filled). */
VSTORE_CHECK enum vstore_status vstore_limits_get(struct vstore *,
    const struct vdomain_ref *, struct vlimits *out);
VSTORE_CHECK enum vstore_status vstore_limits_set(struct vstore *,
    const struct vdomain_ref *, const struct vlimits *);
VSTORE_CHECK enum vstore_status vstore_limits_del(struct vstore *,
    const struct vdomain_ref *);

/* key: a domain, or "dom_UID" with the directory that holds domains. */
VSTORE_CHECK enum vstore_status vstore_dirctl_get(struct vstore *,
    const char *key, const char *dir, struct vdirctl *out);
VSTORE_CHECK enum vstore_status vstore_dirctl_set(struct vstore *,
    const char *key, const char *dir, const struct vdirctl *);
VSTORE_CHECK enum vstore_status vstore_dirctl_del(struct vstore *,
    const char *key, const char *dir);

VSTORE_CHECK enum vstore_status vstore_ipmap_get(struct vstore *,
    const char *ip, struct str *domain_out);
VSTORE_CHECK enum vstore_status vstore_ipmap_set(struct vstore *,
    const char *ip, const char *domain);        /* domain NULL: delete */
VSTORE_CHECK enum vstore_status vstore_ipmap_each(struct vstore *,
    vstore_ip_fn *, void *arg, int *ended_out);

#endif
