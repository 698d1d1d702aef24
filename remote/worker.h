/* remote/worker.h - qmail-remote as a process that stays: mail/remoteproto.h.
 *
 * The session is kept from one command to the next while the host is the
 * same, for REMOTE_TRANSACTIONS_MAX transactions or REMOTE_CONNECTION_MS, and
 * only when its last transaction went well.  The control files are read again
 * before a new session is begun. */
#ifndef REMOTE_WORKER_H
#define REMOTE_WORKER_H

#include "remote/config.h"

/* Serves commands from the socket until it ends, or nothing came for
 * REMOTE_IDLE_MS: the exit code. */
int worker_run(int socket, struct remote_config *, const char *host);

/* One delivery with arguments, the message is what fd holds from start on:
 * writes the report to descriptor 1. */
void worker_once(struct remote_config *, int fd, uint64_t start,
    const char *host, const char *sender, char *const *rcpt, size_t n);
/* fd itself, from where it stands; or, when it is no file, one with all that
 * comes from it.  -1 with errno. */
__attribute__((warn_unused_result))
int worker_input(int fd, uint64_t *start_out);

#endif
