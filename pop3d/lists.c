/* pop3d/lists.c - lists of identifiers and sizes; see lists.h.
 *
 * Lines are looked at one by one in a buffer with a NUL at its end, so that
 * no scan can leave its line. */
#include "pop3d/lists.h"

#include "lib/hash.h"

#include <string.h>

/* Up to the next LF or the end, copied: -1 at the end of all, 1 when it is
 * too long or has a NUL inside, else 0. */
static int
next_line(const char *s, size_t n, size_t *at, char line[LISTS_LINE + 1])
{
	size_t len;

	if (*at >= n)
		return -1;
	len = bytes_chr(s + *at, n - *at, '\n');
	if (len <= LISTS_LINE)
		memcpy(line, s + *at, len);
	line[len <= LISTS_LINE ? len : 0] = '\0';
	*at += len + 1;
	return strlen(line) == len ? 0 : 1;
}

/* A number and the byte after it: what follows, or NULL. */
static const char *
number(const char *p, char after, uint64_t *out)
{
	size_t n = scan_u64(p, out);

	if (n == 0 || p[n] != after)
		return NULL;
	return after != '\0' ? p + n + 1 : p + n;
}

/* Courier's. */

/* Version 0: the base name itself, escaped. */
static void
name_uidl(const char *name, size_t n, struct str *out)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c < 0x21 || c > 0x7e || strchr("'\"+", c) != NULL)
			str_catf(out, "+%02X", c);
		else
			str_catc(out, name[i]);
	}
}

/* "N:UIDV:UTF8", as much of it as the version has. */
static bool
courier_uidl(const char *p, const char *name, size_t n, struct str *out)
{
	uint64_t uid, uidv = 0;
	size_t used = scan_u64(p, &uid);

	str_clear(out);
	if (used == 0)
		return false;
	p += used;
	if (*p == ':' && (used = scan_u64(p + 1, &uidv)) == 0)
		return false;
	if (*p == ':')
		p += 1 + used;
	if (*p != '\0' && *p != ':')
		return false;
	if (uid == 0) {
		name_uidl(name, n, out);
	} else {
		str_cats(out, "UID");
		str_catu(out, uid);
		if (uidv != 0) {
			str_catc(out, '-');
			str_catu(out, uidv);
		}
	}
	return true;
}

int
lists_courier(const char *s, size_t n, lists_entry entry, void *arg)
{
	char line[LISTS_LINE + 1];
	struct str uidl = {0};
	uint64_t version;
	size_t at = 0;
	int r;

	if (next_line(s, n, &at, line) != 0 || line[0] != '/' ||
	    number(line + 1, ' ', &version) == NULL || version < 1 ||
	    version > 3)
		return -1;
	while ((r = next_line(s, n, &at, line)) >= 0) {
		/* A name may have spaces. */
		char *last = strrchr(line, ' '), *size;
		uint64_t wire;
		size_t base;

		if (r > 0 || last == NULL)
			continue;
		*last = '\0';
		size = strrchr(line, ' ');
		if (size == NULL || number(size + 1, '\0', &wire) == NULL)
			continue;
		*size = '\0';
		base = strcspn(line, ":");
		if (base > 0 && courier_uidl(last + 1, line, base, &uidl))
			entry(arg, line, base, str_c(&uidl), wire);
	}
	str_free(&uidl);
	return 0;
}

/* Dovecot's. */

struct fields {
	uint64_t uid, uidv;
	const char *base, *guid;        /* guid NULL: the base name */
	size_t nbase;
};

/* One "%..." of a format, after its '%': what follows, NULL if it is none.
 * With fields it is appended to out. */
static const char *
expand(const char *p, const struct fields *f, struct str *out)
{
	bool zeros = *p == '0', hex = false, lower = false, upper = false;
	uint64_t width = 0;
	struct str v = {0};

	if (*p == '%') {
		str_catc(out, '%');
		return p + 1;
	}
	p += scan_u64(p, &width);
	if (width > LISTS_LINE)
		return NULL;
	hex = *p == 'X';
	p += hex;
	lower = *p == 'L';
	upper = *p == 'U';
	p += lower || upper;
	if (*p == '\0' || strchr(hex ? "uv" : "uvfg", *p) == NULL)
		return NULL;
	if (f == NULL)
		return p + 1;
	if (*p == 'u' || *p == 'v') {
		uint64_t u = *p == 'u' ? f->uid : f->uidv;

		if (hex)
			str_catx(&v, u, 1);
		else
			str_catu(&v, u);
	} else if (*p == 'g' && f->guid != NULL) {
		str_cats(&v, f->guid);
	} else {
		str_catb(&v, f->base, f->nbase);
	}
	if (lower)
		str_lower(&v);
	for (size_t i = 0; upper && i < v.len; i++)
		if (v.s[i] >= 'a' && v.s[i] <= 'z')
			v.s[i] = (char)(v.s[i] - 'a' + 'A');
	/* A width with a zero fills, without one it cuts. */
	for (size_t i = v.len; zeros && i < width; i++)
		str_catc(out, '0');
	if (!zeros && width > 0 && v.len > width)
		str_trunc(&v, width);
	str_cat(out, &v);
	str_free(&v);
	return p + 1;
}

bool
lists_format_ok(const char *format)
{
	struct str none = {0};
	bool tells = false;

	while (format != NULL && *format != '\0') {
		bool percent = *format++ == '%';

		if (!percent)
			continue;
		format = expand(format, NULL, &none);
		/* The validity alone is the same for all. */
		if (format != NULL && strchr("ufg", format[-1]) != NULL)
			tells = true;
	}
	str_free(&none);
	return format != NULL && tells;
}

