/* test_sock.c - local sockets: modes, stale files, peers, and descriptors that
 * travel: none, one, too many, cut off, with no room for them. */
#include "lib/sock.h"

#include "lib/proc.h"
#include "lib/str.h"
#include "TESTS/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

static char tmp[] = "/tmp/unit-sock.XXXXXX";
static char path[200];

static size_t
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

static size_t
entries(void)
{
	DIR *d = opendir(tmp);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n - 2;
}

static void
test_listen_connect(void **state)
{
	static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
	size_t before = count_fds();

	(void)state;
	for (size_t i = 0; i < N_OF(types); i++) {
		mode_t mask = umask(077);
		int l = sock_listen(path, types[i], 5, 0666), c, s;
		struct stat st;
		char buf[4];
		uid_t uid;
		gid_t gid;
		pid_t pid;

		assert_true(l >= 0);
		(void)umask(mask);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode, S_IFSOCK | 0666);
		assert_int_equal(entries(), 1);
		assert_int_equal(sock_accept(l), -1);   /* does not wait */
		assert_int_equal(errno, EAGAIN);
		c = sock_connect(path, types[i], 0);
		assert_true(c >= 0);
		s = sock_accept(l);
		assert_true(s >= 0);
		assert_int_equal(fcntl(l, F_GETFD), FD_CLOEXEC);
		assert_int_equal(fcntl(c, F_GETFD), FD_CLOEXEC);
		assert_int_equal(fcntl(s, F_GETFD), FD_CLOEXEC);
		assert_true(fcntl(s, F_GETFL) & O_NONBLOCK);
		assert_false(fcntl(c, F_GETFL) & O_NONBLOCK);
		assert_int_equal(sock_peer(s, &uid, &gid, &pid), 0);
		assert_int_equal(uid, geteuid());
		assert_int_equal(gid, getegid());
		assert_int_equal(pid, getpid());
		assert_int_equal(write(c, "abc", 3), 3);
		assert_int_equal(read(s, buf, sizeof buf), 3);
		(void)close(c);
		(void)close(s);
		(void)close(l);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(count_fds(), before);
}

/* The next listener takes the name over; the old one's clients stay. */
static void
test_stale_file(void **state)
{
	int a = sock_listen(path, SOCK_STREAM, 5, 0600), b, c;

	(void)state;
	assert_true(a >= 0);
	(void)close(a);
	assert_int_equal(sock_connect(path, SOCK_STREAM, 0), -1);
	assert_int_equal(errno, ECONNREFUSED);
	b = sock_listen(path, SOCK_STREAM, 5, 0600);
	assert_true(b >= 0);
	c = sock_connect(path, SOCK_STREAM, 0);
	assert_true(c >= 0);
	assert_int_equal(entries(), 1);
	(void)close(b);
	(void)close(c);
	assert_int_equal(unlink(path), 0);
}

static void
connect_without_input(void *arg)
{
	int fd;

	(void)close(0);
	fd = sock_connect(arg, SOCK_STREAM, 0);
	if (fd <= 2 || fcntl(0, F_GETFD) >= 0)
		_exit(1);
}

/* Started without descriptor 0, a program must find it closed, not find its
 * own socket there. */
static void
test_missing_input(void **state)
{
	int l = sock_listen(path, SOCK_STREAM, 5, 0600);
	char text[64];

	(void)state;
	assert_true(l >= 0);
	assert_int_equal(unit_child(connect_without_input, path, text,
	    sizeof text), 0);
	(void)close(l);
	assert_int_equal(unlink(path), 0);
}

/* Nobody accepts: the places in the backlog run out. */
static void
test_full_backlog(void **state)
{
	int l = sock_listen(path, SOCK_STREAM, 0, 0600), c[8];
	size_t n = 0;

	(void)state;
	assert_true(l >= 0);
	while (n < N_OF(c) &&
	    (c[n] = sock_connect(path, SOCK_STREAM, 50)) >= 0)
		n++;
	assert_true(n < N_OF(c));
	assert_int_equal(errno, EAGAIN);
	while (n > 0)
		(void)close(c[--n]);
	(void)close(l);
	assert_int_equal(unlink(path), 0);
}

