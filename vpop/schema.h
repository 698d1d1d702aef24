/* vpop/schema.h - vpopmail's tables: what they are, what a database has of
 * them, and how it gets what it lacks.
 *
 * Accounts lie in one table "vpopmail" (many domains, the usual layout) or in
 * a table for each domain, named after it.  Tables came with different column
 * widths, and some with columns of somebody else: so columns are always named,
 * their widths asked for, and whatever is not known here is left alone.
 * Nothing here ever drops or narrows anything.
 *
 * A table that is not there is no error: what it would hold lies in files
 * then, as it did in sites built so. */
#ifndef VPOP_SCHEMA_H
#define VPOP_SCHEMA_H

#include "vpop/store_mysql_conn.h"

/* X(ID, name, keys of a new one) */
#define SCHEMA_TABLES(X)                                                      \
	X(USERS, "vpopmail", "PRIMARY KEY (`pw_name`, `pw_domain`)")          \
	X(VALIAS, "valias", "PRIMARY KEY (`id`), KEY (`alias`, `domain`)")    \
	X(LASTAUTH, "lastauth", "PRIMARY KEY (`user`, `domain`)")             \
	X(LIMITS, "limits", "PRIMARY KEY (`domain`)")                         \
	X(DIRCTL, "dir_control", "PRIMARY KEY (`domain`)")                    \
	X(IPMAP, "ip_alias_map", "PRIMARY KEY (`ip_addr`)")                   \
	X(RELAY, "relay", "PRIMARY KEY (`ip_addr`)")                          \
	X(VLOG, "vlog", "PRIMARY KEY (`id`), KEY (`user`), KEY (`domain`), "  \
	    "KEY (`remoteip`), KEY (`error`)")                                \
	X(ALIASDOMAINS, "aliasdomains", "PRIMARY KEY (`alias`)")

/* X(table, ID, name, kind, size, attributes of a new one, need)
 * kind CHAR: size characters; INT, UINT: bytes; TEXT.  need NEED: no work
 * without it; WANT: an upgrade adds it; NEW: only new tables have it. */
