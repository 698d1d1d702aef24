/* vpop/store_ops.h - what a store is made of: the table behind store.h.
 *
 * Only store.c and the stores include this.  store.c has looked at its
 * arguments before it calls an operation: names are lower case and allowed,
 * texts hold no NUL and no line end, values fit what width() says, and
 * outputs are empty (struct str with nothing in it, *ended_out 0).  So a
 * store checks again only what is its own.
 *
 * An operation that answers VSTORE_TEMP or VSTORE_WIDE has left its reason
 * with vstore_fail.  bulk_begin and bulk_end may be NULL: nothing is kept
 * back then. */
#ifndef VPOP_STORE_OPS_H
#define VPOP_STORE_OPS_H

#include "vpop/store.h"

struct vstore_ops {
	const char *kind;               /* "cdb", "mysql" */
	void (*close)(struct vstore *);         /* frees own; never asked twice */
	size_t (*width)(struct vstore *, enum vstore_width);
	enum vstore_status (*domain_add)(struct vstore *,
	    const struct vdomain_ref *);
	enum vstore_status (*domain_del)(struct vstore *,
	    const struct vdomain_ref *);
	enum vstore_status (*user_get)(struct vstore *,
	    const struct vdomain_ref *, const char *user, struct vuser *out);
	enum vstore_status (*user_add)(struct vstore *,
	    const struct vdomain_ref *, const struct vuser *);
	enum vstore_status (*user_set)(struct vstore *,
	    const struct vdomain_ref *, const struct vuser *);
	enum vstore_status (*user_del)(struct vstore *,
	    const struct vdomain_ref *, const char *user);
	enum vstore_status (*user_each)(struct vstore *,
	    const struct vdomain_ref *, vstore_user_fn *, void *arg,
	    int *ended_out);
	enum vstore_status (*user_count)(struct vstore *,
	    const struct vdomain_ref *, uint64_t *out);
	enum vstore_status (*bulk_begin)(struct vstore *,
	    const struct vdomain_ref *);
	enum vstore_status (*bulk_end)(struct vstore *);
	enum vstore_status (*domain_index)(struct vstore *,
	    const struct vdomain_ref *);        /* NULL: nothing to do */
	enum vstore_status (*alias_each)(struct vstore *,
	    const struct vdomain_ref *, const char *alias, vstore_alias_fn *,
	    void *arg, int *ended_out);
	enum vstore_status (*alias_keeps)(struct vstore *,
	    const struct vdomain_ref *, const char *alias,
	    bool *out);                 /* NULL: never */
	enum vstore_status (*alias_add)(struct vstore *,
	    const struct vdomain_ref *, const char *alias, const char *line);
	enum vstore_status (*alias_del)(struct vstore *,
	    const struct vdomain_ref *, const char *alias, const char *line);
	enum vstore_status (*lastauth_get)(struct vstore *,
	    const struct vdomain_ref *, const struct vuser *,
	    int64_t *when_out, struct str *ip_out);
	enum vstore_status (*lastauth_set)(struct vstore *,
	    const struct vdomain_ref *, const struct vuser *, int64_t when,
	    const char *ip);
	/* domain is never NULL here: the default is a file in every store
	 * (store.c, limits.h), and store.c fills *out with it on NONE. */
	enum vstore_status (*limits_get)(struct vstore *,
	    const struct vdomain_ref *, struct vlimits *out);
	enum vstore_status (*limits_set)(struct vstore *,
	    const struct vdomain_ref *, const struct vlimits *);
	enum vstore_status (*limits_del)(struct vstore *,
	    const struct vdomain_ref *);
	enum vstore_status (*dirctl_get)(struct vstore *, const char *key,
	    const char *dir, struct vdirctl *out);
	enum vstore_status (*dirctl_set)(struct vstore *, const char *key,
	    const char *dir, const struct vdirctl *);
	enum vstore_status (*dirctl_del)(struct vstore *, const char *key,
	    const char *dir);
	enum vstore_status (*ipmap_get)(struct vstore *, const char *ip,
	    struct str *domain_out);
	enum vstore_status (*ipmap_set)(struct vstore *, const char *ip,
	    const char *domain);
	enum vstore_status (*ipmap_each)(struct vstore *, vstore_ip_fn *,
	    void *arg, int *ended_out);
};

struct vstore {
	const struct vstore_ops *ops;
	struct str vpopmail_dir;        /* without a slash at its end */
	struct str reason;
	int lock_ms;                    /* how long to wait for a locked file */
	void *own;                      /* the store's; freed by ops->close */
};

/* Keeps the reason, replacing an earlier one, and gives st back:
 *	return vstore_fail(s, VSTORE_TEMP, "unable to read %s: %s", ...); */
enum vstore_status vstore_fail(struct vstore *, enum vstore_status st,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Each sets ops and own, and opens nothing yet.  A program links either
 * store_mysql.c (with the connector) or store_nomysql.c, which answers
 * everything with VSTORE_TEMP. */
void vstore_cdb_init(struct vstore *);
void vstore_mysql_init(struct vstore *);

/* The file forms, for a store that has no table of its own for them:
 * store_files.c.  They use vpopmail_dir and reason of the store only. */
enum vstore_status vfiles_alias_each(struct vstore *,
    const struct vdomain_ref *, const char *alias, vstore_alias_fn *,
    void *arg, int *ended_out);
enum vstore_status vfiles_alias_add(struct vstore *,
    const struct vdomain_ref *, const char *alias, const char *line);
enum vstore_status vfiles_alias_del(struct vstore *,
    const struct vdomain_ref *, const char *alias, const char *line);
/* Aliases and limits of a domain that goes. */
enum vstore_status vfiles_domain_del(struct vstore *,
    const struct vdomain_ref *);
enum vstore_status vfiles_lastauth_get(struct vstore *,
    const struct vdomain_ref *, const struct vuser *, int64_t *when_out,
    struct str *ip_out);
enum vstore_status vfiles_lastauth_set(struct vstore *,
    const struct vdomain_ref *, const struct vuser *, int64_t when,
    const char *ip);
enum vstore_status vfiles_limits_get(struct vstore *,
    const struct vdomain_ref *, struct vlimits *out);
enum vstore_status vfiles_limits_set(struct vstore *,
    const struct vdomain_ref *, const struct vlimits *);
enum vstore_status vfiles_limits_del(struct vstore *,
    const struct vdomain_ref *);
enum vstore_status vfiles_dirctl_get(struct vstore *, const char *key,
    const char *dir, struct vdirctl *out);
enum vstore_status vfiles_dirctl_set(struct vstore *, const char *key,
    const char *dir, const struct vdirctl *);
enum vstore_status vfiles_dirctl_del(struct vstore *, const char *key,
    const char *dir);
enum vstore_status vfiles_ipmap_get(struct vstore *, const char *ip,
    struct str *domain_out);
enum vstore_status vfiles_ipmap_set(struct vstore *, const char *ip,
    const char *domain);
enum vstore_status vfiles_ipmap_each(struct vstore *, vstore_ip_fn *,
    void *arg, int *ended_out);

#endif
