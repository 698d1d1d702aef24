/* pop3drive - be POP3's client, again and again or to stay.
 *
 * pop3drive -k kind [-s] [-c clients] [-n sessions] [-u users] [-m messages]
 *     [-r number] [-p depth] [-i seconds] port USER DOMAIN PASSWORD
 *
 * Connects to 127.0.0.1:port, with -s in TLS from the first byte (a whole
 * handshake each time, nothing is resumed).  The login is USER@DOMAIN or, with
 * -u, that many in turn: USER000@DOMAIN and so on.  Each has `messages'
 * messages, which is checked.  Kinds of sessions, all from connect to the
 * answer to QUIT, shared by `clients' processes:
 *
 *	session    login, STAT, UIDL
 *	stat       login, STAT
 *	uidl list  login, STAT, and that
 *	retr       login, STAT, RETR of each message, or of so many (-r), `depth'
 *	           commands at a time, the next ones when all of these are
 *	           answered
 *	greet      nothing is said; only with -i
 *
 * Prints one line of JSON: sessions that went as they should, in how many
 * seconds; of each the milliseconds from connect to the answer to STAT
 * ("login_ms"), those of UIDL, LIST or all of RETR ("work_ms"), from the
 * (first) command to the last byte of the (last) answer; and the bytes of the
 * last answer or of all of RETR.
 * -i: one process makes n sessions that stop before QUIT (stat) or after the
 * greeting (greet), holds them for so long, and prints how many stand.
 * Exit 0 when all went well, 1 when not, 111 on trouble. */
#include "TESTS/bench/load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ (1 << 20)
#define BUF (64 << 20)          /* more than the largest reply and a READ */
#define LIMIT_S 120

enum kind { SESSION, STAT, UIDL, LIST, RETR, GREET };
static const char *const kinds[] = { "session", "stat", "uidl", "list", "retr",
    "greet" };

struct job {
	enum kind kind;
	bool tls;
	long clients, n, users, messages, retr, depth, hold;
	in_port_t port;
	const char *user, *domain, *password;
	SSL_CTX *ctx;
};

struct client {
	const struct job *job;
	int fd;
	SSL *tls;
	char *buf;              /* BUF bytes, whose pages are there, a NUL */
	size_t n;               /* filled */
	size_t at;              /* used */
	double sent;            /* when the last command was */
};

struct result {                 /* of a session */
	double login_ms, work_ms;
	long bytes;
	bool good;
};

static void
client_start(struct client *c, const struct job *j)
{
	memset(c, 0, sizeof *c);
	c->job = j;
	c->buf = mmap(NULL, BUF + 1, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c->buf == MAP_FAILED)
		load_die("allocate");
	if (j->kind == UIDL || j->kind == LIST || j->kind == RETR)
		memset(c->buf, 0, BUF);
}

