/* test_qrecord.c - envelope files: written, read, cut and damaged at every
 * byte.  The sums were computed by an independent SipHash-2-4. */
#include "mail/qrecord.h"

#include "lib/hash.h"
#include "mail/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES(s) s, sizeof(s) - 1

#define GOOD                                                                  \
	"u1000\0p77,0000000000000005,8cc15d5db2f752b9,ea5eaad3bc1bca8d\0"     \
	"Fa@x\0Tb@y\0Tc@y\0"
#define HEAD(sum) "u1\0p2,0000000000000000,0000000000000000," sum "\0"

static const struct {
	const char *bytes;
	size_t n;
	enum qrecord_status want;
	size_t nrcpt;
} cases[] = {
	{BYTES(GOOD), QRECORD_OK, 2},
	{BYTES("u0\0p1\0Fa@x\0Tb@y\0"), QRECORD_NOSUM, 1},
	{BYTES("u0\0p1\0F\0Tb@y\0"), QRECORD_NOSUM, 1},
	{BYTES("u0\0p1\0Fa@x\0"), QRECORD_NOSUM, 0},
	{BYTES(HEAD("bd7dbe17cdd55618") "F\0Tb@y\0"), QRECORD_OK, 1},
	{BYTES("u0\0p1\0Fa@x\0MRET=HDRS\0Tb@y\0NNOTIFY=NEVER\0Tc@y\0"),
	    QRECORD_NOSUM, 2},
	{BYTES("u0\0p1\0Fa@x\0MRET=HDRS\0Tb@y\0NNOTIFY"), QRECORD_TORN, 1},
	{BYTES("u0\0p1\0MRET=HDRS\0Fa@x\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("u0\0p1\0Fa@x\0Tb@y\0MRET=HDRS\0"), QRECORD_BAD, 1},
	{BYTES("u0\0p1\0Fa@x\0NNOTIFY=NEVER\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("u0\0p1\0Fa@x\0MRET=no\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("u0\0p1\0Fa@x\0M\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("u0\0p1\0Fa@x\0Tb@y\0NORCPT=x\0"), QRECORD_BAD, 1},
	/* a crash: nothing, zeros, cut, sums never written, wrong block */
	{BYTES(""), QRECORD_TORN, 0},
	{BYTES("\0\0\0\0\0\0\0\0"), QRECORD_TORN, 0},
	{BYTES("u0"), QRECORD_TORN, 0},
	{BYTES("u0\0"), QRECORD_TORN, 0},
	{BYTES("u0\0\0\0\0\0"), QRECORD_TORN, 0},
	{BYTES("u0\0p1"), QRECORD_TORN, 0},
	{BYTES("u0\0p1\0"), QRECORD_TORN, 0},
	{BYTES("u0\0p1\0Fa@x"), QRECORD_TORN, 0},
	{BYTES("u0\0p1\0Fa@x\0Tb"), QRECORD_TORN, 0},
	{BYTES(HEAD("0000000000000000") "F\0Tb@y\0"), QRECORD_TORN, 0},
	{BYTES(HEAD("bd7dbe17cdd55618") "F\0Tb@z\0"), QRECORD_TORN, 0},
	{BYTES(HEAD("bd7dbe17cdd55618") "F\0\0\0\0\0\0"), QRECORD_TORN, 0},
	/* nonsense */
	{BYTES("Fa@x\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("u\0p1\0Fa@x\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("u1x\0p1\0Fa@x\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("u4294967296\0p1\0Fa@x\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("u1\0p\0Fa@x\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("u1\0p4294967296\0Fa@x\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("p1\0u1\0Fa@x\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("u1\0p1,\0Fa@x\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("u1\0p1 5\0Fa@x\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("u1\0p2,0000000000000000,0000000000000000,bd7dbe17cdd5561g\0"
	    "F\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("u1\0p2,0000000000000000,0000000000000000;bd7dbe17cdd55618\0"
	    "F\0Tb@y\0"), QRECORD_BAD, 0},
	{BYTES("u0\0p1\0Tb@y\0Fa@x\0"), QRECORD_BAD, 0},
	{BYTES("u0\0p1\0Fa@x\0Fa@x\0"), QRECORD_BAD, 0},
	{BYTES("u0\0p1\0Fa@x\0Tb@y\0\0"), QRECORD_BAD, 1},
	{BYTES("u0\0p1\0Fa@x\0Xb@y\0"), QRECORD_BAD, 0},
	{BYTES(HEAD("4555b69d27188c14") "Fa@x\0Xb@y\0"), QRECORD_BAD, 0},
	{BYTES(HEAD("7489cad077aebb77") "Tb@y\0"), QRECORD_BAD, 0},
	/* a sum that agrees with an unfinished record */
	{BYTES(HEAD("f69083909920c611") "Fa@x\0Tb@y"), QRECORD_TORN, 0},
};

static void
test_cases(void **state)
{
	struct qrecord r = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum qrecord_status st =
		    qrecord_parse(cases[i].bytes, cases[i].n, &r);

		if (st != cases[i].want || r.nrcpt != cases[i].nrcpt)
			fail_msg("case %zu: status %d, want %d; %zu rcpts", i,
			    (int)st, (int)cases[i].want, r.nrcpt);
	}
	qrecord_free(&r);
}

static void
test_fields(void **state)
{
	struct qrecord r = {0};

	(void)state;
	assert_int_equal(qrecord_parse(BYTES(GOOD), &r), QRECORD_OK);
	assert_int_equal(r.uid, 1000);
	assert_int_equal(r.pid, 77);
	assert_true(r.has_sum);
	assert_int_equal(r.size, 5);
	assert_true(r.mess_sum == UINT64_C(0x8cc15d5db2f752b9));
	assert_true(str_eqs(&r.sender, "a@x"));
	assert_int_equal(r.rcpts.len, 8);
	assert_memory_equal(r.rcpts.s, "b@y\0c@y\0", 8);
	/* the next parse forgets this one */
	assert_int_equal(qrecord_parse(BYTES("u0\0p1\0F\0"), &r),
	    QRECORD_NOSUM);
	assert_false(r.has_sum);
	assert_int_equal(r.sender.len, 0);
	assert_int_equal(r.nrcpt, 0);
	qrecord_free(&r);
	assert_null(r.sender.s);
	assert_int_equal(qrecord_parse(NULL, 0, &r), QRECORD_TORN);
	qrecord_free(&r);
}

/* Wishes stand beside the recipients they belong to. */
static void
test_wishes(void **state)
{
	static const char body[] = "Fa@x\0MRET=HDRS\0Tb@y\0Tc@y\0"
	    "NNOTIFY=NEVER\0Td@y";
	struct qrecord r = {0};
	struct str out = {0};

	(void)state;
	qrecord_cat_sender(&out, "a@x");
	qrecord_cat_params(&out, "RET=HDRS");
	qrecord_cat_rcpt(&out, "b@y");
	qrecord_cat_rcpt_params(&out, "");
	qrecord_cat_rcpt(&out, "c@y");
	qrecord_cat_rcpt_params(&out, "NOTIFY=NEVER");
	qrecord_cat_rcpt(&out, "d@y");
	assert_int_equal(out.len, sizeof body);
	assert_memory_equal(str_c(&out), body, out.len);
	str_clear(&out);
	str_catb(&out, "u0\0p1\0", 6);
	str_catb(&out, body, sizeof body);
	assert_int_equal(qrecord_parse(str_c(&out), out.len, &r),
	    QRECORD_NOSUM);
	assert_true(r.has_params);
	assert_true(str_eqs(&r.params, "RET=HDRS"));
	assert_int_equal(r.nrcpt, 3);
	assert_int_equal(r.rparams.len, 15);
	assert_memory_equal(r.rparams.s, "\0NOTIFY=NEVER\0\0", 15);
	assert_int_equal(qrecord_parse(BYTES("u0\0p1\0F\0Tb@y\0"), &r),
	    QRECORD_NOSUM);
	assert_false(r.has_params);
	assert_int_equal(r.params.len, 0);
	assert_int_equal(r.rparams.len, 1);
	qrecord_free(&r);
	str_free(&out);
}

static void
test_write(void **state)
{
	struct str out = {0};

	(void)state;
	qrecord_cat_head(&out, 1000, 77, 5, UINT64_C(0x8cc15d5db2f752b9),
	    UINT64_C(0xea5eaad3bc1bca8d));
	qrecord_cat_sender(&out, "a@x");
	qrecord_cat_rcpt(&out, "b@y");
	qrecord_cat_rcpt(&out, "c@y");
	assert_int_equal(out.len, sizeof GOOD - 1);
	assert_memory_equal(str_c(&out), GOOD, out.len);
	str_free(&out);
}

/* The head is rewritten in place: its length must not depend on the sums. */
static void
test_head_length(void **state)
{
	struct str a = {0}, b = {0};

	(void)state;
	qrecord_cat_head(&a, 4294967295u, 4194304, 0, 0, 0);
	qrecord_cat_head(&b, 4294967295u, 4194304, UINT64_MAX, UINT64_MAX, 1);
	assert_int_equal(a.len, b.len);
	str_free(&a);
	str_free(&b);
}

static void
test_cut_and_flip(void **state)
{
	char copy[sizeof GOOD - 1];
	size_t head = sizeof GOOD - 1 - 15;
	struct qrecord r = {0};

	(void)state;
	for (size_t n = 0; n < sizeof copy; n++)
		assert_int_equal(qrecord_parse(GOOD, n, &r), QRECORD_TORN);
	for (size_t i = 0; i < sizeof copy; i++) {
		enum qrecord_status st;

		memcpy(copy, GOOD, sizeof copy);
		copy[i] = (char)(copy[i] ^ 0x40);
		st = qrecord_parse(copy, sizeof copy, &r);
		if (i >= head)
			assert_int_equal(st, QRECORD_TORN);
		else if (copy[0] != 'u')
			assert_int_equal(st, QRECORD_BAD);
	}
	qrecord_free(&r);
}

static void
test_limits(void **state)
{
	struct str s = {0}, addr = {0};
	struct qrecord r = {0};

	(void)state;
	for (int i = 0; i < ADDR_MAX; i++)
		str_catc(&addr, 'a');
	str_catb(&s, BYTES("u0\0p1\0"));
	qrecord_cat_sender(&s, str_c(&addr));
	qrecord_cat_rcpt(&s, str_c(&addr));
	assert_int_equal(qrecord_parse(s.s, s.len, &r), QRECORD_NOSUM);
	assert_int_equal(r.rcpts.len, ADDR_MAX + 1);
	str_catc(&addr, 'a');
	qrecord_cat_rcpt(&s, str_c(&addr));
	assert_int_equal(qrecord_parse(s.s, s.len, &r), QRECORD_BAD);
	str_clear(&s);
	str_catb(&s, BYTES("u0\0p1\0F\0"));
	while (s.len <= ENVELOPE_MAX)
		qrecord_cat_rcpt(&s, "an.address.of.some.length@example.org");
	assert_int_equal(qrecord_parse(s.s, s.len, &r), QRECORD_BAD);
	str_free(&s);
	str_free(&addr);
	qrecord_free(&r);
}

static void
test_mess(void **state)
{
	char name[] = "/tmp/test_qrecord.XXXXXX";
	int fd = mkstemp(name);
	struct qrecord r = {0};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(write(fd, "hello", 5), 5);
	assert_int_equal(qrecord_parse(BYTES(GOOD), &r), QRECORD_OK);
	assert_int_equal(qrecord_check_mess(fd, &r), QRECORD_OK);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 5);
	assert_int_equal(pwrite(fd, "j", 1, 0), 1);
	assert_int_equal(qrecord_check_mess(fd, &r), QRECORD_TORN);
	assert_int_equal(pwrite(fd, "h", 1, 0), 1);
	assert_int_equal(ftruncate(fd, 4), 0);
	assert_int_equal(qrecord_check_mess(fd, &r), QRECORD_TORN);
	assert_int_equal(qrecord_check_mess(-1, &r), QRECORD_ERROR);
	assert_int_equal(qrecord_parse(BYTES("u0\0p1\0F\0"), &r),
	    QRECORD_NOSUM);
	assert_int_equal(qrecord_check_mess(fd, &r), QRECORD_NOSUM);
	qrecord_free(&r);
	assert_int_equal(close(fd), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_head_length),
		cmocka_unit_test(test_cut_and_flip),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_mess),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
