/* test_local.c - qmail-local's modules: finding .qmail files, the environment
 * and exit codes of programs, mboxes, whole deliveries. */
#include "TESTS/unit/unit.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/tai.h"
#include "local/copies.h"
#include "local/delivery.h"
#include "mail/dotfile.h"
#include "local/drain.h"
#include "local/environ.h"
#include "local/mbox.h"
#include "mail/program.h"
#include "mail/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

static char top[] = "/tmp/test_local.XXXXXX";

static void
put(const char *name, const char *text, mode_t mode)
{
	int fd;

	(void)unlink(name);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL, mode);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	(void)close(fd);
}

static int
message(const char *text, size_t n)
{
	char path[] = "/tmp/test_local.m.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(fd_write_all(fd, text, n), 0);
	return fd;
}

static char *
slurp(const char *path)
{
	static struct str s;

	str_clear(&s);
	assert_int_equal(fs_read(path, &s, 1 << 20), 0);
	str_catc(&s, '\0');
	return s.s;
}

static int
enter(void **state)
{
	(void)state;
	(void)umask(077);
	(void)memcpy(top + sizeof top - 7, "XXXXXX", 6);
	return mkdtemp(top) == NULL || chdir(top) < 0 ? -1 : 0;
}

static int
leave(void **state)
{
	struct str cmd = {0}, words = {0};
	const char *env[] = {"PATH=/bin:/usr/bin", NULL};
	int r, null = open("/dev/null", O_RDONLY);

	(void)state;
	str_catf(&cmd, "/bin/rm -rf %s", top);
	r = program_run(str_c(&cmd), env, null, 10000, &words);
	(void)close(null);
	str_free(&cmd);
	str_free(&words);
	return r;
}

static void
test_dotfile_search(void **state)
{
	static const struct {
		const char *dash, *ext;
		enum dotfile_status want;
		const char *text;       /* of the file that is found */
		const char *matched;    /* NULL: no default */
	} c[] = {
		{"", "", DOTFILE_OK, "me", NULL},
		{"-", "list", DOTFILE_OK, "list", NULL},
		{"-", "LIST", DOTFILE_OK, "list", NULL},
		{"-", "list-x", DOTFILE_OK, "listdef", "x"},
		{"-", "list-x-Y", DOTFILE_OK, "listdef", "x-Y"},
		{"-", "list-", DOTFILE_OK, "listdef", ""},
		{"-", "other", DOTFILE_OK, "def", "other"},
		{"-", "listx-y", DOTFILE_OK, "def", "listx-y"},
		{"-", "default", DOTFILE_OK, "def", "default"},
		{"-", "a-Default", DOTFILE_OK, "adef", "Default"},
		{"-", "a.b", DOTFILE_OK, "colon", NULL},
		{"-", "a:b", DOTFILE_OK, "colon", NULL},
		{"/", "x", DOTFILE_NONE, "", NULL},
	};

	(void)state;
	put(".qmail", "me", 0600);
	put(".qmail-list", "list", 0600);
	put(".qmail-list-default", "listdef", 0600);
	put(".qmail-default", "def", 0600);
	put(".qmail-a-default", "adef", 0600);
	put(".qmail-a:b", "colon", 0600);
	for (size_t i = 0; i < N_OF(c); i++) {
		struct dotfile f = {0};

		assert_int_equal(dotfile_find("", c[i].dash, c[i].ext, &f),
		    c[i].want);
		if (c[i].want == DOTFILE_OK) {
			assert_string_equal(str_c(&f.text), c[i].text);
			assert_int_equal(f.have_matched,
			    c[i].matched != NULL);
		}
		if (c[i].matched != NULL)
			assert_string_equal(c[i].ext + f.matched_at,
			    c[i].matched);
		dotfile_free(&f);
	}
}

