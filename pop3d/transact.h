/* pop3d/transact.h - one session's state, for session.c and messages.c. */
#ifndef POP3D_TRANSACT_H
#define POP3D_TRANSACT_H

#include "pop3d/send.h"
#include "pop3d/session.h"

#define TRANSACT_ARGS 2                 /* no command has more */

struct session {
	const struct session_config *cfg;
	struct box *box;
	size_t count;                   /* messages */
	size_t last;                    /* highest number seen, for LAST */
	bool over;
	const char *why;                /* it is over, for the log */

	int64_t begun;                  /* clock_mono_ms */
	uint64_t retr, top, dele;       /* messages; dele: really removed */
	uint64_t size;                  /* of the messages, where asked for */
	bool sized;

	size_t len;                     /* of the command in line */
	char line[SESSION_LINE + 1];    /* and a NUL */
	struct io in;
	struct out out;
	char piece[SEND_PIECE];         /* of a message; untouched until used */
};

struct args {
	size_t n;
	const char *at[TRANSACT_ARGS];           /* followed by a space or a NUL */
	size_t len[TRANSACT_ARGS];
	size_t msg;                     /* the first one, if it is a message */
};

/* The number that an argument is; false: it is none. */
bool transact_number(const struct args *, size_t i, uint64_t *out);
void transact_say(struct session *, const char *reply);
/* The session is over after this command. */
void transact_end(struct session *, const char *why);

/* messages.c: the commands about messages, in the order of their lines in the
 * table of session.c. */
void messages_retr(struct session *, const struct args *);
void messages_dele(struct session *, const struct args *);
void messages_top(struct session *, const struct args *);
void messages_uidl(struct session *, const struct args *);
void messages_list(struct session *, const struct args *);
void messages_stat(struct session *, const struct args *);
void messages_quit(struct session *, const struct args *);
void messages_rset(struct session *, const struct args *);
void messages_last(struct session *, const struct args *);

#endif
