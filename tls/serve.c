/* tls/serve.c - the resident part of tlsd; see serve.h.
 *
 * It runs as root, for a session must be put into an empty root and become
 * another user, and it reads no byte of a stranger: of a request it looks at
 * the first two bytes, to know whether keyd or the public CAs are needed.  A
 * connection that asks nothing yet costs a descriptor; it becomes a process
 * when its request is there.
 *
 * The order in a child: keyd's connection (only root gets one), empty root,
 * user, limits, system calls; then the request is read. */
#include "tls/serve.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "lib/str.h"
#include "lib/tai.h"
#include "lib/tlsreq.h"
#include "tls/netbio.h"
#include "tls/provider.h"
#include "tls/session.h"
#include "tls/warm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEYD_MS 2000
#define BACKLOG 1024
#define ACCEPTS 64              /* new connections in one turn */
#define PAUSE_MS 200            /* after the kernel had nothing to give */
#define FIRST_FD 3              /* a child's: the asker */

struct serve {
	const struct serve_config *cfg;
	struct session_tools tools;
	struct certs *certs;
	struct tickets tickets;
	X509_STORE *cas;
	struct loop loop;
	struct loop_watch listener, signals;
	size_t sessions, waiting;
	int64_t start_ms, retry_ms;     /* retry 0: all is loaded */
	int64_t pause_ms;               /* accept nobody before; 0: go on */
	bool told;                      /* the trouble was logged */
	bool full, ending;
};

struct asker {
	struct loop_watch w;
	struct serve *sv;
};

/* ---- certificates ---- */

static void
adopt(struct serve *sv, struct certs *new)
{
	certs_free(sv->certs);
	sv->certs = new;
	sv->tools.certs = new;
	warm_up(&sv->tools);
	log_info("certificates=%lu generation=%llu",
	    (unsigned long)new->sites.live,
	    (unsigned long long)new->generation);
}

/* A generation is taken when keyd has all its keys.  At the start what can be
 * served is served.  Otherwise: again in a while. */
static void
load_certs(struct serve *sv)
{
	int keyd = sock_connect(sv->cfg->keyd, SOCK_SEQPACKET, KEYD_MS);
	bool start = clock_mono_ms() - sv->start_ms < SERVE_START_MS;
	/* When the machine starts keyd may be a moment later than this. */
	bool told = sv->told || start, none;
	struct certs *new = NULL;

	sv->retry_ms = clock_mono_ms() +
	    (start ? SERVE_SOON_MS : SERVE_RETRY_MS);
	sv->told = !start;
	if (keyd < 0) {
		if (!told)
			log_sys("unable to reach keyd on %s", sv->cfg->keyd);
		return;
	}
	new = certs_load(sv->cfg->home, &sv->tickets, keyd);
	none = new == NULL && errno == ENOENT;
	if (new == NULL && (!told || none))
		log_sys("unable to load certificates from %s/current",
		    sv->cfg->home);
	if (new == NULL) {
		(void)close(keyd);
		/* Without any, a HUP tells when there are some. */
		if (none)
			sv->retry_ms = 0;
		return;
	}
	if (new->missing > 0 && !told)
		log_warn("keyd lacks keys=%lu generation=%llu",
		    (unsigned long)new->missing,
		    (unsigned long long)new->generation);
	if (new->missing == 0) {
		sv->retry_ms = 0;
		sv->told = false;
	}
	/* For the rehearsal; the provider closes it. */
	provider_connect(keyd);
	if (new->missing == 0 || sv->certs == NULL)
		adopt(sv, new);
	else
		certs_free(new);
	provider_connect(-1);
}

/* Parsing some hundred certificates takes milliseconds: once, and not before
 * somebody verifies. */
static void
load_cas(struct serve *sv)
{
	if (sv->cas != NULL)
		return;
	sv->cas = X509_STORE_new();
	if (sv->cas == NULL || X509_STORE_load_file(sv->cas,
	    sv->cfg->public_cas) != 1)
		log_warn("unable to load public CAs from %s: peers cannot be "
		    "verified", sv->cfg->public_cas);
	ERR_clear_error();
}

/* ---- children ---- */

static _Noreturn void
leave(const char *what)
{
	log_sys("unable to %s", what);
	_exit(111);
}

