/* qmail-verify - tell qmail-smtpd which recipients exist.
 * Runs as:  qmailp; root only until its socket is made.
 * Trusts:   control/, users/cdb, the accounts.  Never: who asks.
 * Exits:    0 after SIGTERM, 100 on misuse, 111 on trouble. */
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "lib/user.h"
#include "mail/getpw.h"
#include "mail/verify.h"
#include "smtpd/verifyd.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 1024
#define ASKERS_WANT 4096        /* a descriptor each */
#define OTHERS 64               /* descriptors for everything else */

static size_t
raise_files(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		die_sys(111, "unable to read the limit of open files");
	rl.rlim_cur = rl.rlim_max < ASKERS_WANT + OTHERS ? rl.rlim_max :
	    ASKERS_WANT + OTHERS;
	if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
		die_sys(111, "unable to raise the limit of open files");
	if (rl.rlim_cur <= 2 * OTHERS)
		die(111, "the limit of open files is too low: %lu",
		    (unsigned long)rl.rlim_cur);
	return (size_t)(rl.rlim_cur - OTHERS);
}

int
main(int argc, char **argv)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0};
	/* It looks at everybody's home and changes nothing.  No limit on TCP:
	 * accounts may come from the network. */
	static const char *const read[] = {"/", NULL};
	struct sandbox_fs fs = {.read = read};
	struct verifyd_config cfg = {.cdb = USERS_DIR "/cdb",
	    .find = getpw_find, .answer_ms = VERIFYD_ANSWER_MS,
	    .spare_ms = VERIFYD_SPARE_MS, .idle_ms = VERIFYD_IDLE_MS};
	uid_t uid;
	gid_t gid;

	(void)argv;
	log_init("qmail-verify");
	if (argc != 1)
		die_usage("qmail-verify");
	(void)umask(077);
	user_need("qmailp", &uid, &gid);
	if (uid == 0)
		die(111, "user qmailp must not be root");
	if (chdir("/") < 0)
		die_sys(111, "unable to enter /");
	cfg.askers_max = raise_files();
	cfg.askers_uid_max = cfg.askers_max - cfg.askers_max / 4;
	cfg.signals = sig_open(signals);
	if (cfg.signals < 0)
		die_sys(111, "unable to watch signals");
	cfg.listener = sock_listen(VERIFY_SOCKET, SOCK_SEQPACKET, BACKLOG,
	    0666);
	if (cfg.listener < 0)
		die_sys(111, "unable to listen on %s", VERIFY_SOCKET);
	if (proc_drop(uid, gid) < 0)
		die_sys(111, "unable to become qmailp");
	if (sandbox_daemon(&fs, SANDBOX_SCOPED) < 0)
		die_sys(111, "unable to give up rights%s%s",
		    fs.bad != NULL ? ": " : "", fs.bad != NULL ? fs.bad : "");
	return verifyd_run(&cfg);
}
