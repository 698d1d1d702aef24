/* vpop/store_mysql_more.c - aliases, last logins, directory counters and the
 * map of addresses in MariaDB; see store_mysql.h.  What has no table lies in
 * files (store_files.c), so that a site keeps what it was built with. */
#include "vpop/store_mysql.h"

#include "lib/ip.h"
#include "vpop/dirs.h"

#include <string.h>

/* Of an address that is too long for its column: the network it is in. */
#define SHORT_BITS 48

struct walk {
	vstore_alias_fn *fn;
	void *arg;
	uint64_t seen;
};

static int
walk_alias(void *arg, const struct my_row *row)
{
	struct walk *w = arg;
	struct str name = {0};
	int r;

	w->seen++;
	str_copy(&name, &row->col[0]);
	str_lower(&name);
	r = w->fn(w->arg, str_c(&name), str_c(&row->col[1]));
	str_free(&name);
	return r;
}

enum vstore_status
vmysql_alias_each(struct vstore *s, const struct vdomain_ref *d,
    const char *alias, vstore_alias_fn *fn, void *arg, int *ended_out)
{
	struct walk w = {fn, arg, 0};
	struct my_query q = {0};
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_VALIAS, &v);

	if (st == VSTORE_NONE)
		return vfiles_alias_each(s, d, alias, fn, arg, ended_out);
	if (st != VSTORE_OK)
		return st;
	str_cats(&q.sql, "SELECT alias, valias_line FROM valias "
	    "WHERE domain = ?");
	my_bind(&q, d->name);
	if (alias != NULL) {
		str_cats(&q.sql, " AND alias = ?");
		my_bind(&q, alias);
	}
	str_catf(&q.sql, " ORDER BY BINARY LOWER(alias)%s",
	    v->schema.there[SCHEMA_VA_ID] ? ", id" : "");
	st = vmysql_done(s, my_walk(v->my, MY_READ, &q, walk_alias, &w,
	    ended_out));
	/* as with accounts: a copy may not have it yet */
	if (st == VSTORE_OK && alias != NULL && w.seen == 0 &&
	    my_from_copy(v->my) && vmysql_done(s, my_walk(v->my, MY_ASSURE,
	    &q, walk_alias, &w, ended_out)) != VSTORE_OK && w.seen > 0)
		st = VSTORE_TEMP;
	my_query_free(&q);
	return st;
}

enum vstore_status
vmysql_alias_keeps(struct vstore *s, const struct vdomain_ref *d,
    const char *alias, bool *out)
{
	struct my_query q = {0};
	struct my_done done = {0};
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_VALIAS, &v);

	if (st == VSTORE_NONE || (st == VSTORE_OK &&
	    !v->schema.there[SCHEMA_VA_COPY]))
		return VSTORE_OK;
	if (st != VSTORE_OK)
		return st;
	str_cats(&q.sql, "SELECT 1 FROM valias WHERE domain = ? AND alias = ? "
	    "AND `copy` <> 0 LIMIT 1");
	my_bind(&q, d->name);
	my_bind(&q, alias);
	st = vmysql_run(s, MY_READ, &q, NULL, NULL, &done);
	*out = done.rows > 0;
	my_query_free(&q);
	return st;
}

enum vstore_status
vmysql_alias_add(struct vstore *s, const struct vdomain_ref *d,
    const char *alias, const char *line)
{
	struct my_query q = {0};
	struct my_done done = {0};
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_VALIAS, &v);
	size_t n = strlen(alias);

	if (st == VSTORE_NONE)
		return vfiles_alias_add(s, d, alias, line);
	if (st != VSTORE_OK)
		return st;
	if (n > v->schema.width[SCHEMA_VA_ALIAS])
		return vstore_fail(s, VSTORE_WIDE, "the alias has %zu bytes, "
		    "the store keeps %u", n,
		    (unsigned)v->schema.width[SCHEMA_VA_ALIAS]);
	if (strlen(line) > v->schema.width[SCHEMA_VA_LINE])
		return vstore_fail(s, VSTORE_WIDE, "the alias line has %zu "
		    "bytes, the store keeps %u", strlen(line),
		    (unsigned)v->schema.width[SCHEMA_VA_LINE]);
	str_cats(&q.sql, "INSERT INTO valias (alias, domain, valias_line) "
	    "SELECT ?, ?, ? FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM valias "
	    "WHERE alias = ? AND domain = ? AND BINARY valias_line = ?)");
	for (int i = 0; i < 2; i++) {
		my_bind(&q, alias);
		my_bind(&q, d->name);
		my_bind(&q, line);
	}
	st = vmysql_run(s, MY_UPDATE, &q, NULL, NULL, &done);
	my_query_free(&q);
	return st == VSTORE_OK && done.rows == 0 && !done.again ?
	    VSTORE_EXISTS : st;
}

