/* test_authd.c - authdaemond: every kind of question against accounts in a
 * cdb store, and the service with its workers: what it keeps, what it
 * forgets, how often it lets somebody guess, what trouble looks like. */
#include "vpop/authd.h"

#include "TESTS/unit/unit.h"

#include "lib/fs.h"
#include "lib/log.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "mail/users.h"
#include "vpop/authd_sys.h"
#include "vpop/password.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define VPOPMAIL_UID 4711
#define HASH "$1$abcdefgh$Rur9vjR3qTr2ktYAC0ctB."       /* secret pass */
#define SHA256 "$5$abcdefgh$tHz2GLlo5y1zd11L6fWGP/048rnwaZWPLK2Sr4oRZR9"

static char dir[] = "/tmp/unit-authd.XXXXXX";
static char domdir[64], sockpath[64];
static const struct vdomain_ref dom = {"x.example", domdir, 0, 0};

static void
put_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int64_t
fixed_now(void)
{
	return 1000000000;
}

static const struct authd_world world = {.vpopmail_dir = dir,
    .uid_vpopmail = VPOPMAIL_UID, .open = vstore_open, .find = vdomain_find,
    .each = vdomain_each, .now = fixed_now, .system = -1};

static void
add_user(struct vstore *s, const char *name, const char *hash, uint32_t flags,
    const char *clear)
{
	struct vuser u = {.flags = flags};

	str_copys(&u.name, name);
	str_copys(&u.hash, hash);
	str_copys(&u.gecos, "A Name");
	str_catf(&u.dir, "%s/%s", domdir, name);
	str_copys(&u.quota, "5000S");
	str_copys(&u.clear, clear);
	assert_int_equal(mkdir(str_c(&u.dir), 0700), 0);
	if (vstore_user_add(s, &dom, &u) != VSTORE_OK)
		fail_msg("%s", vstore_reason_peek(s));
	vuser_free(&u);
}

static void
make_assign(void)
{
	struct str text = {0}, path = {0}, tmp = {0};
	const char *why;
	size_t line;

	str_catf(&text, "+x.example-:x.example:0:0:%s:-::\n"
	    "+alias.example-:x.example:0:0:%s:-::\n.\n", domdir, domdir);
	put_file("users/assign", str_c(&text));
	str_catf(&path, "%s/users/cdb", dir);
	str_catf(&tmp, "%s/users/cdb.tmp", dir);
	assert_int_equal(users_compile(str_c(&text), text.len, str_c(&path),
	    str_c(&tmp), &line, &why), 0);
	str_free(&text);
	str_free(&path);
	str_free(&tmp);
}

