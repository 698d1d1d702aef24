/* vpop/command.h - what every v* command begins and ends with: who may run
 * it, settings, the store, errors with their historical numbers, passwords
 * that are asked for.
 *
 * Errors go to standard output as vpopmail's do, "Error: TEXT: WHAT: REASON",
 * and the program ends with 256 - number; misuse is usage on standard output
 * and 255; success 0.  Passwords never reach an error.
 *
 * command_say.c and command_ask.c need no store; command.c does. */
#ifndef VPOP_COMMAND_H
#define VPOP_COMMAND_H

#include "vpop/domain.h"
#include "vpop/settings.h"

struct vcommand {
	struct str home;                /* VPOPMAIL */
	uid_t uid;                      /* of vpopmail */
	gid_t gid;
	struct vsettings settings;
	struct vstore *store;
};

/* Ends the program with a reason unless root or vpopmail runs it (BAD_UID),
 * VPOPMAIL is there and its settings can be read.  Ignores SIGPIPE, sets umask
 * 077.  The store is opened, not yet asked. */
void vcommand_begin(struct vcommand *, const char *prog);
/* For commands that others may run too: as above without a word about who. */
void vcommand_begin_any(struct vcommand *, const char *prog);
void vcommand_end(struct vcommand *);

/* What the v* commands of old call themselves with -v, and whose they are. */
#define VPOP_VERSION "5.4.33 (valija)"

/* "Error: text of e: what" LF, exit 256 - number.  what: the name, and a
 * reason after it; NULL: nothing.  It may hold a stranger's bytes: what is not
 * printable becomes "_", and what is very long is cut. */
_Noreturn void vcommand_fail(enum vpop_error e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "Error: text" LF, exit 255: what has no number of its own. */
_Noreturn void vcommand_refuse(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
/* What a store said, as an error: NONE is none, EXISTS is exists, WIDE and
 * TEMP have the store's reason. */
_Noreturn void vcommand_fail_store(struct vcommand *, enum vstore_status,
    enum vpop_error none, enum vpop_error exists, const char *what);
_Noreturn void vcommand_usage(const char *usage);       /* exit 255 */
void vcommand_version(void);                    /* -v: "version: N" */

/* Appends to standard output, whole or the program ends with 111.  spill: only
 * when much has gathered, and then *s is empty: for long listings. */
void vcommand_print(const struct str *);
void vcommand_spill(struct str *s);

/* Appends a stranger's text as one line of printable characters. */
void vcommand_cat_line(struct str *out, const char *);

/* A domain that must be there; TEMP ends the program with ASSIGN. */
void vcommand_domain(const char *name, struct vdomain *out);
/* user@domain (also % and /), without a domain that of VPOPMAIL_DOMAIN, then
 * the setting defaultdomain; checked, lower case, the domain found. */
void vcommand_address(struct vcommand *, const char *addr,
    struct str *user_out, struct vdomain *out);

/* A quota as it was typed, in its normal form ("5000S,100C", "NOQUOTA"), or the
 * program ends with BAD_CHAR or QUOTA_LONG.  *out is replaced. */
void vcommand_quota(struct vcommand *, const char *arg, struct str *out);

/* Prints the prompt and reads a line of at most VPOP_PASSWORD_MAX bytes without
 * a NUL; not echo: unseen.  *out is replaced; ends the program (255) at end of
 * file. */
void vcommand_ask_line(const char *prompt, bool echo, struct str *out);
/* Asks twice on the terminal without echo (on a pipe: reads two lines) until
 * both are the same; "Please enter password for WHO: ", "enter password
 * again: ".  *out is replaced; ends the program at end of file. */
void vcommand_ask_password(const char *who, struct str *out);
/* n random letters and digits that nobody confuses. */
void vcommand_random_password(size_t n, struct str *out);
/* A password that stands among the arguments is wiped from there, so that no
 * list of processes shows it; the copy is the caller's. */
void vcommand_take_password(char *arg, struct str *out);
/* Hashes by the settings as wide as the store allows, or ends the program:
 * too short, too long, does not fit.  clear_out: "" unless clearpasswords. */
void vcommand_hash(struct vcommand *, const char *password,
    struct str *hash_out, struct str *clear_out);

/* What stands on the terminal while many are done: "DONE of ALL" and a bar on
 * descriptor 2, at most ten times a second, nothing when it is no terminal
 * (a line at the end then).  all 0: not known. */
struct vprogress { const char *what; uint64_t all, done; int64_t last_ms; };
void vprogress_step(struct vprogress *, uint64_t done);
void vprogress_end(struct vprogress *);

#endif
