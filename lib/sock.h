/* lib/sock.h - local (Unix) sockets and descriptor passing.
 *
 * Descriptors returned are close-on-exec.  -1 with errno on failure. */
#ifndef LIB_SOCK_H
#define LIB_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SOCK_CHECK __attribute__((warn_unused_result))

/* type: SOCK_STREAM or SOCK_SEQPACKET.  The listener is non-blocking;
 * a stale socket file at path is replaced atomically. */
SOCK_CHECK int sock_listen(const char *path, int type, int backlog,
    mode_t mode);
/* Never descriptor 0, 1 or 2.  Waiting for a place in the backlog, and each
 * later send, fails with EAGAIN after timeout_ms (0: never). */
SOCK_CHECK int sock_connect(const char *path, int type, int timeout_ms);
SOCK_CHECK int sock_accept(int listener);               /* non-blocking */
SOCK_CHECK int sock_pair(int type, int *a_out, int *b_out);
/* Who connected, from the kernel. */
SOCK_CHECK int sock_peer(int fd, uid_t *uid, gid_t *gid, pid_t *pid);

/* One packet with at most one descriptor (pass = -1: none). */
SOCK_CHECK ssize_t sock_send_fd(int fd, const void *bytes, size_t n, int pass);
/* The same; waits while too many descriptors are under way (ETOOMANYREFS),
 * until clock_mono_ms is until.  The kernel counts those of all processes of
 * the user, and compares with this process's limit of open files. */
SOCK_CHECK ssize_t sock_send_fd_until(int fd, const void *bytes, size_t n,
    int pass, int64_t until);
/* *pass_out = -1 when none came.  Further descriptors are closed. */
SOCK_CHECK ssize_t sock_recv_fd(int fd, void *buf, size_t n, int *pass_out);

#endif