static int
setup(void **state)
{
	static char users[64];
	char path[64];
	struct vstore *s;

	(void)state;
	log_init("test");
	(void)snprintf(dir, sizeof dir, "/tmp/unit-authd.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(domdir, sizeof domdir, "%s/domain", dir);
	(void)snprintf(users, sizeof users, "%s/users", dir);
	(void)snprintf(sockpath, sizeof sockpath, "%s/auth", dir);
	(void)snprintf(path, sizeof path, "%s/etc", dir);
	assert_int_equal(mkdir(domdir, 0700), 0);
	assert_int_equal(mkdir(users, 0700), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	vdomain_set_dir(users);
	make_assign();
	s = vstore_open("cdb", dir);
	if (vstore_domain_add(s, &dom) != VSTORE_OK)
		fail_msg("%s", vstore_reason_peek(s));
	add_user(s, "jo", SHA256, 0, "tanstaaftanstaaf");
	add_user(s, "weak", HASH, 0, "");
	add_user(s, "nosmtp", SHA256, VPOP_NO_SMTP | VPOP_NO_POP, "");
	add_user(s, "noimap", SHA256, VPOP_NO_IMAP | VPOP_NO_WEBMAIL, "");
	add_user(s, "fixed", SHA256, VPOP_NO_PASSWD_CHNG, "");
	add_user(s, "nopw", "", 0, "");
	add_user(s, "odd", "{ODD}x", 0, "");
	vstore_close(s);
	return 0;
}

static pid_t stopped;           /* nobody else ends that one */

static int
teardown(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (stopped > 0)
		(void)kill(stopped, SIGKILL);
	stopped = 0;
	if (pid == 0) {
		execlp("rm", "rm", "-rf", dir, (char *)NULL);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid ? 0 : -1;
}

/* ---- one question ---- */

static void
request(struct auth_request *q, enum auth_op op, const char *service,
    const char *user, const char *secret)
{
	auth_request_free(q);
	q->op = op;
	str_copys(&q->service, service);
	str_copys(&q->user, user);
	str_copys(&q->secret, secret);
}

static const char *
value(const struct authd_result *r, const char *name)
{
	static struct auth_answer a;
	const char *v;

	if (auth_answer_parse(str_c(&r->answer), r->answer.len, &a) !=
	    AUTH_OK)
		return "none";
	v = auth_value_peek(&a, name, 0);
	return v != NULL ? v : "unset";
}

static void
test_login(void **state)
{
	static const struct {
		const char *user, *password;
		enum auth_status want;
	} cases[] = {
		{"jo@x.example", "secret pass", AUTH_OK},
		{"JO@X.Example", "secret pass", AUTH_OK},
		{"jo%x.example", "secret pass", AUTH_OK},
		{"jo@alias.example", "secret pass", AUTH_OK},
		{"jo@x.example", "secret", AUTH_FAIL},
		{"jo@x.example", "", AUTH_FAIL},
		{"jo@y.example", "secret pass", AUTH_FAIL},
		{"mo@x.example", "secret pass", AUTH_FAIL},
		{"nopw@x.example", "", AUTH_FAIL},
		{"nopw@x.example", "x", AUTH_FAIL},
		{"odd@x.example", "x", AUTH_FAIL},
		{"jo", "secret pass", AUTH_FAIL},
		{"@x.example", "secret pass", AUTH_FAIL},
		{"jo@", "secret pass", AUTH_FAIL},
		{"../jo@x.example", "x", AUTH_FAIL},
		{"jo@../x.example", "x", AUTH_FAIL},
		{"jo:x@x.example", "x", AUTH_FAIL},
		{"j\xc3\xb6@x.example", "x", AUTH_FAIL},
		{"jo'; drop@x.example", "x", AUTH_FAIL},
	};
	struct authd_work w;
	struct auth_request q = {0};
	struct authd_result r = {0};

	(void)state;
	assert_int_equal(authd_work_init(&w, &world), 0);
	for (size_t i = 0; i < N_OF(cases); i++) {
		request(&q, AUTH_OP_LOGIN, "imap", cases[i].user,
		    cases[i].password);
		authd_work_answer(&w, &q, 1, &r);
		if (r.status != cases[i].want)
			fail_msg("%s", cases[i].user);
		assert_int_equal(r.guess, r.status == AUTH_FAIL);
		if (r.status == AUTH_FAIL) {
			assert_string_equal(str_c(&r.answer), "FAIL\n");
			continue;
		}
		assert_string_equal(value(&r, "ADDRESS"), "jo@x.example");
		assert_string_equal(value(&r, "UID"), "0");
		assert_string_equal(value(&r, "NAME"), "A Name");
		assert_string_equal(value(&r, "QUOTA"), "5000S");
		assert_string_equal(value(&r, "PASSWD"), "unset");
		assert_string_equal(value(&r, "PASSWD2"), "unset");
		assert_string_equal(value(&r, "FLAGS"), "unset");
		assert_string_equal(value(&r, "MAILDIR"), "unset");
	}
	/* Longer than any name. */
	for (size_t i = 0; i < 5000; i++)
		str_catc(&q.user, 'a');
	authd_work_answer(&w, &q, 1, &r);
	assert_int_equal(r.status, AUTH_FAIL);
	/* The domain of those without one. */
	put_file("etc/defaultdomain", "x.example\n");
	authd_work_free(&w);
	assert_int_equal(authd_work_init(&w, &world), 0);
	request(&q, AUTH_OP_LOGIN, "imap", "jo", "secret pass");
	authd_work_answer(&w, &q, 1, &r);
	assert_int_equal(r.status, AUTH_OK);
	authd_result_free(&r);
	auth_request_free(&q);
	authd_work_free(&w);
}

static void
test_who_sees(void **state)
{
	static const struct {
		uid_t asker;
		bool sees;
	} cases[] = {{0, true}, {VPOPMAIL_UID, true}, {1, false},
	    {65534, false}};
	struct authd_work w;
	struct auth_request q = {0};
	struct authd_result r = {0};

	(void)state;
	assert_int_equal(authd_work_init(&w, &world), 0);
	for (size_t i = 0; i < N_OF(cases); i++)
		for (int login = 0; login < 2; login++) {
			request(&q, login ? AUTH_OP_LOGIN : AUTH_OP_PRE,
			    "imap", "jo@x.example", "secret pass");
			authd_work_answer(&w, &q, cases[i].asker, &r);
			assert_int_equal(r.status, AUTH_OK);
			assert_string_equal(value(&r, "PASSWD"),
			    cases[i].sees ? SHA256 : "unset");
			assert_string_equal(value(&r, "PASSWD2"),
			    cases[i].sees ? "tanstaaftanstaaf" : "unset");
		}
	authd_result_free(&r);
	auth_request_free(&q);
	authd_work_free(&w);
}

static void
test_services(void **state)
{
	static const struct {
		const char *user, *service, *ip, *denied, *options;
		bool fails;
	} cases[] = {
		{"nosmtp", "imap", "9.9.9.9", "unset", "disablepop3=1", false},
		{"nosmtp", "esmtp", "9.9.9.9", "", "", true},
		{"nosmtp", "submission", "9.9.9.9", "", "", true},
		{"nosmtp", "pop3", "9.9.9.9", "unset", "disablepop3=1",
		    false},
		{"nosmtp", "pop3", "127.0.0.1", "unset", "unset", false},
		{"nosmtp", "vchkpw-pop3", "9.9.9.9", "pop", "disablepop3=1",
		    false},
		{"nosmtp", "vchkpw-pop3", "127.0.0.1", "unset", "unset",
		    false},
		{"nosmtp", "vchkpw-smtp", "9.9.9.9", "smtp", "disablepop3=1",
		    false},
		{"noimap", "imap", "9.9.9.9", "unset",
		    "disableimap=1,disablewebmail=1", false},
		{"noimap", "vchkpw-imaps", "9.9.9.9", "imap",
		    "disableimap=1,disablewebmail=1", false},
		{"noimap", "vchkpw-imap", "::1", "webmail",
		    "disableimap=1,disablepop3=1,disablewebmail=1", false},
		{"noimap", "vchkpw-pop3", "9.9.9.9", "unset",
		    "disableimap=1,disablewebmail=1", false},
		{"jo", "vchkpw-smtp", "", "unset", "unset", false},
	};
	struct authd_work w;
	struct auth_request q = {0};
	struct authd_result r = {0};
	struct str user = {0};

	(void)state;
	assert_int_equal(authd_work_init(&w, &world), 0);
	for (size_t i = 0; i < N_OF(cases); i++) {
		str_clear(&user);
		str_catf(&user, "%s@x.example", cases[i].user);
		request(&q, AUTH_OP_LOGIN, cases[i].service, str_c(&user),
		    "secret pass");
		str_copys(&q.remote_ip, cases[i].ip);
		authd_work_answer(&w, &q, 1, &r);
		if ((r.status == AUTH_FAIL) != cases[i].fails)
			fail_msg("%s %s", cases[i].user, cases[i].service);
		/* A service that is closed is no guess. */
		assert_false(r.guess);
		if (cases[i].fails)
			continue;
		if (strcmp(value(&r, "DENIED"), cases[i].denied) != 0 ||
		    strcmp(value(&r, "OPTIONS"), cases[i].options) != 0)
			fail_msg("%s %s", cases[i].user, cases[i].service);
	}
	/* Limits of the domain count, unless the account overrides them. */
	put_file("domain/.qmailadmin-limits", "disable_pop 1\n");
	request(&q, AUTH_OP_LOGIN, "vchkpw-pop3", "jo@x.example",
	    "secret pass");
	str_copys(&q.remote_ip, "9.9.9.9");
	authd_work_answer(&w, &q, 1, &r);
	assert_string_equal(value(&r, "DENIED"), "pop");
	assert_string_equal(value(&r, "FLAGS"), "2");
	str_free(&user);
	authd_result_free(&r);
	auth_request_free(&q);
	authd_work_free(&w);
}

static void
get(const char *name, struct vuser *u)
{
	struct vstore *s = vstore_open("cdb", dir);

	assert_int_equal(vstore_user_get(s, &dom, name, u), VSTORE_OK);
	vstore_close(s);
}

static void
test_lastauth(void **state)
{
	struct authd_work w;
	struct auth_request q = {0};
	struct authd_result r = {0};
	struct vuser u = {0};
	struct str ip = {0};
	int64_t when = 0;

	(void)state;
	assert_int_equal(authd_work_init(&w, &world), 0);
	get("jo", &u);
	request(&q, AUTH_OP_LOGIN, "imap", "jo@x.example", "wrong");
	authd_work_answer(&w, &q, 1, &r);
	assert_int_equal(vstore_lastauth_get(w.store, &dom, &u, &when, &ip),
	    VSTORE_NONE);
	request(&q, AUTH_OP_LOGIN, "imap", "jo@x.example", "secret pass");
	str_copys(&q.remote_ip, "2001:db8::1");
	authd_work_answer(&w, &q, 1, &r);
	assert_int_equal(vstore_lastauth_get(w.store, &dom, &u, &when, &ip),
	    VSTORE_OK);
	assert_int_equal(when, 1000000000);
	assert_string_equal(str_c(&ip), "2001:db8::1");
	vuser_free(&u);
	str_free(&ip);
	authd_result_free(&r);
	auth_request_free(&q);
	authd_work_free(&w);
}

static void
test_rehash(void **state)
{
	struct authd_work w;
	struct auth_request q = {0};
	struct authd_result r = {0};
	struct vuser u = {0};

	(void)state;
	assert_int_equal(authd_work_init(&w, &world), 0);
	request(&q, AUTH_OP_LOGIN, "imap", "weak@x.example", "wrong");
	authd_work_answer(&w, &q, 1, &r);
	assert_false(r.changed);
	request(&q, AUTH_OP_LOGIN, "imap", "weak@x.example", "secret pass");
	authd_work_answer(&w, &q, 1, &r);
	assert_int_equal(r.status, AUTH_OK);
	assert_true(r.changed);
	get("weak", &u);
	assert_memory_equal(str_c(&u.hash), "$y$", 3);
	assert_string_equal(str_c(&u.quota), "5000S");
	authd_work_answer(&w, &q, 1, &r);
	assert_int_equal(r.status, AUTH_OK);
	assert_false(r.changed);
	/* What is good enough stays as it is. */
	request(&q, AUTH_OP_LOGIN, "imap", "jo@x.example", "secret pass");
	authd_work_answer(&w, &q, 1, &r);
	assert_false(r.changed);
	get("jo", &u);
	assert_string_equal(str_c(&u.hash), SHA256);
	vuser_free(&u);
	authd_result_free(&r);
	auth_request_free(&q);
	authd_work_free(&w);
}

static void
test_challenges(void **state)
{
	static const struct {
		const char *user;
		enum auth_op op;
		const char *challenge, *hex;
		enum auth_status want;
	} cases[] = {
		{"jo", AUTH_OP_CRAM_MD5,
		    "<1896.697170952@postoffice.reston.mci.net>",
		    "b913a602c7eda7a495b4e6e7334d3890", AUTH_OK},
		{"jo", AUTH_OP_CRAM_MD5,
		    "<1897.697170952@postoffice.reston.mci.net>",
		    "b913a602c7eda7a495b4e6e7334d3890", AUTH_FAIL},
		/* MD5 of "<a>" and the password, by md5sum */
		{"jo", AUTH_OP_APOP, "<a>", "56a8e1dc5a0ad5b3f39b4b1d7e3a5cb1",
		    AUTH_FAIL},
		/* No password is kept in the clear. */
		{"weak", AUTH_OP_CRAM_MD5, "",
		    "74e6f7298a9c2d168935f58c001bad88", AUTH_FAIL},
		{"nobody", AUTH_OP_CRAM_MD5, "",
		    "74e6f7298a9c2d168935f58c001bad88", AUTH_FAIL},
	};
	struct authd_work w;
	struct auth_request q = {0};
	struct authd_result r = {0};
	struct str user = {0};

	(void)state;
	assert_int_equal(authd_work_init(&w, &world), 0);
	for (size_t i = 0; i < N_OF(cases); i++) {
		str_clear(&user);
		str_catf(&user, "%s@x.example", cases[i].user);
		request(&q, cases[i].op, "esmtp", str_c(&user), cases[i].hex);
		str_copys(&q.challenge, cases[i].challenge);
		authd_work_answer(&w, &q, 1, &r);
		assert_int_equal(r.status, cases[i].want);
		/* Its answer is good for one challenge. */
		assert_false(r.keep);
	}
	str_free(&user);
	authd_result_free(&r);
	auth_request_free(&q);
	authd_work_free(&w);
}

static void
test_passwd(void **state)
{
	static const struct {
		const char *user, *old, *new;
		enum auth_status want;
		bool guess;
	} cases[] = {
		{"jo", "wrong", "new password", AUTH_FAIL, true},
		{"nobody", "secret pass", "new password", AUTH_FAIL, true},
		{"fixed", "secret pass", "new password", AUTH_FAIL, false},
		{"jo", "secret pass", "short", AUTH_FAIL, false},
		{"jo", "secret pass", "new password", AUTH_OK, false},
		{"jo", "secret pass", "new password", AUTH_FAIL, true},
		{"jo", "new password", "newer password", AUTH_OK, false},
	};
	struct authd_work w;
	struct auth_request q = {0};
	struct authd_result r = {0};
	struct str user = {0};
	struct vuser u = {0};

	(void)state;
	put_file("etc/minpasswordlength", "8\n");
	put_file("etc/hashscheme", "sha256\n");
	assert_int_equal(authd_work_init(&w, &world), 0);
	for (size_t i = 0; i < N_OF(cases); i++) {
		str_clear(&user);
		str_catf(&user, "%s@x.example", cases[i].user);
		request(&q, AUTH_OP_PASSWD, "webmail", str_c(&user),
		    cases[i].old);
		str_copys(&q.challenge, cases[i].new);
		authd_work_answer(&w, &q, 1, &r);
		if (r.status != cases[i].want || r.guess != cases[i].guess)
			fail_msg("case %zu", i);
		assert_int_equal(r.changed, r.status == AUTH_OK);
		assert_string_equal(str_c(&r.answer), r.status == AUTH_OK ?
		    "OK\n" : "FAIL\n");
	}
	get("jo", &u);
	assert_memory_equal(str_c(&u.hash), "$5$", 3);
	/* The old one in the clear is gone, and the new one is not kept. */
	assert_string_equal(str_c(&u.clear), "");
	put_file("etc/clearpasswords", "1\n");
	authd_work_free(&w);
	assert_int_equal(authd_work_init(&w, &world), 0);
	request(&q, AUTH_OP_PASSWD, "webmail", "jo@x.example",
	    "newer password");
	str_copys(&q.challenge, "another one");
	authd_work_answer(&w, &q, 1, &r);
	assert_int_equal(r.status, AUTH_OK);
	get("jo", &u);
	assert_string_equal(str_c(&u.clear), "another one");
	vuser_free(&u);
	str_free(&user);
	authd_result_free(&r);
	auth_request_free(&q);
	authd_work_free(&w);
}

static void
make_maildir(const char *user, const char *sizes)
{
	static const char *const parts[] = {"", "/new", "/cur", "/tmp"};
	char path[128];

	for (size_t i = 0; i < N_OF(parts); i++) {
		(void)snprintf(path, sizeof path, "%s/%s/Maildir%s", domdir,
		    user, parts[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	(void)snprintf(path, sizeof path, "domain/%s/Maildir/maildirsize",
	    user);
	put_file(path, sizes);
}

static void
make_message(const char *user, int bytes)
{
	char path[128];

	(void)snprintf(path, sizeof path, "domain/%s/Maildir/new/1.a.b,S=%d",
	    user, bytes);
	put_file(path, "");
	(void)snprintf(path, sizeof path, "domain/%s/Maildir/maildirsize",
	    user);
	put_file(path, "5000S\n4999 1\n1 0\n");
}

static void
test_resolve(void **state)
{
	static const char *const odd[] = {"\xc3\xb6,x@x.example",
	    "\"a b\"@x.example", "jo@y@x.example", "jo%y.example@x.example",
	    "\xff\xfe@x.example"};
	struct authd_work w;
	struct auth_request q = {0};
	struct authd_result r = {0};
	struct vuser u = {0};

	(void)state;
	assert_int_equal(authd_work_init(&w, &world), 0);
	request(&q, AUTH_OP_RESOLVE, "", "noimap@alias.example", "");
	authd_work_answer(&w, &q, 65534, &r);
	assert_int_equal(r.status, AUTH_OK);
	assert_string_equal(value(&r, "DOMAIN"), "x.example");
	assert_string_equal(value(&r, "DIR"), domdir);
	assert_string_equal(value(&r, "BASE"), dir);
	assert_string_equal(value(&r, "OVERQUOTA"), "defer");
	assert_string_equal(value(&r, "NOFILE"), "1");
	assert_string_equal(value(&r, "USER"), "noimap");
	assert_string_equal(value(&r, "QUOTA"), "5000S");
	assert_string_equal(value(&r, "FLAGS"), "12");
	assert_string_equal(value(&r, "PASSWD"), "unset");
	put_file("domain/.qmail-default",
	    "| /home/vpopmail/bin/vdelivermail '' bounce-no-mailbox\n");
	put_file("domain/.qmail-info", "&jo@other.example\n");
	authd_work_answer(&w, &q, 65534, &r);
	assert_string_equal(value(&r, "ACTION"), "bounce-no-mailbox");
	assert_string_equal(value(&r, "FILE"), "unset");
	assert_string_equal(value(&r, "FULL"), "unset");
	request(&q, AUTH_OP_RESOLVE, "", "info@x.example", "");
	authd_work_answer(&w, &q, 65534, &r);
	assert_string_equal(value(&r, "FILE"), ".qmail-info");
	assert_string_equal(value(&r, "ACTION"), "unset");
	assert_string_equal(value(&r, "ALIAS"), "unset");
	request(&q, AUTH_OP_RESOLVE, "", "jo-list@x.example", "");
	authd_work_answer(&w, &q, 65534, &r);
	assert_string_equal(value(&r, "DOMAIN"), "x.example");
	assert_string_equal(value(&r, "USER"), "unset");
	request(&q, AUTH_OP_RESOLVE, "", "jo@other.example", "");
	authd_work_answer(&w, &q, 65534, &r);
	assert_int_equal(r.status, AUTH_FAIL);
	/* Longer than any account: a list's return address, a catch-all's. */
	put_file("domain/.qmail-list-return-default", "&jo@other.example\n");
	for (int list = 0; list < 2; list++) {
		request(&q, AUTH_OP_RESOLVE, "", list ? "list-return-" :
		    "x-", "");
		for (size_t i = 0; i < 300; i++)
			str_catc(&q.user, 'A');
		str_cats(&q.user, "@x.example");
		authd_work_answer(&w, &q, 65534, &r);
		assert_int_equal(r.status, AUTH_OK);
		assert_string_equal(value(&r, "USER"), "unset");
		assert_string_equal(value(&r, "FILE"), list ?
		    ".qmail-list-return-default" : "unset");
		assert_string_equal(value(&r, "ACTION"), list ? "unset" :
		    "bounce-no-mailbox");
		q.op = AUTH_OP_LOGIN;
		authd_work_answer(&w, &q, 65534, &r);
		assert_int_equal(r.status, AUTH_FAIL);
	}
	/* A file may have a name that no account has. */
	put_file("domain/.qmail-\xc3\xb6,x", "&jo@other.example\n");
	for (size_t i = 0; i < N_OF(odd); i++) {
		request(&q, AUTH_OP_RESOLVE, "", odd[i], "");
		authd_work_answer(&w, &q, 65534, &r);
		assert_int_equal(r.status, AUTH_OK);
		assert_string_equal(value(&r, "DOMAIN"), "x.example");
		assert_string_equal(value(&r, "USER"), "unset");
		assert_string_equal(value(&r, "FILE"), i == 0 ?
		    ".qmail-\xc3\xb6,x" : "unset");
		assert_string_equal(value(&r, "ACTION"), i == 0 ? "unset" :
		    "bounce-no-mailbox");
	}
	request(&q, AUTH_OP_RESOLVE, "", "@x.example", "");
	authd_work_answer(&w, &q, 65534, &r);
	assert_int_equal(r.status, AUTH_FAIL);
	/* No message fits: on the word of a count, not of a sum. */
	make_maildir("jo", "5000S\n5000 3\n5 1\n");
	request(&q, AUTH_OP_RESOLVE, "", "jo@x.example", "");
	authd_work_answer(&w, &q, 65534, &r);
	assert_string_equal(value(&r, "FULL"), "unset");
	make_message("jo", 5000);
	authd_work_answer(&w, &q, 65534, &r);
	assert_string_equal(value(&r, "FULL"), "1");
	/* With extensions jo gets it. */
	put_file("etc/qmailext", "1\n");
	authd_work_free(&w);
	assert_int_equal(authd_work_init(&w, &world), 0);
	request(&q, AUTH_OP_RESOLVE, "", "jo-list@x.example", "");
	authd_work_answer(&w, &q, 65534, &r);
	assert_string_equal(value(&r, "USER"), "jo");
	/* A record without a directory gets one, once. */
	get("jo", &u);
	str_clear(&u.dir);
	assert_int_equal(vstore_user_set(w.store, &dom, &u), VSTORE_OK);
	authd_work_answer(&w, &q, 65534, &r);
	assert_string_not_equal(value(&r, "HOME"), "unset");
	get("jo", &u);
	assert_string_equal(value(&r, "HOME"), str_c(&u.dir));
	vuser_free(&u);
	authd_result_free(&r);
	auth_request_free(&q);
	authd_work_free(&w);
}

static enum user_status
fake_hash(const char *name, struct str *hash_out, bool *ended_out)
{
	*ended_out = strcmp(name, "games") == 0;
	str_copys(hash_out, SHA256);
	return strcmp(name, "nobody") == 0 ? USER_TEMP : USER_OK;
}

/* Accounts of every Debian; their hashes are ours. */
static void
test_system(void **state)
{
	static const struct {
		const char *user, *password;
		enum auth_status want;
	} cases[] = {
		{"daemon", "secret pass", AUTH_OK},
		{"daemon", "wrong", AUTH_FAIL},
		{"daemon", "", AUTH_FAIL},
		{"root", "secret pass", AUTH_FAIL},
		{"games", "secret pass", AUTH_FAIL},    /* it has ended */
		{"nobody", "secret pass", AUTH_TEMP},
		{"no-such-user", "secret pass", AUTH_FAIL},
		{"daemon@x.example", "secret pass", AUTH_FAIL},
	};
	struct authd_world mine = world;
	struct authd_work w;
	struct auth_request q = {0};
	struct authd_result r = {0};
	struct user u = {0};

	(void)state;
	assert_int_equal(user_find("daemon", &u), USER_OK);
	mine.system = authd_sys_start(fake_hash);
	assert_true(mine.system >= 0);
	for (int on = 0; on < 2; on++) {
		put_file("etc/systemusers", on ? "1\n" : "0\n");
		assert_int_equal(authd_work_init(&w, &mine), 0);
		for (size_t i = 0; i < N_OF(cases); i++) {
			request(&q, AUTH_OP_LOGIN, "vchkpw-pop3",
			    cases[i].user, cases[i].password);
			authd_work_answer(&w, &q, 0, &r);
			if (r.status != (on ? cases[i].want : AUTH_FAIL))
				fail_msg("%s", cases[i].user);
			assert_int_equal(r.guess, r.status == AUTH_FAIL);
			if (r.status != AUTH_OK)
				continue;
			assert_int_equal(strtoul(value(&r, "UID"), NULL, 10),
			    u.uid);
			assert_string_equal(value(&r, "HOME"), str_c(&u.home));
			assert_string_equal(value(&r, "ADDRESS"), "daemon");
			assert_string_equal(value(&r, "PASSWD"), "unset");
		}
		request(&q, AUTH_OP_PRE, "imap", "daemon", "");
		authd_work_answer(&w, &q, 0, &r);
		assert_int_equal(r.status, on ? AUTH_OK : AUTH_FAIL);
		/* Their passwords are changed elsewhere. */
		request(&q, AUTH_OP_PASSWD, "imap", "daemon", "secret pass");
		str_copys(&q.challenge, "another");
		authd_work_answer(&w, &q, 0, &r);
		assert_int_equal(r.status, AUTH_FAIL);
		authd_work_free(&w);
	}
	(void)close(mine.system);
	user_free(&u);
	authd_result_free(&r);
	auth_request_free(&q);
}

/* A store that cannot be asked is never a refusal. */
static void
test_trouble(void **state)
{
	static const enum auth_op ops[] = {AUTH_OP_LOGIN, AUTH_OP_PRE,
	    AUTH_OP_CRAM_MD5, AUTH_OP_PASSWD, AUTH_OP_RESOLVE};
	struct authd_work w;
	struct auth_request q = {0};
	struct authd_result r = {0};

	(void)state;
	put_file("etc/store", "mysql\n");
	assert_int_equal(authd_work_init(&w, &world), 0);
	for (size_t i = 0; i < N_OF(ops); i++) {
		request(&q, ops[i], "imap", "jo@x.example", "secret pass");
		str_copys(&q.challenge, "new");
		authd_work_answer(&w, &q, 0, &r);
		assert_int_equal(r.status, AUTH_TEMP);
		assert_int_equal(r.answer.len, 0);
		assert_false(r.keep);
		assert_false(r.guess);
	}
	authd_work_free(&w);
	/* Nor is a table of domains that cannot be read. */
	put_file("etc/store", "cdb\n");
	put_file("users/cdb", "nonsense");
	assert_int_equal(authd_work_init(&w, &world), 0);
	request(&q, AUTH_OP_LOGIN, "imap", "jo@x.example", "secret pass");
	authd_work_answer(&w, &q, 0, &r);
	assert_int_equal(r.status, AUTH_TEMP);
	authd_work_free(&w);
	/* Settings that make no sense: it does not start. */
	put_file("etc/logintries", "many\n");
	assert_int_equal(authd_work_init(&w, &world), -1);
	authd_work_free(&w);
	authd_result_free(&r);
	auth_request_free(&q);
}

/* ---- the service ---- */

static pid_t
serve(uid_t as)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0};
	struct authd_config cfg = {.world = world, .nlisteners = 1,
	    .clients_max = 50, .clients_uid_max = 20, .ask_ms = 700,
	    .answer_ms = 5000, .spare_ms = 60000};
	int listener = sock_listen(sockpath, SOCK_STREAM, 100, 0666);
	pid_t pid;

	assert_true(listener >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* A test that fails leaves nothing behind. */
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		cfg.listeners = &listener;
		cfg.signals = sig_open(signals);
		cfg.world.uid_vpopmail = as;
		_exit(authd_run(&cfg));
	}
	(void)close(listener);
	return pid;
}

static void
stop(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static enum auth_status
login(const char *ip, const char *user, const char *password)
{
	struct auth_answer a = {0};
	enum auth_status st = auth_login(sockpath, "imap", ip, user, password,
	    &a);

	auth_answer_free(&a);
	return st;
}

static void
set_hash(const char *name, const char *password)
{
	struct vstore *s = vstore_open("cdb", dir);
	struct vuser u = {0};

	get(name, &u);
	assert_int_equal(password_make("sha256", 100, password, &u.hash), 0);
	assert_int_equal(vstore_user_set(s, &dom, &u), VSTORE_OK);
	vuser_free(&u);
	vstore_close(s);
}

static void
test_service(void **state)
{
	pid_t pid = serve(getuid());
	struct auth_answer a = {0};

	(void)state;
	assert_int_equal(login("9.9.9.9", "jo@x.example", "secret pass"),
	    AUTH_OK);
	assert_int_equal(login("9.9.9.9", "jo@x.example", "wrong"),
	    AUTH_FAIL);
	assert_int_equal(auth_pre(sockpath, "imap", "jo@x.example", &a),
	    AUTH_OK);
	assert_non_null(auth_value_peek(&a, "HOME", 0));
	/* Kept until somebody says that it has changed. */
	set_hash("jo", "other");
	assert_int_equal(login("9.9.9.9", "jo@x.example", "secret pass"),
	    AUTH_OK);
	auth_changed(sockpath, "x.example", "weak");
	assert_int_equal(login("9.9.9.9", "jo@x.example", "secret pass"),
	    AUTH_OK);
	auth_changed(sockpath, "X.example", "Jo");
	assert_int_equal(login("9.9.9.9", "jo@x.example", "secret pass"),
	    AUTH_FAIL);
	assert_int_equal(login("9.9.9.9", "jo@x.example", "other"), AUTH_OK);
	/* Its own changes it knows. */
	assert_int_equal(auth_passwd(sockpath, "imap", NULL, "jo@x.example",
	    "other", "third"), AUTH_OK);
	assert_int_equal(login("9.9.9.9", "jo@x.example", "other"),
	    AUTH_FAIL);
	assert_int_equal(login("9.9.9.9", "jo@x.example", "third"), AUTH_OK);
	/* A user who is made is there at once. */
	assert_int_equal(auth_pre(sockpath, "imap", "new@x.example", &a),
	    AUTH_FAIL);
	{
		struct vstore *s = vstore_open("cdb", dir);

		add_user(s, "new", SHA256, 0, "");
		vstore_close(s);
	}
	assert_int_equal(auth_pre(sockpath, "imap", "new@x.example", &a),
	    AUTH_FAIL);
	auth_changed(sockpath, "x.example", "new");
	assert_int_equal(auth_pre(sockpath, "imap", "new@x.example", &a),
	    AUTH_OK);
	/* HUP: settings, and all that was kept. */
	set_hash("new", "changed");
	put_file("etc/defaultdomain", "x.example\n");
	assert_int_equal(kill(pid, SIGHUP), 0);
	while (login("9.9.9.8", "new", "changed") != AUTH_OK)
		(void)poll(NULL, 0, 300);
	stop(pid);
	auth_answer_free(&a);
}

static int
talk(const char *text, size_t n)
{
	int fd = sock_connect(sockpath, SOCK_STREAM, 1000);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	return fd;
}

/* All that comes until the connection is closed. */
static void
hears(int fd, const char *want)
{
	char buf[8192];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, buf + len, sizeof buf - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	assert_string_equal(buf, want);
	(void)close(fd);
}

static void
test_wire(void **state)
{
	pid_t pid = serve(VPOPMAIL_UID);
	struct str want = {0};
	static const char question[] = "PRE . imap jo@x.example\n";
	int fd;

	(void)state;
	str_catf(&want, "UID=0\nGID=0\nHOME=%s/jo\nADDRESS=jo@x.example\n"
	    "NAME=A Name\nQUOTA=5000S\nPASSWD=%s\nPASSWD2=tanstaaftanstaaf\n"
	    ".\n", domdir, SHA256);
	if (getuid() == 0) {
		hears(talk(question, sizeof question - 1), str_c(&want));
		/* Byte by byte, with what is not known before it. */
		fd = talk("WHAT=ever\n", 10);
		for (size_t i = 0; i < sizeof question - 1; i++)
			assert_int_equal(write(fd, question + i, 1), 1);
		hears(fd, str_c(&want));
		/* Bytes after it do not matter. */
		hears(talk("PRE . imap jo@x.example\nPRE\n", 28),
		    str_c(&want));
	}
	hears(talk("PRE . imap no@x.example\n", 24), "FAIL\n");
	hears(talk("AUTH 25\nimap\nlogin\njo@x.example\nx\n", 34), "FAIL\n");
	/* Nonsense is closed without a word. */
	hears(talk("HELO\n", 5), "");
	hears(talk("AUTH 8193\n", 10), "");
	hears(talk("PRE . imap j\0o\n", 15), "");
	/* So is who says nothing for too long. */
	hears(talk("PRE . imap", 10), "");
	hears(talk("", 0), "");
	/* Others are served meanwhile. */
	fd = talk("AUTH 100\n", 9);
	hears(talk("PRE . imap no@x.example\n", 24), "FAIL\n");
	(void)close(fd);
	if (getuid() == 0) {
		static const char *const names[] = {"fixed", "jo", "noimap",
		    "nopw", "nosmtp", "odd", "weak"};

		str_copys(&want, "# vpopmail\n");
		for (size_t i = 0; i < N_OF(names); i++)
			str_catf(&want, "%s@x.example\t0\t0\t%s/%s\t\t%s\n",
			    names[i], domdir, names[i],
			    i == 2 ? "disableimap=1,disablewebmail=1" :
			    i == 4 ? "disablepop3=1" : "");
		str_cats(&want, ".\n");
		hears(talk("ENUMERATE\n", 10), str_c(&want));
	}
	stop(pid);
	str_free(&want);
}

static void
test_guessing(void **state)
{
	pid_t pid;
	char password[32], ip[32];

	(void)state;
	put_file("etc/logintries", "3\n");
	pid = serve(getuid());
	assert_int_equal(login("10.0.0.9", "jo@x.example", "secret pass"),
	    AUTH_OK);
	for (int i = 0; i < 3; i++) {
		(void)snprintf(password, sizeof password, "wrong%d", i);
		assert_int_equal(login("10.0.0.1", "jo@x.example", password),
		    AUTH_FAIL);
		/* The same again is no new guess. */
		assert_int_equal(login("10.0.0.1", "jo@x.example", password),
		    AUTH_FAIL);
	}
	/* No answer now, right or wrong, for any user from there. */
	assert_int_equal(login("10.0.0.1", "jo@x.example", "wrong9"),
	    AUTH_TEMP);
	assert_int_equal(login("10.0.0.1", "jo@x.example", "secret pass"),
	    AUTH_TEMP);
	assert_int_equal(login("10.0.0.1", "weak@x.example", "secret pass"),
	    AUTH_TEMP);
	/* A right one does not count. */
	for (int i = 0; i < 8; i++)
		assert_int_equal(login("10.0.0.2", i % 2 ? "weak@x.example" :
		    "fixed@x.example", "secret pass"), AUTH_OK);
	/* One user, many addresses: nine wrong ones in all. */
	for (int i = 0; i < 6; i++) {
		(void)snprintf(ip, sizeof ip, "10.1.%d.1", i);
		assert_int_equal(login(ip, "jo@x.example", "bad"),
		    AUTH_FAIL);
	}
	assert_int_equal(login("10.2.0.1", "jo@x.example", "secret pass"),
	    AUTH_TEMP);
	/* Who was right lately, from there, gets in. */
	assert_int_equal(login("10.0.0.9", "JO@x.example", "secret pass"),
	    AUTH_OK);
	/* A web mail host is many people. */
	for (int i = 0; i < 3; i++) {
		(void)snprintf(password, sizeof password, "wrong%d", i);
		assert_int_equal(login("127.0.0.1", "fixed@x.example",
		    password), AUTH_FAIL);
	}
	assert_int_equal(login("127.0.0.1", "fixed@x.example", "wrong9"),
	    AUTH_TEMP);
	assert_int_equal(login("127.0.0.1", "nosmtp@x.example",
	    "secret pass"), AUTH_OK);
	/* A /64 is one place. */
	for (int i = 0; i < 3; i++) {
		(void)snprintf(ip, sizeof ip, "2001:db8::%d", i + 1);
		assert_int_equal(login(ip, "noimap@x.example", "bad"),
		    AUTH_FAIL);
	}
	assert_int_equal(login("2001:db8::9", "noimap@x.example", "bad"),
	    AUTH_TEMP);
	stop(pid);
}

static pid_t
a_child_of(pid_t parent)
{
	char path[64], text[256];
	FILE *f;
	int pid = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/task/%d/children",
	    (int)parent, (int)parent);
	f = fopen(path, "r");
	assert_non_null(f);
	if (fgets(text, sizeof text, f) != NULL)
		pid = (int)strtol(text, NULL, 10);
	(void)fclose(f);
	return pid;
}

static void
test_killed(void **state)
{
	pid_t pid = serve(VPOPMAIL_UID), worker;

	(void)state;
	assert_int_equal(login("9.9.9.9", "jo@x.example", "secret pass"),
	    AUTH_OK);
	worker = a_child_of(pid);
	assert_true(worker > 0);
	assert_int_equal(kill(worker, SIGKILL), 0);
	while (a_child_of(pid) == worker)
		(void)poll(NULL, 0, 10);
	assert_int_equal(login("9.9.9.9", "weak@x.example", "secret pass"),
	    AUTH_OK);
	/* One that has stopped: no answer, then another one. */
	worker = a_child_of(pid);
	stopped = worker;
	assert_int_equal(kill(worker, SIGSTOP), 0);
	assert_int_equal(login("9.9.9.9", "fixed@x.example", "secret pass"),
	    AUTH_TEMP);
	assert_int_equal(login("9.9.9.9", "fixed@x.example", "secret pass"),
	    AUTH_OK);
	stopped = 0;
	stop(pid);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_login),
		TEST(test_who_sees),
		TEST(test_services),
		TEST(test_lastauth),
		TEST(test_rehash),
		TEST(test_challenges),
		TEST(test_passwd),
		TEST(test_resolve),
		TEST(test_system),
		TEST(test_trouble),
		TEST(test_service),
		TEST(test_wire),
		TEST(test_guessing),
		TEST(test_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
