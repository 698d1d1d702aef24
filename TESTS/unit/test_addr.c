/* test_addr.c - address lists: the forms of 5322, the obsolete ones, the
 * liberties, what is refused, and what a hostile list may cost. */
#include "mail/addr.h"

#include "TESTS/unit/unit.h"

#include <stdlib.h>
#include <time.h>

/* plain: the addresses, each followed by '|'.  printed: NULL when the list is
 * printed as it was written. */
static const struct {
	const char *text, *plain, *printed;
} good[] = {
	{"", "", NULL},
	{"joe", "joe|", NULL},
	{"joe@x.example", "joe@x.example|", NULL},
	{"a@b, c@d", "a@b|c@d|", NULL},
	{"<a@b>", "a@b|", NULL},
	{"<>", "|", NULL},
	/* 5322:A.1 */
	{"John Doe <jdoe@machine.example>", "jdoe@machine.example|", NULL},
	{"\"Joe Q. Public\" <john.q.public@example.com>",
	    "john.q.public@example.com|", NULL},
	{"Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
	    "mary@x.test|jdoe@example.org|one@y.test|", NULL},
	{"<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
	    "boss@nil.test|sysservices@example.net|", NULL},
	{"A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
	    "c@a.test|joe@where.test|jdoe@one.test|",
	    "A Group: Ed Jones <c@a.test>, joe@where.test, "
	    "John <jdoe@one.test>;"},
	{"Undisclosed recipients:;", "", "Undisclosed recipients: ;"},
	/* 5322:A.5: white space and comments */
	{"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
	    "pete@silly.test|",
	    "Pete(A nice \\) chap) <pete@silly.test> (his account)"
	    " (his host)"},
	{"A Group(Some people)\n     :Chris Jones <c@(Chris's host.)public.ex"
	    "ample>,\n         joe@example.org,\n  John <jdoe@one.test> (my de"
	    "ar friend); (the end of the group)",
	    "c@public.example|joe@example.org|jdoe@one.test|",
	    "A Group(Some people): Chris Jones <c@public.example> "
	    "(Chris's host.),\n"
	    "  joe@example.org, John <jdoe@one.test> (my dear friend);\n"
	    "  (the end of the group)"},
	{"(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", "",
	    "(Empty list) (start) Hidden recipients: (nobody(that I know));"},
	/* 5322:A.6: obsolete */
	{"Joe Q. Public <john.q.public@example.com>",
	    "john.q.public@example.com|", NULL},
	{"Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
	    "mary@example.net|jdoe@test.example|",
	    "Mary Smith <mary@example.net>, jdoe@test.example"},
	{"<@a,@b(x),,@c:joe@d>", "joe@d|", "<joe@d> (x)"},
	{"John Doe <jdoe@machine(comment).  example>", "jdoe@machine.example|",
	    "John Doe <jdoe@machine.example> (comment)"},
	{"joe . blow (c) @ host . example", "joe.blow@host.example|",
	    "joe.blow@host.example (c)"},
	{"\"joe\".blow@x", "joe.blow@x|", "joe.blow@x"},
	{",,a@b,,", "a@b|", "a@b"},
	{"Jo\"hn\"Doe <j@x>", "j@x|", "Jo\"hn\"Doe <j@x>"},
	/* quoting */
	{"\"a b\"@x", "a b@x|", NULL},
	{"\"a\\\"b\"@x", "a\"b@x|", NULL},
	{"\"\"@x", "@x|", NULL},
	{"\"a\\b\"@x", "ab@x|", "ab@x"},
	{"a\\ b@x", "a b@x|", "\"a b\"@x"},
	{"\"a\n b\"@x", "a b@x|", "\"a b\"@x"},
	{"\"a,b\" <a@x>", "a@x|", NULL},
	{"\"a\\\nb\" <a@x>", "a@x|", "\"ab\" <a@x>"},
	{"a\001b@x", "a\001b@x|", "\"a\001b\"@x"},
	/* literals */
	{"joe@[127.0.0.1]", "joe@[127.0.0.1]|", NULL},
	{"joe@[IPv6:::1]", "joe@[IPv6:::1]|", NULL},
	{"joe@[ 127. 0.0.1 ]", "joe@[127.0.0.1]|", "joe@[127.0.0.1]"},
	/* UTF-8, 6532 */
	{"\xc3\xbc@\xc3\xbc.example", "\xc3\xbc@\xc3\xbc.example|", NULL},
	{"J\xc3\xb6\x65 <j@x>", "j@x|", NULL},
	{"J\xf6\x65 <j@x>", "j@x|", NULL},              /* Latin-1 in a name */
	/* liberties */
	{"a@b c@d", "a@b|c@d|", "a@b, c@d"},
	{"a@b; c@d", "a@b|c@d|", "a@b, c@d"},
	{"a b c@d", "a|b|c@d|", "a, b, c@d"},
	{"<a@b> <c@d>", "a@b|c@d|", "<a@b>, <c@d>"},
	{"Al <a@b> Bo <c@d>", "a@b|c@d|", "Al <a@b>, Bo <c@d>"},
	{"joe@x.com <joe@x.com>", "joe@x.com|", "\"joe@x.com\" <joe@x.com>"},
	{"team: a@b, c@d", "a@b|c@d|", "team: a@b, c@d;"},
	{".a..b.@x", ".a..b.@x|", "\".a..b.\"@x"},
	{"a@b@c", "a@b@c|", "\"a@b\"@c"},
	{"<list-@host-@[]>", "list-@host-@[]|", "<\"list-@host-\"@[]>"},
	{"<#@[]>", "#@[]|", NULL},
	{"a@", "a@|", NULL},
	{"@a", "@a|", "\"\"@a"},
	{"joe (Joe)", "joe|", NULL},
	{"(Joe) joe", "joe|", NULL},
	{"(nobody)", "", NULL},
	{"a@b.", "a@b.|", NULL},
	{"a@b\r\n\t,\r\n c@d\r\n", "a@b|c@d|", "a@b, c@d"},
};

