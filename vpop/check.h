/* vpop/check.h - the checker's parts: what disagrees between qmail's files,
 * the store and the directories of virtual domains.
 *
 * Each part looks, says what it finds (check_report) and, when asked to,
 * repairs it through what changes such things otherwise: assign.h, manage.h,
 * the store.  Mail is never removed, and nothing that might be somebody's.
 *
 * Runs as root, or as vpopmail with less to repair.  Trusted: control files,
 * users/assign, the database.  Not trusted: what lies below a domain's
 * directory, vpasswd included; what is repaired there is reached through
 * opened directories, and only below the domain's. */
#ifndef VPOP_CHECK_H
#define VPOP_CHECK_H

#include "vpop/manage.h"

#include "lib/map.h"

struct check {
	struct vcommand c;
	bool repair, json, all;         /* all: every domain is looked at */
	bool cdb;                       /* the store */
	struct vdomain *domain;         /* by name */
	size_t n, cap;
	struct map by_name;             /* index + 1 */
	struct map by_dir;              /* of real domains: index + 1 */
	struct str out;
	uint64_t found, repaired;
	bool blind;                     /* something could not be looked at */
	bool told;                      /* qmail-send has to hear of it */
};

/* Repairs: 0, or -1 with the reason in why. */
typedef int check_fix_fn(struct check *, void *arg, struct str *why);

/* what: the file or kind of thing, one word.  fix NULL: somebody has to decide
 * what is right. */
void check_report(struct check *, const char *domain, const char *what,
    check_fix_fn *fix, void *arg, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
/* What keeps the truth from being known. */
void check_blind(struct check *, const char *domain, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* One more that users/assign has. */
void check_add_domain(struct check *, const struct vdomain *);
/* NULL: there is no such domain.  Until another is added. */
const struct vdomain *check_domain_peek(const struct check *,
    const char *name);

/* check_site.c: what belongs to no single domain; trees in DOMAINS. */
void check_site(struct check *);
/* check_domain.c: one domain or alias domain, its users included. */
void check_domain(struct check *, const struct vdomain *);
/* check_user.c: directories of users.  users: all of d, by name. */
struct check_users { struct vuser *u; size_t n, cap; };
void check_users(struct check *, const struct vdomain *,
    const struct check_users *);
/* check_vpasswd.c: the files of the cdb store.  How many lines are no accounts:
 * then not all accounts are known. */
size_t check_vpasswd(struct check *, const struct vdomain *);

/* check_left.c: what killed commands leave in a directory of that owner;
 * is_trash: names of trees that are on their way out. */
bool check_is_trash(const char *name);
void check_leftover_tree(struct check *, const char *domain, const char *dir,
    const char *name);
void check_leftover_files(struct check *, const struct vdomain *);

/* Is the name one or more letters of the places of dirs.h? */
bool check_is_place(const char *name);

#endif
