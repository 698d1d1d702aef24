/* pop3d/box_order.c - from the names of a scan to messages in their order, and
 * back from a name to its message; see box_private.h.
 *
 * A hundred thousand messages are to cost little more than the reading of
 * their directory: one pass over the names, a radix sort of 64-bit keys, and
 * no memory for a message by itself.  Two entries of one base name have one
 * key, so they come to lie side by side. */
#include "pop3d/box_private.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DIGIT 11                        /* bits; a table of 16 KB */
#define DIGITS 6                        /* of 64 bits */
#define FEW 48                          /* below that inserting is faster */
#define AHEAD 8                         /* names are asked of memory */

struct pair {
	uint64_t key;
	uint32_t i;
};

static void
sort_few(struct pair *p, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct pair x = p[i];
		size_t j = i;

		for (; j > 0 && p[j - 1].key > x.key; j--)
			p[j] = p[j - 1];
		p[j] = x;
	}
}

/* Stable.  Digits in which all keys agree cost nothing but the counting. */
static void
sort_pairs(struct pair *p, size_t n)
{
	static_assert(DIGIT * DIGITS >= 64, "all bits");
	uint32_t (*count)[1 << DIGIT];
	struct pair *from = p, *to, *spare;

	if (n < FEW) {
		sort_few(p, n);
		return;
	}
	count = mem_alloc(DIGITS, sizeof *count);
	to = spare = mem_alloc(n, sizeof *p);
	for (size_t i = 0; i < n; i++)
		for (unsigned d = 0; d < DIGITS; d++)
			count[d][p[i].key >> d * DIGIT & ((1 << DIGIT) - 1)]++;
	for (unsigned d = 0; d < DIGITS; d++) {
		uint32_t *c = count[d], sum = 0;
		struct pair *swap = from;

		if (c[from[0].key >> d * DIGIT & ((1 << DIGIT) - 1)] == n)
			continue;
		for (size_t v = 0; v < 1 << DIGIT; v++) {
			uint32_t here = c[v];

			c[v] = sum;
			sum += here;
		}
		for (size_t i = 0; i < n; i++)
			to[c[from[i].key >> d * DIGIT &
			    ((1 << DIGIT) - 1)]++] = from[i];
		from = to;
		to = swap;
	}
	if (from != p)
		memcpy(p, from, n * sizeof *p);
	free(spare);
	free(count);
}

static int
compare_base(const struct box *b, const struct message *x, const char *base,
    size_t n)
{
	size_t least = x->base < n ? x->base : n;
	int c = memcmp(b->pool.s + x->at, base, least);

	return c != 0 ? c : (x->base > n) - (x->base < n);
}

/* By base name; of one name the later last. */
static int
compare_names(const void *pa, const void *pb, void *arg)
{
	const uint32_t *a = pa, *c = pb;
	const struct box *b = arg;
	const struct message *y = &b->m[*c];
	int r = compare_base(b, &b->m[*a], b->pool.s + y->at, y->base);

	return r != 0 ? r : (*a > *c) - (*a < *c);
}

/* The files' times of those whose names tell none: one entry a base name. */
static void
set_untimed_keys(struct box *b)
{
	uint32_t *u = b->untimed;

	if (b->n_untimed == 0)
		return;
	qsort_r(u, b->n_untimed, sizeof *u, compare_names, b);
	for (size_t k = 0; k < b->n_untimed; k++) {
		struct message *x = &b->m[u[k]];
		char path[MDSCAN_NAME + 5];
		struct stat st;

		(void)stpcpy(stpcpy(path, x->is_new ? "new/" : "cur/"),
		    b->pool.s + x->at);
		x->key = 0;
		if (fstatat(b->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtim.tv_sec >= 0)
			x->key = (uint64_t)st.st_mtim.tv_sec * 1000000 +
			    (uint64_t)st.st_mtim.tv_nsec / 1000;
	}
	/* All entries of one name have the time of the last. */
	for (size_t k = b->n_untimed - 1; k-- > 0;) {
		struct message *x = &b->m[u[k]], *next = &b->m[u[k + 1]];

		if (compare_base(b, x, b->pool.s + next->at, next->base) == 0)
			x->key = next->key;
	}
}

/* Messages in the order of the scan. */
static void
take_entries(struct box *b, const struct mdscan *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct mdscan_entry *e = &s->entries[i];
		const char *name = b->pool.s + e->at;
		struct message *x = &b->m[i];
		uint64_t wire = mdname_wire(name);

		*x = (struct message){.key = mdname_time(name), .wire = wire,
		    .at = e->at, .base = (uint8_t)e->base,
		    .room = (uint8_t)(e->base + strlen(name + e->base)),
		    .is_new = e->is_new, .told = wire != BOX_UNKNOWN};
		if (x->key == BOX_UNKNOWN) {
			x->untimed = true;
			if ((b->n_untimed & (b->n_untimed - 1)) == 0)
				b->untimed = mem_resize(b->untimed,
				    b->n_untimed ? 2 * b->n_untimed : 1,
				    sizeof *b->untimed);
			b->untimed[b->n_untimed++] = (uint32_t)i;
		}
	}
}

