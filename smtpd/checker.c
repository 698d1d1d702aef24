/* smtpd/checker.c - see checker.h.
 *
 * A question is one packet: address NUL user NUL password.  The answer is a
 * letter: K, D or Z.  The parent's end of file ends the child. */
#include "smtpd/checker.h"

#include "lib/io.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "lib/sock.h"
#include "lib/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define QUESTION_MAX (CHECKPW_MAX + 64)

static char
answer(const char *const *argv, const char *q, size_t n)
{
	size_t ip = bytes_chr(q, n, '\0'), user;
	const char *u = q + ip + 1;

	if (ip == n)
		return 'D';
	user = bytes_chr(u, n - ip - 1, '\0');
	if (ip + 1 + user >= n)
		return 'D';
	if (ip > 0 && setenv("TCPREMOTEIP", q, 1) < 0)
		return 'Z';
	switch (checkpw_run(argv, u, user, u + user + 1,
	    n - ip - user - 2, "")) {
	case CHECKPW_OK:
		return 'K';
	case CHECKPW_WRONG:
		return 'D';
	case CHECKPW_TEMP:
		break;
	}
	return 'Z';
}

static _Noreturn void
serve(int fd, const char *const *argv, unsigned tries)
{
	char q[QUESTION_MAX];
	ssize_t n;

	while (tries > 0 && (n = recv(fd, q, sizeof q, 0)) > 0) {
		char a = answer(argv, q, (size_t)n);

		explicit_bzero(q, sizeof q);
		if (a == 'D')
			tries--;
		if (send(fd, &a, 1, MSG_NOSIGNAL) != 1)
			break;
	}
	_exit(0);
}

/* The client's connection must not stay open through us. */
static int
let_go(int keep)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(keep, 3) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	return (int)syscall(SYS_close_range, 4U, ~0U, 0);
}

int
checker_start(struct checker *out, const char *const *argv, unsigned tries)
{
	int child;
	pid_t pid;

	if (sock_pair(SOCK_SEQPACKET, &out->fd, &child) < 0)
		return -1;
	pid = proc_fork();
	if (pid == 0) {
		if (sandbox_undumpable() < 0 || let_go(child) < 0)
			_exit(111);
		serve(3, argv, tries);
	}
	fd_close(child);
	if (pid < 0) {
		fd_close(out->fd);
		out->fd = -1;
		return -1;
	}
	return 0;
}

enum checkpw_status
checker_ask(struct checker *c, const char *ip, const char *user, size_t nuser,
    const char *pass, size_t npass)
{
	char q[QUESTION_MAX], a = 'Z';
	size_t nip = strlen(ip);
	ssize_t n;

	if (nip > 63 || nuser > CHECKPW_MAX || npass > CHECKPW_MAX ||
	    nuser + npass + 3 > CHECKPW_MAX ||
	    memchr(user, '\0', nuser) || memchr(pass, '\0', npass))
		return CHECKPW_WRONG;
	memcpy(q, ip, nip + 1);
	memcpy(q + nip + 1, user, nuser);
	q[nip + 1 + nuser] = '\0';
	memcpy(q + nip + 2 + nuser, pass, npass);
	n = send(c->fd, q, nip + 2 + nuser + npass, MSG_NOSIGNAL);
	explicit_bzero(q, sizeof q);
	if (n < 0)
		return CHECKPW_TEMP;
	do
		n = recv(c->fd, &a, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		return CHECKPW_TEMP;
	return a == 'K' ? CHECKPW_OK : a == 'D' ? CHECKPW_WRONG : CHECKPW_TEMP;
}
