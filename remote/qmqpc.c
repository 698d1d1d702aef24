/* remote/qmqpc.c - see qmqpc.h.  A server is believed as to what it says of
 * the message; its bytes are not. */
#include "remote/qmqpc.h"

#include "lib/log.h"
#include "lib/tai.h"
#include "lib/tcp.h"
#include "mail/limits.h"
#include "mail/netstring.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int
parse_port(const char *s, uint16_t *out)
{
	uint64_t n;
	size_t len = scan_u64(s, &n);

	if (len == 0 || s[len] != '\0' || n == 0 || n > 65535)
		return -1;
	*out = (uint16_t)n;
	return 0;
}

/* What DNS can be asked for. */
static bool
is_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') ||
		    (s[i] >= 'A' && s[i] <= 'Z') ||
		    (s[i] >= '0' && s[i] <= '9') ||
		    s[i] == '-' || s[i] == '_' || s[i] == '.'))
			return false;
	return n > 0 && n <= DNS_NAME_MAX;
}

int
qmqpc_parse_server(const char *line, struct qmqpc_server *out)
{
	const char *rest;

	*out = (struct qmqpc_server){.host = line, .port = QMQPC_PORT};
	if (*line == '[') {
		out->host = line + 1;
		out->nhost = strcspn(out->host, "]");
		rest = out->host + out->nhost;
		if (*rest++ != ']' ||
		    ip_parse(out->host, out->nhost, &out->ip) < 0)
			return -1;
	} else if (ip_parse(line, strlen(line), &out->ip) == 0) {
		out->nhost = strlen(line);
		rest = line + out->nhost;
	} else {
		out->nhost = strcspn(line, ":");
		rest = line + out->nhost;
		if (!is_name(line, out->nhost))
			return -1;
		if (ip_parse(line, out->nhost, &out->ip) < 0)
			out->ip = (struct ip){0};
	}
	if (*rest == '\0')
		return 0;
	return *rest == ':' ? parse_port(rest + 1, &out->port) : -1;
}

enum qx
qmqpc_envelope(struct io *in, struct str *out)
{
	struct str rec = {0};
	enum io_status st;
	enum qx x = QX_PROTO;
	bool sender = false;

	for (;;) {
		st = io_getdelim(in, &rec, '\0', ADDR_MAX + 1);
		if (st != IO_OK) {
			x = st == IO_TOOLONG ? QX_ADDR_LONG : QX_READ;
			break;
		}
		if (rec.len == 0) {             /* the end mark */
			if (sender)
				x = QX_OK;
			break;
		}
		if (rec.s[0] != (sender ? 'T' : 'F'))
			break;
		if (out->len > ENVELOPE_MAX) {
			x = QX_NOMEM;
			break;
		}
		netstring_cat(out, rec.s + 1, rec.len - 1);
		sender = true;
		str_clear(&rec);
	}
	str_free(&rec);
	return x;
}

static enum qx
read_answer(struct io *io, int timeout_ms, struct str *words)
{
	struct netreader r;

	netreader_init(&r, io);
	r.until = clock_mono_ms() + timeout_ms;
	if (netreader_str(&r, words, QMQPC_ANSWER_MAX) != NETSTRING_OK ||
	    words->len == 0)
		return QX_CONVERSATION;
	switch (words->s[0]) {
	case 'K':
		return QX_OK;
	case 'Z':
		return QX_TEMP;
	case 'D':
		return QX_REFUSED;
	default:
		return QX_CONVERSATION;
	}
}

