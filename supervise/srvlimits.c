/* srvlimits.c - limits of tcpserver; see srvlimits.h. */
#include "supervise/srvlimits.h"

#include "lib/log.h"

#include <string.h>

struct bounds {
	const char *name;
	unsigned low, high;
	unsigned *field;
};

/* The bounds and the place of a name; name is NULL when there is none. */
static struct bounds
find(struct srvlimits *l, const char *name)
{
	const struct bounds all[] = {
#define SRVLIMITS_ROW(field, text, low, high, value)                          \
		{text, low, high, &l->field},
		SRVLIMITS(SRVLIMITS_ROW)
#undef SRVLIMITS_ROW
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i];
	return (struct bounds){0};
}

void
srvlimits_default(struct srvlimits *l)
{
	*l = (struct srvlimits){
#define SRVLIMITS_VALUE(field, name, low, high, value) .field = (value),
		SRVLIMITS(SRVLIMITS_VALUE)
#undef SRVLIMITS_VALUE
	};
}

static bool
in_bounds(const struct bounds *b, const char *value, unsigned *out)
{
	uint64_t v;
	size_t n = scan_u64(value, &v);

	if (n == 0 || value[n] != '\0' || v < b->low || v > b->high)
		return false;
	*out = (unsigned)v;
	return true;
}

int
srvlimits_set(struct srvlimits *l, const char *name, const char *value)
{
	struct bounds b = find(l, name);

	return b.name != NULL && in_bounds(&b, value, b.field) ? 0 : -1;
}

/* "name value", blanks around both: -1 when there are not two words. */
static int
two_words(const char *s, size_t n, struct str *name, struct str *value)
{
	struct str *word[2] = {name, value};
	size_t at = 0, words = 0;

	str_clear(name);
	str_clear(value);
	for (;;) {
		size_t from;

		while (at < n && (s[at] == ' ' || s[at] == '\t'))
			at++;
		if (at == n)
			return words == 2 ? 0 : -1;
		if (words == 2)
			return -1;
		for (from = at; at < n && s[at] != ' ' && s[at] != '\t';)
			at++;
		str_catb(word[words++], s + from, at - from);
	}
}

static int
parse_line(const char *s, size_t n, struct srvlimits *l, struct str *why)
{
	struct str name = {0}, value = {0};
	struct bounds b = {0};
	int r = 0;

	if (two_words(s, n, &name, &value) < 0) {
		str_cats(why, "not a name and a number");
		r = -1;
	} else {
		b = find(l, str_c(&name));
		if (b.name == NULL || str_has_nul(&name)) {
			str_cats(why, "there is no limit called ");
			log_quote(why, str_c(&name), name.len < 40 ?
			    name.len : 40);
			r = -1;
		} else if (str_has_nul(&value) ||
		    !in_bounds(&b, str_c(&value), b.field)) {
			str_catf(why, "%s is a number from %u to %u", b.name,
			    b.low, b.high);
			r = -1;
		}
	}
	str_free(&name);
	str_free(&value);
	return r;
}

int
srvlimits_parse(const char *text, size_t n, struct srvlimits *l,
    struct str *why)
{
	struct srvlimits fresh = *l;
	size_t number = 0;

	while (n > 0) {
		size_t len = bytes_chr(text, n, '\n'), end = len;

		number++;
		while (end > 0 && (text[end - 1] == ' ' ||
		    text[end - 1] == '\t' || text[end - 1] == '\r'))
			end--;
		if (end > 0 && text[0] != '#') {
			str_clear(why);
			str_catf(why, "line %zu: ", number);
			if (parse_line(text, end, &fresh, why) < 0)
				return -1;
		}
		if (len == n)
			break;
		text += len + 1;
		n -= len + 1;
	}
	*l = fresh;
	str_clear(why);
	return 0;
}
