/* test_pop3_session.c - the transaction state, on a mailbox in memory.
 *
 * Connections are pairs that keep packets apart: what the client sends comes
 * in the parts that the test made, and what leaves together is one packet. */
#include "pop3d/session.h"

#include "pop3d/out.h"

#include "TESTS/unit/pop3_fake.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

static const char *const three[] = {
	"Subject: one\n\nfirst\n",
	"Subject: two\n\n.\nb\nc\n",
	"Subject: three\n",
};
#define SIZE_1 "23"             /* 20 bytes and 3 LFs */
#define SIZE_2 "25"             /* 20 and 5 */
#define SIZE_3 "16"             /* 15 and 1 */
#define SIZE_ALL "64"

static struct session_config
config(void)
{
	return (struct session_config){.timeout_ms = 2000, .user = "jo",
	    .ip = "192.0.2.1", .tls = ""};
}

struct play {
	struct str said, log;
	size_t packets;
};

static void
play_free(struct play *p)
{
	str_free(&p->said);
	str_free(&p->log);
	*p = (struct play){0};
}

static void
take_log(int fd, struct str *into)
{
	char buf[4096];
	ssize_t n;

	while ((n = pread(fd, buf, sizeof buf, (off_t)into->len)) > 0)
		str_catb(into, buf, (size_t)n);
}

/* Descriptor 2 goes to a file in memory while the session runs. */
static void
run(const struct session_config *cfg, int rfd, int wfd, struct str *log)
{
	int keep = dup(2), mem = memfd_create("log", MFD_CLOEXEC);

	assert_true(keep >= 0 && mem >= 0 && dup2(mem, 2) == 2);
	session_run(cfg, rfd, wfd);
	assert_int_equal(dup2(keep, 2), 2);
	take_log(mem, log);
	(void)close(keep);
	(void)close(mem);
}

/* The client sends all of it in parts of size cut, and is gone. */
static void
play(const struct session_config *cfg, const char *s, size_t n, size_t cut,
    struct play *out)
{
	static char buf[OUT_MAX];
	int in[2], back[2];
	ssize_t r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, in), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, back), 0);
	for (size_t i = 0; i < n; i += cut) {
		size_t k = cut < n - i ? cut : n - i;

		assert_int_equal(send(in[0], s + i, k, MSG_DONTWAIT), k);
	}
	(void)close(in[0]);
	run(cfg, in[1], back[1], &out->log);
	(void)close(in[1]);
	(void)close(back[1]);
	while ((r = recv(back[0], buf, sizeof buf, 0)) > 0) {
		str_catb(&out->said, buf, (size_t)r);
		out->packets++;
	}
	(void)close(back[0]);
}

static void
play_whole(const char *s, struct play *out)
{
	struct session_config cfg = config();

	play(&cfg, s, strlen(s), strlen(s) + 1, out);
}

/* ---- commands ---- */

static const char all_in[] =
	"STAT\r\nLIST\r\nLIST 2\r\nUIDL\r\nUIDL 3\r\nRETR 1\r\nTOP 2 1\r\n"
	"LAST\r\nDELE 3\r\nSTAT\r\nLIST\r\nLAST\r\nRSET\r\nstat\r\nNOOP\n"
	"LANG en\r\nHUH\r\nQUIT\r\n";
static const char all_out[] =
	"+OK 3 messages\r\n"
	"+OK 3 " SIZE_ALL "\r\n"
	"+OK\r\n1 " SIZE_1 "\r\n2 " SIZE_2 "\r\n3 " SIZE_3 "\r\n.\r\n"
	"+OK 2 " SIZE_2 "\r\n"
	"+OK\r\n1 id1\r\n2 id2\r\n3 id3\r\n.\r\n"
	"+OK 3 id3\r\n"
	"+OK " SIZE_1 " octets\r\nSubject: one\r\n\r\nfirst\r\n.\r\n"
	"+OK\r\nSubject: two\r\n\r\n..\r\n.\r\n"
	"+OK 1\r\n"
	"+OK\r\n"
	"+OK 2 48\r\n"
	"+OK\r\n1 " SIZE_1 "\r\n2 " SIZE_2 "\r\n.\r\n"
	"+OK 3\r\n"
	"+OK\r\n"
	"+OK 3 " SIZE_ALL "\r\n"
	"+OK\r\n"
	"+OK en it is\r\n"
	"-ERR I do not know that command\r\n"
	"+OK bye\r\n";

