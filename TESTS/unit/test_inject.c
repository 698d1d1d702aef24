/* test_inject.c - what becomes of a message: fields, sender, recipients, for
 * every option and letter; and the bodies. */
#include "inject/inject.h"

#include "TESTS/unit/unit.h"

#include "inject/account.h"
#include "inject/body.h"
#include "inject/compose.h"
#include "mail/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static const char *const variables[] = {"QMAILINJECT", "QMAILUSER", "MAILUSER",
    "USER", "LOGNAME", "QMAILHOST", "MAILHOST", "QMAILSUSER", "QMAILSHOST",
    "QMAILNAME", "MAILNAME", "NAME", "QMAILMFTFILE", "QMAILDEFAULTHOST",
    "QMAILDEFAULTDOMAIN", "QMAILPLUSDOMAIN", "QMAILIDHOST"};

static void
set(const char *name, const char *value)
{
	assert_int_equal(setenv(name, value, 1), 0);
}

/* A known environment; settings are "NAME=value" up to NULL. */
static void
environment(const char *const *settings)
{
	for (size_t i = 0; i < N_OF(variables); i++)
		(void)unsetenv(variables[i]);
	set("QMAILDEFAULTHOST", "dh.example");
	set("QMAILDEFAULTDOMAIN", "dd.example");
	set("QMAILPLUSDOMAIN", "pd.example");
	set("QMAILIDHOST", "id.example");
	set("QMAILUSER", "joe");
	for (; settings != NULL && *settings != NULL; settings++) {
		char *copy = strdup(*settings);
		char *eq = strchr(copy, '=');

		assert_non_null(eq);
		*eq = '\0';
		set(copy, eq + 1);
		free(copy);
	}
}

static int
message(struct io *io, const char *text, size_t n)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), (ssize_t)n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	io_init(io, fd, -1, IO_FOREVER);
	return fd;
}

static void
known_time(struct inject_config *cfg)
{
	cfg->now = 1795409700;          /* 23 Nov 2026 04:55:00 */
	cfg->now_usec = 42;
	cfg->pid = 77;
}

/* The envelope as "sender>rcpt,rcpt,". */
static void
envelope(struct str *out, const struct inject *in)
{
	const char *s = str_c(&in->rcpts.text);

	str_copy(out, &in->sender);
	str_catc(out, '>');
	for (size_t i = 0; i < in->rcpts.n; i++, s += strlen(s) + 1) {
		str_cats(out, s);
		str_catc(out, ',');
	}
}

#define DATE "Date: 23 Nov 2026 04:55:00 -0000\n"
#define ID "Message-ID: <20261123045500.000042.77.qmail@id.example>\n"
#define FROM "From: joe@dh.example\n"
#define RDATE "Resent-Date: 23 Nov 2026 04:55:00 -0000\n"
#define RID "Resent-Message-ID: <20261123045500.000042.77.qmail@id.example>\n"
#define RFROM "Resent-From: joe@dh.example\n"
#define HIDDEN "Cc: recipient list not shown: ;\n"
#define E(...) (const char *const[]){__VA_ARGS__, NULL}

