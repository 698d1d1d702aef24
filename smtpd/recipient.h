/* smtpd/recipient.h - does a recipient exist?  The question that delivery
 * answers last, asked first, of the same code: control/route.h, users/cdb,
 * mail/getpw.h, mail/dotname.h.
 *
 *	jo@remote.example               K: whether it may is not asked here
 *	jo%remote@hacked                D: percenthack is for local hosts
 *	postmaster@ abuse@ (local)      K
 *	jo@home, an account             K
 *	jo-list@home                    K when ~jo has .qmail-list or a
 *	                                default, or cannot be looked into;
 *	                                D when it has not
 *	info@home, no account           the same in alias' home
 *	jo@virtual, virtual:ana         as ana-jo@home
 *
 * Whatever keeps the truth from being known is VERIFY_TEMP: a directory that
 * fails must not refuse mail.  Addresses are a stranger's; control files, the
 * accounts and their homes are believed. */
#ifndef SMTPD_RECIPIENT_H
#define SMTPD_RECIPIENT_H

#include "control/route.h"
#include "mail/users.h"
#include "mail/verify.h"

#include <sys/stat.h>

#define RECIPIENT_FRESH_MS 1000 /* for which control files are not looked at */
#define RECIPIENT_FILES 5

struct recipient {
	struct users_table users;
	/* As getpw_find. */
	int (*find)(const char *local, struct users_entry *out);
	struct route route;
	bool loaded;
	int64_t looked;                 /* clock_mono_ms; 0: never */
	struct stat seen[RECIPIENT_FILES];
};

/* cdb: users/cdb; kept, not copied. */
void recipient_init(struct recipient *, const char *cdb);
/* addr: as in RCPT, without <>.  Appends the reason to text. */
__attribute__((warn_unused_result))
enum verify_status recipient_check(struct recipient *, const char *addr,
    struct str *text);
void recipient_free(struct recipient *);

#endif