static void
test_dotfile_kinds(void **state)
{
	struct dotfile f = {0};
	char longext[400];
	bool there;

	(void)state;
	put(".qmail-open", "x", 0602);
	assert_int_equal(dotfile_find("", "-", "open", &f), DOTFILE_WRITABLE);
	dotfile_free(&f);
	put(".qmail-group", "x", 0660);
	assert_int_equal(dotfile_find("", "-", "group", &f), DOTFILE_OK);
	assert_false(f.forward_only);
	dotfile_free(&f);
	put(".qmail-fwd", "x", 0700);
	assert_int_equal(dotfile_find("", "-", "fwd", &f), DOTFILE_OK);
	assert_true(f.forward_only);
	dotfile_free(&f);
	/* What is no file is not there, and nothing blocks. */
	assert_int_equal(mkdir(".qmail-dir", 0700), 0);
	assert_int_equal(mkfifo(".qmail-fifo", 0600), 0);
	assert_int_equal(symlink(".qmail-loop", ".qmail-loop"), 0);
	assert_int_equal(symlink("/dev/zero", ".qmail-zero"), 0);
	assert_int_equal(dotfile_find("", "-", "dir", &f), DOTFILE_NONE);
	assert_int_equal(dotfile_find("", "-", "fifo", &f), DOTFILE_NONE);
	assert_int_equal(dotfile_find("", "-", "loop", &f), DOTFILE_NONE);
	assert_int_equal(dotfile_find("", "-", "zero", &f), DOTFILE_NONE);
	assert_int_equal(dotfile_find("", "-", "a/b/c", &f), DOTFILE_NONE);
	assert_int_equal(dotfile_find("", "-", "/../../etc/passwd", &f),
	    DOTFILE_NONE);
	memset(longext, 'x', sizeof longext - 1);
	longext[sizeof longext - 1] = '\0';
	assert_int_equal(dotfile_find("", "-", longext, &f), DOTFILE_NONE);
	dotfile_free(&f);
	/* A file that has no end in sight is trouble, not an answer. */
	put(".qmail-big", "x", 0600);
	assert_int_equal(truncate(".qmail-big", DOTQMAIL_MAX + 1), 0);
	assert_int_equal(dotfile_find("", "-", "big", &f), DOTFILE_TEMP);
	assert_int_equal(errno, EFBIG);
	dotfile_free(&f);
	put(".qmail-big-owner", "", 0600);
	assert_int_equal(dotfile_exists("", "-", "BIG", "-owner", &there), 0);
	assert_true(there);
	assert_int_equal(dotfile_exists("", "-", "none", "-owner", &there), 0);
	assert_false(there);
}

static const char *
env_get(const struct environ *e, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < e->n; i++)
		if (strncmp(e->vec[i], name, n) == 0 && e->vec[i][n] == '=')
			return e->vec[i] + n + 1;
	return NULL;
}

static void
test_environ(void **state)
{
	static const struct {
		const char *name, *want;
	} c[] = {
		{"HOST", "a.b.c.d.example"}, {"HOST2", "a.b.c.d"},
		{"HOST3", "a.b.c"}, {"HOST4", "a.b"}, {"HOME", "/h"},
		{"USER", "jo"}, {"LOCAL", "jo-w-x-y-z"},
		{"RECIPIENT", "jo-w-x-y-z@a.b.c.d.example"},
		{"SENDER", "s@t"}, {"NEWSENDER", "n@s"}, {"EXT", "w-x-y-z"},
		{"EXT2", "x-y-z"}, {"EXT3", "y-z"}, {"EXT4", "z"},
		{"DEFAULT", "y-z"}, {"RPLINE", "Return-Path: <s@t>\n"},
		{"DTLINE", "Delivered-To: jo-w-x-y-z@a.b.c.d.example\n"},
		{"KEPT", "yes"},
	};
	struct delivery d = {.user = "jo", .home = "/h",
	    .local = "jo-w-x-y-z", .dash = "-", .ext = "w-x-y-z",
	    .host = "a.b.c.d.example", .sender = "s@t", .have_matched = true};
	struct environ e = {0};

	(void)state;
	assert_int_equal(setenv("KEPT", "yes", 1), 0);
	assert_int_equal(setenv("SENDER", "of another delivery", 1), 0);
	assert_int_equal(setenv("DEFAULT", "stale", 1), 0);
	delivery_init(&d);
	str_copys(&d.newsender, "n@s");
	str_copys(&d.matched, "y-z");
	environ_make(&e, &d);
	for (size_t i = 0; i < N_OF(c); i++)
		assert_string_equal(env_get(&e, c[i].name), c[i].want);
	assert_int_equal(strncmp(env_get(&e, "UFLINE"), "From s@t ", 9), 0);
	assert_null(e.vec[e.n]);
	environ_free(&e);
	/* No default: none inherited either. */
	d.have_matched = false;
	environ_make(&e, &d);
	assert_null(env_get(&e, "DEFAULT"));
	environ_free(&e);
	delivery_free(&d);
}

