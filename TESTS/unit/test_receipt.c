/* test_receipt.c - which messages ask for a receipt, and what it says. */
#include "TESTS/unit/unit.h"

#include "local/receipt.h"

#include <fcntl.h>

static int
asked(const char *text, const char *address, struct str *msgid)
{
	struct str why = {0};
	struct io in;
	int p[2], r;

	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], text, strlen(text)), strlen(text));
	(void)close(p[1]);
	io_init(&in, p[0], -1, IO_FOREVER);
	str_clear(msgid);
	r = receipt_asked(&in, address, msgid, &why);
	(void)close(p[0]);
	str_free(&why);
	return r;
}

static void
test_asked(void **state)
{
#define N "Notice-Requested-Upon-Delivery-To: "
	static const struct {
		const char *text, *msgid;
		int want;
	} c[] = {
		{"", "", 0}, {"\n" N "jo@x\n", "", 0}, {N "jo@x\n", "", 1},
		{N "jo@x\n\n", "", 1}, {N "a@b, Jo <JO@X>\n\n", "", 1},
		{N "a@b,\n jo@x\n\n", "", 1}, {N "a@b\n\n", "", 0},
		{N "\n" N "jo@x\n\n", "", 1}, {N "<jo@x\n\n", "", 0},
		{"notice-requested-upon-delivery-to: (x) jo@x\n\n", "", 1},
		{"Notice-Requested: jo@x\n\n", "", 0},
		{"Message-ID: <1@y> \n" N "jo@x\n", "<1@y>", 1},
		{"Message-ID: <1@y>\n x\n" N "jo@x\n", "", 1},
		{"Message-ID: 1@y\n" N "jo@x\n", "", 1},
		{"no header\n" N "jo@x\n", "", 0},
	};
	struct str id = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(c); i++) {
		assert_int_equal(asked(c[i].text, "jo@x", &id), c[i].want);
		assert_string_equal(str_c(&id), c[i].msgid);
	}
	str_free(&id);
}

static void
test_notice(void **state)
{
	struct str s = {0}, why = {0};
	int dir = open("/", O_RDONLY);

	(void)state;
	receipt_cat_notice(&s, "jo smith@x", "a\nBcc: evil@b", "<1@y>", 0);
	assert_non_null(strstr(str_c(&s),
	    "Date: 1 Jan 1970 00:00:00 -0000\n"));
	assert_non_null(strstr(str_c(&s), "\nFrom: \"jo smith\"@x\n"));
	assert_non_null(strstr(str_c(&s), "\nIn-Reply-To: <1@y>\n"));
	assert_null(strstr(str_c(&s), "\nBcc"));
	str_free(&s);
	/* Bounces and double bounces are not answered: nothing is read. */
	assert_int_equal(receipt_answer(-1, "jo@x", "", NULL, &why), 0);
	assert_int_equal(receipt_answer(-1, "jo@x", "#@[]", NULL, &why), 0);
	assert_int_equal(receipt_answer(dir, "jo@x", "a@b", NULL, &why), 111);
	assert_true(why.len > 0);
	str_free(&why);
	(void)close(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_notice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
