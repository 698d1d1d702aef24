/* test_vdeliver.c - deliveries to virtual users: every way a message can go
 * and every way it can fail, with a queue that is a script. */
#include "vpop/vdeliver.h"

#include "mail/program.h"
#include "mail/verdict.h"
#include "TESTS/unit/home.h"
#include "TESTS/unit/unit.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char base[] = "/tmp/unit-vdeliver.XXXXXX";
static int mfd;
static const char *lines;               /* of the answer; %B%: base */
static enum auth_status says;
static char asked[256];
static bool have_home;                  /* without: no queue */

static void
put(const char *name, const char *text, mode_t mode)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", base, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* "" when there is none. */
static void
slurp(const char *name, char *out, size_t size)
{
	char path[256];
	FILE *f;
	size_t n = 0;

	(void)snprintf(path, sizeof path, "%s/%s", base, name);
	f = fopen(path, "r");
	if (f != NULL) {
		n = fread(out, 1, size - 1, f);
		(void)fclose(f);
	}
	for (size_t i = 0; i < n; i++)
		if (out[i] == '\0')
			out[i] = '|';
	out[n] = '\0';
}

static size_t
count(const char *pattern)
{
	char full[256];
	glob_t g;
	size_t n;

	(void)snprintf(full, sizeof full, "%s/%s", base, pattern);
	if (glob(full, 0, NULL, &g) != 0)
		return 0;
	n = g.gl_pathc;
	globfree(&g);
	return n;
}

static enum auth_status
ask(const char *path, const char *address, struct auth_answer *out)
{
	struct str wire = {0};

	assert_string_equal(path, "socket");
	(void)snprintf(asked, sizeof asked, "%s", address);
	if (says != AUTH_OK)
		return says;
	str_catf(&wire, "DOMAIN=d.example\nDIR=%s/d\nBASE=%s\n", base, base);
	for (const char *p = lines; *p; p++)
		if (*p == '@' && p[1] == '@') {
			str_cats(&wire, base);
			p++;
		} else {
			str_catc(&wire, *p);
		}
	str_cats(&wire, ".\n");
	assert_int_equal(auth_answer_parse(str_c(&wire), wire.len, out),
	    AUTH_OK);
	str_free(&wire);
	return AUTH_OK;
}

static void
message(const char *text)
{
	assert_int_equal(ftruncate(mfd, 0), 0);
	assert_int_equal(pwrite(mfd, text, strlen(text), 0), strlen(text));
}

#define BODY "Received: x\nSubject: y\n\nhello\n"
#define RP "Return-Path: <s@x>\n"
#define OURS "Delivered-To: jo@d.example\n"
#define JO "USER=jo\nHOME=@@/d/jo\n"

static void
init(struct vdeliver *v)
{
	*v = (struct vdeliver){.ext = "Jo", .host = "D.example",
	    .sender = "s@x", .rpline = RP,
	    .dtline = "Delivered-To: d.example-Jo@D.example\n",
	    .action = VPLAN_BOUNCE, .auth = "socket", .ask = ask,
	    .mfd = mfd, .time_ms = 20000};
}

static int
setup(void **state)
{
	char cmd[512], text[256];

	(void)state;
	(void)snprintf(text, sizeof text, "#!/bin/sh\ncat > %s/out.msg\n"
	    "cat <&1 > %s/out.env\n", base, base);
	put("queue", text, 0755);
	(void)snprintf(cmd, sizeof cmd, "cd %s && rm -rf d e domains out* && "
	    "mkdir -p d/jo/Maildir/tmp d/jo/Maildir/new d/jo/Maildir/cur "
	    "domains e/Maildir/tmp e/Maildir/new e/Maildir/cur", base);
	if (system(cmd) != 0)
		return -1;
	lines = JO;
	says = AUTH_OK;
	message(BODY);
	return 0;
}

static void
expect(struct vdeliver *v, int code, const char *said)
{
	struct str words = {0};
	int got = vdeliver_run(v, &words);

	if (strstr(str_c(&words), said) == NULL)
		assert_string_equal(str_c(&words), said);
	assert_int_equal(got, code);
	vdeliver_free(v);
	str_free(&words);
	assert_int_equal(chdir(base), 0);
	/* Whatever happened, nothing half done is left. */
	assert_int_equal(count("d/jo/Maildir/tmp/*"), 0);
}

