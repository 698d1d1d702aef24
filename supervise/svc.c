/* svc - control services: one write of letters to each supervise.
 * Runs as:  whoever may write the control fifos: root.
 * Trusts:   the service directories it is given.
 * Exits:    100 misuse; 0 with a warning for each service that could not be
 *           controlled; with -w 111 when one is not where it was sent. */
#include "supervise/status.h"
#include "supervise/svcopt.h"
#include "supervise/svcwait.h"
#include "supervise/tool.h"

#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 20      /* a status file is read this often while waiting */

struct target {
	struct str name;
	const char *letters;
	int dirfd;
	bool sent;
	struct status before;
};

static void
target_send(struct target *t)
{
	const char *name = str_c(&t->name);
	int fd;

	t->dirfd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->dirfd < 0) {
		tool_warn("unable to chdir to %s", name);
		return;
	}
	if (status_read(t->dirfd, &t->before) < 0)
		t->before = (struct status){0};
	fd = status_open_control(t->dirfd);
	if (fd < 0) {
		if (errno == ENXIO)
			log_warn("unable to control %s: supervise not running",
			    name);
		else
			tool_warn("unable to control %s", name);
		return;
	}
	if (write(fd, t->letters, strlen(t->letters)) < 0)
		tool_warn("unable to write to %s/supervise/control", name);
	else
		t->sent = true;
	(void)close(fd);
}

/* 0 reached, 1 not yet, -1 never. */
static int
target_poll(const struct target *t)
{
	bool running = status_running(t->dirfd) == STATUS_RUNS;
	struct status now;

	if (status_read(t->dirfd, &now) < 0) {
		tool_warn("unable to read %s/supervise/status",
		    str_c(&t->name));
		return -1;
	}
	if (svcwait_reached(t->letters, &t->before, &now, running))
		return 0;
	if (running)
		return 1;
	log_warn("unable to wait for %s: supervise not running",
	    str_c(&t->name));
	return -1;
}

static int
wait_for(const struct target *t, size_t n, uint32_t seconds)
{
	int64_t end = clock_mono_ms() + (int64_t)seconds * 1000;
	int code = 0;

	for (size_t i = 0; i < n; i++) {
		int r = t[i].sent ? target_poll(&t[i]) : -1;

		while (r > 0 && (seconds == 0 || clock_mono_ms() < end)) {
			(void)poll(NULL, 0, TICK_MS);
			r = target_poll(&t[i]);
		}
		if (r > 0)
			log_warn("gave up waiting for %s", str_c(&t[i].name));
		if (r != 0)
			code = 111;
	}
	return code;
}

int
main(int argc, char **argv)
{
	struct svcopt o;
	struct target *t;
	size_t n = 0;
	int code;

	log_init("svc");
	if (!svcopt_parse(&o, argc, argv))
		tool_usage(100, SVCOPT_USAGE);
	t = mem_alloc((size_t)(argc - o.first) * 2 + 1, sizeof *t);
	for (int i = o.first; i < argc; i++) {
		if (o.service[0] != '\0' || o.logger[0] == '\0') {
			str_copys(&t[n].name, argv[i]);
			t[n].letters = o.service;
			target_send(&t[n++]);
		}
		if (o.logger[0] != '\0') {
			str_copys(&t[n].name, argv[i]);
			str_cats(&t[n].name, "/log");
			t[n].letters = o.logger;
			target_send(&t[n++]);
		}
	}
	code = o.wait ? wait_for(t, n, o.seconds) : 0;
	for (size_t i = 0; i < n; i++) {
		str_free(&t[i].name);
		if (t[i].dirfd >= 0)
			(void)close(t[i].dirfd);
	}
	free(t);
	return code;
}