static const struct {
	const char *const *env;
	const char *args;       /* one argument, or NULL */
	enum inject_mode mode;
	const char *text;
	const char *header;     /* all of it, as it is sent on */
	const char *envelope;
	enum inject_status st;
} cases[] = {
	/* who gets it */
	{NULL, NULL, INJECT_EITHER, "To: a, b@c\nCc: d@e.f\n",
	    DATE ID FROM "To: a@dh.example, b@c.dd.example\nCc: d@e.f\n",
	    "joe@dh.example>a@dh.example,b@c.dd.example,d@e.f,", INJECT_OK},
	{NULL, "x@y.z", INJECT_EITHER, "To: a\n",
	    DATE ID FROM "To: a@dh.example\n", "joe@dh.example>x@y.z,",
	    INJECT_OK},
	{NULL, "x@y.z", INJECT_ARGS, "To: a\n",
	    DATE ID FROM "To: a@dh.example\n", "joe@dh.example>x@y.z,",
	    INJECT_OK},
	{NULL, "x@y.z", INJECT_HEADER, "To: a\n",
	    DATE ID FROM "To: a@dh.example\n", "joe@dh.example>a@dh.example,",
	    INJECT_OK},
	{NULL, "x@y.z", INJECT_BOTH, "To: a\n",
	    DATE ID FROM "To: a@dh.example\n",
	    "joe@dh.example>x@y.z,a@dh.example,", INJECT_OK},
	{NULL, NULL, INJECT_ARGS, "To: a\n", NULL, NULL, INJECT_NORCPT},
	{NULL, NULL, INJECT_EITHER, "", NULL, NULL, INJECT_NORCPT},
	{NULL, "a b@c", INJECT_ARGS, "",
	    DATE ID FROM HIDDEN, "joe@dh.example>a b@c.dd.example,",
	    INJECT_OK},
	{NULL, "a@c.", INJECT_ARGS, "", DATE ID FROM HIDDEN,
	    "joe@dh.example>a@c.dd.example,", INJECT_OK},
	{NULL, "a@c+", INJECT_ARGS, "", DATE ID FROM HIDDEN,
	    "joe@dh.example>a@c.pd.example,", INJECT_OK},
	{NULL, "a@[1.2.3.4]", INJECT_ARGS, "", DATE ID FROM HIDDEN,
	    "joe@dh.example>a@[1.2.3.4],", INJECT_OK},
	/* a recipient named twice gets it once */
	{NULL, "a@b.c", INJECT_BOTH, "To: a@b.c, A@b.c\nCc: <a@b.c>\n",
	    DATE ID FROM "To: a@b.c, A@b.c\nCc: <a@b.c>\n",
	    "joe@dh.example>a@b.c,A@b.c,", INJECT_OK},
	/* Bcc and other fields that go; fields that stay */
	{NULL, NULL, INJECT_EITHER, "Bcc: h@i.j\nContent-Length: 7\n"
	    "X-Y:  z \nSubject: s\n t\n",
	    DATE ID FROM HIDDEN "X-Y:  z \nSubject: s\n t\n",
	    "joe@dh.example>h@i.j,", INJECT_OK},
	{NULL, "x@y.z", INJECT_ARGS, "Bcc: h@i.j\nTo: a@b.c\n",
	    DATE ID FROM "To: a@b.c\n", "joe@dh.example>x@y.z,", INJECT_OK},
	{NULL, NULL, INJECT_EITHER, "Apparently-To: a@b.c\nReceived: r\n",
	    DATE ID FROM HIDDEN "Apparently-To: a@b.c\nReceived: r\n",
	    "joe@dh.example>a@b.c,", INJECT_OK},
	{NULL, "x@y.z", INJECT_ARGS, "From joe Mon Nov\nTO : a\n",
	    DATE ID FROM "MBOX-Line: From joe Mon Nov\nTO: a@dh.example\n",
	    "joe@dh.example>x@y.z,", INJECT_OK},
	{NULL, "x@y.z", INJECT_ARGS,
	    "date: now\nmessage-id: <x>\nfrom: me\nreply-to: r\nsender: s\n"
	    "errors-to: e\nReturn-Receipt-To: t\n",
	    HIDDEN "date: now\nmessage-id: <x>\nfrom: me@dh.example\n"
	    "reply-to: r@dh.example\nsender: s@dh.example\n"
	    "errors-to: e@dh.example\nReturn-Receipt-To: t@dh.example\n",
	    "joe@dh.example>x@y.z,", INJECT_OK},
	{NULL, "x@y.z", INJECT_ARGS, "From:\nTo: (nobody)\nCc: g:;\n",
	    DATE ID FROM "To: (nobody)\nCc: g: ;\n", "joe@dh.example>x@y.z,",
	    INJECT_OK},
	/* resent */
	{NULL, NULL, INJECT_EITHER, "To: a@b.c\nResent-To: r@s.t\n",
	    RDATE RID RFROM "To: a@b.c\nResent-To: r@s.t\n",
	    "joe@dh.example>r@s.t,", INJECT_OK},
	{NULL, NULL, INJECT_EITHER, "Bcc: a@b.c\nResent-Bcc: r@s.t\n"
	    "Resent-Cc: u\n",
	    RDATE RID RFROM "Resent-Cc: u@dh.example\n",
	    "joe@dh.example>r@s.t,u@dh.example,", INJECT_OK},
	{NULL, "x@y.z", INJECT_ARGS, "Resent-From: f\nResent-Date: d\n"
	    "Resent-Message-ID: <i>\n",
	    "Resent-Cc: recipient list not shown: ;\n"
	    "Resent-From: f@dh.example\nResent-Date: d\n"
	    "Resent-Message-ID: <i>\n", "joe@dh.example>x@y.z,", INJECT_OK},
	{NULL, NULL, INJECT_EITHER, "To: a@b.c\nResent-Date: d\n",
	    NULL, NULL, INJECT_NORCPT},
	/* who it is from */
	{E("QMAILUSER=u", "QMAILHOST=h"), "x@y.z", INJECT_ARGS, "",
	    DATE ID "From: u@h.dd.example\n" HIDDEN, "u@h.dd.example>x@y.z,",
	    INJECT_OK},
	{E("QMAILUSER=", "MAILUSER=m", "USER=u", "MAILHOST=mh.x"), "x@y.z",
	    INJECT_ARGS, "", DATE ID "From: m@mh.x\n" HIDDEN, "m@mh.x>x@y.z,",
	    INJECT_OK},
	{E("QMAILUSER=", "LOGNAME=l", "USER=u"), "x@y.z",
	    INJECT_ARGS, "", DATE ID "From: u@dh.example\n" HIDDEN,
	    "u@dh.example>x@y.z,", INJECT_OK},
	{E("QMAILUSER=", "LOGNAME=l"), "x@y.z",
	    INJECT_ARGS, "", DATE ID "From: l@dh.example\n" HIDDEN,
	    "l@dh.example>x@y.z,", INJECT_OK},
	{E("QMAILUSER="), "x@y.z", INJECT_ARGS, "",
	    DATE ID "From: anonymous@dh.example\n" HIDDEN,
	    "anonymous@dh.example>x@y.z,", INJECT_OK},
	{E("QMAILSUSER=s", "QMAILSHOST=sh+"), "x@y.z", INJECT_ARGS, "",
	    DATE ID FROM HIDDEN, "s@sh.pd.example>x@y.z,", INJECT_OK},
	{E("QMAILUSER=a b", "NAME=N"), "x@y.z", INJECT_ARGS, "",
	    DATE ID "From: N <\"a b\"@dh.example>\n" HIDDEN,
	    "a b@dh.example>x@y.z,", INJECT_OK},
	{E("QMAILNAME=A Name", "NAME=x"), "x@y.z", INJECT_ARGS, "",
	    DATE ID "From: A Name <joe@dh.example>\n" HIDDEN,
	    "joe@dh.example>x@y.z,", INJECT_OK},
	{E("MAILNAME=J. \"Q\"", "NAME=x"), "x@y.z", INJECT_ARGS, "",
	    DATE ID "From: \"J. \\\"Q\\\"\" <joe@dh.example>\n" HIDDEN,
	    "joe@dh.example>x@y.z,", INJECT_OK},
	{E("QMAILNAME=x\nBcc: y"), "x@y.z", INJECT_ARGS, "",
	    DATE ID "From: =?UTF-8?Q?x_Bcc=3A_y?= <joe@dh.example>\n" HIDDEN,
	    "joe@dh.example>x@y.z,", INJECT_OK},
	/* letters */
	{E("QMAILINJECT=c", "NAME=A (N)"), "x@y.z", INJECT_ARGS, "",
	    DATE ID "From: joe@dh.example (A \\(N\\))\n" HIDDEN,
	    "joe@dh.example>x@y.z,", INJECT_OK},
	{E("QMAILINJECT=f"), "x@y.z", INJECT_ARGS, "From: a@b.c\n",
	    DATE ID FROM HIDDEN, "joe@dh.example>x@y.z,", INJECT_OK},
	{E("QMAILINJECT=i"), "x@y.z", INJECT_ARGS, "Message-ID: <i>\n",
	    DATE ID FROM HIDDEN, "joe@dh.example>x@y.z,", INJECT_OK},
	{E("QMAILINJECT=r"), "x@y.z", INJECT_ARGS, "", DATE ID FROM HIDDEN,
	    "joe-@dh.example-@[]>x@y.z,", INJECT_OK},
	{E("QMAILINJECT=m"), "x@y.z", INJECT_ARGS, "", DATE ID FROM HIDDEN,
	    "joe-1795409700.77@dh.example>x@y.z,", INJECT_OK},
	{E("QMAILINJECT=mr?", "QMAILSUSER=l", "QMAILSHOST=h"), "x@y.z",
	    INJECT_ARGS, "", DATE ID FROM HIDDEN,
	    "l-1795409700.77-@h.dd.example-@[]>x@y.z,", INJECT_OK},
	/* Return-Path */
	{E("QMAILSUSER=s"), "x@y.z", INJECT_ARGS, "Return-Path: <r@s>\n",
	    DATE ID FROM HIDDEN, "r@s.dd.example>x@y.z,", INJECT_OK},
	{NULL, "x@y.z", INJECT_ARGS, "Return-Path: (none) <>\n",
	    DATE ID FROM HIDDEN, ">x@y.z,", INJECT_OK},
	{NULL, "x@y.z", INJECT_ARGS,
	    "Return-Path:\nReturn-Path: a@b.c, d\nReturn-Path: <e>\n",
	    DATE ID FROM HIDDEN, "a@b.c>x@y.z,", INJECT_OK},
	{E("QMAILINJECT=s"), "x@y.z", INJECT_ARGS, "Return-Path: <r@s>\n",
	    DATE ID FROM HIDDEN, "joe@dh.example>x@y.z,", INJECT_OK},
	{E("QMAILINJECT=rm"), "x@y.z", INJECT_ARGS,
	    "Return-Path: <l-@h-@[]>\n",
	    DATE ID FROM HIDDEN, "l-@h-@[]>x@y.z,", INJECT_OK},
	/* refused */
	{NULL, NULL, INJECT_EITHER, "To: (\n", NULL, NULL, INJECT_BADHEADER},
	{NULL, NULL, INJECT_EITHER, "To: a@b\nReply-To: <\n", NULL, NULL,
	    INJECT_BADHEADER},
	{NULL, "", INJECT_EITHER, "To: a@b\n", NULL, NULL, INJECT_BADADDR},
	{NULL, "a\nb@c", INJECT_EITHER, "", NULL, NULL, INJECT_BADADDR},
};