static void
run(int code, const char *said)
{
	struct vdeliver v;

	init(&v);
	expect(&v, code, said);
}

static void
test_mailbox(void **state)
{
	char text[512];

	(void)state;
	run(VERDICT_OK, "");
	assert_string_equal(asked, "jo@d.example");
	assert_int_equal(count("d/jo/Maildir/new/*"), 1);
	assert_int_equal(system("cat d/jo/Maildir/new/* > out"), 0);
	slurp("out", text, sizeof text);
	assert_string_equal(text, RP OURS BODY);
	/* Its directory is gone: made again. */
	assert_int_equal(system("rm -r d/jo"), 0);
	run(VERDICT_OK, "");
	assert_int_equal(count("d/jo/Maildir/new/*"), 1);
	/* And when that is impossible, the mail waits. */
	assert_int_equal(system("rm -r d/jo && touch d/jo"), 0);
	run(VERDICT_SOFT, "Unable to");
}

static void
test_names(void **state)
{
	static const struct {
		const char *ext, *host;
	} bad[] = {{"", "d.example"}, {"jo", ""}, {"a b", "d.example"},
	    {"a\nb", "d.example"}, {"jo", "d/e"}, {"a,b", "d.example"},
	    {"a%b", "d.example"}, {"j\xc3\xb6", "d.example"},
	    {"jo", "d_\xc3\xb6"}};
	struct vdeliver v;

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		init(&v);
		v.ext = bad[i].ext;
		v.host = bad[i].host;
		*asked = '\0';
		expect(&v, VERDICT_HARD, "(#5.1.3)");
		assert_string_equal(asked, "");
	}
	/* Without or with half a line there is still a header. */
	init(&v);
	v.rpline = "Return-Path: <>";
	expect(&v, VERDICT_OK, "");
	assert_int_equal(system("head -n 2 d/jo/Maildir/new/* | tail -n 1 | "
	    "grep -qx 'Delivered-To: jo@d.example'"), 0);
}

static void
test_no_answer(void **state)
{
	(void)state;
	says = AUTH_TEMP;
	run(VERDICT_SOFT, "(#4.3.0)");
	says = AUTH_FAIL;
	run(VERDICT_SOFT, "d.example is no virtual domain");
	says = AUTH_OK;
	lines = "USER=jo\n";
	run(VERDICT_SOFT, "the mailbox has no directory");
	assert_int_equal(count("d/jo/Maildir/new/*"), 0);
}

static void
test_loop(void **state)
{
	char longer[10000];
	struct vdeliver v;

	(void)state;
	message("Subject: y\ndelivered-to: JO@d.example\n\nx\n");
	run(VERDICT_HARD, "mail is looping");
	/* Not in the body, not a part of a line, not another's. */
	message("Delivered-To: jo@d.example.org\nDelivered-To: xjo@d.example\n"
	    " Delivered-To: jo@d.example\n\nDelivered-To: jo@d.example\n");
	run(VERDICT_OK, "");
	/* Behind a line of any length. */
	memset(longer, 'x', sizeof longer);
	memcpy(longer + sizeof longer - 30, "\n" OURS "\n", 30);
	longer[sizeof longer - 1] = '\0';
	message(longer);
	run(VERDICT_HARD, "mail is looping");
	message(BODY);
	init(&v);
	v.dtline = "Delivered-To: Jo@D.example\n";
	expect(&v, VERDICT_HARD, "mail is looping");
}

static void
test_nobody(void **state)
{
	struct vdeliver v;
	char path[128];

	(void)state;
	lines = "";
	run(VERDICT_HARD, "Sorry, no mailbox here by that name. (#5.1.1)");
	put("domains/.no-user.msg", "everybody's text\n", 0600);
	run(VERDICT_HARD, "everybody's text\n");
	put("d/.no-user.msg", "the domain's text\n", 0600);
	run(VERDICT_HARD, "the domain's text\n");
	init(&v);
	v.action = "delete";
	expect(&v, VERDICT_OK, "");
	init(&v);
	v.action = "what now";
	expect(&v, VERDICT_SOFT, "not understood");
	init(&v);
	(void)snprintf(path, sizeof path, "%s/d/jo", base);
	v.action = path;
	expect(&v, VERDICT_OK, "");
	assert_int_equal(count("d/jo/Maildir/new/*"), 1);
	/* One that is not there is a mistake, not a mailbox to be made. */
	init(&v);
	(void)snprintf(path, sizeof path, "%s/d/jojo", base);
	v.action = path;
	expect(&v, VERDICT_SOFT, "Unable to");
	lines = JO "FLAGS=16\n";
	run(VERDICT_HARD, "This mailbox takes no mail. (#5.2.1)");
}

