/* install/config.h - the first control files and aliases, made from the
 * host's name.  What exists is never changed. */
#ifndef INSTALL_CONFIG_H
#define INSTALL_CONFIG_H

#include "install/place.h"

#define CONFIG_NAME_MAX 255     /* bytes of a host name */

/* The machine's full name; "host.localdomain" when it has none with a dot. */
void config_cat_host(struct str *out);
/* Letters, digits, '-', '_' and dots between labels, or a literal such as
 * [192.168.1.1]? */
bool config_host_ok(const char *name);
/* Something .qmail can forward to: no space, control byte or leading
 * character with a meaning of its own. */
bool config_admin_ok(const char *name);

/* What unqualified names are completed with.  mail.example.org gives
 * example.org for both; a.b.example.org gives b.example.org and example.org;
 * a name of two labels itself.  Nothing is appended for a literal. */
void config_cat_default_domain(struct str *out, const char *me);
void config_cat_plus_domain(struct str *out, const char *me);

/* Makes control/me, locals, rcpthosts, defaultdomain and plusdomain where
 * missing; an existing control/me counts for the others, whatever host says.
 * A line in done for each file made.  0, or -1 with the file in *path. */
__attribute__((warn_unused_result))
int config_make_control(struct place *, const char *host, struct str *done,
    struct str *path);

/* Makes /etc/tcp.smtp and /etc/tcp.pop3 where missing.  0, or -1 with the file
 * in *path. */
__attribute__((warn_unused_result))
int config_make_rules(struct place *, struct str *done, struct str *path);

/* Makes alias/.qmail-postmaster, -mailer-daemon and -root where missing.
 * With an admin they forward to it; without, mail for them collects in
 * alias/Maildir.  A later call with an admin replaces files that still say
 * only that.  0, or -1 with the file in *path. */
__attribute__((warn_unused_result))
int config_make_aliases(struct place *, const char *admin, struct str *done,
    struct str *path);

#endif
