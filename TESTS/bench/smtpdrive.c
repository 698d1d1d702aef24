/* smtpdrive - send messages by SMTP and watch them arrive.
 *
 * smtpdrive [-r] [-s sinkport] [-f from] -c connections -n messages
 *     -b bodyfile -t seconds -m mailboxfile port
 * smtpdrive -i seconds -c connections port
 *
 * Sends to 127.0.0.1:port over so many connections at a time, a command at a
 * time as most clients do, each message over a connection of its own or (-r)
 * message after message over the same ones.  The body file has LF line ends.
 * Messages go to the addresses of the mailbox file in turn; one has arrived
 * when a name appears in one of its directories or, with -s, when the SMTP
 * server that smtpdrive itself runs at 127.0.0.1:sinkport has taken it.
 * Prints one line of JSON (load.h), with "connect_p99_ms" and
 * "connect_max_ms": from connect to the greeting.
 *
 * -i holds idle greeted connections for that long and prints how many stood.
 * Exit 0 when all was taken and arrived, 1 when not, 111 on trouble. */
#include "TESTS/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 20000
#define LINE 1024

enum at { AT_CLOSED, AT_GREETING, AT_EHLO, AT_MAIL, AT_RCPT, AT_DATA, AT_BODY,
    AT_QUIT, AT_IDLE, SINK_COMMAND, SINK_DATA };

struct conn {
	int fd;
	enum at at;
	size_t nline;           /* bytes of an unfinished line */
	size_t sent;            /* of the body */
	unsigned dots;          /* sink: how much of CRLF . CRLF was seen */
	double opened, began;
	char line[LINE];
};

struct drive {
	struct load load;
	const char *from;
	char *body;             /* as on the wire, with its final dot */
	size_t nbody;
	bool reuse;
	int ep, listener;
	struct sockaddr_in to;
	long nconn, idle, greeted;
	double *connect_ms;
	long nconnect;
	struct conn *conn;
};

static void next_message(struct drive *, struct conn *);

static void
watch(struct drive *d, int op, struct conn *c, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data = { .ptr = c } };

	if (epoll_ctl(d->ep, op, c->fd, &ev) < 0)
		load_die("watch a connection");
}

static void
say(struct conn *c, const char *fmt, const char *arg)
{
	char buf[LINE];
	int n = snprintf(buf, sizeof buf, fmt, arg);

	if (write(c->fd, buf, (size_t)n) != n)
		return;         /* the next read tells */
}

static void
drop(struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	c->at = AT_CLOSED;
}

