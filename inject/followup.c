/* inject/followup.c - see followup.h. */
#include "inject/followup.h"

#include "lib/fs.h"
#include "lib/map.h"
#include "mail/quote.h"

#include <errno.h>
#include <string.h>

/* In the maps below only presence counts; the values say nothing. */

static void
read_names(struct map *names, const struct str *text)
{
	const char *s = str_c(text);
	size_t left = text->len;
	struct str line = {0};

	while (left > 0) {
		size_t n = bytes_chr(s, left, '\n');

		str_copyb(&line, s, n);
		str_rstrip(&line);
		if (line.len > 0 && line.s[0] != '#')
			map_set(names, line.s, line.len, names);
		n = n < left ? n + 1 : n;
		s += n;
		left -= n;
	}
	str_free(&line);
}

/* All of tocc, each once, folded. */
static void
cat_all(struct str *out, const struct inject_addrs *tocc)
{
	const char *name = header_name(HEADER_MAIL_FOLLOWUP_TO);
	struct map done = {.nocase = true};
	const char *s = str_c(&tocc->text);
	struct str one = {0};
	size_t i, len, column = strlen(name) + 2;
	bool first = true;

	str_cats(out, name);
	str_cats(out, ": ");
	for (i = 0; i < tocc->n; i++, s += len + 1) {
		len = strlen(s);
		if (map_get(&done, s, len) != NULL)
			continue;
		map_set(&done, s, len, out);
		str_clear(&one);
		quote_cat_addr(&one, s, len);
		if (!first && column + 2 + one.len > ADDR_FOLD) {
			str_cats(out, ",\n  ");
			column = 2;
		} else if (!first) {
			str_cats(out, ", ");
			column += 2;
		}
		str_cat(out, &one);
		column += one.len;
		first = false;
	}
	str_catc(out, '\n');
	str_free(&one);
	map_free(&done);
}

int
followup_add(struct str *out, const struct inject_addrs *tocc,
    const char *file)
{
	struct map names = {.nocase = true};
	struct str text = {0};
	const char *s = str_c(&tocc->text);
	size_t i;

	if (fs_read(file, &text, CONTROL_MAX) == -1 && errno != ENOENT) {
		str_free(&text);
		return -1;
	}
	read_names(&names, &text);
	for (i = 0; i < tocc->n; i++, s += strlen(s) + 1) {
		if (map_get(&names, s, strlen(s)) != NULL) {
			cat_all(out, tocc);
			break;
		}
	}
	map_free(&names);
	str_free(&text);
	return 0;
}
