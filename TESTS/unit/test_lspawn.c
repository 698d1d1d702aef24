/* test_lspawn.c - qmail-lspawn's own code with the real qmail-local and
 * qmail-getpw behind it: commands in, files in a Maildir, reports out.  Run as
 * root it delivers as nobody, else as whoever runs it. */
#include "lspawn/lspawn.h"

#include "lib/io.h"
#include "lib/proc.h"
#include "lib/tai.h"
#include "mail/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char top[] = "/tmp/test_lspawn.XXXXXX";
static char mess[64], home[64], cdb[64], here[512], local_[600], getpw_[600];
static uid_t uid;
static gid_t gid;

struct spawner {
	pid_t pid;
	int in, out;
	struct spawn_report rep;
	char buf[4096];
	size_t at, n;
};

static void
put_file(const char *path, const char *text, mode_t mode, uid_t owner)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	if (getuid() == 0)
		assert_int_equal(fchown(fd, owner, gid), 0);
	(void)close(fd);
}

static void
put_dotqmail(const char *name, const char *text)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", home, name);
	put_file(path, text, 0600, uid);
}

static void
make_dir(const char *fmt, const char *base)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", base, fmt);
	assert_int_equal(mkdir(path, 0700), 0);
	if (getuid() == 0)
		assert_int_equal(chown(path, uid, gid), 0);
}

static void
compile_users(const char *extra)
{
	struct str s = {0}, tmp = {0};
	const char *why;
	size_t line;

	str_catf(&s, "=jo:jo:%lu:%lu:%s:::\n+jo-:jo:%lu:%lu:%s:-::\n%s.\n",
	    (unsigned long)uid, (unsigned long)gid, home, (unsigned long)uid,
	    (unsigned long)gid, home, extra);
	str_catf(&tmp, "%s.tmp", cdb);
	assert_int_equal(users_compile(str_c(&s), s.len, cdb, str_c(&tmp),
	    &line, &why), 0);
	str_free(&s);
	str_free(&tmp);
}

static int
setup(void **state)
{
	char path[128];

	(void)state;
	uid = getuid() == 0 ? 65534 : getuid();
	gid = getuid() == 0 ? 65534 : getgid();
	assert_non_null(getcwd(here, sizeof here));
	(void)snprintf(local_, sizeof local_, "%s/qmail-local", here);
	(void)snprintf(getpw_, sizeof getpw_, "%s/qmail-getpw", here);
	assert_non_null(mkdtemp(top));
	assert_int_equal(chmod(top, 0755), 0);
	(void)snprintf(mess, sizeof mess, "%s/mess", top);
	(void)snprintf(home, sizeof home, "%s/home", top);
	(void)snprintf(cdb, sizeof cdb, "%s/cdb", top);
	assert_int_equal(mkdir(mess, 0755), 0);
	make_dir("home", top);
	make_dir("Maildir", home);
	make_dir("Maildir/tmp", home);
	make_dir("Maildir/new", home);
	make_dir("Maildir/cur", home);
	for (int i = 1; i <= 9; i++) {
		(void)snprintf(path, sizeof path, "%s/%d", mess, i);
		put_file(path, "Subject: x\n\nbody\n", 0644, getuid());
	}
	compile_users("");
	return 0;
}

static int
teardown(void **state)
{
	struct str cmd = {0};
	const char *argv[] = {"/bin/rm", "-rf", top, NULL};
	struct proc_spawn sp = {.argv = argv};
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(proc_spawn(&sp, &pid), 0);
	assert_int_equal(proc_wait(pid, &status), 0);
	str_free(&cmd);
	return 0;
}

static void
start_spawner(struct spawner *s, const char *getpw)
{
	static struct lspawn l;
	struct lspawn_config cfg = {.aliasempty = "./Maildir/", .mess = mess,
	    .cdb = cdb, .local = local_, .getpw = getpw,
	    .queue_uid = getuid(), .getpw_uid = uid, .getpw_gid = gid,
	    .drop = getuid() == 0, .idle_ms = 300, .lookup_ms = 600,
	    .deaf_ms = 800, .silent_ms = 3000,
	    .share = 3, .hold_ms = 1200};
	int cr, cw, rr, rw;
	unsigned char hello[4];

	*s = (struct spawner){.pid = 0};
	assert_int_equal(proc_pipe(&cr, &cw), 0);
	assert_int_equal(proc_pipe(&rr, &rw), 0);
	s->pid = proc_fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		(void)close(cw);
		(void)close(rr);
		_exit(lspawn_run(&l, &cfg, cr, rw));
	}
	(void)close(cr);
	(void)close(rw);
	s->in = cw;
	s->out = rr;
	assert_int_equal(read(s->out, hello, 4), 4);
	assert_int_equal(hello[0], 0);
	assert_int_equal(hello[1], 1);
	assert_int_equal(hello[2] << 8 | hello[3], LSPAWN_MAX);
}

