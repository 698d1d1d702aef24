/* smtpd/qmtpd.c - see qmtpd.h. */
#include "smtpd/qmtpd.h"

#include "lib/tai.h"
#include "mail/limits.h"
#include "mail/verify.h"

#include <string.h>

/* X(ID, reply) - what becomes of a recipient */
#define FATES(X)                                                              \
	X(TAKEN, NULL)                                                        \
	X(RELAY, "Dthat domain is none of mine, and you may not relay "       \
	    "(#5.7.1)")                                                       \
	X(NOBODY, "Dthere is nobody of that name (#5.1.1)")                   \
	X(FULL, "Dthat mailbox is full (#5.2.2)")                             \
	X(UNKNOWN, "Zthat recipient cannot be looked up now (#4.3.0)")        \
	X(LIST, "Zthe list of domains cannot be read now (#4.3.0)")           \
	X(SYNTAX, "Dthat is no address (#5.1.3)")                             \
	X(LONG, "Dthat address is too long (#5.1.3)")                         \
	X(MANY, "Ztoo many recipients at once (#4.5.3)")

enum fate {
#define X(id, reply) FATE_##id,
	FATES(X)
#undef X
};

static const char *const fate_reply[] = {
#define X(id, reply) reply,
	FATES(X)
#undef X
};

struct qmtpd {
	const struct nsd_config *cfg;
	struct netreader r;
	struct verify verify;
	uint64_t refused;               /* in this session, for good */
	unsigned logged;                /* refusals */

	/* The package. */
	struct message *m;
	struct qmtpd_lines lines;
	struct str piece;               /* of the message, lines mended */
	struct str sender, rcpt;        /* rcpt: the last one */
	struct str fates;               /* a byte each */
	uint64_t over;                  /* recipients beyond QMTPD_RCPTS */
	uint64_t taken;
	const char *bad;                /* why all are refused */
};

void
qmtpd_lines_feed(struct qmtpd_lines *l, const char *s, size_t n,
    struct str *out)
{
	for (size_t i = 0; i < n && !l->bare_lf; i++) {
		if (s[i] == '\n' && !l->cr) {
			l->bare_lf = true;
			return;
		}
		if (l->cr && s[i] != '\n')
			str_catc(out, '\r');
		l->cr = s[i] == '\r';
		if (!l->cr)
			str_catc(out, s[i]);
	}
	if (n == 0 && l->cr && !l->bare_lf)
		str_catc(out, '\r');
}

static void
put_lines(struct qmtpd *q, const char *s, size_t n)
{
	str_clear(&q->piece);
	qmtpd_lines_feed(&q->lines, s, n, &q->piece);
	message_put(q->m, str_c(&q->piece), q->piece.len);
}

static enum netstring_status
read_message(struct qmtpd *q)
{
	enum netstring_status st;
	uint64_t len;
	size_t got;
	char mode;

	if ((st = netreader_head(&q->r, &len)) != NETSTRING_OK)
		return st;
	if (len == 0)
		return NETSTRING_BAD;
	if ((st = netreader_get(&q->r, &mode, 1, &got)) != NETSTRING_OK)
		return st;
	if (mode != '\n' && mode != '\r')
		return NETSTRING_BAD;
	q->m = nsd_begin(q->cfg, "QMTP");
	for (len--; len > 0; len -= got) {
		char buf[IO_BUF];

		st = netreader_get(&q->r, buf, len < sizeof buf ? (size_t)len :
		    sizeof buf, &got);
		if (st != NETSTRING_OK)
			return st;
		if (mode == '\n')
			message_put(q->m, buf, got);
		else
			put_lines(q, buf, got);
	}
	put_lines(q, "", 0);
	message_end(q->m);
	return netreader_comma(&q->r);
}

static bool
is_ours(const struct qmtpd *q, bool listed)
{
	const struct str *l = &q->cfg->locals;
	size_t at = bytes_rchr(str_c(&q->rcpt), q->rcpt.len, '@');

	if (listed || at == q->rcpt.len)
		return listed;
	for (size_t i = 0; i < l->len; i += strlen(l->s + i) + 1)
		if (bytes_caseeq(q->rcpt.s + at + 1, q->rcpt.len - at - 1,
		    l->s + i, strlen(l->s + i)))
			return true;
	return false;
}

