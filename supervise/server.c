/* server.c - the life of tcpserver.
 *
 * One process accepts, counts, starts and reaps; it waits for nobody but the
 * kernel and the log.  What may take time (a banner, DNS, ident) is done by a
 * child; where none of that is asked for, the rules and the environment are
 * made here and the program is started at once, so that a connection costs
 * one spawn.
 *
 *	accept -> too many or punished? -> rules -> spawn       (-H -R -l name)
 *	accept -> too many or punished? -> rules -> kept program forks (with -k)
 *	accept -> too many or punished? -> fork -> banner, DNS, ident, rules,
 *	    exec
 *
 * At the limit it stops watching the port: clients wait in the backlog.
 * Trusts: the run script, the rules, the limits file.  A client can only take
 * one of the places that the limits give to it. */
#include "supervise/server.h"

#include "supervise/kept.h"
#include "supervise/peers.h"
#include "supervise/session.h"
#include "supervise/tcpwho.h"
#include "supervise/tool.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/proc.h"
#include "lib/sig.h"
#include "lib/tai.h"
#include "lib/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ACCEPT_BATCH 64         /* connections before children are reaped */
#define PAUSE_MS 200            /* after the kernel had nothing to give */
#define LOOK_MS 1000            /* between two looks at the limits file */
#define EXIT_BAD_SESSION 77     /* the client guessed passwords */
#define EXIT_FAILED (111 << 8)  /* wait status of a child that cannot run */
#define TEXT_MAX 1024           /* bytes of a warning */

struct server {
	const struct server_conf *conf;
	struct srvlimits lim;
	struct stat seen;       /* the limits file when it was last read */
	int64_t looked;         /* ms, when it was last looked at */
	int64_t paused;         /* ms, do not accept before; 0: go on */
	struct loop loop;
	struct loop_watch port, signals;
	struct peers peers;
	struct ruleset rules;
	struct kept kept;       /* -k */
	bool done;
};

void
server_die(const struct server_conf *c, const char *fmt, ...)
{
	char text[TEXT_MAX];
	int e = errno;
	va_list ap;

	if (c->talk == SERVER_QUIET)
		_exit(111);
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	errno = e;
	tool_die(111, "%s", text);
}

void
server_drop(const struct server_conf *c, const char *fmt, ...)
{
	char text[TEXT_MAX];
	int e = errno;
	va_list ap;

	if (c->talk == SERVER_QUIET)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	errno = e;
	tool_warn("dropping connection, %s", text);
}

/* Lines that are there for -v only; the log is the administrator's own, and
 * when it is gone there is nobody to tell. */
static void
say(const struct server *s, const struct str *lines)
{
	if (s->conf->talk == SERVER_VERBOSE && lines->len > 0)
		(void)!fd_write_all(2, lines->s, lines->len);
}

static void
cat_status(const struct server *s, size_t n, struct str *out)
{
	str_catf(out, "tcpserver: status: %zu/%u\n", n, s->lim.total);
}

static void
say_status(const struct server *s, size_t n)
{
	struct str line = {0};

	cat_status(s, n, &line);
	say(s, &line);
	str_free(&line);
}

/* Is the port watched as it should be?  Called after each change of what the
 * answer depends on. */
static void
watch_port(struct server *s)
{
	bool wanted = s->peers.n < s->lim.total && s->paused == 0;

	loop_want(&s->loop, &s->port, wanted ? LOOP_READ : 0);
}

