/* smtpd/data.c - DATA and BDAT: from the client into the queue.
 *
 * Nothing is queued unless the data came to their end: whoever is lost before
 * that has sent nothing.  What is refused is read to its end all the same. */
#include "lib/tai.h"
#include "mail/limits.h"
#include "smtpd/message.h"
#include "smtpd/received.h"
#include "smtpd/session.h"

#include <string.h>

/* Opens the queue and begins the message.  Refuses and returns -1 when the
 * queue is not there. */
static int
begin(struct smtpd *s, bool dots)
{
	struct str received = {0};
	struct message *m = message_open();

	s->msg = m;
	s->patience = s->cfg->times.data;
	m->decode.dots = dots;
	m->decode.barelf = s->cfg->barelf;
	m->complete = s->cfg->submission;
	m->id_host = str_c(&s->cfg->me);
	m->number = s->messages;
	m->max = s->cfg->databytes;
	if (m->q.fail != 0)
		return -1;
	received_cat(&received, s, qsubmit_qp(&m->q), clock_wall());
	qsubmit_put(&m->q, str_c(&received), received.len);
	str_free(&received);
	return 0;
}

static void
no_queue(struct smtpd *s)
{
	struct str text = {0};

	str_copys(&text, "451 4.3.0 ");
	str_cats(&text, qx_text(s->msg->q.fail));
	wire_refuse(s, NULL, str_c(&text));
	wire_log_others(s);
	str_free(&text);
	smtpd_reset(s);
}

/* One of decode's complaints: the session is over. */
static void
bad_bytes(struct smtpd *s, enum decode_status st)
{
	if (st == DECODE_LF)
		wire_close(s, "bare_LF", "521 5.5.2 a line of the message "
		    "ended with LF instead of CR LF");
	else if (st == DECODE_CR)
		wire_close(s, "bare_CR", "521 5.5.2 a CR without LF in the "
		    "message");
	else
		wire_close(s, "NUL", "521 5.5.2 a NUL byte in the message");
}

/* Data up to the last dot (left NULL), or *left octets.  -1: it is over. */
static int
receive(struct smtpd *s, uint64_t *left)
{
	enum decode_status st = DECODE_MORE;
	const char *p;
	size_t n, used;

	while (st == DECODE_MORE && (left == NULL || *left > 0)) {
		if (wire_data(s) < 0)
			return -1;
		n = io_peek(s->io, &p);
		if (left != NULL && n > *left)
			n = (size_t)*left;
		st = decode_feed(&s->msg->decode, p, n, &used, message_put,
		    s->msg);
		io_skip(s->io, used);
		if (left != NULL)
			*left -= used;
	}
	if (st == DECODE_MORE || st == DECODE_END)
		return 0;
	bad_bytes(s, st);
	return -1;
}

static void
log_accept(const struct smtpd *s, uint64_t size, uint64_t qp)
{
	struct str l = {0};

	wire_log_begin(s, &l, "accept");
	wire_log_pair(&l, "from", str_c(&s->from), s->from.len);
	wire_log_rcpts(s, &l);
	str_catf(&l, " size=%llu qp=%llu", (unsigned long long)size,
	    (unsigned long long)qp);
	if (s->tls.ok)
		wire_log_pair(&l, "tls", str_c(&s->tls.version),
		    s->tls.version.len);
	wire_log_end(&l);
}

/* "5.7.1 ..." says its enhanced code itself. */
static bool
has_status(const char *text, char class)
{
	return text[0] == class && text[1] == '.' && text[2] >= '0' &&
	    text[2] <= '9' && (text[3] == '.' || text[4] == '.' ||
	    text[5] == '.');
}

static void
refuse_queue(struct smtpd *s, int code, const struct str *words)
{
	struct str text = {0};
	const char *w = str_c(words);

	if (qx_permanent(code)) {
		str_copys(&text, "554 ");
		if (!has_status(w, '5'))
			str_cats(&text, "5.3.0 ");
	} else if (code == QX_WRITE) {
		str_copys(&text, "452 4.3.1 ");
	} else {
		str_copys(&text, "451 ");
		if (!has_status(w, '4'))
			str_cats(&text, "4.3.0 ");
	}
	str_cats(&text, w);
	wire_refuse(s, NULL, str_c(&text));
	str_free(&text);
}

static void
give_envelope(struct smtpd *s, struct qsubmit *q)
{
	struct str wishes = {0};
	const char *r = str_c(&s->rcpts), *w = str_c(&s->rcpt_wishes);

	qsubmit_from(q, str_c(&s->from));
	dsn_message_cat(&wishes, &s->dsn);
	qsubmit_params(q, str_c(&wishes));
	str_free(&wishes);
	for (size_t i = 0; i < s->nrcpts; i++) {
		qsubmit_to(q, r);
		qsubmit_rcpt_params(q, w);
		r += strlen(r) + 1;
		w += strlen(w) + 1;
	}
}

