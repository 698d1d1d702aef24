/* test_peers.c - connections per client and network, penalties that grow and
 * are forgotten, limits as text. */
#include "supervise/peers.h"

#include "TESTS/unit/unit.h"

#include <stdio.h>

static struct ip
addr(const char *s)
{
	struct ip ip;

	assert_int_equal(ip_parse(s, strlen(s), &ip), 0);
	return ip;
}

static enum peers_verdict
check(const struct peers *p, const struct srvlimits *l, const char *s,
    int64_t now)
{
	struct ip ip = addr(s);

	return peers_check(p, l, &ip, now);
}

static void
add(struct peers *p, pid_t pid, const char *s)
{
	struct ip ip = addr(s);

	peers_add(p, pid, &ip);
}

static void
test_counts(void **state)
{
	struct srvlimits l;
	struct peers p;
	struct ip ip;

	(void)state;
	srvlimits_default(&l);
	peers_init(&p);
	l.address = 2;
	l.network = 3;
	add(&p, 11, "192.0.2.1");
	assert_int_equal(check(&p, &l, "192.0.2.1", 0), PEERS_OK);
	add(&p, 12, "192.0.2.1");
	assert_int_equal(check(&p, &l, "192.0.2.1", 0), PEERS_ADDRESS);
	assert_int_equal(check(&p, &l, "192.0.2.2", 0), PEERS_OK);
	add(&p, 13, "192.0.2.2");
	assert_int_equal(check(&p, &l, "192.0.2.3", 0), PEERS_NETWORK);
	assert_int_equal(check(&p, &l, "192.0.3.1", 0), PEERS_OK);
	assert_int_equal(p.n, 3);
	assert_true(peers_end(&p, 12, &ip));
	assert_true(ip.family == 4 && ip.b[3] == 1);
	assert_false(peers_end(&p, 12, &ip));
	assert_false(peers_end(&p, 99, &ip));
	assert_int_equal(check(&p, &l, "192.0.2.1", 0), PEERS_OK);
	assert_true(peers_end(&p, 11, &ip));
	assert_true(peers_end(&p, 13, &ip));
	assert_int_equal(p.n, 0);
	assert_int_equal(p.counts.live, 0);
	assert_int_equal(p.pids.live, 0);
	l.address = l.network = 0;
	for (int i = 0; i < 100; i++)
		add(&p, 100 + i, "192.0.2.1");
	assert_int_equal(check(&p, &l, "192.0.2.1", 0), PEERS_OK);
	peers_free(&p);
}

static void
test_counts6(void **state)
{
	struct srvlimits l;
	struct peers p;
	struct ip ip, want = addr("2001:db8:0:1::");

	(void)state;
	srvlimits_default(&l);
	peers_init(&p);
	l.address = 1;
	l.network = 2;
	add(&p, 11, "2001:db8:0:1::5");
	assert_int_equal(check(&p, &l, "2001:db8:0:1:ffff::", 0),
	    PEERS_ADDRESS);
	assert_int_equal(check(&p, &l, "2001:db8:0:2::5", 0), PEERS_OK);
	add(&p, 12, "2001:db8:0:2::5");
	assert_int_equal(check(&p, &l, "2001:db8:0:3::5", 0), PEERS_NETWORK);
	assert_int_equal(check(&p, &l, "2001:db8:1:3::5", 0), PEERS_OK);
	assert_true(peers_end(&p, 11, &ip));
	assert_true(ip_equal(&ip, &want));
	assert_int_equal(check(&p, &l, "2001:db8:0:3::5", 0), PEERS_OK);
	/* the same bytes in the other family are somebody else */
	assert_int_equal(check(&p, &l, "32.1.13.184", 0), PEERS_OK);
	peers_free(&p);
}

