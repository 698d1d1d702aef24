/* vpop/schema.c - what tables are, and what a database has; see schema.h. */
#include "vpop/schema.h"

#include "vpop/schema_defs.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TABLE_NAME_MAX 64               /* of the server */

const struct schema_table_def schema_tables[SCHEMA_TABLE_COUNT] = {
#define X(id, name, keys) {name, keys},
	SCHEMA_TABLES(X)
#undef X
};

const struct schema_column_def schema_columns[SCHEMA_COLUMN_COUNT] = {
#define X(table, id, name, kind, size, attrs, need)                           \
	{SCHEMA_##table, name, SCHEMA_##kind, size, attrs, SCHEMA_##need},
	SCHEMA_COLUMNS(X)
#undef X
};

const char *
schema_table_name(enum schema_table t)
{
	return schema_tables[t].name;
}

const char *
schema_column_name(enum schema_column c)
{
	return schema_columns[c].name;
}

int
schema_column_find(enum schema_table t, const char *name)
{
	for (int i = 0; i < SCHEMA_COLUMN_COUNT; i++)
		if (schema_columns[i].table == t &&
		    strcasecmp(schema_columns[i].name, name) == 0)
			return i;
	return -1;
}

int
schema_table_find(const char *name)
{
	for (int i = 0; i < SCHEMA_TABLE_COUNT; i++)
		if (strcmp(schema_tables[i].name, name) == 0)
			return i;
	return -1;
}

uint64_t
schema_int_bytes(const char *data_type)
{
	static const struct { const char *name; uint64_t n; } types[] = {
		{"tinyint", 1}, {"smallint", 2}, {"mediumint", 3}, {"int", 4},
		{"bigint", 8},
	};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strcasecmp(types[i].name, data_type) == 0)
			return types[i].n;
	return 0;
}

/* Columns: table, column, data_type, characters, character set. */
static int
take_column(void *arg, const struct my_row *row)
{
	struct schema *s = arg;
	int t = schema_table_find(str_c(&row->col[0])), c;
	uint64_t bytes = schema_int_bytes(str_c(&row->col[2]));

	if (t < 0)
		return 0;
	s->table[t] = true;
	c = schema_column_find((enum schema_table)t, str_c(&row->col[1]));
	if (c < 0)
		return 0;               /* somebody else's */
	s->there[c] = true;
	s->width[c] = bytes > 0 ? bytes : my_u(row, 3);
	if (c == SCHEMA_PW_GECOS)
		str_copy(&s->charset, &row->col[4]);
	return 0;
}

/* Of all tables of a domain's accounts: column, narrowest, how many tables,
 * character set. */
struct per_domain { struct schema *s; uint64_t tables; };

static int
take_narrowest(void *arg, const struct my_row *row)
{
	struct per_domain *p = arg;
	int c = schema_column_find(SCHEMA_USERS, str_c(&row->col[0]));
	uint64_t tables = my_u(row, 2);

	if (c < 0)
		return 0;
	if (c == SCHEMA_PW_PASSWD)      /* comes first */
		p->tables = tables;
	p->s->there[c] = tables == p->tables;
	p->s->width[c] = my_u(row, 1);
	if (c == SCHEMA_PW_GECOS)
		str_copy(&p->s->charset, &row->col[3]);
	return 0;
}

