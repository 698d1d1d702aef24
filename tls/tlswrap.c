/* tlswrap - put TLS around a program that speaks plain text, or within its
 * reach.
 * Runs as:  who runs it, between tcpserver and the program; drops to -u.
 * Trusts:   its arguments, TCPREMOTEIP, tlsd.  Reads no byte of the network.
 * Exits:    as the program it becomes; 111 on trouble, 100 on misuse. */
#include "lib/io.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "lib/tlsreq.h"
#include "lib/user.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define USAGE "tlswrap [-cn] [-s service] [-t seconds] [-u account] prog"
#define HANDSHAKE_S 60

struct wrap {
	struct tlsreq req;
	bool on_demand;
	const char *account;            /* NULL: stay */
	uid_t uid;
	gid_t gid;
};

static void
drop(const struct wrap *w)
{
	if (w->account != NULL && proc_drop(w->uid, w->gid) < 0)
		die_sys(111, "unable to become %s", w->account);
}

static _Noreturn void
become(char **argv)
{
	const char *const *v = (const char *const *)argv;

	proc_exec(v, NULL);
	die_sys(111, "unable to run %s", argv[0]);
}

static int
peer_socket(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		die_sys(111, "unable to use descriptor 0");
	return fd;
}

static int
need_tlsd(void)
{
	int t = tlsreq_open(TLSREQ_SOCKET);

	if (t < 0)
		die_sys(111, "unable to reach tlsd on %s", TLSREQ_SOCKET);
	return t;
}

/* TLS at once: 0 and 1 become the plain side. */
static void
start_now(const struct wrap *w)
{
	struct tlsfacts facts = {0};
	int plain, t = need_tlsd();

	switch (tlsreq_start(t, &w->req, peer_socket(), &facts, &plain)) {
	case TLSREQ_OK:
		break;
	case TLSREQ_FAILED:
		/* tlsd's log has the line for administrators. */
		die(111, "no TLS: %s", str_c(&facts.reason));
	case TLSREQ_GONE:
		die_sys(111, "tlsd did not answer");
	}
	if (dup2(plain, 0) < 0 || dup2(plain, 1) < 0)
		die_sys(111, "unable to arrange descriptors");
	(void)close(plain);
	tlsfacts_setenv(&facts);
	tlsfacts_free(&facts);
}

/* ---- UCSPI-TLS ---- */

/* What a program that asked with "Y" is told: NAME=value each with NUL, and a
 * NUL. */
static void
send_facts(int ctl, const struct tlsfacts *facts)
{
	static const char *const names[] = {"SSL_PROTOCOL", "SSL_CIPHER",
	    "SSL_CIPHER_USEKEYSIZE", "SSL_TLS_SNI_SERVERNAME",
	    "SSL_CLIENT_S_DN", "SSL_CLIENT_FINGERPRINT", "SSL_CLIENT_VERIFY"};
	struct str out = {0};

	tlsfacts_setenv(facts);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = getenv(names[i]);

		if (value == NULL)
			continue;
		str_catf(&out, "%s=%s", names[i], value);
		str_catc(&out, '\0');
	}
	str_catc(&out, '\0');
	if (fd_write_all(ctl, out.s, out.len) < 0)
		log_sys("unable to tell the program about TLS");
	str_free(&out);
}

struct ends {
	int ctl, plain;                 /* the program's */
	int ctl_far, plain_far;
};

/* Sleeps until the program asks or ends; ends itself when tlsd has taken
 * over. */
static _Noreturn void
helper(const struct wrap *w, const struct ends *e, int t)
{
	int ctl = e->ctl_far, plain = e->plain_far;
	int net = peer_socket();
	struct tlsfacts facts = {0};
	char word;
	ssize_t n;

	/* With the program's ends open its death would go unseen. */
	(void)close(e->ctl);
	(void)close(e->plain);
	(void)close(0);
	(void)close(1);
	sig_ignore(SIGPIPE);
	drop(w);
	do
		n = read(ctl, &word, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1 || (word != 'y' && word != 'Y'))
		_exit(0);
	switch (tlsreq_start_on(t, &w->req, net, plain, &facts)) {
	case TLSREQ_OK:
		if (word == 'Y')
			send_facts(ctl, &facts);
		_exit(0);
	case TLSREQ_FAILED:
		log_warn("no TLS: %s", str_c(&facts.reason));
		_exit(111);
	case TLSREQ_GONE:
		break;
	}
	die_sys(111, "tlsd did not answer");
}