static void
command(struct spawner *s, unsigned delnum, const char *messid,
    const char *sender, const char *rcpt)
{
	struct str out = {0};

	spawn_cat_command(&out, true, delnum, messid, sender, rcpt);
	assert_int_equal(fd_write_all(s->in, str_c(&out), out.len), 0);
	str_free(&out);
}

static const char *
report(struct spawner *s, unsigned delnum)
{
	spawn_report_next(&s->rep);
	for (;;) {
		size_t used;
		enum spawn_status st;
		ssize_t n;

		if (s->at == s->n) {
			n = read(s->out, s->buf, sizeof s->buf);
			assert_true(n > 0);
			s->at = 0;
			s->n = (size_t)n;
		}
		st = spawn_report_parse(&s->rep, true, s->buf + s->at,
		    s->n - s->at, &used);
		s->at += used;
		if (st == SPAWN_DONE)
			break;
	}
	assert_int_equal(s->rep.delnum, delnum);
	return str_c(&s->rep.text);
}

static void
stop_spawner(struct spawner *s)
{
	int status;

	(void)close(s->in);
	assert_int_equal(proc_wait(s->pid, &status), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	(void)close(s->out);
	spawn_report_free(&s->rep);
}

static int
count_new(void)
{
	char path[128];
	struct dirent *e;
	DIR *d;
	int n = 0;

	(void)snprintf(path, sizeof path, "%s/Maildir/new", home);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

static void
test_maildir(void **state)
{
	struct spawner s;
	int had = count_new();

	(void)state;
	start_spawner(&s, getpw_);
	command(&s, 7, "1", "a@b", "jo@x.org");
	assert_string_equal(report(&s, 7), "Kdid 1+0+0\n");
	assert_int_equal(count_new(), had + 1);
	/* Named twice, it comes twice. */
	command(&s, 8, "1", "a@b", "jo@x.org");
	assert_string_equal(report(&s, 8), "Kdid 1+0+0\n");
	assert_int_equal(count_new(), had + 2);
	stop_spawner(&s);
	/* Done again after a restart, it takes its own place. */
	start_spawner(&s, getpw_);
	command(&s, 7, "1", "a@b", "jo@x.org");
	assert_string_equal(report(&s, 7), "Kdid 1+0+0\n");
	assert_int_equal(count_new(), had + 2);
	/* Tried again after a failure behind it, too. */
	put_dotqmail(".qmail-twice", "./Maildir/\n|exit 111\n");
	command(&s, 1, "1", "a@b", "jo-twice@x.org");
	assert_int_equal(report(&s, 1)[0], 'Z');
	command(&s, 1, "1", "a@b", "jo-twice@x.org");
	assert_int_equal(report(&s, 1)[0], 'Z');
	assert_int_equal(count_new(), had + 3);
	had += 2;
	/* Other messages do not. */
	for (unsigned i = 2; i <= 9; i++) {
		char id[2] = {(char)('0' + i), '\0'};

		command(&s, i, id, "a@b", "JO@x.org");
	}
	for (unsigned i = 2; i <= 9; i++)
		assert_string_equal(report(&s, i), "Kdid 1+0+0\n");
	assert_int_equal(count_new(), had + 9);
	/* The last report may come long after its command. */
	command(&s, 1, "2", "a@b", "jo-slow@x.org");
	put_dotqmail(".qmail-slow", "|sleep 1; exit 0\n");
	stop_spawner(&s);
}

static void
test_kinds(void **state)
{
	struct spawner s;
	int64_t began;

	(void)state;
	put_dotqmail(".qmail-prog", "|echo $LOCAL $EXT $SENDER; exit 0\n");
	put_dotqmail(".qmail-hard", "|echo no; exit 100\n");
	put_dotqmail(".qmail-soft", "|exit 111\n");
	put_dotqmail(".qmail-die", "|kill -9 $$\n");
	put_dotqmail(".qmail-box", "./Mailbox\n");
	put_dotqmail(".qmail-loud", "|seq 100000; exit 0\n");
	put_dotqmail(".qmail-hang", "|sleep 2\n");
	put_dotqmail(".qmail-daemon", "|sleep 5 & exit 0\n");
	put_dotqmail(".qmail-fast", "./Maildir/\n");
	start_spawner(&s, getpw_);
	command(&s, 0, "1", "a@b", "jo-prog@x.org");
	assert_string_equal(report(&s, 0), "Kjo-prog prog a@b\ndid 0+0+1\n");
	command(&s, 0, "1", "a@b", "jo-hard@x.org");
	assert_string_equal(report(&s, 0), "Dno\n");
	command(&s, 0, "1", "a@b", "jo-soft@x.org");
	assert_string_equal(report(&s, 0), "Z");
	command(&s, 0, "1", "a@b", "jo-die@x.org");
	assert_int_equal(report(&s, 0)[0], 'Z');
	command(&s, 0, "1", "a@b", "jo-none@x.org");
	assert_int_equal(report(&s, 0)[0], 'D');
	command(&s, 0, "1", "a@b", "jo-box@x.org");
	assert_string_equal(report(&s, 0), "Kdid 1+0+0\n");
	command(&s, 0, "1", "a@b", "jo-loud@x.org");
	assert_non_null(strstr(report(&s, 0), "cut off]"));
	assert_true(s.rep.text.len < REPORT_MAX);
	/* A slow program holds up nobody, a daemon it leaves neither. */
	began = clock_mono_ms();
	command(&s, 1, "1", "a@b", "jo-hang@x.org");
	command(&s, 2, "1", "a@b", "jo-fast@x.org");
	assert_string_equal(report(&s, 2), "Kdid 1+0+0\n");
	command(&s, 3, "1", "a@b", "jo-daemon@x.org");
	assert_string_equal(report(&s, 3), "Kdid 0+0+1\n");
	assert_true(clock_mono_ms() - began < 1900);
	assert_string_equal(report(&s, 1), "Kdid 0+0+1\n");
	stop_spawner(&s);
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *messid, *rcpt;
		char letter;
	} cases[] = {
		{"1", "no-at-sign", 'Z'},
		{"", "jo@x", 'Z'},
		{"/1", "jo@x", 'Z'},
		{"../1", "jo@x", 'Z'},
		{"77", "jo@x", 'Z'},            /* no such message */
		{"1", "@x", 'K'},               /* null recipient */
		{"1", "rooty@x", 'Z'},          /* uid 0 */
		{"1", "nohome@x", 'Z'},
	};
	struct spawner s;

	(void)state;
	compile_users("=rooty:root:0:0:/root:::\n"
	    "=nohome:nobody:65534:65534:/nonexistent/x:::\n");
	start_spawner(&s, getpw_);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (i == 7 && getuid() != 0)
			continue;
		command(&s, 3, cases[i].messid, "a@b", cases[i].rcpt);
		assert_int_equal(report(&s, 3)[0], cases[i].letter);
	}
	command(&s, LSPAWN_MAX, "1", "a@b", "jo@x");
	assert_int_equal(report(&s, LSPAWN_MAX)[0], 'Z');
	stop_spawner(&s);
	compile_users("");
}

