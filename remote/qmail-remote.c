/* qmail-remote - send one message by SMTP, or, as a worker of qmail-rspawn,
 * one after the other.
 * Runs as:  qmailr.
 * Trusts:   its arguments and commands, control/.  Never: name servers, the
 *           peer, the message, the addresses.
 * Exits:    0 with a report on descriptor 1, 100 on misuse, 111. */
#include "control/control.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/sig.h"
#include "remote/tcpto.h"
#include "remote/worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define USAGE "qmail-remote host sender recipient..."

#define CONTROL HOME_DIR "/control"

/* Of the files: control/ to read, the table of timeouts to write; of either
 * only what is there.  A control file may be a link to elsewhere, so each is
 * named. */
static void
give_up_rights(void)
{
	static struct str path[CONTROL_COUNT];
	const char *control[CONTROL_COUNT + 3] = {CONTROL,
	    CONTROL "/smtpauth"};
	const char *write[] = {TCPTO_FILE, NULL};
	struct sandbox_fs fs = {.read = control, .write = write};
	size_t n = access(control[1], R_OK) == 0 ? 2 : 1;

	for (int i = 0; i < CONTROL_COUNT; i++) {
		const struct control_entry *e =
		    control_entry((enum control_id)i);

		if (strcmp(e->reader, "all") != 0 &&
		    strcmp(e->reader, "qmail-remote") != 0)
			continue;
		str_copys(&path[i], CONTROL "/");
		str_cats(&path[i], e->file);
		if (access(str_c(&path[i]), R_OK) == 0)
			control[n++] = str_c(&path[i]);
	}
	control[n] = NULL;
	if (access(TCPTO_FILE, W_OK) < 0)
		write[0] = NULL;
	if (access(control[0], R_OK) < 0)
		return;                 /* which will be reported */
	if (sandbox_daemon(&fs, 0) < 0)
		die_sys(111, "unable to give up rights%s%s",
		    fs.bad != NULL ? " for " : "",
		    fs.bad != NULL ? fs.bad : "");
}

static int
once(struct remote_config *cfg, char *const *arg, size_t n)
{
	uint64_t start;
	int fd = worker_input(0, &start), e = errno;

	give_up_rights();
	if (fd < 0) {
		struct str report = {0};

		str_catf(&report, "ZUnable to keep the message for a while: "
		    "%s. (#4.3.0)\n", strerror(e));
		if (fd_write_all(1, report.s, report.len + 1) < 0)
			die_sys(111, "unable to write the report");
		return 0;
	}
	worker_once(cfg, fd, start, arg[0], arg[1], arg + 2, n - 2);
	return 0;
}

int
main(int argc, char **argv)
{
	static struct remote_config cfg;

	log_init("qmail-remote");
	sig_ignore(SIGPIPE);
	if (argc == 3 && strcmp(argv[1], "-w") == 0) {
		config_init(&cfg);
		give_up_rights();
		return worker_run(0, &cfg, argv[2]);
	}
	if (argc < 4)
		die_usage(USAGE);
	config_init(&cfg);
	return once(&cfg, argv + 1, (size_t)argc - 1);
}
