/* lib/proc.h - starting and ending processes: the one place that forks.
 *
 * A child gets 0, 1, 2 as the caller has them, and exactly the descriptors it
 * is given; everything else is closed at exec.  In the child no signal is
 * blocked, none has a handler, and SIGPIPE and SIGCHLD are the defaults even
 * where the caller ignores them; other ignored signals stay ignored, as nohup
 * expects. */
#ifndef LIB_PROC_H
#define LIB_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_MAXFD 12
#define PROC_CHECK __attribute__((warn_unused_result))
/* The child leaves its stack by exec, never by returning, so AddressSanitizer
 * would find the marks of its frames on the next stack at that address. */
#define PROC_IN_CHILD __attribute__((no_sanitize_address))

struct proc_fd {
	int from;               /* the caller's descriptor, -1: /dev/null */
	int to;                 /* its number in the child, < PROC_MAXFD */
};

struct proc_spawn {
	const char *const *argv;
	const char *const *envp;        /* NULL: the caller's environment */
	const char *path;               /* NULL: argv[0] searched in PATH */
	const char *dir;                /* NULL: stay */
	const struct proc_fd *fds;
	size_t nfds;
	bool drop;                      /* become uid, gid, groups {gid} */
	uid_t uid;
	gid_t gid;
	bool new_session;
	/* Called first of all in the child, with every signal blocked, on a
	 * small stack and possibly on the caller's memory: system calls and
	 * nothing else.  Define it with PROC_IN_CHILD.  NULL: nothing. */
	void (*before)(void *);
	void *before_arg;
};

/* Starts a program.  *pid_out on 0; -1 with errno when it could not be
 * started, exec failure included.  EINVAL past PROC_MAXFD descriptors, and
 * when RLIMIT_NOFILE leaves no room for PROC_MAXFD and as many as are given.
 * With drop the wait for the exec is bounded (that user can stop the child):
 * a child which fails later than that ends with exit code 111. */
PROC_CHECK int proc_spawn(const struct proc_spawn *, pid_t *pid_out);

/* fork for code that goes on without exec: 0 in the child (signals unblocked),
 * the pid in the parent, -1 with errno. */
PROC_CHECK pid_t proc_fork(void);

/* Replaces this process.  Only returns on failure, with errno. */
void proc_exec(const char *const *argv, const char *const *envp);

/* Waits for pid through EINTR: 0 and *status, or -1. */
PROC_CHECK int proc_wait(pid_t, int *status);
/* The same for ms at most: then it and the process group that it leads are
 * killed, and it is -1 with ETIMEDOUT once it is gone. */
PROC_CHECK int proc_wait_within(pid_t, int64_t ms, int *status);
/* Reaps any ended child: its pid, 0 when none is ready, -1 without children. */
PROC_CHECK pid_t proc_reap(int *status);
/* "exit code 3", "signal 9" for a log; buf of at least 32 bytes. */
const char *proc_status_text(int status, char *buf, size_t n);

PROC_CHECK int proc_pipe(int *r_out, int *w_out);      /* both close-on-exec */
/* Become a user for good: groups, gid, uid, in this order, then verifies. */
PROC_CHECK int proc_drop(uid_t, gid_t);

#endif
