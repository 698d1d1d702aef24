/* test_svc.c - svc's letters, and when what they ask for has come. */
#include "supervise/svcopt.h"
#include "supervise/svcwait.h"

#include "TESTS/unit/unit.h"

static bool
parse(struct svcopt *o, char *const *words)
{
	char *argv[16];
	int argc = 0;

	while (words[argc] != NULL) {
		argv[argc] = words[argc];
		argc++;
	}
	argv[argc] = NULL;
	optind = 0;             /* getopt(3): start over */
	return svcopt_parse(o, argc, argv);
}

#define WORDS(...) ((char *[]){(char[]){"svc"}, __VA_ARGS__, NULL})
#define W(text) ((char[]){text})

static void
test_letters(void **state)
{
	struct svcopt o;

	(void)state;
	assert_true(parse(&o, WORDS(W("-ox"), W("a"), W("-d"))));
	assert_string_equal(o.service, "ox");
	assert_string_equal(o.logger, "");
	assert_int_equal(o.first, 2);   /* options end at the first service */
	assert_false(o.wait);
	/* every letter once, in the order of its first use */
	assert_true(parse(&o, WORDS(W("-tut"), W("-u"), W("-dd"), W("a"))));
	assert_string_equal(o.service, "tud");
	assert_true(parse(&o, WORDS(W("-udopchaitkxq12W"), W("a"))));
	assert_string_equal(o.service, "udopchaitkxq12w");
	assert_true(parse(&o, WORDS(W("a"))));
	assert_string_equal(o.service, "");
	assert_false(parse(&o, WORDS(W("-z"), W("a"))));
}

static void
test_logger_and_wait(void **state)
{
	struct svcopt o;

	(void)state;
	assert_true(parse(&o, WORDS(W("-d"), W("-la"), W("-Lx"), W("a"))));
	assert_string_equal(o.service, "dx");
	assert_string_equal(o.logger, "a");
	assert_true(parse(&o, WORDS(W("-wdT"), W("30"), W("a"))));
	assert_string_equal(o.service, "d");
	assert_true(o.wait);
	assert_int_equal(o.seconds, 30);
	assert_false(parse(&o, WORDS(W("-wT"), W("3s"), W("a"))));
	assert_false(parse(&o, WORDS(W("-wT"), W("-1"), W("a"))));
	assert_false(parse(&o, WORDS(W("-wT"), W("4294967296"), W("a"))));
}

/* The status before: up as pid 10, or down; then the status now. */
static const struct {
	const char *letters;
	pid_t before;
	pid_t now;
	char want;
	bool changed;           /* the time of the last start or stop */
	bool reached;
} waits[] = {
	{"d", 10, 10, 'u', false, false},
	{"d", 10, 10, 'd', false, false},
	{"d", 10, 0, 'd', true, true},
	{"d", 0, 0, 'd', false, true},
	{"u", 0, 0, 'd', false, false},
	{"u", 0, 0, 'u', false, false},
	{"u", 0, 11, 'u', true, true},
	{"u", 10, 10, 'u', false, true},
	{"du", 10, 10, 'u', false, false},      /* not the old process */
	{"du", 10, 0, 'u', true, false},
	{"du", 10, 11, 'u', true, true},
	{"ud", 0, 11, 'u', true, false},
	{"ud", 0, 0, 'd', true, true},
	{"o", 0, 0, 'd', false, false},
	{"o", 0, 0, 0, false, false},
	{"o", 0, 11, 0, true, true},
	{"o", 0, 0, 0, true, true},             /* ran and has ended */
	{"o", 10, 10, 0, false, true},
	{"t", 10, 10, 'u', false, false},
	{"t", 10, 0, 'u', true, false},         /* will come back */
	{"t", 10, 11, 'u', true, true},
	{"t", 10, 0, 'd', true, true},
	{"t", 0, 0, 'd', false, true},
	{"k", 10, 0, 0, true, true},
	{"h", 10, 10, 'u', false, true},
	{"p", 10, 10, 'u', false, true},
	{"", 10, 10, 'u', false, true},
};

static void
test_waiting(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(waits); i++) {
		struct status before = {.since = {1000, 0},
		    .pid = waits[i].before, .want = 'u'};
		struct status now = {.since = {waits[i].changed ? 1001 : 1000,
		    0}, .pid = waits[i].now, .want = waits[i].want};

		if (svcwait_reached(waits[i].letters, &before, &now, true) !=
		    waits[i].reached)
			fail_msg("row %zu: %s", i, waits[i].letters);
		/* without a supervise nothing but x is reached */
		assert_false(svcwait_reached(waits[i].letters, &before, &now,
		    false));
	}
}

static void
test_waiting_for_exit(void **state)
{
	struct status st = {.pid = 0, .want = 'd'};

	(void)state;
	assert_false(svcwait_reached("dx", &st, &st, true));
	assert_true(svcwait_reached("dx", &st, &st, false));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_letters),
		cmocka_unit_test(test_logger_and_wait),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_waiting_for_exit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
