/* remote/job.c - the state of a delivery, and its report; see job.h.
 *
 *	all delivered		r r Kaccepted
 *	one refused		r h Kaccepted
 *	all refused		h h D
 *	refused after DATA	r r Drefused
 *	no host answered	Znobody
 */
#include "remote/job.h"

#include "lib/log.h"

void
job_free(struct job *j)
{
	for (size_t i = 0; i < j->n; i++)
		str_free(&j->rcpt[i].text);
	str_free(&j->event_text);
	str_free(&j->host);
	str_free(&j->ip);
	str_free(&j->tls_version);
	str_free(&j->tls_cipher);
}

static bool
is_pending(const struct job_rcpt *r)
{
	return r->state == JOB_TODO || r->state == JOB_RETRY;
}

size_t
job_pending(const struct job *j)
{
	size_t n = 0;

	for (size_t i = 0; i < j->n; i++)
		n += is_pending(&j->rcpt[i]) ? 1 : 0;
	return n;
}

void
job_rcpt_set(struct job_rcpt *r, enum job_state state, const struct str *text)
{
	r->state = state;
	r->event = 0;
	str_copy(&r->text, text);
}

/* Recipients that an older event decided keep its words as their own. */
static void
settle(struct job *j)
{
	for (size_t i = 0; i < j->n; i++)
		if (j->rcpt[i].event != 0) {
			str_copy(&j->rcpt[i].text, &j->event_text);
			j->rcpt[i].event = 0;
		}
}

void
job_event(struct job *j, enum job_state state, const struct str *text,
    const bool *which)
{
	settle(j);
	j->events++;
	j->event_state = state;
	str_copy(&j->event_text, text);
	for (size_t i = 0; i < j->n; i++)
		if (which != NULL ? which[i] : is_pending(&j->rcpt[i])) {
			j->rcpt[i].state = state;
			j->rcpt[i].event = j->events;
		}
}

static char
letter(enum job_state state, char done, char fail, char defer)
{
	return state == JOB_DONE ? done : state == JOB_FAIL ? fail : defer;
}

/* Letter, text, NUL; at most max bytes, and no half character at a cut. */
static void
cat_record(struct str *out, size_t max, char c, const struct str *text)
{
	size_t n = text->len;

	if (n + 2 > max) {
		n = max - 3;
		while (n > 0 && (text->s[n] & 0xc0) == 0x80)
			n--;
	}
	str_catc(out, c);
	for (size_t i = 0; i < n; i++)
		if (text->s[i] != '\0')
			str_catc(out, text->s[i]);
	if (n < text->len)
		str_catc(out, '\n');
	str_catc(out, '\0');
}

/* The words of the message record: of the delivery if there was one, else of
 * the last event. */
static const struct job_rcpt *
first_in(const struct job *j, enum job_state state)
{
	for (size_t i = 0; i < j->n; i++)
		if (j->rcpt[i].state == state)
			return &j->rcpt[i];
	return NULL;
}

static const struct str *
words(const struct job *j, const struct job_rcpt *r)
{
	return r->event != 0 ? &j->event_text : &r->text;
}

void
job_report(const struct job *j, size_t max, struct str *out)
{
	const struct job_rcpt *done = first_in(j, JOB_DONE);
	bool by_event = false, all = true;
	struct str last = {0};
	char message;

	for (size_t i = 0; i < j->n; i++) {
		all = all && j->rcpt[i].event != 0;
		by_event = by_event || j->rcpt[i].event != 0;
	}
	if (done != NULL) {
		message = 'K';
		str_copy(&last, words(j, done));
	} else if (by_event) {
		message = letter(j->event_state, 'K', 'D', 'Z');
		str_copy(&last, &j->event_text);
	} else {
		/* Every recipient says for itself why. */
		message = first_in(j, JOB_TODO) || first_in(j, JOB_RETRY) ||
		    first_in(j, JOB_DEFER) ? 'Z' : 'D';
		if (j->ip.len > 0)
			str_catf(&last, "No more to be done at %s.\n",
			    str_c(&j->ip));
	}
	for (size_t i = 0; i < j->n && (j->asked || !all); i++) {
		const struct job_rcpt *r = &j->rcpt[i];

		if (r->state == JOB_DONE ||
		    (done == NULL && r->event != 0))
			cat_record(out, max, 'r', &(struct str){0});
		else
			cat_record(out, max, letter(r->state, 'r', 'h', 's'),
			    words(j, r));
	}
	cat_record(out, max, message, &last);
	str_free(&last);
}

static void
field(struct str *out, const char *key, const struct str *value)
{
	if (value->len == 0)
		return;
	str_catf(out, "%s%s=", out->s[out->len - 1] == '+' ? "" : " ", key);
	log_quote(out, value->s, value->len);
}

void
job_report_log(const struct job *j, struct str *out)
{
	struct str code = {0};

	str_catc(out, '+');
	field(out, "mta", j->host.len > 0 ? &j->host : &j->ip);
	field(out, "ip", &j->ip);
	field(out, "tls", &j->tls_version);
	field(out, "cipher", &j->tls_cipher);
	if (j->code != 0)
		str_catu(&code, j->code);
	field(out, "code", &code);
	str_copys(&code, j->dsn ? "relayed" : "");
	field(out, "dsn", &code);
	str_catc(out, '\0');
	str_free(&code);
}