static const struct {
	const char *text;
	enum addr_status want;
} bad[] = {
	{"(", ADDR_COMMENT},
	{"a@b (c(d)", ADDR_COMMENT},
	{"(\\)", ADDR_COMMENT},
	{"(\\", ADDR_COMMENT},
	{"\"a", ADDR_QUOTE},
	{"\"a\\\"", ADDR_QUOTE},
	{"\"a\\", ADDR_QUOTE},
	{"a\\", ADDR_QUOTE},
	{"a@[1.2", ADDR_LITERAL},
	{"a@[1[2]]", ADDR_LITERAL},
	{"<a@b", ADDR_ANGLE},
	{"<<a@b>>", ADDR_ANGLE},
	{"<a@b, c@d>", ADDR_ANGLE},
	{"<a:b>", ADDR_ANGLE},
	{"<a;b>", ADDR_ANGLE},
	{"a b c <", ADDR_ANGLE},
	{"a@b>", ADDR_STRAY},
	{"a)", ADDR_STRAY},
	{"a]", ADDR_STRAY},
	{"<a b@c>", ADDR_WORDS},
	{"a\"b\"@c", ADDR_WORDS},
	{"a[1]", ADDR_WORDS},
	{"<a@b>c", ADDR_WORDS},
	{"a@\"b\"", ADDR_HOST},
	{"a@b\\,c", ADDR_HOST},
	{"a@b\001c", ADDR_HOST},
	{"a@\xfc", ADDR_HOST},
	{"a@[1\001]", ADDR_HOST},
	{"a@[1].b", ADDR_HOST},
	{"a@b.[1]", ADDR_HOST},
	{":", ADDR_GROUP},
	{"a: b: c;", ADDR_GROUP},
	{"a::b@x", ADDR_GROUP},
};

static void
plain_of(struct str *out, const struct addr_list *l)
{
	str_clear(out);
	for (size_t i = 0; i < l->n; i++) {
		if (l->items[i].kind != ADDR_MAILBOX)
			continue;
		addr_cat_plain(out, l, i);
		str_catc(out, '|');
	}
}

static void
test_good(void **state)
{
	struct addr_list l = {0};
	struct str s = {0}, again = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++) {
		const char *text = good[i].text;

		assert_int_equal(addr_parse(&l, text, strlen(text)), ADDR_OK);
		plain_of(&s, &l);
		assert_string_equal(str_c(&s), good[i].plain);
		str_clear(&s);
		addr_cat_list(&s, &l, 4);
		assert_string_equal(str_c(&s), good[i].printed != NULL ?
		    good[i].printed : text);
		/* What was printed means the same. */
		assert_int_equal(addr_parse(&l, str_c(&s), s.len), ADDR_OK);
		plain_of(&again, &l);
		assert_string_equal(str_c(&again), good[i].plain);
		str_clear(&again);
		addr_cat_list(&again, &l, 4);
		assert_string_equal(str_c(&again), str_c(&s));
	}
	addr_free(&l);
	str_free(&s);
	str_free(&again);
}

static void
test_bad(void **state)
{
	struct addr_list l = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		assert_int_equal(addr_parse(&l, bad[i].text,
		    strlen(bad[i].text)), bad[i].want);
		assert_int_equal(l.n, 0);
	}
	assert_int_equal(addr_parse(&l, "a\0b@c", 5), ADDR_NUL);
	assert_int_equal(addr_parse(&l, "\"a\0\"@c", 6), ADDR_NUL);
	assert_int_equal(addr_parse(&l, "a(\0)", 4), ADDR_NUL);
	assert_int_equal(addr_parse(&l, "a@[\0]", 5), ADDR_NUL);
	addr_free(&l);
}

