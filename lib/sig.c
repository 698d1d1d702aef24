/* lib/sig.c - signals as a descriptor; see sig.h. */
#include "lib/sig.h"

#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

int
sig_open(const int *signals)
{
	sigset_t set;

	(void)sigemptyset(&set);
	for (; *signals; signals++) {
		/* Born with SIGCHLD ignored, children would vanish unseen. */
		if (*signals == SIGCHLD)
			(void)signal(SIGCHLD, SIG_DFL);
		(void)sigaddset(&set, *signals);
	}
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int
sig_next(int fd)
{
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof si) != (ssize_t)sizeof si)
		return 0;
	return (int)si.ssi_signo;
}

void
sig_ignore(int s)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof sa);
	sa.sa_handler = SIG_IGN;
	(void)sigaction(s, &sa, NULL);
}