/* A message that is not the queue's is not opened for anybody. */
static void
test_owner(void **state)
{
	struct spawner s;
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof path, "%s/55", mess);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	(void)snprintf(path, sizeof path, "%s/56", mess);
	if (getuid() == 0)
		put_file(path, "Subject: y\n\n", 0644, 65534);
	else
		assert_int_equal(mkdir(path, 0700), 0);
	start_spawner(&s, getpw_);
	command(&s, 1, "55", "a@b", "jo@x.org");
	assert_int_equal(report(&s, 1)[0], 'Z');
	command(&s, 1, "56", "a@b", "jo@x.org");
	assert_int_equal(report(&s, 1)[0], 'Z');
	stop_spawner(&s);
}

/* A directory service that dies, babbles or sleeps defers. */
static void
test_getpw_trouble(void **state)
{
	static const char *const bad[] = {"/bin/false", "/bin/cat",
	    "/nonexistent/getpw", NULL};
	char path[128];
	struct spawner s;

	(void)state;
	for (size_t i = 0; bad[i] != NULL; i++) {
		start_spawner(&s, bad[i]);
		command(&s, 1, "1", "a@b", "somebody@x.org");
		assert_int_equal(report(&s, 1)[0], 'Z');
		command(&s, 1, "1", "a@b", "jo@x.org");
		assert_int_equal(report(&s, 1)[0], 'K');
		stop_spawner(&s);
	}
	(void)snprintf(path, sizeof path, "%s/sleepy", top);
	put_file(path, "#!/bin/sh\nexec sleep 20\n", 0755, getuid());
	start_spawner(&s, path);
	command(&s, 1, "1", "a@b", "somebody@x.org");
	assert_int_equal(report(&s, 1)[0], 'Z');
	stop_spawner(&s);
}

