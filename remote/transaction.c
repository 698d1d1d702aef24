/* remote/transaction.c - giving a message to a host; see transaction.h.
 *
 * What an answer means (5321:4.2.1, 4.3.2):
 *
 *	MAIL	5yz, 4yz	this host takes nothing of it; another one may
 *	RCPT	5yz		that recipient is refused for good
 *		452, 552	too many at a time: the rest again, now
 *		4yz		that recipient may ask another host
 *	DATA, BDAT, "."	5yz	the message is refused for good
 *			4yz	may be tried elsewhere
 *	lost before all was sent	another host
 *	lost after all was sent		deferred: it may have arrived
 */
#include "remote/transaction.h"

#include "mail/dsn.h"
#include "mail/quote.h"
#include "remote/downgrade.h"
#include "remote/idna.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tx {
	struct smtp *s;
	struct job *job;
	struct downgrade plan;
	bool downgraded;        /* the plan is used: to 7 bits */
	bool utf8;              /* SMTPUTF8 is needed */
	uint64_t size;          /* bytes on the wire, dots not doubled */
	bool *asked;            /* per recipient: of this session */
	bool *mine;             /* in the transaction that runs */
	bool *taken;            /* and accepted by the peer */
	size_t nmine, ntaken, nagain;
	bool failed;            /* reading the message failed: errno in error */
	int error;
};

static bool
is_ascii(const char *s)
{
	return idna_is_ascii(s, strlen(s));
}

/* Can the address be told to this peer, at worst with its domain in ASCII? */
static bool
can_tell(const struct tx *t, const char *addr)
{
	struct str text = {0};
	bool ok = is_ascii(addr) || t->s->can.smtputf8 ||
	    idna_cat_addr(&text, addr);

	str_free(&text);
	return ok;
}

static void
cat_path(const struct tx *t, struct str *out, const char *addr)
{
	struct str text = {0};

	if (!t->s->can.smtputf8 && !is_ascii(addr) &&
	    idna_cat_addr(&text, addr))
		addr = str_c(&text);
	str_catc(out, '<');
	quote_cat_addr(out, addr, strlen(addr));
	str_catc(out, '>');
	str_free(&text);
}

/* What the peer lacks for this message.  SMTP_OK when nothing. */
static enum smtp_status
check_offer(struct tx *t)
{
	const struct message *m = t->job->message;
	const struct ehlo *can = &t->s->can;
	const char *reason = NULL;
	struct str text = {0};

	t->size = m->wire_size;
	t->utf8 = m->header_eightbit && m->header_utf8;
	if (t->utf8 && !can->smtputf8) {
		smtp_say(t->s, "does not take UTF-8 in a header (SMTPUTF8). "
		    "(#5.6.7)", false);
		return SMTP_PERM;
	}
	if (!can_tell(t, t->job->sender)) {
		smtp_say(t->s, "does not take addresses in UTF-8 (SMTPUTF8). "
		    "(#5.6.7)", false);
		return SMTP_PERM;
	}
	if (m->eightbit && !can->eightbitmime) {
		if (downgrade_plan(&t->plan, m, &reason) < 0) {
			t->error = errno;
			t->failed = true;
			return SMTP_TEMP;
		}
		if (reason != NULL) {
			str_catf(&text, "takes only 7-bit mail, and this "
			    "message cannot be converted: %s. (#5.6.3)",
			    reason);
			smtp_say(t->s, str_c(&text), false);
			str_free(&text);
			return SMTP_PERM;
		}
		t->downgraded = true;
		t->size = t->plan.size;
	}
	if (can->size_max > 0 && t->size > can->size_max) {
		str_catf(&text, "takes at most %llu bytes; this message has "
		    "%llu. (#5.3.4)", (unsigned long long)can->size_max,
		    (unsigned long long)t->size);
		smtp_say(t->s, str_c(&text), false);
		str_free(&text);
		return SMTP_PERM;
	}
	return SMTP_OK;
}