/* L1: nothing that an old shell would take for a function; one line stays
 * one line. */
static void
test_environ_hostile(void **state)
{
	struct delivery d = {.user = "jo", .home = "/h", .local = "jo\nX: y",
	    .dash = "-", .ext = "() { :;}; touch /tmp/x", .host = "localhost",
	    .sender = "() { :;}; echo\n@evil"};
	struct environ e = {0};

	(void)state;
	delivery_init(&d);
	environ_make(&e, &d);
	assert_null(env_get(&e, "EXT"));
	assert_null(env_get(&e, "SENDER"));
	assert_string_equal(env_get(&e, "HOST4"), "localhost");
	assert_string_equal(env_get(&e, "DTLINE"),
	    "Delivered-To: jo_X: y@localhost\n");
	assert_ptr_equal(strchr(env_get(&e, "RPLINE"), '\n'),
	    env_get(&e, "RPLINE") + strlen(env_get(&e, "RPLINE")) - 1);
	assert_ptr_equal(strchr(env_get(&e, "UFLINE"), '\n'),
	    env_get(&e, "UFLINE") + strlen(env_get(&e, "UFLINE")) - 1);
	environ_free(&e);
	delivery_free(&d);
}

static void
test_split(void **state)
{
	static const struct {
		const char *command;
		int n;                  /* words, -1: for the shell */
	} c[] = {
		{"forward a@b.example", 2}, {" /bin/x  -y\tz ", 3},
		{"a", 1}, {"a b=c", 2}, {"a=b c", -1}, {"", -1}, {"  ", -1},
		{"a;b", -1}, {"a|b", -1}, {"a&b", -1}, {"a>b", -1},
		{"a<b", -1}, {"$a", -1}, {"a`b`", -1}, {"a 'b'", 2},
		{"a \"b\"", 2}, {"a\\b", -1}, {"a *", -1}, {"a ?", -1},
		{"a [b]", -1}, {"a #b", -1}, {"~/a", -1}, {"a {b}", -1},
		{"a (b)", -1}, {"! a", -1}, {"a ^b", -1}, {"a\xc3\xa9", -1},
		{"a\nb", -1},
	};
	struct str w = {0};
	size_t n;

	(void)state;
	for (size_t i = 0; i < N_OF(c); i++) {
		int r = program_split(c[i].command, &w, &n);

		assert_int_equal(r, c[i].n < 0 ? -1 : 0);
		if (r == 0)
			assert_int_equal(n, c[i].n);
	}
	assert_int_equal(program_split(" /bin/x  -y\tz ", &w, &n), 0);
	assert_memory_equal(w.s, "/bin/x\0-y\0z\0", 12);
	str_free(&w);
}

static int
run(const char *command, int64_t ms)
{
	const char *env[] = {"PATH=/bin:/usr/bin", "V=it", NULL};
	struct str words = {0};
	int m = message("line\n", 5);
	int r = program_run(command, env, m, ms, &words);

	if (r == 0 || r == 99 || r == 100)
		assert_int_equal(words.len, 0);
	str_free(&words);
	(void)close(m);
	return r;
}

static void
test_program(void **state)
{
	static const struct {
		int exit, want;
	} c[] = {
		{0, 0}, {99, 99}, {100, 100}, {64, 100}, {65, 100},
		{70, 100}, {76, 100}, {77, 100}, {78, 100}, {112, 100},
		{111, 111}, {1, 111}, {2, 111}, {63, 111}, {71, 111},
		{74, 111}, {75, 111}, {98, 111}, {101, 111}, {126, 111},
		{127, 111}, {255, 111},
	};
	struct str cmd = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(c); i++) {
		assert_int_equal(program_code(c[i].exit), c[i].want);
		str_clear(&cmd);
		str_catf(&cmd, "exit %d", c[i].exit);
		assert_int_equal(run(str_c(&cmd), 10000), c[i].want);
	}
	str_free(&cmd);
	assert_int_equal(run("kill -9 $$", 10000), 111);
	assert_int_equal(run("no-such-program here", 10000), 111);
	assert_int_equal(run("true", 10000), 0);
	/* The message from its start, the environment, a shell. */
	assert_int_equal(run("cat >seen; echo $V >>seen", 10000), 0);
	assert_string_equal(slurp("seen"), "line\nit\n");
	put("script", "cp /dev/stdin copied\n", 0700);
	assert_int_equal(run("./script", 10000), 0);
	assert_string_equal(slurp("copied"), "line\n");
}