static void
queued(struct smtpd *s, uint64_t size, uint64_t qp)
{
	log_accept(s, size, qp);
	s->messages++;
	s->recipients += (unsigned)s->nrcpts;
	s->errors = s->junk = s->unknown = 0;
	wire_replyf(s, "250 2.0.0 ok %lld qp %llu", (long long)clock_wall(),
	    (unsigned long long)qp);
}

/* The data are complete: queued, or refused, and the transaction is over. */
static void
finish(struct smtpd *s)
{
	struct message *m = s->msg;
	struct str text = {0};
	uint64_t size, qp;
	int code;

	message_end(m);
	if (m->too_many_hops) {
		wire_refuse(s, NULL, "554 5.4.6 this message is looping: too "
		    "many hops");
	} else if (m->too_big) {
		wire_refuse(s, NULL, "552 5.3.4 the message is larger than I "
		    "take");
	} else {
		give_envelope(s, &m->q);
		size = m->size;
		qp = qsubmit_qp(&m->q);
		s->msg = NULL;
		code = message_close_take(m, &text);
		if (code == 0)
			queued(s, size, qp);
		else
			refuse_queue(s, code, &text);
		str_free(&text);
	}
	wire_log_others(s);
	smtpd_reset(s);
}

void
data_data(struct smtpd *s, const char *arg)
{
	(void)arg;
	if (s->state != SMTPD_TO) {
		wire_refuse(s, NULL, "554 5.5.1 no valid recipients");
		return;
	}
	if (begin(s, true) < 0) {
		no_queue(s);
		return;
	}
	wire_reply(s, "354 go ahead");
	if (receive(s, NULL) == 0)
		finish(s);
}

/* "1234 LAST".  0, or -1. */
static int
parse_chunk(const char *arg, uint64_t *size, bool *last)
{
	size_t n = strspn(arg, "0123456789");

	if (n == 0 || (arg[n] != '\0' && arg[n] != ' '))
		return -1;
	if (scan_u64(arg, size) == 0)
		*size = UINT64_MAX;
	arg += n;
	arg += strspn(arg, " ");
	*last = *arg != '\0';
	return !*last || bytes_caseeq(arg, strlen(arg), "LAST", 4) ? 0 : -1;
}

/* Octets that nobody wants. */
static int
discard(struct smtpd *s, uint64_t left)
{
	s->patience = s->cfg->times.data;
	while (left > 0) {
		const char *p;
		size_t n;

		if (wire_data(s) < 0)
			return -1;
		n = io_peek(s->io, &p);
		if (n > left)
			n = (size_t)left;
		io_skip(s->io, n);
		left -= n;
	}
	return 0;
}

static void
refuse_chunk(struct smtpd *s, uint64_t size)
{
	if (discard(s, size) < 0)
		return;
	if (s->state == SMTPD_FROM)
		wire_refuse(s, NULL, "554 5.5.1 no valid recipients");
	else
		wire_refuse(s, NULL, s->state == SMTPD_START ?
		    "503 5.5.1 EHLO first" : "503 5.5.1 MAIL first");
}

/* A message that was cut off in the middle of a line gets its line end. */
static void
end_line(struct smtpd *s)
{
	if (s->msg->decode.state == DECODE_TEXT)
		message_put(s->msg, "\n", 1);
}

static void
end_chunk(struct smtpd *s, uint64_t size, bool last)
{
	if (last && s->msg->decode.state == DECODE_TEXT_CR) {
		bad_bytes(s, DECODE_CR);
	} else if (last) {
		end_line(s);
		finish(s);
	} else if (s->msg->too_big || s->msg->too_many_hops) {
		finish(s);
	} else {
		s->state = SMTPD_CHUNK;
		wire_replyf(s, "250 2.0.0 %llu octets",
		    (unsigned long long)size);
	}
}

void
data_bdat(struct smtpd *s, const char *arg)
{
	uint64_t size, left;
	bool last;

	/* Where the next command begins would be a guess. */
	if (parse_chunk(arg, &size, &last) < 0) {
		wire_close(s, "BDAT", "501 5.5.4 BDAT size [LAST]");
		return;
	}
	if (size > SMTPD_CHUNK_MAX) {
		wire_close(s, "BDAT", "552 5.3.4 that chunk is larger than I "
		    "take");
		return;
	}
	if (!(s->state & (SMTPD_TO | SMTPD_CHUNK))) {
		refuse_chunk(s, size);
		return;
	}
	if (s->state == SMTPD_TO && begin(s, false) < 0) {
		if (discard(s, size) == 0)
			no_queue(s);
		return;
	}
	left = size;
	if (receive(s, &left) == 0)
		end_chunk(s, size, last);
}
