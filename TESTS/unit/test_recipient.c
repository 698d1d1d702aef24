/* test_recipient.c - does a recipient exist: every form of routing, and every
 * kind of not knowing. */
#include "smtpd/recipient.h"

#include "mail/verdict.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static char dir[] = "/tmp/unit-recipient.XXXXXX";
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

static const struct {
	const char *addr;
	enum verify_status want;
} cases[] = {
	/* remote: not ours to judge */
	{"x@remote.example", VERIFY_OK},
	{"x@except.virt.example", VERIFY_OK},
	/* accounts and their extensions */
	{"jo@home.example", VERIFY_OK},
	{"JO@Home.Example", VERIFY_OK},
	{"jo", VERIFY_OK},
	{"jo-list@home.example", VERIFY_OK},
	{"JO-List@home.example", VERIFY_OK},
	{"jo-none@home.example", VERIFY_NO},
	{"jo-@home.example", VERIFY_NO},
	{"jo-deep-a-b@home.example", VERIFY_OK},
	{"jo-deep-@home.example", VERIFY_OK},
	{"jo-deep@home.example", VERIFY_NO},
	{"jo-a.b@home.example", VERIFY_OK},
	{"jo-dir@home.example", VERIFY_NO},
	{"jo-default@home.example", VERIFY_NO},
	{"jo-../../etc/passwd@home.example", VERIFY_NO},
	/* alias */
	{"info@home.example", VERIFY_OK},
	{"nobody@home.example", VERIFY_NO},
	{"nobody", VERIFY_NO},
	{"@home.example", VERIFY_NO},
	{"any-thing@home.example", VERIFY_OK},
	{"\xc3\xb6@home.example", VERIFY_NO},
	/* always somebody's */
	{"postmaster@home.example", VERIFY_OK},
	{"PostMaster@home.example", VERIFY_OK},
	{"postmaster", VERIFY_OK},
	{"abuse@home.example", VERIFY_OK},
	{"abuse@virt.example", VERIFY_OK},
	{"postmaster@jo.example", VERIFY_OK},
	{"postmasterx@home.example", VERIFY_NO},
	{"x-postmaster@home.example", VERIFY_NO},
	{"vip-postmaster@home.example", VERIFY_NO},
	/* percenthack: what stands behind it counts */
	{"jo%home.example@hack.example", VERIFY_OK},
	{"nobody%home.example@hack.example", VERIFY_NO},
	{"x%remote.example@hack.example", VERIFY_NO},
	{"x%remote.example%hack.example@hack.example", VERIFY_NO},
	{"x%home.example%hack.example@HACK.example", VERIFY_NO},
	{"postmaster%home.example@hack.example", VERIFY_OK},
	{"jo%home.example@home.example", VERIFY_NO},
	/* virtual domains */
	{"sale@virt.example", VERIFY_OK},               /* vip-sale: alias */
	{"other@virt.example", VERIFY_NO},
	{"list@jo.example", VERIFY_OK},                 /* jo-list */
	{"none@jo.example", VERIFY_NO},
	{"x@sub.virt.example", VERIFY_OK},              /* any-x */
	{"one@virt.example", VERIFY_OK},                /* jo-list-one */
	/* users/cdb */
	{"boss@home.example", VERIFY_OK},
	{"BOSS@home.example", VERIFY_OK},
	{"team-list@home.example", VERIFY_OK},
	{"team-none@home.example", VERIFY_NO},
	{"whole@cdb.example", VERIFY_OK},
	{"none@cdb.example", VERIFY_NO},
	{"zero@home.example", VERIFY_TEMP},
	/* a home that is not there may come back */
	{"gone@home.example", VERIFY_TEMP},
	{"gone-x@home.example", VERIFY_TEMP},
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
	put("control/me", "home.example\n");
	put("control/percenthack", "hack.example\n");
	put("control/virtualdomains",
	    "virt.example:vip\none@virt.example:jo-list\njo.example:jo\n"
	    ".virt.example:any\nexcept.virt.example:\ncdb.example:dom\n");
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
	    "=zero:root:0:0:%s/jo:::\n.\n", dir, dir, dir, dir);
	assert_int_equal(users_compile(str_c(&assign), assign.len, "cdb",
	    "cdb.tmp", &line, &why), 0);
	str_free(&assign);
}

