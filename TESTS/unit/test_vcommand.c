/* test_vcommand.c - what every v* command begins and ends with: errors as
 * lines and numbers, passwords asked for, hashed and hidden. */
#include "vpop/command.h"

#include "vpop/password.h"
#include "TESTS/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>

static char tmp[] = "/tmp/unit-vcommand.XXXXXX";

/* fn(arg) must leave with this code and exactly these bytes on descriptor 1,
 * having read in from descriptor 0. */
static void
leaves_n(void (*fn)(void *), void *arg, const char *in, size_t nin, int code,
    const char *want)
{
	char got[8192];
	size_t len = 0;
	int out[2], feed[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(feed), 0);
	assert_int_equal(write(feed[1], in, nin), nin);
	(void)close(feed[1]);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(feed[0], 0);
		(void)dup2(out[1], 1);
		(void)close(out[0]);
		(void)close(out[1]);
		fn(arg);
		_exit(0);
	}
	(void)close(feed[0]);
	(void)close(out[1]);
	while ((n = read(out[0], got + len, sizeof got - 1 - len)) > 0)
		len += (size_t)n;
	got[len] = '\0';
	(void)close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (want != NULL)
		assert_string_equal(got, want);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
}

static void
leaves(void (*fn)(void *), void *arg, const char *in, int code,
    const char *want)
{
	leaves_n(fn, arg, in, strlen(in), code, want);
}

static void
put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/etc/%s", tmp, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
drop(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s/etc/%s", tmp, name);
	(void)remove(path);
}

/* As vcommand_begin leaves it, without a system user. */
static void
make(struct vcommand *c)
{
	struct str why = {0};

	*c = (struct vcommand){0};
	str_copys(&c->home, tmp);
	assert_int_equal(vsettings_load(tmp, &c->settings, &why), 0);
	c->store = vstore_open(vsetting_peek(&c->settings, VSETTING_STORE),
	    tmp);
	str_free(&why);
}

/* Errors */

static void
fail_name(void *arg)
{
	vcommand_fail(VPOP_NO_USER, "%s", (const char *)arg);
}

static void
fail_bare(void *arg)
{
	(void)arg;
	vcommand_fail(VPOP_CATCHALL, NULL);
}

static void
usage(void *arg)
{
	(void)arg;
	vcommand_usage("vsomething [-v] address");
}

static void
version(void *arg)
{
	(void)arg;
	vcommand_version();
}

static void
errors(void **state)
{
	char big[5000], want[1200];

	(void)state;
	leaves(fail_name, (char *)(uintptr_t)"a@b.c", "", 246,
	    "Error: user does not exist: a@b.c\n");
	leaves(fail_bare, NULL, "", 201,
	    "Error: the catch-all account may not be deleted\n");
	leaves(usage, NULL, "", 255, "usage: vsomething [-v] address\n");
	leaves(version, NULL, "", 0, "version: " VPOP_VERSION "\n");
	/* a line stays a line, and terminals are not commanded */
	leaves(fail_name, (char *)(uintptr_t)"a\nError: b\033[2J\377\xc2\x9b",
	    "", 246, "Error: user does not exist: a_Error: b_[2J__\n");
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	(void)snprintf(want, sizeof want,
	    "Error: user does not exist: %.1020s...\n", big);
	leaves(fail_name, big, "", 246, want);
}

