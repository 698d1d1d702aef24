/* test_schema.c - what a database has and lacks, with a server that is played:
 * the answers of information_schema stand here. */
#include "vpop/schema.h"

#include "TESTS/unit/unit.h"

/* The played server: rows of the first, second and third question, NULL ends
 * a row and a list. */
static const char *const (*answers[4])[12];
static size_t asked;
static bool is_down;
static struct str ran;                  /* statements that change */

static int
play(my_row_fn *fn, void *arg)
{
	const char *const (*rows)[12] = answers[asked++];
	struct my_row row = {0};
	int r = 0;

	for (; rows != NULL && (*rows)[0] != NULL && r == 0; rows++) {
		row.n = 0;
		for (size_t i = 0; i < 12 && (*rows)[i] != NULL; i++)
			str_copys(&row.col[row.n++], (*rows)[i]);
		r = fn(arg, &row);
	}
	for (size_t i = 0; i < MY_COLS; i++)
		str_free(&row.col[i]);
	return r;
}

enum vstore_status
my_run(struct my *m, enum my_role role, const struct my_query *q,
    my_row_fn *fn, void *arg, struct my_done *out)
{
	(void)m;
	(void)role;
	(void)out;
	if (is_down)
		return VSTORE_TEMP;
	if (fn == NULL)
		str_catf(&ran, "%s;", str_c(&q->sql));
	else
		(void)play(fn, arg);
	return VSTORE_OK;
}

enum vstore_status
my_walk(struct my *m, enum my_role role, const struct my_query *q,
    my_row_fn *fn, void *arg, int *ended_out)
{
	(void)m;
	(void)role;
	(void)q;
	if (is_down)
		return VSTORE_TEMP;
	*ended_out = play(fn, arg);
	return VSTORE_OK;
}

static void
answer(const char *const (*a)[12], const char *const (*b)[12],
    const char *const (*c)[12])
{
	answers[0] = a;
	answers[1] = b;
	answers[2] = c;
	asked = 0;
}

/* table, column, type, characters, character set */
static const char *const many[][12] = {
	{"vpopmail", "pw_name", "char", "32", "latin1"},
	{"vpopmail", "pw_domain", "char", "96", "latin1"},
	{"vpopmail", "pw_passwd", "char", "40", "latin1"},
	{"vpopmail", "PW_UID", "int", "0", ""},
	{"vpopmail", "pw_gid", "int", "0", ""},
	{"vpopmail", "pw_gecos", "char", "48", "utf8mb4"},
	{"vpopmail", "pw_dir", "char", "160", "latin1"},
	{"vpopmail", "pw_shell", "char", "20", "latin1"},
	{"vpopmail", "colour", "char", "7", "latin1"},
	{"limits", "domain", "char", "96", "latin1"},
	{"limits", "perm_maillist", "tinyint", "0", ""},
	{"lastauth", "user", "char", "32", "latin1"},
	{NULL},
};

static void
test_many(void **state)
{
	struct schema s;
	struct str name = {0};

	(void)state;
	answer(many, NULL, NULL);
	assert_int_equal(schema_load(NULL, &s), VSTORE_OK);
	assert_int_equal(asked, 1);
	assert_int_equal(s.layout, SCHEMA_MANY);
	assert_false(s.no_accounts);
	assert_int_equal(s.width[SCHEMA_PW_NAME], 32);
	assert_int_equal(s.width[SCHEMA_PW_PASSWD], 40);
	assert_true(s.there[SCHEMA_PW_UID]);
	assert_false(s.there[SCHEMA_PW_CLEAR]);
	assert_int_equal(s.width[SCHEMA_LI_PERM_MAILLIST], 1);
	assert_string_equal(str_c(&s.charset), "utf8mb4");
	assert_true(s.table[SCHEMA_LIMITS] && s.table[SCHEMA_LASTAUTH]);
	assert_false(s.table[SCHEMA_VALIAS] || s.table[SCHEMA_DIRCTL]);
	/* a table whose column is missing is named by it */
	assert_null(schema_lacks(&s, SCHEMA_USERS));
	assert_null(schema_lacks(&s, SCHEMA_LIMITS));
	assert_string_equal(schema_lacks(&s, SCHEMA_LASTAUTH), "domain");
	assert_int_equal(schema_users_table(&s, "x.example`", &name), 0);
	assert_string_equal(str_c(&name), "`vpopmail`");
	schema_free(&s);
	str_free(&name);
}

static const char *const beside[][12] = {
	{"dir_control", "domain", "char", "96", "latin1"},
	{NULL},
};
/* column, narrowest, tables, character set */
static const char *const per[][12] = {
	{"pw_passwd", "40", "3", "latin1"},
	{"pw_name", "32", "3", "latin1"},
	{"pw_clear_passwd", "16", "2", "latin1"},
	{"pw_uid", "4", "3", ""},
	{"pw_gid", "4", "3", ""},
	{"pw_gecos", "48", "3", "latin2"},
	{"pw_dir", "160", "3", "latin1"},
	{"pw_shell", "20", "3", "latin1"},
	{"pw_other", "20", "3", "latin1"},
	{NULL},
};

