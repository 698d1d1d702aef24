/* test_nsd.c - sessions of qmail-qmtpd and qmail-qmqpd: what is queued, what
 * is answered, with every read split; a QMAILQUEUE program is the queue, a
 * child of this test the recipient service. */
#include "smtpd/qmqpd.h"
#include "smtpd/qmtpd.h"

#include "TESTS/unit/unit.h"

#include "lib/fs.h"
#include "lib/sock.h"
#include "mail/verify.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define WIRE(s) (s), sizeof(s) - 1

static char dir[] = "/tmp/test_nsd.XXXXXX";
static pid_t service;

/* Programs run from the home: where there is none, root makes one that only
 * this process sees. */
static bool
make_home(void)
{
	char parent[] = HOME_DIR;

	if (access(HOME_DIR, X_OK) == 0)
		return true;
	*strrchr(parent, '/') = '\0';
	return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tmpfs", parent, "tmpfs", 0, NULL) == 0 &&
	    mkdir(HOME_DIR, 0755) == 0;
}

static void
put_file(const char *name, const char *text, mode_t mode)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

/* Answers by the first letter: nobody, trouble, or yes. */
static _Noreturn void
serve(int listener)
{
	for (;;) {
		struct pollfd p = {.fd = listener, .events = POLLIN};
		char buf[2000];
		ssize_t n;
		int fd;

		if (poll(&p, 1, 60000) <= 0)
			_exit(0);
		if ((fd = sock_accept(listener)) < 0)
			continue;
		p.fd = fd;
		while (poll(&p, 1, 60000) > 0 &&
		    (n = recv(fd, buf, sizeof buf, 0)) > 0) {
			struct str s = {0};

			verify_cat_answer(&s, *buf == 'n' ? VERIFY_NO :
			    *buf == 'f' ? VERIFY_FULL :
			    *buf == 'z' ? VERIFY_TEMP : VERIFY_OK, "why");
			(void)!send(fd, s.s, s.len, MSG_NOSIGNAL);
			str_free(&s);
		}
		(void)close(fd);
	}
}

static int
setup(void **state)
{
	char path[128], script[512];
	int listener;

	(void)state;
	if (!make_home() || mkdtemp(dir) == NULL)
		return -1;
	put_file("rcpthosts", "Home.Example\n", 0644);
	put_file("me", "mx.example\n", 0644);
	put_file("locals", "home.example\nmx.example\n", 0644);
	(void)snprintf(script, sizeof script, "#!/bin/sh\n"
	    "exec </dev/fd/0\ncat >%s/mess\ncat <&1 >%s/envelope\n"
	    "[ ! -e %s/full ] || exit 53\n", dir, dir, dir);
	put_file("queue", script, 0755);
	(void)snprintf(path, sizeof path, "%s/queue", dir);
	if (setenv("QMAILQUEUE", path, 1) < 0 || unsetenv("DATABYTES") < 0)
		return -1;
	control_set_dir(dir);
	(void)snprintf(path, sizeof path, "%s/rcpt", dir);
	if ((listener = sock_listen(path, SOCK_SEQPACKET, 8, 0600)) < 0 ||
	    (service = fork()) < 0)
		return -1;
	if (service == 0)
		serve(listener);
	return close(listener);
}

