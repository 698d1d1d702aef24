/* test_rspawn.c - qmail-remote's reports, and the loop that runs it.
 *
 * The loop runs in a child, in a directory that stands for queue/mess, with
 * small shell programs in qmail-remote's place. */
#include "TESTS/unit/unit.h"

#include "lib/io.h"
#include "lib/proc.h"
#include "lib/sock.h"
#include "mail/limits.h"
#include "mail/remoteproto.h"
#include "mail/spawnproto.h"
#include "rspawn/report.h"
#include "rspawn/rspawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define EXIT(code) ((code) << 8)
#define SAID(s) s, sizeof(s) - 1

static const struct {
	const char *said;
	size_t n;
	int status;
	const char *want;       /* the report's beginning, or all of it */
} cases[] = {
	{SAID("r\0K1.2.3.4 accepted message.\n\0"), 0,
	    "K1.2.3.4 accepted message.\n"},
	{SAID("hno such user\n\0Dgiving up\n\0"), 0,
	    "Dno such user\ngiving up\n"},
	{SAID("hno such user\n\0Kaccepted\n\0"), 0, "Dno such user\n"},
	{SAID("hno such user\n\0Zlater\n\0"), 0, "Dno such user\n"},
	{SAID("sbusy\n\0Kaccepted\n\0"), 0, "Zbusy\n"},
	{SAID("sbusy\n\0Zlater\n\0"), 0, "Zbusy\nlater\n"},
	{SAID("sbusy\n\0Dnever\n\0"), 0, "Zbusy\nnever\n"},
	{SAID("r\0Zlost\n\0"), 0, "Zlost\n"},
	{SAID("r\0Drefused\n\0"), 0, "Drefused\n"},
	{SAID("Zno route\n\0"), 0, "Zno route\n"},
	{SAID("Dno host\n\0"), 0, "Dno host\n"},
	{SAID("K\0"), 0, "K"},
	/* Only the first of each counts, and nothing after the last. */
	{SAID("r\0hother\n\0Kyes\n\0Dno\n\0sx\0"), 0, "Kyes\n"},
	/* What is no record is dropped. */
	{SAID("\0\0xyz\0Kyes\n\0"), 0, "Kyes\n"},
	/* Never a bounce without a whole message record. */
	{SAID(""), 0, "Zqmail-remote produced no output"},
	{SAID("r\0"), 0, "Zqmail-remote did not finish"},
	{SAID("hno such user\n\0"), 0, "Zqmail-remote did not finish"},
	{SAID("r\0Daccepted"), 0, "Zqmail-remote did not finish"},
	{SAID("garbage"), 0, "Zqmail-remote did not finish"},
	/* The wait status comes before the words. */
	{SAID("r\0Kyes\n\0"), EXIT(111), "ZUnable to run"},
	{SAID("r\0Kyes\n\0"), EXIT(100), "DUnable to run"},
	{SAID("r\0Kyes\n\0"), EXIT(127), "ZUnable to run"},
	{SAID("r\0Kyes\n\0"), EXIT(1), "ZUnable to run"},
	{SAID("r\0Kyes\n\0"), SIGSEGV, "Zqmail-remote crashed"},
};

static void
test_report_every_split(void **state)
{
	(void)state;
	for (size_t c = 0; c < N_OF(cases); c++)
		for (size_t step = 1; step <= cases[c].n + 1; step++) {
			struct report r = {0};
			struct str out = {0};

			for (size_t i = 0; i < cases[c].n; i += step)
				report_add(&r, cases[c].said + i,
				    cases[c].n - i < step ? cases[c].n - i :
				    step);
			report_end(&r, cases[c].status, &out);
			if (cases[c].status == 0 && strncmp(cases[c].want,
			    "Zqmail-remote ", 14) != 0)
				assert_string_equal(str_c(&out),
				    cases[c].want);
			else
				assert_int_equal(strncmp(str_c(&out),
				    cases[c].want, strlen(cases[c].want)), 0);
			report_free(&r);
			str_free(&out);
		}
}

/* A flood from the other side costs nothing and hides no verdict. */
static void
test_report_flood(void **state)
{
	struct report r = {0};
	struct str out = {0};
	char page[4096];

	(void)state;
	memset(page, 'x', sizeof page);
	report_add(&r, "s", 1);
	for (int i = 0; i < 1000; i++)
		report_add(&r, page, sizeof page);
	report_add(&r, "\0D", 2);
	for (int i = 0; i < 1000; i++)
		report_add(&r, page, sizeof page);
	report_add(&r, "", 1);
	report_end(&r, 0, &out);
	assert_int_equal(str_c(&out)[0], 'Z');
	assert_true(out.len <= REPORT_MAX + 1);
	assert_true(out.len > REPORT_MAX / 2);
	report_free(&r);
	str_free(&out);
}

