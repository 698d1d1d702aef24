/* mail/login.c - the monitor's half of a login; see login.h.
 *
 * Invariant: at most one talker lives, and while it does nothing else is done;
 * what it left is looked at when it is gone.  Every way back to a talker is
 * counted: LOGIN_TRIES failed attempts, one handshake, one "no TLS". */
#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "lib/sig.h"
#include "lib/tai.h"
#include "mail/login_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct monitor {
	const struct login_config *cfg;
	struct login l;                 /* what the next talker finds */
	login_talk talk;
	void *arg;
	struct str tag;                 /* of the last command */
	struct str guessed;             /* the user of a wrong password */
	unsigned failed, wrong;         /* attempts; and how many were wrong */
	bool guesses;                   /* at more than one user */
	bool trouble;
};

/* Whose connection it is stands in the server's lines with this pid. */
static void
complain(const char *what, const char *why)
{
	log_warn("%s%s%s pid=%ld", what, *why != '\0' ? ": " : "", why,
	    (long)getpid());
}

static void
cat_pair(struct str *line, const char *key, const char *value)
{
	str_catf(line, " %s=", key);
	log_quote(line, value, strlen(value));
}

/* For those who watch logs for guesses. */
static void
log_attempt(const struct monitor *m, const char *event,
    const struct str *user)
{
	const char *ip = getenv("TCPREMOTEIP"), *tls = getenv("SSL_PROTOCOL");
	struct str line = {0};

	str_catf(&line, "info: %s pid=%ld", event, (long)getpid());
	cat_pair(&line, "ip", ip != NULL ? ip : "");
	cat_pair(&line, "user", str_c(user));
	if (m->l.tls)
		cat_pair(&line, "tls", tls != NULL ? tls : "");
	log_info("%s", str_c(&line));
	str_free(&line);
}

/* ---- talkers ---- */

static pid_t
start_talker(struct monitor *m, int *r_out)
{
	pid_t self = getpid(), pid;
	int w;

	if (proc_pipe(r_out, &w) < 0)
		return -1;
	pid = proc_fork();
	if (pid == 0) {
		enum login_end end;

		login_confine(&m->l, w, self);
		end = m->talk(&m->l, m->arg);
		login_flush(&m->l);
		_exit((int)end);
	}
	fd_close(w);
	if (pid < 0)
		fd_close(*r_out);
	return pid;
}

/* How it ended, when that means anything. */
static enum login_end
judge_talker(struct monitor *m, int status)
{
	char text[32];

	if (WIFEXITED(status))
		switch (WEXITSTATUS(status)) {
		case LOGIN_OVER:
			return LOGIN_OVER;
		case LOGIN_ASK:
			return LOGIN_ASK;
		case LOGIN_STARTTLS:
			return LOGIN_STARTTLS;
		default:
			break;
		}
	complain("talker ended", proc_status_text(status, text, sizeof text));
	m->trouble = true;
	return LOGIN_OVER;
}

/* What the pipe of a dead talker holds: n bytes at most, 0 for nothing. */
static size_t
drain(int r, char *buf, size_t n)
{
	ssize_t k = -1;

	if (fd_nonblock(r) == 0)
		k = read(r, buf, n);
	fd_close(r);
	return k > 0 ? (size_t)k : 0;
}

/* One talker from its start to its end.  Its word is in buf. */
static enum login_end
run_talker(struct monitor *m, char *buf, size_t size, size_t *n_out)
{
	enum login_end end = LOGIN_OVER;
	int r, status;
	pid_t pid = start_talker(m, &r);

	if (pid < 0) {
		log_sys("unable to start a talker");
		m->trouble = true;
		return LOGIN_OVER;
	}
	/* Its pipe holds more than a packet, so it need not be read before:
	 * who writes more than that waits until the time is over. */
	if (proc_wait_within(pid, m->cfg->talk_ms, &status) == 0)
		end = judge_talker(m, status);
	*n_out = drain(r, buf, size);
	return end;
}

/* ---- attempts ---- */

/* 0 when time is over, -1 when the client has gone first. */
static int
wait_wrong(int ms)
{
	int64_t until = clock_mono_ms() + ms, left;
	/* A client that has only shut its side down still gets its answer. */
	struct pollfd p = {.fd = STDIN_FILENO, .events = 0};

	while ((left = until - clock_mono_ms()) > 0)
		if (poll(&p, 1, (int)left) > 0)
			return -1;
	return 0;
}