/* Recipients that no host could be asked for, in these words. */
static bool
is_sendable(struct tx *t, struct job_rcpt *r)
{
	struct str text = {0};

	if (!quote_safe(r->addr, strlen(r->addr)))
		str_cats(&text, "The address has a line end in it. (#5.1.3)\n");
	else if (!can_tell(t, r->addr))
		str_catf(&text, "%s does not take addresses in UTF-8 "
		    "(SMTPUTF8). (#5.6.7)\n", str_c(&t->s->ip));
	if (text.len == 0)
		return true;
	job_rcpt_set(r, JOB_FAIL, &text);
	str_free(&text);
	return false;
}

/* Chooses who is in the next transaction; 0: nobody is left. */
static size_t
choose(struct tx *t)
{
	uint64_t max = TRANSACTION_RCPTS_MAX;

	if (t->s->can.rcpt_max > 0 && t->s->can.rcpt_max < max)
		max = t->s->can.rcpt_max;
	t->nmine = t->ntaken = t->nagain = 0;
	for (size_t i = 0; i < t->job->n; i++) {
		struct job_rcpt *r = &t->job->rcpt[i];

		t->mine[i] = t->taken[i] = false;
		if (t->nmine == max || t->asked[i] ||
		    (r->state != JOB_TODO && r->state != JOB_RETRY) ||
		    !is_sendable(t, r))
			continue;
		t->mine[i] = t->asked[i] = true;
		t->nmine++;
	}
	return t->nmine;
}

/* " RET=..." when it is what mail/dsn.h allows. */
static void
cat_dsn_message(struct str *out, const char *params)
{
	struct dsn_message d = {0};
	struct str text = {0};

	if (*params != '\0' &&
	    dsn_message_parse(params, strlen(params), &d) == 0)
		dsn_message_cat(&text, &d);
	if (text.len > 0) {
		str_catc(out, ' ');
		str_cat(out, &text);
	}
	str_free(&text);
	dsn_message_free(&d);
}

static void
cat_dsn_rcpt(struct str *out, const char *params)
{
	struct dsn_rcpt d = {0};
	struct str text = {0};

	if (*params != '\0' && dsn_rcpt_parse(params, strlen(params), &d) == 0)
		dsn_rcpt_cat(&text, &d);
	if (text.len > 0) {
		str_catc(out, ' ');
		str_cat(out, &text);
	}
	str_free(&text);
	dsn_rcpt_free(&d);
}

static bool
has_wishes(const struct tx *t)
{
	for (size_t i = 0; i < t->job->n; i++)
		if (t->taken[i] && t->job->rcpt[i].params[0] != '\0')
			return true;
	return t->job->params[0] != '\0';
}

static void
put_mail(struct tx *t)
{
	const struct ehlo *can = &t->s->can;
	bool utf8 = t->utf8 || !is_ascii(t->job->sender);
	struct str line = {0};

	for (size_t i = 0; i < t->job->n; i++)
		utf8 = utf8 || (t->mine[i] &&
		    !is_ascii(t->job->rcpt[i].addr));
	str_cats(&line, "MAIL FROM:");
	cat_path(t, &line, t->job->sender);
	if (can->size) {
		str_cats(&line, " SIZE=");
		str_catu(&line, t->size);
	}
	if (t->job->message->eightbit && !t->downgraded)
		str_cats(&line, " BODY=8BITMIME");
	if (utf8 && can->smtputf8)
		str_cats(&line, " SMTPUTF8");
	if (can->dsn)
		cat_dsn_message(&line, t->job->params);
	smtp_put(t->s, str_c(&line));
	str_free(&line);
}

static void
put_rcpt(struct tx *t, const struct job_rcpt *r)
{
	struct str line = {0};

	str_cats(&line, "RCPT TO:");
	cat_path(t, &line, r->addr);
	if (t->s->can.dsn)
		cat_dsn_rcpt(&line, r->params);
	smtp_put(t->s, str_c(&line));
	str_free(&line);
}