/* Always accepted where it is ours: 5321:4.5.1, 2142. */
static bool
is_reserved(const struct str *addr)
{
	size_t n = bytes_rchr(str_c(addr), addr->len, '@');

	return bytes_caseeq(str_c(addr), n, "postmaster", 10) ||
	    (n < addr->len && bytes_caseeq(str_c(addr), n, "abuse", 5));
}

/* The same order as qmail-smtpd's: whose domain, then who. */
static enum fate
judge(struct qmtpd *q)
{
	const char *relay = q->cfg->relayclient;
	enum rcpthosts_status listed;
	struct str why = {0};
	enum fate f = FATE_TAKEN;
	bool ours;

	if (q->rcpt.len == 0 || !nsd_is_address(&q->rcpt))
		return FATE_SYNTAX;
	if (relay != NULL && q->rcpt.len + strlen(relay) > ADDR_MAX)
		return FATE_LONG;
	listed = rcpthosts_find(&q->cfg->rcpthosts, q->rcpt.s, q->rcpt.len);
	if (listed == RCPTHOSTS_TEMP)
		return FATE_LIST;
	ours = is_ours(q, listed == RCPTHOSTS_YES);
	if (ours && is_reserved(&q->rcpt))
		return FATE_TAKEN;
	if (listed == RCPTHOSTS_NO && relay == NULL)
		return FATE_RELAY;
	if (!ours || (relay != NULL && (*relay != '\0' ||
	    memchr(q->rcpt.s, '%', q->rcpt.len) != NULL)))
		return FATE_TAKEN;
	if (clock_mono_ms() >= q->r.until)      /* a slow service, many names */
		return FATE_UNKNOWN;
	switch (verify_ask(&q->verify, q->cfg->rcpt_socket, str_c(&q->rcpt),
	    &why)) {
	case VERIFY_OK:
		break;
	case VERIFY_NO:
		f = FATE_NOBODY;
		break;
	case VERIFY_FULL:
		f = FATE_FULL;
		break;
	case VERIFY_TEMP:
		f = FATE_UNKNOWN;
		break;
	}
	str_free(&why);
	return f;
}

static void
log_refusal(const struct qmtpd *q, enum fate f)
{
	const char *why = fate_reply[f] + 1;
	struct str l = {0};

	nsd_log_begin(q->cfg, &l, "refuse");
	nsd_log_pair(&l, "from", str_c(&q->sender), q->sender.len);
	nsd_log_pair(&l, "to", str_c(&q->rcpt), q->rcpt.len);
	nsd_log_pair(&l, "reason", why, strlen(why));
	nsd_log_end(&l);
}

static enum netstring_status
read_recipient(struct qmtpd *q)
{
	enum netstring_status st = netreader_str(&q->r, &q->rcpt,
	    NSD_ADDR_MAX);
	enum fate f;

	if (st != NETSTRING_OK && st != NETSTRING_LONG)
		return st;
	if (q->fates.len == QMTPD_RCPTS) {
		q->over++;
		return NETSTRING_OK;
	}
	f = st == NETSTRING_LONG ? FATE_LONG : judge(q);
	str_catc(&q->fates, (char)f);
	if (f == FATE_TAKEN) {
		if (q->cfg->relayclient != NULL)
			str_cats(&q->rcpt, q->cfg->relayclient);
		qsubmit_to(&q->m->q, str_c(&q->rcpt));
		q->taken++;
	} else {
		if (q->logged < NSD_LOGGED_MAX)
			log_refusal(q, f);
		q->logged++;
		if (fate_reply[f][0] == 'D')
			q->refused++;
	}
	return NETSTRING_OK;
}

static enum netstring_status
read_package(struct qmtpd *q)
{
	enum netstring_status st;
	uint64_t len;

	if ((st = read_message(q)) != NETSTRING_OK)
		return st;
	st = netreader_str(&q->r, &q->sender, NSD_ADDR_MAX);
	if (st == NETSTRING_LONG)
		q->bad = "the sender's address is too long (#5.1.7)";
	else if (st != NETSTRING_OK)
		return st;
	else if (!nsd_is_address(&q->sender))
		q->bad = "the sender has no address (#5.1.7)";
	qsubmit_from(&q->m->q, str_c(&q->sender));
	if ((st = netreader_head(&q->r, &len)) != NETSTRING_OK)
		return st;
	netreader_enter(&q->r, len);
	while (q->r.left > 0)
		if ((st = read_recipient(q)) != NETSTRING_OK)
			return st;
	return netreader_leave(&q->r);
}

