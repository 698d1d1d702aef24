/* test_vplan.c - what is to be done with mail of a virtual domain: every kind
 * of answer and of .qmail file. */
#include "mail/vplan.h"

#include "TESTS/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char dir[] = "/tmp/unit-vplan.XXXXXX";

static void
put(const char *file, const char *text, mode_t mode)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(file, mode), 0);
}

/* text: lines of an answer, "HOME=jo" meaning that directory here. */
static void
answer(struct auth_answer *a, const char *text)
{
	struct str wire = {0};

	while (*text) {
		size_t n = strcspn(text, "\n");

		if (strncmp(text, "HOME=", 5) == 0 ||
		    strncmp(text, "DIR=", 4) == 0) {
			size_t eq = strcspn(text, "=") + 1;

			str_catb(&wire, text, eq);
			str_catf(&wire, "%s/", dir);
			str_catb(&wire, text + eq, n - eq);
		} else {
			str_catb(&wire, text, n);
		}
		str_catc(&wire, '\n');
		text += n + (text[n] == '\n');
	}
	str_cats(&wire, ".\n");
	assert_int_equal(auth_answer_parse(str_c(&wire), wire.len, a),
	    AUTH_OK);
	str_free(&wire);
}

#define JO "DIR=.\nUSER=jo\nHOME=jo\nQUOTA=1000S\n"

/* file: ends of the .qmail's path; steps: joined by "|". */
static const struct {
	const char *answer, *local, *action;
	enum vplan_kind kind;
	enum vplan_source source;
	const char *file, *steps, *matched;
} cases[] = {
	/* aliases go before the mailbox of the same name */
	{"DIR=.\nALIAS=&a@x\nALIAS=|prog x\n", "al", "delete", VPLAN_LINES,
	    VPLAN_ALIAS, "", "forward a@x|program prog x", NULL},
	{JO "ALIAS=b@x\n", "jo", "delete", VPLAN_LINES, VPLAN_ALIAS, "",
	    "forward b@x", NULL},
	{"DIR=.\nALIAS=c@x\nDEFAULT=rest\n", "al-rest", "delete", VPLAN_LINES,
	    VPLAN_ALIAS, "", "forward c@x", "rest"},
	{"DIR=.\nALIAS=# nothing\n", "al", "delete", VPLAN_NOTHING,
	    VPLAN_ALIAS, "", "", NULL},
	/* mailboxes */
	{JO, "jo", "delete", VPLAN_MAILBOX, VPLAN_USER, "", "", NULL},
	{"DIR=.\nUSER=jo\nHOME=jo\nFLAGS=16\n", "jo", "delete",
	    VPLAN_REFUSED, VPLAN_USER, "", "", NULL},
	{"DIR=.\nUSER=jo\nHOME=jo\nFLAGS=15\n", "jo", "delete",
	    VPLAN_MAILBOX, VPLAN_USER, "", "", NULL},
	{"DIR=.\nUSER=jo\n", "jo", "delete", VPLAN_TEMP, VPLAN_USER, "", "",
	    NULL},
	{"DIR=.\nUSER=gone\nHOME=gone\n", "gone", "delete", VPLAN_MAILBOX,
	    VPLAN_USER, "", "", NULL},
	/* their .qmail */
	{"DIR=.\nUSER=al\nHOME=al\n", "al", "delete", VPLAN_LINES,
	    VPLAN_USER, "/al/.qmail",
	    "forward x@y|maildir ./Maildir/|program vacation", NULL},
	{"DIR=.\nUSER=hole\nHOME=hole\n", "hole", "delete", VPLAN_NOTHING,
	    VPLAN_USER, "/hole/.qmail", "", NULL},
	{"DIR=.\nUSER=empty\nHOME=empty\n", "empty", "delete", VPLAN_MAILBOX,
	    VPLAN_USER, "", "", NULL},
	{"DIR=.\nUSER=blank\nHOME=blank\n", "blank", "delete", VPLAN_MAILBOX,
	    VPLAN_USER, "", "", NULL},
	{"DIR=.\nUSER=late\nHOME=late\n", "late", "delete", VPLAN_LINES,
	    VPLAN_USER, "/late/.qmail", "forward x@y", NULL},
	{"DIR=.\nUSER=open\nHOME=open\n", "open", "delete", VPLAN_TEMP,
	    VPLAN_USER, "", "", NULL},
	{"DIR=.\nUSER=list\nHOME=list\n", "list", "delete", VPLAN_LINES,
	    VPLAN_USER, "/list/.qmail", "forward x@y|maildir ./Maildir/",
	    NULL},
	/* as qmailadmin writes them */
	{"DIR=.\nUSER=away\nHOME=away\n", "away", "delete", VPLAN_LINES,
	    VPLAN_USER, "/away/.qmail",
	    "forward x@y|maildir /d/away/Maildir/|program  /usr/bin/"
	    "autorespond 86400 3 /d/away/vacation/message /d/away/vacation",
	    NULL},
	/* extensions */
	{"DIR=.\nUSER=ext\nHOME=ext\n", "ext-a.b", "delete", VPLAN_LINES,
	    VPLAN_USER, "/ext/.qmail-a:b", "forward one@x", NULL},
	{"DIR=.\nUSER=ext\nHOME=ext\n", "ext-c-d", "delete", VPLAN_LINES,
	    VPLAN_USER, "/ext/.qmail-c-default", "forward two@x", "d"},
	{"DIR=.\nUSER=ext\nHOME=ext\n", "ext-e", "delete", VPLAN_LINES,
	    VPLAN_USER, "/ext/.qmail", "forward three@x", NULL},
	{"DIR=.\nUSER=ext\nHOME=ext\n", "ext", "delete", VPLAN_LINES,
	    VPLAN_USER, "/ext/.qmail", "forward three@x", NULL},
	/* nobody */
	{"DIR=.\n", "no", "bounce-no-mailbox", VPLAN_NOBODY, VPLAN_CATCHALL,
	    "", "", NULL},
	{"DIR=.\n", "no", "delete", VPLAN_NOTHING, VPLAN_CATCHALL, "", "",
	    NULL},
	{"DIR=.\n", "no", "a@x", VPLAN_LINES, VPLAN_CATCHALL, "",
	    "forward a@x", NULL},
	{"DIR=.\n", "no", "&a@x", VPLAN_LINES, VPLAN_CATCHALL, "",
	    "forward a@x", NULL},
	{"DIR=.\n", "no", "", VPLAN_TEMP, VPLAN_CATCHALL, "", "", NULL},
	{"DIR=.\n", "no", "|prog", VPLAN_TEMP, VPLAN_CATCHALL, "", "", NULL},
	{"DIR=.\n", "no", "a b", VPLAN_TEMP, VPLAN_CATCHALL, "", "", NULL},
	{"DIR=.\n", "no", "./x/", VPLAN_TEMP, VPLAN_CATCHALL, "", "", NULL},
};

