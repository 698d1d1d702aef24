/* test_login_monitor.c - the monitor's half of a login: what it runs, when, and
 * what becomes of the connection.
 *
 * Talkers are real processes, but keep the rights of this one (and its log):
 * what they give up is tested as root on a host.  The checkpassword program is
 * a shell script, tlsd a process that passes bytes on after a first line. */
#include "mail/login_private.h"

#include "TESTS/unit/unit.h"

#include "lib/io.h"
#include "lib/proc.h"
#include "lib/sock.h"
#include "lib/tai.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define FOREVER_MS 60000        /* what ends a broken run */
#define TLS "tls"

static char dir[] = "/tmp/unit-login.XXXXXX";

void __wrap_login_confine(struct login *, int pipe, pid_t monitor);

void
__wrap_login_confine(struct login *l, int pipe, pid_t monitor)
{
	assert(getppid() == monitor);
	(void)signal(SIGPIPE, SIG_IGN);
	l->pipe = pipe;
}

/* ---- a protocol ----
 *
 * "u USER SECRET [TAG]" asks, "tls [TAG]" wants TLS, "bye" ends, "raw BYTES"
 * writes to the pipe, "exit N" and "hang" do so. */

static void
say_hello(struct login *l)
{
	static const char *const names[] = {"hello", "secured", "no-tls",
	    "wrong", "unknown"};

	login_put(l, names[l->why]);
	login_put(l, *l->tag != '\0' ? " tag=" : "");
	login_put(l, l->tag);
	login_put(l, l->tls ? " tls" : "");
	login_put(l, l->can_starttls ? " starttls" : "");
	login_put(l, l->can_plain ? "" : " no-plain");
	login_put(l, l->last ? " last\n" : "\n");
}

static enum login_end
ask(struct login *l, char *words)
{
	struct str user = {0}, secret = {0};
	const char *tag;

	str_copys(&user, strtok(words, " "));
	str_copys(&secret, strtok(NULL, " "));
	if (str_eqs(&secret, "empty"))
		str_clear(&secret);
	tag = strtok(NULL, " ");
	assert(login_say(l, &user, &secret, tag != NULL ? tag : "") == 0);
	return LOGIN_ASK;
}

static enum login_end
talk(struct login *l, void *arg)
{
	char line[LOGIN_LINE + 1];

	(void)arg;
	say_hello(l);
	while (login_line(l) == LOGIN_LINE_OK) {
		(void)snprintf(line, sizeof line, "%s", str_c(&l->line));
		if (strncmp(line, "u ", 2) == 0)
			return ask(l, line + 2);
		if (strcmp(line, "tls") == 0)
			return LOGIN_STARTTLS;
		if (strncmp(line, "tls ", 4) == 0) {
			assert(login_say_tag(l, line + 4) == 0);
			return LOGIN_STARTTLS;
		}
		if (strncmp(line, "raw ", 4) == 0)
			assert(fd_write_all(l->pipe, line + 4,
			    l->line.len - 4) == 0);
		else if (strncmp(line, "exit ", 5) == 0)
			_exit(atoi(line + 5));
		else if (strcmp(line, "hang") == 0)
			(void)poll(NULL, 0, -1);
		else if (strcmp(line, "bye") == 0)
			break;
		else
			login_put(l, "what\n");
	}
	login_put(l, "over\n");
	return LOGIN_OVER;
}

/* ---- a connection ---- */

