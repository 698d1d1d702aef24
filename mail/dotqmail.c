/* mail/dotqmail.c - .qmail text to instructions; see dotqmail.h. */
#include "mail/dotqmail.h"

#include <stdlib.h>
#include <string.h>

static void
add_step(struct dotqmail *dq, enum dotqmail_kind kind, const char *arg,
    size_t n)
{
	if (dq->n == dq->cap) {
		dq->cap = dq->cap ? dq->cap * 2 : 4;
		dq->steps = mem_resize(dq->steps, dq->cap, sizeof *dq->steps);
	}
	dq->steps[dq->n++] = (struct dotqmail_step){kind, dq->text.len};
	str_catb(&dq->text, arg, n);
	str_catc(&dq->text, '\0');
}

/* One line, not empty, without blanks at its end. */
static void
parse_line(struct dotqmail *dq, const char *s, size_t n, bool *forward_only)
{
	if (bytes_chr(s, n, '\0') < n) {
		add_step(dq, DOTQMAIL_NUL, "", 0);
		return;
	}
	switch (s[0]) {
	case '#':
		break;
	case '.':
	case '/':
		add_step(dq, *forward_only ? DOTQMAIL_NO_FILES :
		    s[n - 1] == '/' ? DOTQMAIL_MAILDIR : DOTQMAIL_MBOX, s, n);
		break;
	case '|':
		add_step(dq, *forward_only ? DOTQMAIL_NO_PROGRAMS :
		    DOTQMAIL_PROGRAM, s + 1, n - 1);
		break;
	case '+':
		if (n == 5 && memcmp(s, "+list", 5) == 0)
			*forward_only = true;
		break;
	case '&':
		add_step(dq, DOTQMAIL_FORWARD, s + 1, n - 1);
		break;
	default:
		add_step(dq, DOTQMAIL_FORWARD, s, n);
		break;
	}
}

void
dotqmail_parse(struct dotqmail *dq, const char *s, size_t n,
    bool forward_only)
{
	size_t at = 0;

	while (at < n) {
		size_t len = bytes_chr(s + at, n - at, '\n');
		size_t k = len;

		while (k > 0 && (s[at + k - 1] == ' ' || s[at + k - 1] == '\t'))
			k--;
		if (k > 0)
			parse_line(dq, s + at, k, &forward_only);
		else if (at == 0)
			add_step(dq, DOTQMAIL_BLANK_FIRST, "", 0);
		at += len < n - at ? len + 1 : len;
	}
}

const char *
dotqmail_arg(const struct dotqmail *dq, size_t i)
{
	return str_c(&dq->text) + dq->steps[i].at;
}

bool
dotqmail_only_maildirs(const struct dotqmail *dq)
{
	for (size_t i = 0; i < dq->n; i++)
		if (dq->steps[i].kind != DOTQMAIL_MAILDIR)
			return false;
	return dq->n > 0;
}

void
dotqmail_free(struct dotqmail *dq)
{
	str_free(&dq->text);
	free(dq->steps);
	*dq = (struct dotqmail){0};
}
