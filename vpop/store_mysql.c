/* vpop/store_mysql.c - the "mysql" store: accounts in MariaDB, in the tables
 * vpopmail has had (schema.h).
 *
 * Statements name their columns, so tables with more columns work; widths are
 * asked for, so what would not fit is refused before it is sent, and the
 * session is strict for whatever slips through.  Nothing is destroyed but what
 * the caller names.  Names compare as the table's collation says: a row that
 * somebody wrote with capitals is found. */
#include "vpop/store_mysql.h"

#include <errno.h>
#include <mariadb/mysqld_error.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONF "/etc/vpopmail.mysql"
#define SCHEMA_MS 300000        /* then it is looked at again */

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static enum vstore_status
read_servers(struct vstore *s, struct vmysql *v)
{
	struct str path = {0}, why = {0};
	struct myconf conf;
	enum vstore_status st = VSTORE_OK;

	str_catf(&path, "%s" CONF, str_c(&s->vpopmail_dir));
	if (myconf_load(str_c(&path), &conf, &why) < 0)
		st = vstore_fail(s, VSTORE_TEMP, "unable to use %s",
		    str_c(&why));
	else
		v->my = my_open_take(&conf);
	str_free(&path);
	str_free(&why);
	return st;
}

enum vstore_status
vmysql_done(struct vstore *s, enum vstore_status st)
{
	struct vmysql *v = s->own;
	unsigned err = my_errno(v->my);

	if (st == VSTORE_OK)
		return st;
	if (err == ER_NO_SUCH_TABLE || err == ER_BAD_FIELD_ERROR)
		v->is_loaded = false;
	return vstore_fail(s, st, "%s", my_reason_peek(v->my));
}

static enum vstore_status
know_schema(struct vstore *s, struct vmysql *v)
{
	struct schema now;

	if (v->is_loaded && now_ms() - v->loaded < SCHEMA_MS)
		return VSTORE_OK;
	if (schema_load(v->my, &now) != VSTORE_OK)
		return vmysql_done(s, VSTORE_TEMP);
	schema_free(&v->schema);
	v->schema = now;
	v->is_loaded = true;
	v->loaded = now_ms();
	my_set_charset(v->my, str_c(&now.charset));
	return VSTORE_OK;
}

enum vstore_status
vmysql_ready(struct vstore *s, struct vmysql **out)
{
	struct vmysql *v = s->own;
	const char *lacks;

	*out = v;
	if (v->my == NULL && read_servers(s, v) != VSTORE_OK)
		return VSTORE_TEMP;
	if (know_schema(s, v) != VSTORE_OK)
		return VSTORE_TEMP;
	if (v->schema.layout == SCHEMA_NONE) {
		v->is_loaded = false;
		return vstore_fail(s, VSTORE_TEMP, "the database has no table "
		    "of accounts: vschema --create makes it");
	}
	if ((lacks = schema_lacks(&v->schema, SCHEMA_USERS)) != NULL) {
		v->is_loaded = false;
		return vstore_fail(s, VSTORE_TEMP, "the table of accounts has "
		    "no column %s: vschema --upgrade adds it", lacks);
	}
	return VSTORE_OK;
}

enum vstore_status
vmysql_table(struct vstore *s, enum schema_table t, struct vmysql **out)
{
	const char *lacks;

	if (vmysql_ready(s, out) != VSTORE_OK)
		return VSTORE_TEMP;
	if (!(*out)->schema.table[t])
		return VSTORE_NONE;
	if ((lacks = schema_lacks(&(*out)->schema, t)) == NULL)
		return VSTORE_OK;
	(*out)->is_loaded = false;
	return vstore_fail(s, VSTORE_TEMP, "the table %s has no column %s: "
	    "vschema --upgrade adds it", schema_table_name(t), lacks);
}

enum vstore_status
vmysql_run(struct vstore *s, enum my_role role, const struct my_query *q,
    my_row_fn *fn, void *arg, struct my_done *out)
{
	struct vmysql *v = s->own;

	return vmysql_done(s, my_run(v->my, role, q, fn, arg, out));
}