static bool
client_open(struct client *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
	    .sin_port = htons(c->job->port),
	    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct timeval limit = { .tv_sec = LIMIT_S };
	int one = 1;

	c->n = c->at = 0;
	c->tls = NULL;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		load_die("make a socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
		return false;
	if (!c->job->tls)
		return true;
	if ((c->tls = SSL_new(c->job->ctx)) == NULL)
		load_die("start OpenSSL");
	return SSL_set_fd(c->tls, c->fd) == 1 && SSL_connect(c->tls) == 1;
}

static void
client_close(struct client *c)
{
	SSL_free(c->tls);
	close(c->fd);
}

static bool
say(struct client *c, const char *s, size_t n)
{
	/* Before it: the answer may be there when it returns. */
	c->sent = load_now();
	return c->tls != NULL ? SSL_write(c->tls, s, (int)n) == (int)n :
	    write(c->fd, s, n) == (ssize_t)n;
}

static bool
more(struct client *c)
{
	size_t room;
	ssize_t r;

	if (c->at == c->n)
		c->at = c->n = 0;
	room = BUF - c->n < READ ? BUF - c->n : READ;
	r = c->tls != NULL ?
	    SSL_read(c->tls, c->buf + c->n, (int)room) :
	    read(c->fd, c->buf + c->n, room);
	if (r <= 0)
		return false;
	c->n += (size_t)r;
	return true;
}

/* A reply; what is in it from its first byte on, or NULL.  many: lines up to
 * the one with a dot.  last: nothing else will come behind it. */
static const char *
reply(struct client *c, bool many, bool last, size_t *n_out)
{
	static const char dot[] = "\r\n.\r\n";
	const char *end = NULL, *s;
	size_t tail = many ? sizeof dot - 1 : 2, seen = 0;

	for (;;) {
		size_t have = c->n - c->at;

		s = c->buf + c->at;
		if (have > 0 && *s == '-')
			return NULL;
		if (have >= tail && last) {
			if (memcmp(c->buf + c->n - tail, dot + 5 - tail,
			    tail) == 0)
				end = c->buf + c->n - tail;
		} else if (have >= tail) {
			size_t from = seen > tail ? seen - tail : 0;

			end = memmem(s + from, have - from, dot + 5 - tail,
			    tail);
		}
		if (end != NULL)
			break;
		seen = have;
		if (!more(c))
			return NULL;
	}
	*n_out = (size_t)(end - s) + tail;
	c->at += *n_out;
	return s;
}

/* A command alone on the way; the milliseconds until it was answered. */
static const char *
ask(struct client *c, const char *command, bool many, size_t *n_out,
    double *ms_out)
{
	const char *s;

	if (!say(c, command, strlen(command)))
		return NULL;
	s = reply(c, many, true, n_out);
	*ms_out = (load_now() - c->sent) * 1000;
	return s;
}

static bool
tell(struct client *c, const char *command)
{
	size_t n;
	double ms;

	return ask(c, command, false, &n, &ms) != NULL;
}

/* Up to the answer to STAT. */
static bool
login(struct client *c, long nr, long *bytes_out)
{
	const struct job *j = c->job;
	char line[512];
	const char *s;
	size_t n;
	double ms;
	long count;

	if (!client_open(c) || reply(c, false, true, &n) == NULL)
		return false;
	if (j->kind == GREET)
		return true;
	if (j->users > 0)
		snprintf(line, sizeof line, "USER %s%03ld@%s\r\n", j->user,
		    nr % j->users, j->domain);
	else
		snprintf(line, sizeof line, "USER %s@%s\r\n", j->user,
		    j->domain);
	if (!tell(c, line))
		return false;
	snprintf(line, sizeof line, "PASS %s\r\n", j->password);
	if (!tell(c, line) ||
	    (s = ask(c, "STAT\r\n", false, &n, &ms)) == NULL)
		return false;
	return sscanf(s, "+OK %ld %ld", &count, bytes_out) == 2 &&
	    count == j->messages;
}

/* One line a message and the first and last. */
static bool
listing(struct client *c, const char *command, struct result *r)
{
	long lines = 0;
	size_t n;
	const char *s = ask(c, command, true, &n, &r->work_ms), *end;

	if (s == NULL)
		return false;
	r->bytes = (long)n;
	for (end = s + n; s < end; lines++)
		s = (const char *)memchr(s, '\n', (size_t)(end - s)) + 1;
	return lines == c->job->messages + 2;
}

static bool
retrieve(struct client *c, struct result *r)
{
	const struct job *j = c->job;
	double start = load_now();
	size_t n;

	r->bytes = 0;
	for (long i = 0; i < j->retr; i += j->depth) {
		char out[8192];
		size_t len = 0;
		long end = i + j->depth < j->retr ? i + j->depth : j->retr;

		for (long k = i; k < end; k++)
			len += (size_t)snprintf(out + len, sizeof out - len,
			    "RETR %ld\r\n", k + 1);
		if (!say(c, out, len))
			return false;
		for (long k = i; k < end; k++) {
			if (reply(c, true, j->depth == 1, &n) == NULL)
				return false;
			r->bytes += (long)n;
		}
	}
	r->work_ms = (load_now() - start) * 1000;
	return true;
}

static bool
session(struct client *c, long nr, struct result *r)
{
	double start = load_now();
	bool ok = login(c, nr, &r->bytes);

	r->login_ms = (load_now() - start) * 1000;
	if (ok)
		switch (c->job->kind) {
		case SESSION:
		case UIDL: ok = listing(c, "UIDL\r\n", r); break;
		case LIST: ok = listing(c, "LIST\r\n", r); break;
		case RETR: ok = retrieve(c, r); break;
		case STAT:
		case GREET: break;
		}
	ok = ok && tell(c, "QUIT\r\n");
	client_close(c);
	return ok;
}

static int
drive(const struct job *j)
{
	size_t size = (size_t)j->n * sizeof(struct result);
	struct result *r = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double start, took;
	long good = 0;

	if (r == MAP_FAILED)
		load_die("allocate");
	memset(r, 0, size);             /* its pages are not to be timed */
	start = load_now();
	for (long i = 0; i < j->clients; i++) {
		pid_t pid = fork();

		if (pid < 0)
			load_die("fork");
		if (pid == 0) {
			struct client c;

			client_start(&c, j);
			for (long k = i; k < j->n; k += j->clients)
				r[k].good = session(&c, k, &r[k]);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	took = load_now() - start;
	for (long k = 0; k < j->n; k++)
		good += r[k].good;
	printf("{\"good\": %ld, \"seconds\": %.4f, \"bytes\": %ld, "
	    "\"login_ms\": [", good, took, r[j->n - 1].bytes);
	for (long k = 0; k < j->n; k++)
		printf("%s%.3f", k ? ", " : "", r[k].login_ms);
	printf("], \"work_ms\": [");
	for (long k = 0; k < j->n; k++)
		printf("%s%.3f", k ? ", " : "", r[k].work_ms);
	printf("]}\n");
	return good == j->n ? 0 : 1;
}

static int
hold(const struct job *j)
{
	struct client c;
	long good = 0, bytes;

	client_start(&c, j);
	for (long k = 0; k < j->n; k++)
		good += login(&c, k, &bytes);
	printf("{\"held\": %ld}\n", good);
	fflush(stdout);
	sleep((unsigned)j->hold);
	return good == j->n ? 0 : 1;
}

static void
usage(void)
{
	fprintf(stderr, "pop3drive: usage: pop3drive -k kind [-s] [-c n] "
	    "[-n n] [-u n] [-m n] [-r n] [-p n] [-i n] "
	    "port user domain password\n");
	exit(100);
}

int
main(int argc, char **argv)
{
	struct job j = { .clients = 1, .n = 1, .depth = 1 };
	struct rlimit nofile = { 65536, 65536 };
	const char *kind = "";
	size_t k = 0;
	int o;

	while ((o = getopt(argc, argv, "k:sc:n:u:m:r:p:i:")) != -1)
		switch (o) {
		case 'k': kind = optarg; break;
		case 's': j.tls = true; break;
		case 'c': j.clients = load_number(optarg); break;
		case 'n': j.n = load_number(optarg); break;
		case 'u': j.users = load_number(optarg); break;
		case 'm': j.messages = load_number(optarg); break;
		case 'r': j.retr = load_number(optarg); break;
		case 'p': j.depth = load_number(optarg); break;
		case 'i': j.hold = load_number(optarg); break;
		default: usage();
		}
	while (k <= GREET && strcmp(kinds[k], kind) != 0)
		k++;
	if (k > GREET || optind + 4 != argc || j.clients < 1 || j.n < 1 ||
	    j.depth < 1 || j.depth > 500 || (k == GREET && j.hold == 0))
		usage();
	j.kind = (enum kind)k;
	if (j.retr == 0 || j.retr > j.messages)
		j.retr = j.messages;
	j.port = (in_port_t)load_number(argv[optind]);
	j.user = argv[optind + 1];
	j.domain = argv[optind + 2];
	j.password = argv[optind + 3];
	setrlimit(RLIMIT_NOFILE, &nofile);
	j.ctx = SSL_CTX_new(TLS_client_method());
	if (j.ctx == NULL)
		load_die("start OpenSSL");
	SSL_CTX_set_session_cache_mode(j.ctx, SSL_SESS_CACHE_OFF);
	return j.hold > 0 ? hold(&j) : drive(&j);
}