/* Gives up all that a session does not need. */
static void
confine(const struct serve_config *cfg)
{
	static const int calls[] = {SYS_read, SYS_write, SYS_recvfrom,
	    SYS_sendto, SYS_recvmsg, SYS_sendmsg, SYS_poll, SYS_close,
	    SYS_shutdown, SYS_socketpair, SYS_setsockopt, SYS_getsockopt,
	    SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect,
	    SYS_madvise, SYS_futex, SYS_getrandom, SYS_getpid,
	    SYS_clock_gettime, SYS_gettimeofday, SYS_time,
	    SYS_restart_syscall, SYS_rt_sigprocmask, SYS_rt_sigreturn,
	    SYS_gettid, SYS_tgkill, SYS_exit_group, -1};
	static const struct sandbox_limit limits[] = {
		{RLIMIT_NOFILE, 16}, {RLIMIT_NPROC, 0}, {RLIMIT_CPU, 600}};

	if (chroot(cfg->root) < 0 || chdir("/") < 0)
		leave("enter the empty root");
	if (proc_drop(cfg->uid, cfg->gid) < 0)
		leave("become the user of sessions");
	if (sandbox_undumpable() < 0 ||
	    sandbox_limits(limits, sizeof limits / sizeof limits[0]) < 0)
		leave("set limits");
	if (sandbox_calls(calls) < 0)
		leave("give up system calls");
}

static _Noreturn void
child(struct serve *sv, int t, bool server)
{
	int keyd = -1;

	/* The asker's connection blocks from here on.  First all others go:
	 * there may be no descriptor left. */
	if (dup2(t, FIRST_FD) < 0 || fcntl(FIRST_FD, F_SETFL, 0) < 0)
		leave("arrange descriptors");
	(void)syscall(SYS_close_range, FIRST_FD + 1u, ~0u, 0);
	if (server) {
		keyd = sock_connect(sv->cfg->keyd, SOCK_SEQPACKET, KEYD_MS);
		if (keyd < 0)
			log_sys("unable to reach keyd on %s", sv->cfg->keyd);
	}
	provider_connect(keyd);
	confine(sv->cfg);
	_exit(session_run(&sv->tools, FIRST_FD));
}

static void
want_listener(struct serve *sv)
{
	size_t max = sv->cfg->sessions_max;
	bool full = sv->sessions >= max || sv->waiting >= max;

	if (full && !sv->full)
		log_warn("sessions=%lu waiting=%lu: others must wait",
		    (unsigned long)sv->sessions, (unsigned long)sv->waiting);
	sv->full = full;
	if (sv->listener.on)
		loop_want(&sv->loop, &sv->listener,
		    full || sv->pause_ms != 0 ? 0 : LOOP_READ);
}

static void
start_session(struct serve *sv, int t, char role, char verify)
{
	bool server = role == '0' + TLSREQ_SERVER;
	pid_t pid;

	sv->tools.public_cas = NULL;
	if (server ? verify == '0' + TLSREQ_ASK :
	    verify != '0' + TLSREQ_DANE) {
		load_cas(sv);
		sv->tools.public_cas = sv->cas;
	}
	if (tickets_rotate(&sv->tickets, clock_mono_ms()) < 0) {
		log_warn("unable to make ticket keys: no random bytes");
		return;
	}
	pid = proc_fork();
	if (pid == 0)
		child(sv, t, server);
	if (pid < 0)
		log_sys("unable to start a session");
	else
		sv->sessions++;
}

static void
asker_end(struct asker *a)
{
	struct serve *sv = a->sv;

	loop_del(&sv->loop, &a->w);
	(void)close(a->w.fd);
	free(a);
	sv->waiting--;
	want_listener(sv);
}

/* The request is there, or the asker left. */
static void
asker_ready(struct loop_watch *w, uint32_t got)
{
	struct asker *a = w->owner;
	char head[2];
	ssize_t n = recv(w->fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT);

	(void)got;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == (ssize_t)sizeof head)
		start_session(a->sv, w->fd, head[0], head[1]);
	asker_end(a);
}

static bool
may_ask(const struct serve_config *cfg, uid_t uid)
{
	for (size_t i = 0; i < cfg->naskers; i++)
		if (cfg->askers[i] == uid)
			return true;
	return false;
}

/* Without descriptors or memory the connection stays where it is, and would
 * wake us at once again. */
static void
accept_failed(struct serve *sv)
{
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	log_sys("unable to accept a connection");
	sv->pause_ms = clock_mono_ms() + PAUSE_MS;
	want_listener(sv);
}