/* Notes what it is given; then does what the secret says. */
static const char script[] =
    "n=$(($(cat runs) + 1)); echo $n >runs; cat <&3 >got\n"
    "w=$(tr '\\0' ' ' <got); set -- $w; case $2 in\n"
    "in) printf x >&$LOGINFD; read l; echo \"in $1 tag=$LOGINTAG"
    " ssl=$SSL_PROTOCOL got=$l\"; exit 1;;\n"
    "slow) printf x >&$LOGINFD; exec <&- >&-; read l <fifo; exit 1;;\n"
    "foreign) read l; echo \"foreign got=$l\"; exit 0;;\n"
    "closes) exec 4>&-; read l; echo \"closed got=$l\"; exit 0;;\n"
    "die) kill -9 $$;;\n"
    "userdies) exec setpriv --reuid=65534 --clear-groups sh -c"
    " 'kill -9 $$';;\n"
    "hang) echo $$ >pid; sleep 600;;\n"
    "other) exec setpriv --reuid=65534 --clear-groups sh -c"
    " 'read l; echo other; exit 0';;\n"
    "fds) printf x >&$LOGINFD; for f in 5 6 7 8 9 10 11 12; do"
    " test ! -e /proc/$$/fd/$f || echo has $f; done; echo end;;\n"
    "*) exit $2;; esac\n";

static const char *const checkpw[] = {"/bin/sh", "-c", script, NULL};

struct scene {
	struct login_config cfg;
	const char *stamp;
	int near, far;          /* the monitor's end, and the client's */
};

static struct scene
scene(void)
{
	struct scene s = {.cfg = {.service = "pop3", .argv = checkpw,
	    .root = "/", .tls_go_ahead = "go ahead\n", .tls_socket = NULL,
	    .uid = 65534, .gid = 65534, .plaintext = true,
	    .idle_ms = FOREVER_MS, .talk_ms = FOREVER_MS, .wrong_ms = 0,
	    .check_ms = FOREVER_MS}, .stamp = ""};
	int fd[2], w;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    fd), 0);
	s.near = fd[0];
	s.far = fd[1];
	w = open("runs", O_WRONLY | O_CREAT | O_TRUNC, 0666);
	assert_int_equal(write(w, "0\n", 2), 2);
	(void)close(w);
	(void)unlink("got");
	(void)unlink("pid");
	return s;
}

static void
monitor(void *arg)
{
	struct scene *s = arg;

	(void)dup2(s->near, 0);
	(void)dup2(s->near, 1);
	(void)close(s->near);
	(void)close(s->far);
	_exit(login_monitor(&s->cfg, s->stamp, talk, NULL));
}

static size_t
slurp(const char *name, char *buf, size_t size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, size - 1);

	if (fd >= 0)
		(void)close(fd);
	buf[n] = '\0';
	return (size_t)n;
}

static int
runs(void)
{
	char text[20];

	(void)slurp("runs", text, sizeof text);
	return atoi(text);
}

/* The client has sent input and sends no more: what it is told, the program's
 * runs, the code, and (part of) the log. */
static void
plays(struct scene *s, const char *input, const char *want, int nruns,
    int code, const char *log)
{
	char got[4096], text[2048];
	size_t len = 0;
	ssize_t n;
	int status;

	assert_int_equal(write(s->far, input, strlen(input)), strlen(input));
	assert_int_equal(shutdown(s->far, SHUT_WR), 0);
	status = unit_child(monitor, s, text, sizeof text);
	(void)close(s->near);
	while ((n = read(s->far, got + len, sizeof got - 1 - len)) > 0)
		len += (size_t)n;
	got[len] = '\0';
	(void)close(s->far);
	assert_string_equal(got, want);
	assert_int_equal(runs(), nruns);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
	if (log == NULL)
		assert_string_equal(text, "");
	else if (strstr(text, log) == NULL)
		assert_string_equal(text, log);
}