/* 5321:4.5.3.1.10: 552 may mean that there are too many recipients; an
 * enhanced code of something else says that it does not (3463: X.5.3). */
static bool
is_final(const struct reply *r)
{
	const char *s;
	size_t n = reply_enhanced(r, &s);

	return r->code / 100 == 5 && (r->code != 552 ||
	    (n > 0 && !(n == 5 && memcmp(s, "5.5.3", 5) == 0)));
}

/* The verdict on one recipient. */
static void
judge(struct tx *t, size_t i)
{
	struct job_rcpt *r = &t->job->rcpt[i];
	unsigned code = t->s->reply.code;

	t->job->asked = true;
	if (code / 100 == 2) {
		t->taken[i] = true;
		t->ntaken++;
		return;
	}
	t->job->code = code;
	if (is_final(&t->s->reply)) {
		smtp_say(t->s, "does not take mail for this address.", true);
		job_rcpt_set(r, JOB_FAIL, &t->s->why);
		return;
	}
	smtp_say(t->s, "does not take mail for this address now.", true);
	job_rcpt_set(r, JOB_RETRY, &t->s->why);
	/* Only behind ones that were taken it is a matter of how many. */
	if ((code == 452 || code == 552) && t->ntaken > 0) {
		t->asked[i] = false;
		t->nagain++;
	}
}

/* A reply that fits its command: anything but 3yz, or else 354. */
static bool
fits(struct tx *t, bool data)
{
	if (reply_class(&t->s->reply) != 3 || (data &&
	    t->s->reply.code == 354))
		return true;
	t->s->open = false;
	smtp_say(t->s, "gives an answer that does not fit the question. "
	    "(#4.5.0)", true);
	return false;
}

static bool
get_fitting(struct tx *t, bool data, const char *doing)
{
	return smtp_get(t->s, t->s->cfg->reply_ms, doing) && fits(t, data);
}

static bool
ordered(struct tx *t)
{
	if (t->s->wire.ipos == t->s->wire.ilen)
		return true;
	smtp_out_of_turn(t->s);
	return false;
}

/* MAIL was refused: the answers to what was sent along are read, and mean
 * nothing. */
static void
drain(struct tx *t, size_t n, bool data)
{
	struct str why = t->s->why;

	t->s->why = (struct str){0};
	for (size_t i = 0; i < n; i++)
		if (!smtp_get(t->s, t->s->cfg->reply_ms, "refusing"))
			break;
	/* It waits for a message that there is not. */
	if (data && t->s->reply.code == 354)
		t->s->open = false;
	str_free(&t->s->why);
	t->s->why = why;
}

static enum smtp_status
mail_refused(struct tx *t, bool pipelined, bool data)
{
	bool perm = reply_class(&t->s->reply) == 5;

	t->job->code = t->s->reply.code;
	smtp_say(t->s, "does not take mail from this sender.", true);
	if (pipelined)
		drain(t, t->nmine + (data ? 1 : 0), data);
	return perm ? SMTP_PERM : SMTP_TEMP;
}

/* MAIL and RCPT.  SMTP_OK: each of mine has its verdict. */
static enum smtp_status
envelope(struct tx *t, bool pipelined, bool data)
{
	struct smtp *s = t->s;

	if (!ordered(t))
		return SMTP_TEMP;
	put_mail(t);
	for (size_t i = 0; pipelined && i < t->job->n; i++)
		if (t->mine[i])
			put_rcpt(t, &t->job->rcpt[i]);
	if (data)
		smtp_put(s, "DATA");
	if (!get_fitting(t, false, "told the sender"))
		return SMTP_TEMP;
	if (reply_class(&s->reply) != 2)
		return mail_refused(t, pipelined, data);
	s->needs_rset = true;
	for (size_t i = 0; i < t->job->n; i++) {
		if (!t->mine[i])
			continue;
		if (!pipelined) {
			if (!ordered(t))
				return SMTP_TEMP;
			put_rcpt(t, &t->job->rcpt[i]);
		}
		if (!get_fitting(t, false, "told a recipient"))
			return SMTP_TEMP;
		judge(t, i);
	}
	return SMTP_OK;
}