static void
test_cases(void **state)
{
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct inject_config cfg;
		struct inject in;
		struct header h;
		struct io io;
		int fd = message(&io, cases[i].text, strlen(cases[i].text));
		enum inject_status st = INJECT_OK;

		environment(cases[i].env);
		inject_config_env(&cfg);
		known_time(&cfg);
		cfg.mode = cases[i].mode;
		inject_init(&in, &cfg);
		header_init(&h, &io, INJECT_HEADER_MAX, INJECT_HEADER_MAX);
		if (cases[i].args != NULL)
			st = inject_add_rcpt(&in, cases[i].args,
			    strlen(cases[i].args));
		if (st == INJECT_OK)
			st = inject_read_header(&in, &h);
		if (st == INJECT_OK)
			st = inject_finish_header(&in);
		if (st == INJECT_OK)
			st = inject_make_envelope(&in);
		assert_int_equal(st, cases[i].st);
		assert_true((st == INJECT_OK) == (in.err.len == 0));
		if (st == INJECT_OK) {
			str_copy(&s, &in.added);
			str_cat(&s, &in.header);
			assert_string_equal(str_c(&s), cases[i].header);
			envelope(&s, &in);
			assert_string_equal(str_c(&s), cases[i].envelope);
		}
		header_free(&h);
		inject_free(&in);
		(void)close(fd);
	}
	str_free(&s);
}

