/* fuzz_vpasswd.c - any bytes as a vpasswd file.  A parsed line written over
 * itself is the same line; whatever is changed, other lines keep their bytes,
 * and sorting only moves lines. */
#include "TESTS/fuzz/fuzz.h"

#include "vpop/vpasswd.h"

#include <stdlib.h>
#include <string.h>

static void
require(bool ok)
{
	if (!ok)
		abort();
}

/* A sum that does not depend on the order. */
static uint64_t
sum(const struct vpasswd *v, const char *without)
{
	uint64_t all = 0;
	size_t n = strlen(without);

	for (size_t i = 0; i < v->n; i++) {
		const struct vpasswd_line *l = &v->line[i];
		uint64_t one = 14695981039346656037u;

		if (l->s == NULL || (l->n > n && l->s[n] == ':' &&
		    memcmp(l->s, without, n) == 0))
			continue;
		for (size_t j = 0; j < l->n; j++)
			one = (one ^ (unsigned char)l->s[j]) *
			    1099511628211u;
		all += one;
	}
	return all;
}

static void
check_line(const struct vpasswd_line *l)
{
	struct vuser u = {0}, again = {0};
	struct str out = {0};
	size_t name = vpasswd_name(l);

	if (l->s != NULL && vpasswd_parse(NULL, l->s, l->n, &u) == 0) {
		require(u.apop <= 1 && u.name.len == name && name > 0);
		require(vpasswd_parse(str_c(&u.name), l->s + name + 1,
		    l->n - name - 1, &again) == 0);
		require(str_eqs(&again.dir, str_c(&u.dir)));
		vpasswd_cat(&out, &u, l->s, l->n, false);
		/* numbers keep their form only when they mean the same */
		require(out.len == l->n && memcmp(out.s, l->s, l->n) == 0);
		require(vpasswd_misfit(&u) == NULL);
		str_clear(&out);
		vpasswd_cat(&out, &u, NULL, 0, true);
		require(vpasswd_parse(NULL, out.s, out.len, &again) == 0);
		require(again.flags == u.flags && again.apop == u.apop);
		require(str_eqs(&again.clear, str_c(&u.clear)));
	}
	vuser_free(&u);
	vuser_free(&again);
	str_free(&out);
}

static void
check_changes(const char *s, size_t n, bool indexed)
{
	struct vpasswd v = {0};
	struct vuser u = {0};
	struct str text = {0};
	uint64_t rest, all;

	str_copyb(&text, s, n);
	vpasswd_load_take(&v, &text);
	if (indexed)
		vpasswd_index(&v);
	str_copys(&u.name, "bob");
	str_copys(&u.hash, "h");
	rest = sum(&v, "bob");
	if (vpasswd_find(&v, "bob") != NULL)
		vpasswd_set(&v, &u);
	else
		vpasswd_add(&v, &u);
	require(vpasswd_find(&v, "bob") != NULL);
	require(sum(&v, "bob") == rest);
	all = sum(&v, "\377none");
	vpasswd_sort(&v);
	require(sum(&v, "\377none") == all);
	for (size_t i = 1; i < v.n; i++) {
		size_t a = vpasswd_name(&v.line[i - 1]);
		size_t b = vpasswd_name(&v.line[i]);
		int c = memcmp(v.line[i - 1].s, v.line[i].s, a < b ? a : b);

		require(c < 0 || (c == 0 && a <= b));
	}
	vpasswd_del(&v, "bob");
	require(vpasswd_find(&v, "bob") == NULL);
	require(sum(&v, "bob") == rest);
	vpasswd_free(&v);
	vuser_free(&u);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *s = (const char *)data;
	struct vpasswd v = {0};
	struct str text = {0};

	str_copyb(&text, s, n);
	vpasswd_load_take(&v, &text);
	for (size_t i = 0; i < v.n; i++)
		check_line(&v.line[i]);
	vpasswd_free(&v);
	check_changes(s, n, false);
	check_changes(s, n, true);
	return 0;
}