/* Sorts what has one key by name. */
static void
sort_ties(const struct box *b, struct pair *p, size_t n)
{
	uint32_t *run = NULL;
	size_t end;

	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && p[end].key == p[i].key;)
			end++;
		if (end - i < 2)
			continue;
		run = mem_resize(run, end - i, sizeof *run);
		for (size_t k = i; k < end; k++)
			run[k - i] = p[k].i;
		qsort_r(run, end - i, sizeof *run, compare_names,
		    (void *)(uintptr_t)b);
		for (size_t k = i; k < end; k++)
			p[k].i = run[k - i];
	}
	free(run);
}

/* In order, of each base name its last entry. */
static void
gather(struct box *b, const struct pair *p, size_t n)
{
	struct message *m = mem_alloc(n, sizeof *m);
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		const struct message *x = &b->m[p[i].i];
		bool again = out > 0 && m[out - 1].key == x->key &&
		    compare_base(b, x, b->pool.s + m[out - 1].at,
		    m[out - 1].base) == 0;

		if (again)
			out--;
		m[out] = *x;
		m[out].twice = again;
		out++;
	}
	free(b->m);
	b->m = m;
	b->n = out;
	b->n_untimed = 0;
	for (size_t i = 0; i < out; i++)
		if (m[i].untimed)
			b->untimed[b->n_untimed++] = (uint32_t)i;
	if (b->n_untimed > 0)
		qsort_r(b->untimed, b->n_untimed, sizeof *b->untimed,
		    compare_names, b);
}

void
box_fill_take(struct box *b, struct mdscan *s)
{
	struct pair *p = mem_alloc(s->n, sizeof *p);
	size_t n = s->n;

	b->pool = s->pool;
	s->pool = (struct str){0};
	b->m = mem_alloc(n, sizeof *b->m);
	take_entries(b, s);
	mdscan_free(s);
	set_untimed_keys(b);
	for (size_t i = 0; i < n; i++)
		p[i] = (struct pair){b->m[i].key, (uint32_t)i};
	sort_pairs(p, n);
	sort_ties(b, p, n);
	gather(b, p, n);
	free(p);
}

void
box_line_up(struct box *b)
{
	struct str pool = {0};

	if (b->lined_up)
		return;
	b->lined_up = true;
	str_reserve(&pool, b->pool.len);
	for (size_t i = 0; i < b->n; i++) {
		struct message *x = &b->m[i];
		size_t n = x->room + (size_t)1;

		/* One after the other they would wait for memory here. */
		if (i + AHEAD < b->n) {
			const struct message *y = x + AHEAD;

			__builtin_prefetch(b->pool.s + y->at);
			__builtin_prefetch(b->pool.s + y->at + y->room);
		}
		memcpy(pool.s + pool.len, b->pool.s + x->at, n);
		x->at = (uint32_t)pool.len;
		pool.len += n;
	}
	pool.s[pool.len] = '\0';
	str_free(&b->pool);
	b->pool = pool;
}

static size_t
find_untimed(const struct box *b, const char *base, size_t n)
{
	size_t low = 0, high = b->n_untimed;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = compare_base(b, &b->m[b->untimed[mid]], base, n);

		if (c == 0)
			return b->untimed[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return BOX_NOWHERE;
}

static size_t
find_timed(const struct box *b, uint64_t key, const char *base, size_t n)
{
	size_t low = 0, high = b->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct message *x = &b->m[mid];
		int c = (x->key > key) - (x->key < key);

		if (c == 0 && (c = compare_base(b, x, base, n)) == 0)
			return mid;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return BOX_NOWHERE;
}

size_t
box_find(const struct box *b, const char *base, size_t n, size_t *hint)
{
	char name[MDSCAN_NAME + 1];
	uint64_t key;
	size_t i = *hint;

	if (n == 0 || n > MDSCAN_NAME)
		return BOX_NOWHERE;
	if (i >= b->n || compare_base(b, &b->m[i], base, n) != 0) {
		memcpy(name, base, n);
		name[n] = '\0';
		key = mdname_time(name);
		i = key == BOX_UNKNOWN ? find_untimed(b, base, n) :
		    find_timed(b, key, base, n);
	}
	if (i != BOX_NOWHERE)
		*hint = i + 1;
	return i;
}