enum vstore_status
vmysql_put(struct vstore *s, enum my_role role, const struct my_query *update,
    const struct my_query *insert)
{
	struct my_done done;
	enum vstore_status st;

	/* twice at most: another may insert just before us */
	for (int i = 0; i < 2; i++) {
		st = vmysql_run(s, role, update, NULL, NULL, &done);
		if (st != VSTORE_OK || done.rows > 0)
			return st;
		st = vmysql_run(s, role, insert, NULL, NULL, NULL);
		if (st != VSTORE_EXISTS)
			return st;
	}
	return vstore_fail(s, VSTORE_TEMP, "others change it all the time");
}

enum vstore_status
vmysql_delete(struct vstore *s, enum schema_table t, enum schema_column a,
    const char *a_value, enum schema_column b, const char *b_value,
    struct my_done *out)
{
	struct my_query q = {0};
	enum vstore_status st;

	str_catf(&q.sql, "DELETE FROM `%s` WHERE `%s` = ?",
	    schema_table_name(t), schema_column_name(a));
	my_bind(&q, a_value);
	if (b_value != NULL) {
		str_catf(&q.sql, " AND `%s` = ?", schema_column_name(b));
		my_bind(&q, b_value);
	}
	st = vmysql_run(s, MY_UPDATE, &q, NULL, NULL, out);
	my_query_free(&q);
	return st;
}

/* The domain's table of accounts, quoted. */
static enum vstore_status
users_table(struct vstore *s, const struct vdomain_ref *d,
    struct vmysql **v, struct str *out)
{
	if (vmysql_ready(s, v) != VSTORE_OK)
		return VSTORE_TEMP;
	if (schema_users_table(&(*v)->schema, d->name, out) < 0)
		return vstore_fail(s, VSTORE_WIDE,
		    "no table can be named after the domain %s", d->name);
	return VSTORE_OK;
}

/* " WHERE pw_name = ? AND pw_domain = ?", as the layout is; user NULL: every
 * user of the domain. */
static void
cat_where(const struct vmysql *v, struct my_query *q, const char *user,
    const struct vdomain_ref *d)
{
	bool many = v->schema.layout == SCHEMA_MANY;

	if (user != NULL || many)
		str_cats(&q->sql, " WHERE ");
	if (user != NULL) {
		str_cats(&q->sql, "pw_name = ?");
		my_bind(q, user);
	}
	if (!many)
		return;
	str_cats(&q->sql, user != NULL ? " AND pw_domain = ?" :
	    "pw_domain = ?");
	my_bind(q, d->name);
}

static void
cat_select(const struct vmysql *v, struct my_query *q, const char *table)
{
	str_catf(&q->sql, "SELECT pw_name, pw_passwd, pw_uid, pw_gid, "
	    "pw_gecos, pw_dir, pw_shell%s FROM %s",
	    v->schema.there[SCHEMA_PW_CLEAR] ? ", pw_clear_passwd" : "",
	    table);
}

static void
fill_user(const struct my_row *row, struct vuser *out)
{
	str_copy(&out->name, &row->col[0]);
	str_lower(&out->name);
	str_copy(&out->hash, &row->col[1]);
	out->apop = my_i(row, 2) != 0;
	out->flags = (uint32_t)my_i(row, 3);
	str_copy(&out->gecos, &row->col[4]);
	str_copy(&out->dir, &row->col[5]);
	str_copy(&out->quota, &row->col[6]);
	if (row->n > 7)
		str_copy(&out->clear, &row->col[7]);
}

static int
take_user(void *arg, const struct my_row *row)
{
	fill_user(row, arg);
	return 1;               /* there is one */
}

static enum vstore_status
get_user(struct vstore *s, enum my_role role, const struct vdomain_ref *d,
    const char *user, struct vuser *out)
{
	struct my_query q = {0};
	struct str table = {0};
	struct my_done done = {0};
	struct vmysql *v;
	enum vstore_status st = users_table(s, d, &v, &table);

	if (st == VSTORE_OK) {
		cat_select(v, &q, str_c(&table));
		cat_where(v, &q, user, d);
		st = vmysql_run(s, role, &q, take_user, out, &done);
		/* mail must not bounce because a copy is behind: only the
		 * server for updates can say that there is nobody */
		if (st == VSTORE_OK && done.rows == 0 && my_from_copy(v->my))
			st = vmysql_run(s, MY_ASSURE, &q, take_user, out,
			    &done);
	}
	my_query_free(&q);
	str_free(&table);
	if (st == VSTORE_WIDE)
		return VSTORE_NONE;     /* it cannot be there */
	return st == VSTORE_OK && done.rows == 0 ? VSTORE_NONE : st;
}