/* A running loop and the ends of its pipes. */
struct fixture {
	char dir[64];
	int commands, reports;
	pid_t pid;
	struct spawn_report rep;
	unsigned version;
	char buf[4096];
	size_t at, have;
};

static void
put_file(const char *dir, const char *name, const char *text, mode_t mode)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static void
make_dir(struct fixture *f)
{
	char path[256];

	(void)snprintf(f->dir, sizeof f->dir, "/tmp/test_rspawn.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(path, sizeof path, "%s/7", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	put_file(f->dir, "7/30", "the message\n", 0600);
}

static const char workers[] = "";       /* this program, with "-w" */

static void
begin(struct fixture *f, const char *script, unsigned max)
{
	struct rspawn_config cfg = {.queue_uid = getuid(), .max = max,
	    .remote = script == workers ? "/proc/self/exe" : "./remote",
	    .stay = script == workers};
	int r, w;
	pid_t pid;

	memset(f, 0, sizeof *f);
	make_dir(f);
	if (script != NULL)
		put_file(f->dir, "remote", script, 0755);
	assert_int_equal(proc_pipe(&r, &f->commands), 0);
	assert_int_equal(proc_pipe(&f->reports, &w), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(f->commands);
		(void)close(f->reports);
		cfg.command_fd = r;
		cfg.report_fd = w;
		if (chdir(f->dir) < 0)
			_exit(99);
		_exit(rspawn_run(&cfg) == 0 ? 0 : errno);
	}
	f->pid = pid;
	(void)close(r);
	(void)close(w);
}

static unsigned char
next_byte(struct fixture *f)
{
	if (f->at == f->have) {
		ssize_t n = read(f->reports, f->buf, sizeof f->buf);

		assert_true(n > 0);
		f->have = (size_t)n;
		f->at = 0;
	}
	return (unsigned char)f->buf[f->at++];
}

static unsigned
hello(struct fixture *f)
{
	struct spawn_hello h = {0};

	while (spawn_hello_byte(&h, next_byte(f)) == SPAWN_MORE)
		continue;
	assert_true(h.wide);
	f->version = h.version;
	return h.max;
}

static void
command(struct fixture *f, unsigned delnum, const char *messid,
    const char *rcpt)
{
	struct str s = {0};

	spawn_cat_command(&s, true, delnum, messid, "from@x", rcpt);
	assert_int_equal(fd_write_all(f->commands, s.s, s.len), 0);
	str_free(&s);
}

/* The next report's text; *delnum its number. */
static const char *
answer(struct fixture *f, unsigned *delnum)
{
	size_t used;
	char c;

	spawn_report_next(&f->rep);
	do
		c = (char)next_byte(f);
	while (spawn_report_parse(&f->rep, f->version > 1 ? 2 : 1, &c, 1,
	    &used) == SPAWN_MORE);
	*delnum = f->rep.delnum;
	return str_c(&f->rep.text);
}

/* Ends the commands; the loop's exit code. */
static int
finish(struct fixture *f)
{
	char cmd[128];
	int status;

	if (f->commands >= 0)
		(void)close(f->commands);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	(void)close(f->reports);
	spawn_report_free(&f->rep);
	(void)snprintf(cmd, sizeof cmd, "%s", f->dir);
	{
		const char *const argv[] = {"rm", "-rf", cmd, NULL};
		struct proc_fd fds[] = {{-1, 0}, {1, 1}, {2, 2}};
		struct proc_spawn sp = {.argv = argv, .fds = fds, .nfds = 3};
		int st;
		pid_t pid;

		assert_int_equal(proc_spawn(&sp, &pid), 0);
		assert_int_equal(proc_wait(pid, &st), 0);
	}
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_arguments_and_message(void **state)
{
	struct fixture f;
	unsigned d;

	(void)state;
	begin(&f, "#!/bin/sh\nread line\n"
	    "printf 'r\\0K%s|%s|%s|%s|%s\\0' \"$1\" \"$2\" \"$3\" \"$#\" "
	    "\"$line\"\n", 40);
	assert_int_equal(hello(&f), 40);
	command(&f, 39, "7/30", "a@b@host.example");
	assert_string_equal(answer(&f, &d),
	    "Khost.example|from@x|a@b@host.example|3|the message");
	assert_int_equal(d, 39);
	/* The number is free again, and the message is read from its start. */
	command(&f, 39, "7/30", "x@y");
	assert_string_equal(answer(&f, &d), "Ky|from@x|x@y|3|the message");
	assert_int_equal(finish(&f), 0);
}

static void
test_refusals_are_deferrals(void **state)
{
	static const struct {
		unsigned delnum;
		const char *messid, *rcpt, *words;
	} bad[] = {
		{5, "7/30", "a@b", "number is too large"},
		{0, "7/31", "a@b", "No such file"},
		{0, "7", "a@b", "not a regular file"},
		{0, "../7/30", "a@b", "not a message number"},
		{0, "/etc/passwd", "a@b", "not a message number"},
		{0, "", "a@b", "not a message number"},
		{0, "7/32", "a@b", "Too many levels"},
		{0, "7/33", "a@b", "not a regular file"},
		{0, "7/30", "nohost", "no host"},
	};
	struct fixture f;
	char path[128], to[128];
	unsigned d;

	(void)state;
	begin(&f, "#!/bin/sh\nprintf 'r\\0Kx\\0'\n", 5);
	(void)snprintf(path, sizeof path, "%s/7/32", f.dir);
	(void)snprintf(to, sizeof to, "%s/7/30", f.dir);
	assert_int_equal(symlink(to, path), 0);
	(void)snprintf(path, sizeof path, "%s/7/33", f.dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)hello(&f);
	for (size_t i = 0; i < N_OF(bad); i++) {
		const char *text;

		command(&f, bad[i].delnum, bad[i].messid, bad[i].rcpt);
		text = answer(&f, &d);
		assert_int_equal(d, bad[i].delnum);
		assert_int_equal(text[0], 'Z');
		if (strstr(text, bad[i].words) == NULL)
			assert_string_equal(text, bad[i].words);
	}
	assert_int_equal(finish(&f), 0);
}

static void
test_foreign_message(void **state)
{
	struct fixture f;
	char path[128];
	unsigned d;

	(void)state;
	if (getuid() != 0)
		skip();
	begin(&f, "#!/bin/sh\nprintf 'r\\0Kx\\0'\n", 5);
	(void)snprintf(path, sizeof path, "%s/7/30", f.dir);
	assert_int_equal(chown(path, 12345, 0), 0);
	(void)hello(&f);
	command(&f, 0, "7/30", "a@b");
	assert_non_null(strstr(answer(&f, &d), "not owned by"));
	assert_int_equal(finish(&f), 0);
}

static void
test_missing_remote(void **state)
{
	struct fixture f;
	const char *text;
	unsigned d;

	(void)state;
	begin(&f, NULL, 5);
	(void)hello(&f);
	command(&f, 1, "7/30", "a@b");
	text = answer(&f, &d);
	assert_int_equal(d, 1);
	assert_int_equal(strncmp(text, "ZUnable to run qmail-remote: ", 29), 0);
	assert_int_equal(finish(&f), 0);
}

static void
test_crash_exit_and_flood(void **state)
{
	static const struct {
		const char *script, *want;
	} runs[] = {
		{"#!/bin/sh\nkill -9 $$\n", "Zqmail-remote crashed"},
		{"#!/bin/sh\nprintf 'r\\0Kx\\0'; exit 111\n",
		    "ZUnable to run"},
		{"#!/bin/sh\nexit 100\n", "DUnable to run"},
		{"#!/bin/sh\n", "Zqmail-remote produced no output"},
		{"#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' a\n"
		    "printf '\\0Kdone\\0'\n", "Kdone"},
		/* Its own grandchild keeps the pipe open: not waited for. */
		{"#!/bin/sh\nsleep 30 &\nprintf 'r\\0Kleft\\0'\n", "Kleft"},
		/* It closes its pipe and ends later: waited for. */
		{"#!/bin/sh\nprintf 'r\\0Kx\\0'; exec >&-; sleep .2; exit 111\n",
		    "ZUnable to run"},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(runs); i++) {
		struct fixture f;
		const char *text;
		unsigned d;

		begin(&f, runs[i].script, 5);
		(void)hello(&f);
		command(&f, 1, "7/30", "a@b");
		text = answer(&f, &d);
		if (strncmp(text, runs[i].want, strlen(runs[i].want)) != 0)
			assert_string_equal(text, runs[i].want);
		assert_int_equal(finish(&f), 0);
	}
}

/* 300 at once, more than a byte counts; the end of commands waits for all. */
static void
test_many(void **state)
{
	enum { N = 300 };
	static bool seen[N];
	struct fixture f;
	unsigned d;

	(void)state;
	begin(&f, "#!/bin/sh\nsleep .3\nprintf 'r\\0K%s\\0' \"$3\"\n", 1000);
	(void)hello(&f);
	for (unsigned i = 0; i < N; i++) {
		char rcpt[32];

		(void)snprintf(rcpt, sizeof rcpt, "u%u@h", i);
		command(&f, i, "7/30", rcpt);
	}
	command(&f, 0, "7/30", "again@h");      /* in use */
	(void)close(f.commands);
	f.commands = -1;
	for (unsigned i = 0; i < N + 1; i++) {
		const char *text = answer(&f, &d);
		char want[32];

		if (strstr(text, "in use") != NULL) {
			assert_int_equal(d, 0);
			continue;
		}
		(void)snprintf(want, sizeof want, "Ku%u@h", d);
		assert_string_equal(text, want);
		assert_true(d < N && !seen[d]);
		seen[d] = true;
	}
	assert_int_equal(finish(&f), 0);
}

static void
test_commands_split_everywhere(void **state)
{
	struct fixture f;
	struct str s = {0};
	unsigned d;

	(void)state;
	begin(&f, "#!/bin/sh\nprintf 'r\\0K%s\\0' \"$3\"\n", 9);
	(void)hello(&f);
	spawn_cat_command(&s, true, 3, "7/30", "", "a@b");
	spawn_cat_command(&s, true, 4, "7/30", "s@t", "c@d");
	for (size_t i = 0; i < s.len; i++) {
		assert_int_equal(fd_write_all(f.commands, s.s + i, 1), 0);
		(void)usleep(500);
	}
	for (int i = 0; i < 2; i++) {
		const char *text = answer(&f, &d);

		assert_string_equal(text, d == 3 ? "Ka@b" : "Kc@d");
	}
	str_free(&s);
	assert_int_equal(finish(&f), 0);
}

static void
test_damaged_stream(void **state)
{
	struct fixture f;
	char junk[8000];

	(void)state;
	begin(&f, NULL, 9);
	(void)hello(&f);
	memset(junk, 'x', sizeof junk);
	assert_int_equal(fd_write_all(f.commands, junk, sizeof junk), 0);
	assert_int_equal(finish(&f), EPROTO);
}

/* qmail-send is gone: so is the loop.  That is an error only while there is
 * something to report. */
static void
test_reader_gone(void **state)
{
	struct fixture f;
	int status;

	(void)state;
	for (int busy = 0; busy < 2; busy++) {
		begin(&f, "#!/bin/sh\nsleep 3\n", 9);
		(void)hello(&f);
		if (busy) {
			command(&f, 1, "7/30", "a@b");
			command(&f, 1, "7/30", "a@b");
			(void)answer(&f, &(unsigned){0});
		}
		(void)close(f.reports);
		f.reports = open("/dev/null", O_RDONLY | O_CLOEXEC);
		assert_int_equal(waitpid(f.pid, &status, 0), f.pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), busy ? EPIPE : 0);
		f.pid = fork();
		if (f.pid == 0)
			_exit(0);
		assert_int_equal(finish(&f), 0);
	}
}

static void
test_clear_tcpto(void **state)
{
	struct fixture f = {0};
	char path[128];
	struct stat st;

	(void)state;
	make_dir(&f);
	put_file(f.dir, "tcpto", "old times", 0600);
	(void)snprintf(path, sizeof path, "%s/tcpto", f.dir);
	assert_int_equal(rspawn_clear_tcpto(path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 1024);
	(void)unlink(path);
	assert_int_equal(rspawn_clear_tcpto(path), -1);
	assert_int_equal(errno, ENOENT);
	f.commands = f.reports = -1;
	f.pid = fork();
	if (f.pid == 0)
		_exit(0);
	assert_int_equal(finish(&f), 0);
}

/* ---- workers ---- */

/* What our stand-in for qmail-remote -w does is in the name of its host.  It
 * notes each start in the file "starts". */
static int
stand_in(const char *host)
{
	static char buf[REMOTE_PACKET_MAX];
	int fd = open("starts", O_WRONLY | O_CREAT | O_APPEND, 0600), message;
	ssize_t n;

	(void)!write(fd, host, strlen(host));
	(void)!write(fd, "\n", 1);
	if (strcmp(host, "gone.x") == 0)        /* as if idle for long */
		return 0;
	while ((n = sock_recv_fd(0, buf, sizeof buf, &message)) > 0) {
		struct remote_command c;
		struct str s = {0};
		char text[64];

		if (remote_parse_command(buf, (size_t)n, &c) < 0)
			return 99;
		n = read(message, text, sizeof text);
		(void)close(message);
		if (strcmp(host, "dies.x") == 0)
			return 0;
		if (strcmp(host, "killed.x") == 0)
			(void)raise(SIGKILL);
		if (strcmp(host, "mixed.x") == 0)
			str_catb(&s, "r\0hno\n\0sbusy\n\0Kyes\n", 19);
		else if (strcmp(host, "garbage.x") == 0)
			str_cats(&s, "what a nice day");
		else if (strcmp(host, "few.x") == 0)
			str_catb(&s, "r\0Kyes\n", 7);
		else if (strcmp(host, "down.x") == 0)
			str_cats(&s, "Zno route\n");
		else
			for (size_t i = 0; i < c.n; i++)
				str_catb(&s, "r", 2);
		if (s.len == 2 * c.n)
			str_catf(&s, "K%s|%s|%s|%s|%zu|%.*s", c.sender,
			    c.params, c.rcpt[0].addr, c.rcpt[0].params, c.n,
			    (int)n, text);
		str_catc(&s, '\0');
		if (strcmp(host, "notes.x") == 0)
			str_catb(&s, "+dsn=relayed tls=1.3\0+second=1", 31);
		if (strcmp(host, "huge.x") == 0)
			while (s.len < REMOTE_PACKET_MAX + 1)
				str_catc(&s, 'x');
		(void)!sock_send_fd(0, s.s, s.len, -1);
		str_free(&s);
		if (strcmp(host, "once.x") == 0) {
			(void)usleep(20000);
			return 0;
		}
	}
	return 0;
}

static void
give(struct fixture *f, unsigned delnum, const char *rcpt, bool more)
{
	struct str s = {0};

	spawn_cat_command(&s, 2, delnum, "7/30", "from@x", rcpt);
	spawn_cat_options(&s, more, "RET=HDRS", "NOTIFY=DELAY");
	assert_int_equal(fd_write_all(f->commands, s.s, s.len), 0);
	str_free(&s);
}

/* How often a worker was started. */
static unsigned
starts(const struct fixture *f)
{
	char path[128], buf[512];
	unsigned lines = 0;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof path, "%s/starts", f->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, buf, sizeof buf);
	for (ssize_t i = 0; i < n; i++)
		lines += buf[i] == '\n';
	if (fd >= 0)
		(void)close(fd);
	return lines;
}

static void
expect(struct fixture *f, unsigned delnum, const char *text)
{
	unsigned d;
	const char *got = answer(f, &d);

	assert_int_equal(d, delnum);
	if (strncmp(got, text, strlen(text)) != 0)
		assert_string_equal(got, text);
}

static void
test_worker_stays(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, workers, 9);
	assert_int_equal(hello(&f), 9);
	assert_int_equal(f.version, 2);
	for (int i = 0; i < 20; i++) {
		give(&f, 3, i % 2 ? "a@OK.x" : "a@ok.X", false);
		expect(&f, 3, i % 2 ?
		    "Kfrom@x|RET=HDRS|a@OK.x|NOTIFY=DELAY|1|the message\n" :
		    "Kfrom@x|RET=HDRS|a@ok.X|NOTIFY=DELAY|1|the message\n");
		assert_string_equal(str_c(&f.rep.notes), "");
	}
	assert_int_equal(starts(&f), 1);
	give(&f, 4, "b@notes.x", false);
	expect(&f, 4, "Kfrom@x|");
	assert_string_equal(str_c(&f.rep.notes), "dsn=relayed tls=1.3");
	assert_int_equal(starts(&f), 2);
	assert_int_equal(finish(&f), 0);
}

