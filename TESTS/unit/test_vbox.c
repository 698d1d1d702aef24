/* test_vbox.c - Maildirs of virtual users: made when missing, quota and what
 * is said of it, the account, the warning. */
#include "vpop/vbox.h"

#include "mail/verdict.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static char base[] = "/tmp/unit-vbox.XXXXXX";
static char dom[64], box[80];           /* the domain, its jo's Maildir */
static int mfd;
static struct vbox_config cfg;

#define BODY "Subject: x\n\nhello\n"
#define HEAD "Return-Path: <a@x>\nDelivered-To: jo@d\n"

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* The i-th file of a pattern below the domain; how many there are. */
static size_t
find(const char *pattern, char *out, size_t size)
{
	char full[256];
	glob_t g;
	size_t n;

	(void)snprintf(full, sizeof full, "%s/%s", dom, pattern);
	if (glob(full, 0, NULL, &g) != 0)
		return 0;
	n = g.gl_pathc;
	if (out != NULL)
		(void)snprintf(out, size, "%s", g.gl_pathv[0]);
	globfree(&g);
	return n;
}

static void
slurp(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(out, 1, size - 1, f);
	(void)fclose(f);
	out[n] = '\0';
}

static int
setup(void **state)
{
	char cmd[256];

	(void)state;
	(void)snprintf(cmd, sizeof cmd, "rm -rf %s/*; mkdir -p %s "
	    "%s/domains", base, dom, base);
	if (system(cmd) != 0)
		return -1;
	cfg = (struct vbox_config){.dir = dom, .global = "", .head = HEAD,
	    .nhead = sizeof HEAD - 1, .dtline = "Delivered-To: jo@d\n",
	    .mfd = mfd, .size = sizeof BODY - 1};
	return 0;
}

/* A whole delivery: its verdict. */
static int
deliver(const char *maildir, const struct quota *q, bool make,
    struct str *words)
{
	struct vbox b, *one = &b;
	int code = vbox_write(&b, &cfg, maildir, q, make, words);

	if (code == VERDICT_OK)
		code = vbox_commit(&one, 1, words);
	if (code == VERDICT_OK)
		vbox_finish(&b, &cfg);
	vbox_free(&b);
	return code;
}

static void
expect(const struct quota *q, int code, const char *said)
{
	struct str words = {0};

	assert_int_equal(deliver(box, q, true, &words), code);
	if (strstr(str_c(&words), said) == NULL)
		assert_string_equal(str_c(&words), said);
	if (*said == '\0')
		assert_int_equal(words.len, 0);
	str_free(&words);
}

static void
test_make(void **state)
{
	const struct quota none = {0, 0}, limited = {1000, 0};
	struct str words = {0};
	char path[256], text[512];
	struct stat st;

	(void)state;
	/* Not asked to: not made. */
	assert_int_equal(deliver(box, &none, false, &words), VERDICT_SOFT);
	assert_non_null(strstr(str_c(&words), "#4.3.0"));
	assert_int_equal(find("*", NULL, 0), 0);
	str_free(&words);
	expect(&none, VERDICT_OK, "");
	assert_int_equal(find("0/jo/Maildir/new/*", path, sizeof path), 1);
	slurp(path, text, sizeof text);
	assert_string_equal(text, HEAD BODY);
	assert_non_null(strstr(path, ",S=56,W=61"));
	assert_int_equal(stat(box, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 56);
	assert_int_equal(find("0/jo/Maildir/tmp/*", NULL, 0), 0);
	/* No limit: nobody counts. */
	assert_int_equal(find("0/jo/Maildir/maildirsize", NULL, 0), 0);
	/* Half of it is gone. */
	(void)snprintf(path, sizeof path, "rm -r %s/tmp", box);
	assert_int_equal(system(path), 0);
	expect(&none, VERDICT_OK, "");
	assert_int_equal(find("0/jo/Maildir/new/*", NULL, 0), 2);
	(void)snprintf(path, sizeof path, "rm -r %s/cur", box);
	assert_int_equal(system(path), 0);
	expect(&limited, VERDICT_OK, "");
	assert_int_equal(find("0/jo/Maildir/new/*", NULL, 0), 3);
}

static void
test_make_elsewhere(void **state)
{
	char path[256];

	(void)state;
	/* Above the mailbox nothing is made outside the domain. */
	(void)snprintf(path, sizeof path, "%s/else/jo/Maildir/", base);
	assert_int_equal(vbox_make(dom, path), -1);
	assert_int_equal(errno, ENOENT);
	(void)snprintf(path, sizeof path, "%s/else", base);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof path, "%s/else/jo/Maildir/", base);
	assert_int_equal(vbox_make(dom, path), 0);
	assert_int_equal(vbox_make(dom, path), 0);
	(void)snprintf(path, sizeof path, "%s/else/jo/Maildir/cur", base);
	assert_int_equal(access(path, F_OK), 0);
	/* A file in the way. */
	(void)snprintf(path, sizeof path, "%s/f", dom);
	put(path, "");
	(void)snprintf(path, sizeof path, "%s/f/jo/Maildir", dom);
	assert_int_equal(vbox_make(dom, path), -1);
}

