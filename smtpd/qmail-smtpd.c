/* qmail-smtpd - receive mail by SMTP on descriptors 0 and 1.
 * Runs as:  qmaild, under tcpserver; or anybody (sendmail -bs).
 * Trusts:   control/ and the environment.  Never: anything on descriptor 0.
 * Exits:    0 when the session is over, 77 when it guessed passwords wrongly,
 *           111 on local trouble. */
#include "lib/keep.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/sig.h"
#include "smtpd/checker.h"
#include "smtpd/config.h"
#include "smtpd/session.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void
cannot(void)
{
	die_sys(111, "unable to give up rights");
}

/* What the session can do without: it reads control files that are open or in
 * memory, and talks to local services.  A QMAILQUEUE program is executed, so
 * there the rights to do that stay.  The kernel's ABI of Landlock. */
static int
give_up_files(void)
{
	static const char *const none[] = {NULL};
	static const struct sandbox_limit limits[] = {
		{RLIMIT_NOFILE, 64}, {RLIMIT_AS, 64 << 20}, {RLIMIT_FSIZE, 0},
	};
	struct sandbox_fs fs = {.read = none};
	struct stat log;
	size_t n = sizeof limits / sizeof *limits;

	/* Where the log is a file it must still grow. */
	if (fstat(STDERR_FILENO, &log) == 0 && S_ISREG(log.st_mode))
		n--;
	if (sandbox_limits(limits, n) < 0 ||
	    sandbox_daemon(&fs, SANDBOX_NO_TCP | SANDBOX_SCOPED) < 0)
		cannot();
	return fs.abi;
}

/* Sessions of one template are in the domain that it entered: each enters one
 * of its own, where it cannot send signals to the others. */
static void
leave_others(int abi)
{
	struct sandbox_fs fs = {.read = NULL};

	if (abi >= SANDBOX_SCOPED_ABI &&
	    sandbox_landlock(&fs, SANDBOX_SCOPED) < 0)
		cannot();
}

static void
give_up_forks(void)
{
	static const struct sandbox_limit none = {RLIMIT_NPROC, 0};

	if (sandbox_limits(&none, 1) < 0)
		cannot();
}

static bool
has_program(void)
{
	const char *program = getenv("QMAILQUEUE");

	return program != NULL && *program != '\0';
}

/* What decided about rights must be the same in every session of a template,
 * and what decided which files were read. */
static enum keep_verdict
judge(void *arg, const struct keep_request *q)
{
	static const char *const names[] = {"QMAILQUEUE", "SUBMISSION"};

	(void)arg;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *a = getenv(names[i]);
		const char *b = keep_getenv(q, names[i]);

		if ((a == NULL) != (b == NULL) ||
		    (a != NULL && strcmp(a, b) != 0))
			return KEEP_NOT;
	}
	return KEEP_OK;
}

/* Returns in the process of each connection.  Who has no password checker to
 * start can do without files from here on. */
static void
be_kept(struct smtpd_config *cfg, bool closed)
{
	static struct keep_program kept = {.judge = judge};
	int abi = 0;

	keep_watch_self(&kept);
	smtpd_config_watch(&kept);
	smtpd_config_control(cfg);
	if (closed)
		abi = give_up_files();
	else if (sandbox_undumpable() < 0)
		cannot();
	keep_serve(&kept);
	leave_others(abi);
}

int
main(int argc, char **argv)
{
	static struct smtpd_config cfg;
	static struct io client;
	struct checker checker;
	bool checks, program, closed = false;

	log_init("qmail-smtpd");
	sig_ignore(SIGPIPE);
	program = has_program();
	if (keep_asked()) {
		closed = !program && argc < 2;
		be_kept(&cfg, closed);
	} else {
		smtpd_config_control(&cfg);
	}
	smtpd_config_session(&cfg, argc, argv);
	checks = cfg.checkpw != NULL;
	if (checks && checker_start(&checker, cfg.checkpw,
	    SMTPD_AUTH_TRIES) < 0)
		die_sys(111, "unable to start the password checker");
	if (program && sandbox_undumpable() < 0)
		cannot();
	if (!program && !closed)
		(void)give_up_files();
	if (!program)
		give_up_forks();
	io_init(&client, STDIN_FILENO, STDOUT_FILENO, cfg.times.idle);
	/* There is nothing left for exit() to do but to touch its pages. */
	_exit(smtpd_session(&client, &cfg, checks ? &checker : NULL));
}
