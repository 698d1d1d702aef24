/* test_loop.c - readiness, hang-ups, watches that vanish while their event is
 * already fetched, and more sources than one wake-up handles. */
#include "lib/loop.h"

#include "lib/proc.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

struct source {
	struct loop_watch watch;
	struct loop *loop;
	struct source *victim;          /* removed by our callback */
	int other;                      /* the far end of watch.fd */
	unsigned calls;
	uint32_t got;
};

static void
on_ready(struct loop_watch *w, uint32_t got)
{
	struct source *s = w->owner;

	assert_ptr_equal(&s->watch, w);
	s->calls++;
	s->got = got;
	if (s->victim != NULL)
		loop_del(s->loop, &s->victim->watch);
}

static void
open_source(struct source *s, struct loop *l, uint32_t want)
{
	*s = (struct source){.loop = l};
	s->watch = (struct loop_watch){.want = want, .ready = on_ready,
	    .owner = s};
	assert_int_equal(sock_pair(SOCK_STREAM, &s->watch.fd, &s->other), 0);
	assert_int_equal(loop_add(l, &s->watch), 0);
	assert_true(s->watch.on);
}

static void
close_source(struct source *s)
{
	loop_del(s->loop, &s->watch);
	(void)close(s->watch.fd);
	if (s->other >= 0)
		(void)close(s->other);
}

/* One turn without waiting; how often s was called in it. */
static unsigned
turn(struct loop *l, struct source *s)
{
	s->calls = 0;
	s->got = 0;
	assert_int_equal(loop_run(l, 0), 0);
	return s->calls;
}

static void
poke(struct source *s)
{
	assert_int_equal(write(s->other, "x", 1), 1);
}

static void
test_read_write(void **state)
{
	struct source s;
	struct loop l;

	(void)state;
	assert_int_equal(loop_init(&l), 0);
	assert_int_equal(fcntl(l.ep, F_GETFD), FD_CLOEXEC);
	open_source(&s, &l, LOOP_READ);
	assert_int_equal(turn(&l, &s), 0);
	poke(&s);
	assert_int_equal(turn(&l, &s), 1);
	assert_int_equal(s.got, LOOP_READ);
	assert_int_equal(turn(&l, &s), 1);      /* until it is read */
	loop_want(&l, &s.watch, LOOP_READ | LOOP_WRITE);
	assert_int_equal(turn(&l, &s), 1);
	assert_int_equal(s.got, LOOP_READ | LOOP_WRITE);
	loop_want(&l, &s.watch, LOOP_WRITE);
	assert_int_equal(turn(&l, &s), 1);
	assert_int_equal(s.got, LOOP_WRITE);
	loop_want(&l, &s.watch, 0);
	assert_int_equal(turn(&l, &s), 0);
	loop_del(&l, &s.watch);
	assert_false(s.watch.on);
	loop_del(&l, &s.watch);
	loop_want(&l, &s.watch, LOOP_READ);     /* kept for the next add */
	assert_int_equal(turn(&l, &s), 0);
	assert_int_equal(loop_add(&l, &s.watch), 0);
	assert_int_equal(turn(&l, &s), 1);
	assert_int_equal(s.got, LOOP_READ);
	close_source(&s);
	(void)close(l.ep);
}

static void
test_hangup(void **state)
{
	static const struct {
		uint32_t want, got;
	} cases[] = {
		{LOOP_READ, LOOP_READ},
		{LOOP_WRITE, LOOP_READ | LOOP_WRITE},
		{LOOP_READ | LOOP_WRITE, LOOP_READ | LOOP_WRITE},
		{0, LOOP_READ},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct source s;
		struct loop l;

		assert_int_equal(loop_init(&l), 0);
		open_source(&s, &l, cases[i].want);
		(void)close(s.other);
		s.other = -1;
		assert_int_equal(turn(&l, &s), 1);
		assert_int_equal(s.got, cases[i].got);
		close_source(&s);
		(void)close(l.ep);
	}
}

/* The far end of a pipe that is only written to: EPOLLERR. */
static void
test_pipe_error(void **state)
{
	struct source s = {0};
	struct loop l;
	int r;

	(void)state;
	assert_int_equal(loop_init(&l), 0);
	s.watch = (struct loop_watch){.ready = on_ready, .owner = &s};
	assert_int_equal(proc_pipe(&r, &s.watch.fd), 0);
	assert_int_equal(loop_add(&l, &s.watch), 0);
	assert_int_equal(turn(&l, &s), 0);
	(void)close(r);
	assert_int_equal(turn(&l, &s), 1);
	assert_int_equal(s.got, LOOP_READ);
	loop_del(&l, &s.watch);
	(void)close(s.watch.fd);
	(void)close(l.ep);
}