static void
test_groups(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, workers, 9);
	(void)hello(&f);
	give(&f, 7, "a@mixed.x", true);
	give(&f, 2, "b@mixed.x", true);
	give(&f, 5, "c@mixed.x", false);
	expect(&f, 7, "Kyes\n");
	expect(&f, 2, "Dno\n");
	expect(&f, 5, "Zbusy\n");
	/* A message record alone is for all of them. */
	give(&f, 1, "a@down.x", true);
	give(&f, 2, "b@down.x", false);
	expect(&f, 1, "Zno route\n");
	expect(&f, 2, "Zno route\n");
	/* Records for some of them only say nothing about the others. */
	give(&f, 1, "a@few.x", true);
	give(&f, 2, "b@few.x", false);
	expect(&f, 1, "Kyes\n");
	expect(&f, 2, "Zqmail-remote produced no output");
	/* What does not belong together does not go together. */
	give(&f, 1, "a@ok.x", true);
	give(&f, 2, "b@other.x", false);
	for (int i = 0; i < 2; i++) {
		unsigned d;

		assert_non_null(strstr(answer(&f, &d), "|1|the message"));
	}
	assert_int_equal(finish(&f), 0);
}

/* Whatever a worker does, its deliveries are put off, and the next one has
 * another worker. */