/* The worker is the user's to kill; the next message gets another. */
static void
test_worker_death(void **state)
{
	struct spawner s;

	(void)state;
	put_dotqmail(".qmail-kill", "|kill -9 `ps -o ppid= -p $PPID`\n");
	start_spawner(&s, getpw_);
	for (int i = 0; i < 3; i++) {
		command(&s, 4, "1", "a@b", "jo-kill@x.org");
		assert_non_null(strstr(report(&s, 4), "crashed"));
		assert_int_equal(s.rep.text.s[0], 'Z');
		command(&s, 4, "1", "a@b", "jo@x.org");
		assert_int_equal(report(&s, 4)[0], 'K');
	}
	/* Idle workers end, and that is no trouble either. */
	(void)usleep(700000);
	command(&s, 4, "1", "a@b", "jo@x.org");
	assert_int_equal(report(&s, 4)[0], 'K');
	stop_spawner(&s);
}

/* A worker that does not read, or reads and says nothing, gives its places
 * back after a while; one whose program takes long is not meant. */
static void
test_stuck(void **state)
{
	static const char *const script[] = {"#!/bin/sh\nexec sleep 6\n",
	    "#!/usr/bin/perl\nsysread STDIN, $x, 20000; sleep 6;\n"};
	char path[128], real[sizeof local_];
	struct spawner s;
	int64_t began;

	(void)state;
	put_dotqmail(".qmail-long", "|sleep 2; exit 0\n");
	start_spawner(&s, getpw_);
	command(&s, 2, "1", "a@b", "jo-long@x.org");
	assert_string_equal(report(&s, 2), "Kdid 0+0+1\n");
	stop_spawner(&s);
	(void)snprintf(path, sizeof path, "%s/stuck", top);
	(void)memcpy(real, local_, sizeof real);
	for (int i = 0; i < 2; i++) {
		put_file(path, script[i], 0755, getuid());
		(void)snprintf(local_, sizeof local_, "%s", path);
		start_spawner(&s, getpw_);
		began = clock_mono_ms();
		command(&s, 2, "1", "a@b", "jo@x.org");
		assert_int_equal(report(&s, 2)[0], 'Z');
		assert_in_range(clock_mono_ms() - began, i == 0 ? 800 : 3000,
		    5500);
		stop_spawner(&s);
		(void)memcpy(local_, real, sizeof real);
	}
}

/* One user's slow programs get no more places than one user may have; what is
 * quick comes through, however much it is. */
static void
test_share(void **state)
{
	struct spawner s;
	int64_t began;

	(void)state;
	put_dotqmail(".qmail-long", "|sleep 2.5; exit 0\n");
	start_spawner(&s, getpw_);
	began = clock_mono_ms();
	for (unsigned i = 0; i < 5; i++)
		command(&s, i, "1", "a@b", "jo-long@x.org");
	for (unsigned i = 3; i < 5; i++) {
		assert_int_equal(report(&s, i)[0], 'Z');
		assert_non_null(strstr(s.rep.text.s, "(#4.3.2)"));
	}
	assert_in_range(clock_mono_ms() - began, 1200, 2400);
	/* Now at once. */
	command(&s, 5, "1", "a@b", "jo@x.org");
	assert_int_equal(report(&s, 5)[0], 'Z');
	stop_spawner(&s);
	began = clock_mono_ms();
	start_spawner(&s, getpw_);
	for (unsigned i = 1; i <= 9; i++) {
		char id[2] = {(char)('0' + i), '\0'};

		command(&s, i, id, "a@b", "jo@x.org");
	}
	for (unsigned i = 1; i <= 9; i++)
		assert_int_equal(report(&s, i)[0], 'K');
	stop_spawner(&s);
}

/* Who speaks nonsense, or about another's mail, is not believed; users with a
 * worker that is well do not notice. */