static void
test_ends(void **state)
{
	static const struct {
		const char *in, *out;
		int runs, code;
		const char *log;
	} cases[] = {
		{"", "hello\nover\n", 0, 0, NULL},
		{"bye\n", "hello\nover\n", 0, 0, NULL},
		/* Not a byte after the line is lost. */
		{"x\nu jo in\nSTAT\nmore\n", "hello\nwhat\nin jo tag= ssl= "
		    "got=STAT\n", 1, 0, NULL},
		{"u jo foreign\nSTAT\n", "hello\nforeign got=STAT\n", 1, 0,
		    NULL},
		{"u jo closes\nSTAT\n", "hello\nclosed got=STAT\n", 1, 0,
		    NULL},
		{"u jo 0\nbye\n", "hello\n", 1, 0, NULL},
		{"u jo 1\nbye\n", "hello\nwrong\nover\n", 1, 77,
		    " ip=192.0.2.9 user=jo\n"},
		{"u jo 3\nbye\n", "hello\nwrong\nover\n", 1, 77,
		    " ip=192.0.2.9 user=jo\n"},
		{"u jo 2\nbye\n", "hello\nunknown\nover\n", 1, 0,
		    "exit code 2"},
		{"u jo 111\nbye\n", "hello\nunknown\nover\n", 1, 0,
		    "exit code 111"},
		/* Nobody is asked about no password. */
		{"u jo empty\nbye\n", "hello\nwrong\nover\n", 0, 77,
		    "info: auth-failed pid="},
		/* Three, and no fourth. */
		{"u jo 1\nu jo 1\nu jo 1\nu jo in\n",
		    "hello\nwrong\nwrong\nwrong last\n", 3, 77,
		    "nonsense"},
		{"u jo 111\nu jo 1\nu jo 111\nu jo in\n",
		    "hello\nunknown\nwrong\nunknown last\n", 3, 77,
		    "nonsense"},
		/* A slip of one's own, and guesses at others. */
		{"u jo 1\nu jo in\nx\n", "hello\nwrong\nin jo tag= ssl= "
		    "got=x\n", 2, 0, "auth-failed"},
		{"u al 1\nu jo in\nx\n", "hello\nwrong\nin jo tag= ssl= "
		    "got=x\n", 2, 77, "auth-failed"},
		{"u al 1\nu jo 1\nu jo in\nx\n", "hello\nwrong\nwrong\n"
		    "in jo tag= ssl= got=x\n", 3, 77, "auth-failed"},
		{"u jo 111\nu jo in\nx\n", "hello\nunknown\nin jo tag= ssl= "
		    "got=x\n", 2, 0, "exit code 111"},
		{"u jo fds\n", "hello\nend\n", 1, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s = scene();

		plays(&s, cases[i].in, cases[i].out, cases[i].runs,
		    cases[i].code, cases[i].log);
	}
}

/* As root it was still checking; as the user it had the connection. */
static void
test_killed(void **state)
{
	struct scene s = scene();

	(void)state;
	if (geteuid() != 0) {
		plays(&s, "u jo die\nbye\n", "hello\n", 1, 0, NULL);
		return;
	}
	plays(&s, "u jo die\nbye\n", "hello\nunknown\nover\n", 1, 0,
	    "auth-unknown");
	s = scene();
	plays(&s, "u jo userdies\nbye\n", "hello\n", 1, 0, NULL);
}

/* Talkers that are not what was forked. */
static void
test_nonsense(void **state)
{
	static const struct {
		const char *in, *out, *log;
	} cases[] = {
		{"exit 10\n", "", "nonsense"},
		{"raw jo\nexit 10\n", "", "nonsense"},
		/* No tags here, and no tlsd. */
		{"u jo in TAG\n", "hello\n", "nonsense"},
		{"tls\n", "hello\n", "nonsense"},
		{"exit 1\n", "", "talker ended: exit code 1 "},
		{"exit 12\n", "", "talker ended: exit code 12 "},
		{"exit 111\n", "", "talker ended: exit code 111 "},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s = scene();

		plays(&s, cases[i].in, cases[i].out, 0, 111, cases[i].log);
	}
}

static void
test_fields(void **state)
{
	struct scene s = scene();
	char got[100];

	(void)state;
	s.stamp = "<1.2@h>";
	plays(&s, "u jo@example.com 1\nbye\n", "hello\nwrong\nover\n", 1, 77,
	    " user=jo@example.com\n");
	assert_int_equal(slurp("got", got, sizeof got), 25);
	assert_memory_equal(got, "jo@example.com\0" "1\0<1.2@h>\0", 25);
}

/* No password where none may be given, whatever the talker thinks of it; with
 * a stamp it may have been APOP. */
static void
test_no_plain(void **state)
{
	struct scene s = scene();

	(void)state;
	s.cfg.plaintext = false;
	plays(&s, "u jo in\nx\n", "hello no-plain\n", 0, 111, "nonsense");
	s = scene();
	s.cfg.plaintext = false;
	s.stamp = "<1@h>";
	plays(&s, "u jo in\nx\n", "hello no-plain\nin jo tag= ssl= got=x\n",
	    1, 0, NULL);
}

static void
test_tags(void **state)
{
	struct scene s = scene();

	(void)state;
	s.cfg.tags = true;
	plays(&s, "u jo 1 A1\nu jo 111 A2\nu jo in A3\nx\n", "hello\n"
	    "wrong tag=A1\nunknown tag=A2\nin jo tag=A3 ssl= got=x\n", 3, 0,
	    "exit code 111");
	s = scene();
	s.cfg.tags = true;
	plays(&s, "u jo in\nx\n", "hello\n", 0, 111, "nonsense");
}

/* Of each attempt that failed there is a line, and a stranger's bytes in it
 * are none that could be taken for another. */
static void
test_log(void **state)
{
	struct scene s = scene();

	(void)state;
	plays(&s, "u j%\xff=o x\nbye\n", "hello\nunknown\nover\n", 1, 0,
	    "valija: info: auth-unknown pid=");
	s = scene();
	plays(&s, "u j%\xff=o 1\nbye\n", "hello\nwrong\nover\n", 1, 77,
	    " ip=192.0.2.9 user=j__=o\n");
	s = scene();
	assert_int_equal(setenv("SSL_PROTOCOL", "TLSv1.3", 1), 0);
	plays(&s, "u jo 3\nbye\n", "hello tls\nwrong tls\nover\n", 1, 77,
	    " user=jo tls=TLSv1.3\n");
	assert_int_equal(unsetenv("SSL_PROTOCOL"), 0);
}

static void
test_no_program(void **state)
{
	static const char *const none[] = {"/nonexistent/checkpw", NULL};
	struct scene s = scene();

	(void)state;
	s.cfg.argv = none;
	plays(&s, "u jo in\nbye\n", "hello\nunknown\nover\n", 0, 0,
	    "unable to start /nonexistent/checkpw");
}

/* ---- time ---- */

/* A talker that does not end is ended, and nothing it said counts. */
static void
test_talk_time(void **state)
{
	struct scene s = scene();

	(void)state;
	s.cfg.talk_ms = 200;
	plays(&s, "raw jo\nhang\n", "", 0, 0, NULL);
}

/* A check that hangs is not the user's fault; it and its children end. */
static void
test_check_time(void **state)
{
	struct scene s = scene();
	char text[20];

	(void)state;
	if (geteuid() != 0)
		skip();
	s.cfg.check_ms = 2000;
	plays(&s, "u jo hang\nbye\n", "hello\nunknown\nover\n", 1, 0,
	    "signal 9");
	assert_true(slurp("pid", text, sizeof text) > 0);
	assert_int_equal(kill((pid_t)atoi(text), 0), -1);
}

/* Once the connection is the user's it may last. */
static void
test_session_time(void **state)
{
	static const struct {
		const char *in, *first;
	} cases[] = {
		{"u jo in\n", "hello\n"},
		{"u jo other\n", "hello\n"},
	};
	static const char *const answers[] = {"in jo tag= ssl= got=late\n",
	    "other\n"};

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s = scene();
		char got[100];
		int status;
		ssize_t n;
		pid_t pid;

		s.cfg.check_ms = 2000;
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			monitor(&s);
		(void)close(s.near);
		n = read(s.far, got, sizeof got);
		assert_int_equal(n, 6);
		assert_int_equal(write(s.far, cases[i].in,
		    strlen(cases[i].in)), strlen(cases[i].in));
		/* The time is what is tested. */
		(void)poll(NULL, 0, 3000);
		assert_int_equal(write(s.far, "late\n", 5), 5);
		n = read(s.far, got, sizeof got);
		assert_true(n > 0);
		got[n] = '\0';
		assert_string_equal(got, answers[i]);
		assert_int_equal(read(s.far, got, sizeof got), 0);
		(void)close(s.far);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

/* Nothing of a session stays open in the monitor: the client sees its end
 * while the program goes on. */
static void
test_lets_go(void **state)
{
	struct scene s = scene();
	char got[100];
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		monitor(&s);
	(void)close(s.near);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(read(s.far, got, sizeof got), 6);
	assert_int_equal(write(s.far, "u jo slow\n", 10), 10);
	assert_int_equal(read(s.far, got, sizeof got), 0);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	(void)close(open("fifo", O_WRONLY | O_CLOEXEC));
	(void)close(s.far);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(unlink("fifo"), 0);
}

/* The answer to a wrong password waits, twice as long each time, but not for
 * who has hung up. */
static void
test_wrong_time(void **state)
{
	struct scene s = scene();
	int64_t start = clock_mono_ms();
	char text[500];
	int status;

	(void)state;
	s.cfg.wrong_ms = 100;
	plays(&s, "u jo 1\nu jo 1\nu jo 1\nx\n", "hello\nwrong\nwrong\n"
	    "wrong last\nwhat\nover\n", 3, 77, "auth-failed");
	assert_true(clock_mono_ms() - start >= 700);
	s = scene();
	start = clock_mono_ms();
	s.cfg.wrong_ms = FOREVER_MS;
	assert_int_equal(write(s.far, "u jo 1\n", 7), 7);
	assert_int_equal(fcntl(s.far, F_SETFD, FD_CLOEXEC), 0);
	(void)close(s.far);
	status = unit_child(monitor, &s, text, sizeof text);
	(void)close(s.near);
	assert_int_equal(status, 77 << 8);
	assert_true(clock_mono_ms() - start < FOREVER_MS);
	assert_int_equal(runs(), 1);
}

/* ---- TLS ---- */

/* Bytes go to and fro until one side ends. */
static void
relay(int a, int b)
{
	struct pollfd p[2] = {{.fd = a, .events = POLLIN},
	    {.fd = b, .events = POLLIN}};
	char buf[1000];

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		(void)poll(p, 2, -1);
		for (int i = 0; i < 2; i++) {
			int to = i == 0 ? b : a;
			ssize_t n;

			if (p[i].fd < 0 || p[i].revents == 0)
				continue;
			n = read(p[i].fd, buf, sizeof buf);
			if (n <= 0 || fd_write_all(to, buf, (size_t)n) < 0) {
				(void)shutdown(to, SHUT_WR);
				p[i].fd = -1;
			}
		}
	}
}

/* A tlsd for one connection: "yes" and "no" shake hands so, "gone" ends, and
 * whoever asks otherwise than a monitor should is not answered. */
static void
tlsd(int listener, const char *how)
{
	char buf[2000];
	struct str tlsa[TLSREQ_TLSA_MAX], out = {0};
	struct tlsreq q;
	struct tlsfacts f = {.ok = *how == 'y', .bits = 256};
	int t, net, pair[2];
	ssize_t n;

	while ((t = sock_accept(listener)) < 0)
		(void)poll(&(struct pollfd){listener, POLLIN, 0}, 1, -1);
	(void)poll(&(struct pollfd){t, POLLIN, 0}, 1, -1);
	n = sock_recv_fd(t, buf, sizeof buf, &net);
	if (n <= 0 || net < 0 || tlsreq_parse(buf, (size_t)n, &q, tlsa) < 0 ||
	    q.role != TLSREQ_SERVER || strcmp(q.service, "pop3") != 0 ||
	    strcmp(q.peer, "192.0.2.9") != 0 || *how == 'g')
		_exit(0);
	/* The handshake. */
	if (read(net, buf, 6) != 6 || memcmp(buf, "SHAKE\n", 6) != 0)
		f.ok = false;
	str_copys(&f.version, "TLSv1.3");
	str_copys(&f.reason, f.ok ? "" : "no common cipher");
	assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	tlsfacts_cat(&out, &f);
	assert(sock_send_fd(t, out.s, out.len, f.ok ? pair[1] : -1) > 0);
	(void)close(t);
	(void)close(pair[1]);
	if (f.ok)
		relay(net, pair[0]);
	_exit(0);
}

static pid_t
start_tlsd(struct scene *s, const char *how)
{
	int fd = sock_listen(TLS, SOCK_SEQPACKET, 5, 0600);
	pid_t pid;

	assert_true(fd >= 0);
	s->cfg.tls_socket = TLS;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(s->near);
		(void)close(s->far);
		tlsd(fd, how);
	}
	(void)close(fd);
	return pid;
}