static void
read_limits(struct server *s, bool first)
{
	struct srvlimits fresh = s->conf->limits;
	struct str text = {0}, why = {0};
	const char *path = s->conf->limits_file;
	int r = fs_read(path, &text, SRVLIMITS_FILE_MAX);

	if (r < 0)
		str_cats(&why, tool_error_text(errno));
	else
		r = srvlimits_parse(str_c(&text), text.len, &fresh, &why);
	if (r < 0 && first && s->conf->talk != SERVER_QUIET)
		die(111, "unable to read %s: %s", path, str_c(&why));
	if (r < 0 && first)
		_exit(111);
	if (r < 0 && s->conf->talk != SERVER_QUIET)
		log_warn("keeping the limits, unable to read %s: %s", path,
		    str_c(&why));
	if (r == 0) {
		unsigned backlog = s->lim.backlog, total = s->lim.total;

		s->lim = fresh;
		if (!first && fresh.backlog != backlog)
			(void)listen(s->port.fd, (int)fresh.backlog);
		if (!first && fresh.total != total)
			say_status(s, s->peers.n);
	}
	str_free(&text);
	str_free(&why);
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Reads the limits again when their file has changed. */
static void
look_at_limits(struct server *s, bool now)
{
	int64_t ms = clock_mono_ms();
	struct stat st = {0};

	if (s->conf->limits_file == NULL || (!now && ms - s->looked < LOOK_MS))
		return;
	s->looked = ms;
	if (stat(s->conf->limits_file, &st) < 0)
		st = (struct stat){0};
	if (!now && same_file(&st, &s->seen))
		return;
	s->seen = st;
	read_limits(s, false);
}

/* The lines before a program runs; the child writes them, with its pid. */
struct opening {
	pid_t pid;
	bool verbose;
	struct str from, who;   /* what follows the pid in either line */
};

PROC_IN_CHILD static size_t
put_pid(char buf[16], pid_t pid)
{
	char rev[16];
	size_t n = 0, len = 0;

	do {
		rev[n++] = (char)('0' + pid % 10);
		pid /= 10;
	} while (pid > 0);
	while (n > 0)
		buf[len++] = rev[--n];
	return len;
}

PROC_IN_CHILD static void
say_opening(void *arg)
{
	static const char pid[] = "tcpserver: pid ", ok[] = "tcpserver: ok ";
	struct opening *o = arg;
	char digits[16];
	size_t n;

	o->pid = getpid();
	if (!o->verbose)
		return;
	n = put_pid(digits, o->pid);
	{
		union {
			const char *in;
			char *out;
		} a = {.in = pid}, b = {.in = ok};
		struct iovec v[] = {
			{a.out, sizeof pid - 1}, {digits, n},
			{o->from.s, o->from.len},
			{b.out, sizeof ok - 1}, {digits, n},
			{o->who.s, o->who.len},
		};

		(void)!writev(2, v, sizeof v / sizeof v[0]);
	}
}

static void
cat_from(struct str *out, const struct ip *ip)
{
	char text[IP_TEXT];

	str_catf(out, " from %s\n", ip_text(ip, text));
}

/* Refused without a process: the lines that a child would have made. */
static void
say_refusal(const struct server *s, const struct session *ses,
    const char *reason)
{
	struct str lines = {0};

	if (s->conf->talk != SERVER_VERBOSE)
		return;
	if (reason == NULL) {
		str_catf(&lines, "tcpserver: pid %d", (int)getpid());
		cat_from(&lines, &ses->remote);
	}
	str_catf(&lines, "tcpserver: deny %d ", (int)getpid());
	session_text(ses, &lines);
	if (reason != NULL)
		str_catf(&lines, " reason=%s", reason);
	str_catc(&lines, '\n');
	say(s, &lines);
	str_free(&lines);
}

static void
count_in(struct server *s, pid_t pid, const struct ip *ip)
{
	peers_add(&s->peers, pid, ip);
	watch_port(s);
}

/* Gives the connection to the program that is kept: false when it has none for
 * us.  Its child writes the lines, so that they come before its own. */
static bool
give_to_kept(struct server *s, const struct session *ses)
{
	struct str lines = {0};
	pid_t pid;
	bool ok;

	if (!s->conf->keep)
		return false;
	if (s->conf->talk == SERVER_VERBOSE) {
		cat_status(s, s->peers.n + 1, &lines);
		str_cats(&lines, "tcpserver: pid \001");
		cat_from(&lines, &ses->remote);
		str_cats(&lines, "tcpserver: ok \001 ");
		session_text(ses, &lines);
		str_catc(&lines, '\n');
	}
	ok = kept_give(&s->kept, ses->fd, &lines, ses->env.v, &pid);
	if (ok)
		count_in(s, pid, &ses->remote);
	str_free(&lines);
	return ok;
}

/* Starts the program; the session is decided. */
static void
spawn_program(struct server *s, const struct session *ses)
{
	const struct proc_fd fds[] = {{ses->fd, 0}, {ses->fd, 1}};
	struct opening o = {.verbose = s->conf->talk == SERVER_VERBOSE};
	const struct proc_spawn sp = {.argv = s->conf->program,
	    .envp = ses->env.v, .fds = fds, .nfds = 2,
	    .before = say_opening, .before_arg = &o};
	struct str lines = {0};
	pid_t pid;

	say_status(s, s->peers.n + 1);
	if (o.verbose) {
		cat_from(&o.from, &ses->remote);
		str_catc(&o.who, ' ');
		session_text(ses, &o.who);
		str_catc(&o.who, '\n');
	}
	if (proc_spawn(&sp, &pid) == 0) {
		count_in(s, pid, &ses->remote);
	} else {
		server_drop(s->conf, "unable to run %s", s->conf->program[0]);
		if (o.pid > 0)
			str_catf(&lines, "tcpserver: end %d status %d\n",
			    (int)o.pid, EXIT_FAILED);
		cat_status(s, s->peers.n, &lines);
		say(s, &lines);
	}
	str_free(&lines);
	str_free(&o.from);
	str_free(&o.who);
}

/* The child of a connection that has to be asked about. */
_Noreturn static void
run_slow(struct server *s, struct session *ses)
{
	const struct server_conf *c = s->conf;
	struct str lines = {0};
	enum session_status st;

	/* A child that waits for a name server must not hold the port. */
	(void)close(s->port.fd);
	(void)close(s->signals.fd);
	(void)close(s->loop.ep);
	sig_ignore(SIGPIPE);
	str_catf(&lines, "tcpserver: pid %d", (int)getpid());
	cat_from(&lines, &ses->remote);
	say(s, &lines);
	if (session_ask(ses) < 0) {
		server_drop(c, "unable to print banner");
		_exit(111);
	}
	st = session_decide(ses, &s->rules);
	if (st == SESSION_DROP)
		_exit(111);
	str_clear(&lines);
	str_catf(&lines, "tcpserver: %s %d ",
	    st == SESSION_DENIED ? "deny" : "ok", (int)getpid());
	session_text(ses, &lines);
	str_catc(&lines, '\n');
	say(s, &lines);
	if (st == SESSION_DENIED)
		_exit(100);
	if (dup2(ses->fd, 0) < 0 || dup2(ses->fd, 1) < 0 ||
	    syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
		server_drop(c, "unable to set up descriptors");
		_exit(111);
	}
	(void)signal(SIGPIPE, SIG_DFL);
	proc_exec(c->program, ses->env.v);
	server_drop(c, "unable to run %s", c->program[0]);
	_exit(111);
}

static void
fork_slow(struct server *s, struct session *ses)
{
	pid_t pid;

	say_status(s, s->peers.n + 1);
	pid = proc_fork();
	if (pid == 0)
		run_slow(s, ses);
	if (pid > 0) {
		count_in(s, pid, &ses->remote);
		return;
	}
	server_drop(s->conf, "unable to fork");
	say_status(s, s->peers.n);
}

static const char *
refusal(struct server *s, const struct ip *ip)
{
	const char *reason = NULL;

	switch (peers_check(&s->peers, &s->lim, ip, clock_mono_ms() / 1000)) {
	case PEERS_OK: return NULL;
	case PEERS_ADDRESS: reason = "address-limit"; break;
	case PEERS_NETWORK: reason = "network-limit"; break;
	case PEERS_PENALTY: reason = "penalty"; break;
	}
	return ruleset_sets(&s->rules, ip, "TCPNOLIMIT") ? NULL : reason;
}

static void
serve(struct server *s, int fd, const struct ip *ip, uint16_t port)
{
	const struct server_conf *c = s->conf;
	const char *reason;
	struct session ses;

	if (session_init(&ses, c, fd, ip, port) < 0) {
		server_drop(c, "unable to get local address");
		session_free(&ses);
		return;
	}
	if (c->kill_options && ip->family == 4)
		(void)setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0);
	reason = refusal(s, ip);
	if (reason != NULL) {
		say_refusal(s, &ses, reason);
	} else if (session_is_slow(c)) {
		fork_slow(s, &ses);
	} else {
		switch (session_decide(&ses, &s->rules)) {
		case SESSION_OK:
			if (!give_to_kept(s, &ses))
				spawn_program(s, &ses);
			break;
		case SESSION_DENIED:
			say_refusal(s, &ses, NULL);
			break;
		case SESSION_DROP:
			break;
		}
	}
	session_free(&ses);
}