static void
every_cut(void **state)
{
	struct session_config cfg = config();

	(void)state;
	for (size_t cut = 1; cut <= sizeof all_in; cut++) {
		struct play p = {0};

		pop3_fake_box(three, 3);
		play(&cfg, all_in, sizeof all_in - 1, cut, &p);
		assert_string_equal(str_c(&p.said), all_out);
		assert_int_equal(pop3_fake.updates, 1);
		assert_int_equal(pop3_fake.frees, 1);
		play_free(&p);
	}
}

/* The greeting, then everything that was asked for at once.  What comes
 * before QUIT leaves before anything is removed. */
static void
one_segment(void **state)
{
	struct play p = {0};

	(void)state;
	pop3_fake_box(three, 3);
	play_whole("STAT\r\nRETR 1\r\nRETR 2\r\nRETR 3\r\nUIDL\r\n", &p);
	assert_int_equal(p.packets, 2);
	play_free(&p);
	pop3_fake_box(three, 3);
	play_whole("RETR 1\r\nDELE 1\r\nQUIT\r\n", &p);
	assert_int_equal(p.packets, 3);
	play_free(&p);
}

static const struct {
	const char *in, *out;           /* out: after the greeting */
} cases[] = {
	{"STAT 1\r\n", "-ERR too many arguments\r\n"},
	{"STAT \r\n", "+OK 3 " SIZE_ALL "\r\n"},
	{"RETR\r\n", "-ERR an argument is missing\r\n"},
	{"RETR  2 3\r\n", "-ERR too many arguments\r\n"},
	{"RETR 0\r\n", "-ERR there is no such message\r\n"},
	{"RETR 4\r\n", "-ERR there is no such message\r\n"},
	{"RETR 4294967297\r\n", "-ERR there is no such message\r\n"},
	{"RETR 18446744073709551617\r\n", "-ERR that is no number\r\n"},
	{"RETR -1\r\n", "-ERR that is no number\r\n"},
	{"RETR +1\r\n", "-ERR that is no number\r\n"},
	{"RETR 1x\r\n", "-ERR that is no number\r\n"},
	{"RETR 0x1\r\n", "-ERR that is no number\r\n"},
	{"RETR one\r\n", "-ERR that is no number\r\n"},
	{"LIST 0\r\n", "-ERR there is no such message\r\n"},
	{"LIST x\r\n", "-ERR that is no number\r\n"},
	{"LIST 1 2\r\n", "-ERR too many arguments\r\n"},
	{"UIDL 4\r\n", "-ERR there is no such message\r\n"},
	{"DELE 1\r\nDELE 1\r\nRETR 1\r\nTOP 1 1\r\nLIST 1\r\nUIDL 1\r\n",
	    "+OK\r\n"
	    "-ERR that message is deleted\r\n"
	    "-ERR that message is deleted\r\n"
	    "-ERR that message is deleted\r\n"
	    "-ERR that message is deleted\r\n"
	    "-ERR that message is deleted\r\n"},
	{"TOP 1\r\n", "-ERR an argument is missing\r\n"},
	{"TOP 1 2 3\r\n", "-ERR too many arguments\r\n"},
	{"TOP 1 x\r\n", "-ERR how many lines?\r\n"},
	{"TOP 1 -1\r\n", "-ERR how many lines?\r\n"},
	{"TOP 1 0\r\n", "+OK\r\nSubject: one\r\n\r\n.\r\n"},
	{"TOP 1 100\r\n", "+OK\r\nSubject: one\r\n\r\nfirst\r\n.\r\n"},
	{"retr 001\r\n", "+OK " SIZE_1 " octets\r\nSubject: one\r\n\r\n"
	    "first\r\n.\r\n"},
	{"QuIt\r\n", "+OK bye\r\n"},
	{"\r\n", "-ERR I do not know that command\r\n"},
	{" STAT\r\n", "-ERR I do not know that command\r\n"},
	{"STATS\r\n", "-ERR I do not know that command\r\n"},
	{"STA\r\n", "-ERR I do not know that command\r\n"},
	{"STAT\t\r\n", "-ERR I do not know that command\r\n"},
	{"USER jo\r\n", "-ERR you are logged in already\r\n"},
	{"PASS a b c d e\r\n", "-ERR you are logged in already\r\n"},
	{"UTF8\r\n", "-ERR you are logged in already\r\n"},
	{"STLS\r\n", "-ERR you are logged in already\r\n"},
	{"LANG\r\n", "+OK these\r\nen English\r\n.\r\n"},
	{"LANG *\r\n", "+OK en it is\r\n"},
	{"LANG EN-gb\r\n", "+OK en it is\r\n"},
	{"LANG de\r\n", "-ERR only English is spoken here\r\n"},
	{"LANG eng\r\n", "-ERR only English is spoken here\r\n"},
	{"CAPA\r\n", "+OK these\r\nTOP\r\nUIDL\r\nPIPELINING\r\n"
	    "RESP-CODES\r\nAUTH-RESP-CODE\r\nUTF8 USER\r\nLANG\r\n"
	    "EXPIRE NEVER\r\nIMPLEMENTATION valija\r\n.\r\n"},
	{"QUIT\r\nSTAT\r\n", "+OK bye\r\n"},
	{"STAT", ""},                   /* never ended */
};

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct play p = {0};

		pop3_fake_box(three, 3);
		play_whole(cases[i].in, &p);
		str_catc(&p.said, '\0');
		assert_memory_equal(str_c(&p.said), "+OK 3 messages\r\n", 16);
		assert_string_equal(str_c(&p.said) + 16, cases[i].out);
		play_free(&p);
	}
}