static void
test_below(void **state)
{
	(void)state;
	assert_true(vbox_is_below("/a/b", "/a/b"));
	assert_true(vbox_is_below("/a/b", "/a/b/c"));
	assert_true(vbox_is_below("/a/b/", "/a/b/c"));
	assert_false(vbox_is_below("/a/b", "/a/bc"));
	assert_false(vbox_is_below("/a/b", "/a"));
	assert_false(vbox_is_below("/a/b", "/a/b/../c"));
	assert_false(vbox_is_below("/a/b", "/a/b/.."));
	assert_true(vbox_is_below("/a/b", "/a/b/..c"));
	assert_false(vbox_is_below("", "/a"));
}

static void
test_quota(void **state)
{
	const struct quota q = {130, 0}, one = {0, 1};
	char path[128], text[256];

	(void)state;
	expect(&q, VERDICT_OK, "");
	expect(&q, VERDICT_OK, "");
	expect(&q, VERDICT_SOFT, "user is over quota (#4.2.2)");
	cfg.policy = VBOX_BOUNCE;
	expect(&q, VERDICT_HARD, "user is over quota (#5.2.2)");
	assert_int_equal(find("0/jo/Maildir/new/*", NULL, 0), 2);
	assert_int_equal(find("0/jo/Maildir/tmp/*", NULL, 0), 0);
	/* A count is kept when nothing has changed for a moment. */
	(void)snprintf(text, sizeof text, "find %s -type d -exec touch -d "
	    "@1000000000 {} +", dom);
	assert_int_equal(system(text), 0);
	cfg.policy = VBOX_ACCEPT;
	expect(&q, VERDICT_OK, "");
	assert_int_equal(find("0/jo/Maildir/new/*", NULL, 0), 3);
	(void)snprintf(path, sizeof path, "%s/maildirsize", box);
	slurp(path, text, sizeof text);
	assert_non_null(strstr(text, "130S\n"));
	/* Over quota or not, the sum is gone on with. */
	put(path, "130S\n500 5\n1 0\n");
	expect(&q, VERDICT_OK, "");
	slurp(path, text, sizeof text);
	assert_string_equal(text, "130S\n500 5\n1 0\n56 1\n");
	cfg.policy = VBOX_BOUNCE;
	expect(&one, VERDICT_HARD, "over quota");
	/* The texts: the domain's before everybody's. */
	(void)snprintf(path, sizeof path, "%s/domains", base);
	cfg.global = path;
	(void)snprintf(text, sizeof text, "%s/.over-quota.msg", path);
	put(text, "everybody's\n");
	expect(&q, VERDICT_HARD, "everybody's\n");
	(void)snprintf(text, sizeof text, "%s/.over-quota.msg", dom);
	put(text, "the domain's");
	expect(&q, VERDICT_HARD, "the domain's\n");
}

/* Whose quota is not known: the Maildir's own, and a folder has its
 * parent's. */
static void
test_foreign(void **state)
{
	struct str words = {0};
	char path[256];

	(void)state;
	cfg.policy = VBOX_BOUNCE;
	assert_int_equal(vbox_make(dom, box), 0);
	(void)snprintf(path, sizeof path, "%s.F/", box);
	assert_int_equal(vbox_make(dom, path), 0);
	assert_int_equal(deliver(path, NULL, false, &words), VERDICT_OK);
	(void)snprintf(path, sizeof path, "%s.F/maildirfolder", box);
	put(path, "");
	(void)snprintf(path, sizeof path, "%smaildirsize", box);
	put(path, "100S\n60 1\n");
	(void)snprintf(path, sizeof path, "%s.F/", box);
	assert_int_equal(deliver(path, NULL, false, &words), VERDICT_HARD);
	assert_int_equal(words.len > 0, 1);
	str_free(&words);
}

