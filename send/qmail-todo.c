/* qmail-todo - take new messages from todo/ to qmail-send.
 * Runs as:  qmails; descriptors 0 and 1 qmail-send, 3 and 4 qmail-clean.
 * Trusts:   both of them, control/, and the queue's files.
 * Exits:    0 when qmail-send ends, 111 on trouble. */
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/sig.h"
#include "mail/qpath.h"
#include "send/todo.h"

#include <signal.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	static const int ignored[] = {SIGTERM, SIGALRM, SIGHUP, SIGINT, 0};
	/* Control files may be links to anywhere. */
	static const char *const read[] = {"/", NULL};
	static const char *const write[] = {QUEUE_DIR, NULL};
	struct sandbox_fs fs = {.read = read, .write = write};
	const struct todo_fds fds = {.from_send = 0, .to_send = 1,
	    .to_clean = 3, .from_clean = 4};

	(void)argv;
	log_init("qmail-todo");
	if (argc != 1)
		die_usage("qmail-todo");
	/* Meant for qmail-send, which says when to end. */
	for (const int *s = ignored; *s; s++)
		sig_ignore(*s);
	sig_ignore(SIGPIPE);
	if (chdir(QUEUE_DIR) < 0)
		die_sys(111, "unable to change to %s", QUEUE_DIR);
	if (sandbox_daemon(&fs, SANDBOX_NO_TCP | SANDBOX_SCOPED) < 0)
		die_sys(111, "unable to give up rights%s%s",
		    fs.bad != NULL ? ": " : "", fs.bad != NULL ? fs.bad : "");
	return todo_run(&fds);
}
