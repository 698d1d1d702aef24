/* drive - inject messages through a sendmail command and watch them arrive.
 *
 * drive -u uid -g gid -c injectors -n messages -b bodyfile -t seconds
 *     -m mailboxfile sendmail
 *
 * The mailbox file has lines "address directory"; messages go to the
 * addresses in turn, each by one `sendmail -i -f sender address' with the body
 * file on 0, `injectors' of them at a time.  A message has arrived when a name
 * appears in one of the directories.  As root it sets the watches, then it
 * becomes uid:gid for good.  Prints one line of JSON; exit 0 when every
 * message was taken and arrived in time, 1 when not, 111 on trouble. */
#include "TESTS/bench/load.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define INJECTORS_MAX 1000

struct slot { pid_t pid; double start; };

struct drive {
	struct load load;
	const char *sendmail, *body;
	long injectors;
	struct slot slot[INJECTORS_MAX];
};

static void
start_one(struct drive *d, struct slot *slot)
{
	const char *rcpt = load_next_rcpt(&d->load);
	char *const argv[] = { (char *)(uintptr_t)d->sendmail,
	    (char *)(uintptr_t)"-i", (char *)(uintptr_t)"-f",
	    (char *)(uintptr_t)"sender", (char *)(uintptr_t)rcpt, NULL };
	extern char **environ;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, d->body, O_RDONLY, 0);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	slot->start = load_now();
	errno = posix_spawn(&slot->pid, d->sendmail, &fa, &attr, argv,
	    environ);
	if (errno != 0)
		load_die("run sendmail");
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&attr);
	d->load.started++;
}

static void
reap(struct drive *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct slot *slot = NULL;

		for (long i = 0; i < d->injectors; i++)
			if (d->slot[i].pid == pid)
				slot = &d->slot[i];
		if (slot == NULL)
			continue;
		slot->pid = 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			load_taken(&d->load,
			    (load_now() - slot->start) * 1000);
		else
			load_refused(&d->load);
		if (d->load.started < d->load.want)
			start_one(d, slot);
		/* With many injectors there is always one to reap. */
		load_count_arrivals(&d->load);
	}
}

static void
run(struct drive *d)
{
	struct pollfd pfd[2] = { { d->load.watch, POLLIN, 0 },
	    { -1, POLLIN, 0 } };
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	pfd[1].fd = signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);
	if (pfd[1].fd < 0)
		load_die("make a signal descriptor");
	d->load.t0 = load_now();
	for (long i = 0; i < d->injectors && d->load.started < d->load.want;
	    i++)
		start_one(d, &d->slot[i]);
	while (!load_done(&d->load)) {
		struct signalfd_siginfo si;

		if (poll(pfd, 2, 1000) < 0)
			load_die("poll");
		while (read(pfd[1].fd, &si, sizeof si) > 0)
			;
		load_count_arrivals(&d->load);
		reap(d);
	}
}

int
main(int argc, char **argv)
{
	static struct drive d;
	const char *mailboxes = NULL;
	uid_t uid = 0;
	gid_t gid = 0;
	long before;
	int o;

	d.injectors = 1;
	d.load.want = 1;
	d.load.limit = 600;
	while ((o = getopt(argc, argv, "u:g:c:n:b:t:m:")) != -1)
		switch (o) {
		case 'u': uid = (uid_t)load_number(optarg); break;
		case 'g': gid = (gid_t)load_number(optarg); break;
		case 'c': d.injectors = load_number(optarg); break;
		case 'n': d.load.want = load_number(optarg); break;
		case 'b': d.body = optarg; break;
		case 't': d.load.limit = load_number(optarg); break;
		case 'm': mailboxes = optarg; break;
		default: return 100;
		}
	if (optind + 1 != argc || d.body == NULL || mailboxes == NULL ||
	    d.load.want < 1 || d.injectors < 1 ||
	    d.injectors > INJECTORS_MAX) {
		fprintf(stderr, "drive: usage: drive -u uid -g gid -c n -n n "
		    "-b body -t seconds -m mailboxes sendmail\n");
		return 100;
	}
	d.sendmail = argv[optind];
	load_open(&d.load, mailboxes);
	if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		load_die("become the sender");
	before = load_last_pid();
	run(&d);
	load_report(&d.load, load_last_pid() - before, "");
	return d.load.refused == 0 && d.load.arrived == d.load.want ? 0 : 1;
}