static void
bytes_in_lines(void **state)
{
	struct session_config cfg = config();
	struct play p = {0};
	static const char nul[] = "ST\0AT\r\nSTAT\0\r\nSTAT\xff\r\nSTAT\r\r\n";

	(void)state;
	pop3_fake_box(NULL, 0);
	play(&cfg, nul, sizeof nul - 1, sizeof nul, &p);
	assert_string_equal(str_c(&p.said), "+OK 0 messages\r\n"
	    "-ERR a NUL is no text\r\n-ERR a NUL is no text\r\n"
	    "-ERR I do not know that command\r\n"
	    "-ERR I do not know that command\r\n");
	play_free(&p);
}

static void
empty_mailbox(void **state)
{
	struct play p = {0};

	(void)state;
	pop3_fake_box(NULL, 0);
	play_whole("STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nLAST\r\nQUIT\r\n", &p);
	assert_string_equal(str_c(&p.said), "+OK 0 messages\r\n+OK 0 0\r\n"
	    "+OK\r\n.\r\n+OK\r\n.\r\n-ERR there is no such message\r\n"
	    "+OK 0\r\n+OK bye\r\n");
	play_free(&p);
}

static void
capabilities(void **state)
{
	struct session_config cfg = config();
	struct play p = {0};

	(void)state;
	cfg.passwords = cfg.stls = true;
	cfg.box.delay_s = 60;
	pop3_fake_box(NULL, 0);
	play(&cfg, "CAPA\r\n", 6, 6, &p);
	assert_non_null(strstr(str_c(&p.said), "\r\nUSER\r\n"));
	assert_non_null(strstr(str_c(&p.said), "\r\nSASL PLAIN LOGIN\r\n"));
	assert_non_null(strstr(str_c(&p.said), "\r\nSTLS\r\n"));
	assert_non_null(strstr(str_c(&p.said), "\r\nLOGIN-DELAY 60\r\n"));
	play_free(&p);
}

