/* test_vfiles.c - what accounts have in small files: limits, aliases, times of
 * logins, addresses of domains. */
#include "vpop/limits.h"

#include "lib/fs.h"
#include "vpop/store_ops.h"
#include "TESTS/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define NOBODY 65534

static char tmp[] = "/tmp/unit-vfiles.XXXXXX";
static char dir[64], etc[64];
static struct vdomain_ref ref;
static struct vstore *store;

static char *
path_of(const char *d, const char *name)
{
	static char path[2][512];
	static unsigned turn;

	turn++;
	(void)snprintf(path[turn % 2], sizeof path[0], "%s/%s", d, name);
	return path[turn % 2];
}

static void
put(const char *d, const char *name, const char *text)
{
	FILE *f = fopen(path_of(d, name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chown(path_of(d, name), ref.uid, ref.gid), 0);
}

static void
text_is(const char *d, const char *name, const char *want)
{
	struct str got = {0};

	assert_int_equal(fs_read(path_of(d, name), &got, 1 << 20), 0);
	assert_string_equal(str_c(&got), want);
	str_free(&got);
}

static void
empty_dir(const char *d)
{
	struct dirent *e;
	DIR *h = opendir(d);
	char path[512];

	while ((e = readdir(h)) != NULL) {
		(void)snprintf(path, sizeof path, "%s/%s", d, e->d_name);
		if (e->d_name[0] != '.' || strlen(e->d_name) > 2)
			(void)remove(path);
	}
	(void)closedir(h);
}

static int
fresh(void **state)
{
	(void)state;
	empty_dir(dir);
	empty_dir(etc);
	return 0;
}

/* Limits.  The text is what vpopmail 5.4.33 writes for one bit of each kind;
 * it puts users (2) and moderators (1) into perm_quota. */
static const char theirs[] =
    "maxpopaccounts: 100\n"
    "maxaliases: -1\n"
    "maxforwards: 0\n"
    "maxautoresponders: 5\n"
    "maxmailinglists: 6\n"
    "quota: 500\n"
    "maxmsgcount: 2000\n"
    "default_quota: 52428800\n"
    "default_maxmsgcount: 300\n"
    "disable_pop\n"
    "disable_external_relay\n"
    "delete_spam\n"
    "perm_account: 1\n"
    "perm_alias: 2\n"
    "perm_forward: 4\n"
    "perm_autoresponder: 7\n"
    "perm_maillist: 3\n"
    "perm_quota: 84\n"          /* 4 | 2 << 3 | 1 << 6 */
    "perm_defaultquota: 5\n";

static void
limits_text(void **state)
{
	struct vlimits l, again;
	struct str out = {0};

	(void)state;
	assert_int_equal(vlimits_parse(theirs, strlen(theirs), &l), 0);
	assert_int_equal(l.maxpopaccounts, 100);
	assert_int_equal(l.maxaliases, -1);
	assert_int_equal(l.maxforwards, 0);
	assert_int_equal(l.maxautoresponders, 5);
	assert_int_equal(l.maxmailinglists, 6);
	assert_int_equal(l.diskquota_mb, 500);
	assert_int_equal(l.maxmsgcount, 2000);
	assert_int_equal(l.defaultquota, 52428800);
	assert_int_equal(l.defaultmaxmsgcount, 300);
	assert_int_equal(l.disable, 0x2 | 0x20 | 0x8000);
	assert_int_equal(l.perm_account, 1);
	assert_int_equal(l.perm_alias, 2);
	assert_int_equal(l.perm_forward, 4);
	assert_int_equal(l.perm_autoresponder, 7);
	assert_int_equal(l.perm_maillist, 3);
	assert_int_equal(l.perm_maillist_users, 2);
	assert_int_equal(l.perm_maillist_moderators, 1);
	assert_int_equal(l.perm_quota, 4);
	assert_int_equal(l.perm_defaultquota, 5);
	assert_true(vlimits_is_valid(&l));

	vlimits_cat(&out, &l, "", 0);
	assert_non_null(strstr(str_c(&out), "\nperm_maillist: 83\n"));
	assert_non_null(strstr(str_c(&out), "\nperm_quota: 4\n"));
	assert_int_equal(vlimits_parse(str_c(&out), out.len, &again), 0);
	assert_true(vlimits_equal(&l, &again));
	again.perm_defaultquota = 0;
	assert_false(vlimits_equal(&l, &again));
	again.perm_defaultquota = 8;
	assert_false(vlimits_is_valid(&again));
	str_free(&out);
}

static const struct { const char *text; size_t bad; int64_t pop, lists; }
odd[] = {
	{"", 0, -1, -1},
	{"maxpopaccounts 7", 0, 7, -1},
	{"maxpopaccounts:7\r\nmaxmailinglists \t: 8 \r\n", 0, 7, 8},
	{"  maxpopaccounts: 7\n", 0, 7, -1},
	{"# maxpopaccounts: 7\nmaxmailinglists: 8", 0, -1, 8},
	{"maxpopaccounts: 7 seven\n", 1, 7, -1},
	{"\nmaxpopaccounts:\nmaxmailinglists: x\n", 2, -1, -1},
	{"maxpopaccounts: -5\n", 0, -1, -1},
	{"maxpopaccounts: 99999999999999999999\n", 1, -1, -1},
	{"Maxpopaccounts: 7\nmaxpopaccountsx: 7\nx\n", 0, -1, -1},
	{"maxpopaccounts: 7\nmaxpopaccounts: 9\n", 0, 9, -1},
};

static void
limits_odd(void **state)
{
	struct vlimits l;
	struct str out = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(odd); i++) {
		if (vlimits_parse(odd[i].text, strlen(odd[i].text), &l) !=
		    odd[i].bad || l.maxpopaccounts != odd[i].pop ||
		    l.maxmailinglists != odd[i].lists)
			fail_msg("text %zu", i);
	}
	/* what we do not know stays */
	vlimits_init(&l);
	vlimits_cat(&out, &l, "# note\nmaxaliases: 3\nmax_web: 4\n\n", 33);
	assert_non_null(strstr(str_c(&out),
	    "perm_defaultquota: 0\n# note\nmax_web: 4\n"));
	assert_non_null(strstr(str_c(&out), "maxaliases: -1\n"));
	assert_null(strstr(str_c(&out), "maxaliases: 3"));
	str_free(&out);
}