static enum vstore_status
user_get(struct vstore *s, const struct vdomain_ref *d, const char *user,
    struct vuser *out)
{
	return get_user(s, MY_READ, d, user, out);
}

/* Whether what was sent twice is there because of the first time. */
static bool
is_ours(struct vstore *s, const struct vdomain_ref *d, const struct vuser *u)
{
	struct vuser have = {0};
	bool same = get_user(s, MY_ASSURE, d, str_c(&u->name), &have) ==
	    VSTORE_OK && str_eqs(&have.hash, str_c(&u->hash)) &&
	    str_eqs(&have.dir, str_c(&u->dir)) &&
	    str_eqs(&have.gecos, str_c(&u->gecos));

	vuser_free(&have);
	return same;
}

static void
bind_user(const struct vmysql *v, struct my_query *q, const struct vuser *u)
{
	my_bind_str(q, &u->hash);
	my_bind_u(q, u->apop);
	my_bind_u(q, u->flags);
	my_bind_str(q, &u->gecos);
	my_bind_str(q, &u->dir);
	my_bind_str(q, &u->quota);
	if (v->schema.there[SCHEMA_PW_CLEAR])
		my_bind_str(q, &u->clear);
}

/* The table may have another key than ours, so it is asked, not trusted to
 * refuse a second one. */
static enum vstore_status
user_add(struct vstore *s, const struct vdomain_ref *d, const struct vuser *u)
{
	struct my_query q = {0};
	struct str table = {0};
	struct my_done done = {0};
	struct vmysql *v;
	enum vstore_status st = users_table(s, d, &v, &table);

	if (st == VSTORE_OK) {
		bool many = v->schema.layout == SCHEMA_MANY;
		bool clear = v->schema.there[SCHEMA_PW_CLEAR];

		str_catf(&q.sql, "INSERT INTO %s (%spw_name, pw_passwd, "
		    "pw_uid, pw_gid, pw_gecos, pw_dir, pw_shell%s) "
		    "SELECT %s?, ?, ?, ?, ?, ?, ?%s FROM DUAL "
		    "WHERE NOT EXISTS (SELECT 1 FROM %s",
		    str_c(&table), many ? "pw_domain, " : "",
		    clear ? ", pw_clear_passwd" : "", many ? "?, " : "",
		    clear ? ", ?" : "", str_c(&table));
		if (many)
			my_bind(&q, d->name);
		my_bind_str(&q, &u->name);
		bind_user(v, &q, u);
		cat_where(v, &q, str_c(&u->name), d);
		str_catc(&q.sql, ')');
		st = vmysql_run(s, MY_UPDATE, &q, NULL, NULL, &done);
	}
	my_query_free(&q);
	str_free(&table);
	if (st == VSTORE_OK && done.rows == 0)
		st = VSTORE_EXISTS;
	return st == VSTORE_EXISTS && done.again && is_ours(s, d, u) ?
	    VSTORE_OK : st;
}

static enum vstore_status
user_set(struct vstore *s, const struct vdomain_ref *d, const struct vuser *u)
{
	struct my_query q = {0};
	struct str table = {0};
	struct my_done done = {0};
	struct vmysql *v;
	enum vstore_status st = users_table(s, d, &v, &table);

	if (st == VSTORE_OK) {
		str_catf(&q.sql, "UPDATE %s SET pw_passwd = ?, pw_uid = ?, "
		    "pw_gid = ?, pw_gecos = ?, pw_dir = ?, pw_shell = ?%s",
		    str_c(&table), v->schema.there[SCHEMA_PW_CLEAR] ?
		    ", pw_clear_passwd = ?" : "");
		bind_user(v, &q, u);
		cat_where(v, &q, str_c(&u->name), d);
		st = vmysql_run(s, MY_UPDATE, &q, NULL, NULL, &done);
	}
	my_query_free(&q);
	str_free(&table);
	return st == VSTORE_OK && done.rows == 0 ? VSTORE_NONE : st;
}