static void
listener_ready(struct loop_watch *w, uint32_t got)
{
	struct serve *sv = w->owner;
	struct asker *a;
	uid_t uid = 0;
	gid_t gid = 0;
	pid_t pid = 0;
	int fd;

	(void)got;
	for (int i = 0; i < ACCEPTS && !sv->full; i++) {
		fd = sock_accept(w->fd);
		if (fd < 0) {
			accept_failed(sv);
			return;
		}
		if (sock_peer(fd, &uid, &gid, &pid) < 0 ||
		    !may_ask(sv->cfg, uid)) {
			log_warn("connection refused pid=%ld uid=%ld",
			    (long)pid, (long)uid);
			(void)close(fd);
			continue;
		}
		a = mem_alloc(1, sizeof *a);
		*a = (struct asker){.sv = sv, .w = {.fd = fd,
		    .want = LOOP_READ, .ready = asker_ready, .owner = a}};
		sv->waiting++;
		if (loop_add(&sv->loop, &a->w) < 0)
			asker_end(a);
		want_listener(sv);
	}
}

static void
reap(struct serve *sv)
{
	char text[32];
	int status;
	pid_t pid;

	while ((pid = proc_reap(&status)) > 0) {
		if (sv->sessions > 0)
			sv->sessions--;
		if (WIFSIGNALED(status))
			log_warn("session ended pid=%ld: %s", (long)pid,
			    proc_status_text(status, text, sizeof text));
	}
	want_listener(sv);
}

static void
signals_ready(struct loop_watch *w, uint32_t got)
{
	struct serve *sv = w->owner;
	int s;

	(void)got;
	while ((s = sig_next(w->fd)) != 0) {
		if (s == SIGCHLD) {
			reap(sv);
		} else if (s == SIGHUP) {
			X509_STORE_free(sv->cas);
			sv->cas = NULL;
			sv->told = false;
			load_certs(sv);
		} else {
			sv->ending = true;
		}
	}
}

/* The socket is the offer: programs look whether it is there.  Without keyd
 * it is made all the same after a while, for those who ask as clients.
 * Anybody may connect; who is not on the list is closed at once. */
static void
listen_in_time(struct serve *sv)
{
	if (sv->listener.on || (sv->certs == NULL && sv->retry_ms != 0 &&
	    clock_mono_ms() - sv->start_ms < SERVE_START_MS))
		return;
	sv->listener = (struct loop_watch){.want = LOOP_READ,
	    .ready = listener_ready, .owner = sv};
	sv->listener.fd = sock_listen(sv->cfg->socket, SOCK_SEQPACKET,
	    BACKLOG, 0666);
	if (sv->listener.fd < 0)
		die_sys(111, "unable to listen on %s", sv->cfg->socket);
	if (loop_add(&sv->loop, &sv->listener) < 0)
		die_sys(111, "unable to wait for events");
}

/* What is due now is done; how long to wait for what comes next. */
static int64_t
timers(struct serve *sv)
{
	int64_t now = clock_mono_ms(), first;

	if (sv->retry_ms != 0 && now >= sv->retry_ms)
		load_certs(sv);
	if (sv->pause_ms != 0 && now >= sv->pause_ms) {
		sv->pause_ms = 0;
		want_listener(sv);
	}
	first = sv->retry_ms;
	if (sv->pause_ms != 0 && (first == 0 || sv->pause_ms < first))
		first = sv->pause_ms;
	if (first == 0)
		return -1;
	now = clock_mono_ms();
	return first > now ? first - now : 0;
}

int
serve_run(const struct serve_config *cfg)
{
	struct serve sv = {.cfg = cfg, .start_ms = clock_mono_ms()};

	if (provider_load() < 0)
		die(111, "unable to load the provider of keys");
	sv.tools.client = context_client();
	sv.tools.bio = netbio_method();
	if (sv.tools.client == NULL || sv.tools.bio == NULL ||
	    tickets_rotate(&sv.tickets, clock_mono_ms()) < 0)
		die(111, "unable to start libssl");
	sv.signals = (struct loop_watch){.fd = cfg->signals,
	    .want = LOOP_READ, .ready = signals_ready, .owner = &sv};
	load_certs(&sv);
	if (loop_init(&sv.loop) < 0 || loop_add(&sv.loop, &sv.signals) < 0)
		die_sys(111, "unable to wait for events");
	while (!sv.ending) {
		int64_t wait = timers(&sv);

		listen_in_time(&sv);
		if (loop_run(&sv.loop, wait) < 0)
			die_sys(111, "unable to wait for events");
	}
	certs_free(sv.certs);
	SSL_CTX_free(sv.tools.client);
	X509_STORE_free(sv.cas);
	return 0;
}
