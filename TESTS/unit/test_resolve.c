/* test_resolve.c - where mail goes: every form of routing, every kind of not
 * knowing, virtual domains by every answer of authdaemond, and the steps that
 * an administrator reads. */
#include "control/resolve.h"

#include "mail/verdict.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static char dir[] = "/tmp/unit-resolve.XXXXXX";
static int trouble;             /* what find answers, if not 0 */

static void
put(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
fill(struct users_entry *e, const char *user, const char *home,
    const char *dash, const char *ext)
{
	str_copys(&e->user, user);
	str_copys(&e->home, dir);
	str_catf(&e->home, "/%s", home);
	str_copys(&e->dash, dash);
	str_copys(&e->ext, ext);
	e->uid = 1000;
	e->gid = 1000;
}

/* Accounts jo (home jo), door (no home to be found), alias. */
static int
find(const char *local, struct users_entry *e)
{
	size_t n = strcspn(local, "-");

	if (trouble != 0)
		return trouble;
	if (bytes_caseeq(local, n, "jo", 2))
		fill(e, "jo", "jo", local[n] == '-' ? "-" : "",
		    local[n] == '-' ? local + n + 1 : "");
	else if (bytes_caseeq(local, n, "gone", 4))
		fill(e, "gone", "gone", "-", "x");
	else
		fill(e, "alias", "alias", "-", local);
	return 0;
}

static enum auth_status auth_says;      /* if not AUTH_OK */
static const char *auth_more;           /* lines of every answer */
static unsigned asked;

static const struct {
	const char *addr, *lines;
} accounts[] = {
	{"ana@v.example", "USER=ana\nHOME=%s/v/ana\nQUOTA=1000S\n"},
	{"ana@alias.example", "USER=ana\nHOME=%s/v/ana\n"},
	{"bob@v.example", "USER=bob\nHOME=%s/v/bob\nFLAGS=0\n"},
	{"off@v.example", "USER=off\nHOME=%s/v/off\nFLAGS=16\n"},
	{"many@v.example", "ALIAS=&a@x\nALIAS=|prog\n%.0s"},
	{"full@v.example", "USER=full\nHOME=%s/v/full\nFULL=1\n"},
	{"fullb@v.example",
	    "USER=fullb\nHOME=%s/v/f\nFULL=1\nOVERQUOTA=bounce\n"},
	{"fulla@v.example",
	    "USER=fulla\nHOME=%s/v/f\nFULL=1\nOVERQUOTA=accept\n"},
};

static enum auth_status
ask(const char *path, const char *address, struct auth_answer *out)
{
	struct str wire = {0};

	assert_string_equal(path, "socket");
	asked++;
	if (auth_says != AUTH_OK)
		return auth_says;
	str_catf(&wire, "DOMAIN=v.example\nDIR=%s/v\n", dir);
	if (auth_more != NULL)
		str_cats(&wire, auth_more);
	for (size_t i = 0; i < N_OF(accounts); i++)
		if (strcmp(accounts[i].addr, address) == 0) {
			const char *l = accounts[i].lines;
			size_t at = (size_t)(strchrnul(l, '%') - l);

			str_catb(&wire, l, at);
			if (strncmp(l + at, "%s", 2) == 0)
				str_catf(&wire, "%s%s", dir, l + at + 2);
		}
	str_cats(&wire, ".\n");
	assert_int_equal(auth_answer_parse(str_c(&wire), wire.len, out),
	    AUTH_OK);
	str_free(&wire);
	return AUTH_OK;
}

static const struct {
	const char *addr;
	enum resolve_status want;
} cases[] = {
	/* remote: not ours to judge */
	{"x@remote.example", RESOLVE_YES},
	{"x@except.virt.example", RESOLVE_YES},
	/* accounts and their extensions */
	{"jo@home.example", RESOLVE_YES},
	{"JO@Home.Example", RESOLVE_YES},
	{"jo", RESOLVE_YES},
	{"jo-list@home.example", RESOLVE_YES},
	{"JO-List@home.example", RESOLVE_YES},
	{"jo-none@home.example", RESOLVE_NO},
	{"jo-@home.example", RESOLVE_NO},
	{"jo-deep-a-b@home.example", RESOLVE_YES},
	{"jo-deep-@home.example", RESOLVE_YES},
	{"jo-deep@home.example", RESOLVE_NO},
	{"jo-a.b@home.example", RESOLVE_YES},
	{"jo-dir@home.example", RESOLVE_NO},
	{"jo-default@home.example", RESOLVE_NO},
	{"jo-../../etc/passwd@home.example", RESOLVE_NO},
	/* alias */
	{"info@home.example", RESOLVE_YES},
	{"nobody@home.example", RESOLVE_NO},
	{"nobody", RESOLVE_NO},
	{"@home.example", RESOLVE_NO},
	{"any-thing@home.example", RESOLVE_YES},
	{"\xc3\xb6@home.example", RESOLVE_NO},
	/* always somebody's */
	{"postmaster@home.example", RESOLVE_YES},
	{"PostMaster@home.example", RESOLVE_YES},
	{"postmaster", RESOLVE_YES},
	{"abuse@home.example", RESOLVE_YES},
	{"abuse@virt.example", RESOLVE_YES},
	{"postmaster@jo.example", RESOLVE_YES},
	{"postmasterx@home.example", RESOLVE_NO},
	{"x-postmaster@home.example", RESOLVE_NO},
	{"vip-postmaster@home.example", RESOLVE_NO},
	/* percenthack: what stands behind it counts */
	{"jo%home.example@hack.example", RESOLVE_YES},
	{"nobody%home.example@hack.example", RESOLVE_NO},
	{"x%remote.example@hack.example", RESOLVE_AWAY},
	{"x%remote.example%hack.example@hack.example", RESOLVE_AWAY},
	{"x%home.example%hack.example@HACK.example", RESOLVE_NO},
	{"postmaster%home.example@hack.example", RESOLVE_YES},
	{"jo%home.example@home.example", RESOLVE_NO},
	/* virtual domains */
	{"sale@virt.example", RESOLVE_YES},               /* vip-sale: alias */
	{"other@virt.example", RESOLVE_NO},
	{"list@jo.example", RESOLVE_YES},                 /* jo-list */
	{"none@jo.example", RESOLVE_NO},
	{"x@sub.virt.example", RESOLVE_YES},              /* any-x */
	{"one@virt.example", RESOLVE_YES},                /* jo-list-one */
	/* users/cdb */
	{"boss@home.example", RESOLVE_YES},
	{"BOSS@home.example", RESOLVE_YES},
	{"team-list@home.example", RESOLVE_YES},
	{"team-none@home.example", RESOLVE_NO},
	{"whole@cdb.example", RESOLVE_YES},
	{"none@cdb.example", RESOLVE_NO},
	{"zero@home.example", RESOLVE_TEMP},
	/* virtual domains: files first, then accounts, then the action */
	{"team@v.example", RESOLVE_YES},
	{"list-x@v.example", RESOLVE_YES},
	{"ana@v.example", RESOLVE_YES},
	{"ANA@V.example", RESOLVE_YES},
	{"ana@alias.example", RESOLVE_YES},
	{"bob@alias.example", RESOLVE_NO},
	{"bob@v.example", RESOLVE_YES},
	{"off@v.example", RESOLVE_NO},
	{"many@v.example", RESOLVE_YES},
	{"full@v.example", RESOLVE_TEMP},
	{"fullb@v.example", RESOLVE_FULL},
	{"fulla@v.example", RESOLVE_YES},
	{"none@v.example", RESOLVE_NO},
	{"a b@v.example", RESOLVE_NO},
	/* names that vdelivermail sends back, whatever its action */
	{"\xc3\xb6@w.example", RESOLVE_NO},
	{"a,b@w.example", RESOLVE_NO},
	{"a\"b@d.example", RESOLVE_NO},
	{"postmaster@v.example", RESOLVE_YES},
	{"none@w.example", RESOLVE_YES},
	{"none@d.example", RESOLVE_YES},
	/* a home that is not there may come back */
	{"gone@home.example", RESOLVE_TEMP},
	{"gone-x@home.example", RESOLVE_TEMP},
};

static void
make_tree(void)
{
	struct str assign = {0};
	const char *why;
	size_t line;

	assert_int_equal(mkdir("control", 0755), 0);
	assert_int_equal(mkdir("jo", 0755), 0);
	assert_int_equal(mkdir("jo/.qmail-dir", 0755), 0);
	assert_int_equal(mkdir("alias", 0755), 0);
	assert_int_equal(mkdir("v", 0755), 0);
	assert_int_equal(mkdir("v/ana", 0755), 0);
	assert_int_equal(mkdir("w", 0755), 0);
	assert_int_equal(mkdir("d", 0755), 0);
	put("control/me", "home.example\n");
	put("control/percenthack", "hack.example\n");
	put("control/virtualdomains",
	    "virt.example:vip\none@virt.example:jo-list\njo.example:jo\n"
	    ".virt.example:any\nexcept.virt.example:\ncdb.example:dom\n"
	    "v.example:v.example\nalias.example:alias.example\n"
	    "w.example:w.example\nd.example:d.example\n");
	put("v/.qmail-default",
	    "| /home/vpopmail/bin/vdelivermail '' bounce-no-mailbox\n");
	put("v/.qmail-team", "&ana@v.example\n");
	put("v/.qmail-list-default", "|lists\n");
	put("v/ana/.qmail", "&out@x.example\n./Maildir/\n");
	put("w/.qmail-default", "|vdelivermail '' delete\n");
	put("d/.qmail-default", "|vdelivermail '' \"$EXT@y.example\"\n");
	put("jo/.qmail-list", "");
	put("jo/.qmail-deep-default", "");
	put("jo/.qmail-a:b", "");
	put("jo/.qmail-list-one", "");
	put("jo/.qmail-d-whole", "");
	put("alias/.qmail-info", "");
	put("alias/.qmail-any-default", "");
	put("alias/.qmail-vip-sale", "");
	str_catf(&assign, "=boss:jo:1000:1000:%s/jo:::\n"
	    "+team-:jo:1000:1000:%s/jo:-::\n"
	    "+dom-:jo:1000:1000:%s/jo:-:d-:\n"
	    "+v.example-:v.example:89:89:%s/v:-::\n"
	    "+alias.example-:v.example:89:89:%s/v:-::\n"
	    "+w.example-:w.example:89:89:%s/w:-::\n"
	    "+d.example-:d.example:89:89:%s/d:-::\n"
	    "=zero:root:0:0:%s/jo:::\n.\n", dir, dir, dir, dir, dir, dir,
	    dir, dir);
	assert_int_equal(users_compile(str_c(&assign), assign.len, "cdb",
	    "cdb.tmp", &line, &why), 0);
	str_free(&assign);
}

static enum resolve_status
check(struct resolver *r, const char *addr)
{
	struct resolve a = {0};
	enum resolve_status st;

	resolve_address(r, addr, false, &a);
	st = a.status;
	if (a.reason.len == 0 && st != RESOLVE_YES)
		fail_msg("%s: no reason", addr);
	resolve_free(&a);
	return st;
}

static void
init(struct resolver *r)
{
	resolver_init(r, "cdb", "socket");
	r->find = find;
	r->ask = ask;
	trouble = 0;
	auth_says = AUTH_OK;
	auth_more = NULL;
}

static void
test_forms(void **state)
{
	struct resolver r;

	(void)state;
	init(&r);
	for (size_t i = 0; i < N_OF(cases); i++)
		if (check(&r, cases[i].addr) != cases[i].want)
			fail_msg("%s", cases[i].addr);
	resolver_free(&r);
}

/* Never "no such user" when that is not known. */
static void
test_trouble(void **state)
{
	static const int codes[] = {VERDICT_HOMEFS, VERDICT_NOALIAS,
	    VERDICT_SYSTEM};
	struct resolver r;

	(void)state;
	init(&r);
	for (size_t i = 0; i < N_OF(codes); i++) {
		trouble = codes[i];
		assert_int_equal(check(&r, "nobody@home.example"),
		    RESOLVE_TEMP);
		assert_int_equal(check(&r, "jo@home.example"), RESOLVE_TEMP);
		assert_int_equal(check(&r, "boss@home.example"), RESOLVE_YES);
		assert_int_equal(check(&r, "x@remote.example"), RESOLVE_YES);
		assert_int_equal(check(&r, "postmaster"), RESOLVE_YES);
	}
	trouble = 0;
	assert_int_equal(rename("cdb", "cdb.old"), 0);
	put("cdb", "short");
	assert_int_equal(check(&r, "nobody@home.example"), RESOLVE_TEMP);
	assert_int_equal(check(&r, "jo@home.example"), RESOLVE_TEMP);
	assert_int_equal(check(&r, "x@remote.example"), RESOLVE_YES);
	/* Without one it is the system's accounts alone. */
	assert_int_equal(unlink("cdb"), 0);
	assert_int_equal(check(&r, "boss@home.example"), RESOLVE_NO);
	assert_int_equal(check(&r, "jo@home.example"), RESOLVE_YES);
	/* And back: seen at once. */
	assert_int_equal(rename("cdb.old", "cdb"), 0);
	assert_int_equal(check(&r, "boss@home.example"), RESOLVE_YES);
	resolver_free(&r);
	/* Control files that cannot be read. */
	assert_int_equal(mkdir("control/locals", 0755), 0);
	init(&r);
	assert_int_equal(check(&r, "jo@home.example"), RESOLVE_TEMP);
	assert_int_equal(check(&r, "x@remote.example"), RESOLVE_TEMP);
	assert_int_equal(rmdir("control/locals"), 0);
	/* Within the same second it is not looked at again. */
	r.looked = 0;
	assert_int_equal(check(&r, "jo@home.example"), RESOLVE_YES);
	resolver_free(&r);
}

/* authdaemond away, or not knowing the domain: never "no such user". */
static void
test_auth_trouble(void **state)
{
	struct resolver r;

	(void)state;
	init(&r);
	auth_says = AUTH_TEMP;
	assert_int_equal(check(&r, "ana@v.example"), RESOLVE_TEMP);
	assert_int_equal(check(&r, "none@v.example"), RESOLVE_TEMP);
	assert_int_equal(check(&r, "team@v.example"), RESOLVE_YES);
	assert_int_equal(check(&r, "jo-list@home.example"), RESOLVE_YES);
	assert_int_equal(check(&r, "postmaster@v.example"), RESOLVE_YES);
	auth_says = AUTH_FAIL;
	assert_int_equal(check(&r, "ana@v.example"), RESOLVE_TEMP);
	/* Nobody to ask: what is there takes mail. */
	r.ask = NULL;
	assert_int_equal(check(&r, "none@v.example"), RESOLVE_YES);
	resolver_free(&r);
}

static void
expect_steps(struct resolver *r, const char *addr, const char *want)
{
	struct resolve a = {0};
	struct str got = {0};
	const char *word, *text;
	size_t at = 0;

	resolve_address(r, addr, true, &a);
	while (resolve_step_peek(&a, &at, &word, &text)) {
		const char *here = strstr(text, dir);

		str_catf(&got, "%s: ", word);
		if (here != NULL) {
			str_catb(&got, text, (size_t)(here - text));
			text = here + strlen(dir);
			str_cats(&got, "DIR");
		}
		str_catf(&got, "%s\n", text);
	}
	assert_string_equal(str_c(&got), want);
	str_free(&got);
	resolve_free(&a);
}

static void
test_steps(void **state)
{
	struct resolver r;

	(void)state;
	init(&r);
	expect_steps(&r, "x@remote.example",
	    "address: x@remote.example\n"
	    "route: remote x@remote.example\n"
	    "answer: yes\n");
	expect_steps(&r, "jo@home.example",
	    "address: jo@home.example\n"
	    "route: local jo@home.example\n"
	    "user: jo, uid 1000, gid 1000, home DIR/jo\n"
	    "deliver: as DIR/jo/.qmail says, else as by default\n"
	    "answer: yes\n");
	expect_steps(&r, "ana@v.example",
	    "address: ana@v.example\n"
	    "route: local v.example-ana@v.example\n"
	    "user: v.example, uid 89, gid 89, home DIR/v\n"
	    "file: .qmail-default\n"
	    "line: program  /home/vpopmail/bin/vdelivermail '' "
	    "bounce-no-mailbox\n"
	    "domain: v.example in DIR/v\n"
	    "mailbox: ana in DIR/v/ana, quota 1000S\n"
	    "file: DIR/v/ana/.qmail\n"
	    "deliver: forward out@x.example\n"
	    "deliver: maildir ./Maildir/\n"
	    "answer: yes\n");
	expect_steps(&r, "many@v.example",
	    "address: many@v.example\n"
	    "route: local v.example-many@v.example\n"
	    "user: v.example, uid 89, gid 89, home DIR/v\n"
	    "file: .qmail-default\n"
	    "line: program  /home/vpopmail/bin/vdelivermail '' "
	    "bounce-no-mailbox\n"
	    "domain: v.example in DIR/v\n"
	    "alias: forward a@x\n"
	    "alias: program prog\n"
	    "answer: yes\n");
	expect_steps(&r, "postmaster@v.example",
	    "address: postmaster@v.example\n"
	    "route: local v.example-postmaster@v.example\n"
	    "user: v.example, uid 89, gid 89, home DIR/v\n"
	    "file: .qmail-default\n"
	    "line: program  /home/vpopmail/bin/vdelivermail '' "
	    "bounce-no-mailbox\n"
	    "domain: v.example in DIR/v\n"
	    "nobody: so the action is bounce-no-mailbox\n"
	    "answer: yes: taken in any case, as RFC 5321 wants it\n");
	expect_steps(&r, "x@w.example",
	    "address: x@w.example\n"
	    "route: local w.example-x@w.example\n"
	    "user: w.example, uid 89, gid 89, home DIR/w\n"
	    "file: .qmail-default\n"
	    "line: program vdelivermail '' delete\n"
	    "domain: v.example in DIR/v\n"
	    "nobody: so the action is delete\n"
	    "deliver: nothing: mail is thrown away\n"
	    "answer: yes\n");
	resolver_free(&r);
}

/* What authdaemond says of a domain whose directory is closed. */
static void
behind_the_door(void *arg)
{
	static const struct {
		const char *more;
		enum auth_status says;
		const char *addr;
		enum resolve_status want;
	} doors[] = {
		{"FILE=.qmail-team\n", AUTH_OK, "team@v.example",
		    RESOLVE_YES},
		{"ACTION=bounce-no-mailbox\n", AUTH_OK, "none@v.example",
		    RESOLVE_NO},
		{"ACTION=bounce-no-mailbox\n", AUTH_OK, "ana@v.example",
		    RESOLVE_YES},
		{"ACTION=bounce-no-mailbox\n", AUTH_OK, "off@v.example",
		    RESOLVE_NO},
		{"ACTION=delete\n", AUTH_OK, "none@v.example", RESOLVE_YES},
		{"ACTION=delete\n", AUTH_OK, "a,b@v.example", RESOLVE_NO},
		{"FILE=.qmail-a,b\n", AUTH_OK, "a,b@v.example", RESOLVE_YES},
		{"NOFILE=1\n", AUTH_OK, "none@v.example", RESOLVE_NO},
		{"CLOSED=1\n", AUTH_OK, "none@v.example", RESOLVE_YES},
		{NULL, AUTH_OK, "none@v.example", RESOLVE_YES},
		{NULL, AUTH_FAIL, "none@v.example", RESOLVE_YES},
		{NULL, AUTH_TEMP, "none@v.example", RESOLVE_TEMP},
		/* no domain: nobody is asked */
		{NULL, AUTH_TEMP, "jo-x@home.example", RESOLVE_YES},
		{NULL, AUTH_TEMP, "team-x@home.example", RESOLVE_YES},
	};
	struct resolver r;

	(void)arg;
	if (setgid(65534) < 0 || setuid(65534) < 0)
		_exit(50);
	init(&r);
	for (size_t i = 0; i < N_OF(doors); i++) {
		auth_more = doors[i].more;
		auth_says = doors[i].says;
		if (check(&r, doors[i].addr) != doors[i].want)
			_exit(60 + (int)i);
	}
	resolver_free(&r);
}

static void
test_closed_domain(void **state)
{
	char text[256];

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chmod("v", 0700), 0);
	assert_int_equal(chmod("jo", 0700), 0);
	assert_int_equal(unit_child(behind_the_door, NULL, text,
	    sizeof text), 0);
	assert_int_equal(chmod("jo", 0755), 0);
	assert_int_equal(chmod("v", 0755), 0);
}