static void
check(size_t i, const struct vplan *p)
{
	struct str steps = {0};

	if (p->kind != cases[i].kind)
		fail_msg("case %zu: kind %d", i, (int)p->kind);
	assert_int_equal(p->source, cases[i].source);
	assert_true(p->file.len >= strlen(cases[i].file));
	assert_string_equal(str_c(&p->file) + p->file.len -
	    strlen(cases[i].file), cases[i].file);
	for (size_t k = 0; k < p->todo.n; k++) {
		if (k > 0)
			str_catc(&steps, '|');
		vplan_cat_step(&steps, &p->todo, k);
	}
	assert_string_equal(str_c(&steps), cases[i].steps);
	assert_int_equal(p->have_matched, cases[i].matched != NULL);
	if (p->have_matched)
		assert_string_equal(str_c(&p->matched), cases[i].matched);
	if (p->kind == VPLAN_TEMP)
		assert_non_null(p->why);
	str_free(&steps);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct auth_answer a = {0};
		struct vplan p;

		answer(&a, cases[i].answer);
		vplan_make(&p, &a, cases[i].local, cases[i].action);
		check(i, &p);
		vplan_free(&p);
		auth_answer_free(&a);
	}
}

static void
test_mailbox(void **state)
{
	struct auth_answer a = {0};
	struct str want = {0};
	struct vplan p;

	(void)state;
	answer(&a, JO);
	vplan_make(&p, &a, "jo", "delete");
	str_catf(&want, "%s/jo/Maildir/", dir);
	assert_string_equal(str_c(&p.maildir), str_c(&want));
	assert_true(p.have_quota);
	assert_int_equal(p.quota.bytes, 1000);
	vplan_free(&p);
	auth_answer_free(&a);
	/* A quota that means nothing sets no limit. */
	answer(&a, "DIR=.\nUSER=jo\nHOME=jo///\nQUOTA=lots\n");
	vplan_make(&p, &a, "jo", "delete");
	assert_string_equal(str_c(&p.maildir), str_c(&want));
	assert_false(quota_is_limited(&p.quota));
	vplan_free(&p);
	auth_answer_free(&a);
	str_free(&want);
}

