/* lib/dns.c - asking name servers; see dns.h.
 *
 * One struct query is one question on its way.  It tries the servers in their
 * order, three times round with growing patience, each try with a new socket,
 * port and id:
 *
 *	datagram  --truncated, or too many wrong answers-->  stream
 *	either    --an answer-->                             done
 *	either    --EDNS not understood-->                   the same, without
 *	either    --refused, broken, or not in time-->       next server
 *
 * A server that failed in words is not asked again, one that was silent is.
 * When no try is left, or the total time is over, the answer is DNS_TEMP.
 * Several queries are driven by one poll.
 *
 * Servers are not trusted beyond the answers they give; what comes from
 * another address, or answers another question, is not looked at. */
#include "lib/dns.h"

#include "lib/dns_parse.h"
#include "lib/fs.h"
#include "lib/io.h"
#include "lib/tai.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONF_MAX 65536          /* bytes of resolv.conf */
#define ROUNDS 3
#define STREAM_MS 5000          /* a try by TCP may take, at least */
#define WRONG_MAX 10            /* count: wrong answers before TCP */
#define PORT_TRIES 20           /* count: random ports tried */
#define PORT_MIN 1024
#define SIBLING_MS 3000         /* patience with a query when the other one
                                 * has found something */

struct query {
	const struct dns *dns;
	struct dns_question q;
	struct dns_answer *out;
	bool done;
	bool stream;                    /* the try under way is TCP */
	bool plain;                     /* ... and without EDNS */
	bool failed[DNS_SERVERS_MAX];   /* said no: not asked again */
	unsigned round;
	size_t server;
	int fd;
	int64_t until, end;             /* ms: of this try, of all */
	unsigned wrong;
	size_t sent;                    /* bytes of msg, TCP */
	size_t len;
	unsigned char msg[2 + DNS_QUERY_MAX];   /* TCP: length first */
	struct str in;                  /* TCP */
};

static int
random16(uint16_t *out)
{
	return getrandom(out, sizeof *out, 0) == (ssize_t)sizeof *out ? 0 : -1;
}

/* Setting up. */

void
dns_init(struct dns *d)
{
	const char *ips = getenv("DNSCACHEIP");
	struct str text = {0};
	bool here = true, told = false;

	*d = (struct dns){.total_ms = DNS_TOTAL_MS};
	if (ips != NULL && ips[0] != '\0') {
		while (*ips != '\0') {
			size_t n = strcspn(ips, " ");

			str_cats(&text, "nameserver ");
			str_catb(&text, ips, n);
			str_catc(&text, '\n');
			ips += n + strspn(ips + n, " ");
		}
	} else if (fs_read("/etc/resolv.conf", &text, CONF_MAX) < 0) {
		str_clear(&text);
	}
	dns_conf_parse(str_c(&text), text.len, d, &told);
	str_free(&text);
	if (d->nserver == 0) {
		d->server[0].ip = (struct ip){.family = 4,
		    .b = {127, 0, 0, 1}};
		d->server[0].port = 53;
		d->nserver = 1;
	}
	for (size_t i = 0; i < d->nserver; i++) {
		struct ip *ip = &d->server[i].ip;

		/* 0.0.0.0 means here, and answers come from 127.0.0.1 */
		if (ip_is_unspecified(ip))
			*ip = ip->family == 4 ?
			    (struct ip){.family = 4, .b = {127, 0, 0, 1}} :
			    (struct ip){.family = 6, .b = {[15] = 1}};
		here = here && ip_is_own(ip);
	}
	d->trust_ad = here || told;
}

/* One query. */

static void
query_end(struct query *q, enum dns_status status)
{
	if (q->fd >= 0)
		fd_close(q->fd);
	q->fd = -1;
	str_free(&q->in);
	q->out->status = status;
	q->done = true;
}

/* Binds to a random port, so that nobody can guess where an answer is awaited;
 * the kernel's own choice has fewer. */
static void
bind_random(int fd, uint8_t family)
{
	const struct ip any = {.family = family};

	for (int i = 0; i < PORT_TRIES; i++) {
		struct sockaddr_storage ss;
		uint16_t port;
		socklen_t len;

		if (random16(&port) < 0 || port < PORT_MIN)
			continue;
		len = ip_to_sockaddr(&any, port, &ss);
		if (bind(fd, (const struct sockaddr *)&ss, len) == 0)
			return;
	}
}

