/* mail/users.h - who handles the mail of a local part: users/assign and its
 * compiled form users/cdb.
 *
 * assign, one line each, the whole file ended by a line ".":
 *	=local:user:uid:gid:home:dash:ext:      this local part
 *	+prefix:user:uid:gid:home:dash:ext:     all that begin with prefix; the
 *	                                        rest of the local part joins ext
 * cdb: key "!local" NUL or "!prefix", in lower case, value
 * "user NUL uid NUL gid NUL home NUL dash NUL ext"; the key of no bytes holds
 * every last byte of a prefix once.  An exact key wins, then the longest
 * prefix; of equal keys the first.
 *
 * users_parse_assign trusts nothing.  The rest is in users_cdb.c and wants
 * -lcdb. */
#ifndef MAIL_USERS_H
#define MAIL_USERS_H

#include "lib/cdb.h"
#include "lib/str.h"

#include <sys/types.h>

#define USERS_DIR HOME_DIR "/users"
#define USERS_FILE_MAX ((size_t)256 << 20)      /* bytes of an assign file */
#define USERS_CHECK __attribute__((warn_unused_result))

struct users_entry {
	struct str user, home, dash, ext;
	uid_t uid;
	gid_t gid;
};
void users_entry_free(struct users_entry *);

/* The six NUL-terminated fields (the last NUL may be missing): the value of
 * users/cdb and the answer of qmail-getpw.  -1 (EPROTO) when it is not. */
USERS_CHECK int users_parse_entry(const char *s, size_t n,
    struct users_entry *out);
/* Appends the six fields, each with its NUL. */
void users_cat_entry(struct str *, const struct users_entry *);

/* One line of assign, without its LF. */
struct users_line {
	bool wild;
	const char *name;               /* local part or prefix: borrowed */
	size_t nname;
	struct str value;               /* the cdb value */
};
/* What is wrong with the line, or NULL. */
USERS_CHECK const char *users_parse_line(const char *s, size_t n,
    struct users_line *out);
void users_line_free(struct users_line *);
/* Appends the line's cdb key. */
void users_cat_key(struct str *, const char *name, size_t n, bool wild);

/* Calls each(arg, line) for every line up to ".".  0, or -1 with the number of
 * the bad line and what is wrong with it; each may stop with -1 (then *why is
 * NULL and errno its). */
USERS_CHECK int users_parse_assign(const char *s, size_t n,
    int (*each)(void *arg, const struct users_line *), void *arg,
    size_t *line_out, const char **why);

/* Compiles assign text to path by way of tmp.  As users_parse_assign; with
 * *why NULL errno says what went wrong. */
USERS_CHECK int users_compile(const char *s, size_t n, const char *path,
    const char *tmp, size_t *line_out, const char **why);
/* CDB_NONE: nobody claims it.  CDB_TEMP: unreadable or malformed. */
USERS_CHECK enum cdb_status users_find(struct cdb_file *, const char *local,
    struct users_entry *out);

/* A table that stays open between questions and is opened anew when it was
 * replaced. */
struct users_table {
	const char *path;
	struct cdb_file *cdb;           /* NULL: not open */
};
/* As users_find; CDB_NONE also when there is no file. */
USERS_CHECK enum cdb_status users_ask(struct users_table *,
    const char *local, struct users_entry *out);
void users_table_close(struct users_table *);

#endif