static void
test_set_sender(void **state)
{
	static const struct {
		const char *arg, *want;
	} c[] = {
		{"", ""},
		{"a", "a@dh.example"},
		{"a@b", "a@b.dd.example"},
		{"a@b.c", "a@b.c"},
		{"l-@h-@[]", "l-@h-@[]"},
		{"#@[]", "#@[]"},
	};

	(void)state;
	environment(NULL);
	for (size_t i = 0; i < N_OF(c); i++) {
		struct inject_config cfg;
		struct inject in;
		struct header h;
		struct io io;
		int fd = message(&io, "Return-Path: <x@y>\n", 19);

		inject_config_env(&cfg);
		inject_init(&in, &cfg);
		assert_int_equal(inject_set_sender(&in, c[i].arg,
		    strlen(c[i].arg)), INJECT_OK);
		header_init(&h, &io, 1000, 1000);
		assert_int_equal(inject_read_header(&in, &h), INJECT_OK);
		assert_string_equal(str_c(&in.sender), c[i].want);
		header_free(&h);
		inject_free(&in);
		(void)close(fd);
	}
}

static void
test_limits(void **state)
{
	struct inject_config cfg;
	struct inject in;
	struct str s = {0};

	(void)state;
	environment(NULL);
	inject_config_env(&cfg);
	inject_init(&in, &cfg);
	/* The greatest address is taken, one byte more is not. */
	while (s.len < ADDR_MAX - 4)
		str_catc(&s, 'x');
	str_cats(&s, "@b.c");
	assert_int_equal(inject_add_rcpt(&in, s.s, s.len), INJECT_OK);
	str_catc(&s, 'd');
	assert_int_equal(inject_add_rcpt(&in, s.s, s.len), INJECT_BADADDR);
	assert_non_null(strstr(str_c(&in.err), "1002"));
	str_clear(&in.err);
	assert_int_equal(inject_set_sender(&in, s.s, s.len), INJECT_BADADDR);
	str_clear(&in.err);
	for (size_t i = 1; i < RCPT_MAX; i++)
		assert_int_equal(inject_add_list(&in, "a", 1), INJECT_OK);
	assert_int_equal(inject_add_list(&in, "a", 1), INJECT_LIMIT);
	str_free(&s);
	inject_free(&in);
}

