/* smtpd/verifyd.h - the recipient service: many askers, a few workers.
 *
 * One process takes the questions, workers look them up: a directory that is
 * slow holds one of them and its asker, nobody else.  Askers are not trusted;
 * each has one question at a time, and who floods the service waits in line
 * like the others.
 *
 *	asker -> question -> [waiting] -> worker -> answer -> asker
 *
 * Workers are forked when there is work, and end when there is none.  One that
 * gives no answer is killed, and its asker told to come again. */
#ifndef SMTPD_VERIFYD_H
#define SMTPD_VERIFYD_H

#include "mail/users.h"

#include <sys/types.h>

#define VERIFYD_WORKERS 16      /* at once; of each the memory is shared */
#define VERIFYD_ANSWER_MS 15000 /* for an answer, less than VERIFY_WAIT_MS */
#define VERIFYD_SPARE_MS 60000  /* a worker without work lives on */
#define VERIFYD_IDLE_MS 7200000 /* an asker without a question may stay */

struct verifyd_config {
	int listener;           /* SOCK_SEQPACKET, non-blocking */
	int signals;            /* from sig_open: TERM, HUP, CHLD */
	size_t askers_max;      /* connections in all */
	size_t askers_uid_max;  /* connections of one uid */
	const char *cdb;        /* users/cdb */
	int (*find)(const char *local, struct users_entry *out); /* getpw_find */
	int64_t answer_ms, spare_ms, idle_ms;
};

/* Serves until SIGTERM, then 0.  111 when the loop itself fails.  HUP: look
 * everything up anew. */
int verifyd_run(const struct verifyd_config *);

#endif