static void
open_one(struct drive *d, struct conn *c)
{
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		load_die("make a socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->opened = load_now();
	c->at = AT_GREETING;
	c->nline = 0;
	if (connect(c->fd, (struct sockaddr *)&d->to, sizeof d->to) < 0 &&
	    errno != EINPROGRESS)
		load_die("connect");
	watch(d, EPOLL_CTL_ADD, c, EPOLLIN);
}

static void
send_body(struct drive *d, struct conn *c)
{
	while (c->sent < d->nbody) {
		ssize_t n = write(c->fd, d->body + c->sent,
		    d->nbody - c->sent);

		if (n < 0) {
			if (errno != EAGAIN)
				return;
			watch(d, EPOLL_CTL_MOD, c, EPOLLIN | EPOLLOUT);
			return;
		}
		c->sent += (size_t)n;
	}
	watch(d, EPOLL_CTL_MOD, c, EPOLLIN);
}

/* The message of this connection was not taken. */
static void
refused(struct drive *d, struct conn *c)
{
	if (d->load.refused < 5)
		fprintf(stderr, "refused at state %d: %.*s\n", (int)c->at,
		    (int)(c->nline > 200 ? 200 : c->nline), c->line);
	drop(c);
	load_refused(&d->load);
	if (d->load.started < d->load.want) {
		d->load.started++;
		open_one(d, c);
	}
}

/* This connection's next message, or its end. */
static void
next_message(struct drive *d, struct conn *c)
{
	if (d->load.started >= d->load.want || !d->reuse) {
		c->at = AT_QUIT;
		say(c, "QUIT\r\n", "");
		return;
	}
	d->load.started++;
	c->began = load_now();
	c->at = AT_MAIL;
	say(c, "MAIL FROM:<%s>\r\n", d->from);
}

static void
client_line(struct drive *d, struct conn *c)
{
	const char *line = c->line;

	if (c->nline < 4 || line[3] == '-')
		return;
	if (line[0] != '2' && line[0] != '3' && c->at != AT_QUIT) {
		refused(d, c);
		return;
	}
	switch (c->at) {
	case AT_GREETING:
		if (d->nconnect < d->load.want)
			d->connect_ms[d->nconnect++] =
			    (load_now() - c->opened) * 1000;
		d->greeted++;
		if (d->idle > 0) {
			c->at = AT_IDLE;
			return;
		}
		c->began = c->opened;
		c->at = AT_EHLO;
		say(c, "EHLO %s\r\n", "bench.test");
		break;
	case AT_EHLO:
		c->at = AT_MAIL;
		say(c, "MAIL FROM:<%s>\r\n", d->from);
		break;
	case AT_MAIL:
		c->at = AT_RCPT;
		/* started counts this one already */
		say(c, "RCPT TO:<%s>\r\n", d->load.rcpt[
		    (size_t)(d->load.started - 1) % d->load.nrcpt]);
		break;
	case AT_RCPT:
		c->at = AT_DATA;
		say(c, "DATA\r\n", "");
		break;
	case AT_DATA:
		c->at = AT_BODY;
		c->sent = 0;
		send_body(d, c);
		break;
	case AT_BODY:
		load_taken(&d->load, (load_now() - c->began) * 1000);
		next_message(d, c);
		break;
	case AT_QUIT:
		drop(c);
		if (d->load.started < d->load.want) {
			d->load.started++;
			open_one(d, c);
		}
		break;
	case AT_CLOSED:
	case AT_IDLE:
	case SINK_COMMAND:
	case SINK_DATA:
		break;
	}
}

static void
sink_line(struct conn *c)
{
	c->line[c->nline < LINE ? c->nline : LINE - 1] = '\0';
	if (strncasecmp(c->line, "EHLO", 4) == 0)
		say(c, "250-sink.test\r\n250-PIPELINING\r\n250-SIZE 0\r\n"
		    "250 8BITMIME\r\n", "");
	else if (strncasecmp(c->line, "DATA", 4) == 0) {
		c->at = SINK_DATA;
		c->dots = 2;            /* as after CRLF */
		say(c, "354 go on\r\n", "");
	} else if (strncasecmp(c->line, "QUIT", 4) == 0)
		say(c, "221 bye\r\n", "");
	else
		say(c, "250 ok\r\n", "");
}

/* Counts CR LF . CR LF in the bytes. */
static void
sink_data(struct drive *d, struct conn *c, char b)
{
	static const char end[] = "\r\n.\r\n";

	if (b == end[c->dots]) {
		if (++c->dots < 5)
			return;
		c->at = SINK_COMMAND;
		c->nline = 0;
		load_arrived(&d->load);
		say(c, "250 taken\r\n", "");
	} else
		c->dots = b == '\r' ? 1 : 0;
}

static void
ready(struct drive *d, struct conn *c, uint32_t events)
{
	char buf[65536];
	ssize_t n;

	if ((events & EPOLLOUT) && c->at == AT_BODY)
		send_body(d, c);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	n = read(c->fd, buf, sizeof buf);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		if (c->at >= SINK_COMMAND) {
			drop(c);
			free(c);
		} else if (c->at == AT_QUIT)
			client_line(d, c);
		else
			refused(d, c);
		return;
	}
	for (ssize_t i = 0; i < n && c->fd >= 0; i++) {
		if (c->at == SINK_DATA) {
			sink_data(d, c, buf[i]);
			continue;
		}
		if (c->nline < LINE)
			c->line[c->nline++] = buf[i];
		if (buf[i] != '\n')
			continue;
		if (c->at == SINK_COMMAND)
			sink_line(c);
		else
			client_line(d, c);
		c->nline = 0;
	}
}