/* Only what is before the end counts: no byte past n is looked at. */
static void
test_exact_length(void **state)
{
	struct addr_list l = {0};
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++)
		for (size_t n = 0; n < strlen(good[i].text); n++) {
			char *copy = mem_alloc(n > 0 ? n : 1, 1);
			enum addr_status st;

			memcpy(copy, good[i].text, n);
			st = addr_parse(&l, copy, n);
			str_clear(&s);
			addr_cat_list(&s, &l, 0);
			assert_true(st == ADDR_OK || l.n == 0);
			free(copy);
		}
	addr_free(&l);
	str_free(&s);
}

static void
test_plain(void **state)
{
	static const struct {
		const char *addr, *printed;
	} p[] = {
		{"", "<>"},
		{"joe", "joe"},
		{"a b@c", "\"a b\"@c"},
		{"a@b@c", "\"a@b\"@c"},
		{"a@", "a@"},
		{"(a@b", "\"(a\"@b"},
	};
	struct addr_list l = {0};
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(p); i++) {
		addr_from_plain(&l, p[i].addr, strlen(p[i].addr));
		assert_int_equal(l.n, 1);
		str_clear(&s);
		addr_cat_plain(&s, &l, 0);
		assert_string_equal(str_c(&s), p[i].addr);
		str_clear(&s);
		addr_cat_list(&s, &l, 0);
		assert_string_equal(str_c(&s), p[i].printed);
	}
	addr_from_plain(&l, "joe", 3);
	addr_set_host(&l, 0, "x.example", 9);
	str_clear(&s);
	addr_cat_plain(&s, &l, 0);
	assert_string_equal(str_c(&s), "joe@x.example");
	assert_false(addr_is_literal(&l, &l.items[0]));
	addr_set_host(&l, 0, "[::1]", 5);
	assert_true(addr_is_literal(&l, &l.items[0]));
	addr_free(&l);
	str_free(&s);
}

/* No line is longer than its longest address makes it. */
static void
test_folding(void **state)
{
	struct addr_list l = {0};
	struct str s = {0}, in = {0};
	size_t begin = 0;

	(void)state;
	for (int i = 0; i < 500; i++)
		str_catf(&in, "%suser%d@host%d.example", i ? "," : "", i, i);
	assert_int_equal(addr_parse(&l, str_c(&in), in.len), ADDR_OK);
	assert_int_equal(l.n, 500);
	str_cats(&s, "To: ");
	addr_cat_list(&s, &l, 4);
	str_catc(&s, '\n');
	while (begin < s.len) {
		size_t n = bytes_chr(s.s + begin, s.len - begin, '\n');

		assert_true(n <= 78 && n > 20);
		begin += n + 1;
		assert_true(begin == s.len || s.s[begin] == ' ');
	}
	addr_free(&l);
	str_free(&s);
	str_free(&in);
}

static double
seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What was quadratic in others: a megabyte of each costs milliseconds here;
 * the bound leaves room for sanitizers and slow machines. */
static void
test_hostile(void **state)
{
	static const char *const pieces[] = {"(", "()", "a(", "<", "<a@b>",
	    "a,", "a ", "a:;", "a:", "\"", "\"\"", "\\(", "[", "[]", ".", "@",
	    ",", ";", " ", "a@b,", "<@a:", "@a,", "\n", "a.", "(a)b ", "\\"};
	struct addr_list l = {0};
	struct str in = {0}, out = {0};
	double begin = seconds();

	(void)state;
	for (size_t i = 0; i < N_OF(pieces); i++) {
		str_clear(&in);
		while (in.len < 1 << 20)
			str_cats(&in, pieces[i]);
		if (addr_parse(&l, str_c(&in), in.len) == ADDR_OK) {
			str_clear(&out);
			addr_cat_list(&out, &l, 0);
			assert_true(l.n <= ADDR_ITEMS_MAX);
		}
	}
	/* A million comments in each other, closed. */
	str_clear(&in);
	for (int i = 0; i < 1000000; i++)
		str_catc(&in, '(');
	for (int i = 0; i < 1000000; i++)
		str_catc(&in, ')');
	str_cats(&in, " joe@x");
	assert_int_equal(addr_parse(&l, str_c(&in), in.len), ADDR_OK);
	assert_int_equal(l.n, 1);
	/* One list of as many addresses as there may be, and one more. */
	str_clear(&in);
	for (unsigned i = 0; i < ADDR_ITEMS_MAX; i++)
		str_cats(&in, "a,");
	assert_int_equal(addr_parse(&l, str_c(&in), in.len), ADDR_OK);
	assert_int_equal(l.n, ADDR_ITEMS_MAX);
	str_cats(&in, "a");
	assert_int_equal(addr_parse(&l, str_c(&in), in.len), ADDR_MANY);
	assert_true(seconds() - begin < 10);
	addr_free(&l);
	str_free(&in);
	str_free(&out);
}

static void
test_texts(void **state)
{
	(void)state;
	for (int st = ADDR_OK; st <= ADDR_MANY; st++)
		assert_non_null(addr_text((enum addr_status)st));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_exact_length),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_folding),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
