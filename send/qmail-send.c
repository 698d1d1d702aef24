/* qmail-send - the scheduler: decides what is delivered when.
 * Runs as:  qmails, group qmail, started by qmail-start with descriptors
 *           0 log, 1 2 qmail-lspawn, 3 4 qmail-rspawn, 5 6 qmail-todo.
 * Trusts:   control/, the queue's files, qmail-todo; reports only as such.
 * Exits:    0 after SIGTERM, 111 on trouble or when one of them is lost. */
#include "lib/fs.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/sig.h"
#include "mail/qpath.h"
#include "mail/qtree.h"
#include "send/send.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MUTEX "lock/sendmutex"

/* Held for life; says who holds it. */
static void
take_mutex(void)
{
	char pid[32];
	int n, fd = fs_lock(MUTEX, 0600, false);

	if (fd < 0)
		die_sys(111, "unable to lock %s/%s (already running?)",
		    QUEUE_DIR, MUTEX);
	n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || fd_write_all(fd, pid, (size_t)n) < 0)
		die_sys(111, "unable to write %s/%s", QUEUE_DIR, MUTEX);
}

/* qmail-bounce inherits all this.  What it runs in place of the queue, when
 * QMAILQUEUE says so, may need to write anywhere: then no Landlock. */
static void
give_up_rights(void)
{
	static const char *const all[] = {"/", NULL};
	static const char *const write[] = {QUEUE_DIR, HOME_DIR "/run",
	    "/dev/null", NULL};
	struct sandbox_fs fs = {.exec = all, .write = write};
	const char *program = getenv("QMAILQUEUE");
	int r;

	if (program == NULL || *program == '\0')
		r = sandbox_daemon(&fs, SANDBOX_NO_TCP | SANDBOX_SCOPED);
	else if ((r = sandbox_undumpable()) == 0 &&
	    (r = sandbox_limits(NULL, 0)) == 0)
		r = sandbox_no_new_privs();
	if (r < 0)
		die_sys(111, "unable to give up rights%s%s",
		    fs.bad != NULL ? ": " : "", fs.bad != NULL ? fs.bad : "");
}

int
main(int argc, char **argv)
{
	struct send_fds fds = {.log = 0, .to_lspawn = 1, .to_rspawn = 3,
	    .from_rspawn = 4, .to_todo = 5, .from_todo = 6};

	(void)argv;
	log_init("qmail-send");
	/* Descriptor 2 is history's choice for a pipe; ours is the log. */
	fds.from_lspawn = fcntl(2, F_DUPFD_CLOEXEC, 7);
	if (fds.from_lspawn < 0 || dup2(0, 2) < 0)
		_exit(111);
	if (argc != 1)
		die_usage("qmail-send (started by qmail-start)");
	sig_ignore(SIGPIPE);
	if (chdir(QUEUE_DIR) < 0)
		die_sys(111, "unable to change to %s", QUEUE_DIR);
	if (access(QTREE_REPAIR, F_OK) == 0)
		die(111, "unfinished repair in %s/%s: run qmail-queuectl "
		    "repair", QUEUE_DIR, QTREE_REPAIR);
	take_mutex();
	give_up_rights();
	return send_run(&fds);
}