static void
test_catchall_address(void **state)
{
	struct vdeliver v;
	char text[256];

	(void)state;
	if (!have_home)
		skip();
	lines = "";
	init(&v);
	v.action = "boss@x.example";
	expect(&v, VERDICT_OK, "qp ");
	slurp("out.env", text, sizeof text);
	assert_string_equal(text, "Fs@x|Tboss@x.example||");
	slurp("out.msg", text, sizeof text);
	assert_string_equal(text, OURS BODY);
}

static void
test_alias(void **state)
{
	char text[512];

	(void)state;
	if (!have_home)
		skip();
	lines = JO "ALIAS=&a@x\nALIAS=@@/e/Maildir/\nALIAS=b@x\n"
	    "ALIAS=|cat > @@/out.prog; echo $DEFAULT >> @@/out.prog\n"
	    "DEFAULT=rest\n";
	run(VERDICT_OK, "qp ");
	assert_int_equal(count("d/jo/Maildir/new/*"), 0);
	assert_int_equal(count("e/Maildir/new/*"), 1);
	slurp("out.env", text, sizeof text);
	assert_string_equal(text, "Fs@x|Ta@x|Tb@x||");
	slurp("out.msg", text, sizeof text);
	assert_string_equal(text, OURS BODY);
	slurp("out.prog", text, sizeof text);
	assert_string_equal(text, BODY "rest\n");
	/* Asked to, it keeps a copy; whose quota counts as ever. */
	lines = JO "ALIAS=&a@x\nCOPY=1\nQUOTA=100S\n";
	assert_int_equal(system("rm -r d/jo"), 0);
	run(VERDICT_OK, "qp ");
	assert_int_equal(count("d/jo/Maildir/new/*"), 1);
	slurp("out.env", text, sizeof text);
	assert_string_equal(text, "Fs@x|Ta@x||");
	run(VERDICT_SOFT, "user is over quota");
	/* Nobody there: nothing to keep it in. */
	lines = "ALIAS=&a@x\nCOPY=1\n";
	run(VERDICT_OK, "qp ");
}

static void
test_dotqmail(void **state)
{
	char text[512];

	(void)state;
	if (!have_home)
		skip();
	put("d/jo/.qmail", "# mine\n./Maildir/\n&out@x\n|pwd > pwd; "
	    "echo \"$VDELIVERMAIL $DEFAULT\" > depth\n", 0600);
	assert_int_equal(setenv("DEFAULT", "stale", 1), 0);
	run(VERDICT_OK, "qp ");
	assert_int_equal(unsetenv("DEFAULT"), 0);
	assert_int_equal(count("d/jo/Maildir/new/*"), 1);
	slurp("d/jo/pwd", text, sizeof text);
	assert_non_null(strstr(text, "/d/jo\n"));
	slurp("d/jo/depth", text, sizeof text);
	/* What qmail-local said stays said. */
	assert_string_equal(text, "1 stale\n");
	/* The documented black hole. */
	put("d/jo/.qmail", "# delete\n", 0600);
	run(VERDICT_OK, "");
	assert_int_equal(count("d/jo/Maildir/new/*"), 1);
	/* Empty: as if it were not there. */
	put("d/jo/.qmail", "", 0600);
	run(VERDICT_OK, "");
	assert_int_equal(count("d/jo/Maildir/new/*"), 2);
	put("d/jo/.qmail", "./mbox\n", 0600);
	run(VERDICT_SOFT, "it must end in a slash");
	put("d/jo/.qmail", "&x@y\n", 0602);
	run(VERDICT_SOFT, "can be written by everybody");
	/* One who made everything executable meant nothing by it. */
	put("d/jo/.qmail", "./Maildir/\n", 0700);
	run(VERDICT_OK, "");
	assert_int_equal(count("d/jo/Maildir/new/*"), 3);
}