enum qx
qmqpc_exchange(int fd, const struct str *message, const struct str *envelope,
    int timeout_ms, bool *sent, struct str *words)
{
	struct str head = {0};
	struct io io;
	enum qx x;

	str_clear(words);
	netstring_cat_head(&head, netstring_size(message->len) +
	    envelope->len);
	netstring_cat_head(&head, message->len);
	io_init(&io, fd, fd, timeout_ms);
	(void)io_put(&io, str_c(&head), head.len);
	(void)io_put(&io, str_c(message), message->len);
	(void)io_puts(&io, ",");
	(void)io_put(&io, str_c(envelope), envelope->len);
	(void)io_puts(&io, ",");
	/* The last byte decides: up to here nothing can have been queued. */
	*sent = io_flush(&io) == IO_OK;
	str_free(&head);
	if (io.wfail == IO_TIMEOUT)
		return QX_CONVERSATION;
	/* A server that did not want all of it may have said why. */
	x = read_answer(&io, timeout_ms, words);
	return !*sent && x == QX_OK ? QX_CONVERSATION : x;
}

static void
tell(const struct qmqpc_server *s, const char *what, const struct str *words)
{
	struct str l = {0};

	log_quote(&l, s->host, s->nhost);
	str_cats(&l, ": ");
	str_cats(&l, what);
	if (words != NULL && words->len > 0) {
		str_cats(&l, ": ");
		/* Without its first letter, which was understood. */
		log_quote(&l, str_c(words) + 1, words->len < 500 ?
		    words->len - 1 : 500);
	}
	log_warn("%s", str_c(&l));
	str_free(&l);
}

/* The server's addresses; 0 when there are none, which was told. */
static size_t
find_addresses(const struct dns *dns, const struct qmqpc_server *s,
    struct ip out[TCP_RACE_MAX])
{
	struct dns_answer a = {0};
	struct str name = {0};
	size_t n = 0;

	if (s->ip.family != 0) {
		out[0] = s->ip;
		return 1;
	}
	str_catb(&name, s->host, s->nhost);
	if (dns_addresses(dns, str_c(&name), &a) == DNS_OK)
		for (size_t i = 0; i < a.n && n < TCP_RACE_MAX; i++)
			out[n++] = a.rec[i].ip;
	dns_answer_free(&a);
	str_free(&name);
	if (n == 0)
		tell(s, "no address found", NULL);
	return n;
}

/* One server; *final: no other one may be asked. */
static enum qx
try_server(const struct dns *dns, const struct qmqpc_server *s,
    const struct str *message, const struct str *envelope, bool *final)
{
	const struct tcp_options opt = {.port = s->port,
	    .each_ms = QMQPC_CONNECT_MS};
	struct ip addr[TCP_RACE_MAX];
	struct str words = {0};
	size_t n = find_addresses(dns, s, addr);
	bool sent;
	enum qx x;
	int fd;

	*final = false;
	if (n == 0)
		return QX_NETWORK;
	fd = tcp_connect(addr, n, &opt, NULL, NULL);
	if (fd < 0) {
		int e = errno;

		tell(s, strerror(e), NULL);
		return e == ETIMEDOUT ? QX_CONNTIME : QX_CONNREFUSED;
	}
	x = qmqpc_exchange(fd, message, envelope, QMQPC_IO_MS, &sent, &words);
	(void)close(fd);
	if (x == QX_CONVERSATION)
		tell(s, "the conversation failed", NULL);
	else if (x != QX_OK)
		tell(s, qx_text((int)x), &words);
	*final = x == QX_OK || x == QX_REFUSED ||
	    (x == QX_CONVERSATION && sent);
	str_free(&words);
	return x;
}

enum qx
qmqpc_send(const struct str *servers, const struct str *message,
    const struct str *envelope)
{
	enum qx x = QX_CONFIG;
	bool final = false;
	struct dns dns;

	/* More than a netstring can say is more than anybody takes. */
	if (netstring_size(message->len) + envelope->len > NETSTRING_MAX)
		return QX_REFUSED;
	dns_init(&dns);
	for (size_t at = 0; at < servers->len && !final;
	    at += strlen(servers->s + at) + 1) {
		struct qmqpc_server s;

		if (qmqpc_parse_server(servers->s + at, &s) < 0) {
			log_warn("not a server: %s", servers->s + at);
			continue;
		}
		x = try_server(&dns, &s, message, envelope, &final);
	}
	return x;
}