enum vstore_status
vmysql_alias_del(struct vstore *s, const struct vdomain_ref *d,
    const char *alias, const char *line)
{
	struct my_query q = {0};
	struct my_done done = {0};
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_VALIAS, &v);

	if (st == VSTORE_NONE)
		return vfiles_alias_del(s, d, alias, line);
	if (st != VSTORE_OK)
		return st;
	str_cats(&q.sql, "DELETE FROM valias WHERE alias = ? AND domain = ?");
	my_bind(&q, alias);
	my_bind(&q, d->name);
	if (line != NULL) {
		str_cats(&q.sql, " AND BINARY valias_line = ?");
		my_bind(&q, line);
	}
	st = vmysql_run(s, MY_UPDATE, &q, NULL, NULL, &done);
	my_query_free(&q);
	return st == VSTORE_OK && done.rows == 0 && !done.again ?
	    VSTORE_NONE : st;
}

struct login { int64_t when; struct str *ip; };

static int
take_login(void *arg, const struct my_row *row)
{
	struct login *l = arg;

	l->when = my_i(row, 0);
	str_copy(l->ip, &row->col[1]);
	return 1;
}

enum vstore_status
vmysql_lastauth_get(struct vstore *s, const struct vdomain_ref *d,
    const struct vuser *u, int64_t *when_out, struct str *ip_out)
{
	struct login l = {0, ip_out};
	struct my_query q = {0};
	struct my_done done = {0};
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_LASTAUTH, &v);

	if (st == VSTORE_NONE)
		return vfiles_lastauth_get(s, d, u, when_out, ip_out);
	if (st != VSTORE_OK)
		return st;
	str_cats(&q.sql, "SELECT `timestamp`, remote_ip FROM lastauth "
	    "WHERE `user` = ? AND domain = ?");
	my_bind_str(&q, &u->name);
	my_bind(&q, d->name);
	st = vmysql_run(s, MY_READ, &q, take_login, &l, &done);
	*when_out = l.when;
	my_query_free(&q);
	return st == VSTORE_OK && done.rows == 0 ? VSTORE_NONE : st;
}

/* The address, or as much of it as the column holds: an IPv6 address in a
 * column made for IPv4 becomes its network, for the time must be kept. */
static void
short_ip(const char *ip, uint64_t width, struct str *out)
{
	char text[IP_TEXT];
	struct ip a;

	str_clear(out);
	if (strlen(ip) <= width) {
		str_cats(out, ip);
		return;
	}
	if (ip_parse(ip, strlen(ip), &a) < 0)
		return;
	ip_mask(&a, SHORT_BITS);
	if (strlen(ip_text(&a, text)) <= width)
		str_cats(out, text);
}

enum vstore_status
vmysql_lastauth_set(struct vstore *s, const struct vdomain_ref *d,
    const struct vuser *u, int64_t when, const char *ip)
{
	struct my_query update = {0}, insert = {0};
	struct str text = {0};
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_LASTAUTH, &v);

	if (st == VSTORE_NONE)
		return vfiles_lastauth_set(s, d, u, when, ip);
	if (st != VSTORE_OK)
		return st;
	short_ip(ip, v->schema.width[SCHEMA_LA_IP], &text);
	str_cats(&update.sql, "UPDATE lastauth SET remote_ip = ?, "
	    "`timestamp` = ? WHERE `user` = ? AND domain = ?");
	str_cats(&insert.sql, "INSERT INTO lastauth (remote_ip, `timestamp`, "
	    "`user`, domain) VALUES (?, ?, ?, ?)");
	for (int i = 0; i < 2; i++) {
		struct my_query *q = i == 0 ? &update : &insert;

		my_bind_str(q, &text);
		my_bind_i(q, when);
		my_bind_str(q, &u->name);
		my_bind(q, d->name);
	}
	st = vmysql_put(s, MY_NOTE, &update, &insert);
	my_query_free(&update);
	my_query_free(&insert);
	str_free(&text);
	return st;
}