static void
log_package(const struct qmtpd *q, int code, const struct str *words,
    uint64_t size, uint64_t qp)
{
	struct str l = {0};

	nsd_log_begin(q->cfg, &l, code == 0 ? "accept" : "refuse");
	nsd_log_pair(&l, "from", str_c(&q->sender), q->sender.len);
	nsd_log_pair(&l, "to", str_c(&q->rcpt), q->rcpt.len);
	str_catf(&l, " rcpts=%llu refused=%llu size=%llu qp=%llu",
	    (unsigned long long)q->taken,
	    (unsigned long long)(q->fates.len - q->taken + q->over),
	    (unsigned long long)size, (unsigned long long)qp);
	if (code != 0)
		nsd_log_pair(&l, "reason", str_c(words), words->len);
	nsd_log_end(&l);
}

/* Queues the message when anybody is to get it: the queue's code. */
static int
commit(struct qmtpd *q, struct str *words)
{
	struct message *m = q->m;
	uint64_t qp = qsubmit_qp(&m->q), size = m->size;
	int code;

	if (m->too_many_hops)
		q->bad = "this message is looping: too many hops (#5.4.6)";
	else if (m->too_big)
		q->bad = "the message is larger than I take (#5.3.4)";
	else if (q->lines.bare_lf)
		q->bad = "a line of the message ends with LF instead of CR LF "
		    "(#5.6.0)";
	q->m = NULL;
	if (q->bad != NULL || q->taken == 0) {
		message_drop_take(m);
		str_copys(words, q->bad != NULL ? q->bad : "no recipients");
		code = QX_REFUSED;
	} else {
		code = message_close_take(m, words);
	}
	log_package(q, code, words, size, qp);
	return code;
}

static enum io_status
answer(struct qmtpd *q, int code, const struct str *words, uint64_t qp)
{
	struct str common = {0}, one = {0};
	enum io_status st = IO_OK;

	nsd_cat_reply(&common, code, words, qp, clock_wall());
	for (uint64_t i = 0; i < q->fates.len + q->over && st == IO_OK; i++) {
		unsigned char f = i < q->fates.len ?
		    (unsigned char)q->fates.s[i] : FATE_MANY;

		/* What is wrong with the message is wrong for everybody. */
		if (q->bad != NULL || f == FATE_TAKEN) {
			st = io_put(q->r.io, str_c(&common), common.len);
			continue;
		}
		str_clear(&one);
		netstring_cat(&one, fate_reply[f], strlen(fate_reply[f]));
		st = io_put(q->r.io, str_c(&one), one.len);
	}
	if (st == IO_OK)
		st = io_flush(q->r.io);
	str_free(&common);
	str_free(&one);
	return st;
}

static void
reset(struct qmtpd *q)
{
	if (q->m != NULL)
		message_drop_take(q->m);
	q->m = NULL;
	q->lines = (struct qmtpd_lines){0};
	str_clear(&q->sender);
	str_clear(&q->rcpt);
	str_clear(&q->fates);
	q->over = q->taken = 0;
	q->bad = NULL;
}

/* false: the client did not take the answer. */
static bool
package(struct qmtpd *q)
{
	struct str words = {0};
	uint64_t qp = qsubmit_qp(&q->m->q);
	int code = commit(q, &words);
	enum io_status st = answer(q, code, &words, qp);

	str_free(&words);
	if (st != IO_OK)
		q->r.fail = st;
	return st == IO_OK;
}

int
qmtpd_session(struct io *io, const struct nsd_config *cfg)
{
	struct qmtpd q = {.cfg = cfg, .verify = {.fd = -1}};
	enum netstring_status st;

	netreader_init(&q.r, io);
	q.r.until = clock_mono_ms() + NSD_SESSION_MS;
	while ((st = read_package(&q)) == NETSTRING_OK) {
		if (!package(&q)) {
			st = NETSTRING_IO;
			break;
		}
		if (q.refused >= NSD_REFUSED_MAX)
			break;
		reset(&q);
	}
	if (st == NETSTRING_END && q.m != NULL)
		st = NETSTRING_IO;              /* in the midst of a package */
	reset(&q);
	verify_close(&q.verify);
	str_free(&q.piece);
	str_free(&q.sender);
	str_free(&q.rcpt);
	str_free(&q.fates);
	return nsd_end(cfg, st, &q.r);
}
