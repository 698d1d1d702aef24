/* lib/sig.h - signals as a descriptor; no program has a handler.
 *
 * sig_open blocks the given signals (0-terminated list) and returns a
 * close-on-exec, non-blocking signalfd, or -1.  sig_next returns the next
 * pending signal number, or 0.  proc.h unblocks them in children. */
#ifndef LIB_SIG_H
#define LIB_SIG_H

__attribute__((warn_unused_result))
int sig_open(const int *signals);
int sig_next(int fd);
void sig_ignore(int signal);            /* SIGPIPE, mostly */

#endif
