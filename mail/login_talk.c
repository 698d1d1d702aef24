/* mail/login_talk.c - the talker's half of a login; see login.h.
 *
 * It reads what a stranger sends and has nothing that is worth taking: the
 * connection as 0 and 1, a pipe for one packet, /dev/null as 2, and a dozen
 * system calls.  The order of giving up: what needs root (empty root, user),
 * limits, Landlock, the log, all descriptors, system calls.
 *
 * A line is looked at (MSG_PEEK) before it is taken, up to its LF and no
 * further: what a client pipelines behind its password is for the program that
 * has the connection next. */
#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "lib/sig.h"
#include "lib/tai.h"
#include "mail/login_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIPE_FD 3
#define CPU_S 10                /* seconds; a login takes a thousandth */
#define MEMORY (16 << 20)       /* bytes of address space */
#define OUT_MAX 4096            /* bytes that wait for more to say */

/* ---- giving up rights ---- */

static _Noreturn void
leave(const char *what)
{
	log_sys("unable to %s", what);
	_exit(111);
}

static void
limit(void)
{
	/* Poll counts against the number of open files: one more than the
	 * last descriptor, and none can be opened. */
	static const struct sandbox_limit limits[] = {
		{RLIMIT_NOFILE, PIPE_FD + 1}, {RLIMIT_NPROC, 0},
		{RLIMIT_FSIZE, 0}, {RLIMIT_CPU, CPU_S}, {RLIMIT_AS, MEMORY},
	};

	if (sandbox_limits(limits, sizeof limits / sizeof *limits) < 0)
		leave("set limits");
}

static void
keep_three(int null, int pipe)
{
	if (dup2(null, STDERR_FILENO) < 0 || dup2(pipe, PIPE_FD) < 0 ||
	    syscall(SYS_close_range, PIPE_FD + 1u, ~0u, 0) < 0)
		leave("arrange descriptors");
}

void
login_confine(struct login *l, int pipe, pid_t monitor)
{
	/* No kill and no tgkill: others run as this user. */
	static const int calls[] = {SYS_read, SYS_write, SYS_recvfrom,
	    SYS_poll, SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap,
	    SYS_getrandom, SYS_clock_gettime, SYS_gettimeofday, SYS_getpid,
	    SYS_restart_syscall, SYS_exit_group, -1};
	struct sandbox_fs none = {.read = NULL};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0)
		leave("open /dev/null");
	if (geteuid() == 0) {
		if (chroot(l->cfg->root) < 0 || chdir("/") < 0)
			leave("enter the empty root");
		if (proc_drop(l->cfg->uid, l->cfg->gid) < 0)
			leave("become the user of talkers");
	}
	/* Becoming another user clears both, so not before. */
	if (sandbox_undumpable() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		leave("depend on the monitor");
	if (getppid() != monitor)
		_exit(111);
	if (sandbox_landlock(&none, SANDBOX_NO_TCP | SANDBOX_SCOPED) < 0)
		leave("give up files");
	limit();
	keep_three(null, pipe);
	l->pipe = PIPE_FD;
	/* proc_fork made it deadly. */
	sig_ignore(SIGPIPE);
	if (sandbox_calls(calls) < 0)
		leave("give up system calls");
}

/* ---- lines ---- */

/* How long it may still wait; 0 when that is over. */
static int
left(int64_t until)
{
	int64_t ms = until - clock_mono_ms();

	return ms > 0 ? (int)ms : 0;
}

/* 0 once fd is ready, -1 when it is too late. */
static int
wait_for(int fd, short events, int64_t until)
{
	struct pollfd p = {.fd = fd, .events = events};
	int r;

	do
		r = poll(&p, 1, left(until));
	while (r < 0 && errno == EINTR);
	return r > 0 ? 0 : -1;
}

void
login_put(struct login *l, const char *text)
{
	str_cats(&l->out, text);
}

void
login_flush(struct login *l)
{
	int64_t until = clock_mono_ms() + l->cfg->idle_ms;
	size_t at = 0;

	while (at < l->out.len && !l->gone) {
		size_t n = l->out.len - at;
		ssize_t w;

		if (wait_for(l->wfd, POLLOUT, until) < 0) {
			l->gone = true;
			break;
		}
		/* What is writable takes as much without blocking. */
		w = write(l->wfd, l->out.s + at, n < PIPE_BUF ? n : PIPE_BUF);
		if (w > 0)
			at += (size_t)w;
		else if (errno != EAGAIN && errno != EINTR)
			l->gone = true;
	}
	str_clear(&l->out);
}

/* What is there, up to n bytes of it, left where it is.  What is no socket is
 * read byte by byte, as ever: then the byte is taken, and *taken true. */