static void
test_commit_fails(void **state)
{
	const struct quota none = {0, 0};
	struct vbox b, *one = &b;
	struct str words = {0};
	char cmd[256];

	(void)state;
	assert_int_equal(vbox_make(dom, box), 0);
	assert_int_equal(vbox_write(&b, &cfg, box, &none, true, &words),
	    VERDICT_OK);
	(void)snprintf(cmd, sizeof cmd, "rm -r %s/new", box);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(vbox_commit(&one, 1, &words), VERDICT_SOFT);
	assert_non_null(strstr(str_c(&words), "new/"));
	vbox_free(&b);
	assert_int_equal(find("0/jo/Maildir/tmp/*", NULL, 0), 0);
	str_free(&words);
}

static void
test_warning(void **state)
{
	const struct quota q = {1000, 0};
	const struct timespec old[2] = {{1000, 0}, {1000, 0}};
	char path[256], text[1024];

	(void)state;
	assert_int_equal(vbox_make(dom, box), 0);
	(void)snprintf(path, sizeof path, "%s/.quotawarn.msg", dom);
	put(path, "From: postmaster\nSubject: nearly full\n\nClean up.\n");
	(void)snprintf(path, sizeof path, "%smaildirsize", box);
	put(path, "1000S\n839 1\n");
	expect(&q, VERDICT_OK, "");             /* 895: 89 % */
	assert_int_equal(find("0/jo/Maildir/new/*", NULL, 0), 1);
	expect(&q, VERDICT_OK, "");             /* 951 */
	assert_int_equal(find("0/jo/Maildir/new/*", NULL, 0), 3);
	(void)snprintf(text, sizeof text, "grep -l '^Subject: nearly full' "
	    "%s/new/* | wc -l | grep -qx 1 && grep -h '^Date: ' %s/new/* | "
	    "wc -l | grep -qx 1 && cat %s/new/* | grep -c ^Return-Path | "
	    "grep -qx 2 && cat %s/new/* | grep -c ^Delivered-To | "
	    "grep -qx 3", box, box, box, box);
	assert_int_equal(system(text), 0);
	/* It counts too. */
	slurp(path, text, sizeof text);
	assert_non_null(strstr(text, "56 1\n56 1\n"));
	assert_int_equal(strchr(strstr(text, "56 1\n56 1\n") + 10, '\n') !=
	    NULL, 1);
	/* Not again on this day. */
	put(path, "1000S\n910 1\n");
	expect(&q, VERDICT_OK, "");
	assert_int_equal(find("0/jo/Maildir/new/*", NULL, 0), 4);
	/* But on another. */
	(void)snprintf(text, sizeof text, "%squotawarn", box);
	assert_int_equal(utimensat(AT_FDCWD, text, old, 0), 0);
	put(path, "1000S\n910 1\n");
	expect(&q, VERDICT_OK, "");
	assert_int_equal(find("0/jo/Maildir/new/*", NULL, 0), 6);
	/* Without a text there is no warning. */
	(void)snprintf(path, sizeof path, "%s/.quotawarn.msg", dom);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(utimensat(AT_FDCWD, text, old, 0), 0);
	(void)snprintf(path, sizeof path, "%smaildirsize", box);
	put(path, "1000S\n910 1\n");
	expect(&q, VERDICT_OK, "");
	assert_int_equal(find("0/jo/Maildir/new/*", NULL, 0), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_make, setup),
		cmocka_unit_test_setup(test_make_elsewhere, setup),
		cmocka_unit_test_setup(test_below, setup),
		cmocka_unit_test_setup(test_quota, setup),
		cmocka_unit_test_setup(test_foreign, setup),
		cmocka_unit_test_setup(test_commit_fails, setup),
		cmocka_unit_test_setup(test_warning, setup),
	};
	char cmd[128];
	int r;

	if (mkdtemp(base) == NULL)
		return 1;
	(void)snprintf(dom, sizeof dom, "%s/d", base);
	(void)snprintf(box, sizeof box, "%s/0/jo/Maildir/", dom);
	mfd = open(base, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (mfd < 0 || write(mfd, BODY, sizeof BODY - 1) < 0)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	(void)snprintf(cmd, sizeof cmd, "rm -rf %s", base);
	return system(cmd) != 0 || r != 0;
}
