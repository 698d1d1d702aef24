/* remote/worker.c - deliveries by command, and by arguments; see worker.h.
 * Commands are trusted, messages and addresses are not. */
#include "remote/worker.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "mail/quote.h"
#include "mail/remoteproto.h"
#include "remote/deliver.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_MAX 2048            /* bytes of a "+" record: names and numbers */
/* Bytes of a recipient's record, and of the message's. */
#define RECORD_MAX ((REMOTE_PACKET_MAX - LOG_MAX) / (REMOTE_RCPTS_MAX + 1))

static void
defer_all(struct job *job, const char *what, const char *reason)
{
	struct str text = {0};

	str_catf(&text, "%s: %s. (#4.3.0)\n", what, reason);
	job_event(job, JOB_DEFER, &text, NULL);
	str_free(&text);
}

/* -1: the control files cannot be read, and the job says so. */
static int
read_control(struct remote_config *cfg, struct job *job)
{
	struct str what = {0};
	const char *file;

	if (config_load(cfg, &file) == 0)
		return 0;
	str_catf(&what, "Unable to read control/%s", file);
	defer_all(job, str_c(&what), strerror(errno));
	str_free(&what);
	return -1;
}

static void
do_job(struct smtp *s, struct remote_config *cfg, const char *host,
    struct job *job, int fd, uint64_t start)
{
	struct message m;

	if (!s->open && read_control(cfg, job) < 0)
		return;
	if (message_scan(&m, fd, start) < 0) {
		defer_all(job, "Unable to read the message", strerror(errno));
		return;
	}
	job->message = &m;
	if (!quote_safe(job->sender, strlen(job->sender))) {
		struct str text = {0};

		str_cats(&text, "The sender's address has a line end in it. "
		    "(#5.1.7)\n");
		job_event(job, JOB_FAIL, &text, NULL);
		str_free(&text);
		return;
	}
	deliver(s, cfg, host, job);
}

int
worker_input(int fd, uint64_t *start)
{
	off_t at = lseek(fd, 0, SEEK_CUR);

	*start = at > 0 ? (uint64_t)at : 0;
	return at >= 0 ? fd : message_spool(fd);
}

void
worker_once(struct remote_config *cfg, int fd, uint64_t start,
    const char *host, const char *sender, char *const *rcpt, size_t n)
{
	static struct smtp s = {.fd = -1};
	struct job job = {.sender = sender, .params = "", .n = n};
	struct str report = {0};

	job.rcpt = mem_alloc(n, sizeof *job.rcpt);
	for (size_t i = 0; i < n; i++)
		job.rcpt[i] = (struct job_rcpt){.addr = rcpt[i],
		    .params = ""};
	do_job(&s, cfg, host, &job, fd, start);
	job_report(&job, SIZE_MAX, &report);
	/* The report first: QUIT is a courtesy. */
	if (fd_write_all(1, str_c(&report), report.len) < 0)
		log_sys("unable to write the report");
	smtp_free(&s);
	job_free(&job);
	free(job.rcpt);
	str_free(&report);
}

/* Is the session good for another command? */
static bool
worth_keeping(const struct smtp *s)
{
	uint64_t max = REMOTE_TRANSACTIONS_MAX;

	if (s->can.mail_max > 0 && s->can.mail_max < max)
		max = s->can.mail_max;
	return s->open && s->transactions < max &&
	    clock_mono_ms() - s->since_ms < REMOTE_CONNECTION_MS;
}

static void
serve(struct smtp *s, struct remote_config *cfg, const char *host,
    const char *packet, size_t n, int message, struct str *report)
{
	static struct remote_command cmd;
	static struct job_rcpt rcpt[REMOTE_RCPTS_MAX];
	struct job job = {.rcpt = rcpt};

	if (remote_parse_command(packet, n, &cmd) < 0 || cmd.n == 0) {
		str_cats(report, "Zqmail-remote got a command it does not "
		    "understand. (#4.3.0)\n");
		str_catc(report, '\0');
		return;
	}
	job.sender = cmd.sender;
	job.params = cmd.params;
	job.n = cmd.n;
	for (size_t i = 0; i < cmd.n; i++)
		rcpt[i] = (struct job_rcpt){.addr = cmd.rcpt[i].addr,
		    .params = cmd.rcpt[i].params};
	if (message < 0)
		defer_all(&job, "Unable to read the message",
		    "it did not come");
	else
		do_job(s, cfg, host, &job, message, 0);
	/* All of it fits, or what was delivered would be deferred. */
	job_report(&job, RECORD_MAX, report);
	job_report_log(&job, report);
	job_free(&job);
}

/* Waits for a command; meanwhile the peer may leave.  false: no more. */
static bool
wait_command(int socket, struct smtp *s)
{
	int64_t end = clock_mono_ms() + REMOTE_IDLE_MS;

	for (;;) {
		struct pollfd p[2] = {{.fd = socket, .events = POLLIN},
		    {.fd = s->open ? s->fd : -1, .events = POLLIN}};
		int64_t left = end - clock_mono_ms();
		int r = poll(p, 2, left > 0 ? (int)left : 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		/* Whatever it says now, it is goodbye. */
		if (p[1].revents != 0) {
			s->open = false;
			smtp_close(s);
		}
		if (p[0].revents != 0)
			return true;
	}
}

int
worker_run(int socket, struct remote_config *cfg, const char *host)
{
	static struct smtp s = {.fd = -1};
	static char packet[REMOTE_PACKET_MAX];
	int64_t end = clock_mono_ms() + cfg->worker_ms;
	struct str report = {0};
	int message, code = 0;

	/* The name servers are read at the start; a busy host must not keep
	 * those of long ago. */
	while (clock_mono_ms() < end && wait_command(socket, &s)) {
		ssize_t n = sock_recv_fd(socket, packet, sizeof packet,
		    &message);

		if (n <= 0) {
			code = n < 0 ? 111 : 0;
			break;
		}
		str_clear(&report);
		serve(&s, cfg, host, packet, (size_t)n, message, &report);
		if (message >= 0)
			(void)close(message);
		if (sock_send_fd(socket, str_c(&report), report.len, -1) < 0) {
			code = 111;
			break;
		}
		if (!worth_keeping(&s))
			smtp_close(&s);
	}
	smtp_free(&s);
	str_free(&report);
	return code;
}