static void
test_list_arguments(void **state)
{
	static const struct {
		const char *arg, *want;
		enum inject_status st;
	} c[] = {
		{"a@b.c", ">a@b.c,", INJECT_OK},
		{"<a@b.c>", ">a@b.c,", INJECT_OK},
		{"Al <a@b.c>, bo", ">a@b.c,bo@dh.example,", INJECT_OK},
		{"\"a b\"@c.d", ">a b@c.d,", INJECT_OK},
		{"", "", INJECT_BADADDR},
		{"<>", "", INJECT_BADADDR},
		{"(x)", "", INJECT_BADADDR},
		{"a b <", "", INJECT_BADADDR},
	};
	struct str s = {0};

	(void)state;
	environment(NULL);
	for (size_t i = 0; i < N_OF(c); i++) {
		struct inject_config cfg;
		struct inject in;

		inject_config_env(&cfg);
		inject_init(&in, &cfg);
		assert_int_equal(inject_set_sender(&in, "", 0), INJECT_OK);
		assert_int_equal(inject_add_list(&in, c[i].arg,
		    strlen(c[i].arg)), c[i].st);
		if (c[i].st == INJECT_OK) {
			assert_int_equal(inject_make_envelope(&in), INJECT_OK);
			envelope(&s, &in);
			assert_string_equal(str_c(&s), c[i].want);
		}
		inject_free(&in);
	}
	str_free(&s);
}

/* What -n prints: its first line is the sender, the body follows. */
static void
printed(struct str *out, const char *text, size_t n, bool dot_ends)
{
	struct inject_config cfg;
	struct inject in;
	struct io io;
	int fd = message(&io, text, n);
	int to = memfd_create("out", MFD_CLOEXEC);
	int old = dup(1);

	assert_true(to >= 0 && old >= 0 && fflush(stdout) == 0);
	inject_config_env(&cfg);
	known_time(&cfg);
	cfg.print = true;
	cfg.dot_ends = dot_ends;
	inject_init(&in, &cfg);
	assert_int_equal(dup2(to, 1), 1);
	assert_int_equal(inject_run(&in, &io), INJECT_OK);
	assert_int_equal(dup2(old, 1), 1);
	(void)close(old);
	inject_free(&in);
	(void)close(fd);
	assert_int_equal(lseek(to, 0, SEEK_SET), 0);
	io_init(&io, to, -1, IO_FOREVER);
	str_clear(out);
	assert_int_equal(io_slurp(&io, out, 1 << 20), IO_OK);
	(void)close(to);
}

