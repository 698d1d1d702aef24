/* inject/inject.h - make a proper message of what a local user wrote, and
 * queue it: the work of qmail-inject and sendmail, in the caller's process.
 *
 *	inject_config_env(&cfg);                QMAILINJECT and its friends
 *	inject_init(&in, &cfg);
 *	inject_add_rcpt(&in, "a b@c", 5);       arguments, if any
 *	st = inject_run(&in, &io);              reads all of the message
 *	... in.err says what is wrong unless st is INJECT_OK
 *	inject_free(&in);
 *
 * The message and the arguments may come from anybody: header fields that
 * cannot be parsed refuse the whole message, before the queue is asked for
 * anything.  Memory is bounded by INJECT_HEADER_MAX and RCPT_MAX. */
#ifndef INJECT_INJECT_H
#define INJECT_INJECT_H

#include "inject/rewrite.h"
#include "lib/io.h"
#include "lib/str.h"
#include "mail/addr.h"
#include "mail/header.h"

#include <stdbool.h>

#define INJECT_CHECK __attribute__((warn_unused_result))

enum inject_status {
	INJECT_OK,
	INJECT_NORCPT,          /* nobody to send it to */
	INJECT_BADADDR,         /* an argument is no address */
	INJECT_BADHEADER,       /* a field cannot be parsed */
	INJECT_LIMIT,           /* the header or the recipients are too many */
	INJECT_READ,            /* the message could not be read */
	INJECT_WRITE,           /* -n: could not print */
	INJECT_CONFIG,          /* a control file could not be read */
	INJECT_REFUSED,         /* the queue says no for good */
	INJECT_DEFERRED,        /* the queue says not now */
};

enum inject_mode {
	INJECT_EITHER,          /* -A: arguments, without them the header */
	INJECT_ARGS,            /* -a */
	INJECT_HEADER,          /* -h */
	INJECT_BOTH,            /* -H */
};

struct inject_config {
	enum inject_mode mode;
	bool print;             /* -n: print it instead of queueing it */
	bool dot_ends;          /* a line of "." ends the message */
	bool name_comment;      /* c: From as "joe@x (Joe)" */
	bool ignore_return;     /* s: Return-Path is not the sender */
	bool delete_from;       /* f */
	bool delete_id;         /* i */
	bool verp_rcpt;         /* r */
	bool verp_message;      /* m */
	/* Wishes about reports (mail/dsn.h), of the message and of every
	 * recipient; borrowed, NULL: none. */
	const char *params, *rcpt_params;
	/* Borrowed; NULL is not known. */
	const char *user, *host, *suser, *shost, *name, *lists_file;
	int64_t now;            /* seconds since 1970 */
	uint32_t now_usec;
	uint64_t pid;
};

/* Fills all of it from the environment and the clock.  Does not look at the
 * system's accounts: user stays NULL when the environment does not say. */
void inject_config_env(struct inject_config *);

struct inject_addrs {           /* plain addresses, each followed by NUL */
	struct str text;
	size_t n;
};

struct inject {
	const struct inject_config *cfg;
	struct rewrite hosts;
	struct addr_list list;          /* of the field at hand */
	bool seen[HEADER_ID_COUNT];
	bool resent;
	struct str header;              /* the fields that stay, rewritten */
	struct str added;               /* the fields that are put before them */
	struct inject_addrs args, plain_rcpts, resent_rcpts, tocc;
	struct inject_addrs rcpts;      /* the envelope, without duplicates */
	bool have_sender;
	struct str sender;
	uint64_t qp;                    /* what the queue calls the submission */
	struct str err;
};

void inject_init(struct inject *, const struct inject_config *);
void inject_free(struct inject *);
/* An address as plain bytes, "a b@c". */
INJECT_CHECK enum inject_status inject_add_rcpt(struct inject *,
    const char *addr, size_t n);
/* A header-style list, "Al <a@b>, c". */
INJECT_CHECK enum inject_status inject_add_list(struct inject *,
    const char *s, size_t n);
/* The envelope sender, whatever else would be it; "" is the null sender. */
INJECT_CHECK enum inject_status inject_set_sender(struct inject *,
    const char *addr, size_t n);
INJECT_CHECK enum inject_status inject_run(struct inject *, struct io *in);

/* Parts of inject_run, in this order; tests use them. */
INJECT_CHECK enum inject_status inject_read_header(struct inject *,
    struct header *);
INJECT_CHECK enum inject_status inject_finish_header(struct inject *);
INJECT_CHECK enum inject_status inject_make_envelope(struct inject *);

#endif