static void
numbers(void **state)
{
	static const struct { enum vpop_error e; int code; } cases[] = {
		{VPOP_ILLEGAL_USERNAME, 255}, {VPOP_USERNAME_EXISTS, 254},
		{VPOP_NO_DOMAIN, 245}, {VPOP_DOMAIN_EXISTS, 243},
		{VPOP_BAD_UID, 234}, {VPOP_QUERY, 216}, {VPOP_CATCHALL, 201},
		{VPOP_PASSWD_SHORT, 187},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		assert_int_equal(256 + (int)cases[i].e, cases[i].code);
}

static void
store_says(void *arg)
{
	struct vcommand c;

	make(&c);
	vcommand_fail_store(&c, *(const enum vstore_status *)arg,
	    VPOP_NO_USER, VPOP_USERNAME_EXISTS, "a@x.example");
}

static void
from_store(void **state)
{
	enum vstore_status st = VSTORE_NONE;

	(void)state;
	leaves(store_says, &st, "", 246,
	    "Error: user does not exist: a@x.example\n");
	st = VSTORE_EXISTS;
	leaves(store_says, &st, "", 254,
	    "Error: user name already exists: a@x.example\n");
	st = VSTORE_WIDE;
	leaves(store_says, &st, "", 239, NULL);
	st = VSTORE_TEMP;
	leaves(store_says, &st, "", 218, NULL);
	put("store", "mysql\n");
	leaves(store_says, &st, "", 233, NULL);
	drop("store");
}

/* Names */

static void
domain_of(void *arg)
{
	struct vcommand c;
	struct str user = {0};
	struct vdomain d = {0};

	make(&c);
	vcommand_address(&c, arg, &user, &d);
}

static void
addresses(void **state)
{
	static const struct {
		const char *addr;
		int code;
		const char *out;
	} cases[] = {
		{"a@nowhere.example", 245,
		    "Error: domain does not exist: nowhere.example\n"},
		{"a%NoWhere.example", 245,
		    "Error: domain does not exist: nowhere.example\n"},
		{"a/nowhere.example", 245,
		    "Error: domain does not exist: nowhere.example\n"},
		{"a", 244, NULL},
		{"", 255, "Error: illegal user name\n"},
		{"a b@nowhere.example", 255,
		    "Error: illegal user name: a b@nowhere.example\n"},
		{"a@-x.example", 244,
		    "Error: invalid domain name: a@-x.example\n"},
		{"a@x/../y", 244, NULL},
	};

	(void)state;
	vdomain_set_dir(tmp);
	(void)unsetenv("VPOPMAIL_DOMAIN");
	for (size_t i = 0; i < N_OF(cases); i++)
		leaves(domain_of, (char *)(uintptr_t)cases[i].addr, "",
		    cases[i].code, cases[i].out);
	put("defaultdomain", "default.example\n");
	leaves(domain_of, (char *)(uintptr_t)"a", "", 245,
	    "Error: domain does not exist: default.example\n");
	(void)setenv("VPOPMAIL_DOMAIN", "env.example", 1);
	leaves(domain_of, (char *)(uintptr_t)"a", "", 245,
	    "Error: domain does not exist: env.example\n");
	(void)unsetenv("VPOPMAIL_DOMAIN");
	drop("defaultdomain");
}

/* Asking */

static void
ask(void *arg)
{
	struct str pw = {0};

	vcommand_ask_password(arg, &pw);
	str_catc(&pw, '\n');
	vcommand_print(&pw);
	str_free(&pw);
}

#define PLEASE "Please enter password for a@b.c: enter password again: "

static void
asking(void **state)
{
	char who[] = "a@b.c", odd[] = "a\nb";
	char in[2 * (VPOP_PASSWORD_MAX + 2) + 1];

	(void)state;
	leaves(ask, who, "p w\np w\n", 0, PLEASE "p w\n");
	leaves(ask, who, "p w\np w", 0, PLEASE "p w\n");
	leaves(ask, who, "one\ntwo\nthree\nthree\n", 0, PLEASE
	    "The passwords are not the same, try again.\n" PLEASE "three\n");
	leaves(ask, who, "one\ntwo\n", 255, PLEASE
	    "The passwords are not the same, try again.\n"
	    "Please enter password for a@b.c: Error: nothing was entered\n");
	leaves(ask, who, "", 255,
	    "Please enter password for a@b.c: Error: nothing was entered\n");
	leaves(ask, odd, "", 255,
	    "Please enter password for a_b: Error: nothing was entered\n");
	leaves_n(ask, who, "a\0b\na\0b\n", 8, 236, NULL);
	/* the longest, and one more */
	for (size_t n = VPOP_PASSWORD_MAX; n <= VPOP_PASSWORD_MAX + 1; n++) {
		memset(in, 'p', n);
		in[n] = '\n';
		memcpy(in + n + 1, in, n + 1);
		leaves_n(ask, who, in, 2 * (n + 1),
		    n > VPOP_PASSWORD_MAX ? 229 : 0, NULL);
	}
}

/* On a terminal nothing of it is seen, and the echo comes back. */
static void
terminal(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, status;
	struct termios t;
	char got[512], name[64];
	size_t len = 0;
	pid_t pid;

	(void)state;
	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	assert_int_equal(ptsname_r(master, name, sizeof name), 0);
	slave = open(name, O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct str pw = {0};

		(void)dup2(slave, 0);
		(void)dup2(slave, 1);
		(void)close(slave);
		vcommand_ask_password("a@b.c", &pw);
		_exit(str_eqs(&pw, "secret") ? 0 : 1);
	}
	/* an answer only after its question: what was typed before it is
	 * thrown away */
	for (int asked = 0; asked < 2; asked++) {
		const char *wait = asked == 0 ? "a@b.c: " : "again: ";

		for (;;) {
			ssize_t n = read(master, got + len,
			    sizeof got - 1 - len);

			assert_true(n > 0);
			len += (size_t)n;
			got[len] = '\0';
			if (strstr(got, wait) == NULL)
				continue;
			/* the echo goes after the prompt has come */
			do
				assert_int_equal(tcgetattr(slave, &t), 0);
			while (t.c_lflag & ECHO);
			break;
		}
		assert_int_equal(write(master, "secret\n", 7), 7);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(tcgetattr(slave, &t), 0);
	assert_true(t.c_lflag & ECHO);
	assert_null(strstr(got, "secret"));
	(void)close(slave);
	(void)close(master);
}

/* Hashing */

static void
hash(void *arg)
{
	struct vcommand c;
	struct str h = {0}, clear = {0};

	make(&c);
	vcommand_hash(&c, arg, &h, &clear);
	assert_int_equal(password_verify(str_c(&h), arg), PASSWORD_OK);
	str_catc(&clear, '|');
	vcommand_print(&clear);
	str_free(&h);
	password_wipe(&clear);
	vcommand_end(&c);
}

static void
hashing(void **state)
{
	char pw[] = "S3cret: pass%word", none[] = "", line[] = "a\nb";
	char big[VPOP_PASSWORD_MAX + 2], clear[VPOP_CLEAR_MAX + 2];

	(void)state;
	put("hashscheme", "sha256\n");  /* the quickest */
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	memset(clear, 'y', sizeof clear - 1);
	clear[sizeof clear - 1] = '\0';
	leaves(hash, pw, "", 0, "|");
	leaves(hash, none, "", 187, NULL);
	leaves(hash, line, "", 236, NULL);
	leaves(hash, big, "", 229, "Error: password too long\n");
	big[600] = '\0';        /* more than crypt(3) takes */
	leaves(hash, big, "", 229, "Error: password too long\n");
	put("minpasswordlength", "18\n");
	leaves(hash, pw, "", 187,
	    "Error: password too short: it has at least 18 bytes\n");
	put("minpasswordlength", "17\n");
	leaves(hash, pw, "", 0, "|");
	drop("minpasswordlength");
	put("clearpasswords", "1\n");
	leaves(hash, pw, "", 0, "S3cret: pass%word|");
	leaves(hash, clear, "", 225, NULL);
	drop("clearpasswords");
	leaves(hash, clear, "", 0, "|");
	drop("hashscheme");
}

static void
randoms(void **state)
{
	struct str a = {0}, b = {0};
	bool seen[256] = {false};
	size_t n = 0;

	(void)state;
	vcommand_random_password(12, &a);
	vcommand_random_password(12, &b);
	assert_int_equal(a.len, 12);
	assert_string_not_equal(str_c(&a), str_c(&b));
	vcommand_random_password(20000, &a);
	assert_int_equal(a.len, 20000);
	for (size_t i = 0; i < a.len; i++) {
		unsigned char c = (unsigned char)a.s[i];

		n += !seen[c];
		seen[c] = true;
		assert_null(memchr("0O1lI", c, 5));
	}
	assert_int_equal(n, 57);        /* 62 but for five */
	str_free(&a);
	str_free(&b);
}

static void
arguments(void **state)
{
	char arg[] = "secret";
	struct str pw = {0};

	(void)state;
	vcommand_take_password(arg, &pw);
	assert_string_equal(str_c(&pw), "secret");
	assert_string_equal(arg, "xxxxxx");
	password_wipe(&pw);
}

/* Long listings */

static void
spill(void *arg)
{
	struct str out = {0};

	(void)arg;
	str_cats(&out, "few\n");
	vcommand_spill(&out);
	assert_int_equal(out.len, 4);
	vcommand_print(&out);
	str_free(&out);
}

static void
full(void *arg)
{
	struct str out = {0};
	int fd = open("/dev/full", O_WRONLY);

	(void)arg;
	(void)dup2(fd, 1);
	str_cats(&out, "lost\n");
	vcommand_print(&out);
}

static void
progress(void *arg)
{
	struct vprogress p = {.what = "users", .all = 3};

	(void)arg;
	for (uint64_t i = 0; i <= 3; i++)
		vprogress_step(&p, i);
	vprogress_end(&p);
}

static void
output(void **state)
{
	char text[256];

	(void)state;
	leaves(spill, NULL, "", 0, "few\n");
	unit_dies(full, NULL, 111, "unable to write");
	assert_int_equal(unit_child(progress, NULL, text, sizeof text), 0);
	assert_string_equal(text, "users: 3 of 3\n");
}

static int
setup(void **state)
{
	char path[256];

	(void)state;
	if (mkdtemp(tmp) == NULL)
		return -1;
	(void)snprintf(path, sizeof path, "%s/etc", tmp);
	return mkdir(path, 0700);
}

static int
teardown(void **state)
{
	char path[256];

	(void)state;
	(void)snprintf(path, sizeof path, "%s/etc", tmp);
	return rmdir(path) == 0 ? rmdir(tmp) : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors),
		cmocka_unit_test(numbers),
		cmocka_unit_test(from_store),
		cmocka_unit_test(addresses),
		cmocka_unit_test(asking),
		cmocka_unit_test(terminal),
		cmocka_unit_test(hashing),
		cmocka_unit_test(randoms),
		cmocka_unit_test(arguments),
		cmocka_unit_test(output),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
