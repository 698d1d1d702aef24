/* test_chkpw.c - what vchkpw reads, asks, logs and says, beside an
 * authdaemond that is a script. */
#include "vpop/chkpw.h"

#include "TESTS/unit/unit.h"

#include "lib/log.h"
#include "lib/sock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static char dir[] = "/tmp/unit-chkpw.XXXXXX";
static char sockpath[64];

static void
test_parse(void **state)
{
	static const struct {
		const char *s;
		size_t n;
		enum chkpw_code want;
		const char *user, *secret, *stamp;
	} cases[] = {
		{"jo@x\0pw\0<1@h>\0", 14, CHKPW_OK, "jo@x", "pw", "<1@h>"},
		{"jo@x\0pw\0", 8, CHKPW_OK, "jo@x", "pw", ""},
		{"jo@x\0pw\0\0", 9, CHKPW_OK, "jo@x", "pw", ""},
		{"jo@x\0pw", 7, CHKPW_OK, "jo@x", "pw", ""},
		{"jo@x\0pw\0<1@h>\0more\0", 19, CHKPW_OK, "jo@x", "pw",
		    "<1@h>"},
		{"j\xc3\xb6\0p\n\xff w\0", 9, CHKPW_OK, "j\xc3\xb6",
		    "p\n\xff w", ""},
		{"", 0, CHKPW_INPUT, "", "", ""},
		{"\0pw\0", 4, CHKPW_NO_USER, "", "", ""},
		{"jo@x", 4, CHKPW_NO_PASSWORD, "", "", ""},
		{"jo@x\0", 5, CHKPW_NO_PASSWORD, "", "", ""},
		{"jo@x\0\0", 6, CHKPW_NO_PASSWORD, "", "", ""},
		{"jo@x\0\0<1@h>\0", 12, CHKPW_NO_PASSWORD, "", "", ""},
	};
	struct chkpw c = {0};
	char big[CHKPW_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		if (chkpw_parse(cases[i].s, cases[i].n, &c) != cases[i].want)
			fail_msg("case %zu", i);
		if (cases[i].want != CHKPW_OK)
			continue;
		assert_string_equal(str_c(&c.user), cases[i].user);
		assert_string_equal(str_c(&c.secret), cases[i].secret);
		assert_string_equal(str_c(&c.stamp), cases[i].stamp);
	}
	memset(big, 'a', sizeof big);
	big[4] = '\0';
	assert_int_equal(chkpw_parse(big, CHKPW_MAX, &c), CHKPW_OK);
	assert_int_equal(chkpw_parse(big, sizeof big, &c), CHKPW_INPUT);
	chkpw_free(&c);
}

static void
test_service(void **state)
{
	static const struct {
		const char *port, *service, *program, *log, *told;
		bool smtp, pop;
	} cases[] = {
		{"25", NULL, "/bin/true", "vchkpw-smtp", "vchkpw-smtp", true,
		    false},
		{"465", NULL, "x", "vchkpw-smtps", "vchkpw-smtps", true,
		    false},
		{"587", "", "x", "vchkpw-submission", "vchkpw-submission",
		    true, false},
		{"110", NULL, "/bin/true", "vchkpw-pop3", "vchkpw-pop3",
		    false, true},
		{"995", NULL, "x", "vchkpw-pop3s", "vchkpw-pop3s", false,
		    true},
		{"143", NULL, "x", "vchkpw-imap", "vchkpw-imap", false,
		    false},
		{"993", NULL, "x", "vchkpw-imaps", "vchkpw-imaps", false,
		    false},
		{"2525", NULL, "/bin/true", "vchkpw-2525", "vchkpw-smtp",
		    true, false},
		{"1143", NULL, "/var/imapd", "vchkpw-1143", "vchkpw-imap",
		    false, false},
		{"1110", NULL, "qmail-pop3d", "vchkpw-1110", "vchkpw-pop3",
		    false, true},
		{"2525", "submission", "x", "vchkpw-2525",
		    "vchkpw-submission", true, false},
		{"25", "imap", "x", "vchkpw-imap", "vchkpw-imap", false,
		    false},
		{NULL, NULL, "qmail-pop3d", "vchkpw-pop3", "vchkpw-pop3",
		    false, true},
		{"1\n2", NULL, "x", "vchkpw-1/2", "vchkpw-pop3", false, true},
		{"25", "pop\n3", "x", "vchkpw-pop/3", "vchkpw-pop\n3", false,
		    true},
	};
	struct str log = {0}, told = {0};
	bool smtp, pop;

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct chkpw_where w = {.local_port = cases[i].port,
		    .service = cases[i].service, .program = cases[i].program};

		chkpw_service(&w, &log, &told, &smtp, &pop);
		assert_string_equal(str_c(&log), cases[i].log);
		assert_string_equal(str_c(&told), cases[i].told);
		assert_int_equal(smtp, cases[i].smtp);
		assert_int_equal(pop, cases[i].pop);
	}
	str_free(&log);
	str_free(&told);
}