static void
test_bad_workers(void **state)
{
	static const struct {
		const char *rcpt, *words;
	} bad[] = {
		{"a@dies.x", "Zqmail-remote gave no report: "},
		{"a@killed.x", "Zqmail-remote gave no report: "},
		{"a@gone.x", "Z"},         /* wherever it is noticed */
		{"a@garbage.x", "Zqmail-remote produced no output"},
		{"a@huge.x", "Zqmail-remote gave no report: "},
	};
	struct fixture f;

	(void)state;
	begin(&f, workers, 9);
	(void)hello(&f);
	for (size_t i = 0; i < N_OF(bad); i++)
		for (int again = 0; again < 2; again++) {
			give(&f, 1, bad[i].rcpt, true);
			give(&f, 2, bad[i].rcpt, false);
			expect(&f, 1, bad[i].words);
			expect(&f, 2, bad[i].words);
			give(&f, 1, "a@ok.x", false);
			expect(&f, 1, "Kfrom@x|");
		}
	assert_int_equal(finish(&f), 0);
}

/* A worker that ends while it is idle may be sent a command that it never
 * reads: another one gets it. */
static void
test_idle_end(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, workers, 9);
	(void)hello(&f);
	for (int i = 0; i < 20; i++) {
		give(&f, 1, "a@once.x", false);
		expect(&f, 1, "Kfrom@x|");
	}
	assert_int_equal(starts(&f), 20);
	assert_int_equal(finish(&f), 0);
}

