/* vpop/store_mysql_tools.h - what only administrators' tools ask of the
 * database: tables that the interface of stores (store.h) has no word for.
 *
 * All of them answer VSTORE_NONE for another store, and where there is no such
 * table; VSTORE_TEMP has its reason in the store. */
#ifndef VPOP_STORE_MYSQL_TOOLS_H
#define VPOP_STORE_MYSQL_TOOLS_H

#include "vpop/store.h"

/* OK: aliases are in a table.  NONE: they are .qmail files. */
VSTORE_CHECK enum vstore_status vmysql_has_aliases(struct vstore *);

/* Each row: two texts, or a text and a number.  Anything but 0 ends. */
typedef int vmysql_pair_fn(void *arg, const char *a, const char *b);
typedef int vmysql_number_fn(void *arg, const char *a, uint64_t n);

/* Table aliasdomains: alias and real domain. */
VSTORE_CHECK enum vstore_status vmysql_aliasdomains_each(struct vstore *,
    vmysql_pair_fn *, void *arg);
/* real NULL: the row goes. */
VSTORE_CHECK enum vstore_status vmysql_aliasdomain_set(struct vstore *,
    const char *alias, const char *real);

/* Table relay: addresses that may relay since a time. */
VSTORE_CHECK enum vstore_status vmysql_relay_each(struct vstore *,
    vmysql_number_fn *, void *arg);
/* Rows from before that time go. */
VSTORE_CHECK enum vstore_status vmysql_relay_expire(struct vstore *,
    uint64_t before);

/* Table lastauth: users of that domain who have a row and no account; of
 * DOMAIN and USER the row goes. */
VSTORE_CHECK enum vstore_status vmysql_lastauth_strays(struct vstore *,
    const struct vdomain_ref *, vmysql_pair_fn *, void *arg);
VSTORE_CHECK enum vstore_status vmysql_lastauth_del(struct vstore *,
    const char *domain, const char *user);

/* Domains that have accounts in the one table of all domains, and how many. */
VSTORE_CHECK enum vstore_status vmysql_domains_each(struct vstore *,
    vmysql_number_fn *, void *arg);

#endif
