/* mail/qctl.c - the lines between the queue tool and qmail-send; see qctl.h.
 *
 * Both directions and both ends are here, so that they cannot disagree. */
#include "mail/qctl.h"

#include "mail/qpath.h"

#include <string.h>

static const struct {
	const char *word;
	bool number;
} verbs[] = {
#define X(id, word, number) {word, number},
	QCTL_TABLE(X)
#undef X
};

const char *
qctl_verb_word(enum qctl_verb verb)
{
	return verbs[verb].word;
}

void
qctl_cat_request(struct str *out, const struct qctl_request *req)
{
	str_cats(out, verbs[req->verb].word);
	if (verbs[req->verb].number) {
		str_catc(out, ' ');
		str_catu(out, req->id);
	}
	str_catc(out, '\n');
}

void
qctl_cat_answer(struct str *out, bool ok, const char *text)
{
	str_cats(out, ok ? "ok" : "no");
	if (*text != '\0')
		str_catc(out, ' ');
	for (size_t i = 0; text[i] != '\0' && i < QCTL_TEXT_MAX; i++)
		str_catc(out, (unsigned char)text[i] < ' ' ? ' ' : text[i]);
	str_catc(out, '\n');
}

/* Gathers up to an LF, at most max bytes without it; then line->s holds a C
 * string.  A NUL in the line is BAD. */
static enum qctl_status
line_parse(struct qctl_line *line, size_t max, const char *s, size_t n,
    size_t *used)
{
	for (*used = 0; *used < n;) {
		char c = s[(*used)++];

		if (c == '\n') {
			line->s[line->n] = '\0';
			line->n = 0;
			return QCTL_DONE;
		}
		if (c == '\0' || line->n == max) {
			line->n = 0;
			return QCTL_BAD;
		}
		line->s[line->n++] = c;
	}
	return QCTL_MORE;
}

enum qctl_status
qctl_request_parse(struct qctl_line *line, const char *s, size_t n,
    size_t *used, struct qctl_request *out)
{
	enum qctl_status st =
	    line_parse(line, QCTL_LINE_MAX - 1, s, n, used);
	size_t len;

	if (st != QCTL_DONE)
		return st;
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		len = strlen(verbs[i].word);
		if (strncmp(line->s, verbs[i].word, len) != 0)
			continue;
		*out = (struct qctl_request){.verb = (enum qctl_verb)i};
		if (!verbs[i].number)
			return line->s[len] == '\0' ? QCTL_DONE : QCTL_BAD;
		return line->s[len] == ' ' &&
		    qpath_parse(line->s + len + 1, &out->id) ?
		    QCTL_DONE : QCTL_BAD;
	}
	return QCTL_BAD;
}

enum qctl_status
qctl_answer_parse(struct qctl_line *line, const char *s, size_t n,
    size_t *used, struct qctl_answer *out)
{
	enum qctl_status st =
	    line_parse(line, sizeof line->s - 1, s, n, used);

	if (st != QCTL_DONE)
		return st;
	out->ok = strncmp(line->s, "ok", 2) == 0;
	if ((!out->ok && strncmp(line->s, "no", 2) != 0) ||
	    (line->s[2] != ' ' && line->s[2] != '\0'))
		return QCTL_BAD;
	str_copys(&out->text, line->s[2] == ' ' ? line->s + 3 : "");
	return QCTL_DONE;
}

void
qctl_answer_free(struct qctl_answer *answer)
{
	str_free(&answer->text);
	*answer = (struct qctl_answer){0};
}