/* ---- lines ---- */

/* 510 bytes and CR LF are a line; what is longer is none, to its end. */
static void
long_lines(void **state)
{
	static const size_t sizes[] = {510, 511, 512, 513, 5000, 60000};
	struct session_config cfg = config();

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++)
		for (size_t cut = 500; cut <= 520; cut += i < 4 ? 1 : 20) {
			struct str in = {0};
			struct play p = {0};

			pop3_fake_box(NULL, 0);
			str_cats(&in, "NOOP");
			while (in.len < sizes[i])
				str_catc(&in, ' ');
			str_cats(&in, "\r\nSTAT\r\n");
			play(&cfg, in.s, in.len, i < 4 ? cut : 4000, &p);
			assert_string_equal(str_c(&p.said) + 16, i == 0 ?
			    "+OK\r\n+OK 0 0\r\n" :
			    "-ERR the line is too long\r\n+OK 0 0\r\n");
			play_free(&p);
			str_free(&in);
		}
}

static void
endless_line(void **state)
{
	struct session_config cfg = config();
	struct str in = {0};
	struct play p = {0};

	(void)state;
	pop3_fake_box(NULL, 0);
	while (in.len < 80000)
		str_catc(&in, 'x');
	str_cats(&in, "\r\nQUIT\r\n");
	play(&cfg, in.s, in.len, 4000, &p);
	assert_string_equal(str_c(&p.said), "+OK 0 messages\r\n");
	assert_non_null(strstr(str_c(&p.log), " why=error "));
	assert_int_equal(pop3_fake.updates, 0);
	play_free(&p);
	str_free(&in);
}

/* ---- beginning and end ---- */

static void
refusals(void **state)
{
	static const struct {
		enum box_status st;
		const char *reply, *why;
	} no[] = {
		{BOX_NONE, "-ERR [SYS/PERM] there is no mailbox\r\n", "none"},
		{BOX_BUSY, "-ERR [IN-USE] ", "busy"},
		{BOX_SOON, "-ERR [LOGIN-DELAY] ", "soon"},
		{BOX_TEMP, "-ERR [SYS/TEMP] mail service unavailable\r\n",
		    "error"},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(no); i++) {
		struct play p = {0};
		char why[32];

		pop3_fake_box(three, 3);
		pop3_fake.open = no[i].st;
		play_whole("STAT\r\nQUIT\r\n", &p);
		assert_memory_equal(str_c(&p.said), no[i].reply,
		    strlen(no[i].reply));
		assert_ptr_equal(strstr(str_c(&p.said), "\r\n") + 2,
		    str_c(&p.said) + p.said.len);
		(void)snprintf(why, sizeof why, " why=%s ", no[i].why);
		assert_non_null(strstr(str_c(&p.log), why));
		assert_int_equal(strstr(str_c(&p.log),
		    "unable to open the mailbox") != NULL,
		    no[i].st == BOX_TEMP);
		assert_int_equal(pop3_fake.updates + pop3_fake.frees, 0);
		play_free(&p);
	}
}

/* Only QUIT removes. */
static void
gone_without_quit(void **state)
{
	struct play p = {0};

	(void)state;
	pop3_fake_box(three, 3);
	play_whole("DELE 1\r\nDELE 2\r\nQUIT", &p);
	assert_int_equal(pop3_fake.updates, 0);
	assert_int_equal(pop3_fake.frees, 1);
	assert_non_null(strstr(str_c(&p.log), " why=eof messages=3 retr=0 "
	    "top=0 dele=0 in=20 out=26 "));
	play_free(&p);
}

