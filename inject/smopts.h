/* inject/smopts.h - the command line of sendmail: one table of its options.
 *
 * Options and recipients may be mixed; "--" ends the options.  Pointers are
 * into argv. */
#ifndef INJECT_SMOPTS_H
#define INJECT_SMOPTS_H

#include "lib/str.h"
#include "mail/dsn.h"

#include <stdbool.h>

enum sm_mode {
	SM_MAIL,                /* -bm: queue the message on descriptor 0 */
	SM_SMTP,                /* -bs */
	SM_LIST,                /* -bp, mailq */
	SM_ALIASES,             /* -bi, -I, newaliases */
	SM_VERIFY,              /* -bv */
	SM_DAEMON,              /* -bd, -bD */
	SM_FLUSH,               /* -q with its selections */
};

struct smopts {
	enum sm_mode mode;
	bool from_header;       /* -t */
	bool dots_pass;         /* -i: a lone dot is text */
	bool verbose;           /* -v */
	bool json;              /* mailq -j */
	const char *sender;     /* -f, -r; NULL: not given */
	const char *name;       /* -F */
	const char *q_id, *q_rcpt, *q_sender;   /* -qI, -qR, -qS */
	struct dsn_message dsn; /* -R, -V; owned */
	struct dsn_rcpt notify; /* -N, of every recipient; owned */
	const char **rcpts;     /* array owned; strings of argv */
	size_t nrcpts;
};

/* 0, or -1 with what is wrong in *why. */
__attribute__((warn_unused_result))
int smopts_parse(struct smopts *, int argc, char **argv, struct str *why);
void smopts_free(struct smopts *);

#endif