static void
catchall(const char *sub, enum vplan_kind kind, const char *maildir)
{
	struct auth_answer a = {0};
	struct str path = {0}, want = {0};
	struct vplan p;

	answer(&a, "DIR=.\n");
	str_catf(&path, "%s/%s", dir, sub);
	vplan_make(&p, &a, "no", str_c(&path));
	assert_int_equal(p.kind, kind);
	assert_int_equal(p.source, VPLAN_CATCHALL);
	str_catf(&want, "%s/%s", dir, maildir);
	assert_string_equal(str_c(&p.maildir), str_c(&want));
	assert_false(p.have_quota);
	vplan_free(&p);
	auth_answer_free(&a);
	str_free(&path);
	str_free(&want);
}

static void
test_catchall_path(void **state)
{
	(void)state;
	catchall("box", VPLAN_MAILBOX, "box/Maildir/");
	catchall("box/", VPLAN_MAILBOX, "box/Maildir/");
	catchall("box/Maildir/", VPLAN_MAILBOX, "box/Maildir/");
	catchall("nowhere", VPLAN_MAILBOX, "nowhere/Maildir/");
	catchall("al", VPLAN_LINES, "al/Maildir/");
	catchall("hole", VPLAN_NOTHING, "hole/Maildir/");
}

static void
test_calls(void **state)
{
	static const struct {
		const char *command, *action;
	} calls[] = {
		{"/home/vpopmail/bin/vdelivermail '' bounce-no-mailbox",
		    "bounce-no-mailbox"},
		{" /home/vpopmail/bin/vdelivermail '' delete", "delete"},
		{"vdelivermail \"\" \"$EXT@x.y\"", "$EXT@x.y"},
		{"vdelivermail '' /a/b c", "/a/b"},
		{"vdelivermail", ""},
		{"vdelivermail ''", ""},
		{"'vdelivermail' '' 'a b'", "a b"},
		{"/x/vdelivermail2 '' delete", NULL},
		{"/vdelivermail/x '' delete", NULL},
		{"preline vdelivermail '' delete", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(calls); i++) {
		struct str action = {0};

		assert_int_equal(vplan_is_call(calls[i].command, &action),
		    calls[i].action != NULL);
		if (calls[i].action != NULL)
			assert_string_equal(str_c(&action),
			    calls[i].action);
		str_free(&action);
	}
}

static void
test_names(void **state)
{
	(void)state;
	assert_true(vplan_name_ok("jo-list.x+y'z"));
	assert_true(vplan_name_ok("AZaz09!#$&'*+-./=?^_`{|}~"));
	/* What no account and no alias can be called. */
	for (const char *c = "%\"(),:;<>@[\\]\x80\xff\x01"; *c; c++) {
		const char name[] = {'a', *c, 'b', '\0'};

		assert_false(vplan_name_ok(name));
	}
	assert_false(vplan_name_ok("a b"));
	assert_false(vplan_name_ok("a\nb"));
	assert_false(vplan_name_ok("a\tb"));
	assert_false(vplan_name_ok("a\x7f"));
}

static void
make_tree(void)
{
	static const char *const dirs[] = {"jo", "al", "hole", "empty",
	    "blank", "late", "open", "list", "ext", "away", "box",
	    "box/Maildir", "box/Maildir/new"};

	for (size_t i = 0; i < N_OF(dirs); i++)
		assert_int_equal(mkdir(dirs[i], 0700), 0);
	put("al/.qmail", "&x@y\n./Maildir/\n|vacation\n", 0600);
	put("hole/.qmail", "# delete\n", 0600);
	put("empty/.qmail", "", 0600);
	put("blank/.qmail", "\n \n\t\n", 0600);
	put("late/.qmail", "\n\n&x@y\n", 0600);
	put("open/.qmail", "&x@y\n", 0666);
	put("list/.qmail", "&x@y\n./Maildir/\n", 0700);
	put("away/.qmail", "&x@y\n/d/away/Maildir/\n| /usr/bin/autorespond "
	    "86400 3 /d/away/vacation/message /d/away/vacation\n", 0600);
	put("ext/.qmail-a:b", "&one@x\n", 0600);
	put("ext/.qmail-c-default", "&two@x\n", 0600);
	put("ext/.qmail", "&three@x\n", 0600);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_mailbox),
		cmocka_unit_test(test_catchall_path),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_names),
	};
	int r;

	if (mkdtemp(dir) == NULL || chdir(dir) < 0)
		return 1;
	(void)umask(0);
	make_tree();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	if (chdir("/") == 0) {
		char cmd[64];

		(void)snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
		if (system(cmd) != 0)
			r = 1;
	}
	return r;
}