static void
not_all_removed(void **state)
{
	static const struct {
		int error;
		const char *reply;
	} errors[] = {
		{EACCES, "-ERR [SYS/PERM] some deleted messages were not "
		    "removed\r\n"},
		{EROFS, "-ERR [SYS/PERM] some deleted messages were not "
		    "removed\r\n"},
		{EIO, "-ERR [SYS/TEMP] some deleted messages were not "
		    "removed\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(errors); i++) {
		struct play p = {0};

		pop3_fake_box(three, 3);
		pop3_fake.result = (struct box_result){.deleted = 1,
		    .failed = 1, .error = errors[i].error};
		play_whole("DELE 1\r\nDELE 2\r\nQUIT\r\n", &p);
		assert_string_equal(str_c(&p.said) + 16 + 10,
		    errors[i].reply);
		assert_non_null(strstr(str_c(&p.log),
		    "unable to remove 1 messages: "));
		assert_non_null(strstr(str_c(&p.log), " why=quit "));
		assert_non_null(strstr(str_c(&p.log), " dele=1 "));
		play_free(&p);
	}
}

static void
end_line(void **state)
{
	struct session_config cfg = config();
	struct play p = {0};
	char want[300];

	(void)state;
	cfg.user = "jo e\n%s";
	cfg.tls = "TLSv1.3";
	cfg.pid = 4711;
	pop3_fake_box(three, 3);
	pop3_fake.result.deleted = 1;
	play(&cfg, "STAT\r\nRETR 1\r\nTOP 1 0\r\nTOP 2 0\r\nDELE 1\r\n"
	    "STAT\r\nQUIT\r\n", 52, 52, &p);
	(void)snprintf(want, sizeof want, "info: end pid=4711 user=jo_e/_s "
	    "ip=192.0.2.1 tls=TLSv1.3 why=quit messages=3 size=" SIZE_ALL
	    " retr=1 top=2 dele=1 in=52 out=%zu seconds=0\n", p.said.len);
	assert_non_null(strstr(str_c(&p.log), want));
	play_free(&p);
}

/* What the client was told of all of them, and nothing when it was not. */
static void
size_in_log(void **state)
{
	static const struct {
		const char *in, *log;
	} said[] = {
		{"LIST\r\nDELE 1\r\nLIST\r\n", " messages=3 size=" SIZE_ALL
		    " retr="},
		{"DELE 3\r\nSTAT\r\nRSET\r\nLIST\r\n",
		    " messages=3 size=48 retr="},
		{"LIST 1\r\nUIDL\r\n", " messages=3 retr="},
		{"LIST 1\r\nLIST\r\n", " messages=3 size=" SIZE_ALL
		    " retr="},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(said); i++) {
		struct play p = {0};

		pop3_fake_box(three, 3);
		play_whole(said[i].in, &p);
		assert_non_null(strstr(str_c(&p.log), said[i].log));
		play_free(&p);
	}
}

/* ---- messages that are not as they were ---- */

static void
lost_messages(void **state)
{
	static const char gone[] = "+OK 2 messages\r\n"
	    "-ERR another program removed that message\r\n"
	    "-ERR another program removed that message\r\n"
	    "-ERR [SYS/TEMP] the message cannot be read now\r\n"
	    "-ERR [SYS/TEMP] the message cannot be read now\r\n"
	    "+OK 0\r\n+OK bye\r\n";
	struct play p = {0};

	(void)state;
	pop3_fake_box(three, 2);
	pop3_fake.msg[0].error = ENOENT;
	pop3_fake.msg[1].error = EIO;
	play_whole("RETR 1\r\nTOP 1 1\r\nRETR 2\r\nTOP 2 1\r\nLAST\r\n"
	    "QUIT\r\n", &p);
	assert_string_equal(str_c(&p.said), gone);
	assert_non_null(strstr(str_c(&p.log), "unable to open message id2: "));
	assert_null(strstr(str_c(&p.log), "id1"));
	assert_non_null(strstr(str_c(&p.log), " retr=0 top=0 "));
	play_free(&p);
}

/* Nothing of it has left yet: the reply is taken back.  A directory can be
 * opened and cannot be read. */
static void
spoilt_at_once(void **state)
{
	struct play p = {0};
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	pop3_fake_box(three, 2);
	pop3_fake.msg[1].fd = fd;
	play_whole("RETR 1\r\nRETR 2\r\nNOOP\r\n", &p);
	assert_string_equal(str_c(&p.said), "+OK 2 messages\r\n"
	    "+OK " SIZE_1 " octets\r\nSubject: one\r\n\r\nfirst\r\n.\r\n"
	    "-ERR [SYS/TEMP] the message cannot be read now\r\n+OK\r\n");
	assert_non_null(strstr(str_c(&p.log), "unable to read message id2: "));
	play_free(&p);
	(void)close(fd);
}

/* Not one of them, rather than others than yesterday. */
static void
no_identifiers(void **state)
{
	struct play p = {0};

	(void)state;
	pop3_fake_box(three, 2);
	pop3_fake.uidl_error = EIO;
	play_whole("UIDL\r\nUIDL 1\r\nNOOP\r\n", &p);
	assert_string_equal(str_c(&p.said), "+OK 2 messages\r\n"
	    "-ERR [SYS/TEMP] identifiers cannot be read now\r\n"
	    "-ERR [SYS/TEMP] identifiers cannot be read now\r\n+OK\r\n");
	assert_non_null(strstr(str_c(&p.log), "unable to read identifiers: "));
	play_free(&p);
}

struct served {
	struct session_config cfg;
	int client, log;
	pid_t pid;
};

/* A session in a process of its own, on one stream. */
static void
serve(struct served *s)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	s->log = memfd_create("log", MFD_CLOEXEC);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		(void)close(fd[0]);
		(void)dup2(s->log, 2);
		session_run(&s->cfg, fd[1], fd[1]);
		_exit(pop3_fake.updates > 0 ? 1 : 0);
	}
	(void)close(fd[1]);
	s->client = fd[0];
}