/* DELETE of one account or, with user NULL, of all; again counts as found. */
static enum vstore_status
delete_users(struct vstore *s, const struct vdomain_ref *d, const char *user)
{
	struct my_query q = {0};
	struct str table = {0};
	struct my_done done = {0};
	struct vmysql *v;
	enum vstore_status st = users_table(s, d, &v, &table);

	if (st == VSTORE_OK) {
		str_catf(&q.sql, "DELETE FROM %s", str_c(&table));
		cat_where(v, &q, user, d);
		st = vmysql_run(s, MY_UPDATE, &q, NULL, NULL, &done);
	}
	my_query_free(&q);
	str_free(&table);
	return st == VSTORE_OK && done.rows == 0 && !done.again ?
	    VSTORE_NONE : st;
}

/* What belongs to an account or a whole domain (user NULL), before the account
 * itself: where tables know no transactions, whoever is interrupted here can
 * begin again. */
static enum vstore_status
delete_traces(struct vstore *s, const struct vmysql *v,
    const struct vdomain_ref *d, const char *user)
{
	static const struct {
		enum schema_table table;
		enum schema_column domain, user;
		bool of_user;
	} where[] = {
		{SCHEMA_LASTAUTH, SCHEMA_LA_DOMAIN, SCHEMA_LA_USER, true},
		{SCHEMA_VLOG, SCHEMA_VL_DOMAIN, SCHEMA_VL_USER, true},
		{SCHEMA_VALIAS, SCHEMA_VA_DOMAIN, SCHEMA_VA_ALIAS, false},
		{SCHEMA_LIMITS, SCHEMA_LI_DOMAIN, SCHEMA_LI_DOMAIN, false},
		{SCHEMA_ALIASDOMAINS, SCHEMA_AD_DOMAIN, SCHEMA_AD_DOMAIN,
		    false},
	};
	enum vstore_status st = VSTORE_OK;

	for (size_t i = 0; i < sizeof where / sizeof where[0] &&
	    st == VSTORE_OK; i++)
		if ((user == NULL || where[i].of_user) &&
		    v->schema.there[where[i].domain] &&
		    v->schema.there[where[i].user])
			st = vmysql_delete(s, where[i].table, where[i].domain,
			    d->name, where[i].user, user, NULL);
	return st;
}

static enum vstore_status
delete_all(struct vstore *s, struct vmysql *v, const struct vdomain_ref *d,
    const char *user)
{
	enum vstore_status st = delete_traces(s, v, d, user);

	/* a table of the domain's own goes afterwards, as a whole */
	return st == VSTORE_OK && (user != NULL ||
	    v->schema.layout == SCHEMA_MANY) ? delete_users(s, d, user) : st;
}

/* Deletes all or nothing of it, unless that is the caller's business. */
static enum vstore_status
delete_at_once(struct vstore *s, const struct vdomain_ref *d, const char *user)
{
	enum vstore_status st = VSTORE_TEMP, end;
	struct vmysql *v;

	if (vmysql_ready(s, &v) != VSTORE_OK)
		return VSTORE_TEMP;
	if (my_in_bulk(v->my))
		return delete_all(s, v, d, user);
	for (int i = 0; i < 2 && st == VSTORE_TEMP; i++) {
		if (i > 0 && !my_bulk_again(v->my))
			break;
		if (my_bulk_begin(v->my) != VSTORE_OK)
			return vmysql_done(s, VSTORE_TEMP);
		st = delete_all(s, v, d, user);
		end = my_bulk_end(v->my);
		if (end != VSTORE_OK)
			st = vmysql_done(s, end);
		else if (i > 0 && st == VSTORE_NONE)
			st = VSTORE_OK; /* the first did it */
	}
	return st;
}

static enum vstore_status
user_del(struct vstore *s, const struct vdomain_ref *d, const char *user)
{
	return delete_at_once(s, d, user);
}