static ssize_t
look(const struct login *l, char *buf, size_t n, bool *taken)
{
	ssize_t r = recv(l->rfd, buf, n, MSG_PEEK | MSG_DONTWAIT);
	struct pollfd p = {.fd = l->rfd, .events = POLLIN};

	*taken = false;
	if (r >= 0 || errno != ENOTSOCK)
		return r;
	*taken = true;
	if (poll(&p, 1, 0) == 1)
		return read(l->rfd, buf, 1);
	errno = EAGAIN;
	return -1;
}

/* Adds to the line what is there of it.  True when it has its LF. */
static bool
add(struct login *l, char *buf, size_t n, bool taken)
{
	size_t lf = bytes_chr(buf, n, '\n'), use = lf < n ? lf + 1 : n;

	/* The same bytes again: nobody else reads here. */
	if (!taken && recv(l->rfd, buf, use, MSG_DONTWAIT) != (ssize_t)use) {
		l->gone = true;
		return false;
	}
	str_catb(&l->line, buf, use);
	return lf < n;
}

/* The LF at the end is there; it and a CR before it go. */
static void
strip(struct str *line)
{
	size_t n = line->len - 1;

	if (n > 0 && line->s[n - 1] == '\r')
		n--;
	str_trunc(line, n);
}

enum login_read
login_line(struct login *l)
{
	int64_t until = clock_mono_ms() + l->cfg->idle_ms;
	char buf[LOGIN_LINE];
	bool taken;

	str_clear(&l->line);
	if (l->out.len > OUT_MAX)
		login_flush(l);
	while (l->line.len < LOGIN_LINE && !l->gone) {
		ssize_t n = look(l, buf, LOGIN_LINE - l->line.len, &taken);

		if (n > 0 && add(l, buf, (size_t)n, taken)) {
			strip(&l->line);
			return LOGIN_LINE_OK;
		}
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			break;
		if (n < 0) {
			login_flush(l);
			if (wait_for(l->rfd, POLLIN, until) < 0)
				break;
		}
	}
	return l->line.len < LOGIN_LINE ? LOGIN_LINE_GONE : LOGIN_LINE_LONG;
}

bool
login_more(const struct login *l)
{
	char c;

	return recv(l->rfd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* ---- the packet ---- */

/* One write of less than a pipe takes at once. */
static int
say(struct login *l, struct str *packet)
{
	int r = fd_write_all(l->pipe, packet->s, packet->len);

	str_wipe(packet);
	return r;
}

static void
cat_field(struct str *out, const char *s, size_t n)
{
	str_catb(out, s, n);
	str_catc(out, '\0');
}

int
login_say(struct login *l, const struct str *user, const struct str *secret,
    const char *tag)
{
	struct login_packet back = {0};
	struct str p = {0};
	int r = -1;

	if (user->len < CHECKPW_MAX && secret->len < CHECKPW_MAX &&
	    user->len + secret->len + strlen(l->stamp) + 3 <= CHECKPW_MAX) {
		cat_field(&p, str_c(user), user->len);
		cat_field(&p, str_c(secret), secret->len);
		cat_field(&p, tag, strlen(tag));
		r = login_parse(p.s, p.len, &back);
	}
	login_packet_wipe(&back);
	if (r < 0) {
		str_wipe(&p);
		return -1;
	}
	return say(l, &p);
}

int
login_say_tag(struct login *l, const char *tag)
{
	struct str p = {0};

	if (!login_tag_ok(tag, strlen(tag)))
		return -1;
	cat_field(&p, tag, strlen(tag));
	return say(l, &p);
}

int
login_parse(const char *s, size_t n, struct login_packet *out)
{
	size_t user = bytes_chr(s, n, '\0'), secret, tag;

	login_packet_wipe(out);
	if (user == 0 || user == n || n > LOGIN_PACKET)
		return -1;
	for (size_t i = 0; i < user; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 127)
			return -1;
	secret = bytes_chr(s + user + 1, n - user - 1, '\0');
	tag = user + secret + 2;
	if (tag >= n || bytes_chr(s + tag, n - tag, '\0') != n - tag - 1 ||
	    !login_tag_ok(s + tag, n - tag - 1) || tag >= CHECKPW_MAX)
		return -1;
	str_copyb(&out->user, s, user);
	str_copyb(&out->secret, s + user + 1, secret);
	str_copyb(&out->tag, s + tag, n - tag - 1);
	return 0;
}

bool
login_tag_ok(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < '!' || s[i] > '~')
			return false;
	return n <= LOGIN_TAG;
}

void
login_packet_wipe(struct login_packet *p)
{
	str_wipe(&p->user);
	str_wipe(&p->secret);
	str_wipe(&p->tag);
}
