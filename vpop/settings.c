/* vpop/settings.c - run-time settings; see settings.h. */
#include "vpop/settings.h"

#include "lib/fs.h"
#include "lib/log.h"

#include <errno.h>
#include <string.h>

#define SETTING_MAX ((size_t)1 << 20)   /* bytes of a file */

enum kind { KIND_TEXT, KIND_WORD, KIND_BOOL, KIND_NUMBER, KIND_LIST };

static const struct vsetting_entry entries[VSETTING_COUNT] = {
#define X(id, file, def, kind, words, meaning)                                \
	[VSETTING_##id] = {file, def, #kind, words, meaning},
	VSETTINGS(X)
#undef X
};

static const enum kind kinds[VSETTING_COUNT] = {
#define X(id, file, def, kind, words, meaning) [VSETTING_##id] = KIND_##kind,
	VSETTINGS(X)
#undef X
};

const struct vsetting_entry *
vsetting_entry(enum vsetting id)
{
	return &entries[id];
}

/* Is word one of words, which have spaces between them? */
static bool
is_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	while (n > 0 && *words != '\0') {
		size_t len = strcspn(words, " ");

		if (len == n && memcmp(words, word, n) == 0)
			return true;
		words += len;
		words += strspn(words, " ");
	}
	return false;
}

static void
take_list(const char *s, size_t n, struct str *out)
{
	struct str line = {0};

	while (n > 0) {
		size_t len = bytes_chr(s, n, '\n');

		str_copyb(&line, s, len);
		str_rstrip(&line);
		if (line.len > 0 && line.s[0] != '#')
			str_catb(out, line.s, line.len + 1);
		len += len < n;
		s += len;
		n -= len;
	}
	str_free(&line);
}

/* What is wrong with the value, or NULL; takes its number. */
static const char *
check(enum kind kind, const char *words, const char *v, uint64_t *number)
{
	uint64_t min = 0, max = 1;
	size_t n;

	if (kind == KIND_WORD)
		return is_word(words, v) ? NULL : "not one of";
	if (kind != KIND_NUMBER && kind != KIND_BOOL)
		return NULL;
	if (kind == KIND_NUMBER) {
		n = scan_u64(words, &min);
		(void)scan_u64(words + n + 1, &max);
	}
	n = scan_u64(v, number);
	if (n > 0 && v[n] == '\0' && *number >= min && *number <= max)
		return NULL;
	return kind == KIND_BOOL ? "not 0 or 1" : "not a number within";
}

static int
load(const char *dir, enum vsetting id, struct vsettings *out,
    struct str *reason)
{
	const struct vsetting_entry *e = &entries[id];
	struct str path = {0}, text = {0}, *value = &out->value[id];
	const char *wrong = NULL;
	int r = 0;

	str_catf(&path, "%s/etc/%s", dir, e->file);
	str_clear(value);
	out->is_set[id] = fs_read(str_c(&path), &text, SETTING_MAX) == 0;
	if (!out->is_set[id]) {
		if (errno != ENOENT) {
			str_catf(reason, "unable to read %s: %s", str_c(&path),
			    strerror(errno));
			r = -1;
		}
		if (e->fallback != NULL)
			str_copys(&text, e->fallback);
	}
	if (str_has_nul(&text)) {
		wrong = "it holds a NUL byte";
	} else if (kinds[id] == KIND_LIST) {
		take_list(str_c(&text), text.len, value);
	} else {
		str_copyb(value, str_c(&text),
		    bytes_chr(str_c(&text), text.len, '\n'));
		str_rstrip(value);
		wrong = check(kinds[id], e->words, str_c(value),
		    &out->number[id]);
	}
	if (r == 0 && wrong != NULL) {
		struct str shown = {0};

		log_quote(&shown, str_c(value), value->len);
		str_catf(reason, "%s: %s: %s%s%s", str_c(&path), str_c(&shown),
		    wrong, *e->words ? " " : "", e->words);
		str_free(&shown);
		r = -1;
	}
	str_free(&path);
	str_free(&text);
	return r;
}

int
vsettings_load(const char *dir, struct vsettings *out, struct str *reason)
{
	str_clear(reason);
	for (unsigned id = 0; id < VSETTING_COUNT; id++)
		if (load(dir, (enum vsetting)id, out, reason) < 0)
			return -1;
	return 0;
}

void
vsettings_free(struct vsettings *s)
{
	for (unsigned id = 0; id < VSETTING_COUNT; id++)
		str_free(&s->value[id]);
	*s = (struct vsettings){0};
}

const char *
vsetting_peek(const struct vsettings *s, enum vsetting id)
{
	return str_c(&s->value[id]);
}

bool
vsetting_is(const struct vsettings *s, enum vsetting id, const char *word)
{
	return str_eqs(&s->value[id], word);
}

bool
vsetting_on(const struct vsettings *s, enum vsetting id)
{
	return s->number[id] != 0;
}

const char *
vsetting_item_peek(const struct vsettings *s, enum vsetting id, size_t i)
{
	const struct str *v = &s->value[id];
	size_t at = 0;

	while (at < v->len && i > 0) {
		at += strlen(v->s + at) + 1;
		i--;
	}
	return at < v->len ? v->s + at : NULL;
}