/* Reads until the other side closes.  Returns whether it had updated. */
static int
finish(struct served *s, struct play *p)
{
	static char buf[OUT_MAX];
	int status;
	ssize_t n;

	while ((n = read(s->client, buf, sizeof buf)) > 0)
		str_catb(&p->said, buf, (size_t)n);
	(void)close(s->client);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	assert_true(WIFEXITED(status));
	take_log(s->log, &p->log);
	(void)close(s->log);
	return WEXITSTATUS(status);
}

#define BIG (8u << 20)

static int
big_message(void)
{
	char *s = mem_alloc(BIG, 1);
	int fd;

	memset(s, 'x', BIG);
	fd = pop3_fake_file(s, BIG);
	free(s);
	pop3_fake_box(three, 1);
	pop3_fake.msg[0].fd = fd;
	return fd;
}

/* The session is in the middle of it, because nobody has read the rest. */
static void
changed_in_the_middle(void **state)
{
	static const off_t sizes[] = {BIG / 2, BIG - 1, BIG + 1};

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++) {
		struct served s = {.cfg = config()};
		struct play p = {0};
		int fd = big_message();
		char word[4096];
		static const char cmds[] = "RETR 1\r\nDELE 1\r\nQUIT\r\n";

		serve(&s);
		assert_int_equal(write(s.client, cmds, sizeof cmds - 1),
		    sizeof cmds - 1);
		do
			assert_int_equal(read(s.client, word, 1), 1);
		while (*word != 'x');
		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		assert_int_equal(finish(&s, &p), 0);
		assert_null(memchr(p.said.s, '\n', p.said.len));
		assert_non_null(strstr(str_c(&p.log),
		    "unable to read message id1: "));
		assert_non_null(strstr(str_c(&p.log), " why=error "));
		assert_non_null(strstr(str_c(&p.log), " retr=0 "));
		play_free(&p);
		(void)close(fd);
	}
}

