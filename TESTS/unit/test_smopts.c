/* test_smopts.c - sendmail's command lines: what programs really say, each
 * option attached and apart, and what is refused; senders; exit codes. */
#include "inject/smopts.h"

#include "TESTS/unit/unit.h"

#include "inject/smrun.h"

#include <stdlib.h>
#include <sysexits.h>

/* Splits at blanks; "_" stands for an empty word. */
static int
words(char *line, char **argv, int max)
{
	int n = 0;

	for (char *p = line; *p != '\0' && n < max - 1;) {
		argv[n++] = p;
		p += strcspn(p, " ");
		if (*p != '\0')
			*p++ = '\0';
		if (strcmp(argv[n - 1], "_") == 0)
			*argv[n - 1] = '\0';
	}
	argv[n] = NULL;
	return n;
}

/* "mode flags sender name rcpts": flags t i v, "-" for none. */
static void
describe(struct str *out, const struct smopts *o)
{
	static const char *const modes[] = {
		[SM_MAIL] = "mail", [SM_SMTP] = "smtp", [SM_LIST] = "list",
		[SM_ALIASES] = "aliases", [SM_VERIFY] = "verify",
		[SM_DAEMON] = "daemon", [SM_FLUSH] = "flush",
	};

	str_copys(out, modes[o->mode]);
	str_cats(out, o->from_header ? " t" : " ");
	str_cats(out, o->dots_pass ? "i" : "");
	str_cats(out, o->verbose ? "v" : "");
	str_cats(out, o->json ? "j" : "");
	if (o->sender != NULL)
		str_catf(out, " f=%s", o->sender);
	if (o->name != NULL)
		str_catf(out, " F=%s", o->name);
	if (o->q_id != NULL)
		str_catf(out, " I=%s", o->q_id);
	if (o->q_rcpt != NULL)
		str_catf(out, " R=%s", o->q_rcpt);
	if (o->q_sender != NULL)
		str_catf(out, " S=%s", o->q_sender);
	for (size_t i = 0; i < o->nrcpts; i++)
		str_catf(out, " <%s>", o->rcpts[i]);
	if (o->dsn.ret != DSN_RET_NONE || o->dsn.envid.len > 0) {
		str_catc(out, ' ');
		dsn_message_cat(out, &o->dsn);
	}
	if (o->notify.notify != 0) {
		str_catc(out, ' ');
		dsn_rcpt_cat(out, &o->notify);
	}
}

