/* local/environ.c - the environment of delivery programs; see environ.h.
 *
 * Everything put here may have been chosen by a stranger; the names are ours,
 * the values are strings without NUL and, but for the three lines, as the
 * envelope has them. */
#include "local/environ.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const ours[] = {"HOST", "HOST2", "HOST3", "HOST4", "HOME",
    "USER", "LOCAL", "RECIPIENT", "SENDER", "NEWSENDER", "EXT", "EXT2",
    "EXT3", "EXT4", "DEFAULT", "DTLINE", "RPLINE", "UFLINE"};

static void
put(struct str *out, const char *name, const char *value, size_t n)
{
	if (n >= 4 && memcmp(value, "() {", 4) == 0)
		return;
	str_cats(out, name);
	str_catc(out, '=');
	str_catb(out, value, n);
	str_catc(out, '\0');
}

static void
puts_(struct str *out, const char *name, const char *value)
{
	put(out, name, value, strlen(value));
}

static bool
is_ours(const char *entry)
{
	size_t n = strcspn(entry, "=");

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (strlen(ours[i]) == n && memcmp(entry, ours[i], n) == 0)
			return true;
	return false;
}

/* EXT2 is what follows the first "-" of EXT, and so on; HOST2 is what stands
 * before the last "." of HOST, or HOST where there is none. */
static void
put_parts(struct str *out, const struct delivery *d)
{
	static const char *const exts[] = {"EXT", "EXT2", "EXT3", "EXT4"};
	static const char *const hosts[] = {"HOST", "HOST2", "HOST3",
	    "HOST4"};
	const char *ext = d->ext;
	size_t n = strlen(d->host);

	for (int i = 0; i < 4; i++) {
		puts_(out, exts[i], ext);
		ext += strcspn(ext, "-");
		if (*ext == '-')
			ext++;
		put(out, hosts[i], d->host, n);
		n = bytes_rchr(d->host, n, '.');
	}
}

void
environ_make(struct environ *e, const struct delivery *d)
{
	struct str rcpt = {0};
	size_t at = 0, i = 0;

	for (char **p = environ; p != NULL && *p != NULL; p++)
		if (!is_ours(*p))
			str_catb(&e->text, *p, strlen(*p) + 1);
	put_parts(&e->text, d);
	puts_(&e->text, "HOME", d->home);
	puts_(&e->text, "USER", d->user);
	puts_(&e->text, "LOCAL", d->local);
	str_catf(&rcpt, "%s@%s", d->local, d->host);
	puts_(&e->text, "RECIPIENT", str_c(&rcpt));
	puts_(&e->text, "SENDER", d->sender);
	puts_(&e->text, "NEWSENDER", str_c(&d->newsender));
	if (d->have_matched)
		puts_(&e->text, "DEFAULT", str_c(&d->matched));
	puts_(&e->text, "DTLINE", str_c(&d->dtline));
	puts_(&e->text, "RPLINE", str_c(&d->rpline));
	puts_(&e->text, "UFLINE", str_c(&d->ufline));
	str_free(&rcpt);

	for (size_t k = 0; k < e->text.len; k++)
		e->n += e->text.s[k] == '\0';
	e->vec = mem_alloc(e->n + 1, sizeof *e->vec);
	while (at < e->text.len) {
		e->vec[i++] = e->text.s + at;
		at += strlen(e->text.s + at) + 1;
	}
}

const char *const *
environ_vec(const struct environ *e)
{
	return e->vec;
}

void
environ_free(struct environ *e)
{
	str_free(&e->text);
	free(e->vec);
	*e = (struct environ){0};
}
