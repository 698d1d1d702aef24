/* test_verifyd.c - the recipient service: askers that are honest, flood, talk
 * nonsense and leave; lookups that are slow, hang and crash. */
#include "smtpd/verifyd.h"

#include "control/control.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "mail/verify.h"
#include "TESTS/unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static char dir[] = "/tmp/unit-verifyd.XXXXXX";
static pid_t service;

static void
put(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* slow: until there is a file "go"; hang: as long as the service lives; die: the worker does;
 * pid: says which process it is.  Only names with a "y" exist. */
static int
find(const char *local, struct users_entry *e)
{
	pid_t parent = getppid();
	char text[32];

	if (strncmp(local, "hang", 4) == 0)
		while (getppid() == parent)
			(void)usleep(100000);
	if (strncmp(local, "die", 3) == 0)
		(void)raise(SIGKILL);
	if (strncmp(local, "slow", 4) == 0)
		while (access("go", F_OK) < 0 && getppid() == parent)
			(void)usleep(10000);
	if (strncmp(local, "pid", 3) == 0) {
		(void)snprintf(text, sizeof text, "%ld", (long)getpid());
		put("pid", text);
	}
	str_copys(&e->user, "u");
	str_copys(&e->home, dir);
	str_copys(&e->dash, strchr(local, 'y') != NULL ? "" : "-");
	str_copys(&e->ext, local);
	e->uid = e->gid = 1000;
	return 0;
}

static void
start(int64_t answer_ms, int64_t idle_ms, size_t uid_max)
{
	static const int signals[] = {SIGTERM, SIGHUP, SIGCHLD, 0};
	struct verifyd_config cfg = {.cdb = "cdb", .find = find,
	    .askers_max = 100, .askers_uid_max = uid_max,
	    .answer_ms = answer_ms, .spare_ms = 60000, .idle_ms = idle_ms};

	(void)unlink("go");
	cfg.listener = sock_listen("s", SOCK_SEQPACKET, 200, 0666);
	assert_true(cfg.listener >= 0);
	service = fork();
	assert_true(service >= 0);
	if (service == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		cfg.signals = sig_open(signals);
		_exit(cfg.signals < 0 ? 50 : verifyd_run(&cfg));
	}
	(void)close(cfg.listener);
}

static void
stop(void)
{
	int status;

	assert_int_equal(kill(service, SIGTERM), 0);
	assert_int_equal(waitpid(service, &status, 0), service);
	service = 0;
	assert_int_equal(status, 0);
}

/* After a test that has failed. */
static int
end(void **state)
{
	(void)state;
	if (service > 0) {
		(void)kill(service, SIGKILL);
		(void)waitpid(service, NULL, 0);
		service = 0;
	}
	return 0;
}

static enum verify_status
ask(const char *addr)
{
	struct verify v = {.fd = -1};
	struct str text = {0};
	enum verify_status st = verify_ask(&v, "s", addr, &text);

	str_free(&text);
	verify_close(&v);
	return st;
}

static int
open_and_send(const char *addr)
{
	int fd = sock_connect("s", SOCK_SEQPACKET, 5000);

	assert_true(fd >= 0);
	assert_int_equal(send(fd, addr, strlen(addr), MSG_NOSIGNAL),
	    strlen(addr));
	return fd;
}

/* The first letter of the answer, 0 at its end. */
static int
letter(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buf[400];
	ssize_t n;

	assert_int_equal(poll(&p, 1, 30000), 1);
	n = recv(fd, buf, sizeof buf, 0);
	return n > 0 ? buf[0] : 0;
}

static void
test_answers(void **state)
{
	struct verify v = {.fd = -1};
	struct str text = {0};
	int fd;

	(void)state;
	start(VERIFYD_ANSWER_MS, VERIFYD_IDLE_MS, 100);
	assert_int_equal(verify_ask(&v, "s", "jay@h", &text), VERIFY_OK);
	fd = v.fd;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(verify_ask(&v, "s", "jo@h", &text),
		    VERIFY_NO);
		assert_string_equal(str_c(&text), "no such mailbox");
		assert_int_equal(verify_ask(&v, "s", "x@remote", &text),
		    VERIFY_OK);
	}
	assert_int_equal(v.fd, fd);
	verify_close(&v);
	str_free(&text);
	stop();
}

/* One slow lookup holds nobody else; many are all answered in the end. */
static void
test_slow(void **state)
{
	int fd[40];

	(void)state;
	start(VERIFYD_ANSWER_MS, VERIFYD_IDLE_MS, 100);
	fd[0] = open_and_send("slow@h");
	assert_int_equal(ask("jay@h"), VERIFY_OK);
	for (size_t i = 1; i < N_OF(fd); i++)
		fd[i] = open_and_send(i % 2 ? "slowy@h" : "slow@h");
	/* Some leave before their answer, and are missed by nobody. */
	(void)close(fd[3]);
	(void)close(fd[39]);
	put("go", "");
	for (size_t i = 0; i < N_OF(fd); i++)
		if (i != 3 && i != 39) {
			assert_int_equal(letter(fd[i]), i % 2 ? 'K' : 'D');
			(void)close(fd[i]);
		}
	assert_int_equal(ask("jay@h"), VERIFY_OK);
	stop();
}

