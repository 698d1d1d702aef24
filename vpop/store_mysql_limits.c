/* vpop/store_mysql_limits.c - limits of domains in MariaDB; see store_mysql.h.
 *
 * Every column is read and written by its name.  The original reads its
 * columns from perm_maillist on by position, one too far left: what is right
 * here it shows wrongly.  perm_maillist has three fields of three bits (lists,
 * users, moderators); in the column it has had, a tinyint, the moderators do
 * not fit: that is refused, and vschema --upgrade widens it. */
#include "vpop/store_mysql.h"

#include <stddef.h>

static const struct number {
	enum schema_column column;
	enum { SIGNED, UNSIGNED, PERM } kind;
	size_t off;
} numbers[] = {
#define SIGNED(id, field)                                                     \
	{SCHEMA_LI_##id, SIGNED, offsetof(struct vlimits, field)}
#define UNSIGNED(id, field)                                                   \
	{SCHEMA_LI_##id, UNSIGNED, offsetof(struct vlimits, field)}
#define PERM(id, field)                                                       \
	{SCHEMA_LI_##id, PERM, offsetof(struct vlimits, field)}
	SIGNED(ACCOUNTS, maxpopaccounts),
	SIGNED(ALIASES, maxaliases),
	SIGNED(FORWARDS, maxforwards),
	SIGNED(AUTORESPONDERS, maxautoresponders),
	SIGNED(LISTS, maxmailinglists),
	UNSIGNED(DISKQUOTA, diskquota_mb),
	UNSIGNED(MAXMSGCOUNT, maxmsgcount),
	UNSIGNED(DEFAULTQUOTA, defaultquota),
	UNSIGNED(DEFAULTMAX, defaultmaxmsgcount),
	PERM(PERM_ACCOUNT, perm_account),
	PERM(PERM_ALIAS, perm_alias),
	PERM(PERM_FORWARD, perm_forward),
	PERM(PERM_AUTORESPONDER, perm_autoresponder),
	PERM(PERM_QUOTA, perm_quota),
	PERM(PERM_DEFAULTQUOTA, perm_defaultquota),
#undef SIGNED
#undef UNSIGNED
#undef PERM
};
#define NUMBERS (sizeof numbers / sizeof numbers[0])

static const struct { enum schema_column column; uint32_t bit; } flags[] = {
	{SCHEMA_LI_NO_POP, VPOP_NO_POP},
	{SCHEMA_LI_NO_IMAP, VPOP_NO_IMAP},
	{SCHEMA_LI_NO_DIALUP, VPOP_NO_DIALUP},
	{SCHEMA_LI_NO_PASSWD, VPOP_NO_PASSWD_CHNG},
	{SCHEMA_LI_NO_WEBMAIL, VPOP_NO_WEBMAIL},
	{SCHEMA_LI_NO_RELAY, VPOP_NO_RELAY},
	{SCHEMA_LI_NO_SMTP, VPOP_NO_SMTP},
	{SCHEMA_LI_NO_SPAMASSASSIN, VPOP_NO_SPAMASSASSIN},
	{SCHEMA_LI_DELETE_SPAM, VPOP_DELETE_SPAM},
	{SCHEMA_LI_NO_MAILDROP, VPOP_NO_MAILDROP},
};
#define FLAGS (sizeof flags / sizeof flags[0])

#define MAILLIST_SHIFT_USERS 3
#define MAILLIST_SHIFT_MODERATORS 6
#define MAILLIST_TINY 127               /* the most a tinyint holds */

/* Columns of a row, in order: the table's own, those that are there. */
struct columns {
	enum schema_column c[NUMBERS + FLAGS + 1];
	size_t n;
};

static void
columns_find(const struct schema *s, struct columns *out)
{
	out->n = 0;
	for (size_t i = 0; i < NUMBERS; i++)
		if (s->there[numbers[i].column])
			out->c[out->n++] = numbers[i].column;
	for (size_t i = 0; i < FLAGS; i++)
		if (s->there[flags[i].column])
			out->c[out->n++] = flags[i].column;
	if (s->there[SCHEMA_LI_PERM_MAILLIST])
		out->c[out->n++] = SCHEMA_LI_PERM_MAILLIST;
}

static unsigned
maillist_of(const struct vlimits *l)
{
	return l->perm_maillist |
	    l->perm_maillist_users << MAILLIST_SHIFT_USERS |
	    l->perm_maillist_moderators << MAILLIST_SHIFT_MODERATORS;
}

/* The value of a column, as the table has it. */
static void
value_get(const struct vlimits *l, enum schema_column c, int64_t *i,
    uint64_t *u)
{
	const char *base = (const char *)l;

	*i = -1;
	*u = 0;
	for (size_t k = 0; k < NUMBERS; k++) {
		const void *at = base + numbers[k].off;

		if (numbers[k].column != c)
			continue;
		if (numbers[k].kind == SIGNED)
			*i = *(const int64_t *)at;
		else
			*u = numbers[k].kind == UNSIGNED ?
			    *(const uint64_t *)at : *(const unsigned *)at;
	}
	for (size_t k = 0; k < FLAGS; k++)
		if (flags[k].column == c)
			*u = (l->disable & flags[k].bit) != 0;
	if (c == SCHEMA_LI_PERM_MAILLIST)
		*u = maillist_of(l);
}

static bool
is_signed(enum schema_column c)
{
	for (size_t k = 0; k < NUMBERS; k++)
		if (numbers[k].column == c)
			return numbers[k].kind == SIGNED;
	return false;
}

static void
value_set(struct vlimits *l, enum schema_column c, const struct my_row *row,
    size_t col)
{
	char *base = (char *)l;
	uint64_t u = my_i(row, col) < 0 ? 0 : my_u(row, col);

	for (size_t k = 0; k < NUMBERS; k++) {
		void *at = base + numbers[k].off;

		if (numbers[k].column != c)
			continue;
		if (numbers[k].kind == SIGNED)
			*(int64_t *)at = my_i(row, col) < 0 ? -1 :
			    my_i(row, col);
		else if (numbers[k].kind == UNSIGNED)
			*(uint64_t *)at = u;
		else
			*(unsigned *)at = (unsigned)u & 7;
	}
	for (size_t k = 0; k < FLAGS; k++)
		if (flags[k].column == c && u != 0)
			l->disable |= flags[k].bit;
	if (c == SCHEMA_LI_PERM_MAILLIST) {
		l->perm_maillist = (unsigned)u & 7;
		l->perm_maillist_users =
		    (unsigned)(u >> MAILLIST_SHIFT_USERS) & 7;
		l->perm_maillist_moderators =
		    (unsigned)(u >> MAILLIST_SHIFT_MODERATORS) & 7;
	}
}

struct taking { const struct columns *columns; struct vlimits *out; };

static int
take_limits(void *arg, const struct my_row *row)
{
	struct taking *t = arg;

	for (size_t i = 0; i < t->columns->n; i++)
		value_set(t->out, t->columns->c[i], row, i);
	return 1;
}

enum vstore_status
vmysql_limits_get(struct vstore *s, const struct vdomain_ref *d,
    struct vlimits *out)
{
	struct columns columns;
	struct taking t = {&columns, out};
	struct my_query q = {0};
	struct my_done done = {0};
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_LIMITS, &v);

	if (st == VSTORE_NONE)
		return vfiles_limits_get(s, d, out);
	if (st != VSTORE_OK)
		return st;
	columns_find(&v->schema, &columns);
	str_cats(&q.sql, "SELECT ");
	for (size_t i = 0; i < columns.n; i++)
		str_catf(&q.sql, "%s, ", schema_column_name(columns.c[i]));
	str_cats(&q.sql, "domain FROM `limits` WHERE domain = ?");
	my_bind(&q, d->name);
	st = vmysql_run(s, MY_READ, &q, take_limits, &t, &done);
	my_query_free(&q);
	return st == VSTORE_OK && done.rows == 0 ? VSTORE_NONE : st;
}

/* What is limited must have its column, and fit it. */
static enum vstore_status
check_fits(struct vstore *s, const struct schema *schema,
    const struct vlimits *l)
{
	for (int c = 0; c < SCHEMA_COLUMN_COUNT; c++) {
		int64_t i;
		uint64_t u;

		value_get(l, (enum schema_column)c, &i, &u);
		if ((i == -1 && u == 0) || schema->there[c])
			continue;
		return vstore_fail(s, VSTORE_WIDE, "the table limits has no "
		    "column %s: vschema --upgrade adds it",
		    schema_column_name((enum schema_column)c));
	}
	if (maillist_of(l) > MAILLIST_TINY &&
	    schema->width[SCHEMA_LI_PERM_MAILLIST] < 2)
		return vstore_fail(s, VSTORE_WIDE, "permissions for "
		    "moderators of lists do not fit the column "
		    "perm_maillist: vschema --upgrade widens it");
	return VSTORE_OK;
}

static void
bind_limits(struct my_query *q, const struct columns *columns,
    const struct vlimits *l, const char *domain)
{
	for (size_t k = 0; k < columns->n; k++) {
		int64_t i;
		uint64_t u;

		value_get(l, columns->c[k], &i, &u);
		if (is_signed(columns->c[k]))
			my_bind_i(q, i);
		else
			my_bind_u(q, u);
	}
	my_bind(q, domain);
}

enum vstore_status
vmysql_limits_set(struct vstore *s, const struct vdomain_ref *d,
    const struct vlimits *l)
{
	struct my_query update = {0}, insert = {0};
	struct columns columns;
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_LIMITS, &v);

	if (st == VSTORE_NONE)
		return vfiles_limits_set(s, d, l);
	if (st == VSTORE_OK)
		st = check_fits(s, &v->schema, l);
	if (st != VSTORE_OK)
		return st;
	columns_find(&v->schema, &columns);
	str_cats(&update.sql, "UPDATE `limits` SET ");
	str_cats(&insert.sql, "INSERT INTO `limits` (");
	for (size_t i = 0; i < columns.n; i++) {
		const char *name = schema_column_name(columns.c[i]);

		str_catf(&update.sql, "%s%s = ?", i > 0 ? ", " : "", name);
		str_catf(&insert.sql, "%s, ", name);
	}
	str_cats(&update.sql, " WHERE domain = ?");
	str_cats(&insert.sql, "domain) VALUES (");
	for (size_t i = 0; i < columns.n; i++)
		str_cats(&insert.sql, "?, ");
	str_cats(&insert.sql, "?)");
	bind_limits(&update, &columns, l, d->name);
	bind_limits(&insert, &columns, l, d->name);
	st = vmysql_put(s, MY_UPDATE, &update, &insert);
	my_query_free(&update);
	my_query_free(&insert);
	return st;
}

enum vstore_status
vmysql_limits_del(struct vstore *s, const struct vdomain_ref *d)
{
	struct my_done done = {0};
	struct vmysql *v;
	enum vstore_status st = vmysql_table(s, SCHEMA_LIMITS, &v);

	if (st == VSTORE_NONE)
		return vfiles_limits_del(s, d);
	if (st == VSTORE_OK)
		st = vmysql_delete(s, SCHEMA_LIMITS, SCHEMA_LI_DOMAIN, d->name,
		    SCHEMA_LI_DOMAIN, NULL, &done);
	return st == VSTORE_OK && done.rows == 0 && !done.again ?
	    VSTORE_NONE : st;
}
