/* qmail-start - start the delivery side: pipes, users, programs.
 * Runs as:  root, in its run script.
 * Trusts:   its arguments and PATH.
 * Exits:    by becoming qmail-send; 111 on trouble, 100 on misuse. */
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/user.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { P_LSPAWN, P_RSPAWN, P_TODO, P_CLEAN, PIPES };

struct account {
	uid_t uid;
	gid_t gid;
};

static struct account
account(const char *name)
{
	struct account a;

	user_need(name, &a.uid, &a.gid);
	if (a.uid == 0)
		die(111, "user %s must not be root", name);
	return a;
}

static void
run(const char *const *argv, const struct account *a,
    const struct proc_fd *fds, size_t nfds)
{
	struct proc_spawn sp = {.argv = argv, .dir = "/", .fds = fds,
	    .nfds = nfds};
	pid_t pid;

	if (a != NULL) {
		sp.drop = true;
		sp.uid = a->uid;
		sp.gid = a->gid;
	}
	if (proc_spawn(&sp, &pid) < 0)
		die_sys(111, "unable to run %s", argv[0]);
}

/* Lines of all programs go to the logger, when one is named. */
static int
start_logger(char **argv, const struct account *a)
{
	const char *args[64];
	size_t n = 0;
	int r, w;

	for (; argv[n] != NULL; n++) {
		if (n + 1 >= sizeof args / sizeof args[0])
			die(100, "too many arguments");
		args[n] = argv[n];
	}
	args[n] = NULL;
	if (proc_pipe(&r, &w) < 0)
		die_sys(111, "unable to make a pipe");
	{
		struct proc_fd fds[] = {{r, 0}};

		run(args, a, fds, 1);
	}
	(void)close(r);
	return w;
}

static void
must_pipe(int p[2])
{
	if (proc_pipe(&p[0], &p[1]) < 0)
		die_sys(111, "unable to make a pipe");
}

int
main(int argc, char **argv)
{
	const char *lspawn[] = {"qmail-lspawn", argc > 1 ? argv[1] :
	    "./Mailbox", NULL};
	static const char *const rspawn[] = {"qmail-rspawn", NULL};
	static const char *const todo[] = {"qmail-todo", NULL};
	static const char *const clean[] = {"qmail-clean", NULL};
	static const char *const send[] = {"qmail-send", NULL};
	int to[PIPES][2], from[PIPES][2], log = 1;
	struct account r, s, q;

	log_init("qmail-start");
	r = account("qmailr");
	s = account("qmails");
	q = account("qmailq");
	(void)umask(077);
	if (chdir("/") < 0)
		die_sys(111, "unable to change to /");
	if (argc > 2) {
		struct account l = account("qmaill");

		log = start_logger(argv + 2, &l);
	}
	for (int i = 0; i < PIPES; i++) {
		must_pipe(to[i]);
		must_pipe(from[i]);
	}
	{
		struct proc_fd fl[] = {{to[P_LSPAWN][0], 0},
		    {from[P_LSPAWN][1], 1}, {log, 2}};
		struct proc_fd fr[] = {{to[P_RSPAWN][0], 0},
		    {from[P_RSPAWN][1], 1}, {log, 2}};
		struct proc_fd fc[] = {{to[P_CLEAN][0], 0},
		    {from[P_CLEAN][1], 1}, {log, 2}};
		struct proc_fd ft[] = {{to[P_TODO][0], 0},
		    {from[P_TODO][1], 1}, {log, 2}, {to[P_CLEAN][1], 3},
		    {from[P_CLEAN][0], 4}};

		run(lspawn, NULL, fl, 3);
		run(rspawn, &r, fr, 3);
		run(clean, &q, fc, 3);
		run(todo, &s, ft, 5);
	}
	/* qmail-send takes this process, so that supervise's signals reach
	 * it: 0 log, 1 2 lspawn, 3 4 rspawn, 5 6 todo. */
	{
		const int want[] = {log, to[P_LSPAWN][1], from[P_LSPAWN][0],
		    to[P_RSPAWN][1], from[P_RSPAWN][0], to[P_TODO][1],
		    from[P_TODO][0]};
		const int n = (int)(sizeof want / sizeof want[0]);
		int high[sizeof want / sizeof want[0]];

		for (int i = 0; i < n; i++)
			if ((high[i] = fcntl(want[i], F_DUPFD_CLOEXEC, 64)) < 0)
				die_sys(111, "unable to place descriptors");
		if (proc_drop(s.uid, s.gid) < 0)
			die_sys(111, "unable to become qmails");
		for (int i = 0; i < n; i++)
			if (dup2(high[i], i) < 0)
				_exit(111);
	}
	proc_exec(send, NULL);
	_exit(111);
}