/* The end of the message, for all that were taken. */
static void
verdict(struct tx *t, bool refused_early)
{
	struct smtp *s = t->s;
	enum job_state state = JOB_RETRY;

	t->job->code = s->reply.code;
	switch (reply_class(&s->reply)) {
	case 2:
		state = JOB_DONE;
		smtp_say(s, "accepted message.", true);
		break;
	case 5:
		state = JOB_FAIL;
		smtp_say(s, refused_early ? "does not want the message." :
		    "refused the message.", true);
		break;
	default:
		smtp_say(s, refused_early ? "does not want the message now." :
		    "refused the message for now.", true);
		break;
	}
	job_event(t->job, state, &s->why, t->taken);
}

static int
put_wire(void *arg, const char *bytes, size_t n)
{
	struct tx *t = arg;

	return wire_put(&t->s->wire, bytes, n, t->s->cfg->reply_ms) ==
	    WIRE_OK ? 0 : -1;
}

/* All of the message into the wire's buffer, most of it further.  0, or -1:
 * the file failed (t->failed), or the wire. */
static int
put_body(struct tx *t, bool dots)
{
	int r;

	t->s->wire.listening = true;
	r = t->downgraded ? downgrade_write(&t->plan, dots, put_wire, t) :
	    message_write(t->job->message, dots, put_wire, t);
	if (r < 0 && t->s->wire.wfail == WIRE_OK) {
		t->failed = true;
		t->error = errno;
	}
	return r;
}

/* The peer spoke, or left, before it had all of the message: what remains is
 * not sent.  Its last words may be an answer. */
static enum smtp_status
interrupted(struct tx *t)
{
	struct smtp *s = t->s;
	bool slow = s->wire.wfail == WIRE_TIMEOUT;
	enum wire_status st;

	s->wire.olen = 0;
	if (s->wire.wfail == WIRE_OK)
		s->wire.wfail = WIRE_EOF;
	st = wire_reply(&s->wire, &s->reply, 0);
	s->open = false;
	if (st == WIRE_OK && reply_class(&s->reply) >= 4 &&
	    s->reply.code != 421) {
		verdict(t, false);
		return SMTP_OK;
	}
	if (st == WIRE_OK && reply_class(&s->reply) < 4)
		smtp_out_of_turn(s);
	else
		smtp_say(s, slow ? "does not take the message in time. "
		    "(#4.4.2)" : "is lost while we send the message. "
		    "(#4.4.2)", st == WIRE_OK);
	return SMTP_TEMP;
}

static void
cannot_read(struct tx *t)
{
	struct str text = {0};

	t->s->open = false;
	str_catf(&text, "Unable to read the message: %s. (#4.3.0)\n",
	    strerror(t->error));
	job_event(t->job, JOB_DEFER, &text, NULL);
	str_free(&text);
}

/* Sends the message and hears what becomes of it. */
static enum smtp_status
content(struct tx *t, bool bdat)
{
	struct smtp *s = t->s;
	struct str line = {0};
	int r;

	if (bdat) {
		str_catf(&line, "BDAT %llu LAST", (unsigned long long)t->size);
		smtp_put(s, str_c(&line));
		str_free(&line);
	}
	r = put_body(t, !bdat);
	if (t->failed) {
		cannot_read(t);
		return SMTP_OK;
	}
	if (r < 0 || wire_disturbed(&s->wire))
		return interrupted(t);
	if (!bdat)
		(void)wire_puts(&s->wire, ".\r\n", s->cfg->reply_ms);
	if (wire_flush(&s->wire, s->cfg->reply_ms) != WIRE_OK)
		return interrupted(t);
	s->wire.listening = false;
	s->needs_rset = false;
	if (smtp_get(s, s->cfg->dot_ms, "given the whole message") &&
	    reply_class(&s->reply) != 3) {
		verdict(t, false);
		return SMTP_OK;
	}
	if (s->reply.code == 421) {
		verdict(t, false);
		return SMTP_OK;
	}
	/* It has everything and may have kept it: asking another host now
	 * would make a second copy sure. */
	s->open = false;
	str_cats(&line, "Possible duplicate: ");
	str_cat(&line, &s->why);
	job_event(t->job, JOB_DEFER, &line, t->taken);
	str_free(&line);
	return SMTP_OK;
}

