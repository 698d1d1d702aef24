/* vpop/schema_plan.c - statements that make and widen tables; see schema.h.
 * No statement here drops or narrows, and one table is one statement: it is
 * changed as a whole or not at all. */
#include "vpop/schema_defs.h"

#include <string.h>
#include <strings.h>

#define WIDE_QUOTA 64                   /* characters of pw_shell */

static void
cat_type(struct str *out, enum schema_kind kind, uint64_t size,
    bool is_unsigned)
{
	switch (kind) {
	case SCHEMA_CHAR:
		str_catf(out, "varchar(%u)", (unsigned)size);
		break;
	case SCHEMA_TEXT:
		str_cats(out, "text");
		break;
	case SCHEMA_INT:
	case SCHEMA_UINT:
		str_cats(out, size == 1 ? "tinyint" : size == 2 ? "smallint" :
		    size == 4 ? "int" : "bigint");
		if (is_unsigned)
			str_cats(out, " unsigned");
		break;
	}
}

static void
cat_column(struct str *out, int c)
{
	const struct schema_column_def *d = &schema_columns[c];

	str_catf(out, "`%s` ", d->name);
	cat_type(out, d->kind, d->size, d->kind == SCHEMA_UINT);
	str_catf(out, " %s", d->attrs);
}

void
schema_sql_create(enum schema_table t, const char *quoted_name,
    bool per_domain, struct str *out)
{
	bool alone = per_domain && t == SCHEMA_USERS;

	str_copys(out, "CREATE TABLE ");
	if (quoted_name != NULL)
		str_cats(out, quoted_name);
	else
		str_catf(out, "`%s`", schema_tables[t].name);
	str_cats(out, " (");
	for (int i = 0; i < SCHEMA_COLUMN_COUNT; i++)
		if (schema_columns[i].table == t &&
		    !(alone && i == SCHEMA_PW_DOMAIN)) {
			cat_column(out, i);
			str_cats(out, ", ");
		}
	str_cats(out, alone ? "PRIMARY KEY (`pw_name`)" :
	    schema_tables[t].keys);
	str_cats(out, ") ENGINE=InnoDB DEFAULT CHARSET=latin1");
}

static void
plan_add(struct schema_plan *p, const struct str *sql, const char *line)
{
	str_cat(&p->sql, sql);
	str_catc(&p->sql, '\0');
	str_cats(&p->lines, line);
	str_catc(&p->lines, '\0');
	p->n++;
}

void
schema_plan_create(const struct schema *s, const bool wanted[],
    bool per_domain, struct schema_plan *out)
{
	struct str sql = {0}, line = {0};

	*out = (struct schema_plan){0};
	for (int i = 0; i < SCHEMA_TABLE_COUNT; i++) {
		bool users = i == SCHEMA_USERS;

		if (!wanted[i] || (users ? per_domain || !s->no_accounts :
		    s->table[i]))
			continue;
		schema_sql_create((enum schema_table)i, NULL, per_domain,
		    &sql);
		str_clear(&line);
		str_catf(&line, "%s: new table", schema_tables[i].name);
		plan_add(out, &sql, str_c(&line));
	}
	str_free(&sql);
	str_free(&line);
}

/* What is found about the table that is being looked at, and the plan. */
struct upgrade {
	struct schema_plan *plan;
	enum schema_wide_quota quota;
	enum schema_layout layout;
	struct str table, sql, line;
	int id;                         /* of enum schema_table, -1: not ours */
	bool is_users, has_domain, has_passwd;
	bool there[SCHEMA_COLUMN_COUNT];
};

/* The columns of an answer about columns. */
enum { C_TABLE, C_NAME, C_TYPE, C_CHARS, C_FULL, C_NULLS, C_DEFAULT,
	C_HAS_DEFAULT, C_EXTRA, C_SET, C_COLLATION, C_COMMENT };