static void
test_print(void **state)
{
	struct str s = {0};

	(void)state;
	environment(NULL);
	printed(&s, "To: a@b.c\n\nx\n", 13, false);
	assert_string_equal(str_c(&s), "Return-Path: <joe@dh.example>\n"
	    DATE ID FROM "To: a@b.c\n\nx\n");
	printed(&s, "no field\nx", 10, false);
	assert_string_equal(str_c(&s), "Return-Path: <joe@dh.example>\n"
	    DATE ID FROM HIDDEN "\nno field\nx\n");
	printed(&s, "To: a@b.c\r\n\r\nx\r\n.\r\ny", 21, true);
	assert_string_equal(str_c(&s), "Return-Path: <joe@dh.example>\n"
	    DATE ID FROM "To: a@b.c\n\nx\n");
	printed(&s, "X: y\n.\nz\n", 9, true);
	assert_string_equal(str_c(&s), "Return-Path: <joe@dh.example>\n"
	    DATE ID FROM HIDDEN "X: y\n\n");
	str_free(&s);
}

static const struct {
	const char *in;
	size_t n;
	const char *text, *dotted;      /* without and with dot_ends */
} bodies[] = {
#define B(s) s, sizeof(s) - 1
	{B(""), "", ""},
	{B("a"), "a\n", "a\n"},
	{B("a\n"), "a\n", "a\n"},
	{B("a\r\nb\r\n"), "a\nb\n", "a\nb\n"},
	{B("a\rb\n"), "a\rb\n", "a\rb\n"},
	{B("a\r\r\nb"), "a\nb\n", "a\nb\n"},
	{B("a\r\r\rb\r\r"), "a\r\r\rb\n", "a\r\r\rb\n"},
	{B("a\n.\r\r\nb"), "a\n.\nb\n", "a\n"},
	{B("\r\n\r\n"), "\n\n", "\n\n"},
	{B("a\r"), "a\n", "a\n"},
	{B("\r"), "", ""},
	{B(".\n"), ".\n", ""},
	{B("a\n.\nb\n"), "a\n.\nb\n", "a\n"},
	{B("a\n.\r\nb\n"), "a\n.\nb\n", "a\n"},
	{B("a\r\n.\r\nb\n"), "a\n.\nb\n", "a\n"},
	{B("a\n."), "a\n.\n", "a\n"},
	{B("a\n.b\n..\n. \n"), "a\n.b\n..\n. \n", "a\n.b\n..\n. \n"},
	{B("a.\n.b.\n"), "a.\n.b.\n", "a.\n.b.\n"},
	{B("a\n.\rb\n"), "a\n.\rb\n", "a\n.\rb\n"},
	{B("a\n\r.\nb\n"), "a\n\r.\nb\n", "a\n\r.\nb\n"},
	{B("\n\n.\n\n"), "\n\n.\n\n", "\n\n"},
	{B("a\n.\n"), "a\n.\n", "a\n"},
};

static void
test_body(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(bodies); i++)
		for (size_t piece = 1; piece <= bodies[i].n + 1; piece++)
			for (int dot = 0; dot < 2; dot++) {
				int fd = memfd_create("b", MFD_CLOEXEC);
				struct io out, back;
				struct sink sink = {.print = &out};
				struct str got = {0};
				struct body b;

				io_init(&out, -1, fd, IO_FOREVER);
				body_init(&b, &sink, dot != 0);
				for (size_t at = 0; at < bodies[i].n;
				    at += piece) {
					size_t left = bodies[i].n - at;

					body_feed(&b, bodies[i].in + at,
					    left < piece ? left : piece);
				}
				body_finish(&b);
				assert_int_equal(io_flush(&out), IO_OK);
				assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
				io_init(&back, fd, -1, IO_FOREVER);
				assert_int_equal(io_slurp(&back, &got, 100),
				    IO_OK);
				assert_string_equal(str_c(&got), dot != 0 ?
				    bodies[i].dotted : bodies[i].text);
				str_free(&got);
				(void)close(fd);
			}
}