/* What qmailadmin writes for a user who is away and keeps his mail. */
static void
test_vacation(void **state)
{
	char text[512];

	(void)state;
	if (!have_home)
		skip();
	(void)snprintf(text, sizeof text, "#!/bin/sh\necho \"$@\" "
	    "\"$EXT@$HOST\" \"$SENDER\" >>%s/out.auto\ncat >>%s/out.auto\n",
	    base, base);
	put("autorespond", text, 0755);
	assert_int_equal(setenv("EXT", "jo", 1) | setenv("HOST", "d.example",
	    1) | setenv("SENDER", "s@x", 1), 0);
	(void)snprintf(text, sizeof text, "&out@x\n%s/d/jo/Maildir/\n"
	    "| %s/autorespond 86400 3 %s/d/jo/vacation/message "
	    "%s/d/jo/vacation\n", base, base, base, base);
	put("d/jo/.qmail", text, 0600);
	run(VERDICT_OK, "qp ");
	assert_int_equal(count("d/jo/Maildir/new/*"), 1);
	slurp("out.auto", text, sizeof text);
	assert_memory_equal(text, "86400 3 /", 9);
	assert_non_null(strstr(text, "/d/jo/vacation jo@d.example s@x\n" BODY));
	/* A full mailbox: nobody is told that the mail has come. */
	assert_int_equal(unlink("out.auto"), 0);
	lines = JO "QUOTA=10S\n";
	run(VERDICT_SOFT, "user is over quota");
	assert_int_equal(count("out.auto"), 0);
	assert_int_equal(unsetenv("EXT") | unsetenv("HOST") |
	    unsetenv("SENDER"), 0);
}

static void
closed_qmail(void *arg)
{
	struct vdeliver v;
	struct str words = {0};

	(void)arg;
	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		_exit(80);
	init(&v);
	if (vdeliver_run(&v, &words) != VERDICT_SOFT ||
	    strstr(str_c(&words), ".qmail") == NULL)
		_exit(81);
}

/* Somebody else's .qmail that cannot be read is not taken for none. */
static void
test_closed_dotqmail(void **state)
{
	char text[256];

	(void)state;
	if (geteuid() != 0)
		skip();
	put("d/jo/.qmail", "&x@y\n", 0600);
	assert_int_equal(system("chmod 755 . && chown -R 65534:65534 d && "
	    "chown 0:0 d/jo/.qmail"), 0);
	assert_int_equal(unit_child(closed_qmail, NULL, text, sizeof text), 0);
	assert_int_equal(count("d/jo/Maildir/new/*"), 0);
}

/* A line that fails leaves no copy in the Maildir of the line before it. */
static void
test_failures(void **state)
{
	(void)state;
	if (!have_home)
		skip();
	put("d/jo/.qmail", "./Maildir/\n|exit 111\n", 0600);
	run(VERDICT_SOFT, "");
	put("d/jo/.qmail", "./Maildir/\n|exit 100\n", 0600);
	run(VERDICT_HARD, "");
	put("d/jo/.qmail", "./Maildir/\n./Nowhere/\n", 0600);
	run(VERDICT_SOFT, "Nowhere");
	put("d/jo/.qmail", "./Maildir/\n&out@x\n", 0600);
	put("queue", "#!/bin/sh\nexit 53\n", 0755);
	run(VERDICT_SOFT, "Unable to forward");
	put("queue", "#!/bin/sh\nexit 31\n", 0755);
	run(VERDICT_HARD, "Unable to forward");
	assert_int_equal(count("d/jo/Maildir/new/*"), 0);
	/* 99: what stands before it is done, what follows is not. */
	put("d/jo/.qmail", "./Maildir/\n|exit 99\n|touch after\n", 0600);
	run(PROGRAM_STOP, "");
	assert_int_equal(count("d/jo/Maildir/new/*"), 1);
	assert_int_equal(count("d/jo/after"), 0);
}

static void
test_quota(void **state)
{
	(void)state;
	lines = JO "QUOTA=200S\n";
	run(VERDICT_OK, "");
	run(VERDICT_OK, "");
	run(VERDICT_SOFT, "user is over quota (#4.2.2)");
	lines = JO "QUOTA=200S\nOVERQUOTA=bounce\n";
	run(VERDICT_HARD, "user is over quota (#5.2.2)");
	put("domains/.over-quota.msg", "full, sorry\n", 0600);
	run(VERDICT_HARD, "full, sorry\n");
	lines = JO "QUOTA=200S\nOVERQUOTA=accept\n";
	run(VERDICT_OK, "");
	assert_int_equal(count("d/jo/Maildir/new/*"), 3);
	/* However its .qmail writes the mailbox, the quota is the user's. */
	lines = JO "QUOTA=200S\nOVERQUOTA=bounce\n";
	put("d/jo/.qmail", "./Maildir/\n", 0600);
	run(VERDICT_HARD, "full, sorry\n");
	lines = JO "QUOTA=NOQUOTA\n";
	run(VERDICT_OK, "");
}