static void
port_ready(struct loop_watch *w, uint32_t got)
{
	struct server *s = w->owner;

	(void)got;
	look_at_limits(s, false);
	for (int i = 0; i < ACCEPT_BATCH && s->peers.n < s->lim.total; i++) {
		struct ip ip;
		uint16_t port;
		int fd = tcp_accept(w->fd, &ip, &port);

		if (fd >= 0) {
			serve(s, fd, &ip, port);
			fd_close(fd);
		} else if (errno == EMFILE || errno == ENFILE ||
		    errno == ENOMEM || errno == ENOBUFS) {
			if (s->conf->talk != SERVER_QUIET)
				tool_warn("unable to accept connections");
			s->paused = clock_mono_ms() + PAUSE_MS;
			break;
		} else if (errno == EAGAIN) {
			break;
		}       /* else: a client that is gone already */
	}
	watch_port(s);
}

static void
reap(struct server *s)
{
	int status;
	pid_t pid;

	while ((pid = proc_reap(&status)) > 0) {
		struct str lines = {0};
		struct ip client;
		unsigned seconds = 0;
		bool ours = peers_end(&s->peers, pid, &client);

		if (s->conf->keep && !ours) {
			kept_ended(&s->kept, pid, status);
			continue;
		}
		if (s->conf->keep && WIFSIGNALED(status))
			kept_renew(&s->kept);
		str_catf(&lines, "tcpserver: end %d status %d\n", (int)pid,
		    status);
		cat_status(s, s->peers.n, &lines);
		if (ours && WIFEXITED(status) &&
		    WEXITSTATUS(status) == EXIT_BAD_SESSION)
			seconds = peers_punish(&s->peers, &s->lim, &client,
			    clock_mono_ms() / 1000);
		if (seconds > 0) {
			char text[IP_TEXT];

			str_catf(&lines, "tcpserver: penalty %s seconds=%u\n",
			    ip_text(&client, text), seconds);
		}
		say(s, &lines);
		str_free(&lines);
	}
	watch_port(s);
}

