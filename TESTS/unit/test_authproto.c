/* test_authproto.c - authdaemond's protocol: requests and answers as the
 * courier library speaks them, and what is none; the client against a server
 * of our own. */
#include "mail/authproto.h"

#include "TESTS/unit/unit.h"

#include "lib/sock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static char dir[] = "/tmp/unit-authproto.XXXXXX";

static enum auth_parse
parse(const char *s, struct auth_request *r)
{
	return auth_request_parse(s, strlen(s), r);
}

static void
test_requests(void **state)
{
	static const struct {
		const char *wire;
		enum auth_op op;
		const char *service, *user, *secret, *challenge, *ip;
	} cases[] = {
		{"PRE . imap jo@x.example\n", AUTH_OP_PRE, "imap",
		    "jo@x.example", "", "", ""},
		{"PRE authcustom pop3 a b\n", AUTH_OP_PRE, "pop3", "a b", "",
		    "", ""},
		{"AUTH 20\nimap\nlogin\njo@x\npwd\n", AUTH_OP_LOGIN, "imap",
		    "jo@x", "pwd", "", ""},
		{"TCPREMOTEIP=10.0.0.1\nX_9=y=z\nAUTH 19\nimap\nlogin\njo@x\n"
		    "pwd", AUTH_OP_LOGIN, "imap", "jo@x", "pwd", "",
		    "10.0.0.1"},
		/* Empty passwords are asked about, and are wrong there. */
		{"AUTH 15\nimap\nlogin\njo\n\n", AUTH_OP_LOGIN, "imap", "jo",
		    "", "", ""},
		/* 2195:2: tim, "tanstaaftanstaaf". */
		{"AUTH 121\nesmtp\ncram-md5\n"
		    "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"
		    "\ndGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\n",
		    AUTH_OP_CRAM_MD5, "esmtp", "tim",
		    "b913a602c7eda7a495b4e6e7334d3890",
		    "<1896.697170952@postoffice.reston.mci.net>", ""},
		{"PASSWD imap\tjo@x\told one\tnew one\n", AUTH_OP_PASSWD,
		    "imap", "jo@x", "old one", "new one", ""},
		{"ENUMERATE\n", AUTH_OP_ENUMERATE, "", "", "", "", ""},
		{"RESOLVE jo@x\n", AUTH_OP_RESOLVE, "", "jo@x", "", "", ""},
		{"CHANGED x jo\n", AUTH_OP_CHANGED, "", "jo", "", "", ""},
		{"CHANGED x\n", AUTH_OP_CHANGED, "", "", "", "", ""},
	};
	struct auth_request r = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		size_t n = strlen(cases[i].wire);

		/* Every shorter part of it is not enough, but for a last LF
		 * that may be missing. */
		for (size_t k = 0; k + 1 < n; k++)
			assert_int_equal(auth_request_parse(cases[i].wire, k,
			    &r), AUTH_PARSE_MORE);
		assert_int_equal(parse(cases[i].wire, &r), AUTH_PARSE_DONE);
		assert_int_equal(r.op, cases[i].op);
		assert_string_equal(str_c(&r.service), cases[i].service);
		assert_string_equal(str_c(&r.user), cases[i].user);
		assert_string_equal(str_c(&r.secret), cases[i].secret);
		assert_string_equal(str_c(&r.challenge), cases[i].challenge);
		assert_string_equal(str_c(&r.remote_ip), cases[i].ip);
	}
	auth_request_free(&r);
}

