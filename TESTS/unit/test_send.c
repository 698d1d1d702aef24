/* test_send.c - the scheduler's pure parts: settings, VERP, the schedule, the
 * link with qmail-todo, failure paragraphs. */
#include "control/control.h"
#include "send/config.h"
#include "send/link.h"
#include "send/schedule.h"
#include "send/send.h"
#include "send/verp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* bouncer.c is linked for its text; these are never reached. */
struct msg *
send_msg(const struct send *s, uint64_t id)
{
	(void)s;
	(void)id;
	abort();
}

void
message_check(struct send *s, struct msg *m)
{
	(void)s;
	(void)m;
	abort();
}

int
message_load_sender(struct send *s, struct msg *m)
{
	(void)s;
	(void)m;
	abort();
}

void
message_drop_sender(struct send *s, struct msg *m)
{
	(void)s;
	(void)m;
	abort();
}

void
message_delays_drop(struct send *s, struct msg *m)
{
	(void)s;
	(void)m;
	abort();
}

static char dir[] = "/tmp/test_send.XXXXXX";

static void
put(const char *file, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", dir, file);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	control_set_dir(dir);
	put("me", "mx.reinos.org\n");
	put("locals", "# a comment\nlocalhost\nreinos.org \n");
	put("percenthack", "hack.org\n");
	put("virtualdomains",
	    "ana@virt.org:ana-vip\n"
	    "virt.org:virt\n"
	    "virt.org:last\n"
	    ".sub.org:sub\n"
	    "except.sub.org:\n"
	    "no colon here\n");
	return 0;
}