static void
signal_ready(struct loop_watch *w, uint32_t got)
{
	struct server *s = w->owner;
	int sig;

	(void)got;
	while ((sig = sig_next(w->fd)) != 0) {
		if (sig == SIGCHLD)
			reap(s);
		else if (sig == SIGTERM)
			s->done = true;
		else if (sig == SIGHUP)
			look_at_limits(s, true);
	}
	watch_port(s);
}

/* How long to sleep: a pause to end, or a limit that may be raised. */
static int64_t
wait_ms(struct server *s)
{
	int64_t left;

	if (s->paused != 0) {
		left = s->paused - clock_mono_ms();
		if (left > 0)
			return left;
		s->paused = 0;
		watch_port(s);
	}
	return s->conf->limits_file != NULL && s->peers.n >= s->lim.total ?
	    LOOK_MS : -1;
}

/* IPv4 first, as ever; an IPv6 host may be given as an address or be a name
 * that has nothing else. */
static void
find_host(const struct server_conf *c, struct ip *out)
{
	const struct ip zero = {.family = c->both ? 0 : 4};
	struct ip found[TCPWHO_ADDRS];
	enum tcpwho_status st;
	struct dns dns;
	size_t n;

	dns_init(&dns);
	st = tcpwho_host(&dns, c->host, &zero, c->both ? 0 : 4, found, &n);
	if (st == TCPWHO_NONE && !c->both && !c->only4)
		st = tcpwho_host(&dns, c->host, &zero, 6, found, &n);
	if (st == TCPWHO_TEMP)
		server_die(c, "temporarily unable to figure out IP address "
		    "for %s", c->host);
	if (st == TCPWHO_NONE && c->talk != SERVER_QUIET)
		die(111, "no IP address for %s", c->host);
	if (st == TCPWHO_NONE)
		_exit(111);
	*out = found[0];
	if (out->family == 6 && c->interface != 0)
		out->scope = c->interface;
}