/* It does not speak as the code that was forked would. */
static int
nonsense(struct monitor *m)
{
	complain("talker said nonsense", "");
	m->trouble = true;
	return -1;
}

/* A slip of the user who is known then is no guess; but a password of one's
 * own is no licence to guess those of others. */
static void
note_wrong(struct monitor *m, const struct str *user)
{
	if (m->wrong++ > 0 && !str_eqs(user, str_c(&m->guessed)))
		m->guesses = true;
	str_copy(&m->guessed, user);
}

/* 0: another talker, -1: it is over. */
static int
ask(struct monitor *m, const struct login_packet *p)
{
	enum login_ran ran = LOGIN_SAYS_WRONG;
	int fields = -1;

	/* Nobody's password is empty, and programs that are asked all the same
	 * say misuse, most of them. */
	if (p->secret.len > 0) {
		fields = checkpw_pipe(str_c(&p->user), p->user.len,
		    str_c(&p->secret), p->secret.len, m->l.stamp);
		if (fields < 0 && errno == EINVAL)
			return nonsense(m);
		if (fields < 0)
			log_sys("unable to give a password to %s",
			    m->cfg->argv[0]);
		ran = LOGIN_SAYS_NOTHING;
	}
	str_copy(&m->tag, &p->tag);
	m->l.tag = str_c(&m->tag);
	m->l.why = LOGIN_UNKNOWN;
	if (fields >= 0)
		ran = login_run(m->cfg, str_c(&m->tag), fields);
	switch (ran) {
	case LOGIN_HAD_IT:
		if (m->wrong > 0 &&
		    !str_eqs(&m->guessed, str_c(&p->user)))
			m->guesses = true;
		if (!m->guesses)
			m->wrong = 0;
		return -1;
	case LOGIN_SAYS_WRONG:
		m->l.why = LOGIN_WRONG;
		note_wrong(m, &p->user);
		break;
	case LOGIN_SAYS_NOTHING:
		break;
	}
	log_attempt(m, m->l.why == LOGIN_WRONG ? "auth-failed" :
	    "auth-unknown", &p->user);
	m->l.last = ++m->failed >= LOGIN_TRIES;
	return wait_wrong(m->cfg->wrong_ms << (m->failed - 1));
}

/* What a talker that is gone wants to have tried. */
static int
attempt(struct monitor *m, const char *buf, size_t n)
{
	struct login_packet p = {0};
	int r;

	if (login_parse(buf, n, &p) < 0 || (p.tag.len > 0) != m->cfg->tags ||
	    m->l.last || (!m->l.can_plain && *m->l.stamp == '\0'))
		r = nonsense(m);
	else
		r = ask(m, &p);
	login_packet_wipe(&p);
	return r;
}

/* ---- TLS ---- */

/* The connection becomes its plain side. */
static int
handshake(struct monitor *m, int t)
{
	const char *peer = getenv("TCPREMOTEIP");
	struct tlsreq req = {.role = TLSREQ_SERVER, .verify = TLSREQ_ANY,
	    .timeout_ms = LOGIN_TLS_MS, .service = m->cfg->service,
	    .name = "", .altname = "", .peer = peer != NULL ? peer : ""};
	struct tlsfacts facts = {0};
	int plain = -1, net = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	enum tlsreq_status st;

	if (net < 0) {
		log_sys("unable to use the connection");
		fd_close(t);
		return -1;
	}
	st = tlsreq_start(t, &req, net, &facts, &plain);
	if (st == TLSREQ_FAILED)
		complain("no TLS", str_c(&facts.reason));
	else if (st == TLSREQ_GONE)
		log_sys("tlsd did not answer");
	if (st == TLSREQ_OK && (dup2(plain, STDIN_FILENO) < 0 ||
	    dup2(plain, STDOUT_FILENO) < 0)) {
		log_sys("unable to arrange descriptors");
		st = TLSREQ_GONE;
	}
	if (plain >= 0)
		fd_close(plain);
	if (st == TLSREQ_OK)
		tlsfacts_setenv(&facts);
	tlsfacts_free(&facts);
	if (st != TLSREQ_OK)
		return -1;
	m->l.tls = m->l.can_plain = true;
	m->l.can_starttls = false;
	return 0;
}

