/* vpop/dirs.c - places for new directories; see dirs.h.
 *
 * The files belong to the domain's owner: a place read from them is looked at
 * before it becomes part of a path. */
#include "vpop/dirs.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "vpop/store_ops.h"
#include "vpop/vfile.h"

#include <errno.h>
#include <string.h>

#define LEVELS 3
#define LIST_LAST ((int)(sizeof VDIRS_LIST - 2))
#define FREE_FILE ".dir_control_free"
#define FREE_LOCK ".dir_control_free.lock"
#define FREE_MAX ((size_t)16 << 20)     /* bytes */

void
vdirs_init(struct vdirctl *c)
{
	str_free(&c->dir);
	*c = (struct vdirctl){.level_max = LEVELS};
	for (int i = 0; i < LEVELS; i++) {
		c->end[i] = LIST_LAST;
		c->mod[i] = 2 * i;      /* where a level's letter stands */
	}
}

static int
letter_at(const struct vdirctl *c, int level)
{
	size_t at = 2 * (size_t)level;
	const char *p = at < c->dir.len ? strchr(VDIRS_LIST, c->dir.s[at]) :
	    NULL;

	return p == NULL ? -1 : (int)(p - VDIRS_LIST);
}

static void
set_letter(struct vdirctl *c, int level, int letter)
{
	c->dir.s[2 * (size_t)level] = VDIRS_LIST[letter];
	c->index[level] = letter;
}

/* The directory after the present one: as an odometer counts, with a level
 * more when all letters have been. */
static void
advance(struct vdirctl *c)
{
	int level = c->level_cur;

	if (c->dir.len == 0) {
		str_catc(&c->dir, VDIRS_LIST[c->start[0]]);
		c->index[0] = c->start[0];
		return;
	}
	while (level >= 0 && letter_at(c, level) == c->end[level]) {
		set_letter(c, level, c->start[level]);
		level--;
	}
	if (level >= 0) {
		int letter = letter_at(c, level);

		set_letter(c, level, letter < c->start[level] ||
		    letter > c->end[level] ? c->start[level] : letter + 1);
	} else if (c->level_cur + 1 < c->level_max) {
		c->level_cur++;
		str_cats(&c->dir, "/0");
		set_letter(c, c->level_cur, c->start[c->level_cur]);
	}
}

void
vdirs_count(struct vdirctl *c)
{
	c->users++;
	if (c->users % VDIRS_PER_DIR == 0)
		advance(c);
}

void
vdirs_uncount(struct vdirctl *c)
{
	if (c->users > 0)
		c->users--;
}