/* Columns of dir_control in the order in which they are selected and bound. */
static const char *const dirctl_columns[] = {
	"cur_users", "level_cur", "level_max", "level_start0", "level_start1",
	"level_start2", "level_end0", "level_end1", "level_end2",
	"level_mod0", "level_mod1", "level_mod2", "level_index0",
	"level_index1", "level_index2", "the_dir",
};
#define DIRCTL_N (sizeof dirctl_columns / sizeof dirctl_columns[0])

static int
take_dirctl(void *arg, const struct my_row *row)
{
	struct vdirctl *c = arg;

	c->users = my_u(row, 0);
	c->level_cur = (int)my_i(row, 1);
	c->level_max = (int)my_i(row, 2);
	for (unsigned i = 0; i < 3; i++) {
		c->start[i] = (int)my_i(row, 3 + i);
		c->end[i] = (int)my_i(row, 6 + i);
		c->mod[i] = (int)my_i(row, 9 + i);
		c->index[i] = (int)my_i(row, 12 + i);
	}
	str_copy(&c->dir, &row->col[15]);
	return 1;
}

/* Whoever can write the table must not lead us elsewhere by it. */
static enum vstore_status
check_dirctl(struct vstore *s, const char *key, struct vdirctl *c)
{
	struct str text = {0};
	int r;

	vdirs_cat(&text, c);
	str_free(&c->dir);
	r = vdirs_parse(str_c(&text), text.len, c);
	str_free(&text);
	return r == 0 ? VSTORE_OK : vstore_fail(s, VSTORE_TEMP, "the row of "
	    "%s in dir_control is not what it should be", key);
}

enum vstore_status
vmysql_dirctl_get(struct vstore *s, const char *key, const char *dir,
    struct vdirctl *out)
{
	struct my_query q = {0};
	struct my_done done = {0};
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_DIRCTL, &v);

	if (st == VSTORE_NONE)
		return vfiles_dirctl_get(s, key, dir, out);
	if (st != VSTORE_OK)
		return st;
	str_cats(&q.sql, "SELECT ");
	for (size_t i = 0; i < DIRCTL_N; i++)
		str_catf(&q.sql, "%s%s", i > 0 ? ", " : "", dirctl_columns[i]);
	str_cats(&q.sql, " FROM dir_control WHERE domain = ?");
	my_bind(&q, key);
	st = vmysql_run(s, MY_READ, &q, take_dirctl, out, &done);
	my_query_free(&q);
	if (st != VSTORE_OK)
		return st;
	return done.rows == 0 ? VSTORE_NONE : check_dirctl(s, key, out);
}

static void
bind_dirctl(struct my_query *q, const char *key, const struct vdirctl *c)
{
	my_bind_u(q, c->users);
	my_bind_i(q, c->level_cur);
	my_bind_i(q, c->level_max);
	for (unsigned i = 0; i < 3; i++)
		my_bind_i(q, c->start[i]);
	for (unsigned i = 0; i < 3; i++)
		my_bind_i(q, c->end[i]);
	for (unsigned i = 0; i < 3; i++)
		my_bind_i(q, c->mod[i]);
	for (unsigned i = 0; i < 3; i++)
		my_bind_i(q, c->index[i]);
	my_bind_str(q, &c->dir);
	my_bind(q, key);
}

enum vstore_status
vmysql_dirctl_set(struct vstore *s, const char *key, const char *dir,
    const struct vdirctl *c)
{
	struct my_query update = {0}, insert = {0};
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_DIRCTL, &v);

	if (st == VSTORE_NONE)
		return vfiles_dirctl_set(s, key, dir, c);
	if (st != VSTORE_OK)
		return st;
	str_cats(&update.sql, "UPDATE dir_control SET ");
	str_cats(&insert.sql, "INSERT INTO dir_control (");
	for (size_t i = 0; i < DIRCTL_N; i++) {
		str_catf(&update.sql, "%s%s = ?", i > 0 ? ", " : "",
		    dirctl_columns[i]);
		str_catf(&insert.sql, "%s, ", dirctl_columns[i]);
	}
	str_cats(&update.sql, " WHERE domain = ?");
	str_cats(&insert.sql, "domain) VALUES (");
	for (size_t i = 0; i < DIRCTL_N; i++)
		str_cats(&insert.sql, "?, ");
	str_cats(&insert.sql, "?)");
	bind_dirctl(&update, key, c);
	bind_dirctl(&insert, key, c);
	st = vmysql_put(s, MY_UPDATE, &update, &insert);
	my_query_free(&update);
	my_query_free(&insert);
	return st;
}