static void
test_listen_failures(void **state)
{
	char longer[200];
	size_t before = count_fds();

	(void)state;
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(sock_listen(longer, SOCK_STREAM, 5, 0600), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(sock_connect(longer, SOCK_STREAM, 0), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(sock_listen("/nonexistent/s", SOCK_STREAM, 5, 0600),
	    -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(sock_connect("/nonexistent/s", SOCK_STREAM, 0), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(sock_listen(path, SOCK_STREAM, 5, 0600), -1);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(entries(), 1);         /* the other name is gone */
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(count_fds(), before);
}

/* On stream and packet sockets, with and without a descriptor. */
static void
test_pass(void **state)
{
	static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};

	(void)state;
	for (size_t i = 0; i < N_OF(types); i++) {
		int a, b, got, r, w;
		char buf[10];

		assert_int_equal(sock_pair(types[i], &a, &b), 0);
		assert_int_equal(fcntl(a, F_GETFD), FD_CLOEXEC);
		assert_int_equal(proc_pipe(&r, &w), 0);
		assert_int_equal(sock_send_fd(a, "hi", 2, w), 2);
		(void)close(w);
		assert_int_equal(sock_recv_fd(b, buf, sizeof buf, &got), 2);
		assert_memory_equal(buf, "hi", 2);
		assert_true(got >= 0);
		assert_int_equal(fcntl(got, F_GETFD), FD_CLOEXEC);
		assert_int_equal(write(got, "x", 1), 1);
		(void)close(got);
		assert_int_equal(read(r, buf, sizeof buf), 1);
		assert_int_equal(read(r, buf, sizeof buf), 0);
		assert_int_equal(sock_send_fd(a, "ho", 2, -1), 2);
		assert_int_equal(sock_recv_fd(b, buf, sizeof buf, &got), 2);
		assert_int_equal(got, -1);
		(void)close(a);
		got = 7;
		assert_int_equal(sock_recv_fd(b, buf, sizeof buf, &got), 0);
		assert_int_equal(got, -1);
		(void)close(b);
		(void)close(r);
	}
}

/* A peer of ours never sends more than one; another program could. */
static void
send_many(int fd, size_t n)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(64 * sizeof(int))];
	} u;
	char byte = 'm';
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = u.space,
	    .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	int fds[64];

	assert_true(n <= N_OF(fds));
	for (size_t i = 0; i < n; i++)
		fds[i] = fd;
	memset(&u, 0, sizeof u);
	u.h.cmsg_len = CMSG_LEN(n * sizeof(int));
	u.h.cmsg_level = SOL_SOCKET;
	u.h.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&u.h), fds, n * sizeof(int));
	assert_int_equal(sendmsg(fd, &m, 0), 1);
}

static void
test_too_many(void **state)
{
	size_t before = count_fds();

	(void)state;
	for (size_t n = 1; n <= 64; n++) {
		int a, b, got;
		char c;
		ssize_t r;

		assert_int_equal(sock_pair(SOCK_SEQPACKET, &a, &b), 0);
		send_many(a, n);
		errno = 0;
		r = sock_recv_fd(b, &c, 1, &got);
		if (r == 1) {
			assert_true(n <= 4 && got >= 0);
			(void)close(got);
		} else {
			assert_int_equal(r, -1);
			assert_int_equal(errno, EMSGSIZE);
			assert_int_equal(got, -1);
			assert_true(n > 1);
		}
		(void)close(a);
		(void)close(b);
		assert_int_equal(count_fds(), before);
	}
}

static void
test_packet_too_long(void **state)
{
	size_t before = count_fds();
	int a, b, got;
	char buf[3];

	(void)state;
	assert_int_equal(sock_pair(SOCK_SEQPACKET, &a, &b), 0);
	assert_int_equal(sock_send_fd(a, "abcd", 4, a), 4);
	assert_int_equal(sock_send_fd(a, "abc", 3, -1), 3);
	assert_int_equal(sock_recv_fd(b, buf, 3, &got), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(got, -1);
	assert_int_equal(sock_recv_fd(b, buf, 3, &got), 3);
	(void)close(a);
	(void)close(b);
	assert_int_equal(count_fds(), before);
}

/* No room for the descriptor: an error, not a packet without it. */
static void
no_room(void *arg)
{
	struct rlimit rl;
	int a, b, got;
	char c;

	(void)arg;
	if (sock_pair(SOCK_SEQPACKET, &a, &b) < 0 ||
	    sock_send_fd(a, "x", 1, a) != 1)
		_exit(1);
	rl.rlim_cur = rl.rlim_max = 0;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	if (sock_recv_fd(b, &c, 1, &got) != -1 || got != -1)
		_exit(2);
	if (sock_listen(path, SOCK_STREAM, 5, 0600) >= 0 || errno != EMFILE)
		_exit(3);
	if (sock_connect(path, SOCK_STREAM, 0) >= 0 || errno != EMFILE)
		_exit(4);
	if (sock_pair(SOCK_STREAM, &a, &b) == 0 || errno != EMFILE)
		_exit(5);
}

static void
test_no_room(void **state)
{
	(void)state;
	unit_dies(no_room, NULL, 0, "");
	assert_int_equal(entries(), 0);
}

static void
peer_gone(void *arg)
{
	const int *type = arg;
	int a, b;

	if (sock_pair(*type, &a, &b) < 0)
		_exit(1);
	(void)close(b);
	if (sock_send_fd(a, "x", 1, -1) != -1 || errno != EPIPE)
		_exit(2);       /* and no SIGPIPE */
}

static void
test_peer_gone(void **state)
{
	int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
	uid_t uid;
	gid_t gid;
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < N_OF(types); i++)
		unit_dies(peer_gone, &types[i], 0, "");
	assert_int_equal(sock_peer(-1, &uid, &gid, &pid), -1);
	assert_int_equal(errno, EBADF);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(tmp) == NULL)
		return -1;
	(void)snprintf(path, sizeof path, "%s/s", tmp);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return rmdir(tmp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listen_connect),
		cmocka_unit_test(test_stale_file),
		cmocka_unit_test(test_missing_input),
		cmocka_unit_test(test_full_backlog),
		cmocka_unit_test(test_listen_failures),
		cmocka_unit_test(test_pass),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_packet_too_long),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_peer_gone),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