/* L5: what hangs is killed, its children too. */
static void
test_program_limit(void **state)
{
	int64_t began = clock_mono_ms();
	pid_t pid;

	(void)state;
	assert_int_equal(run("sleep 50 & echo $! >pid; wait", 300), 111);
	assert_true(clock_mono_ms() - began < 10000);
	pid = (pid_t)strtol(slurp("pid"), NULL, 10);
	assert_true(pid > 1);
	for (int i = 0; i < 100; i++) {
		char path[64];
		struct str s = {0};

		(void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
		if (fs_read(path, &s, 4096) < 0 ||
		    strstr(str_c(&s), ") Z ") != NULL) {
			str_free(&s);
			return;
		}
		str_free(&s);
		(void)usleep(20000);
	}
	fail();
}

static const struct {
	const char *body, *want;
} quoted[] = {
	{"", "\n"}, {"a", "a\n\n"}, {"a\n", "a\n\n"}, {"\n", "\n\n"},
	{"From x\n", ">From x\n\n"}, {">From x\n", ">>From x\n\n"},
	{">>>From x", ">>>>From x\n\n"}, {"From", "From\n\n"},
	{"From\nFrom \n", "From\n>From \n\n"}, {"FFrom \n", "FFrom \n\n"},
	{"> From x\n", "> From x\n\n"}, {"a From b\n", "a From b\n\n"},
	{"\nFrom b\n\nFro\n>\n>F\n", "\n>From b\n\nFro\n>\n>F\n\n"},
	{">F>From x\n", ">F>From x\n\n"}, {">", ">\n\n"},
	{"from x\nFrOm x\n", "from x\nFrOm x\n\n"},
};

/* Every message, split at every place into two. */
static void
test_mbox_quote(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(quoted); i++) {
		const char *b = quoted[i].body;
		size_t n = strlen(b);

		for (size_t k = 0; k <= n; k++) {
			struct mbox_quoter q;
			struct str out = {0};

			mbox_quote_begin(&q);
			mbox_quote(&q, &out, b, k);
			mbox_quote(&q, &out, b + k, n - k);
			mbox_quote_end(&q, &out);
			assert_string_equal(str_c(&out), quoted[i].want);
			str_free(&out);
		}
		{
			struct mbox_quoter q;
			struct str out = {0};

			mbox_quote_begin(&q);
			for (size_t k = 0; k < n; k++)
				mbox_quote(&q, &out, b + k, 1);
			mbox_quote_end(&q, &out);
			assert_string_equal(str_c(&out), quoted[i].want);
			str_free(&out);
		}
	}
}