enum vstore_status
vmysql_dirctl_del(struct vstore *s, const char *key, const char *dir)
{
	struct my_done done = {0};
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_DIRCTL, &v);

	if (st == VSTORE_NONE)
		return vfiles_dirctl_del(s, key, dir);
	if (st == VSTORE_OK)
		st = vmysql_delete(s, SCHEMA_DIRCTL, SCHEMA_DC_DOMAIN, key,
		    SCHEMA_DC_DOMAIN, NULL, &done);
	return st == VSTORE_OK && done.rows == 0 && !done.again ?
	    VSTORE_NONE : st;
}

static int
take_text(void *arg, const struct my_row *row)
{
	str_copy(arg, &row->col[0]);
	return 1;
}

enum vstore_status
vmysql_ipmap_get(struct vstore *s, const char *ip, struct str *domain_out)
{
	struct my_query q = {0};
	struct my_done done = {0};
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_IPMAP, &v);

	if (st == VSTORE_NONE)
		return vfiles_ipmap_get(s, ip, domain_out);
	if (st != VSTORE_OK)
		return st;
	str_cats(&q.sql, "SELECT domain FROM ip_alias_map WHERE ip_addr = ?");
	my_bind(&q, ip);
	st = vmysql_run(s, MY_READ, &q, take_text, domain_out, &done);
	my_query_free(&q);
	return st == VSTORE_OK && done.rows == 0 ? VSTORE_NONE : st;
}

enum vstore_status
vmysql_ipmap_set(struct vstore *s, const char *ip, const char *domain)
{
	struct my_query update = {0}, insert = {0};
	struct my_done done = {0};
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_IPMAP, &v);

	if (st == VSTORE_NONE)
		return vfiles_ipmap_set(s, ip, domain);
	if (st != VSTORE_OK)
		return st;
	if (domain == NULL) {
		st = vmysql_delete(s, SCHEMA_IPMAP, SCHEMA_IP_ADDR, ip,
		    SCHEMA_IP_ADDR, NULL, &done);
		return st == VSTORE_OK && done.rows == 0 && !done.again ?
		    VSTORE_NONE : st;
	}
	if (strlen(ip) > v->schema.width[SCHEMA_IP_ADDR])
		return vstore_fail(s, VSTORE_WIDE, "the address has %zu bytes, "
		    "the table ip_alias_map keeps %u: vschema --upgrade "
		    "widens it", strlen(ip),
		    (unsigned)v->schema.width[SCHEMA_IP_ADDR]);
	str_cats(&update.sql, "UPDATE ip_alias_map SET domain = ? "
	    "WHERE ip_addr = ?");
	str_cats(&insert.sql, "INSERT INTO ip_alias_map (domain, ip_addr) "
	    "VALUES (?, ?)");
	my_bind(&update, domain);
	my_bind(&update, ip);
	my_bind(&insert, domain);
	my_bind(&insert, ip);
	st = vmysql_put(s, MY_UPDATE, &update, &insert);
	my_query_free(&update);
	my_query_free(&insert);
	return st;
}

struct ip_walk { vstore_ip_fn *fn; void *arg; };

static int
walk_ip(void *arg, const struct my_row *row)
{
	struct ip_walk *w = arg;

	return w->fn(w->arg, str_c(&row->col[0]), str_c(&row->col[1]));
}

enum vstore_status
vmysql_ipmap_each(struct vstore *s, vstore_ip_fn *fn, void *arg,
    int *ended_out)
{
	struct ip_walk w = {fn, arg};
	struct my_query q = {0};
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_IPMAP, &v);

	if (st == VSTORE_NONE)
		return vfiles_ipmap_each(s, fn, arg, ended_out);
	if (st != VSTORE_OK)
		return st;
	str_cats(&q.sql, "SELECT ip_addr, domain FROM ip_alias_map "
	    "ORDER BY BINARY ip_addr");
	st = vmysql_done(s, my_walk(v->my, MY_READ, &q, walk_ip, &w,
	    ended_out));
	my_query_free(&q);
	return st;
}