/* Sends what is left of a query by TCP. */
static int
stream_send(struct query *q)
{
	while (q->sent < q->len) {
		ssize_t n = send(q->fd, q->msg + q->sent, q->len - q->sent,
		    MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == ENOTCONN ? 0 : -1;
		q->sent += (size_t)n;
	}
	return 0;
}

/* One try with the server in turn. */
static int
query_send(struct query *q)
{
	static const int patience[ROUNDS] = {1000, 3000, 9000};
	const struct dns_server *s = &q->dns->server[q->server];
	int64_t now = clock_mono_ms();
	struct sockaddr_storage ss;
	socklen_t len = ip_to_sockaddr(&s->ip, s->port, &ss);
	int ms = patience[q->round];

	if (q->fd >= 0)
		fd_close(q->fd);
	q->fd = socket(s->ip.family == 4 ? AF_INET : AF_INET6,
	    (q->stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	if (q->fd < 0 || len == (socklen_t)-1 || random16(&q->q.id) < 0)
		return -1;
	q->q.edns = !q->plain;
	q->wrong = 0;
	q->sent = 0;
	str_clear(&q->in);
	q->len = dns_query_make(&q->q, q->msg + 2);
	q->msg[0] = (unsigned char)(q->len >> 8);
	q->msg[1] = (unsigned char)q->len;
	if (q->stream && ms < STREAM_MS)
		ms = STREAM_MS;
	q->until = now + ms < q->end ? now + ms : q->end;
	if (!q->stream)
		bind_random(q->fd, s->ip.family);
	if (connect(q->fd, (const struct sockaddr *)&ss, len) < 0 &&
	    errno != EINPROGRESS)
		return -1;
	if (q->stream) {
		q->len += 2;
		return 0;
	}
	return send(q->fd, q->msg + 2, q->len, MSG_NOSIGNAL) ==
	    (ssize_t)q->len ? 0 : -1;
}

/* Moves to the next server, or the next round, or the end. */
static void
query_advance(struct query *q)
{
	q->stream = false;
	if (++q->server == q->dns->nserver) {
		q->server = 0;
		q->round++;
	}
	/* the last time for a server that drops what it does not know */
	q->plain = q->round == ROUNDS - 1;
	if (q->round == ROUNDS || clock_mono_ms() >= q->end)
		query_end(q, DNS_TEMP);
}

/* Sends to this server, or the next that can be sent to. */
static void
query_try(struct query *q)
{
	while (!q->done) {
		if (!q->failed[q->server]) {
			if (query_send(q) == 0)
				return;
			q->failed[q->server] = true;
		}
		query_advance(q);
	}
}

static void
query_next(struct query *q, bool failed)
{
	if (failed)
		q->failed[q->server] = true;
	query_advance(q);
	query_try(q);
}

static void
query_judge(struct query *q, const unsigned char *msg, size_t n)
{
	struct dns_answer a = {0};

	switch (dns_answer_parse(msg, n, &q->q, &a)) {
	case DNS_ANSWERED:
		a.ad = a.ad && q->dns->trust_ad;
		*q->out = a;
		query_end(q, a.status);
		return;
	case DNS_NOT_OURS:
		if (q->stream)
			break;
		if (++q->wrong == WRONG_MAX) {
			q->stream = true;
			query_try(q);
		}
		return;
	case DNS_TRUNCATED:
		if (q->stream)
			break;
		q->stream = true;
		query_try(q);
		return;
	case DNS_NO_EDNS:
		if (q->plain)
			break;
		q->plain = true;
		query_try(q);
		return;
	case DNS_FAILED:
	case DNS_MALFORMED:
		break;
	}
	query_next(q, true);
}

/* A datagram is waiting, or an error is. */
static void
datagram_read(struct query *q)
{
	const struct dns_server *s = &q->dns->server[q->server];
	unsigned char buf[DNS_UDP_MAX + 1];
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof ss;
	struct ip from;
	uint16_t port;
	ssize_t n = recvfrom(q->fd, buf, sizeof buf, 0,
	    (struct sockaddr *)&ss, &len);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			query_next(q, true);
		return;
	}
	/* it may have come before the socket was connected */
	if (ip_from_sockaddr(&ss, &from, &port) < 0 || port != s->port ||
	    !ip_equal(&from, &s->ip))
		return;
	if ((size_t)n == sizeof buf) {          /* more than we asked for */
		q->stream = true;
		query_try(q);
		return;
	}
	query_judge(q, buf, (size_t)n);
}

static void
stream_read(struct query *q)
{
	char buf[4096];
	ssize_t n = recv(q->fd, buf, sizeof buf, 0);
	const unsigned char *p;
	size_t want;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		query_next(q, true);
		return;
	}
	str_catb(&q->in, buf, (size_t)n);
	if (q->in.len < 2)
		return;
	p = (const unsigned char *)str_c(&q->in);
	want = (size_t)p[0] << 8 | p[1];
	if (q->in.len - 2 >= want) {
		struct str in = q->in;          /* the next try begins anew */

		q->in = (struct str){0};
		query_judge(q, p + 2, want);
		str_free(&in);
	}
}

static void
query_event(struct query *q)
{
	if (!q->stream) {
		datagram_read(q);
		return;
	}
	if (q->sent < q->len) {
		if (stream_send(q) < 0)
			query_next(q, true);
		return;
	}
	stream_read(q);
}

static int
wait_ms(const struct query *q, size_t n)
{
	int64_t first = INT64_MAX, now = clock_mono_ms();

	for (size_t i = 0; i < n; i++)
		if (!q[i].done && q[i].until < first)
			first = q[i].until;
	if (first <= now)
		return 0;
	return first - now > INT_MAX ? INT_MAX : (int)(first - now);
}

#define QUERIES_MAX 2

/* Drives all to their ends.  When hurry, what one has found limits how long
 * the others are waited for. */
static void
queries_run(struct query *q, size_t n, bool hurry)
{
	for (;;) {
		struct pollfd p[QUERIES_MAX];
		bool busy = false, found = false, failed;

		for (size_t i = 0; i < n; i++) {
			p[i] = (struct pollfd){.fd = -1};
			found = found || (q[i].done && q[i].out->n > 0);
			if (q[i].done)
				continue;
			busy = true;
			p[i].fd = q[i].fd;
			p[i].events = q[i].stream && q[i].sent < q[i].len ?
			    POLLOUT : POLLIN;
		}
		if (!busy)
			return;
		if (found && hurry) {
			int64_t end = clock_mono_ms() + SIBLING_MS;

			hurry = false;
			for (size_t i = 0; i < n; i++) {
				if (end < q[i].end)
					q[i].end = end;
				if (end < q[i].until)
					q[i].until = end;
			}
		}
		failed = poll(p, n, wait_ms(q, n)) < 0 && errno != EINTR;
		for (size_t i = 0; i < n; i++) {
			if (q[i].done)
				continue;
			if (failed)
				query_end(&q[i], DNS_TEMP);
			else if (p[i].revents != 0)
				query_event(&q[i]);
			else if (clock_mono_ms() >= q[i].until)
				query_next(&q[i], false);
		}
	}
}

/* Begins a query; a name that is none is answered at once. */
static void
query_begin(struct query *q, const struct dns *d, const char *name,
    enum dns_type type, struct dns_answer *out)
{
	*out = (struct dns_answer){0};
	*q = (struct query){.dns = d, .out = out, .fd = -1};
	q->q.type = type;
	q->q.want_ad = d->trust_ad;
	if (dns_name_pack(name, &q->q.name) < 0) {
		query_end(q, DNS_NXDOMAIN);
		return;
	}
	q->end = clock_mono_ms() + d->total_ms;
	if (d->nserver == 0)
		query_end(q, DNS_TEMP);
	else
		query_try(q);
}

enum dns_status
dns_ask(const struct dns *d, const char *name, enum dns_type type,
    struct dns_answer *out)
{
	struct query q;

	query_begin(&q, d, name, type, out);
	queries_run(&q, 1, false);
	return out->status;
}

/* Adds the records of b to a, and frees b. */
static void
merge(struct dns_answer *a, struct dns_answer *b)
{
	if (b->n > 0) {
		a->rec = mem_resize(a->rec, a->n + b->n, sizeof *a->rec);
		memcpy(a->rec + a->n, b->rec, b->n * sizeof *b->rec);
		a->n += b->n;
		b->n = 0;                       /* their bytes moved */
	}
	if (a->cname.len == 0) {
		struct str s = a->cname;

		a->cname = b->cname;
		b->cname = s;
	}
	if (a->n > 0)
		a->status = DNS_OK;
	else if (a->status == DNS_TEMP || b->status == DNS_TEMP)
		a->status = DNS_TEMP;
	else if (b->status == DNS_NODATA)
		a->status = DNS_NODATA;
	a->ad = a->ad && b->ad;
	dns_answer_free(b);
}

enum dns_status
dns_addresses(const struct dns *d, const char *name, struct dns_answer *out)
{
	struct query q[QUERIES_MAX];
	struct dns_answer four;

	query_begin(&q[0], d, name, DNS_AAAA, out);
	query_begin(&q[1], d, name, DNS_A, &four);
	queries_run(q, 2, true);
	merge(out, &four);
	return out->status;
}

enum dns_status
dns_name_of(const struct dns *d, const struct ip *ip, struct dns_answer *out)
{
	struct str name = {0};
	enum dns_status st;

	dns_reverse_name(ip, &name);
	st = dns_ask(d, str_c(&name), DNS_PTR, out);
	str_free(&name);
	return st;
}
