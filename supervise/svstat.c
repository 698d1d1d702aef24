/* svstat - print the state of services.
 * Runs as:  whoever may look into the supervise directories: root.
 * Trusts:   the service directories it is given.
 * Exits:    0 always; troubles are told in the service's own line. */
#include "supervise/status.h"
#include "supervise/tool.h"

#include "lib/io.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void
trouble(struct str *out, const char *what)
{
	str_catf(out, "unable to %s: %s", what, errno == EBADMSG ?
	    "bad format" : tool_error_text(errno));
}

static void
describe(struct str *out, int dirfd)
{
	struct tai now = tai_now();
	struct status st;
	struct stat down;

	switch (status_running(dirfd)) {
	case STATUS_NOT:
		str_cats(out, "supervise not running");
		return;
	case STATUS_ABSENT:
	case STATUS_ERROR:
		trouble(out, "open supervise/ok");
		return;
	case STATUS_RUNS:
		break;
	}
	if (status_read(dirfd, &st) < 0)
		trouble(out, "read supervise/status");
	else if (fstatat(dirfd, "down", &down, 0) < 0 && errno != ENOENT)
		trouble(out, "stat down");
	else
		status_text(out, &st,
		    faccessat(dirfd, "down", F_OK, 0) < 0, &now);
}

int
main(int argc, char **argv)
{
	struct str line = {0};

	log_init("svstat");
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		str_copys(&line, argv[i]);
		str_cats(&line, ": ");
		if (fd < 0)
			trouble(&line, "chdir");
		else
			describe(&line, fd);
		str_catc(&line, '\n');
		if (fd >= 0)
			(void)close(fd);
		if (fd_write_all(1, str_c(&line), line.len) < 0)
			tool_die(111, "unable to write output");
	}
	str_free(&line);
	return 0;
}
