/* local/delivery.h - one message to one local address, as its user.
 *
 * delivery_init gathers what is known, delivery_prepare decides (home, loop,
 * .qmail), delivery_run does it.  Both give an exit code of qmail-local: 0
 * done, 100 failed for good, 111 later; and append what they have to say to
 * words.  The message is read by pread from mfd, its position is the programs'.
 *
 * Runs as the user; trusts the user's files to be the user's, and nothing in
 * the message. */
#ifndef LOCAL_DELIVERY_H
#define LOCAL_DELIVERY_H

#include "lib/str.h"
#include "mail/dotqmail.h"
#include "mail/maildir.h"

#define DELIVERY_OK 0
#define DELIVERY_STOP 99        /* a program's: done, skip the rest */
#define DELIVERY_HARD 100
#define DELIVERY_SOFT 111
#define DELIVERY_TIME_MS ((int64_t)86400 * 1000)        /* for one program */
#define DELIVERY_CHECK __attribute__((warn_unused_result))

struct delivery {
	/* Borrowed for the life of the delivery. */
	const char *user, *home, *local, *dash, *ext, *host, *sender;
	const char *aliasempty;
	int mfd;
	bool keyed;             /* Maildir names from key, else unique */
	struct maildir_key key;
	int64_t time_ms;        /* limit for each program */
	/* Made by init and prepare. */
	struct str rpline, dtline, ufline;      /* each with its LF */
	struct str newsender;
	struct str matched;     /* what "default" stood for */
	bool have_matched;
	struct dotqmail todo;
	/* Made by run. */
	unsigned files, forwards, programs;
	uint64_t qp;            /* of the forward, 0: none */
};

/* Call after the borrowed members, mfd and time_ms are set. */
void delivery_init(struct delivery *);
DELIVERY_CHECK int delivery_prepare(struct delivery *, struct str *words);
DELIVERY_CHECK int delivery_run(struct delivery *, struct str *words);
/* "did F+W+P" and perhaps "qp N", each a line. */
void delivery_cat_success(const struct delivery *, struct str *words);
/* A Maildir step of the batch path and of delivery_run: phase one. */
DELIVERY_CHECK enum maildir_status delivery_maildir(const struct delivery *,
    size_t step, struct maildir_file *);
/* The words for a Maildir that failed. */
void delivery_cat_maildir_trouble(const struct maildir_file *,
    struct str *words);
/* What -n prints: a line for each step. */
void delivery_cat_plan(const struct delivery *, struct str *out);
void delivery_free(struct delivery *);

#endif