/* What another user may not see may well be there. */
static void
as_stranger(void *arg)
{
	struct resolver r;

	(void)arg;
	if (setgid(65534) < 0 || setuid(65534) < 0)
		_exit(50);
	init(&r);
	if (check(&r, "jo-none@home.example") != RESOLVE_YES ||
	    check(&r, "jo-list@home.example") != RESOLVE_YES ||
	    check(&r, "nobody@home.example") != RESOLVE_NO)
		_exit(51);
	resolver_free(&r);
}

static void
test_closed_home(void **state)
{
	char text[256];

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chmod("jo", 0700), 0);
	assert_int_equal(unit_child(as_stranger, NULL, text, sizeof text), 0);
	assert_int_equal(chmod("jo", 0755), 0);
}

static void
test_changes(void **state)
{
	struct resolver r;

	(void)state;
	init(&r);
	assert_int_equal(check(&r, "x@new.example"), RESOLVE_YES);
	put("control/locals", "home.example\nnew.example\n");
	r.looked = 0;
	assert_int_equal(check(&r, "x@new.example"), RESOLVE_NO);
	/* The same size, and another file of that name. */
	put("control/locals.tmp", "home.example\nold.example\n");
	assert_int_equal(rename("control/locals.tmp", "control/locals"), 0);
	r.looked = 0;
	assert_int_equal(check(&r, "x@new.example"), RESOLVE_YES);
	assert_int_equal(check(&r, "x@old.example"), RESOLVE_NO);
	assert_int_equal(unlink("control/locals"), 0);
	r.looked = 0;
	assert_int_equal(check(&r, "x@old.example"), RESOLVE_YES);
	assert_int_equal(check(&r, "jo@home.example"), RESOLVE_YES);
	resolver_free(&r);
}

static int
setup(void **state)
{
	static char control[sizeof dir + 16];

	(void)state;
	if (mkdtemp(dir) == NULL || chdir(dir) < 0)
		return -1;
	(void)snprintf(control, sizeof control, "%s/control", dir);
	control_set_dir(control);
	make_tree();
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof command, "rm -rf %s", dir);
	return chdir("/") < 0 ? -1 : system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_auth_trouble),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_closed_domain),
		cmocka_unit_test(test_closed_home),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