static void
cat_comma(struct upgrade *u)
{
	if (u->sql.len > 0)
		str_cats(&u->sql, ", ");
	if (u->line.len > 0)
		str_cats(&u->line, ", ");
}

/* MODIFY of a column to a wider type, with all else as it was. */
static void
widen(struct upgrade *u, const struct my_row *row, enum schema_kind kind,
    uint64_t size)
{
	bool is_unsigned = strstr(str_c(&row->col[C_FULL]), "unsigned") !=
	    NULL;

	cat_comma(u);
	str_catf(&u->sql, "MODIFY COLUMN `%s` ", str_c(&row->col[C_NAME]));
	cat_type(&u->sql, kind, size, is_unsigned);
	if (row->col[C_SET].len > 0)
		str_catf(&u->sql, " CHARACTER SET %s COLLATE %s",
		    str_c(&row->col[C_SET]), str_c(&row->col[C_COLLATION]));
	str_cats(&u->sql, str_eqs(&row->col[C_NULLS], "NO") ? " NOT NULL" :
	    " NULL");
	if (str_eqs(&row->col[C_HAS_DEFAULT], "1"))
		str_catf(&u->sql, " DEFAULT %s", str_c(&row->col[C_DEFAULT]));
	if (strcasecmp(str_c(&row->col[C_EXTRA]), "auto_increment") == 0)
		str_cats(&u->sql, " AUTO_INCREMENT");
	if (!str_eqs(&row->col[C_COMMENT], "''"))
		str_catf(&u->sql, " COMMENT %s", str_c(&row->col[C_COMMENT]));
	str_catf(&u->line, "%s %s to ", str_c(&row->col[C_NAME]),
	    str_c(&row->col[C_FULL]));
	cat_type(&u->line, kind, size, is_unsigned);
}

static void
look_at_column(struct upgrade *u, const struct my_row *row)
{
	enum schema_table t = u->id < 0 ? SCHEMA_USERS :
	    (enum schema_table)u->id;
	int c = schema_column_find(t, str_c(&row->col[C_NAME]));
	const struct schema_column_def *d;
	uint64_t bytes = schema_int_bytes(str_c(&row->col[C_TYPE]));
	uint64_t wanted;

	if (c < 0)
		return;
	d = &schema_columns[c];
	u->there[c] = true;
	u->has_domain |= c == SCHEMA_PW_DOMAIN;
	u->has_passwd |= c == SCHEMA_PW_PASSWD;
	wanted = c == SCHEMA_PW_SHELL && u->quota == SCHEMA_QUOTA_WIDEN ?
	    WIDE_QUOTA : d->size;
	if (d->kind == SCHEMA_CHAR &&
	    (str_eqs(&row->col[C_TYPE], "char") ||
	    str_eqs(&row->col[C_TYPE], "varchar")) &&
	    my_u(row, C_CHARS) < wanted)
		widen(u, row, SCHEMA_CHAR, wanted);
	else if ((d->kind == SCHEMA_INT || d->kind == SCHEMA_UINT) &&
	    bytes > 0 && bytes < wanted)
		widen(u, row, d->kind, wanted);
}