/* Three in 60 s: 60 s, then 120, 240, ... up to an hour. */
static void
test_penalties(void **state)
{
	struct ip bad = addr("192.0.2.1");
	struct srvlimits l;
	struct peers p;
	int64_t now = 1000;

	(void)state;
	srvlimits_default(&l);
	peers_init(&p);
	for (unsigned want = 60; want < 3600; want *= 2) {
		assert_int_equal(peers_punish(&p, &l, &bad, now), 0);
		assert_int_equal(peers_punish(&p, &l, &bad, now + 30), 0);
		assert_int_equal(check(&p, &l, "192.0.2.1", now + 30),
		    PEERS_OK);
		assert_int_equal(peers_punish(&p, &l, &bad, now + 59), want);
		now += 59;
		assert_int_equal(check(&p, &l, "192.0.2.1", now),
		    PEERS_PENALTY);
		assert_int_equal(check(&p, &l, "192.0.2.2", now), PEERS_OK);
		assert_int_equal(check(&p, &l, "192.0.2.1", now + want - 1),
		    PEERS_PENALTY);
		now += want;
		assert_int_equal(check(&p, &l, "192.0.2.1", now), PEERS_OK);
		now += 60;
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(peers_punish(&p, &l, &bad, now), 0);
	assert_int_equal(peers_punish(&p, &l, &bad, now), 3600);
	/* good for longer than the longest penalty: from the start */
	now += 3600 + 3601;
	for (int i = 0; i < 2; i++)
		assert_int_equal(peers_punish(&p, &l, &bad, now), 0);
	assert_int_equal(peers_punish(&p, &l, &bad, now), 60);
	peers_free(&p);
}

static void
test_penalty_window(void **state)
{
	struct ip bad = addr("2001:db8::1");
	struct srvlimits l;
	struct peers p;

	(void)state;
	srvlimits_default(&l);
	peers_init(&p);
	/* two a minute for ever are not three */
	for (int64_t now = 0; now < 600; now += 31)
		assert_int_equal(peers_punish(&p, &l, &bad, now), 0);
	l.penalty = 1;
	assert_int_equal(peers_punish(&p, &l, &bad, 5000), 60);
	assert_int_equal(check(&p, &l, "2001:db8::2", 5001), PEERS_PENALTY);
	assert_int_equal(check(&p, &l, "2001:db8:0:1::2", 5001), PEERS_OK);
	l.penalty = 0;
	assert_int_equal(check(&p, &l, "2001:db8::2", 5001), PEERS_OK);
	assert_int_equal(peers_punish(&p, &l, &bad, 5001), 0);
	peers_free(&p);
}

/* The table has a size: who was bad last is in it. */
static void
test_penalty_room(void **state)
{
	struct srvlimits l;
	unsigned in = 0, last = 0;
	struct peers p;
	struct ip ip = {.family = 4};
	int64_t now = 0;

	(void)state;
	srvlimits_default(&l);
	l.penalty = 1;
	l.penalty_time = 86400;
	l.penalty_max = 604800;
	peers_init(&p);
	for (unsigned i = 0; i < 40000; i++) {
		ip.b[0] = (uint8_t)(i >> 8);
		ip.b[1] = (uint8_t)i;
		assert_int_equal(peers_punish(&p, &l, &ip, now++), 86400);
		assert_int_equal(peers_check(&p, &l, &ip, now),
		    PEERS_PENALTY);
	}
	for (unsigned i = 0; i < 40000; i++) {
		ip.b[0] = (uint8_t)(i >> 8);
		ip.b[1] = (uint8_t)i;
		if (peers_check(&p, &l, &ip, now) == PEERS_PENALTY) {
			in++;
			last += i >= 39600;
		}
	}
	assert_int_equal(in, PEERS_WAYS * PEERS_PLACES);
	assert_int_equal(last, 400);
	peers_free(&p);
}

/* Ten thousand connections come and go twice; what is left is nothing. */
static void
test_many(void **state)
{
	struct peers p;
	struct ip ip = {.family = 4};

	(void)state;
	peers_init(&p);
	for (int round = 0; round < 2; round++) {
		for (int i = 1; i <= 10000; i++) {
			ip.b[2] = (uint8_t)(i >> 8);
			ip.b[3] = (uint8_t)i;
			peers_add(&p, i, &ip);
		}
		assert_int_equal(p.n, 10000);
		for (int i = 1; i <= 10000; i++) {
			struct ip out;

			assert_true(peers_end(&p, i, &out));
			assert_int_equal(out.b[3], (uint8_t)i);
		}
	}
	assert_int_equal(p.n, 0);
	assert_int_equal(p.counts.live, 0);
	peers_free(&p);
}

static void
test_limits_text(void **state)
{
	static const char good[] = "# a comment\n\ntotal 200\n  address\t5  \n"
	    "network 50\r\nbacklog 2000\npenalty 0\npenalty-window 10\n"
	    "penalty-time 5\npenalty-max 7\ntotal 201";
	static const struct { const char *text, *why; } bad[] = {
		{"total", "line 1: not a name and a number"},
		{"total 1 2", "line 1: not a name and a number"},
		{"\ntotal x", "line 2: total is a number from 1 to 1000000"},
		{"total 0", "line 1: total is a number from 1 to 1000000"},
		{"total -1", "line 1: total is a number from 1 to 1000000"},
		{"total 1000001",
		    "line 1: total is a number from 1 to 1000000"},
		{"total 99999999999999999999",
		    "line 1: total is a number from 1 to 1000000"},
		{"total 5 \ntotall 5\n",
		    "line 2: there is no limit called totall"},
		{"backlog 65536",
		    "line 1: backlog is a number from 1 to 65535"},
	};
	struct srvlimits l, before;
	struct str why = {0};

	(void)state;
	srvlimits_default(&l);
	assert_int_equal(l.total, 40);
	assert_int_equal(l.backlog, 1024);
	assert_int_equal(l.address, 0);
	before = l;
	for (size_t i = 0; i < N_OF(bad); i++) {
		assert_int_equal(srvlimits_parse(bad[i].text,
		    strlen(bad[i].text), &l, &why), -1);
		assert_string_equal(str_c(&why), bad[i].why);
		assert_memory_equal(&l, &before, sizeof l);
	}
	assert_int_equal(srvlimits_parse("total 5\0", 8, &l, &why), -1);
	assert_int_equal(srvlimits_parse("", 0, &l, &why), 0);
	assert_memory_equal(&l, &before, sizeof l);
	assert_int_equal(srvlimits_parse(good, sizeof good - 1, &l, &why), 0);
	assert_int_equal(l.total, 201);
	assert_int_equal(l.address, 5);
	assert_int_equal(l.network, 50);
	assert_int_equal(l.backlog, 2000);
	assert_int_equal(l.penalty, 0);
	assert_int_equal(l.penalty_window, 10);
	assert_int_equal(l.penalty_time, 5);
	assert_int_equal(l.penalty_max, 7);
	assert_int_equal(srvlimits_set(&l, "address", "7"), 0);
	assert_int_equal(l.address, 7);
	assert_int_equal(srvlimits_set(&l, "address", "7x"), -1);
	assert_int_equal(srvlimits_set(&l, "address", ""), -1);
	assert_int_equal(srvlimits_set(&l, "addres", "7"), -1);
	assert_int_equal(l.address, 7);
	str_free(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_counts6),
		cmocka_unit_test(test_penalties),
		cmocka_unit_test(test_penalty_window),
		cmocka_unit_test(test_penalty_room),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_limits_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
