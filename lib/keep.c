/* lib/keep.c - a program forked for every connection; see keep.h.
 *
 * The fork is clone(CLONE_PARENT), so that the child is the server's: it alone
 * knows how many sessions there are and how each ended.  glibc is not told of
 * it; in a process without threads that touches nothing but the number that
 * raise() would use, and abort() ends the process without it. */
#include "lib/keep.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROGRAM_FD 3
#define PID_MARK '\001'
#define ANSWER 5                /* bytes */

static int
answer(int fd, char letter, pid_t pid)
{
	uint32_t n = (uint32_t)pid;
	char a[ANSWER] = {letter, (char)(n >> 24), (char)(n >> 16),
	    (char)(n >> 8), (char)n};
	ssize_t r;

	do
		r = send(fd, a, sizeof a, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r == ANSWER ? 0 : -1;
}

/* The letter; 0 at the end, -1 with errno (EPROTO: that is no answer). */
static int
hear(int fd, int flags, pid_t *pid)
{
	unsigned char a[ANSWER + 1];
	ssize_t r;

	do
		r = recv(fd, a, sizeof a, flags);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return (int)r;
	if (r != ANSWER) {
		errno = EPROTO;
		return -1;
	}
	*pid = (pid_t)((uint32_t)a[1] << 24 | (uint32_t)a[2] << 16 |
	    (uint32_t)a[3] << 8 | a[4]);
	return a[0];
}

/* The server's end. */

int
keep_start(struct keep *k, const char *const *argv)
{
	const struct timeval tv = {KEEP_WAIT_MS / 1000,
	    KEEP_WAIT_MS % 1000 * 1000};
	struct proc_fd fds[1] = {{.to = PROGRAM_FD}};
	const struct proc_spawn sp = {.argv = argv, .fds = fds, .nfds = 1};
	int r, e;

	*k = (struct keep){.fd = -1};
	if (sock_pair(SOCK_SEQPACKET, &k->fd, &fds[0].from) < 0)
		return -1;
	r = setsockopt(k->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	if (r == 0)
		r = setsockopt(k->fd, SOL_SOCKET, SO_SNDTIMEO, &tv,
		    sizeof tv);
	if (r == 0)
		r = setenv(KEEP_ENV, "3", 1);
	if (r == 0)
		r = proc_spawn(&sp, &k->pid);
	e = errno;
	(void)unsetenv(KEEP_ENV);
	fd_close(fds[0].from);
	if (r < 0) {
		fd_close(k->fd);
		k->fd = -1;
		errno = e;
	}
	return r;
}

void
keep_stop(struct keep *k)
{
	if (k->fd >= 0)
		fd_close(k->fd);
	k->fd = -1;
	k->ready = false;
}

enum keep_verdict
keep_look(struct keep *k)
{
	pid_t unused;

	if (k->fd < 0)
		return KEEP_GONE;
	if (k->ready)
		return KEEP_OK;
	switch (hear(k->fd, MSG_DONTWAIT, &unused)) {
	case 'H':
		k->ready = true;
		return KEEP_OK;
	case -1:
		if (errno == EAGAIN)
			return KEEP_NOT;
		break;
	default:
		break;
	}
	keep_stop(k);
	return KEEP_GONE;
}

/* It does not answer as it should.  A child of it may exist all the same: its
 * answer is there now, or can never be sent. */
static enum keep_verdict
give_up(struct keep *k, pid_t *pid_out)
{
	enum keep_verdict v = KEEP_GONE;
	int c;

	if (k->pid > 0)
		(void)kill(k->pid, SIGKILL);
	(void)shutdown(k->fd, SHUT_RDWR);
	c = hear(k->fd, MSG_DONTWAIT, pid_out);
	/* It died with our question unread: this is told once, and before
	 * what it had sent. */
	if (c < 0 && errno == ECONNRESET)
		c = hear(k->fd, MSG_DONTWAIT, pid_out);
	if (c == 'K')
		v = KEEP_OK;
	keep_stop(k);
	return v;
}

enum keep_verdict
keep_give(struct keep *k, int conn, const struct str *log,
    const char *const *env, pid_t *pid_out)
{
	struct str p = {0};
	ssize_t r;

	str_catb(&p, str_c(log), log->len + 1);
	for (; *env != NULL; env++)
		str_catb(&p, *env, strlen(*env) + 1);
	r = p.len > KEEP_PACKET_MAX ? 0 :
	    sock_send_fd(k->fd, p.s, p.len, conn);
	str_free(&p);
	if (r == 0)
		return KEEP_NOT;
	if (r < 0) {
		keep_stop(k);
		return KEEP_GONE;
	}
	switch (hear(k->fd, 0, pid_out)) {
	case 'K':
		return KEEP_OK;
	case 'N':
		return KEEP_NOT;
	case 'R':
		return KEEP_STALE;
	default:
		return give_up(k, pid_out);
	}
}

/* The program's end. */

bool
keep_asked(void)
{
	return getenv(KEEP_ENV) != NULL;
}

bool
keep_parse(const char *p, size_t n, struct keep_request *out)
{
	size_t log = bytes_chr(p, n, '\0');

	if (n == 0 || p[n - 1] != '\0')
		return false;
	*out = (struct keep_request){.log = p, .env = p + log + 1,
	    .n = n - log - 1};
	for (size_t i = 0; i < out->n; i += strlen(out->env + i) + 1)
		if (strcspn(out->env + i, "=") == 0 ||
		    strchr(out->env + i, '=') == NULL)
			return false;
	return true;
}

const char *
keep_getenv(const struct keep_request *q, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < q->n; i += strlen(q->env + i) + 1)
		if (strncmp(q->env + i, name, len) == 0 &&
		    q->env[i + len] == '=')
			return q->env + i + len + 1;
	return NULL;
}

void
keep_watch(struct keep_program *p, const char *path)
{
	struct keep_file *f = &p->files[p->nfiles];

	if (p->nfiles == KEEP_FILES)
		abort();
	p->nfiles++;
	str_copys(&f->path, path);
	if (stat(path, &f->seen) < 0)
		f->seen = (struct stat){0};
}

/* What runs may have been replaced already: then the name is of another file
 * than the one that this process holds. */
void
keep_watch_self(struct keep_program *p)
{
	union {
		unsigned long in;
		const char *out;
	} name = {.in = getauxval(AT_EXECFN)};
	struct keep_file *f = &p->files[p->nfiles];
	struct stat held;

	if (name.in == 0)
		return;
	keep_watch(p, name.out);
	if (stat("/proc/self/exe", &held) == 0)
		f->seen = held;
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
changed(const struct keep_file *f)
{
	const struct stat *b = &f->seen;
	struct stat a;

	if (stat(str_c(&f->path), &a) < 0)
		return b->st_ino != 0;
	return a.st_dev != b->st_dev || a.st_ino != b->st_ino ||
	    a.st_size != b->st_size || !same_time(&a.st_mtim, &b->st_mtim) ||
	    !same_time(&a.st_ctim, &b->st_ctim);
}

static enum keep_verdict
judge(struct keep_program *p, const struct keep_request *q)
{
	for (size_t i = 0; i < p->nfiles; i++)
		if (changed(&p->files[i]))
			return KEEP_STALE;
	return p->judge != NULL ? p->judge(p->arg, q) : KEEP_OK;
}

/* The environment is where the packet has it: no copy. */
static void
take_env(char *env, size_t n)
{
	size_t count = 0;
	char **v;

	for (size_t i = 0; i < n; i++)
		count += env[i] == '\0';
	v = calloc(count + 1, sizeof *v);
	if (v == NULL)
		die(111, "out of memory");
	count = 0;
	for (size_t i = 0; i < n; i += strlen(env + i) + 1)
		v[count++] = env + i;
	environ = v;
}

static void
say(const char *log)
{
	struct str s = {0};
	size_t n;

	if (*log == '\0')
		return;
	for (;;) {
		n = strcspn(log, (const char[]){PID_MARK, '\0'});
		str_catb(&s, log, n);
		if (log[n] == '\0')
			break;
		str_catu(&s, (uint64_t)getpid());
		log += n + 1;
	}
	(void)!fd_write_all(2, s.s, s.len);
	str_free(&s);
}

/* In the child: the connection is ours once the server has our word. */
static void
become(struct keep_program *p, int fd, int conn, const struct keep_request *q)
{
	size_t at = (size_t)(q->env - p->packet);

	if (answer(fd, 'K', getpid()) < 0)
		_exit(0);
	(void)close(fd);
	if (dup2(conn, 0) < 0 || dup2(conn, 1) < 0)
		die_sys(111, "unable to set up descriptors");
	if (conn > 1)
		(void)close(conn);
	say(q->log);
	take_env(p->packet + at, q->n);
}

/* The socket, which must be no other descriptor by mistake. */
static int
own_end(void)
{
	int type = 0;
	socklen_t n = sizeof type;

	if (getsockopt(PROGRAM_FD, SOL_SOCKET, SO_TYPE, &type, &n) < 0 ||
	    type != SOCK_SEQPACKET || fcntl(PROGRAM_FD, F_SETFD,
	    FD_CLOEXEC) < 0)
		die(111, KEEP_ENV " is set, but not by tcpserver");
	(void)unsetenv(KEEP_ENV);
	return PROGRAM_FD;
}

void
keep_serve(struct keep_program *p)
{
	int fd = own_end(), conn;

	if (answer(fd, 'H', 0) < 0)
		_exit(0);
	for (;;) {
		ssize_t n = sock_recv_fd(fd, p->packet, sizeof p->packet,
		    &conn);
		enum keep_verdict v;
		struct keep_request q;
		long pid = -1;

		/* The second: it had not read our last word. */
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			_exit(0);
		if (n < 0 || conn < 0 || !keep_parse(p->packet, (size_t)n,
		    &q))
			die(111, "the server of connections talks nonsense");
		v = judge(p, &q);
		if (v == KEEP_OK)
			pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0,
			    0, 0);
		if (pid == 0) {
			become(p, fd, conn, &q);
			return;
		}
		(void)close(conn);
		if (pid < 0 && answer(fd, v == KEEP_STALE ? 'R' : 'N', 0) < 0)
			_exit(0);
	}
}