static int
teardown(void **state)
{
	static const char *const files[] = {"me", "locals", "percenthack",
	    "virtualdomains"};
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

static void
test_original(void **state)
{
	struct config cfg = {0};

	(void)state;
	put("virtualdomains", "ana@virt.org:ana-vip\nvirt.org:virt\n");
	assert_int_equal(config_load(&cfg), 0);
	assert_string_equal(route_original_peek(&cfg.route,
	    "virt-bob@virt.org"), "bob@virt.org");
	assert_string_equal(route_original_peek(&cfg.route,
	    "ana-vip-ana@virt.org"), "ana@virt.org");
	assert_string_equal(route_original_peek(&cfg.route, "bob@localhost"),
	    "bob@localhost");
	assert_string_equal(route_original_peek(&cfg.route, "u@far.org"),
	    "u@far.org");
	assert_string_equal(route_original_peek(&cfg.route, "no-at"), "no-at");
	config_free(&cfg);
}

static void
test_unreadable_keeps_old(void **state)
{
	struct config cfg = {0};
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof path, "%s/locals", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(config_load(&cfg), -1);
	assert_null(cfg.route.envnoathost.s);
	assert_int_equal(rmdir(path), 0);
	put("locals", "localhost\n");
	assert_int_equal(config_load(&cfg), 0);
	assert_int_equal(cfg.lifetime, 604800);
	assert_int_equal(cfg.concurrency[CHANNEL_LOCAL], 10);
	assert_int_equal(cfg.concurrency[CHANNEL_REMOTE], 20);
	config_free(&cfg);
}

static void
test_verp(void **state)
{
	struct str out = {0};

	(void)state;
	verp_expand("list-@lists.org-@[]", "ana@far.org", &out);
	assert_string_equal(str_c(&out), "list-ana=far.org@lists.org");
	verp_expand("list-@lists.org", "ana@far.org", &out);
	assert_string_equal(str_c(&out), "list-@lists.org");
	verp_expand("-@[]", "ana@far.org", &out);      /* no host before */
	assert_string_equal(str_c(&out), "-@[]");
	verp_expand("#@[]", "ana@far.org", &out);
	assert_string_equal(str_c(&out), "#@[]");
	verp_strip("list-@lists.org-@[]", &out);
	assert_string_equal(str_c(&out), "list-@lists.org");
	verp_strip("a@b", &out);
	assert_string_equal(str_c(&out), "a@b");
	str_free(&out);
}

static void
test_schedule(void **state)
{
	const int64_t b = 1000000000;

	(void)state;
	assert_int_equal(schedule_isqrt(0), 0);
	assert_int_equal(schedule_isqrt(1), 1);
	assert_int_equal(schedule_isqrt(399), 19);
	assert_int_equal(schedule_isqrt(400), 20);
	assert_int_equal(schedule_isqrt(UINT32_MAX), 65535);
	/* Local: 0, 100, 400, 900; remote: 0, 400, 1600, 3600. */
	assert_int_equal(schedule_next(CHANNEL_LOCAL, b, b), b + 100);
	assert_int_equal(schedule_next(CHANNEL_LOCAL, b, b + 100), b + 400);
	assert_int_equal(schedule_next(CHANNEL_LOCAL, b, b + 400), b + 900);
	assert_int_equal(schedule_next(CHANNEL_REMOTE, b, b), b + 400);
	assert_int_equal(schedule_next(CHANNEL_REMOTE, b, b + 400), b + 1600);
	assert_int_equal(schedule_next(CHANNEL_REMOTE, b, b + 1600), b + 3600);
	/* A clock set back must not make it due for ever. */
	assert_int_equal(schedule_next(CHANNEL_LOCAL, b + 500, b), b + 100);
	assert_false(schedule_dying(b, b + 604800, 604800));
	assert_true(schedule_dying(b, b + 604801, 604800));
	assert_false(schedule_dying(b, b - 5, 604800));
}

/* Nothing the schedule itself says is changed; what is further away is. */
static void
test_clamp(void **state)
{
	(void)state;
	for (int c = 0; c < CHANNELS; c++)
		for (int64_t then = 1000; then < 700000; then += 7777) {
			int64_t due = schedule_next(c, 1000, then);

			assert_int_equal(schedule_clamp(c, 1000, then, 123,
			    due), due);
			assert_int_equal(schedule_clamp(c, 1000, then + 5000,
			    123, due), due);
		}
	assert_int_equal(schedule_clamp(CHANNEL_LOCAL, 1000, 1000, 123,
	    99999999), 1123);
	assert_int_equal(schedule_clamp(CHANNEL_REMOTE, 1000, 1000, 123,
	    99999999), 1400);
	/* Born in what is the future now. */
	assert_int_equal(schedule_clamp(CHANNEL_REMOTE, 5000, 1000, 123,
	    5400), 1400);
}

static void
test_link(void **state)
{
	struct link_msg m = {'m', 26, 5000, 77, 1000, 2, 1, 3,
	    1700000000}, r;
	struct str s = {0};
	uint64_t n;

	(void)state;
	link_cat_msg(&s, &m);
	assert_string_equal(s.s, "m26 1700000000 5000 77 1000 2 1 3");
	assert_int_equal(link_parse_msg(s.s, &r), 0);
	assert_int_equal(r.kind, 'm');
	assert_int_equal(r.id, 26);
	assert_int_equal(r.birth, 1700000000);
	assert_int_equal(r.bytes, 5000);
	assert_int_equal(r.qp, 77);
	assert_int_equal(r.uid, 1000);
	assert_int_equal(r.nlocal, 2);
	assert_int_equal(r.nremote, 1);
	assert_int_equal(link_parse_msg("m26 1 2 3 4 5 6", &r), -1);
	assert_int_equal(link_parse_msg("m26 1 2 3 4 5 6 7 8", &r), -1);
	assert_int_equal(link_parse_msg("m26 x 2 3 4 5 6 7", &r), -1);
	str_clear(&s);
	link_cat_num(&s, 'd', 18446744073709551615u);
	assert_int_equal(link_parse_num(s.s, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(link_parse_num("d", &n), -1);
	assert_int_equal(link_parse_num("d1x", &n), -1);
	str_free(&s);
}

static void
test_bounce_text(void **state)
{
	struct route cfg = {0};
	struct str s = {0};

	(void)state;
	bouncer_cat_text(&cfg, &s, "a\nb@x", "one\n\ntwo");
	assert_string_equal(str_c(&s), "<a_b@x>:\none\n/\ntwo\n\n");
	str_clear(&s);
	bouncer_cat_text(&cfg, &s, "a@x", "");
	assert_string_equal(str_c(&s), "<a@x>:\n\n");
	str_clear(&s);
	bouncer_cat_text(&cfg, &s, "a@x", "\nlead\n");
	assert_string_equal(str_c(&s), "<a@x>:\n/\nlead\n\n");
	str_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_original),
		cmocka_unit_test(test_unreadable_keeps_old),
		cmocka_unit_test(test_verp),
		cmocka_unit_test(test_schedule),
		cmocka_unit_test(test_clamp),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_bounce_text),
	};

	return cmocka_run_group_tests_name("send", tests, setup, teardown);
}