static void
test_names(void **state)
{
	static const struct {
		const char *name, *phrase;
	} c[] = {
		{"Joe", "Joe"},
		{"Joe Blow", "Joe Blow"},
		{"Joe  Blow", "\"Joe  Blow\""},
		{" Joe", "\" Joe\""},
		{"Joe Q. Blow", "\"Joe Q. Blow\""},
		{"a\\b", "\"a\\\\b\""},
		{"=?x?=", "\"=?x?=\""},
		{"Ma\xc3\xb1" "ana d\xc3\xad" "a", "=?UTF-8?Q?Ma=C3=B1ana_d=C3=ADa?="},
		{"Ma\xf1" "a", "=?unknown-8bit?Q?Ma=F1a?="},
		{"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
		    "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac",
		    "=?UTF-8?Q?=E2=82=AC=E2=82=AC=E2=82=AC=E2=82=AC=E2=82=AC"
		    "=E2=82=AC=E2=82=AC?= =?UTF-8?Q?=E2=82=AC?="},
	};
	struct str s = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(c); i++) {
		str_clear(&s);
		compose_cat_phrase(&s, c[i].name);
		assert_string_equal(str_c(&s), c[i].phrase);
	}
	str_free(&s);
}

static void
test_followup(void **state)
{
	char file[] = "/tmp/listsXXXXXX";
	int fd = mkstemp(file);
	struct str s = {0}, setting = {0};
	static const char names[] = "# lists\n\ntalk@l.example \nx@y";

	(void)state;
	assert_int_equal(write(fd, names, sizeof names - 1),
	    (ssize_t)sizeof names - 1);
	(void)close(fd);
	str_cats(&setting, "QMAILMFTFILE=");
	str_cats(&setting, file);
	environment(E(str_c(&setting)));
	printed(&s, "To: Talk@L.example, a\nCc: \"b c\"@d.e, a@dh.example\n",
	    50, false);
	assert_non_null(strstr(str_c(&s), "\nMail-Followup-To: "
	    "Talk@L.example, a@dh.example, \"b c\"@d.e\n"));
	printed(&s, "To: a\n", 6, false);
	assert_null(strstr(str_c(&s), "Followup"));
	printed(&s, "Bcc: talk@l.example\n", 20, false);
	assert_null(strstr(str_c(&s), "Followup"));
	printed(&s, "Mail-Followup-To: z\nTo: x@y\n", 28, false);
	assert_non_null(strstr(str_c(&s), "\nMail-Followup-To: z@dh.example\n"));
	assert_null(strstr(str_c(&s), "talk"));
	printed(&s, "Resent-Bcc: z\nTo: talk@l.example\n", 33, false);
	assert_null(strstr(str_c(&s), "Followup"));
	assert_int_equal(unlink(file), 0);
	printed(&s, "To: talk@l.example\n", 19, false);
	assert_null(strstr(str_c(&s), "Followup"));
	str_free(&s);
	str_free(&setting);
}

static void
test_unreadable_lists(void **state)
{
	struct inject_config cfg;
	struct inject in;
	struct io io;
	int fd = message(&io, "To: a\n", 6);

	(void)state;
	environment(E("QMAILMFTFILE=/"));
	inject_config_env(&cfg);
	cfg.print = true;
	inject_init(&in, &cfg);
	assert_int_equal(inject_run(&in, &io), INJECT_CONFIG);
	assert_non_null(strstr(str_c(&in.err), "QMAILMFTFILE"));
	inject_free(&in);
	(void)close(fd);
}

static void
test_account(void **state)
{
	struct inject_config cfg;
	struct str name = {0};

	(void)state;
	environment(NULL);
	inject_config_env(&cfg);
	assert_int_equal(account_fill(&cfg, &name), 0);
	assert_string_equal(cfg.user, "joe");
	assert_int_equal(name.len, 0);
	environment(E("QMAILUSER="));
	inject_config_env(&cfg);
	assert_null(cfg.user);
	assert_int_equal(account_fill(&cfg, &name), 0);
	if (getuid() == 0)
		assert_string_equal(cfg.user, "root");
	str_free(&name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_set_sender),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_list_arguments),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_followup),
		cmocka_unit_test(test_unreadable_lists),
		cmocka_unit_test(test_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