/* Both are ready in one wake-up; whichever comes first removes the other. */
static void
test_removed_while_pending(void **state)
{
	struct source a, b;
	struct loop l;

	(void)state;
	assert_int_equal(loop_init(&l), 0);
	for (int i = 0; i < 2; i++) {
		open_source(&a, &l, LOOP_READ);
		open_source(&b, &l, LOOP_READ);
		a.victim = &b;
		b.victim = &a;
		poke(i ? &a : &b);
		poke(i ? &b : &a);
		assert_int_equal(loop_run(&l, 1000), 0);
		assert_int_equal(a.calls + b.calls, 1);
		assert_true(a.watch.on != b.watch.on);
		close_source(&a);
		close_source(&b);
	}
	open_source(&a, &l, LOOP_READ);
	a.victim = &a;                          /* itself */
	poke(&a);
	assert_int_equal(turn(&l, &a), 1);
	assert_int_equal(turn(&l, &a), 0);
	close_source(&a);
	(void)close(l.ep);
}

static struct source *fresh;

/* Frees the victim and puts a new watch, perhaps at the same address. */
static void
on_replace(struct loop_watch *w, uint32_t got)
{
	struct source *s = w->owner, *v = s->victim;

	(void)got;
	s->calls++;
	if (v == NULL)
		return;
	s->victim = NULL;
	close_source(v);
	free(v);
	fresh = malloc(sizeof *fresh);
	assert_non_null(fresh);
	open_source(fresh, s->loop, LOOP_READ);
}

static void
test_replaced_while_pending(void **state)
{
	struct source a, *b = malloc(sizeof *b);
	struct loop l;

	(void)state;
	assert_non_null(b);
	assert_int_equal(loop_init(&l), 0);
	open_source(&a, &l, LOOP_READ);
	a.watch.ready = on_replace;
	open_source(b, &l, LOOP_READ);
	a.victim = b;
	poke(&a);                               /* first, so called first */
	poke(b);
	assert_int_equal(loop_run(&l, 1000), 0);
	assert_int_equal(a.calls, 1);
	assert_int_equal(fresh->calls, 0);      /* no event of the old one */
	close_source(&a);
	close_source(fresh);
	free(fresh);
	(void)close(l.ep);
}

/* Three times as many ready sources as a batch: three turns reach all. */
static void
test_no_starving(void **state)
{
	enum { N = 3 * LOOP_BATCH };
	static struct source s[N];
	struct loop l;

	(void)state;
	assert_int_equal(loop_init(&l), 0);
	for (int i = 0; i < N; i++) {
		open_source(&s[i], &l, LOOP_READ);
		poke(&s[i]);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_run(&l, 0), 0);
	for (int i = 0; i < N; i++) {
		assert_int_equal(s[i].calls, 1);
		close_source(&s[i]);
	}
	(void)close(l.ep);
}

static void
test_waiting(void **state)
{
	struct source s;
	struct loop l;
	int64_t t;

	(void)state;
	assert_int_equal(loop_init(&l), 0);
	open_source(&s, &l, LOOP_READ);
	t = clock_mono_ms();
	assert_int_equal(loop_run(&l, 50), 0);
	assert_in_range(clock_mono_ms() - t, 49, 5000);
	poke(&s);
	assert_int_equal(loop_run(&l, -1), 0);
	assert_int_equal(loop_run(&l, INT64_MIN), 0);
	assert_int_equal(loop_run(&l, INT64_MAX), 0);
	assert_int_equal(s.calls, 3);
	close_source(&s);
	(void)close(l.ep);
}

static void
no_fds(void *arg)
{
	struct rlimit rl = {0, 0};
	struct loop l;

	(void)arg;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	if (loop_init(&l) == 0 || errno != EMFILE)
		_exit(1);
}

static void
test_failures(void **state)
{
	struct loop_watch file = {.want = LOOP_READ}, twice;
	struct loop l;
	int w;

	(void)state;
	unit_dies(no_fds, NULL, 0, "");
	assert_int_equal(loop_init(&l), 0);
	file.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_int_equal(loop_add(&l, &file), -1);
	assert_int_equal(errno, EPERM);         /* regular files never wait */
	assert_false(file.on);
	(void)close(file.fd);
	assert_int_equal(loop_add(&l, &file), -1);
	assert_int_equal(errno, EBADF);
	twice = (struct loop_watch){.want = LOOP_READ};
	assert_int_equal(proc_pipe(&twice.fd, &w), 0);
	assert_int_equal(loop_add(&l, &twice), 0);
	assert_int_equal(loop_add(&l, &twice), -1);
	assert_int_equal(errno, EEXIST);
	loop_del(&l, &twice);
	(void)close(twice.fd);
	(void)close(w);
	(void)close(l.ep);
	assert_int_equal(loop_run(&l, 0), -1);
	assert_int_equal(errno, EBADF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_write),
		cmocka_unit_test(test_hangup),
		cmocka_unit_test(test_pipe_error),
		cmocka_unit_test(test_removed_while_pending),
		cmocka_unit_test(test_replaced_while_pending),
		cmocka_unit_test(test_no_starving),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
