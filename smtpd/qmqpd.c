/* smtpd/qmqpd.c - see qmqpd.h. */
#include "smtpd/qmqpd.h"

#include "lib/tai.h"

#include <string.h>

struct qmqpd {
	const struct nsd_config *cfg;
	struct netreader r;
	struct message *m;
	struct str sender, rcpt;        /* rcpt: the last one */
	uint64_t rcpts;
	const char *bad;                /* why it cannot be queued */
};

static enum netstring_status
read_message(struct qmqpd *q)
{
	enum netstring_status st;
	uint64_t len;

	if ((st = netreader_head(&q->r, &len)) != NETSTRING_OK)
		return st;
	while (len > 0) {
		char buf[IO_BUF];
		size_t got;

		st = netreader_get(&q->r, buf, len < sizeof buf ? (size_t)len :
		    sizeof buf, &got);
		if (st != NETSTRING_OK)
			return st;
		message_put(q->m, buf, got);
		len -= got;
	}
	message_end(q->m);
	return netreader_comma(&q->r);
}

static enum netstring_status
read_address(struct qmqpd *q, struct str *out)
{
	enum netstring_status st = netreader_str(&q->r, out, NSD_ADDR_MAX);

	if (st == NETSTRING_LONG) {
		q->bad = "an address is too long (#5.1.3)";
		return NETSTRING_OK;
	}
	if (st == NETSTRING_OK && !nsd_is_address(out))
		q->bad = "an address has bytes that none has (#5.1.3)";
	return st;
}

static enum netstring_status
read_all(struct qmqpd *q)
{
	enum netstring_status st;
	uint64_t len;

	if ((st = netreader_head(&q->r, &len)) != NETSTRING_OK)
		return st;
	netreader_enter(&q->r, len);
	if ((st = read_message(q)) != NETSTRING_OK ||
	    (st = read_address(q, &q->sender)) != NETSTRING_OK)
		return st;
	qsubmit_from(&q->m->q, str_c(&q->sender));
	while (q->r.left > 0) {
		if ((st = read_address(q, &q->rcpt)) != NETSTRING_OK)
			return st;
		if (q->rcpt.len == 0 && q->bad == NULL)
			q->bad = "nobody is no recipient (#5.1.3)";
		qsubmit_to(&q->m->q, str_c(&q->rcpt));
		q->rcpts++;
	}
	if (q->rcpts == 0)
		q->bad = "there are no recipients (#5.5.1)";
	return netreader_leave(&q->r);
}

static void
log_result(const struct qmqpd *q, int code, const struct str *words,
    uint64_t size, uint64_t qp)
{
	struct str l = {0};

	nsd_log_begin(q->cfg, &l, code == 0 ? "accept" : "refuse");
	nsd_log_pair(&l, "from", str_c(&q->sender), q->sender.len);
	nsd_log_pair(&l, "to", str_c(&q->rcpt), q->rcpt.len);
	str_catf(&l, " rcpts=%llu size=%llu qp=%llu",
	    (unsigned long long)q->rcpts, (unsigned long long)size,
	    (unsigned long long)qp);
	if (code != 0)
		nsd_log_pair(&l, "reason", str_c(words), words->len);
	nsd_log_end(&l);
}

/* All of it is here: queue it and answer. */
static void
finish(struct qmqpd *q)
{
	struct message *m = q->m;
	uint64_t qp = qsubmit_qp(&m->q), size = m->size;
	struct str words = {0}, reply = {0};
	int code;

	if (m->too_many_hops)
		q->bad = "this message is looping: too many hops (#5.4.6)";
	else if (m->too_big)
		q->bad = "the message is larger than I take (#5.3.4)";
	q->m = NULL;
	if (q->bad != NULL) {
		message_drop_take(m);
		str_cats(&words, q->bad);
		code = QX_REFUSED;
	} else {
		code = message_close_take(m, &words);
	}
	nsd_cat_reply(&reply, code, &words, qp, clock_wall());
	log_result(q, code, &words, size, qp);
	(void)io_put(q->r.io, str_c(&reply), reply.len);
	(void)io_flush(q->r.io);
	str_free(&words);
	str_free(&reply);
}

int
qmqpd_session(struct io *io, const struct nsd_config *cfg)
{
	struct qmqpd q = {.cfg = cfg};
	enum netstring_status st;
	int code = 0;

	netreader_init(&q.r, io);
	q.r.until = clock_mono_ms() + NSD_SESSION_MS;
	q.m = nsd_begin(cfg, "QMQP");
	st = read_all(&q);
	if (st == NETSTRING_OK)
		finish(&q);
	else
		code = nsd_end(cfg, st, &q.r);
	if (q.m != NULL)
		message_drop_take(q.m);
	str_free(&q.sender);
	str_free(&q.rcpt);
	return code;
}