struct walk {
	vstore_user_fn *fn;
	void *arg;
};

static int
walk_user(void *arg, const struct my_row *row)
{
	struct walk *w = arg;
	struct vuser u = {0};
	int r;

	fill_user(row, &u);
	r = w->fn(w->arg, &u);
	vuser_free(&u);
	return r;
}

static enum vstore_status
user_each(struct vstore *s, const struct vdomain_ref *d, vstore_user_fn *fn,
    void *arg, int *ended_out)
{
	struct walk w = {fn, arg};
	struct my_query q = {0};
	struct str table = {0};
	struct vmysql *v;
	enum vstore_status st = users_table(s, d, &v, &table);

	if (st == VSTORE_OK) {
		cat_select(v, &q, str_c(&table));
		cat_where(v, &q, NULL, d);
		str_cats(&q.sql, " ORDER BY BINARY LOWER(pw_name)");
		st = vmysql_done(s, my_walk(v->my, MY_READ, &q, walk_user, &w,
		    ended_out));
	}
	my_query_free(&q);
	str_free(&table);
	return st;
}

static int
take_count(void *arg, const struct my_row *row)
{
	uint64_t *n = arg;

	*n = my_u(row, 0);
	return 0;
}

static enum vstore_status
user_count(struct vstore *s, const struct vdomain_ref *d, uint64_t *out)
{
	struct my_query q = {0};
	struct str table = {0};
	struct vmysql *v;
	enum vstore_status st = users_table(s, d, &v, &table);

	if (st == VSTORE_OK) {
		str_catf(&q.sql, "SELECT COUNT(*) FROM %s", str_c(&table));
		cat_where(v, &q, NULL, d);
		st = vmysql_run(s, MY_READ, &q, take_count, out, NULL);
	}
	my_query_free(&q);
	str_free(&table);
	return st;
}

/* One table for all: there is nothing to make, but the server for updates must
 * be there before anything else is made for the domain. */
static enum vstore_status
domain_add(struct vstore *s, const struct vdomain_ref *d)
{
	struct my_query q = {0};
	struct str table = {0};
	struct vmysql *v;
	uint64_t users = 0;
	enum vstore_status st = users_table(s, d, &v, &table);

	if (st != VSTORE_OK)
		goto done;
	if (strlen(d->name) > v->schema.width[SCHEMA_PW_DOMAIN] &&
	    v->schema.layout == SCHEMA_MANY) {
		st = vstore_fail(s, VSTORE_WIDE, "the domain has %zu bytes, "
		    "the store keeps %u", strlen(d->name),
		    (unsigned)v->schema.width[SCHEMA_PW_DOMAIN]);
		goto done;
	}
	if (v->schema.layout == SCHEMA_PER_DOMAIN) {
		schema_sql_create(SCHEMA_USERS, str_c(&table), true, &q.sql);
		st = vmysql_run(s, MY_UPDATE, &q, NULL, NULL, NULL);
		if (st == VSTORE_OK ||
		    my_errno(v->my) != ER_TABLE_EXISTS_ERROR)
			goto done;
		my_query_free(&q);
	}
	str_catf(&q.sql, "SELECT COUNT(*) FROM %s", str_c(&table));
	cat_where(v, &q, NULL, d);
	st = vmysql_run(s, MY_ASSURE, &q, take_count, &users, NULL);
	if (st == VSTORE_OK && users > 0)
		st = vstore_fail(s, VSTORE_EXISTS, "the database has accounts "
		    "of this domain already%s",
		    v->schema.layout == SCHEMA_PER_DOMAIN ? ", or of one "
		    "that differs in '-' and '.' only" : "");
done:
	my_query_free(&q);
	str_free(&table);
	return st;
}

static bool
is_missing(const char *path)
{
	return access(path, F_OK) < 0 && errno == ENOENT;
}