/* Set once here: accepted sockets inherit them. */
static void
set_options(int fd, const struct server_conf *c)
{
	const int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	if (!c->delay)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int
open_port(const struct server_conf *c)
{
	struct ip ip;
	int fd;

	find_host(c, &ip);
	fd = tcp_listen(&ip, c->port, (int)c->limits.backlog, false);
	if (fd < 0 && (errno == EMFILE || errno == EAFNOSUPPORT))
		server_die(c, "unable to create socket");
	if (fd < 0)
		server_die(c, "unable to bind");
	set_options(fd, c);
	return fd;
}

static void
become_user(const struct server_conf *c)
{
	gid_t gid = c->gid != 0 ? c->gid : getegid();

	if (c->gid != 0 && (setgroups(1, &gid) < 0 ||
	    setresgid(gid, gid, gid) < 0))
		server_die(c, "unable to set gid");
	if (c->uid == 0)
		return;
	/* The groups of root are nobody else's. */
	if ((c->gid == 0 && geteuid() == 0 && setgroups(1, &gid) < 0) ||
	    setresuid(c->uid, c->uid, c->uid) < 0)
		server_die(c, "unable to set uid");
	if (setuid(0) == 0) {
		errno = EPERM;
		server_die(c, "unable to set uid");
	}
}

/* Says the port if asked to, and gives away what the caller had for input and
 * output: 0 and 1 are for connections. */
static void
leave_stdio(const struct server_conf *c, int port_fd)
{
	struct str line = {0};
	uint16_t port = 0;
	int null;

	if (tcp_local(port_fd, NULL, &port) < 0)
		server_die(c, "unable to get local address");
	if (c->print_port) {
		str_catu(&line, port);
		str_catc(&line, '\n');
		(void)!fd_write_all(1, line.s, line.len);
		str_free(&line);
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		server_die(c, "unable to open /dev/null");
	(void)close(null);
}

static void
open_server(struct server *s, const struct server_conf *c)
{
	static const int signals[] = {SIGCHLD, SIGHUP, SIGTERM, 0};

	*s = (struct server){.conf = c, .lim = c->limits,
	    .rules = {.path = c->rules, .optional = c->rules_optional}};
	sig_ignore(SIGPIPE);
	s->port = (struct loop_watch){.fd = open_port(c), .want = LOOP_READ,
	    .ready = port_ready, .owner = s};
	become_user(c);
	/* As the user: what it cannot read now, it could not read later. */
	if (c->limits_file != NULL) {
		if (stat(c->limits_file, &s->seen) < 0)
			s->seen = (struct stat){0};
		read_limits(s, true);
		if (s->lim.backlog != c->limits.backlog)
			(void)listen(s->port.fd, (int)s->lim.backlog);
	}
	s->signals = (struct loop_watch){.fd = sig_open(signals),
	    .want = LOOP_READ, .ready = signal_ready, .owner = s};
	if (s->signals.fd < 0 || loop_init(&s->loop) < 0 ||
	    loop_add(&s->loop, &s->signals) < 0 ||
	    loop_add(&s->loop, &s->port) < 0)
		server_die(c, "unable to watch the port");
	peers_init(&s->peers);
	leave_stdio(c, s->port.fd);
	if (c->keep)
		kept_open(&s->kept, c->program, c->talk == SERVER_QUIET);
	say_status(s, 0);
}

int
server_run(const struct server_conf *c)
{
	struct server s;

	open_server(&s, c);
	while (!s.done) {
		if (loop_run(&s.loop, wait_ms(&s)) < 0)
			server_die(c, "unable to wait for connections");
		look_at_limits(&s, false);
		watch_port(&s);
	}
	if (c->keep)
		kept_close(&s.kept);
	peers_free(&s.peers);
	cdbfile_close(s.rules.f);
	return 0;
}