static int
teardown(void **state)
{
	static const char *const names[] = {"rcpthosts", "me", "locals",
	    "queue", "mess", "envelope", "rcpt", "full"};
	char path[128];

	(void)state;
	(void)kill(service, SIGKILL);
	(void)waitpid(service, NULL, 0);
	for (size_t i = 0; i < N_OF(names); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

/* "{...}" becomes a netstring, also inside another one; the index after it. */
static size_t
expand(const char *s, size_t n, size_t at, struct str *out)
{
	while (at < n && s[at] != '}') {
		struct str inner = {0};

		if (s[at] != '{') {
			str_catc(out, s[at++]);
			continue;
		}
		at = expand(s, n, at + 1, &inner) + 1;
		netstring_cat(out, str_c(&inner), inner.len);
		str_free(&inner);
	}
	return at;
}

typedef int session(struct io *, const struct nsd_config *);

/* Runs a session over these bytes; what was answered goes to heard, with
 * digits of times and ids turned into "#"; what was queued into the two. */
static int
run(session *f, const struct nsd_config *cfg, const char *template, size_t n,
    size_t piece, struct str *heard)
{
	struct str said = {0};
	static struct io io;
	char buf[4096], path[128];
	ssize_t got;
	int a, b, code;

	(void)snprintf(path, sizeof path, "%s/mess", dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof path, "%s/envelope", dir);
	(void)unlink(path);
	(void)expand(template, n, 0, &said);
	n = said.len;
	assert_int_equal(sock_pair(SOCK_STREAM, &a, &b), 0);
	for (size_t at = 0; at < n; at += piece)
		assert_true(send(b, said.s + at, n - at < piece ? n - at :
		    piece, MSG_DONTWAIT) > 0);
	assert_int_equal(shutdown(b, SHUT_WR), 0);
	io_init(&io, a, a, 5000);
	code = f(&io, cfg);
	assert_int_equal(close(a), 0);
	str_clear(heard);
	while ((got = read(b, buf, sizeof buf)) > 0)
		str_catb(heard, buf, (size_t)got);
	assert_int_equal(close(b), 0);
	str_free(&said);
	return code;
}

static void
get_file(const char *name, struct str *out)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	str_clear(out);
	(void)!fs_read(path, out, 1 << 20);
}

/* The envelope with each NUL as "|", and the message without its trace. */
static void
queued(struct str *envelope, struct str *message)
{
	struct str all = {0};
	size_t at;

	get_file("envelope", envelope);
	for (size_t i = 0; i < envelope->len; i++)
		if (envelope->s[i] == '\0')
			envelope->s[i] = '|';
	get_file("mess", &all);
	str_clear(message);
	at = bytes_chr(str_c(&all), all.len, ';');
	at += bytes_chr(str_c(&all) + at, all.len - at, '\n');
	if (at < all.len)
		str_catb(message, all.s + at + 1, all.len - at - 1);
	str_free(&all);
}

/* Each answer is a netstring: its first letters, or for K the letter. */
static void
digest(const struct str *heard, struct str *out)
{
	const char *p = str_c(heard);

	str_clear(out);
	while (*p != '\0') {
		uint64_t len;
		size_t n = scan_u64(p, &len);

		assert_true(n > 0 && p[n] == ':');
		p += n + 1;
		assert_true((size_t)(p - heard->s) + len < heard->len);
		if (*p == 'K') {
			long long t, qp;

			assert_int_equal(sscanf(p, "Kok %lld qp %lld", &t,
			    &qp), 2);
			str_catc(out, 'K');
		} else {
			size_t hash = bytes_rchr(p, len, '#');

			str_catc(out, *p);
			str_catb(out, p + hash, len - hash);
		}
		str_catc(out, ' ');
		p += len;
		assert_int_equal(*p++, ',');
	}
}

static void
load(struct nsd_config *cfg, bool checks)
{
	static char path[128];

	nsd_config_load(cfg, checks);
	(void)snprintf(path, sizeof path, "%s/rcpt", dir);
	cfg->rcpt_socket = path;
}


static const struct {
	const char *said;
	size_t n;
	int code;
	const char *digest, *envelope, *message;
} qmqps[] = {
	{WIRE("{{Subject: hi\n\nhello\nworld}{ana@a.b}{joe@c.d}"
	    "{x\xc3\xa9@y}}"), 0, "K ",
	    "Fana@a.b|Tjoe@c.d|Tx\xc3\xa9@y||", "Subject: hi\n\nhello\nworld"},
	{WIRE("{{a\r\nb}{}{joe@c.d}}"), 0, "K ", "F|Tjoe@c.d||", "a\r\nb"},
	{WIRE("{{a}{s@t}}"), 0, "D#5.5.1) ", "", ""},
	{WIRE("{{a}{s@t}{}}"), 0, "D#5.1.3) ", "", ""},
	{WIRE("{{a}{s@t}{x\ny}}"), 0, "D#5.1.3) ", "", ""},
	{WIRE("{{a}{s@t}{\xffxy}}"), 0, "D#5.1.3) ", "", ""},
	{WIRE("{{a}{s\0t}{x@y}}"), 0, "D#5.1.3) ", "", ""},
	{WIRE("17:1:a,3:s@t,3:x@y,"), 0, "", "", ""},   /* cut off */
	{WIRE("16:1:a,3:s@t,3:x@y,"), 0, "", "", ""},   /* before the comma */
	{WIRE("16:1:a,3:s@t,3:x@y,;"), 100, "", "", ""},
	{WIRE("15:1:a,3:s@t,3:x@y,,"), 100, "", "", ""},
	{WIRE("{{a}{s@t}{x@y}x}"), 100, "", "", ""},
	{WIRE("{01:a,{s@t}{x@y}}"), 100, "", "", ""},
	{WIRE("{{a}}"), 100, "", "", ""},
	{WIRE("{}"), 100, "", "", ""},
	{WIRE("QUIT\r\n"), 100, "", "", ""},
	{WIRE("1000000000:"), 111, "", "", ""},
	{WIRE(""), 0, "", "", ""},
};

static void
test_qmqpd(void **state)
{
	struct str heard = {0}, d = {0}, envelope = {0}, message = {0};
	struct nsd_config cfg;

	(void)state;
	load(&cfg, false);
	for (size_t i = 0; i < N_OF(qmqps); i++)
		for (size_t piece = 1; piece <= qmqps[i].n + 1;
		    piece += piece < 4 ? 1 : 23) {
			assert_int_equal(run(qmqpd_session, &cfg,
			    qmqps[i].said, qmqps[i].n, piece, &heard),
			    qmqps[i].code);
			digest(&heard, &d);
			assert_string_equal(str_c(&d), qmqps[i].digest);
			queued(&envelope, &message);
			if (*qmqps[i].digest != 'K') {
				/* The program saw no end mark. */
				assert_null(strstr(str_c(&envelope), "||"));
				continue;
			}
			assert_string_equal(str_c(&envelope),
			    qmqps[i].envelope);
			assert_string_equal(str_c(&message),
			    qmqps[i].message);
		}
	nsd_config_free(&cfg);
	str_free(&heard);
	str_free(&d);
	str_free(&envelope);
	str_free(&message);
}

static const struct {
	const char *relay;
	const char *said;
	size_t n;
	int code;
	const char *digest, *envelope, *message;
} qmtps[] = {
	{NULL, WIRE("{\na\n\nb}{s@t}{{k@home.example}}"), 0, "K ",
	    "Fs@t|Tk@home.example||", "a\n\nb"},
	/* One answer each, in order; domains without regard to case. */
	{NULL, WIRE("{\na\n}{}{{n@home.example}{k@HOME.EXAMPLE}{r@x.y}"
	    "{z@home.example}{f@home.example}}"), 0,
	    "D#5.1.1) K D#5.7.1) Z#4.3.0) D#5.2.2) ",
	    "F|Tk@HOME.EXAMPLE||", "a\n"},
	/* Always somebody. */
	{NULL, WIRE("{\na\n}{}{{Postmaster@home.example}{abuse@mx.example}}"),
	    0, "K K ", "F|TPostmaster@home.example|Tabuse@mx.example||",
	    "a\n"},
	/* A local domain that is not in rcpthosts is not taken. */
	{NULL, WIRE("{\na\n}{}{{k@mx.example}}"), 0, "D#5.7.1) ", "", ""},
	{"", WIRE("{\na\n}{}{{r@x.y}{n@home.example}}"), 0, "K D#5.1.1) ",
	    "F|Tr@x.y||", "a\n"},
	{"@far", WIRE("{\na\n}{}{{r@x.y}}"), 0, "K ", "F|Tr@x.y@far||",
	    "a\n"},
	/* Nobody is left. */
	{NULL, WIRE("{\na\n}{}{{r@x.y}}"), 0, "D#5.7.1) ", "", ""},
	{NULL, WIRE("{\na\n}{}{}"), 0, "", "", ""},
	{NULL, WIRE("{\na\n}{}{{}}"), 0, "D#5.1.3) ", "", ""},
	{NULL, WIRE("{\na\n}{}{{a\nb}}"), 0, "D#5.1.3) ", "", ""},
	{NULL, WIRE("{\na\n}{}{{a\0b}}"), 0, "D#5.1.3) ", "", ""},
	/* A sender that cannot be. */
	{NULL, WIRE("{\na\n}{a\rb}{{k@home.example}}"), 0, "D#5.1.7) ", "",
	    ""},
	/* Line ends: CR LF become LF; a CR alone stays, an LF alone not. */
	{"", WIRE("{\ra\r\n\r\nb\rc\r\r\n\r}{}{{r@x.y}}"), 0, "K ",
	    "F|Tr@x.y||", "a\n\nb\rc\r\n\r"},
	{"", WIRE("{\ra\r\nb\n}{}{{r@x.y}}"), 0, "D#5.6.0) ", "", ""},
	{"", WIRE("{\r\nb}{}{{r@x.y}}"), 0, "D#5.6.0) ", "", ""},
	{"", WIRE("{\na\r\nb\rc}{}{{r@x.y}}"), 0, "K ", "F|Tr@x.y||",
	    "a\r\nb\rc"},
	/* Two packages; one that is cut off after a whole one. */
	{"", WIRE("{\na\n}{}{{r@x.y}}{\nb\n}{s}{{t@x.y}}"), 0, "K K ",
	    "Fs|Tt@x.y||", "b\n"},
	{"", WIRE("{\na\n}{}{{r@x.y}}{\nb\n}{s}8:{t@x.y}"), 0, "K ", NULL,
	    NULL},
	/* No QMTP. */
	{"", WIRE("{}{}{{r@x.y}}"), 100, "", "", ""},
	{"", WIRE("{a\n}{}{{r@x.y}}"), 100, "", "", ""},
	{"", WIRE("{\na\n}{}8:{r@x.y}z"), 100, "", "", ""},
	{"", WIRE("{\na\n}{}{{r@x.y}z}"), 100, "", "", ""},
	{"", WIRE("{\na\n}{}7:{r@x.y},"), 100, "", "", ""},
	{"", WIRE("{\na\n}{}9:{r@x.y},"), 100, "", "", ""},
	{"", WIRE("03:\na\n,{}{{r@x.y}}"), 100, "", "", ""},
	{"", WIRE("EHLO x\r\n"), 100, "", "", ""},
	{"", WIRE("{\na\n}{}1234567890:"), 111, "", "", ""},
	{"", WIRE(""), 0, "", "", ""},
};

static void
test_qmtpd(void **state)
{
	struct str heard = {0}, d = {0}, envelope = {0}, message = {0};
	struct nsd_config cfg;

	(void)state;
	load(&cfg, true);
	for (size_t i = 0; i < N_OF(qmtps); i++)
		for (size_t piece = 1; piece <= qmtps[i].n + 1;
		    piece += piece < 3 ? 1 : 17) {
			cfg.relayclient = qmtps[i].relay;
			assert_int_equal(run(qmtpd_session, &cfg,
			    qmtps[i].said, qmtps[i].n, piece, &heard),
			    qmtps[i].code);
			digest(&heard, &d);
			assert_string_equal(str_c(&d), qmtps[i].digest);
			queued(&envelope, &message);
			if (strchr(qmtps[i].digest, 'K') == NULL) {
				assert_null(strstr(str_c(&envelope), "||"));
			} else if (qmtps[i].envelope != NULL) {
				assert_string_equal(str_c(&envelope),
				    qmtps[i].envelope);
				assert_string_equal(str_c(&message),
				    qmtps[i].message);
			}
		}
	nsd_config_free(&cfg);
	str_free(&heard);
	str_free(&d);
	str_free(&envelope);
	str_free(&message);
}

/* What a package is refused for as a whole. */
static void
test_limits(void **state)
{
	struct str said = {0}, mail = {0}, heard = {0}, d = {0};
	struct nsd_config cfg;

	(void)state;
	load(&cfg, true);
	cfg.relayclient = "";
	str_cats(&mail, "\n");
	for (int i = 0; i < 99; i++)
		str_cats(&mail, i % 2 ? "Received: x\n" : "delivered-to: x\n");
	netstring_cat(&said, mail.s, mail.len);
	str_cats(&said, "{}{{r@x.y}}");
	assert_int_equal(run(qmtpd_session, &cfg, said.s, said.len, 1000,
	    &heard), 0);
	digest(&heard, &d);
	assert_string_equal(str_c(&d), "K ");

	str_cats(&mail, "Received: x\n");               /* the 100th */
	str_clear(&said);
	netstring_cat(&said, mail.s, mail.len);
	str_cats(&said, "{}{{r@x.y}}");
	assert_int_equal(run(qmtpd_session, &cfg, said.s, said.len, 1000,
	    &heard), 0);
	digest(&heard, &d);
	assert_string_equal(str_c(&d), "D#5.4.6) ");

	cfg.databytes = 3;
	assert_int_equal(run(qmtpd_session, &cfg, WIRE("{\nabc}{}{{r@x.y}}"
	    "{\nabcd}{}{{r@x.y}{z@home.example}}"), 1000, &heard), 0);
	digest(&heard, &d);
	assert_string_equal(str_c(&d), "K D#5.3.4) D#5.3.4) ");
	cfg.databytes = 0;

	put_file("full", "", 0644);
	assert_int_equal(run(qmtpd_session, &cfg, WIRE("{\nabc}{}"
	    "{{r@x.y}{s@x.y}}"), 1000, &heard), 0);
	digest(&heard, &d);
	assert_string_equal(str_c(&d), "Z#4.3.0) Z#4.3.0) ");

	/* Addresses that are too long are skipped. */
	str_clear(&said);
	str_cats(&said, "{\nabc}{}{{");
	for (int i = 0; i < 2000; i++)
		str_catc(&said, 'x');
	str_cats(&said, "}{r@x.y}}");
	assert_int_equal(run(qmtpd_session, &cfg, said.s, said.len, 100,
	    &heard), 0);
	digest(&heard, &d);
	assert_string_equal(str_c(&d), "D#5.1.3) Z#4.3.0) ");
	nsd_config_free(&cfg);
	str_free(&said);
	str_free(&mail);
	str_free(&heard);
	str_free(&d);
}

/* Names that strangers chose cannot begin a header field. */
static void
test_received(void **state)
{
	struct nsd_config c = {0};
	struct str s = {0};

	(void)state;
	str_copys(&c.me, "mx.example");
	nsd_cat_received(&s, &c, "QMTP", 7, 0);
	assert_string_equal(str_c(&s), "Received: from unknown (unknown)\n"
	    "  by mx.example with QMTP id 7; 1 Jan 1970 00:00:00 -0000\n");
	str_copys(&c.ip, "2001:db8::1");
	str_copys(&c.host, "evil\r\nX: y");
	str_copys(&c.info, "a)\nb");
	str_copys(&c.local, "in.example");
	str_clear(&s);
	nsd_cat_received(&s, &c, "QMQP", 8, 0);
	assert_string_equal(str_c(&s), "Received: from evil??X:?y (evil??X:?y "
	    "[IPv6:2001:db8::1]) (ident=a??b)\n  by in.example with QMQP id "
	    "8; 1 Jan 1970 00:00:00 -0000\n");
	nsd_config_free(&c);
	str_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qmqpd),
		cmocka_unit_test(test_qmtpd),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_received),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