/* A client that takes not even this at once cannot be waiting for it. */
static int
say_go_ahead(struct monitor *m)
{
	struct str s = {0};
	ssize_t n;

	str_cat(&s, &m->tag);
	str_cats(&s, m->cfg->tls_go_ahead);
	n = send(STDOUT_FILENO, s.s, s.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	n = n == (ssize_t)s.len ? 0 : -1;
	str_free(&s);
	return (int)n;
}

/* A talker wants TLS.  0: another talker, -1: it is over. */
static int
starttls(struct monitor *m, const char *buf, size_t n)
{
	int t;

	if (!m->l.can_starttls || (n > 0) != m->cfg->tags ||
	    (n > 0 && (buf[n - 1] != '\0' || n == 1 ||
	    !login_tag_ok(buf, n - 1))))
		return nonsense(m);
	str_copyb(&m->tag, buf, n > 0 ? n - 1 : 0);
	m->l.tag = str_c(&m->tag);
	/* Also when it fails, or a client could ask for ever. */
	m->l.can_starttls = false;
	t = tlsreq_open(m->cfg->tls_socket);
	if (t < 0) {
		log_sys("unable to reach tlsd on %s", m->cfg->tls_socket);
		m->l.why = LOGIN_NO_TLS;
		return 0;
	}
	/* What was sent before the handshake must not be taken for what was
	 * sent inside TLS; tlsd would find that it is no handshake. */
	if (login_more(&m->l)) {
		complain("no TLS", "the client sent more before it");
		fd_close(t);
		return -1;
	}
	if (say_go_ahead(m) < 0) {
		fd_close(t);
		return -1;
	}
	str_clear(&m->tag);
	m->l.tag = "";
	m->l.why = LOGIN_SECURED;
	return handshake(m, t);
}

static int
tls_first(struct monitor *m)
{
	int t = m->cfg->tls_socket != NULL ? tlsreq_open(m->cfg->tls_socket) :
	    -1;

	if (t < 0) {
		log_sys("unable to reach tlsd");
		m->trouble = true;
		return -1;
	}
	return handshake(m, t);
}

/* ---- the connection ---- */

/* Only a socket can be given away. */
static bool
tls_offered(const struct login_config *cfg)
{
	socklen_t n = sizeof(int);
	int type;

	return cfg->tls_socket != NULL &&
	    getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &n) == 0 &&
	    access(cfg->tls_socket, F_OK) == 0;
}

static void
serve(struct monitor *m)
{
	char buf[LOGIN_PACKET + 1];
	size_t n;
	int r = 0;

	while (r == 0) {
		n = 0;
		switch (run_talker(m, buf, sizeof buf, &n)) {
		case LOGIN_ASK:
			r = attempt(m, buf, n);
			break;
		case LOGIN_STARTTLS:
			r = starttls(m, buf, n);
			break;
		case LOGIN_OVER:
			r = -1;
			break;
		}
		explicit_bzero(buf, sizeof buf);
	}
}

int
login_monitor(const struct login_config *cfg, const char *stamp,
    login_talk talk, void *arg)
{
	struct monitor m = {.cfg = cfg, .talk = talk, .arg = arg};
	const char *ssl = getenv("SSL_PROTOCOL");

	if (cfg->uid == 0)
		die(111, "talkers must not be root");
	sig_ignore(SIGPIPE);
	if (sandbox_no_new_privs() < 0 || sandbox_undumpable() < 0)
		die_sys(111, "unable to give up rights");
	m.l = (struct login){.cfg = cfg, .why = LOGIN_HELLO, .tag = "",
	    .stamp = stamp, .rfd = STDIN_FILENO, .wfd = STDOUT_FILENO,
	    .pipe = -1, .can_plain = cfg->plaintext};
	/* A wrapper may have shaken hands. */
	if (ssl != NULL && *ssl != '\0')
		m.l.tls = m.l.can_plain = true;
	m.l.can_starttls = !m.l.tls && tls_offered(cfg);
	if (m.l.tls || !cfg->implicit_tls || tls_first(&m) == 0)
		serve(&m);
	str_free(&m.tag);
	str_free(&m.guessed);
	return m.wrong > 0 ? LOGIN_EXIT_WRONG : m.trouble ? 111 : 0;
}