static void
test_nonsense(void **state)
{
	static const char *const cases[] = {
		"\n", "HELLO\n", "PRE\n", "PRE . imap\n", "PRE . imap \n",
		"PRE .  jo\n", "AUTH x\n", "AUTH \n", "AUTH 5x\n",
		"AUTH 8193\n", "AUTH 99999999999999999999999\n", "AUTH -1\n",
		"AUTH 4\nimap\n", "AUTH 11\nimap\nlogin\n",
		"AUTH 16\nimap\nlogin\n\npwd\n", "AUTH 14\nimap\nnone\na\nb\n",
		"AUTH 17\nimap\nlogin\na\nb\nc\n",
		"AUTH 25\nesmtp\ncram-md5\n%%%%\nYQ==\n",
		/* "jo" without a response, " x" without a user */
		"AUTH 25\nesmtp\ncram-md5\nYQ==\nam8=\n",
		"AUTH 25\nesmtp\ncram-md5\nYQ==\nIHg=\n",
		"PASSWD imap\tjo\told\n", "PASSWD imap\t\told\tnew\n",
		"PASSWD imap\tjo\told\t\n", "PASSWD imap\tjo\ta\tb\tc\n",
		"ENUMERATE x\n", "RESOLVE \n", "CHANGED \n", "CHANGED x \n",
		"a=b\nb\n",
	};
	struct auth_request r = {0};
	char big[AUTHPROTO_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		if (parse(cases[i], &r) != AUTH_PARSE_BAD)
			fail_msg("%s", cases[i]);
	assert_int_equal(auth_request_parse("PRE . imap j\0o\n", 15, &r),
	    AUTH_PARSE_BAD);
	memset(big, 'A', sizeof big);
	assert_int_equal(auth_request_parse(big, AUTHPROTO_MAX - 1, &r),
	    AUTH_PARSE_MORE);
	assert_int_equal(auth_request_parse(big, AUTHPROTO_MAX, &r),
	    AUTH_PARSE_BAD);
	assert_int_equal(auth_request_parse(big, sizeof big, &r),
	    AUTH_PARSE_BAD);
}

static void
test_writing(void **state)
{
	struct auth_request r = {.op = AUTH_OP_LOGIN};
	struct str out = {0};

	(void)state;
	str_copys(&r.service, "imap");
	str_copys(&r.user, "jo@x");
	str_copys(&r.secret, "p w");
	str_copys(&r.remote_ip, "::1");
	assert_int_equal(auth_request_cat(&out, &r), 0);
	assert_string_equal(str_c(&out),
	    "TCPREMOTEIP=::1\nAUTH 20\nimap\nlogin\njo@x\np w\n");
	/* Nothing may smuggle a line in. */
	str_clear(&out);
	str_copys(&r.secret, "a\nb");
	assert_int_equal(auth_request_cat(&out, &r), -1);
	assert_int_equal(out.len, 0);
	str_copyb(&r.secret, "a\0b", 3);
	assert_int_equal(auth_request_cat(&out, &r), -1);
	str_copys(&r.secret, "a");
	str_copys(&r.remote_ip, "1\nPRE . imap jo");
	assert_int_equal(auth_request_cat(&out, &r), -1);
	str_clear(&r.remote_ip);
	str_copys(&r.service, "imap\nx");
	assert_int_equal(auth_request_cat(&out, &r), -1);
	str_copys(&r.service, "imap");
	r.op = AUTH_OP_PASSWD;
	str_copys(&r.challenge, "new\tpassword");
	assert_int_equal(auth_request_cat(&out, &r), -1);
	/* Too long. */
	r.op = AUTH_OP_RESOLVE;
	str_clear(&r.user);
	for (size_t i = 0; i < AUTHPROTO_MAX; i++)
		str_catc(&r.user, 'a');
	assert_int_equal(auth_request_cat(&out, &r), -1);
	auth_request_free(&r);
	str_free(&out);
}

static void
test_answers(void **state)
{
	static const char full[] = "UID=89\nALIAS=a\nGID=1\nALIAS=b=c\n.\n";
	struct auth_answer a = {0};

	(void)state;
	assert_int_equal(auth_answer_parse(full, sizeof full - 1, &a),
	    AUTH_OK);
	assert_string_equal(auth_value_peek(&a, "UID", 0), "89");
	assert_string_equal(auth_value_peek(&a, "ALIAS", 0), "a");
	assert_string_equal(auth_value_peek(&a, "ALIAS", 1), "b=c");
	assert_null(auth_value_peek(&a, "ALIAS", 2));
	assert_null(auth_value_peek(&a, "U", 0));
	/* What is cut anywhere is no answer. */
	for (size_t k = 0; k + 1 < sizeof full - 1; k++)
		assert_int_equal(auth_answer_parse(full, k, &a), AUTH_TEMP);
	assert_int_equal(auth_answer_parse("FAIL\n", 5, &a), AUTH_FAIL);
	assert_int_equal(auth_answer_parse("FAIL", 4, &a), AUTH_TEMP);
	assert_int_equal(auth_answer_parse("OK\n", 3, &a), AUTH_OK);
	assert_int_equal(auth_answer_parse("what\n.\n", 7, &a), AUTH_TEMP);
	assert_int_equal(auth_answer_parse("A=\0\n.\n", 6, &a), AUTH_TEMP);
	auth_answer_free(&a);
}

static const char *const replies[] = {"FAIL\n", "", "UID=1\n.\n", "UID=1\n",
    "OK\n"};

/* Answers each connection with the next of replies. */
static _Noreturn void
serve(int listener)
{
	struct auth_request r = {0};

	for (size_t i = 0; i < N_OF(replies);) {
		char buf[AUTHPROTO_MAX];
		size_t len = 0;
		int fd = sock_accept(listener);
		ssize_t n;

		if (fd < 0) {
			(void)usleep(1000);
			continue;
		}
		while (auth_request_parse(buf, len, &r) == AUTH_PARSE_MORE)
			if ((n = recv(fd, buf + len, 1, 0)) > 0)
				len += (size_t)n;
			else
				(void)usleep(100);
		n = write(fd, replies[i], strlen(replies[i]));
		(void)close(fd);
		i++;
	}
	_exit(0);
}

static void
test_client(void **state)
{
	char path[64];
	struct auth_answer a = {0};
	int listener, status;
	pid_t pid;

	(void)state;
	(void)snprintf(path, sizeof path, "%s/auth", dir);
	listener = sock_listen(path, SOCK_STREAM, 10, 0666);
	assert_true(listener >= 0);
	pid = fork();
	if (pid == 0)
		serve(listener);
	assert_int_equal(auth_login(path, "imap", "::1", "jo", "x", &a),
	    AUTH_FAIL);
	assert_int_equal(auth_pre(path, "imap", "jo", &a), AUTH_TEMP);
	assert_int_equal(auth_resolve(path, "jo@x", &a), AUTH_OK);
	assert_string_equal(auth_value_peek(&a, "UID", 0), "1");
	assert_int_equal(auth_login(path, "imap", NULL, "jo", "x", &a),
	    AUTH_TEMP);
	assert_null(auth_value_peek(&a, "UID", 0));
	assert_int_equal(auth_passwd(path, "imap", NULL, "jo", "x", "y"),
	    AUTH_OK);
	/* What cannot be said is not asked: the server is through. */
	assert_int_equal(auth_login(path, "imap", NULL, "jo\n", "x", &a),
	    AUTH_FAIL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)close(listener);
	(void)unlink(path);
	/* Nobody there: no answer, and not for ever. */
	auth_changed(path, "x", NULL);
	assert_int_equal(auth_pre(path, "imap", "jo", &a), AUTH_TEMP);
	auth_answer_free(&a);
	(void)rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_writing),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_client),
	};

	if (mkdtemp(dir) == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