/* ---- time ---- */

static void
silence(void **state)
{
	struct served s = {.cfg = config()};
	struct play p = {0};

	(void)state;
	s.cfg.timeout_ms = 30;
	pop3_fake_box(three, 3);
	serve(&s);
	assert_int_equal(write(s.client, "DELE 1\r\n", 8), 8);
	assert_int_equal(finish(&s, &p), 0);
	/* 1939:3: without a word */
	assert_string_equal(str_c(&p.said), "+OK 3 messages\r\n+OK\r\n");
	assert_non_null(strstr(str_c(&p.log), " why=timeout "));
	play_free(&p);
}

/* A byte now and then is no command: it ends while they still come. */
static void
trickle(void **state)
{
	struct served s = {.cfg = config()};
	struct play p = {0};
	size_t sent = 0;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	s.cfg.timeout_ms = 100;
	pop3_fake_box(three, 3);
	serve(&s);
	while (sent < 500 && write(s.client, "x", 1) == 1) {
		sent++;
		(void)usleep(10000);
	}
	assert_true(sent < 500);
	(void)finish(&s, &p);
	assert_non_null(strstr(str_c(&p.log), " why=timeout "));
	play_free(&p);
}

/* What was asked for never left, so nothing is removed. */
static void
nobody_reads(void **state)
{
	struct served s = {.cfg = config()};
	struct play p = {0};
	int fd = big_message(), status;

	(void)state;
	s.cfg.timeout_ms = 50;
	serve(&s);
	assert_int_equal(write(s.client, "RETR 1\r\nDELE 1\r\nQUIT\r\n", 22),
	    22);
	assert_int_equal(waitpid(s.pid, &status, 0), s.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	take_log(s.log, &p.log);
	assert_non_null(strstr(str_c(&p.log), " why=timeout "));
	assert_non_null(strstr(str_c(&p.log), " retr=0 "));
	play_free(&p);
	(void)close(s.log);
	(void)close(s.client);
	(void)close(fd);
}

static void
gone_while_sending(void **state)
{
	struct served s = {.cfg = config()};
	struct play p = {0};
	int fd = big_message(), status;
	char c;

	(void)state;
	serve(&s);
	assert_int_equal(write(s.client, "RETR 1\r\nDELE 1\r\nQUIT\r\n", 22),
	    22);
	assert_int_equal(read(s.client, &c, 1), 1);
	(void)close(s.client);
	assert_int_equal(waitpid(s.pid, &status, 0), s.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	take_log(s.log, &p.log);
	assert_non_null(strstr(str_c(&p.log), " why=eof "));
	play_free(&p);
	(void)close(s.log);
	(void)close(fd);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut),
		cmocka_unit_test(one_segment),
		cmocka_unit_test(table),
		cmocka_unit_test(bytes_in_lines),
		cmocka_unit_test(empty_mailbox),
		cmocka_unit_test(capabilities),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(endless_line),
		cmocka_unit_test(refusals),
		cmocka_unit_test(gone_without_quit),
		cmocka_unit_test(not_all_removed),
		cmocka_unit_test(end_line),
		cmocka_unit_test(size_in_log),
		cmocka_unit_test(lost_messages),
		cmocka_unit_test(spoilt_at_once),
		cmocka_unit_test(no_identifiers),
		cmocka_unit_test(changed_in_the_middle),
		cmocka_unit_test(silence),
		cmocka_unit_test(trickle),
		cmocka_unit_test(nobody_reads),
		cmocka_unit_test(gone_while_sending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
