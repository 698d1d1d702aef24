/* lib/sock.c - local sockets; see sock.h. */
#include "lib/sock.h"

#include "lib/io.h"
#include "lib/str.h"
#include "lib/tai.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY_MS 10             /* between attempts to pass a descriptor */

static int
fill_addr(struct sockaddr_un *sa, const char *path)
{
	size_t n = strlen(path);

	memset(sa, 0, sizeof *sa);
	sa->sun_family = AF_UNIX;
	if (n >= sizeof sa->sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa->sun_path, path, n + 1);
	return 0;
}

int
sock_listen(const char *path, int type, int backlog, mode_t mode)
{
	struct sockaddr_un sa;
	struct str tmp = {0};
	mode_t mask;
	int fd, r;

	str_catf(&tmp, "%s.%ld", path, (long)getpid());
	if (fill_addr(&sa, str_c(&tmp)) < 0) {
		str_free(&tmp);
		return -1;
	}
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		str_free(&tmp);
		return -1;
	}
	(void)unlink(str_c(&tmp));
	/* Not by chmod: whoever owns the directory could put a link there. */
	mask = umask(~mode & 0777);
	r = bind(fd, (const struct sockaddr *)&sa, sizeof sa);
	(void)umask(mask);
	if (r < 0 || listen(fd, backlog) < 0 ||
	    rename(str_c(&tmp), path) < 0) {
		int e = errno;

		(void)unlink(str_c(&tmp));
		errno = e;
		fd_close(fd);
		fd = -1;
	}
	str_free(&tmp);
	return fd;
}

int
sock_connect(const char *path, int type, int timeout_ms)
{
	const struct timeval tv = {timeout_ms / 1000,
	    timeout_ms % 1000 * 1000};
	struct sockaddr_un sa;
	int fd;

	if (fill_addr(&sa, path) < 0)
		return -1;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* A full backlog of a service that stands still would hold us for
	 * ever. */
	if (timeout_ms > 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv) < 0) {
		fd_close(fd);
		return -1;
	}
	while (connect(fd, (const struct sockaddr *)&sa, sizeof sa) < 0)
		if (errno != EINTR) {
			fd_close(fd);
			return -1;
		}
	/* A caller that was started without 0, 1 or 2 must not take the
	 * socket for its input. */
	if (fd <= 2) {
		int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);

		fd_close(fd);
		return high;
	}
	return fd;
}

int
sock_accept(int listener)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int
sock_pair(int type, int *a_out, int *b_out)
{
	int fd[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fd) < 0)
		return -1;
	*a_out = fd[0];
	*b_out = fd[1];
	return 0;
}

int
sock_peer(int fd, uid_t *uid, gid_t *gid, pid_t *pid)
{
	struct ucred uc;
	socklen_t n = sizeof uc;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &uc, &n) < 0)
		return -1;
	*uid = uc.uid;
	*gid = uc.gid;
	*pid = uc.pid;
	return 0;
}

ssize_t
sock_send_fd(int fd, const void *bytes, size_t n, int pass)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} u;
	union {
		const void *in;
		void *out;
	} b = {.in = bytes};
	struct iovec iov = {.iov_base = b.out, .iov_len = n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t r;

	if (pass >= 0) {
		memset(&u, 0, sizeof u);
		u.h.cmsg_len = CMSG_LEN(sizeof(int));
		u.h.cmsg_level = SOL_SOCKET;
		u.h.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&u.h), &pass, sizeof pass);
		m.msg_control = u.space;
		m.msg_controllen = sizeof u.space;
	}
	do
		r = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r;
}

ssize_t
sock_send_fd_until(int fd, const void *bytes, size_t n, int pass,
    int64_t until)
{
	ssize_t r;

	while ((r = sock_send_fd(fd, bytes, n, pass)) < 0 &&
	    errno == ETOOMANYREFS && clock_mono_ms() < until)
		(void)poll(NULL, 0, RETRY_MS);
	return r;
}

ssize_t
sock_recv_fd(int fd, void *buf, size_t n, int *pass_out)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} u;
	struct iovec iov = {.iov_base = buf, .iov_len = n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = u.space, .msg_controllen = sizeof u.space};
	struct cmsghdr *c;
	ssize_t r;

	*pass_out = -1;
	do
		r = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -1;
	for (c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
		size_t k;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < k; i++) {
			int got;

			memcpy(&got, CMSG_DATA(c) + i * sizeof got,
			    sizeof got);
			if (*pass_out < 0)
				*pass_out = got;
			else
				(void)close(got);
		}
	}
	if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		if (*pass_out >= 0)
			(void)close(*pass_out);
		*pass_out = -1;
		errno = EMSGSIZE;
		return -1;
	}
	return r;
}