/* 1 to 3 letters with '/' between: nothing else may become part of a path. */
static bool
is_place(const char *s, size_t n)
{
	if (n % 2 == 0 || n > 2 * LEVELS - 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (i % 2 == 1 ? s[i] != '/' :
		    s[i] == '\0' || strchr(VDIRS_LIST, s[i]) == NULL)
			return false;
	return true;
}

/* count numbers of one line, 0 to max each. */
static bool
take_ints(const char *s, size_t n, int *out, int count, int max)
{
	size_t at = 0;

	for (int i = 0; i < count; i++) {
		struct str word = {0};
		size_t len = bytes_chr(s + at, n - at, ' ');
		uint64_t v = 0;
		bool ok;

		str_copyb(&word, s + at, len);
		ok = word.len > 0 && scan_u64(word.s, &v) == word.len &&
		    v <= (uint64_t)max;
		str_free(&word);
		if (!ok)
			return false;
		out[i] = (int)v;
		at += len < n - at ? len + 1 : len;
	}
	return at == n;
}

static bool
take_users(const char *s, size_t n, uint64_t *out)
{
	struct str word = {0};
	bool ok;

	str_copyb(&word, s, n);
	ok = n > 0 && scan_u64(str_c(&word), out) == n;
	str_free(&word);
	/* older programs count down past zero */
	if (ok && *out > INT64_MAX)
		*out = 0;
	return ok;
}

static bool
is_sane(const struct vdirctl *c)
{
	if (c->level_max < 1 || c->level_cur >= c->level_max)
		return false;
	for (int i = 0; i < LEVELS; i++)
		if (c->start[i] > c->end[i])
			return false;
	if (c->dir.len == 0)
		return c->level_cur == 0;
	return is_place(c->dir.s, c->dir.len) &&
	    c->dir.len == 2 * (size_t)c->level_cur + 1;
}

int
vdirs_parse(const char *s, size_t n, struct vdirctl *out)
{
	struct { const char *s; size_t n; } line[8] = {{0}};
	bool ok;

	vdirs_init(out);
	for (size_t i = 0; i < 8; i++) {
		line[i].s = s;
		line[i].n = bytes_chr(s, n, '\n');
		s += line[i].n < n ? line[i].n + 1 : line[i].n;
		n -= line[i].n < n ? line[i].n + 1 : line[i].n;
	}
	ok = take_users(line[0].s, line[0].n, &out->users) &&
	    take_ints(line[1].s, line[1].n, &out->level_cur, 1, LEVELS - 1) &&
	    take_ints(line[2].s, line[2].n, &out->level_max, 1, LEVELS) &&
	    take_ints(line[3].s, line[3].n, out->start, LEVELS, LIST_LAST) &&
	    take_ints(line[4].s, line[4].n, out->end, LEVELS, LIST_LAST) &&
	    take_ints(line[5].s, line[5].n, out->mod, LEVELS, 1000) &&
	    /* one more than the last letter is found after a level's end */
	    take_ints(line[6].s, line[6].n, out->index, LEVELS,
	    LIST_LAST + 1);
	if (ok) {
		str_copyb(&out->dir, line[7].s, line[7].n);
		ok = is_sane(out);
	}
	if (!ok)
		vdirs_init(out);
	return ok ? 0 : -1;
}

static void
cat_three(struct str *out, const int v[LEVELS])
{
	str_catf(out, "%d %d %d\n", v[0], v[1], v[2]);
}

void
vdirs_cat(struct str *out, const struct vdirctl *c)
{
	str_catf(out, "%llu\n%d\n%d\n", (unsigned long long)c->users,
	    c->level_cur, c->level_max);
	cat_three(out, c->start);
	cat_three(out, c->end);
	cat_three(out, c->mod);
	cat_three(out, c->index);
	str_catf(out, "%s\n", str_c(&c->dir));
}

static enum vstore_status
fail(struct vdirs *d, const char *what)
{
	return vstore_fail(d->store, VSTORE_TEMP, "unable to %s in %s: %s",
	    what, str_c(&d->dir), errno == EAGAIN ?
	    "another program holds the lock" : strerror(errno));
}

static int
read_free(struct vdirs *d)
{
	struct str path = {0};
	int e, r;

	str_catf(&path, "%s/" FREE_FILE, str_c(&d->dir));
	r = fs_read(str_c(&path), &d->free, FREE_MAX);
	e = errno;
	str_free(&path);
	errno = e;
	return r < 0 && e == ENOENT ? 0 : r;
}

static void
drop(struct vdirs *d)
{
	if (d->lock >= 0)
		fd_close(d->lock);
	str_free(&d->key);
	str_free(&d->dir);
	str_free(&d->ctl.dir);
	str_free(&d->free);
	*d = (struct vdirs){.lock = -1};
}

enum vstore_status
vdirs_begin(struct vdirs *d, struct vstore *s, const char *key,
    const char *dir)
{
	enum vstore_status st = VSTORE_OK;
	struct vfile_as as;

	*d = (struct vdirs){.store = s, .lock = -1};
	str_copys(&d->key, key);
	str_copys(&d->dir, dir);
	if (vfile_as_owner(&as, dir) < 0) {
		st = fail(d, "work");
	} else {
		d->lock = vfile_lock(dir, FREE_LOCK, s->lock_ms);
		if (d->lock < 0)
			st = fail(d, "lock " FREE_LOCK);
		else if (read_free(d) < 0)
			st = fail(d, "read " FREE_FILE);
		vfile_as_end(&as);
	}
	if (st == VSTORE_OK) {
		st = vstore_dirctl_get(s, key, dir, &d->ctl);
		if (st == VSTORE_NONE) {
			vdirs_init(&d->ctl);
			st = VSTORE_OK;
		}
	}
	if (st != VSTORE_OK)
		drop(d);
	return st;
}

/* Removes the n bytes at from. */
static void
cut(struct str *text, size_t from, size_t n)
{
	memmove(text->s + from, text->s + from + n, text->len - from - n);
	str_trunc(text, text->len - n);
}

/* The first free place, if there is one.  Lines that name none stay. */
static bool
take_free(struct vdirs *d, struct str *out)
{
	size_t at = 0;

	while (at < d->free.len) {
		const char *s = d->free.s + at;
		size_t left = d->free.len - at;
		size_t whole = bytes_chr(s, left, '\n'), len, skip = 0;

		len = bytes_chr(s, whole, '#');
		whole += whole < left;
		while (skip < len && (s[skip] == ' ' || s[skip] == '\t'))
			skip++;
		while (len > skip && (s[len - 1] == ' ' ||
		    s[len - 1] == '\t' || s[len - 1] == '/'))
			len--;
		if (is_place(s + skip, len - skip)) {
			str_copyb(out, s + skip, len - skip);
			cut(&d->free, at, whole);
			d->free_changed = true;
			return true;
		}
		at += whole;
	}
	return false;
}

void
vdirs_take(struct vdirs *d, struct str *sub_out)
{
	d->changed = true;
	if (take_free(d, sub_out)) {
		d->ctl.users++;
		return;
	}
	vdirs_count(&d->ctl);
	str_copy(sub_out, &d->ctl.dir);
}

void
vdirs_give(struct vdirs *d, const char *path)
{
	size_t n = d->dir.len, last;

	d->changed = true;
	vdirs_uncount(&d->ctl);
	if (strncmp(path, str_c(&d->dir), n) != 0 || path[n] != '/')
		return;
	path += n + 1;
	last = bytes_rchr(path, strlen(path), '/');
	if (!is_place(path, path[last] == '/' ? last : 0))
		return;
	if (d->free.len > 0 && d->free.s[d->free.len - 1] != '\n')
		str_catc(&d->free, '\n');
	str_catb(&d->free, path, last);
	str_catc(&d->free, '\n');
	d->free_changed = true;
}

/* The free places first: when the machine stops between the two, a place is
 * forgotten, and never given twice. */
enum vstore_status
vdirs_end(struct vdirs *d, bool keep)
{
	enum vstore_status st = VSTORE_OK;
	struct vfile_as as;

	if (keep && d->free_changed) {
		if (vfile_as_owner(&as, str_c(&d->dir)) < 0) {
			st = fail(d, "work");
		} else {
			if (vfile_replace(str_c(&d->dir), FREE_FILE,
			    str_c(&d->free), d->free.len, 0600) < 0)
				st = fail(d, "write " FREE_FILE);
			vfile_as_end(&as);
		}
	}
	if (keep && d->changed && st == VSTORE_OK)
		st = vstore_dirctl_set(d->store, str_c(&d->key),
		    str_c(&d->dir), &d->ctl);
	drop(d);
	return st;
}
