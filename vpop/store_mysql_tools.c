/* vpop/store_mysql_tools.c - what administrators' tools ask of MariaDB; see
 * store_mysql_tools.h.  Texts that come back are whatever the table has. */
#include "vpop/store_mysql_tools.h"

#include "vpop/store_mysql.h"

#include <string.h>

static enum vstore_status
table(struct vstore *s, enum schema_table t, struct vmysql **v)
{
	if (s->ops == NULL || strcmp(s->ops->kind, "mysql") != 0)
		return VSTORE_NONE;
	return vmysql_table(s, t, v);
}

enum vstore_status
vmysql_has_aliases(struct vstore *s)
{
	struct vmysql *v;

	return table(s, SCHEMA_VALIAS, &v);
}

struct walk {
	vmysql_pair_fn *pair;
	vmysql_number_fn *number;
	void *arg;
};

static int
one_row(void *arg, const struct my_row *row)
{
	const struct walk *w = arg;

	if (w->pair != NULL)
		return w->pair(w->arg, str_c(&row->col[0]),
		    str_c(&row->col[1]));
	return w->number(w->arg, str_c(&row->col[0]), my_u(row, 1));
}

static enum vstore_status
walk(struct vstore *s, struct vmysql *v, struct my_query *q, struct walk *w)
{
	int ended = 0;
	enum vstore_status st = vmysql_done(s, my_walk(v->my, MY_UPDATE, q,
	    one_row, w, &ended));

	my_query_free(q);
	return st;
}

enum vstore_status
vmysql_aliasdomains_each(struct vstore *s, vmysql_pair_fn *fn, void *arg)
{
	struct walk w = {.pair = fn, .arg = arg};
	struct my_query q = {0};
	struct vmysql *v;
	enum vstore_status st = table(s, SCHEMA_ALIASDOMAINS, &v);

	if (st != VSTORE_OK)
		return st;
	str_cats(&q.sql, "SELECT alias, domain FROM aliasdomains "
	    "ORDER BY alias");
	return walk(s, v, &q, &w);
}

enum vstore_status
vmysql_aliasdomain_set(struct vstore *s, const char *alias, const char *real)
{
	struct my_query update = {0}, insert = {0};
	struct vmysql *v;
	enum vstore_status st = table(s, SCHEMA_ALIASDOMAINS, &v);

	if (st != VSTORE_OK)
		return st;
	if (real == NULL)
		return vmysql_delete(s, SCHEMA_ALIASDOMAINS,
		    SCHEMA_AD_ALIAS, alias, SCHEMA_AD_ALIAS, NULL, NULL);
	str_cats(&update.sql, "UPDATE aliasdomains SET domain = ? "
	    "WHERE alias = ?");
	my_bind(&update, real);
	my_bind(&update, alias);
	str_cats(&insert.sql, "INSERT INTO aliasdomains (domain, alias) "
	    "VALUES (?, ?)");
	my_bind(&insert, real);
	my_bind(&insert, alias);
	st = vmysql_put(s, MY_UPDATE, &update, &insert);
	my_query_free(&update);
	my_query_free(&insert);
	return st;
}

enum vstore_status
vmysql_relay_each(struct vstore *s, vmysql_number_fn *fn, void *arg)
{
	struct walk w = {.number = fn, .arg = arg};
	struct my_query q = {0};
	struct vmysql *v;
	enum vstore_status st = table(s, SCHEMA_RELAY, &v);

	if (st != VSTORE_OK)
		return st;
	str_cats(&q.sql, "SELECT ip_addr, `timestamp` FROM relay "
	    "ORDER BY ip_addr");
	return walk(s, v, &q, &w);
}

/* The column is a text; what is no number is from before all times. */
enum vstore_status
vmysql_relay_expire(struct vstore *s, uint64_t before)
{
	struct my_query q = {0};
	struct vmysql *v;
	enum vstore_status st = table(s, SCHEMA_RELAY, &v);

	if (st != VSTORE_OK)
		return st;
	str_cats(&q.sql, "DELETE FROM relay WHERE `timestamp` IS NULL OR "
	    "`timestamp` NOT REGEXP '^[0-9]+ *$' OR "
	    "CAST(`timestamp` AS UNSIGNED) < ?");
	my_bind_u(&q, before);
	st = vmysql_run(s, MY_UPDATE, &q, NULL, NULL, NULL);
	my_query_free(&q);
	return st;
}

enum vstore_status
vmysql_lastauth_strays(struct vstore *s, const struct vdomain_ref *d,
    vmysql_pair_fn *fn, void *arg)
{
	struct walk w = {.pair = fn, .arg = arg};
	struct my_query q = {0};
	struct str users = {0};
	struct vmysql *v;
	enum vstore_status st = table(s, SCHEMA_LASTAUTH, &v);

	if (st != VSTORE_OK)
		return st;
	if (schema_users_table(&v->schema, d->name, &users) < 0)
		return VSTORE_NONE;
	str_catf(&q.sql, "SELECT l.`user`, l.domain FROM lastauth l "
	    "WHERE l.domain = ? AND NOT EXISTS (SELECT 1 FROM %s u "
	    "WHERE u.pw_name = l.`user`%s) ORDER BY l.`user`",
	    str_c(&users), v->schema.layout == SCHEMA_MANY ?
	    " AND u.pw_domain = l.domain" : "");
	my_bind(&q, d->name);
	str_free(&users);
	return walk(s, v, &q, &w);
}

enum vstore_status
vmysql_lastauth_del(struct vstore *s, const char *domain, const char *user)
{
	struct vmysql *v;
	enum vstore_status st = table(s, SCHEMA_LASTAUTH, &v);

	return st != VSTORE_OK ? st : vmysql_delete(s, SCHEMA_LASTAUTH,
	    SCHEMA_LA_DOMAIN, domain, SCHEMA_LA_USER, user, NULL);
}

enum vstore_status
vmysql_domains_each(struct vstore *s, vmysql_number_fn *fn, void *arg)
{
	struct walk w = {.number = fn, .arg = arg};
	struct my_query q = {0};
	struct vmysql *v;
	enum vstore_status st = table(s, SCHEMA_USERS, &v);

	if (st != VSTORE_OK)
		return st;
	if (v->schema.layout != SCHEMA_MANY)
		return VSTORE_NONE;
	str_cats(&q.sql, "SELECT LOWER(pw_domain), COUNT(*) FROM vpopmail "
	    "GROUP BY LOWER(pw_domain) ORDER BY 1");
	return walk(s, v, &q, &w);
}