static void
format_uidl(const char *p, const struct fields *f, struct str *out)
{
	str_clear(out);
	while (p != NULL && *p != '\0')
		if (*p++ == '%')
			p = expand(p, f, out);
		else
			str_catc(out, p[-1]);
}

/* "3 V1700000000 N5 G..." or "1 1700000000 5". */
static int
dovecot_header(const char *line, uint64_t *version, uint64_t *uidv)
{
	const char *p = number(line, ' ', version);

	if (p == NULL)
		return -1;
	if (*version == 1)
		return number(p, ' ', uidv) == NULL ? -1 : 0;
	if (*version != 3)
		return -1;
	while (*p != 'V') {
		p = strchr(p, ' ');
		if (p == NULL)
			return -1;
		p++;
	}
	return scan_u64(p + 1, uidv) == 0 ? -1 : 0;
}

/* "1 W9 S8 G... P... O1 :NAME": ends each field with a NUL. */
static int
dovecot_line(char *line, uint64_t version, struct fields *f,
    const char **uidl, uint64_t *wire)
{
	char *p = strchr(line, ' ');

	*uidl = NULL;
	*wire = UINT64_MAX;
	f->guid = NULL;
	if (p == NULL || number(line, ' ', &f->uid) == NULL)
		return -1;
	for (p++; version == 3 && *p != ':'; p++) {
		char *field = p;

		p = strchr(p, ' ');
		if (p == NULL)
			return -1;
		*p = '\0';
		if (*field == 'W' && number(field + 1, '\0', wire) == NULL)
			*wire = UINT64_MAX;
		else if (*field == 'P')
			*uidl = field + 1;
		else if (*field == 'G')
			f->guid = field + 1;
	}
	f->base = p + (version == 3);
	f->nbase = strcspn(f->base, ":");
	return f->nbase > 0 ? 0 : -1;
}

int
lists_dovecot(const char *s, size_t n, const char *format, lists_entry entry,
    void *arg)
{
	char line[LISTS_LINE + 1];
	struct str out = {0};
	struct fields f = {0};
	uint64_t version, wire;
	const char *given;
	size_t at = 0;
	int r;

	if (!lists_format_ok(format) || next_line(s, n, &at, line) != 0 ||
	    dovecot_header(line, &version, &f.uidv) < 0)
		return -1;
	while ((r = next_line(s, n, &at, line)) >= 0) {
		if (r > 0 || dovecot_line(line, version, &f, &given,
		    &wire) < 0)
			continue;
		/* What it was given goes before what is made, and an empty
		 * one stands for the base name. */
		if (given == NULL)
			format_uidl(format, &f, &out);
		else if (*given == '\0')
			str_copyb(&out, f.base, f.nbase);
		else
			str_copys(&out, given);
		entry(arg, f.base, f.nbase, str_c(&out), wire);
	}
	str_free(&out);
	return 0;
}

/* Ours. */

static const char *const own_name[] = {
	[LISTS_UIDL] = "pop3d.uidl",
	[LISTS_SIZES] = "pop3d.sizes",
};

static void
cat_head(struct str *out, enum lists_kind kind, uint64_t count,
    const char *lines, size_t n)
{
	struct hash h;

	hash_init(&h, 0, 0);
	hash_add(&h, lines, n);
	str_cats(out, own_name[kind]);
	str_cats(out, " 1 ");
	str_catu(out, count);
	str_catc(out, ' ');
	str_catx(out, hash_end(&h), 16);
	str_catc(out, '\n');
}

static uint64_t
count_lines(const char *s, size_t n)
{
	uint64_t count = 0;

	for (size_t at = 0; at < n; count++)
		at += bytes_chr(s + at, n - at, '\n') + 1;
	return count;
}

int
lists_own(enum lists_kind kind, const char *s, size_t n, lists_entry entry,
    void *arg)
{
	struct str head = {0};
	size_t at = bytes_chr(s, n, '\n');
	char line[LISTS_LINE + 1];
	int r;

	if (at == n)
		return -1;
	at++;
	/* It is as it was written if it would be written so. */
	cat_head(&head, kind, count_lines(s + at, n - at), s + at, n - at);
	r = head.len == at && memcmp(s, str_c(&head), at) == 0 ? 0 : -1;
	str_free(&head);
	if (r < 0)
		return -1;
	while ((r = next_line(s, n, &at, line)) >= 0) {
		char *name = strchr(line, ' ');
		uint64_t wire = UINT64_MAX;

		if (r > 0 || name == NULL || name[1] == '\0')
			continue;
		*name++ = '\0';
		if (kind == LISTS_UIDL)
			entry(arg, name, strlen(name), line, wire);
		else if (number(line, '\0', &wire) != NULL)
			entry(arg, name, strlen(name), "", wire);
	}
	return 0;
}

void
lists_own_add(enum lists_kind kind, struct str *lines, const char *name,
    size_t n, const char *uidl, uint64_t wire)
{
	if (memchr(name, '\n', n) != NULL)
		return;
	if (kind == LISTS_UIDL)
		str_cats(lines, uidl);
	else
		str_catu(lines, wire);
	str_catc(lines, ' ');
	str_catb(lines, name, n);
	str_catc(lines, '\n');
}

/* In place: a list may be as large as all else that a session has. */
void
lists_own_seal(enum lists_kind kind, struct str *lines)
{
	struct str head = {0};
	size_t n = lines->len;

	cat_head(&head, kind, count_lines(str_c(lines), n), str_c(lines), n);
	str_reserve(lines, head.len);
	memmove(lines->s + head.len, lines->s, n + 1);
	memcpy(lines->s, head.s, head.len);
	lines->len += head.len;
	str_free(&head);
}