static void
test_liar(void **state)
{
	/* A report K for job 2, which another worker has. */
	static const char script[] = "#!/bin/sh\n"
	    "case $2 in liar) printf '\\000\\000\\000\\002\\000' >&0;;\n"
	    "babbler) echo no packet at all >&0;; esac\n"
	    "test $2 != jo && exec sleep 1\nexec %s \"$@\"\n";
	struct str text = {0}, more = {0};
	char path[128], real[sizeof local_];
	struct spawner s;

	(void)state;
	str_catf(&more, "=liar:liar:%lu:%lu:%s:::\n=babbler:babbler:%lu:%lu:"
	    "%s:::\n", (unsigned long)uid, (unsigned long)gid, home,
	    (unsigned long)uid, (unsigned long)gid, home);
	compile_users(str_c(&more));
	(void)snprintf(path, sizeof path, "%s/liar", top);
	(void)memcpy(real, local_, sizeof real);
	{
		const char *mark = strstr(script, "%s");

		str_copyb(&text, script, (size_t)(mark - script));
		str_cats(&text, real);
		str_cats(&text, mark + 2);
	}
	put_file(path, str_c(&text), 0755, getuid());
	(void)snprintf(local_, sizeof local_, "%s", path);
	put_dotqmail(".qmail-wait", "|sleep 1; exit 0\n");
	start_spawner(&s, getpw_);
	command(&s, 2, "1", "a@b", "jo-wait@x.org");
	command(&s, 3, "1", "a@b", "liar@x.org");
	assert_int_equal(report(&s, 3)[0], 'Z');
	command(&s, 3, "1", "a@b", "babbler@x.org");
	assert_int_equal(report(&s, 3)[0], 'Z');
	assert_string_equal(report(&s, 2), "Kdid 0+0+1\n");
	stop_spawner(&s);
	(void)memcpy(local_, real, sizeof real);
	compile_users("");
	str_free(&text);
	str_free(&more);
}

/* An empty users/cdb, one replaced while running, a broken one. */
static void
test_cdb(void **state)
{
	struct spawner s;
	char path[128];

	(void)state;
	start_spawner(&s, getpw_);
	command(&s, 1, "1", "a@b", "ann@x.org");
	/* Without an account alias it is Z, with one of its own D. */
	assert_int_not_equal(report(&s, 1)[0], 'K');
	(void)snprintf(path, sizeof path, "=ann:jo:%lu:%lu:%s:::\n",
	    (unsigned long)uid, (unsigned long)gid, home);
	compile_users(path);
	command(&s, 1, "1", "a@b", "ann@x.org");
	assert_int_equal(report(&s, 1)[0], 'K');
	assert_int_equal(unlink(cdb), 0);
	put_file(cdb, "no cdb", 0644, getuid());
	command(&s, 1, "1", "a@b", "ann@x.org");
	assert_int_equal(report(&s, 1)[0], 'Z');
	assert_int_equal(unlink(cdb), 0);
	compile_users("");
	command(&s, 1, "1", "a@b", "jo@x.org");
	assert_int_equal(report(&s, 1)[0], 'K');
	stop_spawner(&s);
}

/* More jobs at once than a socket holds. */
static void
test_flood(void **state)
{
	struct spawner s;
	bool seen[LSPAWN_MAX] = {false};

	(void)state;
	put_dotqmail(".qmail-fast", "./Maildir/\n");
	start_spawner(&s, getpw_);
	for (unsigned i = 0; i < LSPAWN_MAX; i++) {
		char id[2] = {(char)('1' + i % 9), '\0'};

		command(&s, i, id, "a@b",
		    i % 50 == 0 ? "jo-prog@x" : "jo-fast@x");
	}
	for (unsigned i = 0; i < LSPAWN_MAX; i++) {
		size_t used;
		enum spawn_status st = SPAWN_MORE;

		spawn_report_next(&s.rep);
		while (st != SPAWN_DONE) {
			if (s.at == s.n) {
				ssize_t n = read(s.out, s.buf, sizeof s.buf);

				assert_true(n > 0);
				s.at = 0;
				s.n = (size_t)n;
			}
			st = spawn_report_parse(&s.rep, true, s.buf + s.at,
			    s.n - s.at, &used);
			s.at += used;
		}
		assert_true(s.rep.delnum < LSPAWN_MAX);
		assert_false(seen[s.rep.delnum]);
		seen[s.rep.delnum] = true;
		assert_int_equal(str_c(&s.rep.text)[0], 'K');
	}
	stop_spawner(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maildir),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_getpw_trouble),
		cmocka_unit_test(test_worker_death),
		cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_liar),
		cmocka_unit_test(test_cdb),
		cmocka_unit_test(test_flood),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