/* Says a piece, and the next when it was told what is to come before. */
static void
converses(struct scene *s, const char *const *say_hear, int code,
    const char *log)
{
	char text[2048];
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(s->near);
		for (; *say_hear != NULL; say_hear += 2) {
			size_t n = strlen(say_hear[1]);
			char got[200];

			if (send(s->far, say_hear[0], strlen(say_hear[0]),
			    MSG_NOSIGNAL) < 0)
				_exit(1);
			if (n > 0 && (recv(s->far, got, n, MSG_WAITALL) !=
			    (ssize_t)n || memcmp(got, say_hear[1], n) != 0))
				_exit(2);
		}
		/* Or reset, for what was not read. */
		_exit(read(s->far, text, 1) <= 0 ? 0 : 3);
	}
	status = unit_child(monitor, s, text, sizeof text);
	(void)close(s->near);
	(void)close(s->far);
	assert_int_equal(status, code << 8);
	if (log == NULL)
		assert_string_equal(text, "");
	else if (strstr(text, log) == NULL)
		assert_string_equal(text, log);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
end_tlsd(pid_t pid)
{
	int status;

	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)unlink(TLS);
}

static void
test_starttls(void **state)
{
	static const struct {
		const char *how;
		const char *talk[9];
		int runs, code;
		const char *log;
	} cases[] = {
		{"yes", {"", "hello starttls no-plain\n", "tls\n",
		    "go ahead\n", "SHAKE\n", "secured tls\n", "u jo in\nx\n",
		    "in jo tag= ssl=TLSv1.3 got=x\n", NULL}, 1, 0, NULL},
		/* There is one handshake. */
		{"yes", {"", "hello starttls no-plain\n", "tls\n",
		    "go ahead\n", "SHAKE\n", "secured tls\n", "tls\n", "",
		    NULL}, 0, 111, "nonsense"},
		{"no", {"", "hello starttls no-plain\n", "tls\n",
		    "go ahead\n", "SHAKE\n", "", NULL}, 0, 0,
		    "no TLS: no common cipher"},
		{"yes", {"", "hello starttls no-plain\n", "tls\n",
		    "go ahead\n", "u jo i\n", "", NULL}, 0, 0,
		    "no TLS: no common cipher"},
		{"gone", {"", "hello starttls no-plain\n", "tls\n",
		    "go ahead\n", NULL}, 0, 0, "tlsd did not answer"},
		/* Sent before the handshake, to be taken as inside of it. */
		{"yes", {"", "hello starttls no-plain\n", "tls\nu jo in\n",
		    "", NULL}, 0, 0, "the client sent more"},
		/* It was there when it was offered. */
		{"", {"", "hello starttls no-plain\n", "tls\n",
		    "no-tls no-plain\n", "x\n", "what\n", "tls\n", "", NULL},
		    0, 111, "nonsense"},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s = scene();
		pid_t pid;

		s.cfg.plaintext = false;
		if (*cases[i].how != '\0') {
			pid = start_tlsd(&s, cases[i].how);
		} else {
			int fd = open(TLS, O_CREAT | O_CLOEXEC, 0600);

			(void)close(fd);
			s.cfg.tls_socket = TLS;
			pid = fork();
			assert_true(pid >= 0);
			if (pid == 0) {
				(void)close(s.near);
				(void)close(s.far);
				(void)pause();
				_exit(0);
			}
		}
		converses(&s, cases[i].talk, cases[i].code, cases[i].log);
		assert_int_equal(runs(), cases[i].runs);
		end_tlsd(pid);
	}
}

