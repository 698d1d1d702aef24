/* qmail-queued - the queue service: commits what local programs submit.
 * Runs as:  qmailq, group qmail, under supervise.
 * Trusts:   the kernel's word on who connected.  Never: what it says.
 * Exits:    0 after SIGTERM, 111 on any local trouble, 100 on misuse. */
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "lib/user.h"
#include "mail/qpath.h"
#include "mail/qsubmit.h"
#include "mail/qtree.h"
#include "queue/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024
#define CLIENTS_WANT 4096       /* two descriptors each */
#define LOCK "lock/queued"

static size_t
raise_files(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		die_sys(111, "unable to read the limit of open files");
	rl.rlim_cur = rl.rlim_max < 2 * CLIENTS_WANT + 64 ? rl.rlim_max :
	    2 * CLIENTS_WANT + 64;
	if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
		die_sys(111, "unable to raise the limit of open files");
	if (rl.rlim_cur < 80)
		die(111, "the limit of open files is too low: %lu",
		    (unsigned long)rl.rlim_cur);
	return (size_t)(rl.rlim_cur - 64) / 2;
}

int
main(int argc, char **argv)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, 0};
	/* Its socket is made before; from then on it changes the queue and
	 * nothing else. */
	static const char *const write[] = {QUEUE_DIR, NULL};
	struct sandbox_fs fs = {.write = write};
	struct service_config cfg = {0};

	(void)argv;
	log_init("qmail-queued");
	if (argc != 1)
		die_usage("qmail-queued");
	(void)umask(022);
	cfg.uid_alias = user_need_uid("alias");
	cfg.uid_network = user_need_uid("qmaild");
	cfg.uid_bounce = user_need_uid("qmails");
	if (chdir(QUEUE_DIR) < 0)
		die_sys(111, "unable to change to %s", QUEUE_DIR);
	if (access(QTREE_REPAIR, F_OK) == 0)
		die(111, "unfinished repair in %s/%s: run qmail-queuectl "
		    "repair", QUEUE_DIR, QTREE_REPAIR);
	if (fs_lock(LOCK, 0600, false) < 0)
		die_sys(111, "unable to lock %s/%s (already running?)",
		    QUEUE_DIR, LOCK);
	cfg.queue_dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cfg.signals = sig_open(signals);
	sig_ignore(SIGPIPE);
	if (cfg.queue_dir < 0 || cfg.signals < 0)
		die_sys(111, "unable to open %s", QUEUE_DIR);
	cfg.clients_max = raise_files();
	cfg.clients_uid_max = cfg.clients_max / 2;
	cfg.listener = sock_listen(QSUBMIT_SOCKET, SOCK_STREAM, BACKLOG, 0666);
	if (cfg.listener < 0)
		die_sys(111, "unable to listen on %s", QSUBMIT_SOCKET);
	if (sandbox_daemon(&fs, SANDBOX_NO_TCP | SANDBOX_SCOPED) < 0)
		die_sys(111, "unable to give up rights%s%s",
		    fs.bad != NULL ? ": " : "", fs.bad != NULL ? fs.bad : "");
	return service_run(&cfg);
}