struct script { const char *want, *answer; };

/* Takes the questions of a script in turn; ends with 1 when one differs. */
static pid_t
serve(const struct script *s, size_t n)
{
	int listener = sock_listen(sockpath, SOCK_STREAM, 10, 0666);
	pid_t pid;

	assert_true(listener >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		(void)close(listener);
		return pid;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < n;) {
		char buf[AUTHPROTO_MAX + 1];
		struct auth_request q = {0};
		size_t len = 0;
		int fd = sock_accept(listener);
		ssize_t r;

		if (fd < 0) {
			(void)poll(NULL, 0, 1);
			continue;
		}
		while (auth_request_parse(buf, len, &q) == AUTH_PARSE_MORE)
			if ((r = recv(fd, buf + len, AUTHPROTO_MAX - len,
			    0)) > 0)
				len += (size_t)r;
			else
				(void)poll(NULL, 0, 1);
		buf[len] = '\0';
		if (strcmp(buf, s[i].want) != 0)
			_exit(1);
		r = write(fd, s[i].answer, strlen(s[i].answer));
		(void)close(fd);
		i++;
	}
	_exit(0);
}

struct run {
	const struct chkpw_where *where;
	const char *secret, *stamp;
};

static void
check(void *arg)
{
	const struct run *r = arg;
	struct chkpw c = {0};
	enum chkpw_code code;

	log_init("vchkpw");
	str_copys(&c.user, "jo@x.example");
	str_copys(&c.secret, r->secret);
	str_copys(&c.stamp, r->stamp);
	code = chkpw_check(r->where, &c);
	if (code == CHKPW_OK && (c.uid != 89 || c.gid != 90 ||
	    strcmp(str_c(&c.home), "/h") != 0))
		_exit(99);
	_exit((int)code);
}

/* One login: what is asked, its code and its line. */
static void
try(const struct chkpw_where *w, const char *secret, const char *stamp,
    const struct script *s, size_t n, enum chkpw_code want, const char *line)
{
	struct run r = {w, secret, stamp};
	char text[1024];
	int status;
	pid_t pid = n > 0 ? serve(s, n) : 0;

	status = unit_child(check, &r, text, sizeof text);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), want);
	assert_string_equal(text, line);
	if (pid > 0) {
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	(void)unlink(sockpath);
}

#define ASK_POP "TCPREMOTEIP=192.0.2.1\nTCPLOCALIP=192.0.2.2\nAUTH 34\n" \
	"vchkpw-pop3\nlogin\njo@x.example\npw\n"
#define PRE_POP "TCPREMOTEIP=192.0.2.1\nTCPLOCALIP=192.0.2.2\n" \
	"PRE . vchkpw-pop3 jo@x.example\n"
#define GOOD "UID=89\nGID=90\nHOME=/h\nADDRESS=jo@x.example\nFLAGS=0\n.\n"

static void
test_check(void **state)
{
	static const struct chkpw_where pop = {.socket = sockpath,
	    .remote_ip = "::ffff:192.0.2.1", .local_ip = "192.0.2.2",
	    .local_port = "110", .program = "qmail-pop3d"};
	static const struct script good[] = {{ASK_POP, GOOD}};
	static const struct script wrong[] = {{ASK_POP, "FAIL\n"},
	    {PRE_POP, GOOD}};
	static const struct script nobody[] = {{ASK_POP, "FAIL\n"},
	    {PRE_POP, "FAIL\n"}};
	static const struct script closed[] = {{ASK_POP, "UID=89\nGID=90\n"
	    "HOME=/h\nFLAGS=2\nDENIED=pop\n.\n"}};
	static const struct script away[] = {{ASK_POP, ""}};
	static const struct script root[] = {{ASK_POP,
	    "UID=0\nGID=90\nHOME=/h\n.\n"}};

	(void)state;
	try(&pop, "pw", "<1@h>", good, 1, CHKPW_OK, "vchkpw: "
	    "vchkpw-pop3: (PLAIN) login success jo@x.example:192.0.2.1\n");
	try(&pop, "pw", "", wrong, 2, CHKPW_WRONG, "vchkpw: "
	    "vchkpw-pop3: password fail jo@x.example:192.0.2.1\n"
	    "LOGIN FAILED, method=PLAIN, ip=[192.0.2.1]\n");
	try(&pop, "pw", "", nobody, 2, CHKPW_WRONG, "vchkpw: "
	    "vchkpw-pop3: vpopmail user not found jo@x.example:192.0.2.1\n"
	    "LOGIN FAILED, method=PLAIN, ip=[192.0.2.1]\n");
	try(&pop, "pw", "", closed, 1, CHKPW_DENIED, "vchkpw: "
	    "vchkpw-pop3: pop access denied jo@x.example:192.0.2.1\n");
	try(&pop, "pw", "", away, 1, CHKPW_TEMP, "vchkpw: vchkpw-pop3: "
	    "no answer from authdaemond about jo@x.example:192.0.2.1\n");
	try(&pop, "pw", "", root, 1, CHKPW_TEMP, "vchkpw: vchkpw-pop3: "
	    "no directory or user for jo@x.example:192.0.2.1\n");
}