/* More hosts than there may be workers: idle ones make room. */
static void
test_worker_cap(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, workers, 2);
	assert_int_equal(hello(&f), 2);
	for (int i = 0; i < 10; i++) {
		char rcpt[32];

		(void)snprintf(rcpt, sizeof rcpt, "a@h%d.x", i);
		give(&f, 1, rcpt, false);
		expect(&f, 1, "Kfrom@x|");
	}
	assert_int_equal(starts(&f), 10);
	assert_int_equal(finish(&f), 0);
}

/* The commands end within a group: it is not begun. */
static void
test_group_broken_off(void **state)
{
	struct fixture f;
	unsigned char c;

	(void)state;
	begin(&f, workers, 9);
	(void)hello(&f);
	give(&f, 1, "a@ok.x", true);
	(void)close(f.commands);
	f.commands = -1;
	expect(&f, 1, "ZUnable to start a delivery: the commands ended");
	assert_int_equal(read(f.reports, &c, 1), 0);
	assert_int_equal(starts(&f), 0);
	assert_int_equal(finish(&f), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report_every_split),
		cmocka_unit_test(test_report_flood),
		cmocka_unit_test(test_arguments_and_message),
		cmocka_unit_test(test_refusals_are_deferrals),
		cmocka_unit_test(test_foreign_message),
		cmocka_unit_test(test_missing_remote),
		cmocka_unit_test(test_crash_exit_and_flood),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_commands_split_everywhere),
		cmocka_unit_test(test_damaged_stream),
		cmocka_unit_test(test_reader_gone),
		cmocka_unit_test(test_clear_tcpto),
		cmocka_unit_test(test_worker_stays),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_bad_workers),
		cmocka_unit_test(test_idle_end),
		cmocka_unit_test(test_worker_cap),
		cmocka_unit_test(test_group_broken_off),
	};

	if (argc == 3 && strcmp(argv[1], "-w") == 0)
		return stand_in(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
