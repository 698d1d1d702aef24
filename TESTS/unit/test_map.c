/* test_map.c - the map against an array that knows the truth, with random
 * operations, and the edges: empty keys, NULs, case, walks. */
#include "lib/map.h"

#include "TESTS/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

static char a_value, b_value;

static void
test_edges(void **state)
{
	struct map m = {0};

	(void)state;
	assert_null(map_get(&m, "x", 1));
	map_del(&m, "x", 1);
	map_set(&m, "", 0, &a_value);
	assert_ptr_equal(map_get(&m, "", 0), &a_value);
	assert_null(map_get(&m, "\0", 1));
	map_set(&m, "\0", 1, &b_value);
	assert_ptr_equal(map_get(&m, "", 0), &a_value);
	assert_ptr_equal(map_get(&m, "\0", 1), &b_value);
	map_set(&m, "", 0, &b_value);
	assert_ptr_equal(map_get(&m, "", 0), &b_value);
	assert_int_equal(m.live, 2);
	map_del(&m, "", 0);
	map_del(&m, "", 0);
	assert_null(map_get(&m, "", 0));
	assert_ptr_equal(map_get(&m, "\0", 1), &b_value);
	assert_int_equal(m.live, 1);
	map_free(&m);
	assert_int_equal(m.live, 0);
	assert_null(map_get(&m, "\0", 1));
	map_set(&m, "again", 5, &a_value);
	assert_ptr_equal(map_get(&m, "again", 5), &a_value);
	map_free(&m);
}

/* Only ASCII letters fold: neither 8-bit letters nor '@' and '`', '[' and '{'
 * which differ from each other in the same bit. */
static void
test_nocase(void **state)
{
	struct map m = {.nocase = true}, exact = {0};
	char upper[600], lower[600];

	(void)state;
	map_set(&m, "Postmaster@Example", 18, &a_value);
	assert_ptr_equal(map_get(&m, "pOSTMASTER@eXAMPLE", 18), &a_value);
	assert_null(map_get(&m, "Postmaster`Example", 18));
	map_set(&m, "\xc4[", 2, &b_value);
	assert_null(map_get(&m, "\xe4[", 2));
	assert_null(map_get(&m, "\xc4{", 2));
	map_del(&m, "POSTMASTER@EXAMPLE", 18);
	assert_null(map_get(&m, "Postmaster@Example", 18));
	/* Longer than any buffer the fold may use. */
	memset(upper, 'Q', sizeof upper);
	memset(lower, 'q', sizeof lower);
	for (size_t n = 250; n <= sizeof upper; n++) {
		map_set(&m, upper, n, &a_value);
		assert_ptr_equal(map_get(&m, lower, n), &a_value);
	}
	map_free(&m);
	assert_true(m.nocase);
	map_set(&exact, "A", 1, &a_value);
	assert_null(map_get(&exact, "a", 1));
	map_free(&exact);
}

static void
test_keys_are_copies(void **state)
{
	struct map m = {0};
	char key[] = "key";

	(void)state;
	map_set(&m, key, 3, &a_value);
	memset(key, 'z', 3);
	assert_ptr_equal(map_get(&m, "key", 3), &a_value);
	assert_null(map_get(&m, "zzz", 3));
	map_free(&m);
}

static void
test_ids(void **state)
{
	struct map m = {0};

	(void)state;
	map_set_id(&m, 0, &a_value);
	map_set_id(&m, UINT64_MAX, &b_value);
	assert_ptr_equal(map_get_id(&m, 0), &a_value);
	assert_ptr_equal(map_get_id(&m, UINT64_MAX), &b_value);
	assert_null(map_get_id(&m, 1));
	map_del_id(&m, 0);
	assert_null(map_get_id(&m, 0));
	map_free(&m);
}

enum { KEYS = 700 };

/* Everything the model holds comes once in a walk, and nothing else. */
static void
check_walk(const struct map *m, void *const *model)
{
	bool seen[KEYS] = {false};
	size_t at = 0, n, count = 0;
	const char *key;
	void *value;

	while (map_next(m, &at, &key, &n, &value)) {
		char text[32];
		size_t i;

		assert_true(n < sizeof text);
		memcpy(text, key, n);
		text[n] = '\0';
		assert_int_equal(sscanf(text, "key-%zu", &i), 1);
		assert_true(i < KEYS && !seen[i]);
		seen[i] = true;
		assert_ptr_equal(value, model[i]);
		count++;
	}
	assert_int_equal(count, m->live);
}

/* 200,000 operations in phases that grow and shrink the map, so that it is
 * rehashed full of live keys and full of deleted ones. */
static void
test_random(void **state)
{
	static void *model[KEYS];
	static char values[50];
	struct map m = {0};
	size_t live = 0;

	(void)state;
	srandom(4711);
	for (int op = 0; op < 200000; op++) {
		size_t i = (size_t)random() % KEYS;
		bool growing = op / 10000 % 2 == 0;
		char key[32];
		size_t n = (size_t)snprintf(key, sizeof key, "key-%zu", i);

		if (random() % 10 < (growing ? 6 : 2)) {
			live += model[i] == NULL;
			model[i] = &values[random() % 50];
			map_set(&m, key, n, model[i]);
		} else if (random() % 2) {
			live -= model[i] != NULL;
			model[i] = NULL;
			map_del(&m, key, n);
		}
		assert_ptr_equal(map_get(&m, key, n), model[i]);
		assert_int_equal(m.live, live);
		assert_true(m.cap == 0 || m.used * 3 <= m.cap * 2);
		if (op % 5000 == 0)
			check_walk(&m, model);
	}
	map_free(&m);
}

/* One key set and deleted for ever must not make the map grow. */
static void
test_churn_is_bounded(void **state)
{
	struct map m = {0};

	(void)state;
	for (uint64_t i = 0; i < 100000; i++) {
		map_set_id(&m, i, &a_value);
		map_del_id(&m, i);
	}
	assert_true(m.cap <= 64);
	map_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_nocase),
		cmocka_unit_test(test_keys_are_copies),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_churn_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