#define DIGEST "b913a602c7eda7a495b4e6e7334d3890"
/* base64 of <1@h> and of "jo@x.example " and the digest */
#define DIGEST64 "PDFAaD4=\nam9AeC5leGFtcGxlIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZl" \
	"NzMzNGQzODkw\n"

static void
test_digests(void **state)
{
	static const struct chkpw_where pop = {.socket = sockpath,
	    .local_port = "110", .program = "qmail-pop3d"};
	static const struct chkpw_where smtp = {.socket = sockpath,
	    .local_port = "25", .program = "true"};
	static const struct script apop[] = {{"AUTH 87\nvchkpw-pop3\napop\n"
	    DIGEST64, GOOD}};
	/* A password may look like a digest. */
	static const struct script both[] = {{"AUTH 87\nvchkpw-pop3\napop\n"
	    DIGEST64, "FAIL\n"}, {"AUTH 64\nvchkpw-pop3\nlogin\njo@x.example\n"
	    DIGEST "\n", GOOD}};
	static const struct script guess[] = {{"AUTH 91\nvchkpw-smtp\n"
	    "cram-md5\n" DIGEST64, "FAIL\n"},
	    {"PRE . vchkpw-smtp jo@x.example\n", "FAIL\n"}};
	static const struct script cram[] = {{"AUTH 91\nvchkpw-smtp\n"
	    "cram-md5\n" DIGEST64, GOOD}};

	(void)state;
	try(&pop, DIGEST, "<1@h>", apop, 1, CHKPW_OK, "vchkpw: "
	    "vchkpw-pop3: (APOP) login success jo@x.example:\n");
	try(&pop, DIGEST, "<1@h>", both, 2, CHKPW_OK, "vchkpw: "
	    "vchkpw-pop3: (PLAIN) login success jo@x.example:\n");
	try(&smtp, DIGEST, "<1@h>", cram, 1, CHKPW_OK, "vchkpw: "
	    "vchkpw-smtp: (CRAM-MD5) login success jo@x.example:\n");
	try(&smtp, DIGEST, "<1@h>", guess, 2, CHKPW_WRONG, "vchkpw: "
	    "vchkpw-smtp: vpopmail user not found jo@x.example:\n");
}

static void
become(void *arg)
{
	const char *home = arg;
	struct chkpw c = {0};
	struct stat st;
	char cwd[256];

	log_init("vchkpw");
	str_copys(&c.user, "jo%x.example");
	str_copys(&c.home, home);
	c.uid = getuid() == 0 ? 65534 : getuid();
	c.gid = getuid() == 0 ? 65534 : getgid();
	if (chkpw_become(&c) != CHKPW_OK || getuid() != c.uid ||
	    getcwd(cwd, sizeof cwd) == NULL || strcmp(cwd, home) != 0 ||
	    stat("Maildir/new", &st) < 0 || st.st_uid != c.uid ||
	    (st.st_mode & 0777) != 0700 ||
	    strcmp(getenv("USER"), "jo") != 0 ||
	    strcmp(getenv("HOME"), home) != 0 ||
	    strcmp(getenv("VPOPUSER"), "jo%x.example") != 0 ||
	    strcmp(getenv("SHELL"), "NOLOGIN") != 0)
		_exit(1);
	/* For good: another user is refused now. */
	c.uid++;
	_exit(chkpw_become(&c) == CHKPW_UID ? 0 : 2);
}

static void
test_become(void **state)
{
	char home[64], text[512];
	int status;

	(void)state;
	assert_int_equal(chmod(dir, 0777), 0);
	(void)snprintf(home, sizeof home, "%s/a/b", dir);
	status = unit_child(become, home, text, sizeof text);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_become),
	};
	int failed, status;
	pid_t pid;

	if (mkdtemp(dir) == NULL)
		return 1;
	(void)snprintf(sockpath, sizeof sockpath, "%s/auth", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", dir, (char *)NULL);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid ? failed : 1;
}