#define SCHEMA_LEVEL(X, name, id)                                             \
	X(DIRCTL, id##0, name "0", INT, 4, "NOT NULL DEFAULT 0", NEED)        \
	X(DIRCTL, id##1, name "1", INT, 4, "NOT NULL DEFAULT 0", NEED)        \
	X(DIRCTL, id##2, name "2", INT, 4, "NOT NULL DEFAULT 0", NEED)
#define SCHEMA_FLAG(X, name, id)                                              \
	X(LIMITS, id, name, INT, 1, "NOT NULL DEFAULT 0", WANT)
#define SCHEMA_COLUMNS(X)                                                     \
	X(USERS, PW_NAME, "pw_name", CHAR, 64, "NOT NULL", NEED)              \
	X(USERS, PW_DOMAIN, "pw_domain", CHAR, 96, "NOT NULL", NEED)          \
	X(USERS, PW_PASSWD, "pw_passwd", CHAR, 128, "DEFAULT NULL", NEED)     \
	X(USERS, PW_UID, "pw_uid", INT, 4, "DEFAULT NULL", NEED)              \
	X(USERS, PW_GID, "pw_gid", INT, 4, "DEFAULT NULL", NEED)              \
	X(USERS, PW_GECOS, "pw_gecos", CHAR, 64, "DEFAULT NULL", NEED)        \
	X(USERS, PW_DIR, "pw_dir", CHAR, 160, "DEFAULT NULL", NEED)           \
	X(USERS, PW_SHELL, "pw_shell", CHAR, 20, "DEFAULT NULL", NEED)        \
	X(USERS, PW_CLEAR, "pw_clear_passwd", CHAR, 128, "DEFAULT NULL", NEW) \
	X(VALIAS, VA_ID, "id", INT, 4, "NOT NULL AUTO_INCREMENT", NEW)        \
	X(VALIAS, VA_ALIAS, "alias", CHAR, 64, "NOT NULL", NEED)              \
	X(VALIAS, VA_DOMAIN, "domain", CHAR, 96, "NOT NULL", NEED)            \
	X(VALIAS, VA_LINE, "valias_line", TEXT, 0, "NOT NULL", NEED)          \
	X(VALIAS, VA_COPY, "copy", INT, 1, "NOT NULL DEFAULT 0", NEW)         \
	X(LASTAUTH, LA_USER, "user", CHAR, 64, "NOT NULL", NEED)              \
	X(LASTAUTH, LA_DOMAIN, "domain", CHAR, 96, "NOT NULL", NEED)          \
	X(LASTAUTH, LA_IP, "remote_ip", CHAR, 39, "NOT NULL", NEED)           \
	X(LASTAUTH, LA_TIME, "timestamp", INT, 8, "NOT NULL DEFAULT 0", NEED) \
	X(LIMITS, LI_DOMAIN, "domain", CHAR, 96, "NOT NULL", NEED)            \
	X(LIMITS, LI_ACCOUNTS, "maxpopaccounts", INT, 4,                      \
	    "NOT NULL DEFAULT -1", WANT)                                      \
	X(LIMITS, LI_ALIASES, "maxaliases", INT, 4,                           \
	    "NOT NULL DEFAULT -1", WANT)                                      \
	X(LIMITS, LI_FORWARDS, "maxforwards", INT, 4,                         \
	    "NOT NULL DEFAULT -1", WANT)                                      \
	X(LIMITS, LI_AUTORESPONDERS, "maxautoresponders", INT, 4,             \
	    "NOT NULL DEFAULT -1", WANT)                                      \
	X(LIMITS, LI_LISTS, "maxmailinglists", INT, 4,                        \
	    "NOT NULL DEFAULT -1", WANT)                                      \
	X(LIMITS, LI_DISKQUOTA, "diskquota", UINT, 8,                         \
	    "NOT NULL DEFAULT 0", WANT)                                       \
	X(LIMITS, LI_MAXMSGCOUNT, "maxmsgcount", UINT, 8,                     \
	    "NOT NULL DEFAULT 0", WANT)                                       \
	X(LIMITS, LI_DEFAULTQUOTA, "defaultquota", UINT, 8,                   \
	    "NOT NULL DEFAULT 0", WANT)                                       \
	X(LIMITS, LI_DEFAULTMAX, "defaultmaxmsgcount", UINT, 8,               \
	    "NOT NULL DEFAULT 0", WANT)                                       \
	SCHEMA_FLAG(X, "disable_pop", LI_NO_POP)                              \
	SCHEMA_FLAG(X, "disable_imap", LI_NO_IMAP)                            \
	SCHEMA_FLAG(X, "disable_dialup", LI_NO_DIALUP)                        \
	SCHEMA_FLAG(X, "disable_passwordchanging", LI_NO_PASSWD)              \
	SCHEMA_FLAG(X, "disable_webmail", LI_NO_WEBMAIL)                      \
	SCHEMA_FLAG(X, "disable_relay", LI_NO_RELAY)                          \
	SCHEMA_FLAG(X, "disable_smtp", LI_NO_SMTP)                            \
	SCHEMA_FLAG(X, "disable_spamassassin", LI_NO_SPAMASSASSIN)            \
	SCHEMA_FLAG(X, "delete_spam", LI_DELETE_SPAM)                         \
	SCHEMA_FLAG(X, "disable_maildrop", LI_NO_MAILDROP)                    \
	SCHEMA_FLAG(X, "perm_account", LI_PERM_ACCOUNT)                       \
	SCHEMA_FLAG(X, "perm_alias", LI_PERM_ALIAS)                           \
	SCHEMA_FLAG(X, "perm_forward", LI_PERM_FORWARD)                       \
	SCHEMA_FLAG(X, "perm_autoresponder", LI_PERM_AUTORESPONDER)           \
	X(LIMITS, LI_PERM_MAILLIST, "perm_maillist", INT, 2,                  \
	    "NOT NULL DEFAULT 0", WANT)                                       \
	SCHEMA_FLAG(X, "perm_quota", LI_PERM_QUOTA)                           \
	SCHEMA_FLAG(X, "perm_defaultquota", LI_PERM_DEFAULTQUOTA)             \
	X(DIRCTL, DC_DOMAIN, "domain", CHAR, 96, "NOT NULL", NEED)            \
	X(DIRCTL, DC_USERS, "cur_users", INT, 4, "DEFAULT NULL", NEED)        \
	X(DIRCTL, DC_CUR, "level_cur", INT, 4, "DEFAULT NULL", NEED)          \
	X(DIRCTL, DC_MAX, "level_max", INT, 4, "DEFAULT NULL", NEED)          \
	SCHEMA_LEVEL(X, "level_start", DC_START)                              \
	SCHEMA_LEVEL(X, "level_end", DC_END)                                  \
	SCHEMA_LEVEL(X, "level_mod", DC_MOD)                                  \
	SCHEMA_LEVEL(X, "level_index", DC_INDEX)                              \
	X(DIRCTL, DC_DIR, "the_dir", CHAR, 160, "DEFAULT NULL", NEED)         \
	X(IPMAP, IP_ADDR, "ip_addr", CHAR, 39, "NOT NULL", NEED)              \
	X(IPMAP, IP_DOMAIN, "domain", CHAR, 96, "DEFAULT NULL", NEED)         \
	X(RELAY, RE_ADDR, "ip_addr", CHAR, 39, "NOT NULL", NEED)              \
	X(RELAY, RE_TIME, "timestamp", CHAR, 12, "DEFAULT NULL", NEED)        \
	X(VLOG, VL_ID, "id", INT, 8, "NOT NULL AUTO_INCREMENT", NEED)         \
	X(VLOG, VL_USER, "user", CHAR, 64, "DEFAULT NULL", NEED)              \
	X(VLOG, VL_PASSWD, "passwd", CHAR, 32, "DEFAULT NULL", NEED)          \
	X(VLOG, VL_DOMAIN, "domain", CHAR, 96, "DEFAULT NULL", NEED)          \
	X(VLOG, VL_LOGON, "logon", CHAR, 200, "DEFAULT NULL", NEED)           \
	X(VLOG, VL_IP, "remoteip", CHAR, 39, "DEFAULT NULL", NEED)            \
	X(VLOG, VL_MESSAGE, "message", CHAR, 255, "DEFAULT NULL", NEED)       \
	X(VLOG, VL_TIME, "timestamp", INT, 4, "NOT NULL DEFAULT 0", NEED)     \
	X(VLOG, VL_ERROR, "error", INT, 1, "DEFAULT NULL", NEED)              \
	X(ALIASDOMAINS, AD_ALIAS, "alias", CHAR, 96, "NOT NULL", NEED)        \
	X(ALIASDOMAINS, AD_DOMAIN, "domain", CHAR, 96, "NOT NULL", NEED)

enum schema_table {
#define X(id, name, keys) SCHEMA_##id,
	SCHEMA_TABLES(X)
#undef X
	SCHEMA_TABLE_COUNT
};

enum schema_column {
#define X(table, id, name, kind, size, attrs, need) SCHEMA_##id,
	SCHEMA_COLUMNS(X)
#undef X
	SCHEMA_COLUMN_COUNT
};

enum schema_kind { SCHEMA_CHAR, SCHEMA_INT, SCHEMA_UINT, SCHEMA_TEXT };
enum schema_need { SCHEMA_NEED, SCHEMA_WANT, SCHEMA_NEW };

const char *schema_table_name(enum schema_table);
const char *schema_column_name(enum schema_column);

enum schema_layout {
	SCHEMA_NONE,                    /* no table of ours at all */
	SCHEMA_MANY,                    /* one table for all domains */
	SCHEMA_PER_DOMAIN,
};

struct schema {
	enum schema_layout layout;
	bool no_accounts;               /* no table holds any: the layout is
	                         * that of the tables beside them */
	bool table[SCHEMA_TABLE_COUNT]; /* it is there */
	bool there[SCHEMA_COLUMN_COUNT];
	uint64_t width[SCHEMA_COLUMN_COUNT];    /* characters; of a number its
	                         * bytes.  Of accounts in a table per domain
	                         * the narrowest. */
	struct str charset;             /* of the accounts' texts */
};

/* What the database has.  VSTORE_OK, or VSTORE_TEMP with my_reason_peek. */
VSTORE_CHECK enum vstore_status schema_load(struct my *, struct schema *out);
void schema_free(struct schema *);
/* The column of a table that is there which NEED says must be, or NULL. */
const char *schema_lacks(const struct schema *, enum schema_table);

/* The table of a domain's accounts: 0, or -1 when no table can have that
 * name.  out is fit for a statement, its quotes included. */
__attribute__((warn_unused_result))
int schema_users_table(const struct schema *, const char *domain,
    struct str *out);
/* CREATE TABLE of that table, or with domain NULL of one of ours. */
void schema_sql_create(enum schema_table, const char *quoted_name,
    bool per_domain, struct str *out);

/* Statements, each with a NUL behind it, and for people a line about each. */
struct schema_plan {
	struct str sql, lines;
	size_t n;
};
enum schema_wide_quota { SCHEMA_QUOTA_KEEP, SCHEMA_QUOTA_WIDEN };
/* What widening and adding would do. */
VSTORE_CHECK enum vstore_status schema_plan_upgrade(struct my *,
    enum schema_wide_quota, struct schema_plan *out);
/* What making the tables would do that are named and missing. */
void schema_plan_create(const struct schema *, const bool wanted[],
    bool per_domain, struct schema_plan *out);
/* Does it, and says each line when it is done. */
typedef void schema_done_fn(void *arg, const char *line);
VSTORE_CHECK enum vstore_status schema_run(struct my *,
    const struct schema_plan *, schema_done_fn *, void *arg);
void schema_plan_free(struct schema_plan *);

#endif