static void
sink_accept(struct drive *d)
{
	int fd, one = 1;

	while ((fd = accept4(d->listener, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof *c);

		if (c == NULL)
			load_die("allocate");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		c->fd = fd;
		c->at = SINK_COMMAND;
		watch(d, EPOLL_CTL_ADD, c, EPOLLIN);
		say(c, "220 sink.test ESMTP\r\n", "");
	}
}

static void
sink_open(struct drive *d, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct epoll_event ev = { .events = EPOLLIN,
	    .data = { .ptr = &d->listener } };
	int one = 1;

	d->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	setsockopt(d->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(d->listener, (struct sockaddr *)&sa, sizeof sa) < 0 ||
	    listen(d->listener, 4096) < 0 ||
	    epoll_ctl(d->ep, EPOLL_CTL_ADD, d->listener, &ev) < 0)
		load_die("open the sink");
}

static bool
finished(const struct drive *d)
{
	if (d->idle > 0)
		return load_now() - d->load.t0 > (double)d->idle;
	return load_done(&d->load);
}

static void
run(struct drive *d)
{
	struct epoll_event ev[256], w = { .events = EPOLLIN,
	    .data = { .ptr = &d->load } };
	bool told = false;

	if (d->idle == 0 &&
	    epoll_ctl(d->ep, EPOLL_CTL_ADD, d->load.watch, &w) < 0)
		load_die("watch the mailboxes");
	d->load.t0 = load_now();
	for (long i = 0; i < d->nconn && d->load.started < d->load.want; i++) {
		d->load.started++;
		open_one(d, &d->conn[i]);
	}
	while (!finished(d)) {
		int n = epoll_wait(d->ep, ev, 256, 200);

		if (n < 0 && errno != EINTR)
			load_die("wait");
		for (int i = 0; i < n; i++) {
			void *p = ev[i].data.ptr;

			if (p == &d->load)
				load_count_arrivals(&d->load);
			else if (p == &d->listener)
				sink_accept(d);
			else
				ready(d, p, ev[i].events);
		}
		if (d->idle > 0 && !told && d->greeted == d->nconn) {
			printf("{\"greeted\": %ld}\n", d->greeted);
			fflush(stdout);
			told = true;
		}
	}
	if (d->idle > 0 && !told)
		printf("{\"greeted\": %ld}\n", d->greeted);
}

/* The file with CRLF line ends, dots stuffed, and the end of data. */
static void
read_body(struct drive *d, const char *path)
{
	FILE *f = fopen(path, "r");
	int ch, last = '\n';
	size_t cap = 1 << 20;

	if (f == NULL || (d->body = malloc(2 * cap + 8)) == NULL)
		load_die("read the body");
	while ((ch = getc(f)) != EOF && d->nbody < 2 * cap) {
		if (ch == '.' && last == '\n')
			d->body[d->nbody++] = '.';
		if (ch == '\n')
			d->body[d->nbody++] = '\r';
		d->body[d->nbody++] = (char)ch;
		last = ch;
	}
	fclose(f);
	if (last != '\n') {
		memcpy(d->body + d->nbody, "\r\n", 2);
		d->nbody += 2;
	}
	memcpy(d->body + d->nbody, ".\r\n", 3);
	d->nbody += 3;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
report(struct drive *d, long pids)
{
	char extra[200];
	long n = d->nconnect;

	qsort(d->connect_ms, (size_t)n, sizeof *d->connect_ms, by_value);
	snprintf(extra, sizeof extra, "\"connections\": %ld, "
	    "\"connect_p99_ms\": %.2f, \"connect_max_ms\": %.2f, ", n,
	    n ? d->connect_ms[n * 99 / 100] : 0,
	    n ? d->connect_ms[n - 1] : 0);
	load_report(&d->load, pids, extra);
}

int
main(int argc, char **argv)
{
	static struct drive d;
	const char *mailboxes = NULL, *body = NULL;
	struct rlimit nofile = { 65536, 65536 };
	long before, sink = 0;
	int o;

	d.from = "sender@bench.test";
	d.nconn = 1;
	d.load.want = 1;
	d.load.limit = 600;
	while ((o = getopt(argc, argv, "rs:f:c:n:b:t:m:i:")) != -1)
		switch (o) {
		case 'r': d.reuse = true; break;
		case 's': sink = load_number(optarg); break;
		case 'f': d.from = optarg; break;
		case 'c': d.nconn = load_number(optarg); break;
		case 'n': d.load.want = load_number(optarg); break;
		case 'b': body = optarg; break;
		case 't': d.load.limit = load_number(optarg); break;
		case 'm': mailboxes = optarg; break;
		case 'i': d.idle = load_number(optarg); break;
		default: return 100;
		}
	if (optind + 1 != argc || d.nconn < 1 || d.nconn > CONNECTIONS_MAX ||
	    d.load.want < 1 || (d.idle == 0 && (body == NULL ||
	    mailboxes == NULL))) {
		fprintf(stderr, "smtpdrive: usage: smtpdrive [-r] [-s port] "
		    "[-f from] -c n -n n -b body -t seconds -m mailboxes port"
		    "\n       smtpdrive -i seconds -c n port\n");
		return 100;
	}
	setrlimit(RLIMIT_NOFILE, &nofile);
	signal(SIGPIPE, SIG_IGN);
	d.to = (struct sockaddr_in){ .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)load_number(argv[optind])),
	    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	if (d.idle > 0)
		d.load.want = d.nconn;
	else {
		load_open(&d.load, mailboxes);
		read_body(&d, body);
	}
	d.conn = calloc((size_t)d.nconn, sizeof *d.conn);
	d.connect_ms = calloc((size_t)d.load.want, sizeof *d.connect_ms);
	d.ep = epoll_create1(EPOLL_CLOEXEC);
	if (d.conn == NULL || d.connect_ms == NULL || d.ep < 0)
		load_die("start");
	if (sink != 0)
		sink_open(&d, (uint16_t)sink);
	before = load_last_pid();
	run(&d);
	if (d.idle > 0)
		return d.greeted == d.nconn ? 0 : 1;
	report(&d, load_last_pid() - before);
	return d.load.refused == 0 && d.load.arrived == d.load.want ? 0 : 1;
}