/* The go-ahead has the command's tag, and the rest is the monitor's own. */
static void
test_starttls_tag(void **state)
{
	static const char *const good[] = {"", "hello starttls\n",
	    "tls A.1\n", "A.1 go ahead\n", "SHAKE\n", "secured tls\n",
	    "bye\n", "over\n", NULL};
	static const char *const bad[] = {"", "hello starttls\n",
	    "raw A 1\ntls x\n", "", NULL};
	static const char *const none[] = {"", "hello starttls\n", "tls\n",
	    "", NULL};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct scene s = scene();
		pid_t pid = start_tlsd(&s, "yes");

		s.cfg.tags = true;
		s.cfg.tls_go_ahead = " go ahead\n";
		converses(&s, i == 0 ? good : i == 1 ? bad : none,
		    i == 0 ? 0 : 111, i == 0 ? NULL : "nonsense");
		end_tlsd(pid);
	}
}

static void
test_implicit(void **state)
{
	static const char *const talks[] = {"SHAKE\n", "hello tls\n",
	    "u jo in\nx\n", "in jo tag= ssl=TLSv1.3 got=x\n", NULL};
	struct scene s = scene();
	pid_t pid = start_tlsd(&s, "yes");

	(void)state;
	s.cfg.plaintext = false;
	s.cfg.implicit_tls = true;
	converses(&s, talks, 0, NULL);
	end_tlsd(pid);
	s = scene();
	s.cfg.implicit_tls = true;
	s.cfg.tls_socket = TLS;
	plays(&s, "u jo in\n", "", 0, 111, "unable to reach tlsd");
	/* A wrapper has done it. */
	assert_int_equal(setenv("SSL_PROTOCOL", "TLSv1.2", 1), 0);
	s = scene();
	s.cfg.plaintext = false;
	s.cfg.implicit_tls = true;
	plays(&s, "u jo in\nx\n", "hello tls\n"
	    "in jo tag= ssl=TLSv1.2 got=x\n", 1, 0, NULL);
	assert_int_equal(unsetenv("SSL_PROTOCOL"), 0);
}

static int
setup(void **state)
{
	(void)state;
	if (setenv("TCPREMOTEIP", "192.0.2.9", 1) < 0)
		return -1;
	return mkdtemp(dir) == NULL || chmod(dir, 0777) < 0 ? -1 : chdir(dir);
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink("runs");
	(void)unlink("got");
	(void)unlink("pid");
	(void)unlink(TLS);
	return chdir("/") < 0 ? -1 : rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_no_plain),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_no_program),
		cmocka_unit_test(test_talk_time),
		cmocka_unit_test(test_check_time),
		cmocka_unit_test(test_session_time),
		cmocka_unit_test(test_lets_go),
		cmocka_unit_test(test_wrong_time),
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_starttls_tag),
		cmocka_unit_test(test_implicit),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