static enum verify_status
check(struct recipient *r, const char *addr)
{
	struct str text = {0};
	enum verify_status st = recipient_check(r, addr, &text);

	if ((text.len > 0) != (st != VERIFY_OK))
		fail_msg("%s: reason \"%s\"", addr, str_c(&text));
	str_free(&text);
	return st;
}

static void
init(struct recipient *r)
{
	recipient_init(r, "cdb");
	r->find = find;
	trouble = 0;
}

static void
test_forms(void **state)
{
	struct recipient r;

	(void)state;
	init(&r);
	for (size_t i = 0; i < N_OF(cases); i++)
		if (check(&r, cases[i].addr) != cases[i].want)
			fail_msg("%s", cases[i].addr);
	recipient_free(&r);
}

/* Never "no such user" when that is not known. */
static void
test_trouble(void **state)
{
	static const int codes[] = {VERDICT_HOMEFS, VERDICT_NOALIAS,
	    VERDICT_SYSTEM};
	struct recipient r;

	(void)state;
	init(&r);
	for (size_t i = 0; i < N_OF(codes); i++) {
		trouble = codes[i];
		assert_int_equal(check(&r, "nobody@home.example"),
		    VERIFY_TEMP);
		assert_int_equal(check(&r, "jo@home.example"), VERIFY_TEMP);
		assert_int_equal(check(&r, "boss@home.example"), VERIFY_OK);
		assert_int_equal(check(&r, "x@remote.example"), VERIFY_OK);
		assert_int_equal(check(&r, "postmaster"), VERIFY_OK);
	}
	trouble = 0;
	assert_int_equal(rename("cdb", "cdb.old"), 0);
	put("cdb", "short");
	assert_int_equal(check(&r, "nobody@home.example"), VERIFY_TEMP);
	assert_int_equal(check(&r, "jo@home.example"), VERIFY_TEMP);
	assert_int_equal(check(&r, "x@remote.example"), VERIFY_OK);
	/* Without one it is the system's accounts alone. */
	assert_int_equal(unlink("cdb"), 0);
	assert_int_equal(check(&r, "boss@home.example"), VERIFY_NO);
	assert_int_equal(check(&r, "jo@home.example"), VERIFY_OK);
	/* And back: seen at once. */
	assert_int_equal(rename("cdb.old", "cdb"), 0);
	assert_int_equal(check(&r, "boss@home.example"), VERIFY_OK);
	recipient_free(&r);
	/* Control files that cannot be read. */
	assert_int_equal(mkdir("control/locals", 0755), 0);
	init(&r);
	assert_int_equal(check(&r, "jo@home.example"), VERIFY_TEMP);
	assert_int_equal(check(&r, "x@remote.example"), VERIFY_TEMP);
	assert_int_equal(rmdir("control/locals"), 0);
	/* Within the same second it is not looked at again. */
	r.looked = 0;
	assert_int_equal(check(&r, "jo@home.example"), VERIFY_OK);
	recipient_free(&r);
}

/* What another user may not see may well be there. */
static void
as_stranger(void *arg)
{
	struct recipient r;

	(void)arg;
	if (setgid(65534) < 0 || setuid(65534) < 0)
		_exit(50);
	init(&r);
	if (check(&r, "jo-none@home.example") != VERIFY_OK ||
	    check(&r, "jo-list@home.example") != VERIFY_OK ||
	    check(&r, "nobody@home.example") != VERIFY_NO)
		_exit(51);
	recipient_free(&r);
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
	struct recipient r;

	(void)state;
	init(&r);
	assert_int_equal(check(&r, "x@new.example"), VERIFY_OK);
	put("control/locals", "home.example\nnew.example\n");
	r.looked = 0;
	assert_int_equal(check(&r, "x@new.example"), VERIFY_NO);
	/* The same size, and another file of that name. */
	put("control/locals.tmp", "home.example\nold.example\n");
	assert_int_equal(rename("control/locals.tmp", "control/locals"), 0);
	r.looked = 0;
	assert_int_equal(check(&r, "x@new.example"), VERIFY_OK);
	assert_int_equal(check(&r, "x@old.example"), VERIFY_NO);
	assert_int_equal(unlink("control/locals"), 0);
	r.looked = 0;
	assert_int_equal(check(&r, "x@old.example"), VERIFY_OK);
	assert_int_equal(check(&r, "jo@home.example"), VERIFY_OK);
	recipient_free(&r);
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
		cmocka_unit_test(test_closed_home),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
