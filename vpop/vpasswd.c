/* vpop/vpasswd.c - the text of vpasswd; see vpasswd.h.
 *
 * The file is the domain owner's, edited by hand and by older programs: any
 * bytes may be in it.  A deleted line has s NULL until the next sort. */
#include "vpop/vpasswd.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS 7                /* without the clear password */

struct field { const char *s; size_t n; };

/* The fields after the name; how many there are (the eighth has the rest of
 * the line, colons and all). */
static size_t
split(const char *s, size_t n, struct field out[FIELDS])
{
	size_t count = 0;

	for (;;) {
		size_t len = count + 1 < FIELDS ? bytes_chr(s, n, ':') : n;

		out[count++] = (struct field){s, len};
		if (len == n)
			return count;
		s += len + 1;
		n -= len + 1;
	}
}

static bool
take_number(const struct field *f, uint64_t max, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < f->n; i++) {
		if (f->s[i] < '0' || f->s[i] > '9')
			return false;
		*out = *out * 10 + (uint64_t)(f->s[i] - '0');
		if (*out > max)
			return false;
	}
	return true;            /* nothing at all is 0 */
}

int
vpasswd_parse(const char *name, const char *s, size_t n, struct vuser *out)
{
	struct field f[FIELDS] = {{0}};
	uint64_t uid, gid;
	size_t count;

	vuser_free(out);
	if (memchr(s, '\0', n) != NULL || memchr(s, '\n', n) != NULL)
		return -1;
	if (name == NULL) {
		size_t len = bytes_chr(s, n, ':');

		if (len == 0 || len == n)
			return -1;
		str_catb(&out->name, s, len);
		s += len + 1;
		n -= len + 1;
	} else {
		str_cats(&out->name, name);
	}
	count = split(s, n, f);
	if (count < FIELDS - 1 || !take_number(&f[1], UINT32_MAX, &uid) ||
	    !take_number(&f[2], UINT32_MAX, &gid)) {
		vuser_free(out);
		return -1;
	}
	str_catb(&out->hash, f[0].s, f[0].n);
	out->apop = uid == 2;
	out->flags = (uint32_t)gid;
	str_catb(&out->gecos, f[3].s, f[3].n);
	str_catb(&out->dir, f[4].s, f[4].n);
	str_catb(&out->quota, f[5].s, f[5].n);
	if (count == FIELDS)
		str_catb(&out->clear, f[6].s, f[6].n);
	return 0;
}

const char *
vpasswd_misfit(const struct vuser *u)
{
	const struct { const char *what; const struct str *value; } all[] = {
		{"user name", &u->name}, {"password hash", &u->hash},
		{"comment", &u->gecos}, {"directory", &u->dir},
		{"quota", &u->quota},
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strchr(str_c(all[i].value), ':') != NULL)
			return all[i].what;
	return NULL;
}

void
vpasswd_cat(struct str *out, const struct vuser *u, const char *old, size_t n,
    bool eight)
{
	struct field f[FIELDS] = {{0}};
	uint64_t uid = u->apop == 0 ? 1 : 2, gid = u->flags, v;
	size_t name = old == NULL ? 0 : bytes_chr(old, n, ':'), count = 0;

	if (old != NULL && name < n)
		count = split(old + name + 1, n - name - 1, f);
	str_cat(out, &u->name);
	str_catc(out, ':');
	str_cat(out, &u->hash);
	str_catc(out, ':');
	if (count > 1 && take_number(&f[1], UINT32_MAX, &v) &&
	    (v == 2) == (uid == 2))
		str_catb(out, f[1].s, f[1].n);
	else
		str_catu(out, uid);
	str_catc(out, ':');
	if (count > 2 && take_number(&f[2], UINT32_MAX, &v) && v == gid)
		str_catb(out, f[2].s, f[2].n);
	else
		str_catu(out, gid);
	str_catc(out, ':');
	str_cat(out, &u->gecos);
	str_catc(out, ':');
	str_cat(out, &u->dir);
	str_catc(out, ':');
	str_cat(out, &u->quota);
	if (u->clear.len > 0 || eight || count == FIELDS) {
		str_catc(out, ':');
		str_cat(out, &u->clear);
	}
}

size_t
vpasswd_name(const struct vpasswd_line *l)
{
	return bytes_chr(l->s, l->n, ':');
}

static bool
is_ours(const struct vpasswd *v, const char *s)
{
	uintptr_t at = (uintptr_t)s, text = (uintptr_t)v->text.s;

	return v->text.len == 0 || at < text || at > text + v->text.len;
}

/* free() wants what malloc gave, without const. */
static void
line_free(const struct vpasswd *v, struct vpasswd_line *l)
{
	if (l->s != NULL && is_ours(v, l->s)) {
		explicit_bzero((void *)(uintptr_t)l->s, l->n);
		free((void *)(uintptr_t)l->s);
	}
	l->s = NULL;
	l->n = 0;
}

static void
append(struct vpasswd *v, const char *s, size_t n)
{
	if (v->n == v->cap) {
		v->cap = v->cap == 0 ? 256 : 2 * v->cap;
		v->line = mem_resize(v->line, v->cap, sizeof *v->line);
	}
	v->line[v->n++] = (struct vpasswd_line){s, n};
}

void
vpasswd_load_take(struct vpasswd *v, struct str *text)
{
	const char *s;
	size_t left;

	*v = (struct vpasswd){.text = *text};
	*text = (struct str){0};
	s = str_c(&v->text);
	for (left = v->text.len; left > 0; ) {
		size_t n = bytes_chr(s, left, '\n');

		append(v, s, n);
		n += n < left;
		s += n;
		left -= n;
	}
}