static const struct {
	const char *line, *want;        /* NULL: refused */
} cases[] = {
	/* what Debian's programs say */
	{"sendmail -FCronDaemon -i -B8BITMIME -oem joe",
	    "mail i F=CronDaemon <joe>"},
	{"sendmail -FAnacron -odi joe", "mail  F=Anacron <joe>"},
	{"sendmail -oem -oi -B8BITMIME -f a@b -N failure,delay -R hdrs -- c d",
	    "mail i f=a@b <c> <d> RET=HDRS NOTIFY=FAILURE,DELAY"},
	{"sendmail -oem -t -oi", "mail ti"},
	{"/usr/lib/sendmail -bs -odb -oem", "smtp "},
	{"sendmail -t -i -fa@b", "mail ti f=a@b"},
	{"sendmail -i -r a@b c", "mail i f=a@b <c>"},
	{"sendmail -f <a@b> <c@d>", "mail  f=<a@b> <<c@d>>"},
	{"sendmail -i -f a@b -- -c d", "mail i f=a@b <-c> <d>"},
	/* mixed and clustered */
	{"sendmail joe -f a bo -i", "mail i f=a <joe> <bo>"},
	{"sendmail -tif a", "mail ti f=a"},
	{"sendmail -tifa", "mail ti f=a"},
	{"sendmail -f _ joe", "mail  f= <joe>"},
	{"sendmail _", "mail  <>"},
	{"sendmail -", "mail  <->"},
	{"sendmail", "mail "},
	{"sendmail -i --", "mail i"},
	/* everything that is taken and means nothing */
	{"sendmail -m -x -c -E -J -G -U -e m -em -oee -p ESMTP -pSMTP joe",
	    "mail  <joe>"},
	{"sendmail -h 5 -h5 -L tag -A m -Am -Ac -O a=b -Oa=b -C /x joe",
	    "mail  <joe>"},
	/* wishes about reports: the last of each counts */
	{"sendmail -V id -Vid2 -N never -Nsuccess -R full -RHDRS joe",
	    "mail  <joe> RET=HDRS ENVID=id2 NOTIFY=SUCCESS"},
	{"sendmail -V a+2Bb joe", "mail  <joe> ENVID=a+2Bb"},
	{"sendmail -V a=b joe", "mail  <joe> ENVID=a+3Db"},
	{"sendmail -V a+b joe", "mail  <joe> ENVID=a+2Bb"},
	{"sendmail -N NEVER joe", "mail  <joe> NOTIFY=NEVER"},
	{"sendmail -oQ/x -oMrX -o i -odq joe", "mail i <joe>"},
	{"sendmail -v -ov joe", "mail v <joe>"},
	/* modes */
	{"sendmail -bm joe", "mail  <joe>"},
	{"sendmail -b m joe", "mail  <joe>"},
	{"sendmail -bp", "list "},
	{"sendmail -bv joe", "verify  <joe>"},
	{"sendmail -bi", "aliases "},
	{"sendmail -I", "aliases "},
	{"sendmail -bd -q15m", "daemon "},
	{"sendmail -q15m -bd", "daemon "},
	{"sendmail -q", "flush "},
	{"sendmail -qf", "flush "},
	{"sendmail -q15m", "flush "},
	{"sendmail -qI4711", "flush  I=4711"},
	{"sendmail -qRx", "flush  R=x"},
	{"sendmail -qSy", "flush  S=y"},
	{"mailq", "list "},
	{"/usr/bin/mailq -j", "list j"},
	{"newaliases", "aliases "},
	{"/usr/bin/newaliases", "aliases "},
	/* refused */
	{"sendmail -bt", NULL},
	{"sendmail -bz", NULL},
	{"sendmail -bmm", NULL},
	{"sendmail -d0", NULL},
	{"sendmail -n", NULL},
	{"sendmail -X /x", NULL},
	{"sendmail -Mx", NULL},
	{"sendmail -s", NULL},
	{"sendmail -K", NULL},
	{"sendmail -f", NULL},
	{"sendmail -N", NULL},
	{"sendmail -N sometimes", NULL},
	{"sendmail -N success,never", NULL},
	{"sendmail -N _", NULL},
	{"sendmail -R some", NULL},
	{"sendmail -V _ joe", NULL},
	{"sendmail -V a\x01 joe", NULL},
	{"sendmail -h x", NULL},
	{"sendmail -h 5x", NULL},
	{"sendmail -qI", NULL},
	{"sendmail -qIx", NULL},
	{"sendmail -j", NULL},
	{"sendmail --help", NULL},
};

static void
test_lines(void **state)
{
	struct str why = {0}, s = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct smopts o;
		char *argv[32], *line = strdup(cases[i].line);
		int r, argc;

		assert_non_null(line);
		argc = words(line, argv, 32);
		str_clear(&why);
		r = smopts_parse(&o, argc, argv, &why);
		assert_int_equal(r, cases[i].want == NULL ? -1 : 0);
		assert_true((r == -1) == (why.len > 0));
		if (r == 0) {
			describe(&s, &o);
			assert_string_equal(str_c(&s), cases[i].want);
		}
		smopts_free(&o);
		free(line);
	}
	str_free(&why);
	str_free(&s);
}

static void
test_senders(void **state)
{
	static const struct {
		const char *arg, *want;
	} c[] = {
		{"", ""},
		{"<>", ""},
		{"a@b", "a@b"},
		{"<a@b>", "a@b"},
		{"Al <a@b>", "a@b"},
		{"a@b (Al)", "a@b"},
		{"\"a b\"@c", "a b@c"},
		{"l-@h-@[]", "l-@h-@[]"},
		{"#@[]", "#@[]"},
		{"a b@c", "a b@c"},             /* no address list: as it is */
		{"a(b", "a(b"},
	};
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(c); i++) {
		smrun_sender(&s, c[i].arg);
		assert_string_equal(str_c(&s), c[i].want);
	}
	str_free(&s);
}

static void
test_codes(void **state)
{
	(void)state;
	assert_int_equal(smrun_exit_code(INJECT_OK), 0);
	assert_int_equal(smrun_exit_code(INJECT_NORCPT), EX_USAGE);
	assert_int_equal(smrun_exit_code(INJECT_BADADDR), EX_DATAERR);
	assert_int_equal(smrun_exit_code(INJECT_BADHEADER), EX_DATAERR);
	assert_int_equal(smrun_exit_code(INJECT_LIMIT), EX_DATAERR);
	assert_int_equal(smrun_exit_code(INJECT_READ), EX_IOERR);
	assert_int_equal(smrun_exit_code(INJECT_CONFIG), EX_TEMPFAIL);
	assert_int_equal(smrun_exit_code(INJECT_REFUSED), EX_NOPERM);
	assert_int_equal(smrun_exit_code(INJECT_DEFERRED), EX_TEMPFAIL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_senders),
		cmocka_unit_test(test_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
