/* vpop/store_mysql.h - what the files of the "mysql" store share: store_mysql.c
 * (accounts) and store_mysql_more.c (all the rest). */
#ifndef VPOP_STORE_MYSQL_H
#define VPOP_STORE_MYSQL_H

#include "vpop/schema.h"
#include "vpop/store_ops.h"

struct vmysql {
	struct my *my;                  /* NULL: the file was not read yet */
	struct schema schema;
	bool is_loaded;                 /* the schema */
	int64_t loaded;                 /* ms */
};

/* Servers read and schema known.  VSTORE_OK, or VSTORE_TEMP with a reason. */
VSTORE_CHECK enum vstore_status vmysql_ready(struct vstore *,
    struct vmysql **out);
/* Moves the reason of the last statement to the store, unless st is OK; a
 * table or column that has gone makes the schema be read again. */
VSTORE_CHECK enum vstore_status vmysql_done(struct vstore *,
    enum vstore_status st);
/* my_run with vmysql_done. */
VSTORE_CHECK enum vstore_status vmysql_run(struct vstore *, enum my_role,
    const struct my_query *, my_row_fn *, void *arg, struct my_done *out);
/* Whether the table is there and whole: VSTORE_OK, VSTORE_NONE: what it would
 * hold is in files, VSTORE_TEMP. */
VSTORE_CHECK enum vstore_status vmysql_table(struct vstore *,
    enum schema_table, struct vmysql **out);
/* An UPDATE, and where that found nothing, the INSERT. */
VSTORE_CHECK enum vstore_status vmysql_put(struct vstore *, enum my_role,
    const struct my_query *update, const struct my_query *insert);
/* DELETE FROM table WHERE a = ? [AND b = ?]; b_value NULL: without it. */
VSTORE_CHECK enum vstore_status vmysql_delete(struct vstore *,
    enum schema_table, enum schema_column a, const char *a_value,
    enum schema_column b, const char *b_value, struct my_done *out);

/* store_mysql_more.c and store_mysql_limits.c: see struct vstore_ops. */
enum vstore_status vmysql_alias_each(struct vstore *,
    const struct vdomain_ref *, const char *alias, vstore_alias_fn *,
    void *arg, int *ended_out);
enum vstore_status vmysql_alias_keeps(struct vstore *,
    const struct vdomain_ref *, const char *alias, bool *out);
enum vstore_status vmysql_alias_add(struct vstore *,
    const struct vdomain_ref *, const char *alias, const char *line);
enum vstore_status vmysql_alias_del(struct vstore *,
    const struct vdomain_ref *, const char *alias, const char *line);
enum vstore_status vmysql_lastauth_get(struct vstore *,
    const struct vdomain_ref *, const struct vuser *, int64_t *when_out,
    struct str *ip_out);
enum vstore_status vmysql_lastauth_set(struct vstore *,
    const struct vdomain_ref *, const struct vuser *, int64_t when,
    const char *ip);
enum vstore_status vmysql_limits_get(struct vstore *,
    const struct vdomain_ref *, struct vlimits *out);
enum vstore_status vmysql_limits_set(struct vstore *,
    const struct vdomain_ref *, const struct vlimits *);
enum vstore_status vmysql_limits_del(struct vstore *,
    const struct vdomain_ref *);
enum vstore_status vmysql_dirctl_get(struct vstore *, const char *key,
    const char *dir, struct vdirctl *out);
enum vstore_status vmysql_dirctl_set(struct vstore *, const char *key,
    const char *dir, const struct vdirctl *);
enum vstore_status vmysql_dirctl_del(struct vstore *, const char *key,
    const char *dir);
enum vstore_status vmysql_ipmap_get(struct vstore *, const char *ip,
    struct str *domain_out);
enum vstore_status vmysql_ipmap_set(struct vstore *, const char *ip,
    const char *domain);
enum vstore_status vmysql_ipmap_each(struct vstore *, vstore_ip_fn *,
    void *arg, int *ended_out);

#endif