static enum vstore_status
domain_del(struct vstore *s, const struct vdomain_ref *d)
{
	struct my_query q = {0};
	struct str table = {0};
	struct vmysql *v;
	enum vstore_status st = users_table(s, d, &v, &table);

	if (st == VSTORE_OK)
		st = delete_at_once(s, d, NULL);
	if (st == VSTORE_OK && v->schema.layout == SCHEMA_PER_DOMAIN) {
		st = delete_users(s, d, NULL);
		if (st == VSTORE_TEMP && my_errno(v->my) == ER_NO_SUCH_TABLE)
			st = VSTORE_NONE;
	}
	if ((st == VSTORE_OK || st == VSTORE_NONE) &&
	    v->schema.layout == SCHEMA_PER_DOMAIN) {
		/* empty now; who may not drop it leaves it so */
		str_catf(&q.sql, "DROP TABLE IF EXISTS %s", str_c(&table));
		if (my_run(v->my, MY_UPDATE, &q, NULL, NULL, NULL) ==
		    VSTORE_OK)
			v->is_loaded = false;
	}
	my_query_free(&q);
	str_free(&table);
	if (st == VSTORE_NONE)
		st = VSTORE_OK;
	if (st == VSTORE_OK && (!v->schema.table[SCHEMA_VALIAS] ||
	    !v->schema.table[SCHEMA_LIMITS]) && !is_missing(d->dir))
		st = vfiles_domain_del(s, d);
	return st;
}

static enum vstore_status
bulk_begin(struct vstore *s, const struct vdomain_ref *d)
{
	struct vmysql *v;

	(void)d;
	if (vmysql_ready(s, &v) != VSTORE_OK)
		return VSTORE_TEMP;
	return vmysql_done(s, my_bulk_begin(v->my));
}

static enum vstore_status
bulk_end(struct vstore *s)
{
	struct vmysql *v = s->own;

	if (v->my == NULL)
		return VSTORE_OK;       /* it never began */
	return vmysql_done(s, my_bulk_end(v->my));
}

static size_t
width(struct vstore *s, enum vstore_width w)
{
	static const enum schema_column columns[] = {
		[VSTORE_W_NAME] = SCHEMA_PW_NAME,
		[VSTORE_W_HASH] = SCHEMA_PW_PASSWD,
		[VSTORE_W_GECOS] = SCHEMA_PW_GECOS,
		[VSTORE_W_DIR] = SCHEMA_PW_DIR,
		[VSTORE_W_QUOTA] = SCHEMA_PW_SHELL,
		[VSTORE_W_CLEAR] = SCHEMA_PW_CLEAR,
	};
	struct vmysql *v;

	if (vmysql_ready(s, &v) != VSTORE_OK)
		return SIZE_MAX;        /* the call after this says why */
	return v->schema.there[columns[w]] ?
	    (size_t)v->schema.width[columns[w]] : 0;
}

static void
close_store(struct vstore *s)
{
	struct vmysql *v = s->own;

	my_close(v->my);
	schema_free(&v->schema);
	free(v);
	s->own = NULL;
}

static const struct vstore_ops ops = {
	.kind = "mysql",
	.close = close_store,
	.width = width,
	.domain_add = domain_add,
	.domain_del = domain_del,
	.user_get = user_get,
	.user_add = user_add,
	.user_set = user_set,
	.user_del = user_del,
	.user_each = user_each,
	.user_count = user_count,
	.bulk_begin = bulk_begin,
	.bulk_end = bulk_end,
	.alias_each = vmysql_alias_each,
	.alias_keeps = vmysql_alias_keeps,
	.alias_add = vmysql_alias_add,
	.alias_del = vmysql_alias_del,
	.lastauth_get = vmysql_lastauth_get,
	.lastauth_set = vmysql_lastauth_set,
	.limits_get = vmysql_limits_get,
	.limits_set = vmysql_limits_set,
	.limits_del = vmysql_limits_del,
	.dirctl_get = vmysql_dirctl_get,
	.dirctl_set = vmysql_dirctl_set,
	.dirctl_del = vmysql_dirctl_del,
	.ipmap_get = vmysql_ipmap_get,
	.ipmap_set = vmysql_ipmap_set,
	.ipmap_each = vmysql_ipmap_each,
};

void
vstore_mysql_init(struct vstore *s)
{
	s->ops = &ops;
	s->own = mem_alloc(1, sizeof(struct vmysql));
}
