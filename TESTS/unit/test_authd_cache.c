/* test_authd_cache.c - when a kept answer is given again and when not, and how
 * often somebody may guess. */
#include "vpop/authd_cache.h"

#include "TESTS/unit/unit.h"

#include "vpop/authd_guess.h"

#include <stdio.h>

static void
key_of(const struct cache *c, const char *s, unsigned char key[CACHE_KEY])
{
	struct cache_field f[] = {{s, strlen(s)}};

	cache_key(c, f, 1, key);
}

static void
put(struct cache *c, const char *name, const char *domain, const char *user,
    bool whole, uint64_t asked)
{
	struct cache_entry e = {.asked = asked, .whole = whole};
	unsigned char key[CACHE_KEY];

	str_copys(&e.answer, name);
	str_copys(&e.typed, domain);
	str_copys(&e.real, "real.example");
	str_copys(&e.user, user);
	key_of(c, name, key);
	cache_put(c, key, &e, 1000);
	str_free(&e.answer);
	str_free(&e.typed);
	str_free(&e.real);
	str_free(&e.user);
}

static bool
has(struct cache *c, const char *name, int64_t now)
{
	unsigned char key[CACHE_KEY];
	const struct cache_entry *e;

	key_of(c, name, key);
	e = cache_get(c, key, now);
	if (e != NULL)
		assert_string_equal(str_c(&e->answer), name);
	return e != NULL;
}

static void
test_keep(void **state)
{
	struct cache c;
	struct cache_field a[] = {{"ab", 2}, {"c", 1}};
	struct cache_field b[] = {{"a", 1}, {"bc", 2}};
	unsigned char ka[CACHE_KEY], kb[CACHE_KEY];

	(void)state;
	assert_int_equal(cache_init(&c), 0);
	cache_key(&c, a, 2, ka);
	cache_key(&c, b, 2, kb);
	assert_memory_not_equal(ka, kb, CACHE_KEY);
	put(&c, "one", "x", "jo", false, 0);
	assert_true(has(&c, "one", 999));
	assert_false(has(&c, "two", 999));
	assert_false(has(&c, "one", 1000));
	assert_false(has(&c, "one", 999));      /* dropped */
	for (size_t i = 0; i < CACHE_ENTRIES + 10; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "n%zu", i);
		put(&c, name, "x", "jo", false, 0);
	}
	assert_false(has(&c, "n0", 0));
	assert_true(has(&c, "n10", 0));
	assert_int_equal(c.map.live, CACHE_ENTRIES);
	cache_free(&c);
}

static void
test_changed(void **state)
{
	static const struct {
		const char *domain, *user;      /* what changes */
		bool jo, bo, resolve;           /* what stays */
	} cases[] = {
		{"x", "jo", false, true, false},
		{"real.example", "jo", false, true, false},
		{"x", "", false, false, false},
		{"real.example", "", false, false, false},
		{"y", "", true, true, true},
		{"y", "jo", true, true, true},
		{"x", "al", true, true, false},
	};
	struct cache c;

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		assert_int_equal(cache_init(&c), 0);
		put(&c, "jo", "x", "jo", false, 0);
		put(&c, "bo", "x", "bo", false, 0);
		put(&c, "resolve", "x", "bo", true, 0);
		cache_changed(&c, cases[i].domain, cases[i].user);
		assert_int_equal(has(&c, "jo", 0), cases[i].jo);
		assert_int_equal(has(&c, "bo", 0), cases[i].bo);
		assert_int_equal(has(&c, "resolve", 0), cases[i].resolve);
		/* An answer that was under way is not kept; a later one is. */
		put(&c, "jo", "x", "jo", false, 0);
		assert_int_equal(has(&c, "jo", 0), cases[i].jo);
		put(&c, "jo", "x", "jo", false, c.count);
		assert_true(has(&c, "jo", 0));
		cache_free(&c);
	}
}

static void
test_many_changes(void **state)
{
	struct cache c;
	char name[32];

	(void)state;
	assert_int_equal(cache_init(&c), 0);
	put(&c, "old", "d0", "jo", false, 0);
	for (size_t i = 0; i < CACHE_CHANGES; i++) {
		(void)snprintf(name, sizeof name, "d%zu", i);
		cache_changed(&c, name, "");
	}
	assert_true(c.changes.live <= CACHE_CHANGES);
	/* The change of d0 is forgotten, but not that there was one. */
	put(&c, "old", "d0", "jo", false, 0);
	assert_false(has(&c, "old", 0));
	put(&c, "new", "d0", "jo", false, c.count);
	assert_true(has(&c, "new", 0));
	cache_free(&c);
}

static void
test_guess(void **state)
{
	struct guess g = {0};

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(guess_take(&g, "a", 1, 10, 5));
	assert_false(guess_take(&g, "a", 1, 10, 5));
	assert_true(guess_take(&g, "b", 1, 10, 5));
	assert_true(guess_take(&g, "a", 1, 0, 5));
	/* One is through after six seconds. */
	assert_false(guess_take(&g, "a", 1, 10, 6004));
	assert_true(guess_take(&g, "a", 1, 10, 6005));
	assert_false(guess_take(&g, "a", 1, 10, 6005));
	guess_return(&g, "a", 1);
	assert_true(guess_take(&g, "a", 1, 10, 6005));
	/* A clock that goes back is no help. */
	assert_false(guess_take(&g, "a", 1, 10, 0));
	/* All are after a minute, and not more than all. */
	for (int i = 0; i < 10; i++)
		assert_true(guess_take(&g, "a", 1, 10, 500000));
	assert_false(guess_take(&g, "a", 1, 10, 500000));
	/* Right logins. */
	assert_false(guess_knows(&g, "k", 1, 10));
	guess_remember(&g, "k", 1, 10);
	assert_true(guess_knows(&g, "k", 1, 11));
	assert_false(guess_knows(&g, "k", 1, 10 + GUESS_GOOD_MS));
	/* Bounded; what is in use stays. */
	for (size_t i = 0; i < GUESS_KEYS * 2; i++) {
		assert_true(guess_take(&g, &i, sizeof i, 1, 10));
		if (i % 1000 == 0)
			guess_remember(&g, "k", 1, 10);
	}
	assert_int_equal(g.map.live, GUESS_KEYS);
	assert_true(guess_knows(&g, "k", 1, 11));
	guess_free(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_many_changes),
		cmocka_unit_test(test_guess),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