/* Nobody was taken, and the peer may wait for a message all the same. */
static void
nothing_to_send(struct tx *t, bool data)
{
	struct smtp *s = t->s;

	if (!data || s->reply.code != 354)
		return;
	/* 2920:3.1: a lone dot, whatever it answers */
	s->needs_rset = false;
	if (!smtp_ask(s, ".", "done with a message to nobody"))
		s->open = false;
}

static enum smtp_status
run_one(struct tx *t)
{
	struct smtp *s = t->s;
	bool pipelined = s->can.pipelining, bdat = s->can.chunking;
	bool data = pipelined && !bdat;
	enum smtp_status st;

	if (s->needs_rset) {
		if (!smtp_ask(s, "RSET", "told to begin again"))
			return SMTP_TEMP;
		s->needs_rset = false;
	}
	s->transactions++;
	st = envelope(t, pipelined, data);
	if (st != SMTP_OK)
		return st;
	if (data && !get_fitting(t, true, "told that the message comes"))
		return SMTP_TEMP;
	if (t->ntaken == 0) {
		nothing_to_send(t, data);
		return SMTP_OK;
	}
	if (!ordered(t))
		return SMTP_TEMP;
	t->job->dsn = s->can.dsn && has_wishes(t);
	if (!bdat && !data) {
		smtp_put(s, "DATA");
		if (!get_fitting(t, true, "told that the message comes"))
			return SMTP_TEMP;
		if (!ordered(t))
			return SMTP_TEMP;
	}
	if (!bdat && s->reply.code != 354) {
		if (reply_class(&s->reply) == 2) {
			s->open = false;
			smtp_say(s, "gives an answer that does not fit the "
			    "question. (#4.5.0)", true);
			return SMTP_TEMP;
		}
		verdict(t, true);
		return SMTP_OK;
	}
	return content(t, bdat);
}

static enum smtp_status
run_all(struct tx *t)
{
	enum smtp_status st = check_offer(t);

	if (t->failed) {
		cannot_read(t);
		return SMTP_OK;
	}
	while (st == SMTP_OK && choose(t) > 0) {
		if (!t->s->open)
			return SMTP_TEMP;
		st = run_one(t);
		/* Recipients that came too many are asked for again only when
		 * the others were dealt with. */
		if (st == SMTP_OK && t->s->can.mail_max > 0 &&
		    t->s->transactions >= t->s->can.mail_max &&
		    job_pending(t->job) > 0) {
			smtp_say(t->s, "takes no more messages over this "
			    "connection. (#4.5.3)", false);
			smtp_close(t->s);
		}
	}
	return st;
}

enum smtp_status
transaction_run(struct smtp *s, struct job *job)
{
	struct tx t = {.s = s, .job = job,
	    .asked = mem_alloc(job->n, sizeof(bool)),
	    .mine = mem_alloc(job->n, sizeof(bool)),
	    .taken = mem_alloc(job->n, sizeof(bool))};
	enum smtp_status st;

	str_copy(&job->host, &s->host);
	str_copy(&job->ip, &s->ip);
	str_copy(&job->tls_version, &s->tls.version);
	str_copy(&job->tls_cipher, &s->tls.cipher);
	st = run_all(&t);
	downgrade_free(&t.plan);
	free(t.asked);
	free(t.mine);
	free(t.taken);
	return st;
}