static void
set_number(const char *name, int fd)
{
	struct str s = {0};

	/* Inherited, unlike everything else here. */
	if (fcntl(fd, F_SETFD, 0) < 0)
		die_sys(111, "unable to arrange descriptors");
	str_catu(&s, (uint64_t)fd);
	if (setenv(name, str_c(&s), 1) < 0)
		die(111, "out of memory");
	str_free(&s);
}

/* The helper is a grandchild: the program must not find a child it did not
 * make. */
static void
start_helper(const struct wrap *w, const struct ends *e, int t)
{
	pid_t pid = proc_fork(), inner;
	int status;

	if (pid == 0) {
		inner = proc_fork();
		if (inner == 0)
			helper(w, e, t);
		_exit(inner < 0 ? 111 : 0);
	}
	if (pid < 0 || proc_wait(pid, &status) < 0 || status != 0)
		die_sys(111, "unable to start a helper");
}

static void
offer(const struct wrap *w)
{
	struct ends e;
	int again, t;

	(void)unsetenv("SSLCTLFD");
	(void)unsetenv("SSLREADFD");
	(void)unsetenv("SSLWRITEFD");
	t = tlsreq_open(TLSREQ_SOCKET);
	if (t < 0) {
		/* The program goes on without TLS and offers none. */
		log_sys("unable to reach tlsd on %s", TLSREQ_SOCKET);
		return;
	}
	if (sock_pair(SOCK_STREAM, &e.ctl, &e.ctl_far) < 0 ||
	    sock_pair(SOCK_STREAM, &e.plain, &e.plain_far) < 0)
		die_sys(111, "unable to make a pair of sockets");
	start_helper(w, &e, t);
	(void)close(e.ctl_far);
	(void)close(e.plain_far);
	(void)close(t);
	again = fcntl(e.plain, F_DUPFD, 3);
	if (again < 0)
		die_sys(111, "unable to arrange descriptors");
	set_number("SSLCTLFD", e.ctl);
	set_number("SSLREADFD", e.plain);
	set_number("SSLWRITEFD", again);
}

static unsigned
seconds(const char *s)
{
	uint64_t n;
	size_t k = scan_u64(s, &n);

	if (k == 0 || s[k] != '\0' || n < 1 || n > 300)
		die_usage(USAGE);
	return (unsigned)n * 1000;
}

int
main(int argc, char **argv)
{
	struct wrap w = {.req = {.role = TLSREQ_SERVER, .service = "smtp",
	    .name = "", .altname = "", .timeout_ms = HANDSHAKE_S * 1000}};
	int opt;

	log_init("tlswrap");
	w.req.peer = getenv("TCPREMOTEIP");
	if (w.req.peer == NULL)
		w.req.peer = "";
	while ((opt = getopt(argc, argv, "+cns:t:u:")) != -1)
		switch (opt) {
		case 'c':
			w.req.verify = TLSREQ_ASK;
			break;
		case 'n':
			w.on_demand = true;
			break;
		case 's':
			w.req.service = optarg;
			break;
		case 't':
			w.req.timeout_ms = seconds(optarg);
			break;
		case 'u':
			w.account = optarg;
			break;
		default:
			die_usage(USAGE);
		}
	if (optind == argc)
		die_usage(USAGE);
	if (w.account != NULL)
		user_need_file(w.account, &w.uid, &w.gid);
	if (w.on_demand)
		offer(&w);
	else
		start_now(&w);
	drop(&w);
	become(argv + optind);
}