/* -- the walls -- */

static const char *wall_home;
static int wall_code;

static void
behind_walls(void *arg)
{
	struct vdeliver v;
	struct str words = {0};
	static char text[256];

	(void)arg;
	(void)snprintf(text, sizeof text, "USER=jo\nHOME=%s\n", wall_home);
	lines = text;
	(void)unsetenv("QMAILQUEUE");
	init(&v);
	v.sandbox = true;
	if (vdeliver_run(&v, &words) != wall_code)
		_exit(90);
	/* Another domain is out of reach, if the kernel can do that. */
	(void)snprintf(text, sizeof text, "%s/e/Maildir/tmp/x", base);
	if (open(text, O_CREAT | O_WRONLY, 0600) >= 0)
		_exit(91);
}

static void
test_walls(void **state)
{
	char home[128], text[256];
	int status;

	(void)state;
	if (access("/sys/kernel/security/lsm", F_OK) == 0 &&
	    system("grep -q landlock /sys/kernel/security/lsm") != 0)
		skip();
	(void)snprintf(home, sizeof home, "%s/d/jo", base);
	wall_home = home;
	wall_code = VERDICT_OK;
	status = unit_child(behind_walls, NULL, text, sizeof text);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 91)
		skip();
	assert_int_equal(status, 0);
	assert_int_equal(count("d/jo/Maildir/new/*"), 1);
	/* One that has to be made, and one that is elsewhere. */
	assert_int_equal(system("rm -r d/jo"), 0);
	status = unit_child(behind_walls, NULL, text, sizeof text);
	assert_int_equal(status, 0);
	assert_int_equal(count("d/jo/Maildir/new/*"), 1);
	/* Moved to another disk: the mailbox, or its Maildir alone. */
	assert_int_equal(system("rm -r d/jo && mkdir -p e/moved && "
	    "ln -s ../e/moved d/jo"), 0);
	status = unit_child(behind_walls, NULL, text, sizeof text);
	assert_int_equal(status, 0);
	assert_int_equal(count("e/moved/Maildir/new/*"), 1);
	assert_int_equal(system("rm d/jo && mkdir d/jo && "
	    "ln -s ../../e/moved/Maildir d/jo/Maildir"), 0);
	status = unit_child(behind_walls, NULL, text, sizeof text);
	assert_int_equal(status, 0);
	assert_int_equal(count("e/moved/Maildir/new/*"), 2);
	/* What its .qmail writes outside waits. */
	(void)snprintf(text, sizeof text, "%s/e/Maildir/\n", base);
	put("d/jo/.qmail", text, 0600);
	wall_code = VERDICT_SOFT;
	status = unit_child(behind_walls, NULL, text, sizeof text);
	assert_int_equal(status, 0);
	assert_int_equal(count("e/Maildir/new/*"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_mailbox, setup),
		cmocka_unit_test_setup(test_names, setup),
		cmocka_unit_test_setup(test_no_answer, setup),
		cmocka_unit_test_setup(test_loop, setup),
		cmocka_unit_test_setup(test_nobody, setup),
		cmocka_unit_test_setup(test_catchall_address, setup),
		cmocka_unit_test_setup(test_alias, setup),
		cmocka_unit_test_setup(test_dotqmail, setup),
		cmocka_unit_test_setup(test_vacation, setup),
		cmocka_unit_test_setup(test_closed_dotqmail, setup),
		cmocka_unit_test_setup(test_failures, setup),
		cmocka_unit_test_setup(test_quota, setup),
		cmocka_unit_test_setup(test_walls, setup),
	};
	char text[512];
	int r;

	if (mkdtemp(base) == NULL || chdir(base) < 0)
		return 1;
	mfd = open(base, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	(void)snprintf(text, sizeof text, "%s/queue", base);
	if (mfd < 0 || setenv("QMAILQUEUE", text, 1) < 0)
		return 1;
	have_home = unit_make_home();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	(void)snprintf(text, sizeof text, "rm -rf %s", base);
	return chdir("/") < 0 || system(text) != 0 || r != 0;
}
