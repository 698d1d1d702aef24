/* test_heap.c - order, equal times, and random use against a sorted model. */
#include "lib/heap.h"

#include "TESTS/unit/unit.h"

#include <stdlib.h>

static void
test_empty(void **state)
{
	struct heap h = {0};
	struct heap_item it;

	(void)state;
	assert_false(heap_min(&h, &it));
	heap_free(&h);
	heap_put(&h, -5, 7);
	assert_true(heap_min(&h, &it));
	assert_true(it.when == -5 && it.id == 7);
	heap_pop(&h);
	assert_false(heap_min(&h, &it));
	heap_free(&h);
	assert_null(h.items);
	assert_true(h.n == 0 && h.cap == 0);
}

static void
test_extremes(void **state)
{
	static const int64_t when[] = {0, INT64_MAX, INT64_MIN, -1, 1};
	static const int64_t want[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
	struct heap h = {0};
	struct heap_item it;

	(void)state;
	for (size_t i = 0; i < N_OF(when); i++)
		heap_put(&h, when[i], UINT64_MAX - i);
	for (size_t i = 0; i < N_OF(want); i++) {
		assert_true(heap_min(&h, &it));
		assert_true(it.when == want[i]);
		heap_pop(&h);
	}
	heap_free(&h);
}

/* The model: an array searched for its smallest time.  Ids are 0, 1, 2...;
 * among equal times any may come, but each exactly once. */
static void
test_random(void **state)
{
	enum { MAX = 3000 };
	static int64_t when[MAX];
	static bool in[MAX];
	struct heap h = {0};
	struct heap_item it;
	size_t made = 0, live = 0;

	(void)state;
	srandom(20261123);
	while (made < MAX || live > 0) {
		if (made < MAX && (live == 0 || random() % 5 < 3)) {
			when[made] = random() % 500;
			in[made] = true;
			heap_put(&h, when[made], made);
			made++;
			live++;
			continue;
		}
		assert_true(heap_min(&h, &it));
		assert_true(it.id < made && in[it.id]);
		assert_true(when[it.id] == it.when);
		for (size_t i = 0; i < made; i++)
			assert_false(in[i] && when[i] < it.when);
		heap_pop(&h);
		in[it.id] = false;
		live--;
		assert_int_equal(h.n, live);
	}
	assert_false(heap_min(&h, &it));
	heap_free(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