static void
test_mbox_append(void **state)
{
	static const char text[] = "Subject: x\n\nFrom me";
	int m = message(text, sizeof text - 1), fd;
	struct stat st;

	(void)state;
	assert_int_equal(mbox_append("box", "From a\n", 7, m, 1000), MBOX_OK);
	assert_int_equal(mbox_append("box", "From b\n", 7, m, 1000), MBOX_OK);
	assert_string_equal(slurp("box"),
	    "From a\nSubject: x\n\n>From me\n\n"
	    "From b\nSubject: x\n\n>From me\n\n");
	assert_int_equal(stat("box", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Another holds it: nothing changes. */
	fd = open("box", O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(mbox_append("box", "From c\n", 7, m, 200),
	    MBOX_LOCKED);
	(void)close(fd);
	assert_int_equal(strlen(slurp("box")), st.st_size);
	/* What is no file. */
	assert_int_equal(mkdir("boxdir", 0700), 0);
	assert_int_equal(mkfifo("boxfifo", 0600), 0);
	assert_int_equal(mbox_append("boxdir", "", 0, m, 10), MBOX_ERROR);
	assert_int_equal(mbox_append("boxfifo", "", 0, m, 10), MBOX_ERROR);
	assert_int_equal(mbox_append("no/box", "", 0, m, 10), MBOX_ERROR);
	assert_int_equal(mbox_append("/dev/full", "", 0, m, 10), MBOX_ERROR);
	assert_int_equal(mbox_append("/dev/null", "x", 1, m, 10), MBOX_OK);
	(void)close(m);
	/* A message that cannot be read leaves the box as it was. */
	fd = open(".", O_RDONLY);
	assert_int_equal(mbox_append("box", "From d\n", 7, fd, 100),
	    MBOX_ERROR);
	assert_int_equal(strlen(slurp("box")), st.st_size);
	(void)close(fd);
}

/* fcntl locks of another process count too. */
static void
test_mbox_fcntl(void **state)
{
	int m = message("x\n", 2), p[2], status;
	char c;
	pid_t pid;

	(void)state;
	put("lbox", "", 0600);
	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
		int fd = open("lbox", O_RDWR);

		if (fcntl(fd, F_SETLK, &fl) < 0 || write(p[1], "x", 1) != 1)
			_exit(1);
		(void)usleep(500000);
		_exit(0);
	}
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(mbox_append("lbox", "", 0, m, 100), MBOX_LOCKED);
	assert_int_equal(mbox_append("lbox", "", 0, m, 10000), MBOX_OK);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(slurp("lbox"), "x\n\n");
	(void)close(m);
	(void)close(p[0]);
	(void)close(p[1]);
}

static int
deliver(const char *dash, const char *ext, const char *sender,
    const char *text, struct str *words)
{
	struct delivery d = {.user = "jo", .home = top, .local = "jo",
	    .dash = dash, .ext = ext, .host = "x.example", .sender = sender,
	    .aliasempty = "./Mailbox", .mfd = message(text, strlen(text)),
	    .time_ms = 10000};
	int code;

	str_clear(words);
	delivery_init(&d);
	code = delivery_prepare(&d, words);
	if (code == DELIVERY_OK)
		code = delivery_run(&d, words);
	(void)close(d.mfd);
	delivery_free(&d);
	return code;
}

static void
test_delivery(void **state)
{
	struct str w = {0};

	(void)state;
	assert_int_equal(deliver("", "", "a@b", "S: x\n\n", &w), 0);
	assert_string_equal(str_c(&w), "did 1+0+0\n");
	assert_non_null(strstr(slurp("Mailbox"),
	    "\nReturn-Path: <a@b>\nDelivered-To: jo@x.example\nS: x\n\n\n"));
	assert_int_equal(deliver("-", "e", "a@b", "", &w), 100);
	assert_non_null(strstr(str_c(&w), "(#5.1.1)"));
	put(".qmail-e", "#\n", 0600);
	assert_int_equal(deliver("-", "e", "a@b", "", &w), 0);
	assert_string_equal(str_c(&w), "did 0+0+0\n");
	put(".qmail-e", "|exit 99\n|exit 100\n", 0600);
	assert_int_equal(deliver("-", "e", "a@b", "", &w), 0);
	assert_string_equal(str_c(&w), "did 0+0+1\n");
	put(".qmail-e", "./box\n|exit 100\n./box\n", 0600);
	assert_int_equal(deliver("-", "e", "a@b", "", &w), 100);
	put(".qmail-e", "./Nowhere/\n", 0600);
	assert_int_equal(deliver("-", "e", "a@b", "", &w), 111);
	assert_non_null(strstr(str_c(&w), "Nowhere"));
	put(".qmail-e", "\n./box\n", 0600);
	assert_int_equal(deliver("-", "e", "a@b", "", &w), 111);
	put(".qmail-e", "a\n", 0606);
	assert_int_equal(deliver("-", "e", "a@b", "", &w), 111);
	put(".qmail-e", "./box\n", 0700);
	assert_int_equal(deliver("-", "e", "a@b", "", &w), 111);
	assert_non_null(strstr(str_c(&w), "only forwards"));
	/* The queue is out of reach: later. */
	assert_int_equal(setenv("QMAILQUEUE", "/nonexistent/queue", 1), 0);
	put(".qmail-e", "&a@b\n", 0600);
	assert_int_equal(deliver("-", "e", "a@b", "", &w), 111);
	assert_non_null(strstr(str_c(&w), "forward"));
	str_free(&w);
}

static void
test_home(void **state)
{
	struct str w = {0};

	(void)state;
	assert_int_equal(chmod(top, 01700), 0);
	assert_int_equal(deliver("", "", "a@b", "", &w), 111);
	assert_int_equal(chmod(top, 0702), 0);
	assert_int_equal(deliver("", "", "a@b", "", &w), 111);
	assert_int_equal(chmod(top, 0700), 0);
	assert_int_equal(deliver("", "", "a@b", "", &w), 0);
	str_free(&w);
}

static void
test_loop(void **state)
{
	static const struct {
		const char *text;
		int want;
	} c[] = {
		{"Delivered-To: jo@x.example\n\n", 100},
		{"a: b\nDelivered-To: jo@x.example\n", 100},
		{"a: b\n\nDelivered-To: jo@x.example\n", 0},
		{"Delivered-To: jo@x.exampl\n\n", 0},
		{"Delivered-To: jo@x.example.\n\n", 0},
		{"Delivered-To: Jo@x.example\n\n", 0},
		{"Delivered-To: jo@x.example \n\n", 0},
		{" Delivered-To: jo@x.example\n\n", 0},
		{"Delivered-To: jo@x.example", 0},      /* no line */
		{"\nDelivered-To: jo@x.example\n", 0},
	};
	struct str w = {0}, longer = {0};

	(void)state;
	put(".qmail", "#\n", 0600);
	for (size_t i = 0; i < N_OF(c); i++)
		assert_int_equal(deliver("", "", "", c[i].text, &w),
		    c[i].want);
	assert_int_equal(deliver("", "", "", c[0].text, &w), 100);
	assert_non_null(strstr(str_c(&w), "(#5.4.6)"));
	/* Lines across the reads of the scan, at every distance. */
	for (size_t pad = 8192 - 40; pad < 8192 + 3; pad++) {
		str_copys(&longer, "X: ");
		while (longer.len < pad)
			str_catc(&longer, 'y');
		str_catf(&longer, "\n%s", c[0].text);
		assert_int_equal(deliver("", "", "", str_c(&longer), &w),
		    100);
	}
	str_free(&w);
	str_free(&longer);
}

/* Somebody takes the Delivered-To lines out: then the hops are counted. */
static void
test_hops(void **state)
{
	static const char *const field[] = {"Received: by x\n",
	    "DELIVERED-TO: a@b\n", "received:\n"};
	static const char body[] = "\nReceived: in the body\n";
	struct str w = {0}, text = {0};

	(void)state;
	put(".qmail", "#\n", 0600);
	for (int i = 0; i < HOPS_MAX; i++)
		str_cats(&text, field[i % 3]);
	str_cats(&text, "Receive: d\nX-Received: x\n Received: folded\n");
	assert_int_equal(deliver("", "", "", str_c(&text), &w), 0);
	str_cats(&text, body);
	assert_int_equal(deliver("", "", "", str_c(&text), &w), 0);
	str_trunc(&text, text.len - (sizeof body - 1));
	str_cats(&text, "Received: one more\n");
	assert_int_equal(deliver("", "", "", str_c(&text), &w), 100);
	assert_non_null(strstr(str_c(&w), "(#5.4.6)"));
	str_free(&w);
	str_free(&text);
}

static void
newsender(const char *sender, const char *want)
{
	struct delivery d = {.user = "jo", .home = top, .local = "jo-list",
	    .dash = "-", .ext = "list", .host = "h", .sender = sender,
	    .aliasempty = "#", .mfd = message("", 0)};
	struct str w = {0};

	delivery_init(&d);
	assert_int_equal(delivery_prepare(&d, &w), 0);
	assert_string_equal(str_c(&d.newsender), want);
	(void)close(d.mfd);
	delivery_free(&d);
	str_free(&w);
}

static void
test_owner(void **state)
{
	(void)state;
	put(".qmail-list", "#\n", 0600);
	newsender("a@b", "a@b");
	put(".qmail-list-owner-default", "", 0600);
	newsender("a@b", "a@b");
	put(".qmail-list-owner", "", 0600);
	newsender("a@b", "jo-list-owner-@h-@[]");
	assert_int_equal(unlink(".qmail-list-owner-default"), 0);
	newsender("a@b", "jo-list-owner@h");
	newsender("", "");
	newsender("#@[]", "#@[]");
}

static void
test_plan(void **state)
{
	struct delivery d = {.user = "jo", .home = top, .local = "jo",
	    .dash = "-", .ext = "plan", .host = "h", .sender = "",
	    .aliasempty = "#", .mfd = message("", 0)};
	struct str w = {0};

	(void)state;
	put(".qmail-plan", "./m/\n./b\n|c d\n&e@f\n", 0600);
	delivery_init(&d);
	assert_int_equal(delivery_prepare(&d, &w), 0);
	delivery_cat_plan(&d, &w);
	assert_string_equal(str_c(&w),
	    "maildir ./m/\nmbox ./b\nprogram c d\nforward e@f\n");
	(void)close(d.mfd);
	delivery_free(&d);
	str_free(&w);
}

static void
test_copies(void **state)
{
	struct copies c = {0};

	(void)state;
	assert_int_equal(copies_take(&c, 1), 0);
	assert_int_equal(copies_take(&c, 1), 1);
	assert_int_equal(copies_take(&c, 2), 0);
	/* The last one gives its number back, an earlier one does not. */
	copies_back(&c, 1, 1);
	assert_int_equal(copies_take(&c, 1), 1);
	copies_back(&c, 1, 0);
	assert_int_equal(copies_take(&c, 1), 2);
	copies_back(&c, 2, 0);
	assert_int_equal(copies_take(&c, 2), 0);
	/* Remembered for COPIES_KEPT others, forgotten after twice that. */
	for (uint64_t i = 0; i < COPIES_KEPT; i++)
		assert_int_equal(copies_take(&c, 1000 + i), 0);
	assert_int_equal(copies_take(&c, 1), 3);
	for (uint64_t i = 0; i < 2 * COPIES_KEPT + 1; i++)
		assert_int_equal(copies_take(&c, 100000 + i), 0);
	assert_int_equal(copies_take(&c, 1), 0);
	copies_free(&c);
}

static void
test_drain(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(maildir_make("M"), 0);
	assert_int_equal(drain_maildir("M", "box", "box.tmp", 100), 0);
	assert_int_equal(access("box", F_OK), -1);
	put("box", "From old\n\nold\n\n", 0640);
	put("M/cur/2:2,S", "Return-Path: <a b@x>\nS: 2\n\nFrom me\n", 0600);
	put("M/new/1", "Return-Path: <>\nS: 1\n\nno end", 0600);
	put("M/new/.hidden", "x", 0600);
	{
		const struct timespec t[2] = {{1000000000, 0},
		    {1000000000, 0}};

		assert_int_equal(utimensat(AT_FDCWD, "M/new/1", t, 0), 0);
	}
	{
		const struct timespec t[2] = {{1700000000, 0},
		    {1700000000, 0}};

		assert_int_equal(utimensat(AT_FDCWD, "M/cur/2:2,S", t, 0), 0);
	}
	/* Locked: all stays where it is. */
	fd = open("box", O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(drain_maildir("M", "box", "box.tmp", 100), -1);
	(void)close(fd);
	assert_int_equal(access("M/new/1", F_OK), 0);
	assert_int_equal(drain_maildir("M", "box", "no/box.tmp", 100), -1);
	assert_int_equal(access("M/new/1", F_OK), 0);
	assert_int_equal(drain_maildir("M", "box", "box.tmp", 100), 0);
	assert_string_equal(slurp("box"), "From old\n\nold\n\n"
	    "From MAILER-DAEMON Sun Sep  9 01:46:40 2001\n"
	    "Return-Path: <>\nS: 1\n\nno end\n\n"
	    "From a-b@x Tue Nov 14 22:13:20 2023\n"
	    "Return-Path: <a b@x>\nS: 2\n\n>From me\n\n");
	assert_int_equal(access("M/new/1", F_OK), -1);
	assert_int_equal(access("M/cur/2:2,S", F_OK), -1);
	assert_int_equal(access("box.tmp", F_OK), -1);
	{
		struct stat st;

		assert_int_equal(stat("box", &st), 0);
		assert_int_equal(st.st_mode & 0777, 0640);
	}
	assert_int_equal(drain_maildir("nowhere", "box", "b", 100), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_dotfile_search),
		TEST(test_dotfile_kinds),
		TEST(test_environ),
		TEST(test_environ_hostile),
		TEST(test_split),
		TEST(test_program),
		TEST(test_program_limit),
		TEST(test_mbox_quote),
		TEST(test_mbox_append),
		TEST(test_mbox_fcntl),
		TEST(test_delivery),
		TEST(test_home),
		TEST(test_loop),
		TEST(test_hops),
		TEST(test_owner),
		TEST(test_plan),
		TEST(test_drain),
		cmocka_unit_test(test_copies),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