static void
limits_files(void **state)
{
	struct vlimits l, m;
	struct stat before, after;

	(void)state;
	assert_int_equal(vstore_limits_get(store, &ref, &l), VSTORE_NONE);
	assert_int_equal(l.maxpopaccounts, -1);
	put(etc, "vlimits.default", "maxpopaccounts 11\ndisable_imap\n");
	assert_int_equal(vstore_limits_get(store, NULL, &l), VSTORE_OK);
	assert_int_equal(l.maxpopaccounts, 11);
	assert_int_equal(vstore_limits_get(store, &ref, &l), VSTORE_NONE);
	assert_int_equal(l.maxpopaccounts, 11);
	assert_int_equal(l.disable, VPOP_NO_IMAP);

	/* a domain's own file stands alone */
	put(dir, ".qmailadmin-limits", theirs);
	assert_int_equal(vstore_limits_get(store, &ref, &l), VSTORE_OK);
	assert_int_equal(l.disable, 0x2 | 0x20 | 0x8000);
	assert_int_equal(stat(path_of(dir, ".qmailadmin-limits"), &before), 0);
	assert_int_equal(vstore_limits_set(store, &ref, &l), VSTORE_OK);
	assert_int_equal(stat(path_of(dir, ".qmailadmin-limits"), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	l.maxaliases = 9;
	assert_int_equal(vstore_limits_set(store, &ref, &l), VSTORE_OK);
	assert_int_equal(vstore_limits_get(store, &ref, &m), VSTORE_OK);
	assert_true(vlimits_equal(&l, &m));
	assert_int_equal(vstore_limits_del(store, &ref), VSTORE_OK);
	assert_int_equal(vstore_limits_del(store, &ref), VSTORE_NONE);
	assert_int_equal(vstore_limits_set(store, &ref, &l), VSTORE_OK);
	assert_int_equal(stat(path_of(dir, ".qmailadmin-limits"), &after), 0);
	assert_int_equal(after.st_mode & 07777, 0600);
	assert_int_equal(after.st_uid, ref.uid);

	assert_int_equal(vstore_limits_set(store, NULL, &l), VSTORE_OK);
	assert_int_equal(vstore_limits_get(store, NULL, &m), VSTORE_OK);
	assert_true(vlimits_equal(&l, &m));
	assert_int_equal(vstore_limits_del(store, NULL), VSTORE_OK);
	l.disable |= VPOP_QA_ADMIN;
	assert_int_equal(vstore_limits_set(store, &ref, &l), VSTORE_WIDE);
	assert_int_equal(mkdir(path_of(etc, "vlimits.default"), 0700), 0);
	assert_int_equal(vstore_limits_get(store, NULL, &l), VSTORE_TEMP);
	assert_int_equal(unlink(path_of(dir, ".qmailadmin-limits")), 0);
	assert_int_equal(vstore_limits_get(store, &ref, &l), VSTORE_TEMP);
}

/* Aliases */

static int
gather(void *arg, const char *a, const char *b)
{
	str_catf(arg, "%s=%s;", a, b);
	return 0;
}

static int
stop(void *arg, const char *a, const char *b)
{
	(void)gather(arg, a, b);
	return 7;
}

static void
aliases_are(const char *alias, const char *want)
{
	struct str got = {0};
	int ended;

	assert_int_equal(vstore_alias_each(store, &ref, alias, gather, &got,
	    &ended), VSTORE_OK);
	assert_string_equal(str_c(&got), want);
	str_free(&got);
}

static void
aliases(void **state)
{
	struct str got = {0};
	struct stat st;
	char big[VPOP_ALIAS_MAX + 2];
	int ended;

	(void)state;
	aliases_are(NULL, "");
	assert_int_equal(vstore_alias_add(store, &ref, "info", "&bob@x.y"),
	    VSTORE_OK);
	text_is(dir, ".qmail-info", "&bob@x.y\n");
	assert_int_equal(stat(path_of(dir, ".qmail-info"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_uid, ref.uid);
	assert_int_equal(vstore_alias_add(store, &ref, "info", "&bob@x.y"),
	    VSTORE_EXISTS);
	assert_int_equal(vstore_alias_add(store, &ref, "info", "&bob@x.yz"),
	    VSTORE_OK);
	assert_int_equal(vstore_alias_add(store, &ref, "a.b", "|prog"),
	    VSTORE_OK);
	text_is(dir, ".qmail-a:b", "|prog\n");
	put(dir, ".qmail-default", "| vdelivermail '' delete\n");
	put(dir, ".qmail-sales-default", "# note\n\n&s@x.y");
	assert_int_equal(symlink("/nowhere", path_of(dir, ".qmail-list")), 0);
	assert_int_equal(symlink(".qmail-info",
	    path_of(dir, ".qmail-list2")), 0);
	assert_int_equal(symlink(".qmail-info",
	    path_of(dir, ".qmail-list2-owner")), 0);
	assert_int_equal(mkdir(path_of(dir, ".qmail-dir"), 0700), 0);
	aliases_are(NULL, "a.b=|prog;info=&bob@x.y;info=&bob@x.yz;"
	    "list2=&bob@x.y;list2=&bob@x.yz;"
	    "sales-default=# note;sales-default=&s@x.y;");
	aliases_are("info", "info=&bob@x.y;info=&bob@x.yz;");
	aliases_are("nobody", "");
	aliases_are("../d/.qmail-info", "");
	aliases_are("default", "");     /* the domain's own */
	assert_int_equal(vstore_alias_each(store, &ref, NULL, stop, &got,
	    &ended), VSTORE_OK);
	assert_int_equal(ended, 7);
	assert_string_equal(str_c(&got), "a.b=|prog;");
	str_free(&got);

	/* the whole line, not what begins so */
	assert_int_equal(vstore_alias_del(store, &ref, "info", "&bob@x"),
	    VSTORE_NONE);
	assert_int_equal(vstore_alias_del(store, &ref, "info", "&bob@x.y"),
	    VSTORE_OK);
	text_is(dir, ".qmail-info", "&bob@x.yz\n");
	/* no line, no file: an empty one would deliver elsewhere */
	assert_int_equal(vstore_alias_del(store, &ref, "info", "&bob@x.yz"),
	    VSTORE_OK);
	assert_int_equal(access(path_of(dir, ".qmail-info"), F_OK), -1);
	assert_int_equal(vstore_alias_del(store, &ref, "info", NULL),
	    VSTORE_NONE);
	assert_int_equal(vstore_alias_del(store, &ref, "a.b", NULL),
	    VSTORE_OK);
	/* what has no line end at its end gets one */
	assert_int_equal(vstore_alias_add(store, &ref, "sales-default",
	    "&t@x.y"), VSTORE_OK);
	text_is(dir, ".qmail-sales-default", "# note\n\n&s@x.y\n&t@x.y\n");

	assert_int_equal(vstore_alias_add(store, &ref, "default", "x"),
	    VSTORE_WIDE);
	assert_int_equal(vstore_alias_add(store, &ref, "list", "x"),
	    VSTORE_WIDE);
	assert_int_equal(vstore_alias_del(store, &ref, "list2", NULL),
	    VSTORE_WIDE);
	assert_int_equal(vstore_alias_add(store, &ref, "a/b", "x"),
	    VSTORE_WIDE);
	assert_int_equal(vstore_alias_add(store, &ref, "x", "a\nb"),
	    VSTORE_WIDE);
	assert_int_equal(vstore_alias_add(store, &ref, "x", ""), VSTORE_WIDE);
	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = '\0';
	assert_int_equal(vstore_alias_add(store, &ref, "x", big),
	    VSTORE_WIDE);
	big[sizeof big - 2] = '\0';
	assert_int_equal(vstore_alias_add(store, &ref, "x", big), VSTORE_OK);
	assert_int_equal(rmdir(path_of(dir, ".qmail-dir")), 0);
}

static void
lastauth(void **state)
{
	struct vuser u = {0};
	struct str ip = {0};
	int64_t when;

	(void)state;
	assert_int_equal(vstore_lastauth_get(store, &ref, &u, &when, &ip),
	    VSTORE_NONE);
	str_copys(&u.name, "bob");
	str_copys(&u.dir, dir);
	assert_int_equal(vstore_lastauth_get(store, &ref, &u, &when, &ip),
	    VSTORE_NONE);
	assert_int_equal(vstore_lastauth_set(store, &ref, &u, 1234567890,
	    "2001:db8::1"), VSTORE_OK);
	text_is(dir, "lastauth", "2001:db8::1");
	assert_int_equal(vstore_lastauth_set(store, &ref, &u, 1234567891,
	    "1.2.3.4"), VSTORE_OK);
	text_is(dir, "lastauth", "1.2.3.4");
	assert_int_equal(vstore_lastauth_get(store, &ref, &u, &when, &ip),
	    VSTORE_OK);
	assert_int_equal(when, 1234567891);
	assert_string_equal(str_c(&ip), "1.2.3.4");
	assert_int_equal(vstore_lastauth_set(store, &ref, &u, 1, "a\nb"),
	    VSTORE_WIDE);
	/* a link or a pipe laid there is not followed */
	assert_int_equal(unlink(path_of(dir, "lastauth")), 0);
	assert_int_equal(symlink("victim", path_of(dir, "lastauth")), 0);
	assert_int_equal(vstore_lastauth_set(store, &ref, &u, 1, "1.2.3.4"),
	    VSTORE_TEMP);
	assert_int_equal(access(path_of(dir, "victim"), F_OK), -1);
	assert_int_equal(unlink(path_of(dir, "lastauth")), 0);
	assert_int_equal(mkfifo(path_of(dir, "lastauth"), 0666), 0);
	assert_int_equal(vstore_lastauth_set(store, &ref, &u, 1, "1.2.3.4"),
	    VSTORE_TEMP);
	assert_int_equal(vstore_lastauth_get(store, &ref, &u, &when, &ip),
	    VSTORE_TEMP);
	str_copys(&u.dir, "/nowhere/at/all");
	assert_int_equal(vstore_lastauth_set(store, &ref, &u, 1, "1.2.3.4"),
	    VSTORE_NONE);
	vuser_free(&u);
	str_free(&ip);
}

static void
ipmap(void **state)
{
	struct str d = {0};
	int ended;

	(void)state;
	assert_int_equal(vstore_ipmap_get(store, "1.2.3.4", &d), VSTORE_NONE);
	put(etc, "ip_alias_map", "# ours\n1.2.3.4 example.com\n"
	    "1.2.3.4 second.example\n\n5.6.7.8\tother.example \nalone\n"
	    "2001:DB8:0::1 six.example");
	assert_int_equal(vstore_ipmap_get(store, "1.2.3.4", &d), VSTORE_OK);
	assert_string_equal(str_c(&d), "example.com");
	assert_int_equal(vstore_ipmap_get(store, "::ffff:5.6.7.8", &d),
	    VSTORE_OK);
	assert_string_equal(str_c(&d), "other.example");
	assert_int_equal(vstore_ipmap_get(store, "2001:db8::1", &d),
	    VSTORE_OK);
	assert_int_equal(vstore_ipmap_get(store, "1.2.3", &d), VSTORE_NONE);

	assert_int_equal(vstore_ipmap_set(store, "9.9.9.9", "nine.example"),
	    VSTORE_OK);
	assert_int_equal(vstore_ipmap_set(store, "1.2.3.4", "new.example"),
	    VSTORE_OK);
	text_is(etc, "ip_alias_map", "# ours\n1.2.3.4 new.example\n"
	    "\n5.6.7.8\tother.example \nalone\n2001:DB8:0::1 six.example\n"
	    "9.9.9.9 nine.example\n");
	assert_int_equal(vstore_ipmap_set(store, "5.6.7.8", NULL), VSTORE_OK);
	assert_int_equal(vstore_ipmap_set(store, "5.6.7.8", NULL),
	    VSTORE_NONE);
	str_clear(&d);
	assert_int_equal(vstore_ipmap_each(store, gather, &d, &ended),
	    VSTORE_OK);
	assert_string_equal(str_c(&d), "1.2.3.4=new.example;"
	    "2001:DB8:0::1=six.example;9.9.9.9=nine.example;");
	assert_int_equal(vstore_ipmap_set(store, "x", "a.example"),
	    VSTORE_WIDE);
	assert_int_equal(vstore_ipmap_set(store, "1.1.1.1", "a b"),
	    VSTORE_WIDE);
	str_free(&d);
}

/* Somebody else's lock keeps a change out, and it says so. */
static void
locked(void **state)
{
	struct flock fl = {.l_type = F_WRLCK};
	int fd;

	(void)state;
	assert_int_equal(vstore_alias_add(store, &ref, "info", "x"),
	    VSTORE_OK);
	fd = open(path_of(dir, ".files.lock"), O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETLK, &fl), 0);
	assert_int_equal(vstore_alias_add(store, &ref, "info", "y"),
	    VSTORE_TEMP);
	assert_non_null(strstr(vstore_reason_peek(store), "holds the lock"));
	(void)close(fd);
	assert_int_equal(vstore_alias_add(store, &ref, "info", "y"),
	    VSTORE_OK);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(tmp) == NULL || chmod(tmp, 0711) < 0)
		return -1;
	(void)snprintf(dir, sizeof dir, "%s/d", tmp);
	(void)snprintf(etc, sizeof etc, "%s/etc", tmp);
	ref = (struct vdomain_ref){.name = "example.com", .dir = dir,
	    .uid = geteuid(), .gid = getegid()};
	if (geteuid() == 0)
		ref.uid = ref.gid = NOBODY;
	store = vstore_open("cdb", tmp);
	store->lock_ms = 60;
	return mkdir(dir, 0700) + chown(dir, ref.uid, ref.gid) +
	    mkdir(etc, 0755);
}

static int
teardown(void **state)
{
	(void)state;
	vstore_close(store);
	empty_dir(dir);
	empty_dir(etc);
	return rmdir(dir) + rmdir(etc) + rmdir(tmp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_text),
		cmocka_unit_test(limits_odd),
		cmocka_unit_test_setup(limits_files, fresh),
		cmocka_unit_test_setup(aliases, fresh),
		cmocka_unit_test_setup(lastauth, fresh),
		cmocka_unit_test_setup(ipmap, fresh),
		cmocka_unit_test_setup(locked, fresh),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