static void
test_crash_and_hang(void **state)
{
	int fd, more[VERIFYD_WORKERS + 3];

	(void)state;
	start(1000, VERIFYD_IDLE_MS, 100);
	assert_int_equal(ask("jay@h"), VERIFY_OK);
	assert_int_equal(ask("die@h"), VERIFY_TEMP);
	assert_int_equal(ask("jay@h"), VERIFY_OK);
	fd = open_and_send("hang@h");
	assert_int_equal(ask("jay@h"), VERIFY_OK);
	assert_int_equal(letter(fd), 'Z');
	(void)close(fd);
	/* All workers hang, and more wait for one. */
	for (size_t i = 0; i < N_OF(more); i++)
		more[i] = open_and_send("hang@h");
	for (size_t i = 0; i < N_OF(more); i++) {
		assert_int_equal(letter(more[i]), 'Z');
		(void)close(more[i]);
	}
	assert_int_equal(ask("jay@h"), VERIFY_OK);
	stop();
}

static void
test_nonsense(void **state)
{
	char big[1100];
	int fd;

	(void)state;
	start(VERIFYD_ANSWER_MS, VERIFYD_IDLE_MS, 100);
	memset(big, 'y', sizeof big);
	fd = open_and_send("jay@h");
	assert_int_equal(letter(fd), 'K');
	assert_int_equal(send(fd, big, 1003, MSG_NOSIGNAL), 1003);
	assert_int_equal(letter(fd), 0);
	(void)close(fd);
	fd = open_and_send("jay@h");
	assert_int_equal(letter(fd), 'K');
	assert_int_equal(send(fd, "a\0b@h", 5, MSG_NOSIGNAL), 5);
	assert_int_equal(letter(fd), 0);
	(void)close(fd);
	/* A thousand and two bytes are an address. */
	memcpy(big + 1000, "@h", 3);
	assert_int_equal(ask(big), VERIFY_OK);
	/* Who never reads is closed, sooner or later. */
	fd = sock_connect("s", SOCK_SEQPACKET, 30000);
	while (send(fd, "jo@h", 4, MSG_NOSIGNAL) == 4)
		;
	assert_true(errno == EPIPE || errno == ECONNRESET);
	(void)close(fd);
	assert_int_equal(ask("jay@h"), VERIFY_OK);
	stop();
}

static void
test_bounds(void **state)
{
	int fd[5];

	(void)state;
	start(VERIFYD_ANSWER_MS, 1000, 4);
	for (size_t i = 0; i < 4; i++) {
		fd[i] = open_and_send("jay@h");
		assert_int_equal(letter(fd[i]), 'K');
	}
	fd[4] = sock_connect("s", SOCK_SEQPACKET, 5000);
	assert_true(fd[4] >= 0);
	assert_int_equal(letter(fd[4]), 0);
	(void)close(fd[4]);
	/* The four are idle for too long, and make room. */
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(letter(fd[i]), 0);
		(void)close(fd[i]);
	}
	assert_int_equal(ask("jay@h"), VERIFY_OK);
	stop();
}

static long
worker_pid(void)
{
	char text[32] = "";
	FILE *f;

	assert_int_equal(ask("pid-y@h"), VERIFY_OK);
	f = fopen("pid", "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof text, f));
	assert_int_equal(fclose(f), 0);
	return strtol(text, NULL, 10);
}

static void
test_hup(void **state)
{
	struct verify v = {.fd = -1};
	struct str text = {0};
	long first;
	int fd;

	(void)state;
	start(VERIFYD_ANSWER_MS, VERIFYD_IDLE_MS, 100);
	assert_int_equal(verify_ask(&v, "s", "jay@h", &text), VERIFY_OK);
	first = worker_pid();
	assert_int_equal(worker_pid(), first);
	assert_int_equal(kill(service, SIGHUP), 0);
	for (int i = 0; i < 1000 && worker_pid() == first; i++)
		(void)usleep(10000);
	assert_int_not_equal(worker_pid(), first);
	/* Connections outlive it, and so does a lookup that is under way. */
	fd = open_and_send("slow@h");
	assert_int_equal(kill(service, SIGHUP), 0);
	assert_int_equal(verify_ask(&v, "s", "jo@h", &text), VERIFY_NO);
	put("go", "");
	assert_int_equal(letter(fd), 'D');
	(void)close(fd);
	verify_close(&v);
	str_free(&text);
	stop();
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL || chdir(dir) < 0 ||
	    mkdir("control", 0755) < 0)
		return -1;
	control_set_dir("control");
	put("control/me", "h\n");
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof command, "rm -rf %s", dir);
	return chdir("/") < 0 ? -1 : system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_answers, end),
		cmocka_unit_test_teardown(test_slow, end),
		cmocka_unit_test_teardown(test_crash_and_hang, end),
		cmocka_unit_test_teardown(test_nonsense, end),
		cmocka_unit_test_teardown(test_bounds, end),
		cmocka_unit_test_teardown(test_hup, end),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