static const struct { const char *domain, *table; } names[] = {
	{"example.com", "`example_com`"},
	{"a-b.c-d.example", "`a_b_c_d_example`"},
	{"1.2", "`1_2`"},
	{"vpopmail", NULL}, {"valias", NULL}, {"dir-control", NULL},
	{"", NULL}, {"a`b", NULL}, {"a b", NULL}, {"A.b", NULL},
	{"\303\244.example", NULL},
	{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
	    "`aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_example`"},
	{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
	    NULL},
};

static void
test_per_domain(void **state)
{
	struct schema s;
	struct str name = {0};

	(void)state;
	answer(beside, per, NULL);
	assert_int_equal(schema_load(NULL, &s), VSTORE_OK);
	assert_int_equal(s.layout, SCHEMA_PER_DOMAIN);
	assert_false(s.no_accounts);
	assert_int_equal(s.width[SCHEMA_PW_NAME], 32);
	assert_null(schema_lacks(&s, SCHEMA_USERS));
	/* a column of some tables only is no column */
	assert_false(s.there[SCHEMA_PW_CLEAR]);
	assert_string_equal(str_c(&s.charset), "latin2");
	for (size_t i = 0; i < N_OF(names); i++) {
		assert_int_equal(schema_users_table(&s, names[i].domain,
		    &name), names[i].table == NULL ? -1 : 0);
		if (names[i].table != NULL)
			assert_string_equal(str_c(&name), names[i].table);
	}
	schema_free(&s);
	str_free(&name);
}

static void
test_nothing(void **state)
{
	struct schema s;

	(void)state;
	answer(NULL, NULL, NULL);
	assert_int_equal(schema_load(NULL, &s), VSTORE_OK);
	assert_int_equal(s.layout, SCHEMA_NONE);
	assert_true(s.no_accounts);
	schema_free(&s);
	/* the other tables without accounts: they will be in tables */
	answer(beside, NULL, NULL);
	assert_int_equal(schema_load(NULL, &s), VSTORE_OK);
	assert_int_equal(s.layout, SCHEMA_PER_DOMAIN);
	assert_true(s.no_accounts);
	assert_int_equal(s.width[SCHEMA_PW_PASSWD], 128);
	assert_null(schema_lacks(&s, SCHEMA_USERS));
	schema_free(&s);
	is_down = true;
	assert_int_equal(schema_load(NULL, &s), VSTORE_TEMP);
	is_down = false;
}

static void
test_create(void **state)
{
	struct str sql = {0};

	(void)state;
	schema_sql_create(SCHEMA_IPMAP, NULL, false, &sql);
	assert_string_equal(str_c(&sql), "CREATE TABLE `ip_alias_map` "
	    "(`ip_addr` varchar(39) NOT NULL, "
	    "`domain` varchar(96) DEFAULT NULL, PRIMARY KEY (`ip_addr`)) "
	    "ENGINE=InnoDB DEFAULT CHARSET=latin1");
	schema_sql_create(SCHEMA_USERS, "`d_example`", true, &sql);
	assert_string_equal(str_c(&sql), "CREATE TABLE `d_example` "
	    "(`pw_name` varchar(64) NOT NULL, "
	    "`pw_passwd` varchar(128) DEFAULT NULL, "
	    "`pw_uid` int DEFAULT NULL, `pw_gid` int DEFAULT NULL, "
	    "`pw_gecos` varchar(64) DEFAULT NULL, "
	    "`pw_dir` varchar(160) DEFAULT NULL, "
	    "`pw_shell` varchar(20) DEFAULT NULL, "
	    "`pw_clear_passwd` varchar(128) DEFAULT NULL, "
	    "PRIMARY KEY (`pw_name`)) ENGINE=InnoDB DEFAULT CHARSET=latin1");
	str_free(&sql);
}

static size_t
created(bool per_domain, const char *const (*a)[12],
    const char *const (*b)[12])
{
	bool all[SCHEMA_TABLE_COUNT];
	struct schema s;
	struct schema_plan p;
	size_t n;

	for (size_t i = 0; i < N_OF(all); i++)
		all[i] = true;
	answer(a, b, NULL);
	assert_int_equal(schema_load(NULL, &s), VSTORE_OK);
	schema_plan_create(&s, all, per_domain, &p);
	n = p.n;
	schema_plan_free(&p);
	schema_free(&s);
	return n;
}

static void
test_plan_create(void **state)
{
	(void)state;
	assert_int_equal(created(false, NULL, NULL), 9);
	assert_int_equal(created(true, NULL, NULL), 8);
	assert_int_equal(created(false, many, NULL), 6);
	/* what holds accounts is not made again, and no second layout */
	assert_int_equal(created(false, beside, per), 7);
	assert_int_equal(created(false, beside, NULL), 8);
}

