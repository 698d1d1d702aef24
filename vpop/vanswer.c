/* vpop/vanswer.c - where mail goes, printed; see vanswer.h. */
#include "vpop/vanswer.h"

#include "mail/show.h"

#include <string.h>

static const char *
word_of(enum resolve_status st)
{
	switch (st) {
	case RESOLVE_YES:
		return "yes";
	case RESOLVE_NO:
		return "no";
	case RESOLVE_FULL:
		return "full";
	case RESOLVE_AWAY:
		return "away";
	case RESOLVE_TEMP:
		break;
	}
	return "unknown";
}

int
vanswer_code(enum resolve_status st)
{
	switch (st) {
	case RESOLVE_YES:
	case RESOLVE_AWAY:
		return 0;
	case RESOLVE_NO:
		return 100;
	case RESOLVE_FULL:
	case RESOLVE_TEMP:
		break;
	}
	return 111;
}

void
vanswer_cat_text(struct str *out, const struct resolve *a)
{
	const char *word, *text;
	size_t at = 0;

	while (resolve_step_peek(a, &at, &word, &text)) {
		struct str shown = {0};

		show_cat_text(&shown, text, strlen(text));
		/* A step is one line whatever is in it. */
		for (size_t i = 0; i < shown.len; i++)
			if (shown.s[i] == '\n')
				shown.s[i] = '_';
		str_catf(out, "%-9s %s\n", word, str_c(&shown));
		str_free(&shown);
	}
	str_catc(out, '\n');
}

static void
cat_member(struct str *out, const char *name, const char *value)
{
	str_catf(out, "\"%s\":", name);
	show_cat_json(out, value, strlen(value));
}

void
vanswer_cat_json(struct str *out, const char *addr, const struct resolve *a)
{
	const char *word, *text;
	bool first = true;
	size_t at = 0;

	str_catc(out, '{');
	cat_member(out, "address", addr);
	str_catc(out, ',');
	cat_member(out, "answer", word_of(a->status));
	str_catc(out, ',');
	cat_member(out, "reason", str_c(&a->reason));
	str_cats(out, ",\"steps\":[");
	while (resolve_step_peek(a, &at, &word, &text)) {
		if (strcmp(word, "address") == 0 ||
		    strcmp(word, "answer") == 0)
			continue;
		str_cats(out, first ? "{" : ",{");
		cat_member(out, "step", word);
		str_catc(out, ',');
		cat_member(out, "text", text);
		str_catc(out, '}');
		first = false;
	}
	str_cats(out, "]}\n");
}
