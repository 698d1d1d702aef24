/* mail/dotname.c - names of .qmail files; see dotname.h. */
#include "mail/dotname.h"

#include <errno.h>
#include <string.h>

static const char def[] = "default";

void
dotname_make(struct str *out, const char *dash, const char *ext, size_t n,
    const char *suffix)
{
	str_copys(out, ".qmail");
	str_cats(out, dash);
	for (size_t i = 0; i < n; i++)
		str_catc(out, ext[i] == '.' ? ':' : ascii_lower(ext[i]));
	str_cats(out, suffix);
}

bool
dotname_is_absent(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP ||
	    error == ENAMETOOLONG || error == ENXIO;
}

void
dotname_begin(struct dotname *d, const char *dash, const char *ext)
{
	str_clear(&d->name);
	d->dash = dash;
	d->ext = ext;
	d->next = strlen(ext);
	d->begun = d->over = d->have_matched = false;
}

bool
dotname_next(struct dotname *d)
{
	size_t n = d->next, ndef = sizeof def - 1;

	if (!d->begun) {
		d->begun = true;
		dotname_make(&d->name, d->dash, d->ext, n, "");
		if (n >= ndef && bytes_caseeq(d->ext + n - ndef, ndef, def,
		    ndef)) {
			d->have_matched = true;
			d->matched_at = n - ndef;
		}
		return true;
	}
	while (!d->over) {
		size_t i = d->next;

		d->over = i == 0;
		if (i > 0)
			d->next--;
		if (i == 0 || d->ext[i - 1] == '-') {
			dotname_make(&d->name, d->dash, d->ext, i, def);
			d->have_matched = true;
			d->matched_at = i;
			return true;
		}
	}
	return false;
}

void
dotname_free(struct dotname *d)
{
	str_free(&d->name);
	*d = (struct dotname){0};
}