/* table, column, type, characters, full type, nullable, default, has one,
 * extra, character set, collation, comment */
static const char *const full[][12] = {
	{"limits", "domain", "char", "96", "char(96)", "NO", "", "0", "",
	    "latin1", "latin1_swedish_ci", "''"},
	{"limits", "perm_maillist", "tinyint", "0", "tinyint(4)", "NO", "0",
	    "1", "", "", "", "''"},
	{"limits", "diskquota", "int", "0", "int(12) unsigned", "YES", "NULL",
	    "1", "", "", "", "'it\\'s'"},
	{"valias", "alias", "varchar", "65", "varchar(65)", "NO", "", "0", "",
	    "latin1", "latin1_bin", "''"},
	{"valias", "domain", "varchar", "96", "varchar(96)", "NO", "", "0", "",
	    "latin1", "latin1_bin", "''"},
	{"valias", "valias_line", "text", "65535", "text", "NO", "", "0", "",
	    "latin1", "latin1_bin", "''"},
	{"vpopmail", "pw_name", "char", "32", "char(32)", "NO", "", "0", "",
	    "latin1", "latin1_bin", "''"},
	{"vpopmail", "pw_domain", "char", "96", "char(96)", "NO", "", "0", "",
	    "latin1", "latin1_bin", "''"},
	{"vpopmail", "pw_shell", "char", "20", "char(20)", "YES", "'NOQUOTA'",
	    "1", "", "latin1", "latin1_bin", "''"},
	{"vpopmail", "mine", "char", "1", "char(1)", "YES", "NULL", "1", "",
	    "latin1", "latin1_bin", "''"},
	{"vpopmail_old", "pw_name", "char", "32", "char(32)", "NO", "", "0",
	    "", "latin1", "latin1_bin", "''"},
	{"vpopmail_old", "pw_passwd", "char", "40", "char(40)", "NO", "", "0",
	    "", "latin1", "latin1_bin", "''"},
	{NULL},
};

static void
done(void *arg, const char *line)
{
	str_catf(arg, "%s\n", line);
}

static void
test_upgrade(void **state)
{
	static const char sql[] =
	    "ALTER TABLE `limits` MODIFY COLUMN `perm_maillist` smallint "
	    "NOT NULL DEFAULT 0, MODIFY COLUMN `diskquota` bigint unsigned "
	    "NULL DEFAULT NULL COMMENT 'it\\'s', ADD COLUMN "
	    "`maxpopaccounts` int NOT NULL DEFAULT -1, ";
	static const char users[] = "ALTER TABLE `vpopmail` MODIFY COLUMN "
	    "`pw_name` varchar(64) CHARACTER SET latin1 COLLATE latin1_bin "
	    "NOT NULL, ADD COLUMN `pw_passwd` varchar(128) DEFAULT NULL, "
	    "ADD COLUMN `pw_uid` int DEFAULT NULL, "
	    "ADD COLUMN `pw_gid` int DEFAULT NULL, "
	    "ADD COLUMN `pw_gecos` varchar(64) DEFAULT NULL, "
	    "ADD COLUMN `pw_dir` varchar(160) DEFAULT NULL;";
	struct schema_plan p;
	struct str said = {0};

	(void)state;
	answer(many, full, NULL);
	assert_int_equal(schema_plan_upgrade(NULL, SCHEMA_QUOTA_KEEP, &p),
	    VSTORE_OK);
	assert_int_equal(p.n, 2);
	assert_int_equal(schema_run(NULL, &p, done, &said), VSTORE_OK);
	assert_int_equal(strncmp(str_c(&ran), sql, sizeof sql - 1), 0);
	assert_string_equal(strchr(str_c(&ran), ';') + 1, users);
	assert_non_null(strstr(str_c(&said), "limits: perm_maillist "
	    "tinyint(4) to smallint, diskquota int(12) unsigned to "
	    "bigint unsigned, maxpopaccounts new, "));
	assert_non_null(strstr(str_c(&said), "\nvpopmail: pw_name char(32) to "
	    "varchar(64), pw_passwd new, "));
	schema_plan_free(&p);
	str_clear(&ran);
	/* the quota only when it is asked for */
	answer(many, full, NULL);
	assert_int_equal(schema_plan_upgrade(NULL, SCHEMA_QUOTA_WIDEN, &p),
	    VSTORE_OK);
	assert_int_equal(schema_run(NULL, &p, done, &said), VSTORE_OK);
	assert_non_null(strstr(str_c(&ran), "`pw_shell` varchar(64) CHARACTER "
	    "SET latin1 COLLATE latin1_bin NULL DEFAULT 'NOQUOTA', "));
	schema_plan_free(&p);
	is_down = true;
	assert_int_equal(schema_plan_upgrade(NULL, SCHEMA_QUOTA_KEEP, &p),
	    VSTORE_TEMP);
	is_down = false;
	str_free(&ran);
	str_free(&said);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_per_domain),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_plan_create),
		cmocka_unit_test(test_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
