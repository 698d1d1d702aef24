/* test_remote_session.c - sessions over a socket pair, without a network: a
 * child plays the peer from a list of lines; what waits long in the program
 * waits a moment here. */
#include "TESTS/unit/unit.h"

#include "lib/io.h"
#include "lib/sock.h"
#include "mail/remoteproto.h"
#include "remote/transaction.h"
#include "remote/worker.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* Waits for what begins with an odd line, answers with the next; NULL for an
 * answer: never.  At the end of the list it leaves. */
static pid_t
peer_start(const char *const *script, int *fd_out)
{
	int fd[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		(void)close(fd[1]);
		*fd_out = fd[0];
		return pid;
	}
	(void)close(fd[0]);
	{
		static struct io io;
		struct str line = {0};

		io_init(&io, fd[1], fd[1], 20000);
		for (size_t i = 0; script[i] != NULL; i += 2) {
			do {
				str_clear(&line);
				if (script[i][0] == '\0')
					break;
				if (io_getdelim(&io, &line, '\n', 4096) !=
				    IO_OK)
					_exit(1);
			} while (strncmp(str_c(&line), script[i],
			    strlen(script[i])) != 0);
			if (script[i + 1] == NULL) {
				(void)io_getdelim(&io, &line, '\0', 4096);
				_exit(0);
			}
			if (io_puts(&io, script[i + 1]) != IO_OK ||
			    io_flush(&io) != IO_OK)
				_exit(1);
		}
	}
	_exit(0);
}

/* The report of one message to one recipient. */
static void
deliver_to(const char *const *script, struct str *report, bool *open_out)
{
	static struct smtp s;
	static struct remote_config cfg;
	struct tls_policy tls = {.level = TLS_NEVER};
	struct smtp_peer peer = {.name = "peer.example", .tls = &tls};
	struct job_rcpt rcpt = {.addr = "r@far.example", .params = ""};
	struct job job = {.sender = "s@here.example", .params = "", .n = 1,
	    .rcpt = &rcpt};
	int fd, status, file = memfd_create("message", MFD_CLOEXEC);
	struct message m;
	pid_t pid;

	assert_int_equal(ip_parse("192.0.2.1", 9, &peer.ip), 0);
	assert_int_equal(fd_write_all(file, "S: x\n\nb\n", 8), 0);
	assert_int_equal(message_scan(&m, file, 0), 0);
	job.message = &m;
	cfg = (struct remote_config){.reply_ms = 20000, .dot_ms = 200};
	str_copys(&cfg.helohost, "here.example");
	s = (struct smtp){.fd = -1};
	pid = peer_start(script, &fd);
	if (smtp_open_take(&s, &cfg, fd, &peer) != SMTP_OK ||
	    transaction_run(&s, &job) != SMTP_OK)
		job_event(&job, JOB_DEFER, &s.why, NULL);
	*open_out = s.open;
	job_report(&job, SIZE_MAX, report);
	smtp_free(&s);
	job_free(&job);
	str_free(&cfg.helohost);
	(void)close(file);
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

#define HELLO "", "220 hi\r\n", "EHLO", "250 peer\r\n"
#define ENVELOPE HELLO, "MAIL", "250 ok\r\n", "RCPT", "250 ok\r\n"

static void
test_whole_message(void **state)
{
	static const char *const script[] = {ENVELOPE, "DATA", "354 go\r\n",
	    ".", "250 done\r\n", "QUIT", "221 bye\r\n", NULL};
	static const char want[] = "r\0K192.0.2.1 accepted message.\n"
	    "Remote host said: 250 done\n";
	struct str report = {0};
	bool open;

	(void)state;
	deliver_to(script, &report, &open);
	assert_int_equal(report.len, sizeof want);
	assert_memory_equal(report.s, want, sizeof want);
	assert_true(open);
	str_free(&report);
}

static void
test_no_answer_to_the_message(void **state)
{
	static const char *const script[] = {ENVELOPE, "DATA", "354 go\r\n",
	    ".", NULL, NULL};
	static const char want[] = "r\0ZPossible duplicate: 192.0.2.1 does not "
	    "answer in time, given the whole message. (#4.4.2)\n";
	struct str report = {0};
	bool open;

	(void)state;
	deliver_to(script, &report, &open);
	assert_int_equal(report.len, sizeof want);
	assert_memory_equal(report.s, want, sizeof want);
	assert_false(open);
	str_free(&report);
}

/* Every answer in every split: the peer writes byte by byte. */
static void
test_answers_in_pieces(void **state)
{
	static const char *const script[] = {
	    "", "2", "", "20-h", "", "i\r", "", "\n220", "", " there\r",
	    "", "\n", "EHLO", "250-", "", "x\r\n250", "", " SIZE\r\n",
	    "MAIL", "2", "", "50", "", "\r\n", "RCPT", "250 ", "", "\n",
	    "DATA", "354", "", "\r\n", ".", "250 d", "", "one\r\n",
	    "QUIT", "221 bye\r\n", NULL};
	struct str report = {0};
	bool open;

	(void)state;
	deliver_to(script, &report, &open);
	assert_string_equal(str_c(&report) + 2, "K192.0.2.1 accepted message.\n"
	    "Remote host said: 250 done\n");
	str_free(&report);
}

/* An old worker ends, and what it did not read is not lost: the kernel says so
 * to qmail-rspawn. */
static void
test_old_worker(void **state)
{
	struct remote_config cfg = {.worker_ms = 0};
	static char buf[REMOTE_PACKET_MAX];
	int ours, theirs, none;

	(void)state;
	assert_int_equal(sock_pair(SOCK_SEQPACKET, &ours, &theirs), 0);
	assert_int_equal(sock_send_fd(ours, "s\0\0r@d\0", 8, -1), 8);
	assert_int_equal(worker_run(theirs, &cfg, "d"), 0);
	(void)close(theirs);
	assert_int_equal(sock_recv_fd(ours, buf, sizeof buf, &none), -1);
	assert_int_equal(errno, ECONNRESET);
	(void)close(ours);
	/* A younger one reads it. */
	cfg.worker_ms = 60000;
	assert_int_equal(sock_pair(SOCK_SEQPACKET, &ours, &theirs), 0);
	assert_int_equal(sock_send_fd(ours, "?", 1, -1), 1);
	assert_int_equal(shutdown(ours, SHUT_WR), 0);
	assert_int_equal(worker_run(theirs, &cfg, "d"), 0);
	(void)close(theirs);
	assert_true(sock_recv_fd(ours, buf, sizeof buf, &none) > 0);
	assert_int_equal(buf[0], 'Z');
	(void)close(ours);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old_worker),
		cmocka_unit_test(test_whole_message),
		cmocka_unit_test(test_no_answer_to_the_message),
		cmocka_unit_test(test_answers_in_pieces),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
