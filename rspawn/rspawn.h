/* rspawn/rspawn.h - the loop of qmail-rspawn: commands in, qmail-remote
 * processes, reports out.
 *
 * Commands come from qmail-send and are trusted to be whole; a damaged stream
 * ends the program.  qmail-remote is not trusted: only its wait status and
 * the capped report (report.h) are used. */
#ifndef RSPAWN_RSPAWN_H
#define RSPAWN_RSPAWN_H

#include <stdbool.h>
#include <sys/types.h>

struct rspawn_config {
	int command_fd, report_fd;
	uid_t queue_uid;        /* who must own a message file */
	const char *remote;     /* program; searched in PATH without a / */
	bool stay;              /* it knows "-w" (mail/remoteproto.h) */
	unsigned max;           /* deliveries at once, 1..SPAWN_WIDE_MAX */
};

/* Says hello and serves until commands end and the last report is out: 0.
 * -1 with errno when the pipes fail or the stream is damaged (EPROTO).  The
 * current directory is queue/mess.  SIGCHLD stays blocked. */
__attribute__((warn_unused_result))
int rspawn_run(const struct rspawn_config *);

/* How many deliveries the descriptors suffice for, with the soft limit raised
 * to the hard one. */
unsigned rspawn_capacity(void);

/* Forgets all connection timeouts: fills the file with zeros.  0 or -1. */
__attribute__((warn_unused_result))
int rspawn_clear_tcpto(const char *path);

#endif
