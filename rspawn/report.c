/* rspawn/report.c - reading qmail-remote; see report.h.
 *
 * A record counts when its NUL has been seen.  The first recipient record and
 * the first message record count; what else comes is read and dropped. */
#include "rspawn/report.h"

#include "mail/limits.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define NOTES_MAX 500           /* bytes */
#define TEXT_MAX ((size_t)REPORT_MAX / 2)       /* bytes a record keeps */

static struct str *
text_of(struct report *r)
{
	switch (r->kind) {
	case 'r':
	case 'h':
	case 's':
		return &r->rcpt_text;
	case 'K':
	case 'Z':
	case 'D':
		return &r->message_text;
	default:
		return NULL;
	}
}

static void
begin(struct report *r, char letter)
{
	bool rcpt = strchr("rhs", letter) != NULL;
	bool message = strchr("KZD", letter) != NULL;

	r->in_record = true;
	r->kind = 0;
	/* The message record is the last one. */
	if (r->message != 0 || (rcpt && r->rcpt != 0) || (!rcpt && !message))
		return;
	r->kind = letter;
	str_clear(text_of(r));
}

static void
end(struct report *r)
{
	r->in_record = false;
	if (r->kind == 0)
		return;
	if (text_of(r) == &r->rcpt_text)
		r->rcpt = r->kind;
	else
		r->message = r->kind;
}

void
report_add(struct report *r, const char *s, size_t n)
{
	r->got = r->got || n > 0;
	while (n > 0) {
		size_t len = 1, room;
		struct str *text;

		if (*s == '\0') {
			if (r->in_record)
				end(r);
		} else if (!r->in_record) {
			begin(r, *s);
		} else {
			len = bytes_chr(s, n, '\0');
			text = text_of(r);
			if (text != NULL) {
				room = TEXT_MAX - text->len;
				str_catb(text, s, len < room ? len : room);
			}
		}
		s += len;
		n -= len;
	}
}

/* From best to worst. */
static unsigned
badness(char letter)
{
	return letter == 'K' || letter == 'r' ? 0 :
	    letter == 'Z' || letter == 's' ? 1 : 2;
}

void
report_end(const struct report *r, int status, struct str *out)
{
	unsigned verdict;

	if (WIFSIGNALED(status)) {
		str_cats(out, "Zqmail-remote crashed. (#4.3.0)\n");
		return;
	}
	if (WEXITSTATUS(status) != 0) {
		/* Only 100 says "never": an unknown code may be a loader that
		 * lacks a library today. */
		str_catf(out, "%cUnable to run qmail-remote: exit code %d. "
		    "(#%c.3.0)\n", WEXITSTATUS(status) == 100 ? 'D' : 'Z',
		    WEXITSTATUS(status),
		    WEXITSTATUS(status) == 100 ? '5' : '4');
		return;
	}
	if (r->message == 0) {
		str_cats(out, r->got ?
		    "Zqmail-remote did not finish its report. (#4.3.0)\n" :
		    "Zqmail-remote produced no output. (#4.3.0)\n");
		return;
	}
	verdict = badness(r->rcpt != 0 && r->rcpt != 'r' ? r->rcpt :
	    r->message);
	str_catc(out, "KZD"[verdict]);
	str_cat(out, &r->rcpt_text);
	/* A better word about the message as a whole would contradict. */
	if (badness(r->message) >= verdict)
		str_cat(out, &r->message_text);
}

void
report_free(struct report *r)
{
	str_free(&r->rcpt_text);
	str_free(&r->message_text);
	*r = (struct report){0};
}

static void
cat_notes(struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n && i < NOTES_MAX; i++)
		str_catc(out, s[i] >= ' ' && s[i] <= '~' ? s[i] : '_');
}

void
reports_parse(struct reports *out, const char *s, size_t n, size_t nrcpt)
{
	size_t seen = 0, len;
	bool message = false;

	out->n = nrcpt;
	out->v = mem_alloc(nrcpt, sizeof *out->v);
	for (; n > 0; s += len + 1, n -= len + 1) {
		len = bytes_chr(s, n, '\0');
		if (len == n)
			break;          /* unfinished */
		if (message) {
			if (s[0] == '+' && out->notes.len == 0)
				cat_notes(&out->notes, s + 1, len - 1);
			continue;
		}
		message = len > 0 && strchr("KZD", s[0]) != NULL;
		if (message)
			for (size_t i = 0; i < nrcpt; i++)
				report_add(&out->v[i], s, len + 1);
		else if (len > 0 && strchr("rhs", s[0]) != NULL &&
		    seen < nrcpt)
			report_add(&out->v[seen++], s, len + 1);
	}
	/* With some of them, each must have one. */
	for (size_t i = seen; seen > 0 && i < nrcpt; i++)
		report_free(&out->v[i]);
}

void
reports_end(const struct reports *r, size_t i, struct str *out)
{
	report_end(&r->v[i], 0, out);
}

void
reports_free(struct reports *r)
{
	for (size_t i = 0; i < r->n; i++)
		report_free(&r->v[i]);
	free(r->v);
	str_free(&r->notes);
	*r = (struct reports){0};
}