/* The first of each name: later ones do not replace it. */
void
vpasswd_index(struct vpasswd *v)
{
	map_free(&v->by_name);
	v->by_name = (struct map){0};
	for (size_t i = 0; i < v->n; i++) {
		size_t name;

		if (v->line[i].s == NULL)
			continue;
		name = vpasswd_name(&v->line[i]);
		if (name == v->line[i].n)
			continue;
		if (map_get(&v->by_name, v->line[i].s, name) != NULL)
			v->twice = true;
		else
			map_set(&v->by_name, v->line[i].s, name,
			    (void *)(uintptr_t)(i + 1));
	}
	v->indexed = true;
}

static bool
is_named(const struct vpasswd_line *l, const char *name, size_t n)
{
	return l->s != NULL && l->n > n && l->s[n] == ':' &&
	    memcmp(l->s, name, n) == 0;
}

static struct vpasswd_line *
find(struct vpasswd *v, const char *name)
{
	size_t n = strlen(name);

	if (v->indexed) {
		uintptr_t i = (uintptr_t)map_get(&v->by_name, name, n);

		return i == 0 ? NULL : &v->line[i - 1];
	}
	for (size_t i = 0; i < v->n; i++)
		if (is_named(&v->line[i], name, n))
			return &v->line[i];
	return NULL;
}

const struct vpasswd_line *
vpasswd_find(struct vpasswd *v, const char *name)
{
	return find(v, name);
}

/* A file's lines have eight fields when its first account has. */
static bool
has_eight(const struct vpasswd *v)
{
	for (size_t i = 0; i < v->n; i++) {
		struct field f[FIELDS] = {{0}};
		size_t name;

		if (v->line[i].s == NULL)
			continue;
		name = vpasswd_name(&v->line[i]);
		if (name < v->line[i].n)
			return split(v->line[i].s + name + 1,
			    v->line[i].n - name - 1, f) == FIELDS;
	}
	return false;
}

void
vpasswd_add(struct vpasswd *v, const struct vuser *u)
{
	struct str out = {0};

	vpasswd_cat(&out, u, NULL, 0, has_eight(v));
	append(v, out.s, out.len);      /* its memory is the line's now */
	if (v->indexed)
		map_set(&v->by_name, str_c(&u->name), u->name.len,
		    (void *)(uintptr_t)v->n);
	v->changed = true;
}

void
vpasswd_set(struct vpasswd *v, const struct vuser *u)
{
	struct vpasswd_line *l = find(v, str_c(&u->name));
	struct str out = {0};

	if (l == NULL)
		return;
	vpasswd_cat(&out, u, l->s, l->n, false);
	if (out.len == l->n && memcmp(out.s, l->s, l->n) == 0) {
		explicit_bzero(out.s, out.len);
		str_free(&out);
		return;
	}
	line_free(v, l);
	*l = (struct vpasswd_line){out.s, out.len};
	v->changed = true;
}

/* All of that name, or the next one would be there instead. */
void
vpasswd_del(struct vpasswd *v, const char *name)
{
	struct vpasswd_line *l = find(v, name);
	size_t n = strlen(name);

	if (v->indexed) {
		map_del(&v->by_name, name, n);
		if (l != NULL && !v->twice) {
			line_free(v, l);
			v->changed = true;
			return;
		}
	}
	for (size_t i = 0; i < v->n; i++)
		if (is_named(&v->line[i], name, n)) {
			line_free(v, &v->line[i]);
			v->changed = true;
		}
}

/* Names as bytes; the lines of one name and those without a colon by where
 * they stand: the array is sorted by merging, which keeps that. */
static int
compare(const struct vpasswd_line *a, const struct vpasswd_line *b)
{
	size_t na = vpasswd_name(a), nb = vpasswd_name(b);
	int r = memcmp(a->s, b->s, na < nb ? na : nb);

	return r != 0 ? r : (na > nb) - (na < nb);
}

static void
merge(struct vpasswd_line *to, const struct vpasswd_line *a, size_t na,
    const struct vpasswd_line *b, size_t nb)
{
	while (na > 0 || nb > 0) {
		if (nb == 0 || (na > 0 && compare(a, b) <= 0)) {
			*to++ = *a++;
			na--;
		} else {
			*to++ = *b++;
			nb--;
		}
	}
}

void
vpasswd_sort(struct vpasswd *v)
{
	struct vpasswd_line *to, *from, *other;
	size_t n = 0;
	bool sorted = true;

	for (size_t i = 0; i < v->n; i++)
		if (v->line[i].s != NULL)
			v->line[n++] = v->line[i];
	v->n = n;
	for (size_t i = 1; i < n && sorted; i++)
		sorted = compare(&v->line[i - 1], &v->line[i]) <= 0;
	if (!sorted) {
		from = v->line;
		to = other = mem_alloc(n, sizeof *other);
		for (size_t run = 1; run < n; run *= 2) {
			struct vpasswd_line *t = from;

			for (size_t i = 0; i < n; i += 2 * run) {
				size_t mid = i + run < n ? i + run : n;
				size_t end = mid + run < n ? mid + run : n;

				merge(to + i, from + i, mid - i, from + mid,
				    end - mid);
			}
			from = to;
			to = t;
		}
		if (from != v->line)
			memcpy(v->line, from, n * sizeof *from);
		free(other);
	}
	if (v->indexed)
		vpasswd_index(v);
}

void
vpasswd_free(struct vpasswd *v)
{
	for (size_t i = 0; i < v->n; i++)
		line_free(v, &v->line[i]);
	free(v->line);
	map_free(&v->by_name);
	if (v->text.len > 0)
		explicit_bzero(v->text.s, v->text.len);
	str_free(&v->text);
	*v = (struct vpasswd){0};
}
