/* qmail-smtpd - receive mail by SMTP on descriptors 0 and 1.
 * Runs as:  qmaild, under tcpserver; or anybody (sendmail -bs).
 * Trusts:   control/ and the environment.  Never: anything on descriptor 0.
 * Exits:    0 when the session is over, 77 when it guessed passwords wrongly,
 *           111 on local trouble. */
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/sig.h"
#include "smtpd/checker.h"
#include "smtpd/config.h"
#include "smtpd/session.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the session can do without: it reads control files that are open or in
 * memory, and talks to local services.  A QMAILQUEUE program is executed, so
 * there the rights to do that stay. */
static void
give_up(void)
{
	static const char *const none[] = {NULL};
	static const struct sandbox_limit limits[] = {
		{RLIMIT_NOFILE, 64}, {RLIMIT_AS, 64 << 20},
		{RLIMIT_NPROC, 0}, {RLIMIT_FSIZE, 0},
	};
	const char *program = getenv("QMAILQUEUE");
	struct sandbox_fs fs = {.read = none};
	struct stat log;
	size_t n = sizeof limits / sizeof *limits;

	if (program != NULL && *program != '\0') {
		if (sandbox_undumpable() < 0)
			die_sys(111, "unable to give up rights");
		return;
	}
	/* Where the log is a file it must still grow. */
	if (fstat(STDERR_FILENO, &log) == 0 && S_ISREG(log.st_mode))
		n--;
	if (sandbox_limits(limits, n) < 0 ||
	    sandbox_daemon(&fs, SANDBOX_NO_TCP | SANDBOX_SCOPED) < 0)
		die_sys(111, "unable to give up rights");
}

int
main(int argc, char **argv)
{
	static struct smtpd_config cfg;
	static struct io client;
	struct checker checker;
	bool checks;

	log_init("qmail-smtpd");
	sig_ignore(SIGPIPE);
	smtpd_config_load(&cfg, argc, argv);
	checks = cfg.checkpw != NULL;
	if (checks && checker_start(&checker, cfg.checkpw,
	    SMTPD_AUTH_TRIES) < 0)
		die_sys(111, "unable to start the password checker");
	give_up();
	io_init(&client, STDIN_FILENO, STDOUT_FILENO, cfg.times.idle);
	return smtpd_session(&client, &cfg, checks ? &checker : NULL);
}