static enum vstore_status
load_per_domain(struct my *m, struct schema *s)
{
	struct per_domain p = {s, 0};
	struct my_query q = {0};
	enum vstore_status st;

	str_copys(&q.sql, "SELECT c.column_name, "
	    "MIN(COALESCE(c.character_maximum_length, 4)), COUNT(*), "
	    "COALESCE(MIN(c.character_set_name), '') "
	    "FROM information_schema.columns c "
	    "WHERE c.table_schema = DATABASE() "
	    "AND c.column_name LIKE 'pw\\_%' AND c.table_name IN "
	    "(SELECT a.table_name FROM information_schema.columns a "
	    "WHERE a.table_schema = DATABASE() "
	    "AND a.column_name = 'pw_passwd') AND c.table_name NOT IN "
	    "(SELECT b.table_name FROM information_schema.columns b "
	    "WHERE b.table_schema = DATABASE() "
	    "AND b.column_name = 'pw_domain') GROUP BY c.column_name "
	    "ORDER BY c.column_name <> 'pw_passwd'");
	for (int i = 0; i < SCHEMA_COLUMN_COUNT; i++)
		if (schema_columns[i].table == SCHEMA_USERS)
			s->there[i] = false;
	st = my_run(m, MY_READ, &q, take_narrowest, &p, NULL);
	my_query_free(&q);
	if (st != VSTORE_OK)
		return VSTORE_TEMP;
	if (p.tables > 0)
		s->layout = SCHEMA_PER_DOMAIN;
	s->no_accounts = p.tables == 0;
	s->table[SCHEMA_USERS] = p.tables > 0;
	return VSTORE_OK;
}

/* A layout without any account yet: as a new table will be. */
static void
expect_new_tables(struct schema *s)
{
	for (int i = 0; i < SCHEMA_COLUMN_COUNT; i++)
		if (schema_columns[i].table == SCHEMA_USERS) {
			s->there[i] = i != SCHEMA_PW_DOMAIN;
			s->width[i] = schema_columns[i].size;
		}
	s->table[SCHEMA_USERS] = true;
	s->layout = SCHEMA_PER_DOMAIN;
}

enum vstore_status
schema_load(struct my *m, struct schema *out)
{
	struct my_query q = {0};
	enum vstore_status st;

	*out = (struct schema){0};
	str_copys(&q.sql, "SELECT table_name, column_name, data_type, "
	    "COALESCE(character_maximum_length, 0), "
	    "COALESCE(character_set_name, '') FROM information_schema.columns "
	    "WHERE table_schema = DATABASE() AND table_name IN (");
	for (int i = 0; i < SCHEMA_TABLE_COUNT; i++) {
		str_cats(&q.sql, i == 0 ? "?" : ", ?");
		my_bind(&q, schema_tables[i].name);
	}
	str_catc(&q.sql, ')');
	st = my_run(m, MY_READ, &q, take_column, out, NULL);
	my_query_free(&q);
	if (st == VSTORE_OK && out->there[SCHEMA_PW_DOMAIN])
		out->layout = SCHEMA_MANY;
	else if (st == VSTORE_OK)
		st = load_per_domain(m, out);
	if (st == VSTORE_OK && out->layout == SCHEMA_NONE &&
	    out->table[SCHEMA_DIRCTL])
		expect_new_tables(out);
	if (out->charset.len == 0)
		str_copys(&out->charset, "latin1");
	if (st == VSTORE_OK)
		return st;
	schema_free(out);
	return VSTORE_TEMP;
}

void
schema_free(struct schema *s)
{
	str_free(&s->charset);
	*s = (struct schema){0};
}

const char *
schema_lacks(const struct schema *s, enum schema_table t)
{
	for (int i = 0; i < SCHEMA_COLUMN_COUNT; i++)
		if (schema_columns[i].table == t &&
		    schema_columns[i].need == SCHEMA_NEED && !s->there[i] &&
		    !(i == SCHEMA_PW_DOMAIN &&
		    s->layout == SCHEMA_PER_DOMAIN))
			return schema_columns[i].name;
	return NULL;
}

int
schema_users_table(const struct schema *s, const char *domain,
    struct str *out)
{
	struct str name = {0};
	int r = -1;

	str_clear(out);
	if (s->layout != SCHEMA_PER_DOMAIN) {
		str_copys(out, "`vpopmail`");
		return 0;
	}
	for (const char *p = domain; *p != '\0'; p++)
		if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ||
		    *p == '_')
			str_catc(&name, *p);
		else if (*p == '.' || *p == '-')
			str_catc(&name, '_');
		else
			goto done;
	if (name.len > 0 && name.len <= TABLE_NAME_MAX &&
	    schema_table_find(str_c(&name)) < 0) {
		str_catf(out, "`%s`", str_c(&name));
		r = 0;
	}
done:
	str_free(&name);
	return r;
}