/* The table is known whole: what it lacks, and into the plan with it. */
static void
end_table(struct upgrade *u)
{
	/* accounts: one table or one per domain, and no copies of them */
	bool ours = u->id > SCHEMA_USERS || (u->id == SCHEMA_USERS &&
	    u->layout == SCHEMA_MANY) || (u->has_passwd && !u->has_domain &&
	    u->layout == SCHEMA_PER_DOMAIN);
	enum schema_table t = u->id < 0 ? SCHEMA_USERS :
	    (enum schema_table)u->id;

	for (int i = 0; i < SCHEMA_COLUMN_COUNT && ours; i++) {
		const struct schema_column_def *d = &schema_columns[i];

		if (u->table.len == 0 || d->table != t || u->there[i] ||
		    d->need == SCHEMA_NEW ||
		    (i == SCHEMA_PW_DOMAIN && !u->has_domain))
			continue;
		cat_comma(u);
		str_cats(&u->sql, "ADD COLUMN ");
		cat_column(&u->sql, i);
		str_catf(&u->line, "%s new", d->name);
	}
	if (u->table.len > 0 && ours && u->sql.len > 0) {
		struct str sql = {0}, line = {0};

		str_cats(&sql, "ALTER TABLE `");
		for (size_t i = 0; i < u->table.len; i++) {
			str_catc(&sql, u->table.s[i]);
			if (u->table.s[i] == '`')
				str_catc(&sql, '`');
		}
		str_catf(&sql, "` %s", str_c(&u->sql));
		str_catf(&line, "%s: %s", str_c(&u->table), str_c(&u->line));
		plan_add(u->plan, &sql, str_c(&line));
		str_free(&sql);
		str_free(&line);
	}
	str_clear(&u->sql);
	str_clear(&u->line);
	memset(u->there, 0, sizeof u->there);
	u->has_domain = u->has_passwd = false;
}

static int
take_row(void *arg, const struct my_row *row)
{
	struct upgrade *u = arg;

	if (!str_eqs(&u->table, str_c(&row->col[C_TABLE]))) {
		end_table(u);
		str_copy(&u->table, &row->col[C_TABLE]);
		u->id = schema_table_find(str_c(&u->table));
	}
	look_at_column(u, row);
	return 0;
}

enum vstore_status
schema_plan_upgrade(struct my *m, enum schema_wide_quota quota,
    struct schema_plan *out)
{
	struct upgrade u = {.plan = out, .quota = quota, .id = -1};
	struct my_query q = {0};
	enum vstore_status st;
	struct schema s;
	int ended;

	*out = (struct schema_plan){0};
	if ((st = schema_load(m, &s)) != VSTORE_OK)
		return st;
	u.layout = s.layout;
	schema_free(&s);
	str_copys(&q.sql, "SELECT c.table_name, c.column_name, c.data_type, "
	    "COALESCE(c.character_maximum_length, 0), c.column_type, "
	    "c.is_nullable, c.column_default, "
	    "c.column_default IS NOT NULL, c.extra, c.character_set_name, "
	    "c.collation_name, QUOTE(c.column_comment) "
	    "FROM information_schema.columns c "
	    "JOIN information_schema.tables t "
	    "ON t.table_schema = c.table_schema "
	    "AND t.table_name = c.table_name "
	    "WHERE c.table_schema = DATABASE() "
	    "AND t.table_type = 'BASE TABLE' "
	    "ORDER BY BINARY c.table_name, c.ordinal_position");
	st = my_walk(m, MY_UPDATE, &q, take_row, &u, &ended);
	my_query_free(&q);
	end_table(&u);
	str_free(&u.table);
	str_free(&u.sql);
	str_free(&u.line);
	if (st == VSTORE_OK)
		return st;
	schema_plan_free(out);
	return VSTORE_TEMP;
}

enum vstore_status
schema_run(struct my *m, const struct schema_plan *p, schema_done_fn *done,
    void *arg)
{
	struct my_query q = {0};
	enum vstore_status st = VSTORE_OK;
	const char *sql = str_c(&p->sql), *line = str_c(&p->lines);

	for (size_t i = 0; i < p->n && st == VSTORE_OK; i++) {
		str_copys(&q.sql, sql);
		st = my_run(m, MY_UPDATE, &q, NULL, NULL, NULL);
		if (st == VSTORE_OK)
			done(arg, line);
		sql += strlen(sql) + 1;
		line += strlen(line) + 1;
	}
	my_query_free(&q);
	return st;
}

void
schema_plan_free(struct schema_plan *p)
{
	str_free(&p->sql);
	str_free(&p->lines);
	*p = (struct schema_plan){0};
}
